//! Which clinics the ledger of a chart ever named: nothing of a chart is shared with others, so
//! only its parties need to look at it.
//!
//! ```text
//! Parties  clinic 32 | chart 16  -> empty; zeros for a clinic: everybody
//! ```

use chartmesh_protocol::ledger::house_of;
use chartmesh_protocol::{ChartId, ClinicId};

use super::table::delete_all;
use crate::clinic::{Clinic, ClinicError, PARTIES_NOTED};
use crate::store::{Batch, Space, Store};

/// Stands for every clinic; no key is zero.
const EVERYBODY: ClinicId = ClinicId::new([0; 32]);

/// Notes that a chart names a clinic.
pub(crate) fn note(batch: &mut Batch, clinic: &ClinicId, chart: &ChartId) {
    batch.put(Space::Parties, key(clinic, chart), Vec::new());
}

/// Notes that something of a chart, or of a clinic's house, is for everybody.
pub(crate) fn note_public(batch: &mut Batch, chart: &ChartId) {
    note(batch, &EVERYBODY, chart);
}

/// Whether a chart names a clinic, or something of it is for everybody.
pub(crate) fn names(
    store: &Store,
    clinic: &ClinicId,
    chart: &ChartId,
) -> Result<bool, ClinicError> {
    Ok(store.contains(Space::Parties, &key(clinic, chart))?
        || store.contains(Space::Parties, &key(&EVERYBODY, chart))?)
}

/// The charts that name a clinic.
pub(crate) fn charts_of(store: &Store, clinic: &ClinicId) -> Result<Vec<ChartId>, ClinicError> {
    let keys = store.keys(Space::Parties, clinic.as_bytes());
    keys.map(|key| {
        let key = key?;
        let chart = key.get(ClinicId::LEN..).unwrap_or_default();
        ChartId::try_from(chart).map_err(ClinicError::fault)
    })
    .collect()
}

fn key(clinic: &ClinicId, chart: &ChartId) -> Vec<u8> {
    [clinic.as_bytes().as_slice(), chart.as_bytes()].concat()
}

impl Clinic {
    /// The database was made anew: so are the parties of every chart, and what is shared.
    pub(crate) fn make_shares_anew(&self) -> Result<(), ClinicError> {
        delete_all(&self.store, Space::Shares, &[])?;
        for chart in self.all_charts()? {
            let ledger = self.ledger(&chart)?;
            let mut batch = Batch::new();
            for clinic in ledger.iter().filter_map(|(_, one)| one.body().party()) {
                note(&mut batch, &clinic, &chart);
            }
            self.store.commit(batch)?;
        }
        let mut batch = Batch::new();
        for chart in self.charts_asked()? {
            note_public(&mut batch, &chart);
            let ledger = self.ledger(&chart)?;
            for clinic in ledger.iter().filter_map(|(_, one)| one.body().party()) {
                note(&mut batch, &clinic, &chart);
            }
        }
        for revocation in self.certificates_read().revocations() {
            note_public(&mut batch, &house_of(&revocation.clinic));
        }
        batch.put(Space::Meta, PARTIES_NOTED.to_vec(), Vec::new());
        self.store.commit(batch)?;
        Ok(())
    }
}
