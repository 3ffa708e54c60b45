//! Clinics and a relay between them.

use super::sharing::visit;
use super::*;
use crate::clinic::peer_store::Standing;

/// What an export shows of the second visit.
const V2: &str = r#""v2""#;

/// A relay and clinics that know it and each other.
pub(super) struct Coast {
    pub(super) relay: House,
    pub(super) houses: Vec<House>,
}

impl Coast {
    pub(super) fn new(clinics: usize) -> Self {
        Self::around(House::relay(64), clinics)
    }

    fn around(relay: House, clinics: usize) -> Self {
        let houses: Vec<House> = (0..clinics).map(|n| House::new(&format!("C{n}"))).collect();
        for (place, house) in houses.iter().enumerate() {
            introduce(house, &relay);
            for other in &houses[..place] {
                introduce(house, other);
            }
        }
        Self { relay, houses }
    }

    /// Two clinics that share a chart of the first, which the relay may carry, and a relay with so
    /// much room for each, in mebibytes.
    pub(super) fn carrying(mebibytes: u32) -> (Self, String) {
        let coast = Self::around(House::relay(mebibytes), 2);
        let [home, away] = coast.both();
        let chart = home.register("Amina");
        home.grant(&chart, away, "all", "read,write");
        coast.carry(&chart);
        (coast, chart)
    }

    /// Both clinics, where there are two.
    pub(super) fn both(&self) -> [&House; 2] {
        [&self.houses[0], &self.houses[1]]
    }

    /// Three clinics, of which both others may have a chart of the first that the relay may carry:
    /// the chart and the two grants.
    pub(super) fn with_two_readers() -> (Self, String, [chartmesh_protocol::StatementId; 2]) {
        let coast = Self::new(3);
        let amina = coast.houses[0].register("Amina");
        let grants = [1, 2].map(|reader| {
            let [home, reader] = [&coast.houses[0], &coast.houses[reader]];
            let made = home.grant(&amina, reader, "all", "read,write");
            made.grant.unwrap()
        });
        coast.carry(&amina);
        (coast, amina, grants)
    }

    /// Changes a byte of pieces of mail that lie at the relay.
    pub(super) fn alter(&self, mail: Vec<(Vec<u8>, Vec<u8>)>) {
        for (key, mut value) in mail {
            let last = value.len() - 80;
            value[last] ^= 1;
            let mut batch = crate::store::Batch::new();
            batch.put(crate::store::Space::Mail, key, value);
            self.relay.clinic.store.commit(batch).unwrap();
        }
    }

    /// Lets the relay carry a chart of the first clinic.
    pub(super) fn carry(&self, patient: &str) -> GrantMade {
        self.houses[0].grant(patient, &self.relay, "all", "relay")
    }

    /// A clinic meets the relay until neither has anything more to say.
    pub(super) fn visit(&self, place: usize) -> Result<(), CloseReason> {
        meet(&self.houses[place], &self.relay)
    }

    pub(super) fn standing(&self, place: usize) -> Standing {
        let clinic = &self.houses[place].clinic;
        let store = clinic.peer_store(self.relay.clinic.node_id()).unwrap();
        store.standing()
    }

    /// Pieces of mail at the relay.
    pub(super) fn mail(&self) -> u64 {
        self.relay.clinic.relay_use().unwrap().mail
    }
}

/// Joins two nodes, and goes on with what each says after they were in sync.
pub(super) fn meet(one: &House, other: &House) -> Result<(), CloseReason> {
    let mut joined = Joined::new(one, other);
    joined.run()?;
    for _ in 0..8 {
        let before = joined.received;
        joined.tell(0, Event::NewItems);
        joined.tell(1, Event::NewItems);
        joined.run()?;
        if joined.received == before {
            return Ok(());
        }
    }
    panic!("they never come to an end")
}

fn export(house: &House, patient: &str) -> String {
    house.clinic.export(patient, false).unwrap()
}

#[test]
fn what_was_never_carried_by_hand_arrives_and_the_answer_comes_back() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v1"));
    coast.visit(0).unwrap();
    coast.visit(1).unwrap();
    assert_eq!(export(home, &amina), export(away, &amina));
    away.import(&visit(away, &amina, "v2"));
    coast.visit(1).unwrap();
    coast.visit(0).unwrap();
    assert!(export(home, &amina).contains(V2));
    assert_eq!(export(home, &amina), export(away, &amina));
    for place in 0..2 {
        assert_eq!(coast.standing(place).owed_out, 0);
        assert_eq!(coast.standing(place).withheld, 0);
    }
    // Both hold what came through the relay: a direct link has nothing to add.
    sync(home, away).unwrap();
}

#[test]
fn a_chart_that_no_grant_lets_be_carried_is_not_put() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    coast.visit(0).unwrap();
    coast.visit(1).unwrap();
    assert_eq!(coast.mail(), 0);
    assert!(away.clinic.find_chart(&amina).is_err());
}

#[test]
fn only_the_compartments_that_may_be_carried_are_and_only_to_their_readers() {
    let coast = Coast::new(3);
    let [home, ward, desk] = &coast.houses[..] else {
        panic!()
    };
    let amina = home.register("Amina");
    home.import(&visit(home, &amina, "v1"));
    home.grant(&amina, ward, "all", "read");
    home.grant(&amina, desk, "summary", "read");
    home.grant(&amina, &coast.relay, "summary", "relay");
    for place in 0..3 {
        coast.visit(place).unwrap();
    }
    assert_eq!(ward.compartments(&amina), ["summary"]);
    assert_eq!(desk.compartments(&amina), ["summary"]);
    coast.carry(&amina);
    for place in 0..3 {
        coast.visit(place).unwrap();
    }
    assert_eq!(ward.compartments(&amina), ["clinical", "summary"]);
    assert_eq!(desk.compartments(&amina), ["summary"]);
}

#[test]
fn readers_share_one_copy_of_each_record() {
    let one = Coast::new(2);
    let three = Coast::new(4);
    let mut mail = Vec::new();
    for coast in [&one, &three] {
        let home = &coast.houses[0];
        let amina = home.register("Amina");
        for reader in &coast.houses[1..] {
            home.grant(&amina, reader, "all", "read,write");
        }
        coast.carry(&amina);
        coast.visit(0).unwrap();
        let before = coast.mail();
        for number in 0..10 {
            home.import(&visit(home, &amina, &format!("v{number}")));
        }
        // The first visit makes a key for the compartment, too.
        coast.visit(0).unwrap();
        let readers = u64::try_from(coast.houses.len() - 1).unwrap();
        mail.push((coast.mail() - before, readers));
        for place in 1..coast.houses.len() {
            coast.visit(place).unwrap();
            assert_eq!(export(home, &amina), export(&coast.houses[place], &amina));
        }
        // A reader that has fetched all of it has nothing to put.
        assert_eq!(coast.standing(1).owed_out, 0);
    }
    let [(few, _), (many, readers)] = mail[..] else {
        panic!()
    };
    // What each reader adds is a statement with its certificates and a beacon, not ten records.
    assert!(many < few + (readers - 1) * 6, "{few} and {many}");
}

#[test]
fn a_revoked_clinic_has_no_way_into_what_is_written_later() {
    let coast = Coast::new(3);
    let [home, away, stays] = &coast.houses[..] else {
        panic!()
    };
    let amina = home.register("Amina");
    let grant = home.grant(&amina, away, "all", "read,write");
    home.grant(&amina, stays, "all", "read,write");
    coast.carry(&amina);
    home.import(&visit(home, &amina, "v1"));
    for place in 0..3 {
        coast.visit(place).unwrap();
    }
    let id = grant.grant.unwrap().to_string();
    home.clinic.revoke(&id, "moved away", None).unwrap();
    home.import(&visit(home, &amina, "v2"));
    for place in [0, 1, 2, 1] {
        coast.visit(place).unwrap();
    }
    assert!(export(stays, &amina).contains(V2));
    assert!(!export(away, &amina).contains(V2));
    // Not even as something that it cannot open.
    let chart = away.clinic.find_chart(&amina).unwrap();
    let theirs = away.clinic.records(&chart).unwrap().len();
    let ours = home.clinic.records(&chart).unwrap().len();
    assert!(theirs < ours, "{theirs} of {ours}");
    let view = away.clinic.grants(None).unwrap();
    assert!(view.iter().any(|line| line.state == "revoked"), "{view:?}");
}

#[test]
fn a_relay_that_may_carry_no_more_gets_nothing_new_and_forgets() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    let carried = coast.carry(&amina).grant.unwrap().to_string();
    for number in 0..5 {
        home.import(&visit(home, &amina, &format!("w{number}")));
    }
    coast.visit(0).unwrap();
    coast.visit(1).unwrap();
    let before = coast.mail();
    home.clinic.revoke(&carried, "another relay", None).unwrap();
    home.import(&visit(home, &amina, "v1"));
    coast.visit(0).unwrap();
    // The other clinic hears of it when they meet; then nobody fetches the records any more.
    sync(home, away).unwrap();
    coast.visit(1).unwrap();
    assert!(coast.mail() < before, "{} of {before}", coast.mail());
    for place in [0, 1, 0, 1] {
        coast.visit(place).unwrap();
    }
}

#[test]
fn a_relay_that_lost_its_store_is_given_everything_again() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    coast.visit(0).unwrap();
    let old = coast.relay.copy();
    home.import(&visit(home, &amina, "v1"));
    coast.visit(0).unwrap();
    coast.visit(1).unwrap();
    // As it was before, and it does not know it.
    let place = |at: usize| meet(&coast.houses[at], &old);
    away.import(&visit(away, &amina, "v2"));
    // Whoever was told more of the relay's feed says so, and both begin anew.
    for at in [0, 0, 1, 1, 0] {
        let _ = place(at);
    }
    for at in [0, 1] {
        place(at).unwrap();
    }
    assert!(export(home, &amina).contains(V2));
    assert_eq!(export(home, &amina), export(away, &amina));
}

#[test]
fn a_clinic_put_back_from_a_backup_fetches_what_it_lost() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    coast.visit(0).unwrap();
    coast.visit(1).unwrap();
    let old = away.copy();
    for number in 0..3 {
        home.import(&visit(home, &amina, &format!("v{number}")));
        coast.visit(0).unwrap();
        coast.visit(1).unwrap();
    }
    for _ in 0..2 {
        let _ = meet(&old, &coast.relay);
    }
    meet(&old, &coast.relay).unwrap();
    assert_eq!(export(home, &amina), export(&old, &amina));
}

#[test]
fn a_clinic_may_put_no_more_than_its_room() {
    let (coast, _) = Coast::carrying(0);
    let refused = coast.visit(0).unwrap_err();
    assert_eq!(refused, CloseReason::ByPeer(CloseCode::QuotaUsed));
    let used = coast.relay.clinic.relay_use().unwrap();
    assert_eq!((used.mail, used.clinics[0].bytes), (0, 0), "{used:?}");
    // It goes on fetching, and what does not fit waits.
    coast.visit(0).unwrap();
    let standing = coast.standing(0);
    assert!(standing.is_full && standing.owed_out > 0, "{standing:?}");
    coast.visit(1).unwrap();
}

#[test]
fn it_is_told_what_of_that_which_waits_lies_at_a_relay() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    let told = || {
        let lines = home.clinic.sync_status(Vec::new()).unwrap();
        let line = lines.iter().find(|line| line.node == away.clinic.node_id());
        line.unwrap().summary.clone()
    };
    assert!(!told().contains("at Relay"), "{}", told());
    coast.visit(0).unwrap();
    assert!(told().contains("; it lies at Relay"), "{}", told());
    home.import(&visit(home, &amina, "v1"));
    assert!(told().contains("; 1 of them lies at Relay"), "{}", told());
    assert!(!told().contains("all of them"), "{}", told());
}

#[test]
fn a_relay_is_not_blamed_for_what_it_forgot_when_its_authors_right_ended() {
    let (mut coast, amina, grants) = Coast::with_two_readers();
    for place in [0, 1, 2] {
        coast.visit(place).unwrap();
    }
    let before = coast.relay.copy();
    // Under a key that it makes: nobody else fetches from that box yet.
    let gone = &coast.houses[2];
    gone.import(&visit(gone, &amina, "v1"));
    coast.visit(2).unwrap();
    // The relay is put back. What the third puts again lies there until it hears of its end.
    coast.relay = before;
    let id = grants[1].to_string();
    let home = &coast.houses[0].clinic;
    home.revoke(&id, "moved away", None).unwrap();
    for place in [0, 2, 0, 1, 0] {
        let tries = (0..4).any(|_| coast.visit(place).is_ok());
        assert!(tries, "clinic {place}");
        assert_eq!(coast.standing(place).withheld, 0, "clinic {place}");
    }
}
