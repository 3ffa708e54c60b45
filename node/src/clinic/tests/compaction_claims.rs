//! What a compaction only claims hides nothing that others tell, and is not passed on as known.

use std::collections::BTreeSet;

use chartmesh_protocol::ledger::{FrontierTip, Ledger};
use chartmesh_protocol::seal::VerifiedRecord;
use chartmesh_protocol::{RecordId, Sequence};

use super::compaction_forged::{
    CLINICAL, export, forge, give, held, made_up, other_tale, two_writers,
};
use super::sharing::visit;
use super::*;
use crate::clinic::compact::{Compartment, State};
use crate::clinic::open_chart::Scope;
use crate::clinic::records::Listed;
use crate::store::{Batch, Space};

/// A record that nobody wrote.
const NOBODYS: RecordId = RecordId::new([0xff; 32]);

/// A reader of the chart who has none of its records yet.
fn late_reader(home: &House, away: &House, id: &str) -> House {
    let late = House::new("Late");
    introduce(home, &late);
    introduce(away, &late);
    home.grant(id, &late, "all", "read,write,share");
    sync(home, away).unwrap();
    late
}

/// All five visits are shown, and none that nobody made.
fn shows_what_was_written(house: &House, id: &str) {
    let shown = export(house, id);
    for number in 0..5 {
        assert!(shown.contains(&format!(r#""id":"o{number}""#)), "{shown}");
    }
    assert!(!shown.contains("made up") && !shown.contains("another tale"));
}

fn tips(house: &House, id: &str) -> Vec<FrontierTip> {
    let chart = id.parse().unwrap();
    let open = house.clinic.open_chart(&chart, Scope::Keys).unwrap();
    open.compartments[&CLINICAL].seen().to_vec()
}

#[test]
fn a_compaction_that_claims_to_cover_everything_hides_no_other() {
    let (home, away, id) = two_writers();
    let honest = forge(&home, &id, |_, _| ());
    let [_, false_one] = forge(&away, &id, |forged, open| {
        for tip in &mut forged.coverage {
            tip.sequence = Sequence::new(1_000_000);
            tip.record = NOBODYS;
        }
        forged.save = made_up(&away, open, &away, "made up").0;
        forged.manifest = Some(NOBODYS);
    });
    let late = late_reader(&home, &away, &id);
    give(&home, &late, &id, &[&false_one]);
    assert!(export(&late, &id).contains("made up"));
    give(&home, &late, &id, &[&honest[0], &honest[1]]);
    shows_what_was_written(&late, &id);
    // And so it is when it comes last, and the document was kept before.
    let late = late_reader(&home, &away, &id);
    give(&home, &late, &id, &[&honest[0], &honest[1]]);
    shows_what_was_written(&late, &id);
    give(&home, &late, &id, &[&false_one]);
    shows_what_was_written(&late, &id);
    let late = late.reopen();
    shows_what_was_written(&late, &id);
}

#[test]
fn an_attested_compaction_beside_one_with_less_hides_nothing_of_it() {
    let (home, away, id) = two_writers();
    // Neither manifest comes; what the two say is not in contradiction.
    let [_, honest] = forge(&home, &id, |_, _| ());
    let [_, hollow] = forge(&away, &id, |forged, open| {
        for tip in &mut forged.coverage {
            tip.sequence = Sequence::new(1_000_000);
            tip.record = NOBODYS;
        }
        // All but the newest.
        let document = open.compartments[&CLINICAL].document().unwrap();
        let all: Vec<_> = document.history().iter().map(|one| one.hash).collect();
        let first = all[..1].iter().copied().collect();
        forged.save = document.save_plain(&first).unwrap();
    });
    let late = late_reader(&home, &away, &id);
    give(&home, &late, &id, &[&honest, &hollow]);
    shows_what_was_written(&late, &id);
}

#[test]
fn proven_compactions_that_tell_different_tales_are_seen_to() {
    let (home, away, id) = two_writers();
    let [part, honest] = forge(&home, &id, |_, _| ());
    let [false_part, false_one] = forge(&away, &id, |forged, open| other_tale(forged, open, &away));
    let late = late_reader(&home, &away, &id);
    give(
        &home,
        &late,
        &id,
        &[&honest, &part, &false_one, &false_part],
    );
    shows_what_was_written(&late, &id);
    assert_eq!(held(&late, &id).len(), 1, "{:?}", held(&late, &id));
    sync(&home, &late).unwrap();
    assert_eq!(export(&late, &id), export(&home, &id));
    assert!(held(&late, &id)[0].contains("shows that it was not written so"));
}

#[test]
fn what_is_only_claimed_to_be_covered_is_not_named_in_a_revocation() {
    let (home, away, id) = two_writers();
    let before = tips(&home, &id);
    let [_, claims] = forge(&away, &id, |forged, _| {
        for tip in &mut forged.coverage {
            tip.sequence = tip.sequence.next().unwrap();
            tip.record = NOBODYS;
        }
        forged.manifest = Some(NOBODYS);
    });
    sync(&away, &home).unwrap();
    let after = tips(&home, &id);
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|tip| tip.record != NOBODYS));
    assert!(after.iter().any(|tip| tip.record == claims.id()));
}

#[test]
fn a_false_name_for_a_nodes_newest_record_is_not_built_on() {
    let (home, away, id) = two_writers();
    let node = home.clinic.node_id();
    forge(&away, &id, |forged, _| {
        for tip in forged.coverage.iter_mut().filter(|tip| tip.author == node) {
            tip.record = NOBODYS;
        }
        forged.manifest = Some(NOBODYS);
    });
    sync(&away, &home).unwrap();
    home.import(&visit(&home, &id, "after"));
    sync(&away, &home).unwrap();
    for house in [&home, &away] {
        assert!(export(house, &id).contains("after"));
        assert!(held(house, &id).is_empty(), "{:?}", held(house, &id));
    }
}

#[test]
fn a_record_whose_key_comes_late_is_compared_when_it_has_come() {
    let (home, away, id) = two_writers();
    let [_, lie] = forge(&away, &id, |forged, open| other_tale(forged, open, &away));
    sync(&away, &home).unwrap();
    let chart = id.parse().unwrap();
    let open = home.clinic.open_chart(&chart, Scope::Whole).unwrap();
    let tag = open.compartments[&CLINICAL].tag;
    let records = home.clinic.records(&chart).unwrap();
    let mine = records.into_iter().filter(|one| one.header.tag == tag);
    let mine: Vec<Listed> = mine.collect();
    let found_with = |ledger: &Ledger| {
        let compartment = Compartment {
            chart,
            name: &CLINICAL,
            tag,
            secret: open.secret.as_ref().unwrap(),
            ledger,
            records: &mine,
        };
        let found = home.clinic.compactions(&compartment).unwrap();
        found
            .into_iter()
            .find(|one| one.record == lie.id())
            .unwrap()
    };
    let against = |ledger: &Ledger| match found_with(ledger).finding.state {
        State::Proven(proof) => proof.against.len(),
        state @ (State::Attested | State::Faulty(_)) => panic!("{state:?}"),
    };
    assert_eq!(against(&open.ledger), 1);
    // As it is found where the keys of the records are not here yet.
    let mut finding = found_with(&open.ledger).finding;
    if let State::Proven(proof) = &mut finding.state {
        proof.compared = 0;
        proof.against = Vec::new();
    }
    let record = lie.id();
    let key = [
        chart.as_bytes().as_slice(),
        tag.as_bytes(),
        record.as_bytes(),
    ]
    .concat();
    let mut batch = Batch::new();
    batch.put(Space::Compactions, key, minicbor::to_vec(&finding).unwrap());
    home.clinic.store.commit(batch).unwrap();
    assert_eq!(against(&Ledger::new(chart)), 0);
    home.clinic.flush().unwrap();
    assert_eq!(against(&open.ledger), 1);
}

#[test]
fn records_and_compactions_in_any_order_and_twice_give_the_same_bytes() {
    let (home, away, id) = two_writers();
    let [part, honest] = forge(&home, &id, |_, _| ());
    let [false_part, lie] = forge(&away, &id, |forged, open| other_tale(forged, open, &away));
    let [_, hollow] = forge(&away, &id, |forged, _| {
        for tip in &mut forged.coverage {
            tip.sequence = Sequence::new(1_000_000);
            tip.record = NOBODYS;
        }
        forged.manifest = Some(NOBODYS);
    });
    let chart = id.parse().unwrap();
    let open = home.clinic.open_chart(&chart, Scope::Whole).unwrap();
    let tag = open.compartments[&CLINICAL].tag;
    let records = home.clinic.records(&chart).unwrap();
    let mine = records.iter().filter(|one| one.header.tag == tag);
    let mine = mine.filter(|one| one.header.marked.is_none());
    let mine: Vec<_> = mine
        .map(|one| home.clinic.record(&chart, &one.id).unwrap())
        .collect();
    let mut all: Vec<&VerifiedRecord> = vec![&lie, &false_part, &honest, &part, &hollow];
    all.extend(&mine);
    let mut outcomes = BTreeSet::new();
    for turn in 0..4 {
        let late = late_reader(&home, &away, &id);
        all.rotate_left(turn * 3);
        all.reverse();
        for one in &all {
            give(&home, &late, &id, &[*one]);
            // What is kept on the way must not decide.
            export(&late, &id);
        }
        give(&home, &late, &id, &all);
        let open = late.clinic.open_chart(&chart, Scope::Whole).unwrap();
        let document = open.compartments[&CLINICAL].document().unwrap();
        let changes = document.history().iter().map(|one| one.hash).collect();
        shows_what_was_written(&late, &id);
        let mut held = held(&late, &id);
        held.sort_unstable();
        outcomes.insert((
            document.save_plain(&changes).unwrap(),
            export(&late, &id),
            held,
        ));
    }
    assert_eq!(outcomes.len(), 1);
}
