//! Granting by a patient's card, and waiting for the chart.

use std::sync::Arc;
use std::time::Duration;

use super::visit::{Patience, awaited};
use super::{Report, Service, on_clinic, stopped};
use crate::clinic::{CardGranted, Clinic, ClinicError};
use crate::control::{Answer, CardOrder, CardRequest, Exit, Failure};

/// A patient stands at the desk: not long while nobody is reached. A chart takes a minute at
/// 64 kbit/s, and comes by itself after that; the home clinic hands the keys over once all have
/// told everything.
const PATIENCE: Patience = Patience {
    unreached: Duration::from_secs(5),
    answer: Duration::from_secs(60),
    told: Duration::from_secs(10),
};

impl Service {
    /// Signs the grant, and fetches the chart from whoever is reached.
    pub(super) async fn grant_by_card(
        &self,
        order: CardOrder,
        report: &Report,
    ) -> Result<Answer, Failure> {
        self.clinic.check_own_end()?;
        let sign = move |clinic: &Arc<Clinic>| clinic.grant_by_card(&order);
        let mut granted: CardGranted = on_clinic(&self.clinic, sign).await?;
        let chart = granted.grant.patient;
        let look = move |clinic: &Arc<Clinic>| {
            let has_come = clinic.has_come(&chart)?;
            Ok((has_come, has_come))
        };
        let joined = self.join().await?;
        let network = joined.network();
        if !joined.is_visit() {
            network.peers_changed().await.map_err(stopped)?;
        }
        let place = (&self.clinic, network);
        let arrived = awaited(place, &PATIENCE, "the chart", report, look).await;
        joined.leave().await;
        granted.arrived = arrived?;
        let exit = match granted.arrived {
            true => Exit::Done,
            false => Exit::Unreachable,
        };
        Ok(Answer::done(&granted)?.ending(exit))
    }
}

/// Carries out what needs no network.
pub(super) fn on_store(clinic: &Clinic, request: CardRequest) -> Result<Answer, Failure> {
    match request {
        CardRequest::Make { id, pin } => {
            let pin = pin.ok_or_else(|| ClinicError::Pin {
                reason: "a PIN is needed for the card: give it with --pin-file".to_owned(),
            })?;
            Answer::done(&clinic.make_card(&id, &pin)?)
        }
        CardRequest::Show { text } => Answer::done(&clinic.show_card(&text)?),
        CardRequest::Summary { text, code } => {
            Answer::done(&clinic.open_card_summary(&text, &code)?)
        }
        CardRequest::Grant(_) => {
            Err(ClinicError::fault("a network command reached the store").into())
        }
    }
}
