//! Keeping the index cards up to date: one a patient, made anew when `summary` changes.
//!
//! ```text
//! Stale  chart 16  -> mark 8, another one each time that something comes for the chart
//! ```
//!
//! A card is written only while the mark is still the one that was there before the chart was
//! opened: what came meanwhile keeps its mark, and the card is made again.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;

use super::index_card::IndexCard;
use super::open_chart::Scope;
use super::{Clinic, ClinicError, held_charts, search};
use crate::store::{Batch, Space, StoreError};

/// How often cards are looked through for marks that came meanwhile: while a peer sends without
/// end, a search takes what there is.
const ROUNDS: u32 = 3;

/// How long a person waits for cards of what came just now, in milliseconds: what one does not
/// wonder at. After a first sync there may be cards to make for minutes.
pub(super) const WAIT_FOR_CARDS_MS: u64 = 1_000;

/// Cards that are written in one commit: each commit waits for the disk.
const CARDS_AT_ONCE: usize = 64;

/// A card that is about to be written.
pub(super) struct Draft {
    chart: ChartId,
    mark: Vec<u8>,
    batch: Batch,
}

impl Clinic {
    /// Makes the index cards of charts that have changed since the last time.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read or written.
    pub fn refresh_cards(&self) -> Result<(), ClinicError> {
        self.refresh_cards_until(&|| false)
    }

    /// The same, until it is over: the rest is made another time. After a first sync there may be
    /// cards to make for minutes.
    ///
    /// # Errors
    /// As [`refresh_cards`](Self::refresh_cards).
    pub(crate) fn refresh_cards_until(
        &self,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), ClinicError> {
        match self.refresh_all_cards(is_over) {
            // The cards that there are can be read.
            Err(ClinicError::Store(StoreError::Full)) => Ok(()),
            outcome => outcome,
        }
    }

    /// The same for so many milliseconds. Returns how many charts are left without their card.
    pub(super) fn refresh_cards_within(&self, ms: u64) -> Result<usize, ClinicError> {
        let until = self.now_ms().saturating_add(ms);
        self.refresh_cards_until(&|| self.now_ms() >= until)?;
        Ok(self.store.keys(Space::Stale, &[]).count())
    }

    fn refresh_all_cards(&self, is_over: &dyn Fn() -> bool) -> Result<(), ClinicError> {
        for _ in 0..ROUNDS {
            let mut stale = BTreeSet::new();
            for key in self.store.keys(Space::Stale, &[]) {
                stale.extend(ChartId::try_from(key?.as_slice()).ok());
            }
            if stale.is_empty() {
                break;
            }
            let stale: Vec<ChartId> = stale.into_iter().collect();
            for charts in stale.chunks(CARDS_AT_ONCE) {
                if is_over() {
                    return Ok(());
                }
                let drafts = charts.iter().map(|chart| self.draft_card(chart));
                let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
                self.write_cards(drafts.into_iter().flatten().collect())?;
            }
        }
        Ok(())
    }

    /// Makes the card of a chart that has changed.
    pub(super) fn draft_card(&self, chart: &ChartId) -> Result<Option<Draft>, ClinicError> {
        let Some(mark) = self.store.get(Space::Stale, chart.as_bytes())? else {
            return Ok(None);
        };
        let mut batch = Batch::new();
        batch.delete(Space::Stale, chart.as_bytes().to_vec());
        match self.open_chart(chart, Scope::Summary) {
            Ok(open) => {
                held_charts::note(&mut batch, chart, open.judged_held());
                if let Some(card) = IndexCard::of_all(&open.patient_as_it_may_be()) {
                    search::index(&self.store, &mut batch, chart, &card)?;
                }
            }
            // One chart that cannot be read must not keep the others from being found.
            Err(error @ ClinicError::Unreadable { .. }) => tracing::error!(%error, "no index card"),
            Err(error) => return Err(error),
        }
        Ok(Some(Draft {
            chart: *chart,
            mark,
            batch,
        }))
    }

    /// Writes cards in one commit, but for those whose charts have changed since they were made.
    pub(super) fn write_cards(&self, drafts: Vec<Draft>) -> Result<(), ClinicError> {
        self.store.commit_with(move |view| {
            let mut batch = Batch::new();
            for draft in drafts {
                if view.get(Space::Stale, draft.chart.as_bytes())? == Some(draft.mark) {
                    batch.append(draft.batch);
                }
            }
            Ok::<_, ClinicError>((batch, ()))
        })?;
        Ok(())
    }

    /// The database was made anew: so are index cards, search tokens and what is shared.
    pub(super) fn make_derived_anew(&self) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        for chart in self.all_charts()? {
            batch.put(Space::Stale, chart.as_bytes().to_vec(), Vec::new());
        }
        self.store.commit(batch)?;
        self.refresh_cards()?;
        self.make_shares_anew()?;
        Ok(self.store.confirm_derived()?)
    }
}
