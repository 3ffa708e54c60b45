//! Compactions by a clinic that lies: what it says is not believed, and what was written stays.

use std::collections::BTreeSet;

use chartmesh_crdt::{ActorId, Document, Resource, Stamp};
use chartmesh_protocol::identity::Signature;
use chartmesh_protocol::ledger::{CompartmentName, FrontierTip};
use chartmesh_protocol::seal::{
    Compaction, Manifest, ManifestRecord, RecordForm, UserWord, VerifiedRecord, actor_id,
    seal_compaction, seal_manifest, sign_changes,
};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{RecordId, SealedHash, Sequence};

use super::sharing::visit;
use super::*;
use crate::clinic::compact::Compartment;
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::{OpenChart, Scope};

pub(super) const CLINICAL: CompartmentName = CompartmentName::Clinical;

/// What a compaction and its manifest are made of, for a forger to change.
pub(super) struct Forgery {
    pub(super) coverage: Vec<FrontierTip>,
    pub(super) remains: Vec<ManifestRecord>,
    pub(super) certificates: BTreeSet<Vec<u8>>,
    pub(super) save: Vec<u8>,
    /// Names this as its manifest instead.
    pub(super) manifest: Option<RecordId>,
}

/// A clinic and one that writes for it, and what both wrote: three visits here, two there.
pub(super) fn two_writers() -> (House, House, String) {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    for number in 0..3 {
        home.import(&visit(&home, &id, &format!("o{number}")));
    }
    sync(&home, &away).unwrap();
    for number in 3..5 {
        away.import(&visit(&away, &id, &format!("o{number}")));
    }
    sync(&home, &away).unwrap();
    (home, away, id)
}

/// Makes a compaction at a clinic as it ought to be, but for a change, and files it there.
pub(super) fn forge(
    house: &House,
    id: &str,
    change: impl FnOnce(&mut Forgery, &OpenChart),
) -> [VerifiedRecord; 2] {
    let clinic = &house.clinic;
    let chart = id.parse().unwrap();
    let open = clinic.open_chart(&chart, Scope::Whole).unwrap();
    let one = &open.compartments[&CLINICAL];
    let records = clinic.records(&chart).unwrap();
    let records: Vec<_> = records
        .into_iter()
        .filter(|it| it.header.tag == one.tag)
        .collect();
    let secret = open.secret.as_ref().unwrap();
    let compartment = Compartment {
        chart,
        name: &CLINICAL,
        tag: one.tag,
        secret,
        ledger: &open.ledger,
        records: &records,
    };
    let found = clinic.compactions(&compartment).unwrap();
    let plan = clinic.plan(&compartment, &found, one).unwrap().unwrap();
    let mut forgery = Forgery {
        save: one.document().unwrap().save_plain(&plan.changes).unwrap(),
        coverage: plan.coverage,
        remains: plan.untold,
        certificates: plan.certificates,
        manifest: None,
    };
    change(&mut forgery, &open);
    let manifest = Manifest::of(&forgery.remains, forgery.certificates).unwrap();
    let key = open.decision.sealing_epoch(&CLINICAL).unwrap().epoch();
    let key = one.keys.get(&key).unwrap();
    let mut place = clinic.next_place(chart, one).unwrap();
    let (rng, node) = (&mut clinic.chance(), &clinic.identity.node);
    let manifest = seal_manifest(rng, &place, key, node, secret, &manifest).unwrap();
    place.sequence = place.sequence.next().unwrap();
    place.previous = manifest.id().link();
    let compaction = Compaction {
        coverage: forgery.coverage,
        manifest: vec![forgery.manifest.unwrap_or_else(|| manifest.id())],
        time: clinic.tick(),
        save: forgery.save,
    };
    let compaction = seal_compaction(rng, &place, key, node, secret, &compaction).unwrap();
    let mut draft = Draft::default();
    draft.marked_record(&manifest, RecordForm::Manifest);
    draft.marked_record(&compaction, RecordForm::Compaction);
    clinic.file(draft).unwrap();
    [manifest, compaction]
}

pub(super) fn export(house: &House, id: &str) -> String {
    house.clinic.export(id, false).unwrap()
}

pub(super) fn held(house: &House, id: &str) -> Vec<String> {
    let view = house.clinic.chart_view(id).unwrap();
    view.held.into_iter().map(|line| line.reason).collect()
}

/// Whatever one clinic forges, the others hold it, agree, and show what was written.
fn is_held_everywhere(change: impl FnOnce(&mut Forgery, &OpenChart), reason: &str) {
    let (home, away, id) = two_writers();
    let before = export(&home, &id);
    forge(&away, &id, change);
    sync(&away, &home).unwrap();
    let late = House::new("Late");
    introduce(&home, &late);
    introduce(&away, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &away).unwrap();
    sync(&away, &late).unwrap();
    sync(&home, &late).unwrap();
    for house in [&home, &away, &late] {
        assert_eq!(export(house, &id), before);
        let held = held(house, &id);
        assert!(
            held.len() == 1 && held[0].contains(reason),
            "{}: {held:?}",
            house.clinic.name()
        );
    }
}

#[test]
fn what_is_proven_by_a_true_manifest_is_read() {
    let (home, away, id) = two_writers();
    forge(&away, &id, |_, _| ());
    sync(&away, &home).unwrap();
    let late = House::new("Late");
    introduce(&home, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    assert!(held(&late, &id).is_empty());
    assert_eq!(export(&late, &id), export(&home, &id));
    let chart = id.parse().unwrap();
    assert_eq!(
        late.clinic.records(&chart).unwrap().len(),
        3,
        "what was forged is honest"
    );
}

#[test]
fn coverage_that_the_manifest_does_not_tell_of_is_not_believed() {
    is_held_everywhere(
        |forged, _| {
            let tip = &mut forged.coverage[0];
            tip.sequence = tip.sequence.next().unwrap();
        },
        "lacks a record that it covers",
    );
}

#[test]
fn a_save_that_leaves_a_change_out_is_not_believed() {
    is_held_everywhere(
        |forged, open| {
            let document = open.compartments[&CLINICAL].document().unwrap();
            let all: Vec<_> = document.history().iter().map(|entry| entry.hash).collect();
            let all = all[..all.len() - 1].iter().copied().collect();
            forged.save = document.save_plain(&all).unwrap();
        },
        "holds other changes than its records",
    );
}

#[test]
fn a_save_that_is_none_is_not_read() {
    is_held_everywhere(|forged, _| forged.save = b"no save".to_vec(), "not a save");
    // Packed, this is smaller than the chart.
    is_held_everywhere(|forged, _| forged.save = vec![0; 20_000_000], "not a save");
}

#[test]
fn a_save_with_changes_of_others_than_it_covers_is_not_read() {
    is_held_everywhere(
        |forged, _| {
            forged.coverage.remove(0);
        },
        "of a node that it does not cover",
    );
}

#[test]
fn a_manifest_with_a_forged_signature_of_a_node_proves_nothing() {
    is_held_everywhere(
        |forged, _| forged.remains[0].witness.sealed = SealedHash::new([7; 32]),
        "its author did not sign",
    );
}

#[test]
fn a_manifest_with_a_forged_signature_of_a_user_proves_nothing() {
    is_held_everywhere(
        |forged, _| {
            let word = forged.remains[0].word.as_mut().unwrap();
            word.signature = Signature::new([7; 64]);
        },
        "their user did not sign",
    );
}

#[test]
fn a_compaction_whose_manifest_never_comes_takes_nobodys_place() {
    let (home, away, id) = two_writers();
    let before = export(&home, &id);
    forge(&away, &id, |forged, _| {
        forged.manifest = Some(RecordId::new([7; 32]))
    });
    sync(&away, &home).unwrap();
    let late = House::new("Late");
    introduce(&home, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    assert_eq!(export(&late, &id), before);
    assert_eq!(
        late.clinic.chart_view(&id).unwrap().attested,
        0,
        "the records are here"
    );
    let chart = id.parse().unwrap();
    assert_eq!(late.clinic.records(&chart).unwrap().len(), 8);
}

/// A change in the name of a node, which wrote others.
pub(super) fn made_up(
    house: &House,
    open: &OpenChart,
    author: &House,
    text: &str,
) -> (Vec<u8>, [u8; 32]) {
    let tag = open.compartments[&CLINICAL].tag;
    let incarnation = author.clinic.author_incarnation();
    let actor = ActorId(actor_id(&author.clinic.node_id(), incarnation, &tag));
    let mut document = Document::new(actor);
    let json = format!(
        r#"{{"resourceType":"Observation","id":"x","status":"final","code":{{"text":"{text}"}}}}"#
    );
    document.put(&Resource::parse(&json).unwrap()).unwrap();
    let user = house.clinic.identity.user_id().to_string();
    let stamp = Stamp::new(&user, house.clinic.identity.role(), 1_700_000_000_000).unwrap();
    let change = document.commit(&stamp).unwrap().unwrap();
    let save = document.save_plain(&[change.hash].into()).unwrap();
    (save, change.hash.0)
}

#[test]
fn a_change_made_up_in_the_name_of_another_is_seen_only_until_the_manifest_is_checked() {
    let (home, away, id) = two_writers();
    let [manifest, compaction] = forge(&away, &id, |forged, open| {
        let node = home.clinic.node_id();
        forged.coverage.retain(|tip| tip.author == node);
        forged
            .remains
            .retain(|one| one.witness.header.author == node);
        forged.remains.truncate(1);
        let first = forged.remains[0].witness.id;
        forged.coverage[0].sequence = Sequence::new(0);
        forged.coverage[0].record = first;
        forged.save = made_up(&home, open, &home, "made up").0;
    });
    let late = House::new("Late");
    introduce(&home, &late);
    introduce(&away, &late);
    home.grant(&id, &late, "all", "read");
    sync(&home, &away).unwrap();
    give(&away, &late, &id, &[&compaction]);
    assert!(export(&late, &id).contains("made up"));
    assert_eq!(late.clinic.chart_view(&id).unwrap().attested, 1);
    give(&away, &late, &id, &[&manifest]);
    assert!(!export(&late, &id).contains("made up"));
    assert!(held(&late, &id)[0].contains("their user did not sign"));
    sync(&home, &late).unwrap();
    assert_eq!(export(&late, &id), export(&home, &id));
}

#[test]
fn a_lie_about_an_own_record_is_found_out_by_the_record() {
    let (home, away, id) = two_writers();
    let [manifest, compaction] = forge(&away, &id, |forged, open| other_tale(forged, open, &away));
    let late = House::new("Late");
    introduce(&home, &late);
    introduce(&away, &late);
    home.grant(&id, &late, "all", "read");
    sync(&home, &away).unwrap();
    give(&away, &late, &id, &[&compaction, &manifest]);
    assert!(export(&late, &id).contains("another tale"), "it is signed");
    sync(&away, &home).unwrap();
    sync(&home, &late).unwrap();
    for house in [&home, &away, &late] {
        assert!(!export(house, &id).contains("another tale"));
        assert!(held(house, &id)[0].contains("shows that it was not written so"));
    }
    assert_eq!(export(&late, &id), export(&home, &id));
}

/// Leaves the node's own records in a forgery, of them the first, and gives another tale for it.
pub(super) fn other_tale(forged: &mut Forgery, open: &OpenChart, liar: &House) {
    let node = liar.clinic.node_id();
    let (save, hash) = made_up(liar, open, liar, "another tale");
    forged.coverage.retain(|tip| tip.author == node);
    forged
        .remains
        .retain(|one| one.witness.header.author == node);
    forged.remains.truncate(1);
    forged.coverage[0].sequence = Sequence::new(0);
    forged.coverage[0].record = forged.remains[0].witness.id;
    let identity = &liar.clinic.identity;
    let (key, role) = (&identity.operator, identity.role());
    forged.remains[0].word = Some(UserWord {
        changes: 1,
        signature: sign_changes(key, &open.id(), role, &[hash]),
    });
    forged.save = save;
}

/// Hands records of a chart over, and of the rest only the statements.
pub(super) fn give(from: &House, to: &House, id: &str, records: &[&VerifiedRecord]) {
    let mut pair = Joined::new(from, to);
    pair.piece = 64;
    let chart = id.parse().unwrap();
    let epochs = |house: &House| house.clinic.ledger(&chart).unwrap().epochs().count();
    pair.run_until(|_| epochs(to) == epochs(from));
    let replica = Replica::open(Arc::clone(&to.clinic), from.clinic.node_id()).unwrap();
    for record in records {
        let delivery = Delivery {
            kind: ItemKind::Record,
            bytes: record.as_bytes().to_vec(),
        };
        replica.store(&[delivery]).unwrap();
    }
}
