//! Syncing the database behind the writer.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::limits::{SYNC_BYTES, SYNC_INTERVAL};
use super::writer::Shared;

/// A thread that syncs the database some time after it was written to. Commits do not wait for
/// it: they are in the journal. It sleeps while nothing is written.
pub(super) struct Behind {
    wrote: Option<Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (wrote, written) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-sync".to_owned())
            .spawn(move || run(&shared, &written))?;
        Ok(Self {
            wrote: Some(wrote),
            thread: Some(thread),
        })
    }

    /// Notes that so many bytes went to the database.
    pub(super) fn wrote(&self, bytes: u64) {
        if let Some(wrote) = &self.wrote {
            // The thread only ends early after a failed sync, which the store knows of.
            let _ = wrote.send(bytes);
        }
    }

    /// Ends the thread, without a last sync.
    pub(super) fn stop(&mut self) {
        self.wrote = None;
        if let Some(thread) = self.thread.take() {
            // A panic there is one of sled's: the store is closing, and the journal has all.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, written: &Receiver<u64>) {
    while let Ok(bytes) = written.recv() {
        if !wait_until_due(written, bytes) {
            return;
        }
        if let Err(error) = shared.engine.sync() {
            shared.fail("syncing the database", error.kind());
            return;
        }
    }
}

/// Waits for the first of [`SYNC_INTERVAL`] and [`SYNC_BYTES`]; `false` when the store closes.
fn wait_until_due(written: &Receiver<u64>, mut bytes: u64) -> bool {
    let start = Instant::now();
    while bytes < SYNC_BYTES {
        match written.recv_timeout(SYNC_INTERVAL.saturating_sub(start.elapsed())) {
            Ok(more) => bytes = bytes.saturating_add(more),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}
