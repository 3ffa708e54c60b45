//! The sending half: queues by lane, fragments, and what is not acknowledged yet.

use std::collections::{HashSet, VecDeque};

use super::attachment::Serving;
use super::effect::Traffic;
use super::error::SyncError;
use super::frame::Frame;
use super::holdings::Holdings;
use super::item::{FeedEntry, ItemKind, Lane, Lanes};
use super::limits::{
    ITEM_OVERHEAD_BYTES, MAX_RECORD_ITEM_BYTES, MAX_STATEMENT_ITEM_BYTES, WINDOW_START_BYTES,
    WINDOW_URGENT_BYTES,
};
use super::payload::{AckFrame, ItemFrame, MoreFrame};
use super::window::Window;
use crate::id::CertificateHash;
use crate::reconcile::{FeedNumber, ItemId};

/// What is said once everything queued has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Settled,
    Sent(FeedNumber),
}

/// An item that is on its way.
#[derive(Debug)]
struct Sending {
    entry: FeedEntry,
    bytes: Vec<u8>,
    offset: usize,
}

impl Sending {
    /// The next fragment, of at most `most` bytes.
    fn next(&self, most: usize) -> &[u8] {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        rest.get(..most).unwrap_or(rest)
    }
}

/// An item that has been sent whole and is not acknowledged.
#[derive(Debug)]
struct Flight {
    entry: FeedEntry,
    cost: usize,
}

/// What waits in one lane.
#[derive(Debug, Default)]
struct Waiting {
    sending: Option<Sending>,
    queue: VecDeque<FeedEntry>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.sending.is_none() && self.queue.is_empty()
    }
}

/// The sending half of a session.
#[derive(Debug)]
pub(super) struct Sender {
    lanes: Lanes<Waiting>,
    /// Queued, on their way or unacknowledged: not to be queued again.
    pending: HashSet<ItemId>,
    flights: VecDeque<Flight>,
    flight_bytes: usize,
    window: Window,
    /// Items sent whole since the session began.
    sent: u64,
    acknowledged: u64,
    certificates: HashSet<CertificateHash>,
    mark: Option<Mark>,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self {
            lanes: Lanes::default(),
            pending: HashSet::new(),
            flights: VecDeque::new(),
            flight_bytes: 0,
            window: Window::new(),
            sent: 0,
            acknowledged: 0,
            certificates: HashSet::new(),
            mark: None,
        }
    }

    /// Queues items that are not pending already; says how many.
    pub(super) fn queue(&mut self, entries: impl IntoIterator<Item = FeedEntry>) -> usize {
        let mut queued = 0_usize;
        for entry in entries {
            if self.pending.insert(entry.id) {
                self.lanes.of_mut(entry.lane).queue.push_back(entry);
                queued = queued.saturating_add(1);
            }
        }
        queued
    }

    /// Whether an item is queued, on its way or unacknowledged.
    pub(super) fn is_pending(&self, id: &ItemId) -> bool {
        self.pending.contains(id)
    }

    /// What is to be said after everything queued; replaces what was to be said before.
    pub(super) fn mark(&mut self, mark: Option<Mark>) {
        self.mark = mark;
    }

    /// Whether the peer has yet to be told that everything is sent.
    pub(super) fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// Whether everything queued has been sent and the mark behind it, too.
    pub(super) fn is_sent(&self) -> bool {
        self.mark.is_none() && self.next_lane().is_none()
    }

    /// Whether attachments are among the items that have yet to be sent.
    pub(super) fn sends_attachments(&self) -> bool {
        !self.lanes.of(Lane::Attachment).is_empty()
    }

    /// Whether everything sent has been acknowledged.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.flights.is_empty()
    }

    /// Items sent whole since the session began.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Items queued, on their way or unacknowledged.
    pub(super) fn owed(&self) -> usize {
        self.pending.len()
    }

    /// Sends what the window allows.
    pub(super) fn pump(
        &mut self,
        now_ms: u64,
        holdings: &dyn Holdings,
        serving: &mut Serving,
        traffic: &mut Traffic,
        out: &mut Vec<u8>,
    ) -> Result<(), SyncError> {
        while let Some(lane) = self.next_lane() {
            let sending = match self.lanes.of_mut(lane).sending.take() {
                Some(sending) => sending,
                None => match self.begin(lane, holdings, out)? {
                    Some(sending) => sending,
                    None => continue,
                },
            };
            let bytes = sending.next(self.window.fragment()).len();
            if !self.may_send(lane, bytes) {
                self.lanes.of_mut(lane).sending = Some(sending);
                return Ok(());
            }
            self.send_fragment(lane, sending, now_ms, traffic, out);
        }
        match self.mark.take() {
            Some(Mark::Settled) => Frame::Settled.write(out),
            Some(Mark::Sent(upto)) => Frame::Sent(upto).write(out),
            None => {}
        }
        // Attachments come last of all.
        if !serving.pump(now_ms, &mut self.window, holdings, traffic, out) {
            self.window.starve();
        }
        Ok(())
    }

    /// Takes an acknowledgement; returns the feed numbers of the items that are durable now.
    pub(super) fn acknowledge(
        &mut self,
        ack: AckFrame,
        now_ms: u64,
    ) -> Result<Vec<FeedNumber>, SyncError> {
        let possible = (self.acknowledged..=self.sent).contains(&ack.items)
            && self.window.range().contains(&ack.bytes);
        let news = ack.items > self.acknowledged || ack.bytes > *self.window.range().start();
        if !(possible && news) {
            return Err(SyncError::ImpossibleAck {
                acknowledged: ack.items,
                from: self.acknowledged,
                upto: self.sent,
            });
        }
        self.window.arrive(ack.bytes, now_ms);
        let mut feeds = Vec::new();
        while self.acknowledged < ack.items
            && let Some(flight) = self.flights.pop_front()
        {
            self.acknowledged = self.acknowledged.saturating_add(1);
            self.flight_bytes = self.flight_bytes.saturating_sub(flight.cost);
            self.pending.remove(&flight.entry.id);
            feeds.push(flight.entry.feed);
        }
        Ok(feeds)
    }

    /// Stops sending what the peer may not have any more.
    pub(super) fn recheck(&mut self, holdings: &dyn Holdings, out: &mut Vec<u8>) {
        for lane in Lane::ALL {
            let waiting = self.lanes.of_mut(lane);
            if let Some(sending) = &waiting.sending
                && holdings.item(&sending.entry.id).is_none()
            {
                self.pending.remove(&sending.entry.id);
                if sending.offset > 0 {
                    Frame::Drop(lane).write(out);
                }
                waiting.sending = None;
            }
        }
    }

    /// The first lane that has anything to send.
    fn next_lane(&self) -> Option<Lane> {
        Lane::ALL
            .into_iter()
            .find(|lane| !self.lanes.of(*lane).is_empty())
    }

    /// Whether the window has room for so many bytes, twice: for what has not come yet, so that an
    /// urgent item need not wait long behind it, and for what is not durable yet, so that a cut
    /// loses little. The second does not hold an item back when there is nothing to wait for: it
    /// may be larger than the window.
    fn may_send(&mut self, lane: Lane, bytes: usize) -> bool {
        let beyond = match lane {
            Lane::Urgent => WINDOW_URGENT_BYTES,
            Lane::Summary | Lane::Recent | Lane::Older | Lane::Provenance | Lane::Attachment => 0,
        };
        let credit = self.window.credit();
        let cost = bytes.saturating_add(ITEM_OVERHEAD_BYTES);
        let fits =
            |others: usize, room: usize| others.saturating_add(cost) <= room.saturating_add(beyond);
        if !fits(self.window.in_transit(), credit) {
            return false;
        }
        let durable =
            self.flights.is_empty() || fits(self.flight_bytes, credit.max(WINDOW_START_BYTES));
        if !durable {
            // It is the peer's store that is waited for, not the link.
            self.window.starve();
        }
        durable
    }

    /// Sends the next fragment of an item.
    fn send_fragment(
        &mut self,
        lane: Lane,
        mut sending: Sending,
        now_ms: u64,
        traffic: &mut Traffic,
        out: &mut Vec<u8>,
    ) {
        let bytes = sending.next(self.window.fragment()).to_vec();
        let first = sending.offset == 0;
        sending.offset = sending.offset.saturating_add(bytes.len());
        let kind = sending.entry.kind;
        let size = u64::try_from(sending.bytes.len()).unwrap_or(u64::MAX);
        self.window.send(bytes.len(), now_ms);
        if first {
            Frame::Item(ItemFrame {
                lane,
                kind,
                size,
                bytes,
            })
            .write(out);
        } else {
            Frame::More(MoreFrame { lane, bytes }).write(out);
        }
        if sending.offset < sending.bytes.len() {
            self.lanes.of_mut(lane).sending = Some(sending);
            return;
        }
        traffic.count_sent(kind);
        let cost = sending.bytes.len().saturating_add(ITEM_OVERHEAD_BYTES);
        self.sent = self.sent.saturating_add(1);
        self.flight_bytes = self.flight_bytes.saturating_add(cost);
        self.flights.push_back(Flight {
            entry: sending.entry,
            cost,
        });
    }

    /// Takes the next item of a lane from the store, and sends the certificates it needs.
    fn begin(
        &mut self,
        lane: Lane,
        holdings: &dyn Holdings,
        out: &mut Vec<u8>,
    ) -> Result<Option<Sending>, SyncError> {
        let Some(entry) = self.lanes.of_mut(lane).queue.pop_front() else {
            return Ok(None);
        };
        let Some(bytes) = holdings.item(&entry.id) else {
            self.pending.remove(&entry.id);
            return Ok(None);
        };
        if bytes.is_empty() || bytes.len() > most_bytes(entry.kind) {
            return Err(SyncError::Unsendable { bytes: bytes.len() });
        }
        for hash in holdings.certificates_for(&entry.id) {
            if !self.certificates.contains(&hash)
                && let Some(certificate) = holdings.certificate(&hash)
            {
                self.certificates.insert(hash);
                Frame::Certificate(certificate).write(out);
            }
        }
        Ok(Some(Sending {
            entry,
            bytes,
            offset: 0,
        }))
    }
}

/// The largest item of a kind.
pub(super) const fn most_bytes(kind: ItemKind) -> usize {
    match kind {
        ItemKind::Statement => MAX_STATEMENT_ITEM_BYTES,
        ItemKind::Record => MAX_RECORD_ITEM_BYTES,
    }
}
