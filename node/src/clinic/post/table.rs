//! Where it stands what lies at a relay.
//!
//! ```text
//! Post  relay node 32 | 'e' | number 8            -> Entry
//! Post  relay node 32 | 'b' | mailbox 32          -> Mailbox
//! Post  relay node 32 | 't' | time 8 | chart 16   -> empty: a grant begins or ends then
//! Post  relay node 32 | 'u'                       -> our feed up to which charts were looked at
//! Post  relay node 32 | 'n'                       -> the newest number
//! Post  relay node 32 | 'r' | author 32 | chart 16 | tag 8 -> Reach that a beacon told of
//! Post  relay node 32 | 'l'                       -> our feed up to which beacons tell
//! Post  relay node 32 | 'w'                       -> how many records the relay keeps back
//! Post  relay node 32 | 'k' | mailbox 32          -> Told, up to where our receipts there tell
//! Post  relay node 32 | 'h' | holder 32           -> Holder, whose receipts came
//! Post  relay node 32 | 'g' | holder 32 | chart 16 | tag 8 | author 32 | incarnation 4 | first 8
//!                                        | last 8 -> Stretch that the holder has
//! Post  relay node 32 | 's' | holder 32 | prefix 8 -> empty: the holder has the statement
//! Post  relay node 32 | 'a' | mailbox 32          -> what we last asked for there of attachments
//! Post  relay node 32 | 'q' | mailbox 32 | node 32 -> Request, the newest of the node there
//! ```
//!
//! All of it is derived: what is lost is put again, found to be there, or fetched again.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::mail::{Reach, Stretch};
use chartmesh_protocol::{ChartId, MailboxId, NodeId, StatementPrefix};
use minicbor::{Decode, Encode};

use super::mailbox::Mailbox;
use super::receipts::{Holder, Told};
use crate::clinic::{ClinicError, items};
use crate::store::{Batch, Space, Store};

/// Stretches that begin at one record which are kept of a holder: the last one may reach further
/// than what is here, and those before it are of use until the rest has come.
const STRETCHES_KEPT: usize = 4;
/// Changes after which they are written: far below what a batch may hold.
const WRITTEN_AT_ONCE: usize = 1024;

const ENTRY: u8 = b'e';
const MAILBOX: u8 = b'b';
const TURN: u8 = b't';
const UPTO: u8 = b'u';
const NEWEST: u8 = b'n';
const REACH: u8 = b'r';
const LIT: u8 = b'l';
const WITHHELD: u8 = b'w';
const TOLD: u8 = b'k';
const HOLDER: u8 = b'h';
const STRETCH: u8 = b'g';
const STATEMENT: u8 = b's';

/// One access or mail at the relay.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Entry {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: [u8; 32],
    #[n(1)]
    pub(super) mailbox: MailboxId,
    #[n(2)]
    pub(super) source: Source,
}

/// What it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Source {
    /// An access of ours.
    #[n(0)]
    Access(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A statement or record of our store.
    #[n(1)]
    Item(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// A certificate of our store.
    #[n(2)]
    Certificate(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// A beacon.
    #[n(3)]
    Beacon(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A record that was fetched before what it needs.
    #[n(4)]
    Waiting(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Mail that is worth nothing. It lies there all the same.
    #[n(5)]
    Refused,
    /// A receipt.
    #[n(6)]
    Receipt(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A request for attachments.
    #[n(7)]
    Request(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The piece with this number of the attachment whose box it is. It is not kept a second time.
    #[n(8)]
    Piece(#[n(0)] u32),
}

/// The part of the store that is about one relay.
pub(super) struct Table {
    relay: NodeId,
    /// What is to be written with the next batch.
    pending: Batch,
}

impl Table {
    pub(super) fn of(relay: NodeId) -> Self {
        Self {
            relay,
            pending: Batch::new(),
        }
    }

    pub(super) fn entries(&self, store: &Store) -> Result<BTreeMap<u64, Entry>, ClinicError> {
        let prefix = self.key(ENTRY, &[]);
        let mut entries = BTreeMap::new();
        for pair in store.scan_prefix(Space::Post, &prefix) {
            let (key, value) = pair?;
            let number = key.get(prefix.len()..).and_then(items::number);
            if let (Some(number), Ok(entry)) = (number, minicbor::decode(&value)) {
                entries.insert(number, entry);
            }
        }
        Ok(entries)
    }

    pub(super) fn boxes(&self, store: &Store) -> Result<BTreeMap<MailboxId, Mailbox>, ClinicError> {
        let mut boxes = BTreeMap::new();
        for pair in store.scan_prefix(Space::Post, &self.key(MAILBOX, &[])) {
            let (_, value) = pair?;
            boxes.extend(Mailbox::decode(&value).map(|one| (one.id(), one)));
        }
        Ok(boxes)
    }

    /// When a grant of each chart next begins or ends, in the order of time.
    pub(super) fn turns(&self, store: &Store) -> Result<BTreeSet<(u64, ChartId)>, ClinicError> {
        let prefix = self.key(TURN, &[]);
        let mut turns = BTreeSet::new();
        for key in store.keys(Space::Post, &prefix) {
            let key = key?;
            let turn = key.get(prefix.len()..).and_then(|rest| {
                let (at, chart) = rest.split_at_checked(8)?;
                Some((items::number(at)?, ChartId::try_from(chart).ok()?))
            });
            turns.extend(turn);
        }
        Ok(turns)
    }

    pub(super) fn upto(&self, store: &Store) -> Result<u64, ClinicError> {
        self.number(store, UPTO)
    }

    pub(super) fn newest(&self, store: &Store) -> Result<u64, ClinicError> {
        self.number(store, NEWEST)
    }

    pub(super) fn lit(&self, store: &Store) -> Result<u64, ClinicError> {
        self.number(store, LIT)
    }

    pub(super) fn put_lit(&mut self, upto: u64) {
        self.put(self.key(LIT, &[]), upto.to_be_bytes().to_vec());
    }

    pub(super) fn withheld(&self, store: &Store) -> Result<u64, ClinicError> {
        self.number(store, WITHHELD)
    }

    pub(super) fn put_withheld(&mut self, records: u64) {
        self.put(self.key(WITHHELD, &[]), records.to_be_bytes().to_vec());
    }

    /// How far authors' records go, by their beacons.
    pub(super) fn reaches(&self, store: &Store) -> Result<Vec<(NodeId, Reach)>, ClinicError> {
        self.of_nodes(store, REACH)
    }

    pub(super) fn put_reach(&mut self, author: &NodeId, reach: &Reach) -> Result<(), ClinicError> {
        self.put(self.reach_key(author, reach), items::encode(reach)?);
        Ok(())
    }

    pub(super) fn delete_reach(&mut self, author: &NodeId, reach: &Reach) {
        self.delete(self.reach_key(author, reach));
    }

    pub(super) fn told(
        &self,
        store: &Store,
        mailbox: &MailboxId,
    ) -> Result<Option<Told>, ClinicError> {
        self.value(store, &self.key(TOLD, mailbox.as_bytes()))
    }

    pub(super) fn put_told(&mut self, mailbox: &MailboxId, told: &Told) -> Result<(), ClinicError> {
        self.put(self.key(TOLD, mailbox.as_bytes()), items::encode(told)?);
        Ok(())
    }

    /// A node whose receipts came.
    pub(super) fn holder(
        &self,
        store: &Store,
        node: &NodeId,
    ) -> Result<Option<Holder>, ClinicError> {
        self.value(store, &self.key(HOLDER, node.as_bytes()))
    }

    pub(super) fn holders(&self, store: &Store) -> Result<Vec<(NodeId, Holder)>, ClinicError> {
        self.of_nodes(store, HOLDER)
    }

    pub(super) fn put_holder(&mut self, node: &NodeId, holder: &Holder) -> Result<(), ClinicError> {
        self.put(self.key(HOLDER, node.as_bytes()), items::encode(holder)?);
        Ok(())
    }

    /// What a node holds of a chart, by its receipts.
    pub(super) fn stretches(
        &self,
        store: &Store,
        holder: &NodeId,
        chart: &ChartId,
    ) -> Result<Vec<Stretch>, ClinicError> {
        let of = [holder.as_bytes().as_slice(), chart.as_bytes()].concat();
        let mut stretches = Vec::new();
        for pair in store.scan_prefix(Space::Post, &self.key(STRETCH, &of)) {
            let (_, value) = pair?;
            stretches.extend(minicbor::decode::<Stretch>(&value));
        }
        Ok(stretches)
    }

    /// Keeps a stretch, and of those that begin at the same record only the longest.
    pub(super) fn put_stretch(
        &mut self,
        store: &Store,
        holder: &NodeId,
        stretch: &Stretch,
    ) -> Result<(), ClinicError> {
        let rest = [
            holder.as_bytes().as_slice(),
            stretch.chart.as_bytes(),
            stretch.compartment.as_bytes(),
            stretch.author.as_bytes(),
            &stretch.incarnation.value().to_be_bytes(),
            &stretch.first.value().to_be_bytes(),
        ];
        let prefix = self.key(STRETCH, &rest.concat());
        let key = [prefix.as_slice(), &stretch.last.value().to_be_bytes()].concat();
        let known = store.keys(Space::Post, &prefix);
        let mut known: Vec<Vec<u8>> = known.collect::<Result<_, _>>()?;
        known.push(key.clone());
        known.sort_unstable();
        known.dedup();
        self.put(key, items::encode(stretch)?);
        let shorter = known.len().saturating_sub(STRETCHES_KEPT);
        known.drain(..shorter).for_each(|key| self.delete(key));
        Ok(())
    }

    /// Whether a node holds a statement, by its receipts.
    pub(super) fn is_statement_told(
        &self,
        store: &Store,
        holder: &NodeId,
        prefix: &StatementPrefix,
    ) -> Result<bool, ClinicError> {
        Ok(store.contains(Space::Post, &self.statement_key(holder, prefix))?)
    }

    pub(super) fn put_told_statement(&mut self, holder: &NodeId, prefix: &StatementPrefix) {
        self.put(self.statement_key(holder, prefix), Vec::new());
    }

    /// Forgets what a node said that it holds.
    pub(super) fn forget_claims(
        &mut self,
        store: &Store,
        holder: &NodeId,
    ) -> Result<(), ClinicError> {
        for part in [STRETCH, STATEMENT] {
            for key in store.keys(Space::Post, &self.key(part, holder.as_bytes())) {
                self.delete(key?);
            }
        }
        self.write(store)
    }

    fn statement_key(&self, holder: &NodeId, prefix: &StatementPrefix) -> Vec<u8> {
        let rest = [holder.as_bytes().as_slice(), prefix.as_bytes()].concat();
        self.key(STATEMENT, &rest)
    }

    /// Everything of a part whose keys begin with a node.
    fn of_nodes<T: for<'b> Decode<'b, ()>>(
        &self,
        store: &Store,
        part: u8,
    ) -> Result<Vec<(NodeId, T)>, ClinicError> {
        let prefix = self.key(part, &[]);
        let mut found = Vec::new();
        for pair in store.scan_prefix(Space::Post, &prefix) {
            let (key, value) = pair?;
            let node = key.get(prefix.len()..).and_then(<[u8]>::first_chunk);
            if let (Some(node), Ok(value)) = (node, minicbor::decode(&value)) {
                found.push((NodeId::new(*node), value));
            }
        }
        Ok(found)
    }

    /// What does not read is derived, and as good as absent.
    fn value<T: for<'b> Decode<'b, ()>>(
        &self,
        store: &Store,
        key: &[u8],
    ) -> Result<Option<T>, ClinicError> {
        let bytes = store.get(Space::Post, key)?;
        Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
    }

    fn reach_key(&self, author: &NodeId, reach: &Reach) -> Vec<u8> {
        let rest = [
            author.as_bytes().as_slice(),
            reach.chart.as_bytes(),
            reach.compartment.as_bytes(),
        ];
        self.key(REACH, &rest.concat())
    }

    fn number(&self, store: &Store, part: u8) -> Result<u64, ClinicError> {
        let bytes = store.get(Space::Post, &self.key(part, &[]))?;
        Ok(bytes.and_then(|bytes| items::number(&bytes)).unwrap_or(0))
    }

    pub(super) fn put_entry(&mut self, number: u64, entry: &Entry) -> Result<(), ClinicError> {
        let key = self.key(ENTRY, &number.to_be_bytes());
        self.put(key, items::encode(entry)?);
        Ok(())
    }

    pub(super) fn put_newest(&mut self, number: u64) {
        self.put(self.key(NEWEST, &[]), number.to_be_bytes().to_vec());
    }

    pub(super) fn delete_entry(&mut self, number: u64) {
        self.delete(self.key(ENTRY, &number.to_be_bytes()));
    }

    pub(super) fn put_box(&mut self, mailbox: &Mailbox) {
        if let Some(row) = mailbox.encode() {
            self.put(self.key(MAILBOX, mailbox.id().as_bytes()), row);
        }
    }

    pub(super) fn put_turn(&mut self, at_ms: u64, chart: &ChartId) {
        self.put(self.turn_key(at_ms, chart), Vec::new());
    }

    pub(super) fn delete_turn(&mut self, at_ms: u64, chart: &ChartId) {
        self.delete(self.turn_key(at_ms, chart));
    }

    pub(super) fn put_upto(&mut self, upto: u64) {
        self.put(self.key(UPTO, &[]), upto.to_be_bytes().to_vec());
    }

    /// Writes what has changed since the last time.
    pub(super) fn write(&mut self, store: &Store) -> Result<(), ClinicError> {
        if !self.pending.is_empty() {
            store.commit(std::mem::take(&mut self.pending))?;
        }
        Ok(())
    }

    /// Writes what has changed where it has become much.
    pub(super) fn write_some(&mut self, store: &Store) -> Result<(), ClinicError> {
        if self.pending.len() < WRITTEN_AT_ONCE {
            return Ok(());
        }
        self.write(store)
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.pending.put(Space::Post, key, value);
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.pending.delete(Space::Post, key);
    }

    fn turn_key(&self, at_ms: u64, chart: &ChartId) -> Vec<u8> {
        let rest = [at_ms.to_be_bytes().as_slice(), chart.as_bytes()].concat();
        self.key(TURN, &rest)
    }

    pub(super) fn key(&self, part: u8, rest: &[u8]) -> Vec<u8> {
        [self.relay.as_bytes().as_slice(), &[part], rest].concat()
    }
}
