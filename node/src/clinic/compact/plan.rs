//! What a compaction of a compartment can cover: each author's records from the first on, as far as
//! they count, their users' signatures hold, and everything that their changes build on is covered
//! as well. What is in question is left as it is: it has to stay visible to everybody.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_crdt::{ActorId, ChangeFacts, ChangeHash, ChangeOutline};
use chartmesh_protocol::ledger::{Extent, FrontierTip};
use chartmesh_protocol::seal::{
    Keyring, Manifest, ManifestRecord, RecordContent, UserWord, VerifiedRecord, actor_id,
};
use chartmesh_protocol::{Incarnation, NodeId, RecordId, RecordLink, Sequence};

use super::check::Compartment;
use super::known::Found;
use crate::clinic::items::Marked;
use crate::clinic::open_compartment::OpenCompartment;
use crate::clinic::records::{Listed, hashes};
use crate::clinic::{Clinic, ClinicError};

/// Manifests that one compaction names, before they are written anew as one: each is a record that
/// has to be fetched.
const MAX_PARTS: usize = 32;

/// What a compaction would cover, and what has to be told of it.
pub(crate) struct Plan {
    pub(crate) coverage: Vec<FrontierTip>,
    /// The changes of the covered records.
    pub(crate) changes: BTreeSet<ChangeHash>,
    /// Manifests that tell of some of the records already.
    pub(crate) parts: BTreeMap<RecordId, Manifest>,
    /// The records that they do not tell of.
    pub(crate) untold: Vec<ManifestRecord>,
    /// By which the users of those are known.
    pub(crate) certificates: BTreeSet<Vec<u8>>,
    /// Bytes of the records of changes that are sent one by one until now.
    pub(crate) loose_bytes: usize,
}

type Stream = (NodeId, Incarnation);

/// One record that can be covered.
struct Candidate {
    record: ManifestRecord,
    told: bool,
    bytes: usize,
    certificates: Vec<Vec<u8>>,
}

impl Candidate {
    fn changes(&self) -> usize {
        let changes = self.record.word.map_or(0, |word| word.changes);
        usize::try_from(changes).unwrap_or(usize::MAX)
    }
}

impl Clinic {
    /// Plans a compaction of an open compartment; none when nothing can be covered.
    pub(crate) fn plan(
        &self,
        compartment: &Compartment<'_>,
        found: &[Found],
        one: &OpenCompartment,
    ) -> Result<Option<Plan>, ClinicError> {
        let held: BTreeSet<RecordId> = one.held().map(|held| held.record).collect();
        let usable = |found: &&Found| !held.contains(&found.record) && !found.is_attested();
        let bases: Vec<&Found> = found.iter().filter(usable).collect();
        let mut parts = self.manifests(compartment, &bases, &one.keys)?;
        let mut streams = told(compartment, &bases, &parts);
        for listed in compartment.records {
            let header = &listed.header;
            let stream = streams
                .entry((header.author, header.incarnation))
                .or_default();
            let there = stream.entry(header.sequence).or_default();
            let known = |one: &Option<Candidate>| {
                one.as_ref()
                    .is_some_and(|one| one.record.witness.id == listed.id)
            };
            if !there.iter().any(known) {
                let usable = !held.contains(&listed.id);
                there.push(match usable {
                    true => self.candidate(compartment, listed, &one.keys)?,
                    false => None,
                });
            }
        }
        let streams = streams
            .into_iter()
            .map(|(stream, places)| (stream, straight(places)));
        let mut streams: BTreeMap<Stream, Vec<Candidate>> = streams.collect();
        let outline = one.document()?.outline();
        let changes = close(&mut streams, |(author, incarnation)| {
            let actor = actor_id(author, *incarnation, &compartment.tag);
            outline.get(&ActorId(actor)).map_or(&[][..], Vec::as_slice)
        });
        streams.retain(|_, records| !records.is_empty());
        if streams.is_empty() {
            return Ok(None);
        }
        let all = || streams.values().flatten();
        let needed: BTreeSet<RecordId> = all().map(|one| one.record.witness.id).collect();
        let (chart, tag) = (compartment.chart, compartment.tag);
        parts.retain(|_, part| {
            part.records(chart, tag)
                .any(|one| needed.contains(&one.witness.id))
        });
        let anew = parts.len() > MAX_PARTS;
        if anew {
            parts.clear();
        }
        let untold = || all().filter(|one| anew || !one.told);
        Ok(Some(Plan {
            coverage: streams
                .values()
                .filter_map(|all| all.last())
                .map(tip)
                .collect(),
            changes,
            untold: untold().map(|one| one.record).collect(),
            certificates: untold().flat_map(|one| one.certificates.clone()).collect(),
            loose_bytes: all().filter(|one| !one.told).map(|one| one.bytes).sum(),
            parts,
        }))
    }

    /// The manifests of compactions, by their records.
    fn manifests(
        &self,
        compartment: &Compartment<'_>,
        bases: &[&Found],
        keys: &Keyring,
    ) -> Result<BTreeMap<RecordId, Manifest>, ClinicError> {
        let mut parts = BTreeMap::new();
        for id in bases.iter().flat_map(|base| &base.finding.manifest) {
            let record = self.record(&compartment.chart, id)?;
            let opened = keys
                .get(&record.header().epoch)
                .and_then(|key| record.open_manifest(key).ok());
            parts.extend(opened.map(|manifest| (*id, manifest)));
        }
        Ok(parts)
    }

    /// A record that is here as its manifest would tell of it; none when it cannot be covered.
    fn candidate(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        keys: &Keyring,
    ) -> Result<Option<Candidate>, ClinicError> {
        let record = self.record(&compartment.chart, &one.id)?;
        let (mut word, mut certificates) = (None, Vec::new());
        if one.header.marked.is_none() {
            let content = keys
                .get(&one.header.epoch)
                .and_then(|key| record.open(key).ok());
            let Some((said, by)) =
                content.and_then(|content| self.user_word(compartment, one, &content))
            else {
                return Ok(None);
            };
            word = Some(said);
            certificates = by;
        }
        Ok(Some(Candidate {
            bytes: loose_bytes(one, &record),
            record: ManifestRecord {
                witness: record.witness(),
                word,
            },
            told: false,
            certificates,
        }))
    }

    /// The user's word for a record's changes, and the certificates by which it is known; none
    /// when it does not hold, or is not known to.
    fn user_word(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        content: &RecordContent,
    ) -> Option<(UserWord, Vec<Vec<u8>>)> {
        let certificates = self.certificates_read();
        let (node, user) = certificates.of_author(&one.header.author, &content.user)?;
        let all = hashes(&content.changes)?;
        let all: Vec<[u8; 32]> = all.into_iter().map(|hash| hash.0).collect();
        content.verify_user(user, &compartment.chart, &all).ok()?;
        let named = content.user.to_string();
        let by_user = |change: &Vec<u8>| {
            ChangeFacts::read(change).is_ok_and(|facts| {
                (facts.author.user == named) && (facts.author.role == content.role)
            })
        };
        if !content.changes.iter().all(by_user) {
            return None;
        }
        let word = UserWord {
            changes: u32::try_from(all.len()).ok().filter(|count| *count > 0)?,
            signature: content.signature,
        };
        Some((word, vec![node.to_bytes(), user.to_bytes()]))
    }
}

fn loose_bytes(one: &Listed, record: &VerifiedRecord) -> usize {
    match one.header.marked {
        Some(Marked::Compaction | Marked::Manifest) => 0,
        None => record.as_bytes().len(),
    }
}

type Places = BTreeMap<Sequence, Vec<Option<Candidate>>>;

/// The records that the manifests of compactions tell of, in their places.
fn told(
    compartment: &Compartment<'_>,
    bases: &[&Found],
    parts: &BTreeMap<RecordId, Manifest>,
) -> BTreeMap<Stream, Places> {
    let mut streams: BTreeMap<Stream, Places> = BTreeMap::new();
    for base in bases {
        let extent = Extent::of(&base.finding.coverage);
        let mine = base.finding.manifest.iter().filter_map(|id| parts.get(id));
        let records = mine.flat_map(|part| part.records(compartment.chart, compartment.tag));
        for record in records {
            let header = &record.witness.header;
            let stream = (header.author, header.place.incarnation);
            let within = extent.holds((stream.0, stream.1, header.place.sequence));
            let there = streams.entry(stream).or_default();
            let there = there.entry(header.place.sequence).or_default();
            let known = |one: &Option<Candidate>| {
                one.as_ref()
                    .is_some_and(|one| one.record.witness.id == record.witness.id)
            };
            if within && !there.iter().any(known) {
                there.push(Some(Candidate {
                    record,
                    told: true,
                    bytes: 0,
                    certificates: Vec::new(),
                }));
            }
        }
    }
    streams
}

/// The records from the first on, up to a place that has none, or several, or one that cannot be
/// covered or does not follow the one before.
fn straight(places: Places) -> Vec<Candidate> {
    let mut straight: Vec<Candidate> = Vec::new();
    let mut next = Some((Sequence::new(0), RecordLink::FIRST));
    for (sequence, mut there) in places {
        let (Some(Some(one)), true) = (there.pop(), there.is_empty()) else {
            break;
        };
        if next != Some((sequence, one.record.witness.header.place.previous)) {
            break;
        }
        next = sequence
            .next()
            .map(|after| (after, one.record.witness.id.link()));
        straight.push(one);
    }
    straight
}

/// Cuts off what builds on changes that are not covered, until nothing does, and returns the
/// changes that are left. `changes` are those of an author in the document, in their order.
fn close<'a>(
    streams: &mut BTreeMap<Stream, Vec<Candidate>>,
    changes: impl Fn(&Stream) -> &'a [ChangeOutline],
) -> BTreeSet<ChangeHash> {
    loop {
        let mut covered = BTreeSet::new();
        for (stream, records) in streams.iter() {
            let count = records.iter().map(Candidate::changes).sum();
            let all = changes(stream);
            let mine = all.get(..count).unwrap_or(all);
            covered.extend(mine.iter().map(|change| change.hash));
        }
        let mut cut = false;
        for (stream, records) in streams.iter_mut() {
            let mut left = changes(stream);
            let closed = |one: &ChangeOutline| one.deps.iter().all(|dep| covered.contains(dep));
            let whole = records.iter().take_while(|one| {
                let split = left.split_at_checked(one.changes());
                let (mine, rest) = split.unwrap_or_default();
                left = rest;
                split.is_some() && mine.iter().all(closed)
            });
            let whole = whole.count();
            cut |= whole < records.len();
            records.truncate(whole);
        }
        if !cut {
            return covered;
        }
    }
}

fn tip(one: &Candidate) -> FrontierTip {
    let header = &one.record.witness.header;
    FrontierTip {
        author: header.author,
        incarnation: header.place.incarnation,
        sequence: header.place.sequence,
        record: one.record.witness.id,
    }
}
