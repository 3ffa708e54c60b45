//! Statements and records in the store: their bytes, their place in the feed, and what is known
//! of them without opening them.
//!
//! ```text
//! Items       id 32                     -> kind 1 | chart 16 | feed 8 (big endian) | bytes
//! Feed        number 8 (big endian)     -> chart 16 | id 32
//! ChartItems  chart 16 | kind 1 | id 32 -> Entry
//! Meta        "feed"                    -> the newest number
//! ```

use std::collections::BTreeSet;

use chartmesh_protocol::ledger::Body;
use chartmesh_protocol::reconcile::{FeedNumber, ItemId};
use chartmesh_protocol::seal::RecordForm;
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};
use chartmesh_protocol::{
    ChartId, ClinicId, CompartmentTag, EpochId, Incarnation, NodeId, RecordLink, Sequence,
};
use minicbor::{Decode, Encode};

use super::ClinicError;
use super::emergency;
use super::share::parties;
use crate::store::{Batch, Space, Store, View};

/// Bytes of a feed number.
const FEED_LEN: usize = 8;
/// What stands before an item's bytes.
const ITEM_HEAD: usize = 1 + ChartId::LEN + FEED_LEN;
/// Where the newest feed number stands.
const FEED_KEY: &[u8] = b"feed";

/// An item that was checked and is about to be filed.
#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    pub(crate) chart: ChartId,
    pub(crate) id: ItemId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) what: What,
    /// The clinic that it names, of a statement that names one.
    pub(crate) party: Option<ClinicId>,
    /// Whether it ends a grant.
    pub(crate) revokes: bool,
    /// Whether a clinic asks everybody by it: in an emergency, or with a patient's card.
    pub(crate) asks: bool,
    /// What it says, of a statement of a clinic to its nodes or of one of them.
    pub(crate) house: Option<Body>,
}

impl NewItem {
    /// Whether it is of a clinic's house, and of no chart.
    pub(crate) fn is_of_house(&self) -> bool {
        self.house.as_ref().is_some_and(Body::is_of_house)
    }

    /// Whether it is a statement.
    pub(crate) fn is_statement(&self) -> bool {
        matches!(self.what, What::Statement)
    }

    /// Whether it is a record of changes.
    pub(crate) fn is_of_changes(&self) -> bool {
        matches!(&self.what, What::Record(header) if header.marked.is_none())
    }
}

/// What is known of an item without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Entry {
    /// Its number in the feed.
    #[n(0)]
    pub(crate) feed: u64,
    /// What it is.
    #[n(1)]
    pub(crate) what: What,
}

/// A statement, or a record's clear header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum What {
    /// A statement of the chart's ledger.
    #[n(0)]
    Statement,
    /// A record.
    #[n(1)]
    Record(#[n(0)] Header),
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Header {
    /// The compartment.
    #[n(0)]
    pub(crate) tag: CompartmentTag,
    /// The author.
    #[n(1)]
    pub(crate) author: NodeId,
    /// The author's store.
    #[n(2)]
    pub(crate) incarnation: Incarnation,
    /// The place among that author's records.
    #[n(3)]
    pub(crate) sequence: Sequence,
    /// The link to the one before.
    #[n(4)]
    pub(crate) previous: RecordLink,
    /// The epoch that it is sealed under.
    #[n(5)]
    pub(crate) epoch: EpochId,
    /// What it is marked as; none for a record of changes.
    #[n(6)]
    pub(crate) marked: Option<Marked>,
}

/// What a record is marked to hold in place of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Marked {
    /// A compaction.
    #[n(0)]
    Compaction,
    /// A manifest.
    #[n(1)]
    Manifest,
}

impl Marked {
    /// What a form is marked as.
    pub(crate) fn of(form: RecordForm) -> Option<Self> {
        match form {
            RecordForm::Changes => None,
            RecordForm::Compaction => Some(Self::Compaction),
            RecordForm::Manifest => Some(Self::Manifest),
        }
    }
}

impl What {
    pub(crate) fn kind(&self) -> ItemKind {
        match self {
            Self::Statement => ItemKind::Statement,
            Self::Record(_) => ItemKind::Record,
        }
    }

    fn byte(&self) -> u8 {
        kind_byte(self.kind())
    }
}

fn kind_byte(kind: ItemKind) -> u8 {
    match kind {
        ItemKind::Statement => b's',
        ItemKind::Record => b'r',
    }
}

fn kind_of(byte: u8) -> Option<ItemKind> {
    [ItemKind::Statement, ItemKind::Record]
        .into_iter()
        .find(|kind| kind_byte(*kind) == byte)
}

/// An item of a chart with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: ItemId,
    pub(crate) entry: Entry,
}

/// Adds items to a batch under the next feed numbers, and returns these. Those that are filed
/// already are left out.
pub(crate) fn file(
    view: &View<'_>,
    batch: &mut Batch,
    items: &[NewItem],
) -> Result<Vec<u64>, ClinicError> {
    let newest = view
        .get(Space::Meta, FEED_KEY)?
        .and_then(|bytes| number(&bytes))
        .unwrap_or(0);
    let mut next = newest;
    let mut filed = Vec::new();
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(*item.id.as_bytes()) || view.contains(Space::Items, item.id.as_bytes())? {
            continue;
        }
        next = next
            .checked_add(1)
            .ok_or_else(|| ClinicError::fault("the feed is full"))?;
        let mut place = item.chart.as_bytes().to_vec();
        place.extend_from_slice(item.id.as_bytes());
        let key = chart_key(&item.chart, item.what.kind(), &item.id);
        let entry = Entry {
            feed: next,
            what: item.what.clone(),
        };
        let mut value = vec![item.what.byte()];
        value.extend_from_slice(item.chart.as_bytes());
        value.extend_from_slice(&next.to_be_bytes());
        value.extend_from_slice(&item.bytes);
        filed.push(next);
        if let Some(clinic) = &item.party {
            parties::note(batch, clinic, &item.chart);
        }
        if let Some(Body::NodeRevocation(_)) = &item.house {
            parties::note_public(batch, &item.chart);
        }
        if item.asks {
            parties::note_public(batch, &item.chart);
            emergency::note_asked(batch, &item.chart);
        }
        batch
            .put(Space::Items, item.id.as_bytes().to_vec(), value)
            .put(Space::Feed, next.to_be_bytes().to_vec(), place)
            .put(Space::ChartItems, key, encode(&entry)?);
    }
    if next != newest {
        batch.put(Space::Meta, FEED_KEY.to_vec(), next.to_be_bytes().to_vec());
    }
    Ok(filed)
}

/// The key of an item among those of its chart.
fn chart_key(chart: &ChartId, kind: ItemKind, id: &ItemId) -> Vec<u8> {
    let mut key = chart.as_bytes().to_vec();
    key.push(kind_byte(kind));
    key.extend_from_slice(id.as_bytes());
    key
}

/// The newest feed number.
pub(crate) fn newest(store: &Store) -> Result<FeedNumber, ClinicError> {
    let bytes = store.get(Space::Meta, FEED_KEY)?;
    Ok(FeedNumber::new(
        bytes.and_then(|bytes| number(&bytes)).unwrap_or(0),
    ))
}

/// All items of a kind of a chart, in the order of the feed.
pub(crate) fn of_chart(
    store: &Store,
    chart: &ChartId,
    kind: ItemKind,
) -> Result<Vec<Listed>, ClinicError> {
    let mut prefix = chart.as_bytes().to_vec();
    prefix.push(kind_byte(kind));
    let mut listed = Vec::new();
    for pair in store.scan_prefix(Space::ChartItems, &prefix) {
        let (key, value) = pair?;
        let id = item_of_key(chart, &prefix, &key)?;
        let entry = minicbor::decode(&value).map_err(|error| unreadable(*chart, error))?;
        listed.push(Listed { id, entry });
    }
    listed.sort_unstable_by_key(|listed| listed.entry.feed);
    Ok(listed)
}

/// The ids of all items of a kind of a chart, ascending.
pub(crate) fn ids_of_chart(
    store: &Store,
    chart: &ChartId,
    kind: ItemKind,
) -> Result<Vec<ItemId>, ClinicError> {
    let mut prefix = chart.as_bytes().to_vec();
    prefix.push(kind_byte(kind));
    let keys = store.keys(Space::ChartItems, &prefix);
    keys.map(|key| item_of_key(chart, &prefix, &key?)).collect()
}

/// The item whose key among those of its chart begins so.
fn item_of_key(chart: &ChartId, prefix: &[u8], key: &[u8]) -> Result<ItemId, ClinicError> {
    key.get(prefix.len()..)
        .and_then(|id| <[u8; 32]>::try_from(id).ok())
        .map(ItemId::new)
        .ok_or_else(|| unreadable(*chart, "an item's key has another length"))
}

/// The bytes of an item.
pub(crate) fn bytes(store: &Store, id: &ItemId) -> Result<Option<Vec<u8>>, ClinicError> {
    let value = store.get(Space::Items, id.as_bytes())?;
    Ok(value.and_then(|value| value.get(ITEM_HEAD..).map(<[u8]>::to_vec)))
}

/// An item of the store: where it stands, and its bytes.
pub(crate) struct Stored {
    pub(crate) kind: ItemKind,
    pub(crate) chart: ChartId,
    pub(crate) feed: FeedNumber,
    pub(crate) bytes: Vec<u8>,
}

/// An item with where it stands.
pub(crate) fn stored(store: &Store, id: &ItemId) -> Result<Option<Stored>, ClinicError> {
    let value = store.get(Space::Items, id.as_bytes())?;
    Ok(value.and_then(|value| {
        let (kind, rest) = value.split_first()?;
        let (chart, rest) = rest.split_at_checked(ChartId::LEN)?;
        let (feed, bytes) = rest.split_at_checked(FEED_LEN)?;
        Some(Stored {
            kind: kind_of(*kind)?,
            chart: ChartId::try_from(chart).ok()?,
            feed: FeedNumber::new(number(feed)?),
            bytes: bytes.to_vec(),
        })
    }))
}

/// An item in the order of the feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) feed: u64,
    pub(crate) chart: ChartId,
    pub(crate) id: ItemId,
}

impl Arrival {
    fn read(key: &[u8], place: &[u8]) -> Option<Self> {
        let (chart, id) = place.split_at_checked(ChartId::LEN)?;
        Some(Self {
            feed: number(key)?,
            chart: ChartId::try_from(chart).ok()?,
            id: ItemId::new(id.try_into().ok()?),
        })
    }
}

/// What the feed has after a number.
fn feed_after(
    store: &Store,
    after: FeedNumber,
) -> impl Iterator<Item = Result<Arrival, ClinicError>> {
    let first = after.value().saturating_add(1).to_be_bytes();
    store.range(Space::Feed, first.as_slice()..).map(|pair| {
        let (key, place) = pair?;
        Arrival::read(&key, &place).ok_or_else(|| ClinicError::fault("the feed does not read"))
    })
}

/// What the feed has after a number, `most` of it.
pub(crate) fn arrivals(
    store: &Store,
    after: FeedNumber,
    most: usize,
) -> Result<Vec<Arrival>, ClinicError> {
    feed_after(store, after).take(most).collect()
}

/// The charts of items whose feed numbers are above `after`, each once.
pub(crate) fn charts_since(
    store: &Store,
    after: FeedNumber,
) -> Result<BTreeSet<ChartId>, ClinicError> {
    feed_after(store, after)
        .map(|arrival| Ok(arrival?.chart))
        .collect()
}

/// What an item of the feed is.
pub(crate) fn what(store: &Store, arrival: &Arrival) -> Result<What, ClinicError> {
    // There are far more records than statements.
    for kind in [ItemKind::Record, ItemKind::Statement] {
        let key = chart_key(&arrival.chart, kind, &arrival.id);
        if let Some(value) = store.get(Space::ChartItems, &key)? {
            let entry: Entry =
                minicbor::decode(&value).map_err(|error| unreadable(arrival.chart, error))?;
            return Ok(entry.what);
        }
    }
    Err(unreadable(arrival.chart, "an item of the feed is missing"))
}

/// The chart of an item of the feed.
pub(crate) fn chart_of(store: &Store, feed: FeedNumber) -> Result<Option<ChartId>, ClinicError> {
    let key = feed.value().to_be_bytes();
    let place = store.get(Space::Feed, &key)?;
    let arrival = place.and_then(|place| Arrival::read(&key, &place));
    Ok(arrival.map(|arrival| arrival.chart))
}

/// An item of the feed as a session lists it.
pub(crate) fn feed_entry(
    store: &Store,
    feed: u64,
    kind: ItemKind,
    lane: Lane,
) -> Result<Option<FeedEntry>, ClinicError> {
    let key = feed.to_be_bytes();
    let place = store.get(Space::Feed, &key)?;
    let arrival = place.and_then(|place| Arrival::read(&key, &place));
    Ok(arrival.map(|arrival| FeedEntry {
        feed: FeedNumber::new(feed),
        id: arrival.id,
        kind,
        lane,
    }))
}

/// CBOR of one of our own values.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Result<Vec<u8>, ClinicError> {
    minicbor::to_vec(value).map_err(ClinicError::fault)
}

/// A big-endian number.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn unreadable(chart: ChartId, reason: impl std::fmt::Display) -> ClinicError {
    ClinicError::Unreadable {
        chart,
        reason: reason.to_string(),
    }
}
