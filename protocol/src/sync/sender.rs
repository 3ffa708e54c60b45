//! The sending half: queues by lane, fragments, the window, and what is not acknowledged yet.

use std::collections::{HashSet, VecDeque};

use super::effect::Traffic;
use super::error::SyncError;
use super::frame::Frame;
use super::holdings::Holdings;
use super::item::{FeedEntry, ItemKind, Lane, Lanes};
use super::limits::{
    FRAGMENT_BYTES, ITEM_OVERHEAD_BYTES, MAX_RECORD_ITEM_BYTES, MAX_STATEMENT_ITEM_BYTES,
    QUICK_ACK_MS, SLOW_ACK_MS, WINDOW_MOST_BYTES, WINDOW_START_BYTES, WINDOW_URGENT_BYTES,
};
use super::payload::{AckFrame, ItemFrame, MoreFrame};
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

/// An item that has been sent whole and is not acknowledged.
#[derive(Debug)]
struct Flight {
    entry: FeedEntry,
    cost: usize,
}

/// A fragment that has been sent and may not have come yet.
#[derive(Debug)]
struct Transit {
    /// Bytes of fragments sent since the session began, this one included.
    upto: u64,
    sent_ms: u64,
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
    transits: VecDeque<Transit>,
    /// Bytes of fragments sent, and come, since the session began.
    bytes_sent: u64,
    bytes_come: u64,
    window: usize,
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
            transits: VecDeque::new(),
            bytes_sent: 0,
            bytes_come: 0,
            window: WINDOW_START_BYTES,
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

    /// Whether everything queued has been sent and the mark behind it, too.
    pub(super) fn is_sent(&self) -> bool {
        self.mark.is_none() && self.next_lane().is_none()
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
        traffic: &mut Traffic,
        out: &mut Vec<u8>,
    ) -> Result<(), SyncError> {
        while let Some(lane) = self.next_lane() {
            if !self.may_send(lane) {
                return Ok(());
            }
            self.send_fragment(lane, now_ms, holdings, traffic, out)?;
        }
        match self.mark.take() {
            Some(Mark::Settled) => Frame::Settled.write(out),
            Some(Mark::Sent(upto)) => Frame::Sent(upto).write(out),
            None => {}
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
            && (self.bytes_come..=self.bytes_sent).contains(&ack.bytes);
        let news = ack.items > self.acknowledged || ack.bytes > self.bytes_come;
        if !(possible && news) {
            return Err(SyncError::ImpossibleAck {
                acknowledged: ack.items,
                from: self.acknowledged,
                upto: self.sent,
            });
        }
        self.come(ack.bytes, now_ms);
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
                waiting.sending = None;
                Frame::Drop(lane).write(out);
            }
        }
    }

    /// The first lane that has anything to send.
    fn next_lane(&self) -> Option<Lane> {
        Lane::ALL
            .into_iter()
            .find(|lane| !self.lanes.of(*lane).is_empty())
    }

    /// Whether the window has room, twice: for what has not come yet, so that an urgent item need
    /// not wait long behind it, and for what is not durable yet, so that a cut loses little. The
    /// second does not hold an item back when there is nothing to wait for: it may be larger than
    /// the window.
    fn may_send(&self, lane: Lane) -> bool {
        let room = match lane {
            Lane::Urgent => self.window.saturating_add(WINDOW_URGENT_BYTES),
            Lane::Summary | Lane::Recent | Lane::Older | Lane::Attachment => self.window,
        };
        let next = FRAGMENT_BYTES.saturating_add(ITEM_OVERHEAD_BYTES);
        let room = room.saturating_sub(next);
        let transit = self.bytes_sent.saturating_sub(self.bytes_come);
        if usize::try_from(transit).unwrap_or(usize::MAX) > room {
            return false;
        }
        let begun: usize = Lane::ALL
            .into_iter()
            .filter_map(|lane| self.lanes.of(lane).sending.as_ref())
            .fold(0, |sum, sending| sum.saturating_add(sending.offset));
        self.flights.is_empty() || self.flight_bytes.saturating_add(begun) <= room
    }

    /// Sends the next fragment of a lane, or nothing when its next item is gone.
    fn send_fragment(
        &mut self,
        lane: Lane,
        now_ms: u64,
        holdings: &dyn Holdings,
        traffic: &mut Traffic,
        out: &mut Vec<u8>,
    ) -> Result<(), SyncError> {
        let mut sending = match self.lanes.of_mut(lane).sending.take() {
            Some(sending) => sending,
            None => match self.begin(lane, holdings, out)? {
                Some(sending) => sending,
                None => return Ok(()),
            },
        };
        let rest = sending.bytes.get(sending.offset..).unwrap_or_default();
        let bytes = rest.get(..FRAGMENT_BYTES).unwrap_or(rest).to_vec();
        let first = sending.offset == 0;
        sending.offset = sending.offset.saturating_add(bytes.len());
        let kind = sending.entry.kind;
        let size = u64::try_from(sending.bytes.len()).unwrap_or(u64::MAX);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes_sent = self.bytes_sent.saturating_add(length);
        self.transits.push_back(Transit {
            upto: self.bytes_sent,
            sent_ms: now_ms,
        });
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
            return Ok(());
        }
        traffic.count_sent(kind);
        let cost = sending.bytes.len().saturating_add(ITEM_OVERHEAD_BYTES);
        self.sent = self.sent.saturating_add(1);
        self.flight_bytes = self.flight_bytes.saturating_add(cost);
        self.flights.push_back(Flight {
            entry: sending.entry,
            cost,
        });
        Ok(())
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

    /// The first `bytes` bytes of fragments have come. Grows the window by what came quickly, and
    /// shrinks it when the link's queue is long.
    fn come(&mut self, bytes: u64, now_ms: u64) {
        let mut delay_ms = None;
        while let Some(transit) = self.transits.front()
            && transit.upto <= bytes
        {
            delay_ms = Some(now_ms.saturating_sub(transit.sent_ms));
            self.transits.pop_front();
        }
        let news = usize::try_from(bytes.saturating_sub(self.bytes_come)).unwrap_or(usize::MAX);
        self.bytes_come = bytes;
        match delay_ms {
            Some(delay_ms) if delay_ms <= QUICK_ACK_MS => {
                self.window = self.window.saturating_add(news).min(WINDOW_MOST_BYTES);
            }
            Some(delay_ms) if delay_ms > SLOW_ACK_MS => {
                self.window = (self.window / 2).max(WINDOW_START_BYTES);
            }
            Some(_) | None => {}
        }
    }
}

/// The largest item of a kind.
pub(super) const fn most_bytes(kind: ItemKind) -> usize {
    match kind {
        ItemKind::Statement => MAX_STATEMENT_ITEM_BYTES,
        ItemKind::Record => MAX_RECORD_ITEM_BYTES,
    }
}
