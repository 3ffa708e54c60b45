//! Charts kept open: read as they are now, changed by one writer at a time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use chartmesh_protocol::ChartId;

use super::open_chart::{OpenChart, Scope};
use super::{Clinic, ClinicError};

impl Clinic {
    /// Charts have changed in the store, by what came from a peer or by what was written here.
    pub(crate) fn changed(&self, charts: &[ChartId], by_peer: bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.changes.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        if by_peer {
            self.from_peers.fetch_add(1, Ordering::SeqCst);
        }
        for chart in charts {
            open.pop(chart);
        }
        drop(open);
        self.news.tell(number);
    }

    /// Reads what stands in a chart now.
    pub(crate) fn with_chart<T>(
        &self,
        chart: &ChartId,
        read: impl FnOnce(&OpenChart) -> Result<T, ClinicError>,
    ) -> Result<T, ClinicError> {
        self.read_chart(chart, Scope::Reading, read)
    }

    /// Reads a chart with its history.
    pub(crate) fn with_whole_chart<T>(
        &self,
        chart: &ChartId,
        read: impl FnOnce(&OpenChart) -> Result<T, ClinicError>,
    ) -> Result<T, ClinicError> {
        self.read_chart(chart, Scope::Whole, read)
    }

    fn read_chart<T>(
        &self,
        chart: &ChartId,
        scope: Scope,
        read: impl FnOnce(&OpenChart) -> Result<T, ClinicError>,
    ) -> Result<T, ClinicError> {
        let open = self.opened(chart, scope)?;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        open.decision = self.decide(&open.ledger);
        read(&open)
    }

    /// Every chart is opened anew from the store, also those that are just being opened.
    pub(crate) fn open_all_anew(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        open.clear();
    }

    /// Changes an open chart, as the one writer. When that fails, the chart is opened anew from the
    /// store.
    pub(crate) fn change_chart<T>(
        &self,
        chart: &ChartId,
        change: impl FnOnce(&mut OpenChart) -> Result<T, ClinicError>,
    ) -> Result<T, ClinicError> {
        let before = self.from_peers.load(Ordering::SeqCst);
        let shared = self.opened(chart, Scope::Whole)?;
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop(chart);
        let mut open = shared.lock().unwrap_or_else(PoisonError::into_inner);
        open.decision = self.decide(&open.ledger);
        let outcome = change(&mut open)?;
        drop(open);
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // All that was written since is in what is open.
        if self.from_peers.load(Ordering::SeqCst) == before {
            all.put(*chart, shared);
        }
        Ok(outcome)
    }

    /// A chart that is kept open, or is now: one that is open for reading only is opened anew for
    /// who needs all of it.
    fn opened(&self, chart: &ChartId, scope: Scope) -> Result<Arc<Mutex<OpenChart>>, ClinicError> {
        let found = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(chart)
            .cloned();
        if let Some(open) = found {
            let is_whole = || {
                let open = open.lock().unwrap_or_else(PoisonError::into_inner);
                open.is_whole()
            };
            if scope == Scope::Reading || is_whole() {
                return Ok(open);
            }
        }
        let before = self.changes.load(Ordering::SeqCst);
        let open = Arc::new(Mutex::new(self.open_chart(chart, scope)?));
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) == before {
            all.put(*chart, Arc::clone(&open));
        }
        Ok(open)
    }
}
