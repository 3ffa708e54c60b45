//! Who waits for what is written is told of it; of what belongs together, once all of it is there.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// Tells of what is written.
#[derive(Debug)]
pub(super) struct News {
    told: watch::Sender<u64>,
    /// How many have not yet written all that belongs together.
    gathering: AtomicUsize,
}

/// Holds the news back until it is dropped.
pub(super) struct Gathering<'a>(&'a News);

impl News {
    pub(super) fn new() -> Self {
        Self {
            told: watch::Sender::new(0),
            gathering: AtomicUsize::new(0),
        }
    }

    /// A change, by its number.
    pub(super) fn tell(&self, number: u64) {
        let is_free = self.gathering.load(Ordering::SeqCst) == 0;
        self.told.send_if_modified(|told| {
            *told = number;
            is_free
        });
    }

    /// More follows, without which what is written is not to be sent: a long chart would travel
    /// record by record to its new reader, and the one record that holds them all behind them.
    pub(super) fn gather(&self) -> Gathering<'_> {
        self.gathering.fetch_add(1, Ordering::SeqCst);
        Gathering(self)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.0.gathering.fetch_sub(1, Ordering::SeqCst);
        self.0.told.send_modify(|_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_told_of_once_it_is_there() {
        let news = News::new();
        let mut heard = news.subscribe();
        news.tell(1);
        assert!(heard.has_changed().unwrap());
        heard.mark_unchanged();
        let gathering = (news.gather(), news.gather());
        news.tell(2);
        assert!(!heard.has_changed().unwrap());
        drop(gathering);
        assert!(heard.has_changed().unwrap());
        assert_eq!(*heard.borrow_and_update(), 2);
    }
}
