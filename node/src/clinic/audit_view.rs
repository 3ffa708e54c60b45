//! The audit log for who asks: as lines, as FHIR, and whether it is whole.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chartmesh_protocol::ChartId;

use super::audit::{self, Action, AuditCheck, AuditLine};
use super::audit_event::audit_event;
use super::{Clinic, ClinicError, search};

impl Clinic {
    /// Audit entries, of one patient or of all. Of a patient whose home this clinic is, what other
    /// clinics have told of themselves is among them.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn audit_lines(
        &self,
        patient: Option<&str>,
        most: usize,
    ) -> Result<Vec<AuditLine>, ClinicError> {
        // Also of who was never here, and whose card was.
        let chart: Option<ChartId> = patient.map(|id| self.chart_asked_for(id)).transpose()?;
        let mut lines = audit::list(&self.store, chart.as_ref(), most)?;
        if let Some(chart) = &chart {
            lines.extend(self.told_by_others(chart)?);
            lines.sort_by(|one, other| one.at.cmp(&other.at));
            let passed_over = lines.len().saturating_sub(most);
            lines.drain(..passed_over);
        }
        Ok(lines)
    }

    /// The same as FHIR AuditEvents, one a line.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn audit_events(&self, patient: Option<&str>) -> Result<String, ClinicError> {
        let chart: Option<ChartId> = patient.map(|id| self.find_chart(id)).transpose()?;
        self.note(Action::Export, chart)?;
        let lines = self.audit_lines(patient, usize::MAX)?;
        let mut ids: BTreeMap<ChartId, Option<String>> = BTreeMap::new();
        for chart in lines.iter().filter_map(|line| line.chart) {
            if let Entry::Vacant(place) = ids.entry(chart) {
                let card = search::read_card(&self.store, &chart)?;
                place.insert(card.map(|card| card.patient));
            }
        }
        let mut events = String::new();
        for line in lines {
            let id = line.chart.and_then(|chart| ids.get(&chart)?.clone());
            let site = line.clinic_name.clone();
            let site = site.unwrap_or_else(|| self.name().to_owned());
            events.push_str(&audit_event(&line, &site, id.as_deref()).to_string());
            events.push('\n');
        }
        Ok(events)
    }

    /// Checks the audit log.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn audit_check(&self) -> Result<AuditCheck, ClinicError> {
        let mut check = audit::verify(&self.store, &self.node_id())?;
        check.problems.extend(self.told_problems()?);
        check.ok = check.problems.is_empty();
        Ok(check)
    }
}
