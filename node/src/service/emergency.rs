//! Asking for a summary in an emergency, and waiting for the answer.

use std::sync::Arc;
use std::time::Duration;

use super::visit::{Patience, awaited};
use super::{Report, Service, on_clinic};
use crate::clinic::{Clinic, ClinicError, EmergencyState};
use crate::control::{Answer, EmergencyOrder, EmergencyRequest, Exit, Failure};

/// At a bedside it is soon better to know that nothing comes. At 64 kbit/s and 300 ms, a summary
/// and its keys take some 10 s; once all have told everything, the answer of one who has the chart
/// is on its way.
const PATIENCE: Patience = Patience {
    unreached: Duration::from_secs(3),
    answer: Duration::from_secs(30),
    told: Duration::from_secs(6),
};

impl Service {
    /// Asks every clinic that is reached for a patient's summary, and waits a while for it.
    pub(super) async fn open_in_emergency(
        &self,
        order: EmergencyOrder,
        report: &Report,
    ) -> Result<Answer, Failure> {
        let patient = order.patient.clone();
        let ask = move |clinic: &Arc<Clinic>| clinic.ask_in_emergency(&order);
        let id = on_clinic(&self.clinic, ask).await?;
        let look = move |clinic: &Arc<Clinic>| {
            let opening = clinic.opening(&patient, &id)?;
            let is_over = match opening.state {
                EmergencyState::Open => opening.chart.is_some(),
                EmergencyState::Forbidden => true,
                EmergencyState::Asked | EmergencyState::Over | EmergencyState::Ended => false,
            };
            Ok((opening, is_over))
        };
        let joined = self.join().await?;
        let place = (&self.clinic, joined.network());
        let opening = awaited(place, &PATIENCE, "the answer", report, look).await;
        joined.leave().await;
        let opening = opening?;
        let exit = match (opening.state, &opening.chart) {
            (EmergencyState::Open, Some(_)) => Exit::Done,
            (EmergencyState::Forbidden, _) => Exit::Refused,
            (
                EmergencyState::Open
                | EmergencyState::Asked
                | EmergencyState::Over
                | EmergencyState::Ended,
                _,
            ) => Exit::Unreachable,
        };
        Ok(Answer::done(&opening)?.ending(exit))
    }
}

/// Carries out what needs no network.
pub(super) fn on_store(clinic: &Clinic, request: EmergencyRequest) -> Result<Answer, Failure> {
    match request {
        EmergencyRequest::List { patient } => {
            Answer::done(&clinic.emergencies(patient.as_deref())?)
        }
        EmergencyRequest::Review {
            id,
            justified,
            note,
        } => Answer::done(&clinic.review_emergency(&id, justified, &note)?),
        EmergencyRequest::Rule {
            patient,
            allowed,
            pin,
        } => Answer::done(&clinic.rule_emergencies(&patient, allowed, pin.as_ref())?),
        EmergencyRequest::Code { patient } => Answer::done(&clinic.emergency_code(&patient)?),
        EmergencyRequest::Open(_) => {
            Err(ClinicError::fault("a network command reached the store").into())
        }
    }
}
