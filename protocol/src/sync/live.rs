//! Pushing what is new: everything once both stores were found equal, and statements before that.
//! And comparing again on request.

use super::error::SyncError;
use super::frame::Frame;
use super::hello::Standing;
use super::holdings::Holdings;
use super::item::{FeedEntry, ItemKind, Lane};
use super::round::{Round, Sending, Stage};
use super::sender::Mark;
use super::session::{Phase, Session};
use crate::reconcile::FeedNumber;

impl Session {
    /// Queues what is owed since the last push.
    pub(super) fn push_news(&mut self, holdings: &dyn Holdings) {
        if !core::mem::take(&mut self.news) {
            return;
        }
        let newest: FeedNumber = holdings.newest();
        let queued = self.sender.queue(holdings.owed(self.pushed));
        self.pushed = newest;
        if queued > 0 {
            self.sender.mark(Some(Mark::Sent(newest)));
        }
    }

    /// Queues statements that were written while records are exchanged: they travel first, and a
    /// revocation must not wait for the end of a long backlog. Only until the peer is told that
    /// everything has been sent; what is newer is exchanged after that. While a relay's mail with
    /// pieces of attachments is on its way, so do records: a visit note does not wait for a scan.
    pub(super) fn push_statements(&mut self, holdings: &dyn Holdings) {
        let Phase::Exchange(round) = &self.phase else {
            return;
        };
        let open = match &round.stage {
            Stage::Records(Sending::Comparing(_)) => true,
            Stage::Records(Sending::Queued) => self.sender.is_marked(),
            Stage::Records(Sending::Begin) | Stage::Statements(_) | Stage::Check(_) => false,
        };
        if open && self.news {
            let queued = matches!(&round.stage, Stage::Records(Sending::Queued));
            let (overtakes, after) = (queued && self.sender.sends_attachments(), round.after);
            let goes_first = |entry: &FeedEntry| match entry.kind {
                ItemKind::Statement => true,
                ItemKind::Record => {
                    overtakes && entry.feed > after && entry.lane != Lane::Attachment
                }
            };
            let owed = holdings.owed(self.pushed).into_iter();
            self.sender.queue(owed.filter(goes_first));
        }
    }

    /// Asks the peer to compare again. An exchange that is under way will report by itself.
    pub(super) fn request_refresh(&mut self, now_ms: u64, holdings: &dyn Holdings) {
        if let Phase::Presenting(_, _, is_asked) = &mut self.phase {
            *is_asked = true;
        }
        if matches!(self.phase, Phase::Live) {
            let round = Round::new(now_ms, self.traffic);
            let standing = self.send_refresh(holdings);
            self.phase = Phase::Refreshing(standing, Box::new(round));
        }
    }

    /// Takes the peer's REFRESH: answers it, unless it is the answer to ours.
    pub(super) fn take_refresh(
        &mut self,
        now_ms: u64,
        theirs: Standing,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        let known = self.hellos.map(|hellos| hellos.theirs.standing);
        if known.is_some_and(|known| known.incarnation != theirs.incarnation) {
            return Err(SyncError::FeedChanged);
        }
        let (ours, round) = match core::mem::replace(&mut self.phase, Phase::Live) {
            Phase::Refreshing(ours, round) => (ours, *round),
            Phase::New
            | Phase::Greeting(_)
            | Phase::Certifying(_)
            | Phase::Presenting(..)
            | Phase::Exchange(_)
            | Phase::Live
            | Phase::Closed => {
                let round = Round::new(now_ms, self.traffic);
                (self.send_refresh(holdings), round)
            }
        };
        self.compare(now_ms, round, [ours, theirs], true, holdings);
        Ok(())
    }

    /// Says where we stand. What was to be said behind items under way is not said any more: the
    /// exchange that begins has its own marks.
    fn send_refresh(&mut self, holdings: &dyn Holdings) -> Standing {
        self.sender.mark(None);
        let standing = Standing::of(holdings);
        Frame::Refresh(standing).write(&mut self.out);
        standing
    }
}
