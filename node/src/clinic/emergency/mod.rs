//! Emergencies: a clinic without a grant asks for a patient's summary, whoever has it releases it
//! for a day, and the home clinic looks at it afterwards.
//!
//! | file | what it is for |
//! |---|---|
//! | `ask` | asking, and how it stands |
//! | `release` | the answer of a clinic that has the summary |
//! | `review` | what the home clinic and the patient see of it, and say |
//!
//! ```text
//! Settings  "emergency/" chart 16 -> empty: somebody has asked for it
//! ```

mod ask;
mod release;
mod review;

pub use ask::{EmergencyState, Opening};
pub use review::{CodeGiven, EmergencyCodeShown, EmergencyLine, Reviewed, RuleSet};

use chartmesh_protocol::ledger::{CompartmentName, Decision, GrantState, GrantView, Rights};
use chartmesh_protocol::{ChartId, ClinicId};

use super::{Clinic, ClinicError};
use crate::store::{Batch, Space, View};

/// What the keys of charts begin with that somebody has asked for.
const ASKED: &[u8] = b"emergency/";

/// Notes that somebody has asked for a chart.
pub(super) fn note_asked(batch: &mut Batch, chart: &ChartId) {
    let key = [ASKED, chart.as_bytes()].concat();
    batch.put(Space::Settings, key, Vec::new());
}

/// A grant in force by which a clinic reads the summary, and not in an emergency only.
fn given<'a>(decision: &'a Decision, clinic: &ClinicId) -> Option<&'a GrantView> {
    decision.grants().find(|view| {
        view.state == GrantState::Valid
            && view.grant.grantee == *clinic
            && view.grant.emergency.is_none()
            && view.grant.rights.includes(Rights::READ)
            && view.grant.compartments.covers(&CompartmentName::Summary)
    })
}

/// Whether somebody has asked for a chart.
pub(super) fn is_asked(view: &View<'_>, chart: &ChartId) -> Result<bool, ClinicError> {
    let key = [ASKED, chart.as_bytes()].concat();
    Ok(view.contains(Space::Settings, &key)?)
}

impl Clinic {
    /// The charts that somebody has asked for.
    pub(super) fn charts_asked(&self) -> Result<Vec<ChartId>, ClinicError> {
        let mut charts = Vec::new();
        for key in self.store.keys(Space::Settings, ASKED) {
            let key = key?;
            let chart = key.get(ASKED.len()..).unwrap_or_default();
            charts.extend(ChartId::try_from(chart).ok());
        }
        Ok(charts)
    }
}
