//! A clinic with several nodes, one of which may be cut off.

use chartmesh_protocol::ledger::Body;
use chartmesh_protocol::seal::VerifiedRecord;
use chartmesh_protocol::sync::{Refusal, SyncError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::held::told;
use super::sharing::visit;
use super::*;
use crate::control::Pin;
use crate::keys::{Enrolment, EnrolmentCode};
use crate::store::Space;

impl House {
    /// Another node of the clinic, on another computer.
    pub(super) fn twin(&self, label: &str) -> Self {
        Self::joined(&self.enrolment(label))
    }

    /// An enrolment file of this clinic, opened.
    fn enrolment(&self, label: &str) -> Enrolment {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("enrolment");
        let made = self.clinic.enroll(label, &file, 1, &|_| ()).unwrap();
        let code = EnrolmentCode::parse(&made.code).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        Enrolment::open(&bytes, &code, clock::now_ms()).unwrap()
    }

    fn joined(enrolment: &Enrolment) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::default_for(&enrolment.name).unwrap();
        let cost = Cost::new(64, 1, 1).unwrap();
        Clinic::join(dir.path(), &config, &passphrase(), cost, enrolment).unwrap();
        let clinic = Clinic::open(dir.path(), config, &passphrase()).unwrap();
        Self {
            clinic: Arc::new(clinic),
            dir,
        }
    }

    fn cut_off(&self, node: &Self) -> u64 {
        let id = node.clinic.node_id().to_string();
        let revoked = self.clinic.revoke_node(&id, "stolen", &|_| ());
        revoked.unwrap().charts
    }

    fn shows(&self, id: &str, words: &str) -> bool {
        self.clinic.export(id, true).unwrap().contains(words)
    }

    fn held(&self, id: &str) -> usize {
        let view = self.clinic.chart_view(id).unwrap();
        view.held.len()
    }
}

/// A clinic with two nodes, another clinic, and a chart that all of them have.
fn three() -> ([House; 3], String) {
    let (first, other) = (House::new("Home"), House::new("Away"));
    introduce(&first, &other);
    let id = first.register("Amina");
    first.grant(&id, &other, "all", "read,write");
    let second = first.twin("Ward laptop");
    sync(&second, &first).unwrap();
    sync(&first, &other).unwrap();
    introduce(&second, &other);
    sync(&second, &other).unwrap();
    ([first, second, other], id)
}

#[test]
fn what_a_node_wrote_after_it_was_cut_off_is_held_by_who_had_taken_it_in_good_faith() {
    let ([first, second, other], id) = three();
    second.import(&visit(&second, &id, "before"));
    sync(&second, &first).unwrap();
    second.import(&visit(&second, &id, "forged"));
    assert_eq!(first.cut_off(&second), 1);
    // The other clinic has not heard of it yet.
    sync(&second, &other).unwrap();
    assert!(other.shows(&id, "forged") && other.held(&id) == 0);
    assert_eq!(told(&other), (0, 0));
    sync(&first, &other).unwrap();
    for house in [&first, &other] {
        assert!(house.shows(&id, "before"), "{}", house.clinic.name());
        assert!(!house.shows(&id, "forged"), "{}", house.clinic.name());
        assert_eq!(house.held(&id), 1, "kept, and shown apart");
        assert_eq!(told(house), (1, 1));
    }
    // Nobody lets it in any more, also while it does not know why.
    for house in [&first, &other] {
        let refused = sync(&second.copy(), house).unwrap_err();
        let revoked = CloseReason::Failed(SyncError::Refused(Refusal::PeerRevoked));
        let told = matches!(refused, CloseReason::ByPeer(_)) || refused == revoked;
        assert!(told, "{refused:?}");
    }
}

#[test]
fn a_node_that_was_cut_off_opens_nothing_that_was_written_since() {
    let ([first, second, other], id) = three();
    first.import(&visit(&first, &id, "before"));
    sync(&first, &second).unwrap();
    let chart = first.clinic.find_chart(&id).unwrap();
    let old = first.clinic.sealed_records(&chart).unwrap();
    first.cut_off(&second);
    sync(&first, &other).unwrap();
    first.import(&visit(&first, &id, "at-home"));
    other.import(&visit(&other, &id, "away"));
    sync(&first, &other).unwrap();
    let records = first.clinic.sealed_records(&chart).unwrap();
    let is_new = |one: &&_| {
        !old.iter()
            .any(|old| VerifiedRecord::id(old) == VerifiedRecord::id(one))
    };
    let new: Vec<VerifiedRecord> = records.iter().filter(is_new).cloned().collect();
    assert!(new.len() >= 2);
    assert_eq!(second.clinic.try_keys(&old).unwrap().opened, old.len());
    assert_eq!(second.clinic.try_keys(&new).unwrap().opened, 0);
    for house in [&first, &other] {
        assert!(house.shows(&id, "at-home") && house.shows(&id, "away"));
    }
    // A chart that begins later is not for it either, and a grant to the clinic is for its new key.
    let later = first.register("Grace");
    let theirs = other.register("Ruth");
    other.grant(&theirs, &first, "all", "read");
    sync(&first, &other).unwrap();
    assert!(first.shows(&theirs, "Ruth"));
    for (house, id) in [(&first, later), (&other, theirs)] {
        let chart = house.clinic.find_chart(&id).unwrap();
        let records = house.clinic.sealed_records(&chart).unwrap();
        assert_eq!(second.clinic.try_keys(&records).unwrap().opened, 0);
    }
}

#[test]
fn a_revocation_that_was_broken_off_is_finished_when_it_is_asked_for_again() {
    let ([first, second, other], id) = three();
    let reason = "stolen";
    first
        .clinic
        .cut_off(&second.clinic.node_id(), reason)
        .unwrap();
    let first = first.reopen();
    assert_eq!(first.cut_off(&second), 1);
    assert_eq!(first.cut_off(&second), 0);
    sync(&first, &other).unwrap();
    other.import(&visit(&other, &id, "after"));
    sync(&first, &other).unwrap();
    assert!(first.shows(&id, "after"));
}

#[test]
fn a_third_node_gets_the_new_key_whether_it_was_known_or_not() {
    let ([first, second, other], id) = three();
    // Enrolled by the node that is lost: the first one has never heard of it.
    let third = second.twin("Outreach");
    sync(&third, &second).unwrap();
    first.cut_off(&second);
    first.import(&visit(&first, &id, "after"));
    introduce(&third, &first);
    sync(&third, &first).unwrap();
    sync(&third, &first).unwrap();
    assert!(third.shows(&id, "after"));
    third.import(&visit(&third, &id, "by-the-third"));
    sync(&third, &first).unwrap();
    sync(&first, &other).unwrap();
    assert!(first.shows(&id, "by-the-third") && other.shows(&id, "by-the-third"));
    let refused = sync(&third, &second);
    assert!(refused.is_err(), "it has heard, too");
}

#[test]
fn a_chart_that_only_a_third_node_had_is_marked_by_that_one() {
    let ([first, second, _], _) = three();
    let third = first.twin("Outreach");
    sync(&third, &first).unwrap();
    let alone = third.register("Grace");
    first.cut_off(&second);
    sync(&third, &first).unwrap();
    sync(&third, &first).unwrap();
    let chart = first.clinic.find_chart(&alone).unwrap();
    let ended = |house: &House| house.clinic.ledger(&chart).unwrap().node_ends().count();
    assert!(ended(&third) > 0);
    assert_eq!(ended(&third), ended(&first));
}

#[test]
fn of_two_pins_set_apart_both_nodes_keep_the_later_one() {
    let ([first, second, _], id) = three();
    let pin = |digits: &str| Pin::new(digits.to_owned());
    first.clinic.set_pin(&id, &pin("111111"), None).unwrap();
    second.clinic.set_pin(&id, &pin("222222"), None).unwrap();
    sync(&first, &second).unwrap();
    let chart = first.clinic.find_chart(&id).unwrap();
    let kept = |house: &House| {
        house
            .clinic
            .store
            .get(Space::Custody, chart.as_bytes())
            .unwrap()
    };
    assert_eq!(kept(&first), kept(&second));
    let new = pin("333333");
    first
        .clinic
        .set_pin(&id, &new, Some(&pin("222222")))
        .unwrap();
}

#[test]
fn a_new_node_without_anything_gets_everything_at_its_first_session() {
    let first = House::new("Home");
    let id = first.register("Amina");
    let second = first.twin("Ward laptop");
    sync(&second, &first).unwrap();
    assert!(second.shows(&id, "Amina"));
    let chart = first.clinic.find_chart(&id).unwrap();
    assert_eq!(
        first.clinic.ledger(&chart).unwrap(),
        second.clinic.ledger(&chart).unwrap()
    );
}

#[test]
fn another_clinic_gets_no_note_of_a_clinic_to_its_nodes() {
    let ([first, second, other], id) = three();
    let house = chartmesh_protocol::ledger::house_of(&first.clinic.clinic_id());
    first.cut_off(&second);
    sync(&first, &other).unwrap();
    let notes = |clinic: &House, chart| {
        let ledger = clinic.clinic.ledger(chart).unwrap();
        let is_note = |body: &Body| matches!(body, Body::HouseNote(_));
        ledger.iter().filter(|(_, one)| is_note(one.body())).count()
    };
    let chart = first.clinic.find_chart(&id).unwrap();
    assert!(notes(&first, &house) > 0 && notes(&first, &chart) > 0);
    assert_eq!(notes(&other, &house) + notes(&other, &chart), 0);
    // And a house is no chart.
    assert_eq!(other.clinic.all_charts().unwrap().len(), 1);
    assert_eq!(first.clinic.all_charts().unwrap().len(), 1);
}

#[test]
fn a_store_whose_database_is_made_anew_still_tells_of_a_revocation() {
    let ([first, second, other], _) = three();
    first.cut_off(&second);
    first.clinic.make_shares_anew().unwrap();
    sync(&first, &other).unwrap();
    assert!(sync(&second, &other).is_err());
}

/// Which of the houses write and meet, in what order, follows from a seed.
fn play(seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let ([first, second, other], id) = three();
    let houses = [&first, &second, &other];
    let mut written = Vec::new();
    for step in 0..14 {
        match chance.random_range(0..5) {
            0..3 => {
                let at = chance.random_range(0..houses.len());
                let note = format!("note-{step}");
                houses[at].import(&visit(houses[at], &id, &note));
                written.push(note);
            }
            _ => {
                let one = chance.random_range(0..houses.len());
                let other = (one + chance.random_range(1..houses.len())) % houses.len();
                sync(houses[one], houses[other]).unwrap();
            }
        }
    }
    sync(&first, &second).unwrap();
    let known: Vec<String> = written
        .iter()
        .filter(|note| first.shows(&id, note))
        .cloned()
        .collect();
    // From here on the second node is a thief's. The other clinic may hear of it late.
    first.cut_off(&second);
    second.import(&visit(&second, &id, "forged"));
    if chance.random() {
        sync(&second, &other).unwrap();
    }
    sync(&first, &other).unwrap();
    assert!(sync(&second, &first).is_err(), "seed {seed}");
    assert!(sync(&second, &other).is_err(), "seed {seed}");
    other.import(&visit(&other, &id, "last"));
    sync(&first, &other).unwrap();
    let export = |house: &House| house.clinic.export(&id, true).unwrap();
    assert_eq!(export(&first), export(&other), "seed {seed}");
    for note in known.iter().map(String::as_str).chain(["last"]) {
        assert!(first.shows(&id, note), "seed {seed}: {note} is lost");
    }
    assert!(!first.shows(&id, "forged"), "seed {seed}");
    assert_eq!(first.held(&id), other.held(&id), "seed {seed}");
    for house in [&first, &other] {
        let check = house.clinic.verify_ledgers(None, &|_| ()).unwrap();
        assert_eq!(check.problems, Vec::<String>::new(), "seed {seed}");
    }
    // Nothing that was written since opens with what the thief has.
    let chart = first.clinic.find_chart(&id).unwrap();
    let records = other.clinic.sealed_records(&chart).unwrap();
    let last = records.last().cloned().unwrap();
    assert_eq!(second.clinic.try_keys(&[last]).unwrap().opened, 0);
}

#[test]
fn nodes_that_write_and_meet_at_random_agree_also_after_one_was_cut_off() {
    for seed in 0..12 {
        play(seed);
    }
}

#[test]
fn two_nodes_of_one_enrolment_file_are_noticed_at_every_node_until_one_is_cut_off() {
    let first = House::new("Home");
    first.register("Amina");
    let enrolment = first.enrolment("Ward laptop");
    let [ward, thief] = [0, 1].map(|_| House::joined(&enrolment));
    // Another file of the same name, made before any of these was known, is another one.
    let other = first.twin("Ward laptop");
    for _ in 0..2 {
        for house in [&ward, &thief, &other] {
            sync(house, &first).unwrap();
        }
    }
    let mut both = vec![ward.clinic.node_id(), thief.clinic.node_id()];
    both.sort_unstable();
    for house in [&first, &ward, &thief, &other] {
        let status = house.clinic.status(false, Vec::new()).unwrap();
        let nodes: Vec<_> = status.doubled.iter().map(|one| one.nodes.clone()).collect();
        assert_eq!(nodes, [both.clone()]);
        let lines = house.clinic.nodes().unwrap();
        for line in &lines {
            assert_eq!(line.doubles.is_empty(), !both.contains(&line.node));
        }
        // Each is listed, also at a node that never met it.
        let listed: Vec<_> = lines.iter().map(|line| line.node).collect();
        for node in &both {
            assert!(listed.contains(node), "{listed:?}");
        }
        // All of them are nodes of the clinic, to which everything goes.
        for line in house.clinic.sync_status(Vec::new()).unwrap() {
            assert!(!line.summary.contains("no patient is shared"), "{line:?}");
        }
    }
    first.cut_off(&thief);
    sync(&ward, &first).unwrap();
    for house in [&first, &ward] {
        assert_eq!(house.clinic.doubled().unwrap(), []);
    }
}

#[test]
fn nodes_of_one_clinic_are_told_apart() {
    let ([first, second, other], _) = three();
    introduce(&other, &first);
    let short = |house: &House| house.clinic.node_id().to_string()[..8].to_owned();
    let labels = |house: &House| -> Vec<Option<String>> {
        let lines = house.clinic.sync_status(Vec::new()).unwrap();
        lines.into_iter().map(|line| line.label).collect()
    };
    // A clinic with one node needs none.
    let ward = format!("Ward laptop, {}", short(&second));
    assert_eq!(labels(&first), [None, Some(ward)]);
    let office = format!("the first node, {}", short(&first));
    assert_eq!(labels(&second), [None, Some(office)]);
    let mut nodes = [&first, &second].map(|house| Some(format!("node {}", short(house))));
    nodes.sort();
    assert_eq!(labels(&other), nodes);
}

#[test]
fn a_node_that_was_cut_off_is_shown_so_by_who_turns_it_away_and_takes_in_nothing() {
    for by_its_own in [true, false] {
        let ([first, second, other], id) = three();
        first.cut_off(&second);
        sync(&first, &other).unwrap();
        assert_eq!(second.clinic.own_end(), None);
        let teller = if by_its_own { &first } else { &other };
        let shown = sync(&second, teller).unwrap_err();
        assert_ne!(shown, CloseReason::Finished);
        let end = second.clinic.own_end().unwrap();
        assert_eq!(end.reason, "stolen");
        // Neither from who has not heard of it, nor by stick, nor after a restart.
        let second = second.reopen();
        first.import(&visit(&first, &id, "after"));
        let unaware = House::new("Unaware");
        introduce(&unaware, &second);
        let before = second.clinic.status(false, Vec::new()).unwrap();
        assert_eq!(before.cut_off, Some(end.clone()));
        assert_eq!(
            sync(&second, &unaware),
            Err(CloseReason::Failed(SyncError::CutOff))
        );
        let refused = second.clinic.import_bundles(&[], &|_| ()).unwrap_err();
        assert_eq!(refused.to_string(), end.words());
        let after = second.clinic.status(false, Vec::new()).unwrap();
        assert_eq!(before.items, after.items);
        for line in after.peers {
            assert!(
                line.summary.starts_with("this node was cut off"),
                "{line:?}"
            );
        }
        let list = second.clinic.nodes().unwrap();
        let own = list.iter().find(|line| line.this).unwrap();
        assert_eq!(own.reason.as_deref(), Some("stolen"));
        // What it does not do any more it is told, too.
        let out = second.dir.path().join("file");
        assert!(second.clinic.enroll("Another", &out, 1, &|_| ()).is_err());
        let node = first.clinic.node_id().to_string();
        assert!(
            second
                .clinic
                .revoke_node(&node, "revenge", &|_| ())
                .is_err()
        );
    }
}

#[test]
fn a_word_that_a_node_was_cut_off_counts_only_with_its_clinics_signature() {
    let ([first, second, other], _) = three();
    let revocation = |of: &House, node: &House, key: &House| {
        let body = Body::NodeRevocation(chartmesh_protocol::ledger::NodeRevocation {
            clinic: of.clinic.clinic_id(),
            node: node.clinic.node_id(),
            reason: "not so".to_owned(),
            revoked_ms: clock::now_ms(),
            sealing: of.clinic.own_sealing(),
        });
        let signer = chartmesh_protocol::ledger::Signer::Clinic(&key.clinic.identity.clinic);
        body.sign(signer).map(|statement| statement.to_bytes())
    };
    let mut forged = revocation(&first, &second, &first).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    let others = revocation(&other, &second, &other).unwrap();
    let of_another = revocation(&first, &first, &first).unwrap();
    for bytes in [forged, others, of_another, Vec::new(), vec![0; 4000]] {
        let store = second.clinic.peer_store(other.clinic.node_id()).unwrap();
        store.revocation_came(&bytes).unwrap();
        assert_eq!(second.clinic.own_end(), None);
    }
    assert!(revocation(&first, &second, &other).is_err());
    sync(&second, &first).unwrap();
}
