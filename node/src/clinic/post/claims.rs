//! What another clinic holds by its own word, which came through a relay.
//!
//! Receipts change what people are shown, and nothing else: what is owed to a peer over a link or
//! on a stick is left as it is, and found out by comparing. A stretch that is claimed counts only
//! as far as its last record is here, under the link that the receipt names; a claim of more than
//! was ever written counts for nothing.

use std::collections::BTreeMap;

use chartmesh_protocol::ledger::Place;
use chartmesh_protocol::mail::Stretch;
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::{FeedEntry, ItemKind};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag, NodeId, StatementId};

use super::table::Table;
use crate::clinic::records::Listed;
use crate::clinic::{Clinic, ClinicError, KnownPeer, items};

/// What receipts leave of that which a peer is not known to hold.
#[derive(Debug, Default)]
pub(in crate::clinic) struct Left {
    /// What is not known to be there.
    pub(in crate::clinic) items: Vec<FeedEntry>,
    /// By whose word the rest is there; none where receipts cover nothing.
    pub(in crate::clinic) word: Option<Word>,
}

/// The latest word of a clinic that came through a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::clinic) struct Word {
    /// When it was given, in milliseconds since 1970, by the clock of who gave it, and never later
    /// than now.
    pub(in crate::clinic) at_ms: u64,
    /// The relay's name.
    pub(in crate::clinic) relay: String,
}

/// A node whose receipts came through a relay.
struct Witness {
    table: Table,
    node: NodeId,
    word: Word,
}

impl Clinic {
    /// What receipts leave of what a peer is not known to hold. Of another clinic, the word of any
    /// of its nodes counts: the clinic has it. Of our own clinic, only that of the node itself.
    pub(in crate::clinic) fn left_by_claims(
        &self,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        owed: Vec<FeedEntry>,
    ) -> Result<Left, ClinicError> {
        let mut relays = peers.iter().filter(|one| one.is_relay()).peekable();
        let mut left = Left::default();
        if owed.is_empty() || relays.peek().is_none() {
            left.items = owed;
            return Ok(left);
        }
        let witnesses = self.witnesses(peer, relays)?;
        let mut by_chart: BTreeMap<ChartId, Vec<FeedEntry>> = BTreeMap::new();
        for entry in owed {
            match items::chart_of(&self.store, entry.feed)? {
                Some(chart) => by_chart.entry(chart).or_default().push(entry),
                None => left.items.push(entry),
            }
        }
        for (chart, entries) in by_chart {
            self.look_into(peer, &chart, entries, &witnesses, &mut left)?;
        }
        left.items.sort_unstable_by_key(|entry| entry.feed);
        Ok(left)
    }

    fn look_into(
        &self,
        peer: &KnownPeer,
        chart: &ChartId,
        entries: Vec<FeedEntry>,
        witnesses: &[Witness],
        left: &mut Left,
    ) -> Result<(), ClinicError> {
        let has_records = entries.iter().any(|one| one.kind == ItemKind::Record);
        let records = Places::of(match has_records {
            true => self.records(chart)?,
            false => Vec::new(),
        });
        let mut claims = Vec::new();
        for witness in witnesses {
            let stretches = witness.table.stretches(&self.store, &witness.node, chart)?;
            let sound = stretches.into_iter().filter(|one| records.bear_out(one));
            claims.push((witness, sound.collect::<Vec<Stretch>>()));
        }
        for entry in entries {
            let by = match entry.kind {
                ItemKind::Statement => self.told_of_statement(&entry.id, witnesses)?,
                ItemKind::Record => records.place_of(&entry.id).and_then(|one| {
                    let covers = |stretches: &[Stretch]| {
                        stretches.iter().any(|claim| records.covers(claim, one))
                    };
                    let by = claims.iter().filter(|(_, claimed)| covers(claimed));
                    by.map(|(witness, _)| &witness.word)
                        .max_by_key(|word| word.at_ms)
                }),
            };
            let wrote_it = records
                .place_of(&entry.id)
                .is_some_and(|one| self.is_of(peer, &one.header.author));
            match by {
                Some(word) if left.word.as_ref().is_none_or(|one| one.at_ms < word.at_ms) => {
                    left.word = Some(word.clone());
                }
                Some(_) => {}
                None if wrote_it => {}
                None => left.items.push(entry),
            }
        }
        Ok(())
    }

    fn told_of_statement<'a>(
        &self,
        id: &ItemId,
        witnesses: &'a [Witness],
    ) -> Result<Option<&'a Word>, ClinicError> {
        let prefix = StatementId::new(*id.as_bytes()).prefix();
        let mut latest: Option<&Word> = None;
        for witness in witnesses {
            let is_told = witness
                .table
                .is_statement_told(&self.store, &witness.node, &prefix)?;
            if is_told && latest.is_none_or(|one| one.at_ms < witness.word.at_ms) {
                latest = Some(&witness.word);
            }
        }
        Ok(latest)
    }

    /// The nodes of a peer's clinic whose receipts came, through any relay.
    fn witnesses<'a>(
        &self,
        peer: &KnownPeer,
        relays: impl Iterator<Item = &'a KnownPeer>,
    ) -> Result<Vec<Witness>, ClinicError> {
        let mut witnesses = Vec::new();
        for relay in relays {
            let table = Table::of(relay.node);
            for (node, holder) in table.holders(&self.store)? {
                if !self.is_of(peer, &node) {
                    continue;
                }
                witnesses.push(Witness {
                    table: Table::of(relay.node),
                    node,
                    word: Word {
                        at_ms: holder.at.ms().min(self.now_ms()),
                        relay: relay.name.clone(),
                    },
                });
            }
        }
        Ok(witnesses)
    }

    /// Whether what a node holds is held by a peer.
    fn is_of(&self, peer: &KnownPeer, node: &NodeId) -> bool {
        let belongs = |clinic: &ClinicId| self.certificates_read().book().belongs(node, clinic);
        match peer.clinic == self.clinic_id() {
            true => *node == peer.node,
            false => belongs(&peer.clinic) && !self.is_cut_off(&peer.clinic, node),
        }
    }
}

/// The records of a chart by what they are and where they stand.
struct Places {
    by_id: BTreeMap<ItemId, Listed>,
    by_place: BTreeMap<(CompartmentTag, Place), Vec<Listed>>,
}

impl Places {
    fn of(records: Vec<Listed>) -> Self {
        let mut places = Self {
            by_id: BTreeMap::new(),
            by_place: BTreeMap::new(),
        };
        for one in records {
            places.by_id.insert(ItemId::from(one.id), one);
            let place = (one.header.tag, one.place());
            places.by_place.entry(place).or_default().push(one);
        }
        places
    }

    fn place_of(&self, id: &ItemId) -> Option<&Listed> {
        self.by_id.get(id)
    }

    fn at(&self, tag: CompartmentTag, place: Place) -> &[Listed] {
        self.by_place.get(&(tag, place)).map_or(&[], Vec::as_slice)
    }

    /// Whether the last record of a claim is here, and is the one that it names.
    fn bear_out(&self, claim: &Stretch) -> bool {
        let last = (claim.author, claim.incarnation, claim.last);
        let here = self.at(claim.compartment, last);
        here.iter().any(|one| one.id.link() == claim.link)
    }

    /// Whether a record lies within a claim. Of two in one place, which a fork leaves, it is not
    /// known which one is meant.
    fn covers(&self, claim: &Stretch, one: &Listed) -> bool {
        let header = &one.header;
        let of = (header.tag, header.author, header.incarnation);
        of == (claim.compartment, claim.author, claim.incarnation)
            && (claim.first..=claim.last).contains(&header.sequence)
            && self.at(header.tag, one.place()).len() == 1
    }
}
