//! Granting by a patient's card, and waiting for the chart.

use std::sync::Arc;
use std::time::Duration;

use chartmesh_protocol::ChartId;

use super::{Report, Service, on_clinic, stopped};
use crate::clinic::{CardGranted, Clinic, ClinicError};
use crate::control::{Answer, CardOrder, CardRequest, Exit, Failure, Progress};
use crate::net::Network;

/// How often it is looked whether the chart has come.
const STEP: Duration = Duration::from_millis(50);
/// How long a patient at the desk waits while nobody is reached.
const UNREACHED: Duration = Duration::from_secs(5);
/// How long one waits for who is reached: a chart takes a minute at 64 kbit/s, and comes by itself
/// after that.
const ANSWER: Duration = Duration::from_secs(60);
/// How long once all who are reached have told everything: the home clinic hands the keys over
/// then.
const TOLD: Duration = Duration::from_secs(10);

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
        granted.arrived = match self.network() {
            Some(network) => {
                network.peers_changed().await.map_err(stopped)?;
                arrived(&self.clinic, &network, chart, report).await?
            }
            None => {
                let _visit = self.visit.lock().await;
                let visit = Network::start(Arc::clone(&self.clinic), self.visiting.clone())
                    .await
                    .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                let outcome = arrived(&self.clinic, &visit, chart, report).await;
                visit.stop().await;
                outcome?
            }
        };
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

/// Waits for the chart, while everybody who is not connected is called.
async fn arrived(
    clinic: &Arc<Clinic>,
    network: &Network,
    chart: ChartId,
    report: &Report,
) -> Result<bool, Failure> {
    let mut waited = Duration::ZERO;
    let calling = network.sync_now(None);
    tokio::pin!(calling);
    let mut told_after: Option<Duration> = None;
    loop {
        let has_come = on_clinic(clinic, move |clinic| clinic.has_come(&chart)).await?;
        let links = network.board().all();
        let is_reached = links.iter().any(|link| link.state.is_open());
        let patience = match (is_reached, told_after) {
            (false, _) => UNREACHED,
            (true, None) => ANSWER,
            (true, Some(told)) => ANSWER.min(TOLD.saturating_add(told)),
        };
        if has_come || waited >= patience {
            return Ok(has_come);
        }
        report(Progress {
            what: match is_reached {
                true => "waiting for the chart; seconds:".to_owned(),
                false => "calling the other clinics; seconds:".to_owned(),
            },
            done: waited.as_secs(),
            total: 0,
        });
        tokio::select! {
            called = &mut calling, if told_after.is_none() => {
                called.map_err(stopped)?;
                told_after = Some(waited);
            }
            () = tokio::time::sleep(STEP) => waited = waited.saturating_add(STEP),
        }
    }
}
