//! What is shared of one chart with one peer.
//!
//! An item is shared when both clinics may have it. A clinic may have a statement that the ledger
//! entitles it to, and a record of a compartment that it may read or that it wrote itself. Both
//! sides compute this from their own part of the ledger and come to the same set, which is what
//! the digests compare. Records that a compaction stands for are left out, at both sides alike.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::{
    Basis, Body, BreakGlass, CompartmentName, Decision, Grant, GrantState, Ledger, openable,
};
use chartmesh_protocol::reconcile::{ItemId, PairKey, SharedDigests};
use chartmesh_protocol::sync::{ItemKind, Lane};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag, EpochId, RecordId, StatementId};
use minicbor::{Decode, Encode};

use super::audience::{Access, Audience};
use crate::clinic::compact::{Compartment, Found, covered_of};
use crate::clinic::items::{self, Header, Marked};
use crate::clinic::records::{Listed, of_compartment};
use crate::clinic::{Clinic, ClinicError};

/// What is shared of one chart with one peer, and by what rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct ChartShare {
    /// Over the items.
    #[n(0)]
    pub(super) digests: SharedDigests,
    /// The feed number of the newest grant to the peer: since then, older items are owed too.
    #[n(1)]
    pub(super) granted: u64,
    /// When the next grant of the chart begins or ends, in milliseconds since 1970.
    #[n(2)]
    pub(super) turns_at: Option<u64>,
    /// In the order of the feed.
    #[n(3)]
    pub(super) items: Vec<SharedItem>,
    /// One for each compartment: what follows from the ledger for its records.
    #[n(4)]
    rules: Vec<Rule>,
    /// Whether the peer's own records come home to us, and ours to the peer.
    #[n(5)]
    theirs_come_home: bool,
    #[n(6)]
    ours_go_home: bool,
    /// The peer is another node of our own clinic: everything that is here is shared.
    #[n(7)]
    whole: bool,
    /// Feed numbers of revocations that end what the peer might have, and that are not among the
    /// items: ascending.
    #[n(8)]
    pub(super) untold: Vec<u64>,
    /// Records of our clinic that are not shared.
    #[n(9)]
    kept_back: u64,
}

/// How much of a chart a clinic may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing.
    Nothing,
    /// Not all that our clinic wrote.
    Part,
    /// All that our clinic wrote.
    Whole,
}

/// An item that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct SharedItem {
    #[n(0)]
    pub(super) feed: u64,
    #[n(1)]
    pub(super) kind: ItemKind,
    #[n(2)]
    pub(super) lane: Lane,
    /// It is a compaction: of use to a clinic that has not got what it stands for.
    #[n(3)]
    pub(super) compacts: bool,
}

/// Which records of a compartment each of the two clinics may have.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Rule {
    #[n(0)]
    tag: CompartmentTag,
    #[n(1)]
    lane: Lane,
    #[n(2)]
    peer: Access,
    #[n(3)]
    own: Access,
    /// There are compactions or manifests: what comes may change which records are left out.
    #[n(4)]
    compacted: bool,
}

/// The two clinics, and the key of their nodes.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) own: ClinicId,
    pub(super) peer: ClinicId,
    pub(super) key: &'a PairKey,
}

impl ChartShare {
    /// Works everything out from the ledger and the records.
    pub(super) fn of(
        clinic: &Clinic,
        chart: &ChartId,
        pair: Pair<'_>,
    ) -> Result<Self, ClinicError> {
        let ledger = clinic.ledger(chart)?;
        let decision = clinic.decide(&ledger);
        let Pair { own, peer, key } = pair;
        let mut share = Self {
            turns_at: next_turn(&ledger, clinic.time_ms()),
            whole: own == peer,
            ..Self::default()
        };
        let has_asked = |(_, one): (_, &BreakGlass)| one.clinic == own || one.clinic == peer;
        let is_party = decision.may_read_any(&peer)
            || had_grant(&ledger, &peer)
            || ledger.emergencies().any(has_asked)
            || tells_by_card(&ledger, &own);
        if !is_party && !share.whole && ledger.genesis().is_some() {
            return Ok(share);
        }
        for item in items::of_chart(&clinic.store, chart, ItemKind::Statement)? {
            let id = StatementId::new(*item.id.as_bytes());
            if grants_to(&ledger, &id, &peer) && !share.whole {
                share.granted = share.granted.max(item.entry.feed);
            }
            if share.whole || decision.shared(&peer, &own, &id) {
                share.digests.statements.add(key, &item.id);
                share.items.push(SharedItem {
                    feed: item.entry.feed,
                    kind: ItemKind::Statement,
                    lane: Lane::Urgent,
                    compacts: false,
                });
            } else if ends_grant_to(&decision, &id, &peer)
                || (ends_grant_to(&decision, &id, &own) && decision.entitled(&peer, &id))
            {
                share.untold.push(item.entry.feed);
            }
        }
        let receivers = [
            Audience::of(&peer, &own, &ledger, &decision),
            Audience::of(&own, &peer, &ledger, &decision),
        ];
        share.theirs_come_home = receivers[0].goes_home();
        share.ours_go_home = receivers[1].goes_home();
        let records = clinic.records(chart)?;
        for (tag, name) in tags(clinic, &ledger) {
            let mine = of_compartment(&records, &tag);
            share.rules.push(Rule {
                tag,
                lane: lane_of(&name),
                peer: receivers[0].access(&decision, &name),
                own: receivers[1].access(&decision, &name),
                compacted: mine.iter().any(|one| one.header.marked.is_some()),
            });
            share.take_records(clinic, pair, (&ledger, &decision), &name, &mine)?;
        }
        // Of compartments whose names are not known here, too.
        let known = |one: &&Listed| share.rules.iter().any(|rule| rule.tag == one.header.tag);
        let unknown: Vec<&Listed> = records.iter().filter(|one| !known(one)).collect();
        for one in unknown {
            if share.is_shared(clinic, pair, &one.header) {
                share.push(pair, one.feed, &ItemId::from(one.id), &one.header);
            } else {
                share.keep_back(clinic, &one.header);
            }
        }
        share.items.sort_unstable_by_key(|item| item.feed);
        Ok(share)
    }

    /// Takes in the records of a compartment, but for those that a compaction stands for.
    fn take_records(
        &mut self,
        clinic: &Clinic,
        pair: Pair<'_>,
        (ledger, decision): (&Ledger, &Decision),
        name: &CompartmentName,
        records: &[Listed],
    ) -> Result<(), ClinicError> {
        let mut shared = Vec::with_capacity(records.len());
        for one in records {
            if self.is_shared(clinic, pair, &one.header) {
                shared.push(*one);
            } else {
                self.keep_back(clinic, &one.header);
            }
        }
        let mut covered = BTreeSet::new();
        // To whom a compartment is closed a compaction is of no use, and may have no name here.
        let (peer, own) = (&pair.peer, &pair.own);
        let both = decision.may_read(peer, name) && decision.may_read(own, name);
        if let Some(marked) = shared.iter().find(|one| one.header.marked.is_some())
            && (both || self.whole)
            && let Some(secret) = &clinic.chart_secret(ledger)
        {
            let found = clinic.compactions(&Compartment {
                chart: ledger.chart(),
                name,
                tag: marked.header.tag,
                secret,
                ledger,
                records,
            })?;
            // Before its key is handed over, a compaction is of no use to who lacks it.
            let (own, peer) = (&pair.own, &pair.peer);
            let keys = &openable(ledger, name, own) & &openable(ledger, name, peer);
            let found = opening(found, records, &keys);
            let book = clinic.certificates_read().book().clone();
            covered = covered_of(ledger, decision, &book, name, &shared, &found);
        }
        for one in shared.iter().filter(|one| !covered.contains(&one.id)) {
            self.push(pair, one.feed, &ItemId::from(one.id), &one.header);
        }
        Ok(())
    }

    /// Whether a record that comes may change more than that it is shared itself.
    pub(super) fn is_changed_by(&self, header: &Header) -> bool {
        let rule = self.rules.iter().find(|rule| rule.tag == header.tag);
        rule.is_some_and(|rule| rule.compacted || header.marked.is_some())
    }

    /// Takes in a record that came after this was worked out, while no statement did. Records come
    /// in the order of the feed.
    pub(super) fn add_record(
        &mut self,
        clinic: &Clinic,
        pair: Pair<'_>,
        feed: u64,
        id: &ItemId,
        header: &Header,
    ) {
        let newest = self.items.last().map(|last| last.feed);
        if newest.is_some_and(|last| last >= feed) {
            return;
        }
        if self.is_shared(clinic, pair, header) {
            self.push(pair, feed, id, header);
        } else {
            self.keep_back(clinic, header);
        }
    }

    /// Takes note of a record that is not shared: people ask after what they saved themselves.
    fn keep_back(&mut self, clinic: &Clinic, header: &Header) {
        let certificates = clinic.certificates_read();
        if certificates
            .book()
            .belongs(&header.author, &clinic.clinic_id())
        {
            self.kept_back = self.kept_back.saturating_add(1);
        }
    }

    /// How much of the chart the peer may have now.
    pub(super) fn extent(&self) -> Extent {
        let reads = self.rules.iter().any(|rule| rule.peer != Access::Nothing);
        match (reads || self.whole, self.kept_back) {
            (false, _) => Extent::Nothing,
            (true, 0) => Extent::Whole,
            (true, _) => Extent::Part,
        }
    }

    /// Whether both clinics may have a record.
    fn is_shared(&self, clinic: &Clinic, pair: Pair<'_>, header: &Header) -> bool {
        if self.whole {
            return true;
        }
        let certificates = clinic.certificates_read();
        let wrote = |clinic: &ClinicId| certificates.book().belongs(&header.author, clinic);
        let theirs = self.theirs_come_home && wrote(&pair.peer);
        let ours = self.ours_go_home && wrote(&pair.own);
        let Some(rule) = self.rules.iter().find(|rule| rule.tag == header.tag) else {
            // What a clinic wrote is shared between it and the chart's home, also where it can name
            // the compartment no more.
            return theirs || ours;
        };
        let peer = rule.peer.covers(&header.epoch) || theirs;
        let own = rule.own.covers(&header.epoch) || ours;
        peer && own
    }

    fn push(&mut self, pair: Pair<'_>, feed: u64, id: &ItemId, header: &Header) {
        let rule = self.rules.iter().find(|rule| rule.tag == header.tag);
        let lane = match header.marked {
            Some(Marked::Manifest) => Lane::Provenance,
            Some(Marked::Compaction) | None => rule.map_or(Lane::Older, |rule| rule.lane),
        };
        self.digests.records.add(pair.key, id);
        self.items.push(SharedItem {
            feed,
            kind: ItemKind::Record,
            lane,
            compacts: header.marked == Some(Marked::Compaction),
        });
    }

    /// Whether our clinic may have a record; none where the compartment is not known and the record
    /// is none of ours that comes back from the chart's home.
    pub(super) fn receives(&self, clinic: &Clinic, header: &Header) -> Option<bool> {
        let certificates = clinic.certificates_read();
        let own = clinic.clinic_id();
        if self.ours_go_home && certificates.book().belongs(&header.author, &own) {
            return Some(true);
        }
        let rule = self.rules.iter().find(|rule| rule.tag == header.tag)?;
        Some(rule.own.covers(&header.epoch))
    }

    /// Whether the peer may read a compartment. What it may have of the attachments there shows in
    /// the records: who has no record with an attachment's mark does not know what to ask for.
    pub(super) fn peer_reads(&self, tag: &CompartmentTag) -> bool {
        let rule = self.rules.iter().find(|rule| rule.tag == *tag);
        rule.is_some_and(|rule| rule.peer != Access::Nothing)
    }

    /// Whether our clinic may read a compartment.
    pub(super) fn own_reads(&self, tag: &CompartmentTag) -> bool {
        let rule = self.rules.iter().find(|rule| rule.tag == *tag);
        rule.is_some_and(|rule| rule.own != Access::Nothing)
    }

    /// Whether the peer may have the item with this feed number.
    pub(super) fn has(&self, feed: u64) -> bool {
        let items = self.items.binary_search_by_key(&feed, |item| item.feed);
        items.is_ok() || self.untold.binary_search(&feed).is_ok()
    }
}

/// The compactions that open with one of these keys, with the whole of their manifests.
fn opening(found: Vec<Found>, records: &[Listed], keys: &BTreeSet<EpochId>) -> Vec<Found> {
    let opens = |id: &RecordId| {
        let record = records.iter().find(|one| one.id == *id);
        record.is_none_or(|one| keys.contains(&one.header.epoch))
    };
    let whole = |one: &Found| opens(&one.record) && one.finding.manifest.iter().all(opens);
    found.into_iter().filter(whole).collect()
}

fn lane_of(name: &CompartmentName) -> Lane {
    if *name == CompartmentName::Summary {
        Lane::Summary
    } else {
        Lane::Older
    }
}

/// The compartments of a chart by their tags.
pub(crate) fn tags(clinic: &Clinic, ledger: &Ledger) -> BTreeMap<CompartmentTag, CompartmentName> {
    let Some(secret) = clinic.chart_secret(ledger) else {
        return BTreeMap::new();
    };
    ledger
        .epochs()
        .map(|(_, epoch)| {
            (
                secret.compartment_tag(&epoch.compartment),
                epoch.compartment.clone(),
            )
        })
        .collect()
}

/// When the next grant begins or ends by itself.
pub(crate) fn next_turn(ledger: &Ledger, now_ms: u64) -> Option<u64> {
    let times = |grant: &Grant| grant.expires_ms.into_iter().chain([grant.not_before_ms]);
    let all = ledger.grants().flat_map(|(_, grant)| times(grant));
    all.filter(|at| *at > now_ms).min()
}

/// Whether a clinic keeps a chart, or has or had a grant for it.
fn had_grant(ledger: &Ledger, clinic: &ClinicId) -> bool {
    ledger.grants().any(|(_, grant)| grant.grantee == *clinic)
        || ledger
            .genesis()
            .is_some_and(|(_, genesis)| genesis.custodian == *clinic)
}

/// Whether a clinic tells everybody of a grant to itself, because it does not know who has the
/// chart.
fn tells_by_card(ledger: &Ledger, clinic: &ClinicId) -> bool {
    let mut grants = ledger.grants();
    grants.any(|(_, grant)| grant.grantee == *clinic && grant.basis == Basis::Card)
}

/// Whether a statement ends a grant to a clinic, its own or one that it stands on.
fn ends_grant_to(decision: &Decision, id: &StatementId, clinic: &ClinicId) -> bool {
    let mut theirs = decision
        .grants()
        .filter(|view| view.grant.grantee == *clinic);
    theirs.any(|view| match &view.state {
        GrantState::Revoked(by) | GrantState::FallsWithParent(by) => by.contains(id),
        GrantState::Valid | GrantState::NotYet | GrantState::Expired | GrantState::Invalid(_) => {
            false
        }
    })
}

fn grants_to(ledger: &Ledger, id: &StatementId, clinic: &ClinicId) -> bool {
    matches!(
        ledger.get(id).map(|statement| statement.body()),
        Some(Body::Grant(grant)) if grant.grantee == *clinic
    )
}
