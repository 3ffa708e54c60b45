//! Keeping the index cards up to date: one a patient, made anew when `summary` changes.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;

use super::index_card::IndexCard;
use super::open_chart::Scope;
use super::{Clinic, ClinicError, search};
use crate::store::{Batch, Space};

impl Clinic {
    /// Makes the index cards of charts that have changed since the last time.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read or written.
    pub fn refresh_cards(&self) -> Result<(), ClinicError> {
        let mut stale = BTreeSet::new();
        for key in self.store.keys(Space::Stale, &[]) {
            stale.extend(ChartId::try_from(key?.as_slice()).ok());
        }
        for chart in stale {
            self.refresh_card(&chart)?;
        }
        Ok(())
    }

    fn refresh_card(&self, chart: &ChartId) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        batch.delete(Space::Stale, chart.as_bytes().to_vec());
        match self.open_chart(chart, Scope::Summary) {
            Ok(open) => {
                if let Some(patient) = open.patient() {
                    let card = IndexCard::of(&patient);
                    search::index(&self.store, &mut batch, chart, &card)?;
                }
            }
            // One chart that cannot be read must not keep the others from being found.
            Err(error @ ClinicError::Unreadable { .. }) => tracing::error!(%error, "no index card"),
            Err(error) => return Err(error),
        }
        self.store.commit(batch)?;
        Ok(())
    }

    /// The database was made anew: so are index cards and search tokens.
    pub(super) fn make_derived_anew(&self) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        for chart in self.all_charts()? {
            batch.put(Space::Stale, chart.as_bytes().to_vec(), Vec::new());
        }
        self.store.commit(batch)?;
        self.refresh_cards()?;
        Ok(self.store.confirm_derived()?)
    }
}
