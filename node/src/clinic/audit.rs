//! The audit log: who read and wrote what, as a chain of signed entries.
//!
//! ```text
//! Audit  number 8 (big endian) -> version 1 | CBOR Entry | signature 64
//! Meta   "audit"               -> number 8 | hash 32 of the newest entry
//! ```
//!
//! Each entry holds the hash of the one before, so none can be changed, removed or put in between
//! without breaking every later one; the newest is noted apart, so that the end cannot be cut off
//! unnoticed.

use chartmesh_protocol::identity::{self, Context, NodeKey, Signature};
use chartmesh_protocol::ledger::SegmentEntry;
use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{ClinicError, date, items};
use crate::store::{Batch, Space, Store, View};

/// The version of an entry.
const VERSION: u8 = 1;
/// Where the newest entry is noted.
const HEAD_KEY: &[u8] = b"audit";
/// What the signature of an entry is bound to.
const CONTEXT: Context = Context::new("audit entry");

/// What was done to a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum Action {
    /// The chart was read.
    #[n(0)]
    Read,
    /// The chart was written.
    #[n(1)]
    Write,
    /// The chart left the node as a file.
    #[n(2)]
    Export,
    /// A grant was signed.
    #[n(3)]
    Grant,
    /// A grant was revoked.
    #[n(4)]
    Revoke,
    /// Patients were searched for.
    #[n(5)]
    Search,
    /// A conflict was decided.
    #[n(6)]
    Resolve,
    /// The PIN of a patient's key was set.
    #[n(7)]
    SetPin,
    /// A file was made that makes another computer a node of this clinic.
    #[n(8)]
    EnrollNode,
    /// A node of this clinic was cut off.
    #[n(9)]
    CutOffNode,
    /// Records that were held were let count.
    #[n(10)]
    Admit,
    /// A summary was asked for in an emergency.
    #[n(11)]
    BreakGlass,
    /// A summary was released in an emergency.
    #[n(12)]
    Release,
    /// An emergency was looked at.
    #[n(13)]
    Review,
    /// It was set whether a summary may be released in an emergency.
    #[n(14)]
    RuleEmergency,
    /// Resources went from one part of the chart into another.
    #[n(15)]
    Move,
    /// What another clinic did, in a word that is not known here.
    #[n(16)]
    Other,
    /// A wrong PIN of the patient was given.
    #[n(17)]
    WrongPin,
    /// A PIN was given while none might be tried.
    #[n(18)]
    DenyPin,
    /// A card was made for the patient.
    #[n(19)]
    MakeCard,
    /// The summary on the patient's card was opened.
    #[n(20)]
    OpenCard,
    /// A patient's card was refused.
    #[n(21)]
    RefuseCard,
}

impl Action {
    /// Whether it changes nothing.
    pub(crate) fn only_reads(self) -> bool {
        match self {
            Self::Read | Self::Export | Self::Search | Self::OpenCard => true,
            Self::Write
            | Self::Grant
            | Self::Revoke
            | Self::Resolve
            | Self::SetPin
            | Self::EnrollNode
            | Self::CutOffNode
            | Self::Admit
            | Self::BreakGlass
            | Self::Release
            | Self::Review
            | Self::RuleEmergency
            | Self::Move
            | Self::Other
            | Self::WrongPin
            | Self::DenyPin
            | Self::MakeCard
            | Self::RefuseCard => false,
        }
    }

    /// The word for it, as it is told to others.
    fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The action of a word.
    pub(super) fn named(name: &str) -> Self {
        serde_json::from_value(name.into()).unwrap_or(Self::Other)
    }
}

/// What is to be noted.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) action: Action,
    pub(crate) chart: Option<ChartId>,
    pub(crate) user: String,
    pub(crate) at_ms: u64,
}

#[derive(Debug, Clone, Encode, Decode)]
struct Entry {
    #[n(0)]
    number: u64,
    #[n(1)]
    at_ms: u64,
    #[n(2)]
    action: Action,
    #[n(3)]
    chart: Option<ChartId>,
    #[n(4)]
    user: String,
    #[n(5)]
    node: NodeId,
    #[cbor(n(6), with = "minicbor::bytes")]
    previous: [u8; 32],
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number, from 1.
    pub number: u64,
    /// When, as RFC 3339.
    pub at: String,
    /// What was done.
    pub action: Action,
    /// The chart, where it was about one.
    pub chart: Option<ChartId>,
    /// Who did it.
    pub user: String,
    /// At which node.
    pub node: NodeId,
    /// At which other clinic, which has told of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clinic: Option<ClinicId>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clinic_name: Option<String>,
}

/// The result of checking the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// How many entries there are.
    pub entries: u64,
    /// Whether all of them are whole.
    pub ok: bool,
    /// What is wrong, by entry.
    pub problems: Vec<String>,
}

/// Adds entries to a batch, behind the newest one.
pub(crate) fn note(
    view: &View<'_>,
    batch: &mut Batch,
    key: &NodeKey,
    notes: &[Note],
) -> Result<(), ClinicError> {
    let (mut number, mut previous) = head(view.get(Space::Meta, HEAD_KEY)?.as_deref());
    for note in notes {
        number = number.saturating_add(1);
        let bytes = sealed(number, previous, key, note)?;
        previous = *blake3::hash(&bytes).as_bytes();
        batch.put(Space::Audit, number.to_be_bytes().to_vec(), bytes);
    }
    let mut head = number.to_be_bytes().to_vec();
    head.extend_from_slice(&previous);
    batch.put(Space::Meta, HEAD_KEY.to_vec(), head);
    Ok(())
}

/// One entry, signed.
pub(super) fn sealed(
    number: u64,
    previous: [u8; 32],
    key: &NodeKey,
    note: &Note,
) -> Result<Vec<u8>, ClinicError> {
    let entry = Entry {
        number,
        at_ms: note.at_ms,
        action: note.action,
        chart: note.chart,
        user: note.user.clone(),
        node: key.id(),
        previous,
    };
    let mut bytes = vec![VERSION];
    bytes.extend(items::encode(&entry)?);
    let signature = key.sign(CONTEXT, &bytes);
    bytes.extend_from_slice(signature.as_bytes());
    Ok(bytes)
}

fn head(bytes: Option<&[u8]>) -> (u64, [u8; 32]) {
    bytes
        .and_then(|bytes| bytes.split_at_checked(8))
        .and_then(|(number, hash)| Some((items::number(number)?, hash.try_into().ok()?)))
        .unwrap_or((0, [0; 32]))
}

/// The newest entries, oldest of them first, of one chart or of all.
pub(crate) fn list(
    store: &Store,
    chart: Option<&ChartId>,
    most: usize,
) -> Result<Vec<AuditLine>, ClinicError> {
    let mut lines = Vec::new();
    for pair in store.scan_prefix(Space::Audit, &[]).rev() {
        let (_, value) = pair?;
        let Some((entry, _)) = read(&value) else {
            continue;
        };
        if chart.is_none_or(|chart| entry.chart.as_ref() == Some(chart)) {
            lines.push(entry.line());
        }
        if lines.len() >= most {
            break;
        }
    }
    lines.reverse();
    Ok(lines)
}

/// The number of the newest entry.
pub(super) fn newest(store: &Store) -> Result<u64, ClinicError> {
    Ok(head(store.get(Space::Meta, HEAD_KEY)?.as_deref()).0)
}

/// The entries behind a number that are about a chart, as they are told to its home.
pub(super) fn about_charts(
    store: &Store,
    after: u64,
) -> Result<Vec<(ChartId, SegmentEntry)>, ClinicError> {
    let mut entries = Vec::new();
    for pair in store.scan_prefix(Space::Audit, &[]).rev() {
        let (key, value) = pair?;
        if items::number(&key).is_none_or(|number| number <= after) {
            break;
        }
        let Some((entry, _)) = read(&value) else {
            continue;
        };
        if let Some(chart) = entry.chart {
            let told = SegmentEntry {
                number: entry.number,
                at_ms: entry.at_ms,
                action: entry.action.name(),
                user: entry.user,
            };
            entries.push((chart, told));
        }
    }
    entries.reverse();
    Ok(entries)
}

/// Checks every entry and the chain.
pub(crate) fn verify(store: &Store, node: &NodeId) -> Result<AuditCheck, ClinicError> {
    let (last, last_hash) = head(store.get(Space::Meta, HEAD_KEY)?.as_deref());
    let mut problems = Vec::new();
    let (mut expected, mut previous) = (0_u64, [0_u8; 32]);
    for pair in store.scan_prefix(Space::Audit, &[]) {
        let (key, value) = pair?;
        expected = expected.saturating_add(1);
        let stands_at = items::number(&key).unwrap_or(0);
        if stands_at != expected {
            problems.push(format!("entry {expected} is missing"));
            expected = stands_at;
        }
        match read(&value) {
            None => problems.push(format!("entry {expected} cannot be read")),
            Some((entry, signed)) => {
                if entry.number != expected || entry.previous != previous {
                    problems.push(format!("entry {expected} does not follow the one before"));
                }
                if entry.node != *node || !signed {
                    problems.push(format!("entry {expected} is not signed by this node"));
                }
            }
        }
        previous = *blake3::hash(&value).as_bytes();
    }
    if (expected, previous) != (last, last_hash) {
        problems.push(format!(
            "the log ends at entry {expected}, not at entry {last}"
        ));
    }
    Ok(AuditCheck {
        entries: expected,
        ok: problems.is_empty(),
        problems,
    })
}

/// An entry, and whether its signature is good.
fn read(bytes: &[u8]) -> Option<(Entry, bool)> {
    let end = bytes.len().checked_sub(Signature::LEN)?;
    let (signed, signature) = bytes.split_at_checked(end)?;
    let (version, body) = signed.split_first()?;
    if *version != VERSION {
        return None;
    }
    let entry: Entry = minicbor::decode(body).ok()?;
    let signature = Signature::new(signature.try_into().ok()?);
    let good = identity::verify(CONTEXT, entry.node.as_bytes(), signed, &signature).is_ok();
    Some((entry, good))
}

/// Whether bytes are an entry with a good signature.
#[cfg(test)]
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    read(bytes).is_some_and(|(_, signed)| signed)
}

impl Entry {
    fn line(&self) -> AuditLine {
        AuditLine {
            number: self.number,
            at: date::moment(self.at_ms),
            action: self.action,
            chart: self.chart,
            user: self.user.clone(),
            node: self.node,
            clinic: None,
            clinic_name: None,
        }
    }
}
