//! Scans that only one node had, and that are gone with its data folder: what is said of them.

use super::attachments::{grant, scan, valley};
use super::relay::{Coast, meet};
use super::relay_attachments::{LARGE, document};
use super::sharing::visit;
use super::told::line;
use super::*;
use crate::clinic::{Absent, AttachmentLine, AttachmentState};

const RIVER: &str = "River Hospital";

/// The clinic whose data folder was put back as it was before a scan was saved, and the clinic that
/// has the record of the scan.
fn put_back(fetched: bool) -> (House, House, String) {
    let (hill, river) = valley(b"nothing that is large");
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    let old = hill.copy();
    let file = document(&hill, "p1", "d2", &scan(LARGE, 21));
    hill.import(&file);
    sync(&hill, &river).unwrap();
    if fetched {
        river.clinic.request_attachments("p1", None).unwrap();
        sync(&hill, &river).unwrap();
        assert_eq!(lines(&river)[0].state, AttachmentState::Here);
    }
    sync(&old, &river).unwrap();
    (old, river, file)
}

fn lines(house: &House) -> Vec<AttachmentLine> {
    house.clinic.attachments("p1", &[]).unwrap()
}

fn absent(house: &House) -> Absent {
    lines(house).remove(0).absent.unwrap()
}

#[test]
fn a_scan_that_was_saved_after_the_backup_is_missed_and_nobody_is_said_to_have_it() {
    let (hill, river, file) = put_back(false);
    assert_eq!(line(&hill, &river).attachments, 1);
    let without = "has everything that you saved, but for 1 attachment that it is not known to \
                   have;";
    let said = line(&hill, &river).summary;
    assert!(said.starts_with(without), "{said}");
    // River was asked in the same session, and has answered.
    {
        let hill = hill.reopen();
        let here = absent(&hill);
        assert!(here.missing);
        assert!(here.waits_for.is_empty());
        assert!(here.lacking.contains(RIVER));
        let awaited = hill.clinic.awaited(&[]).unwrap();
        assert_eq!(awaited.own_missing.attachments, 1);
        let health = hill.clinic.check(&|_| ()).unwrap();
        assert!(health.healthy);
        assert_eq!(health.attachments_missing.attachments, 1);
        // Neither is said to wait for the other any more.
        river.clinic.request_attachments("p1", None).unwrap();
        hill.clinic.request_attachments("p1", None).unwrap();
        sync(&hill, &river).unwrap();
        let there = absent(&river);
        assert!(there.is_nowhere() && !there.missing);
        assert!(there.lacking.contains("Hill Clinic"));
        let awaited = river.clinic.awaited(&[]).unwrap();
        assert_eq!((awaited.attachments, awaited.nowhere.attachments), (0, 1));
        let awaited = hill.clinic.awaited(&[]).unwrap();
        assert_eq!(
            (awaited.attachments, awaited.own_missing.attachments),
            (0, 1)
        );
        // The file that it came from brings it back, and to the other clinic.
        hill.import(&file);
        assert_eq!(lines(&hill)[0].state, AttachmentState::Here);
        assert!(hill.clinic.awaited(&[]).unwrap().own_missing.is_nothing());
        sync(&hill, &river).unwrap();
        assert_eq!(lines(&river)[0].state, AttachmentState::Here);
        assert!(river.clinic.awaited(&[]).unwrap().nowhere.is_nothing());
        assert_eq!(line(&hill, &river).attachments, 0);
    }
}

#[test]
fn a_scan_that_another_clinic_fetched_is_known_to_be_there_and_comes_back() {
    let (hill, river, _) = put_back(true);
    assert_eq!(line(&hill, &river).attachments, 0);
    let here = absent(&hill);
    assert!(!here.missing && here.waits_for.contains(RIVER));
    assert!(hill.clinic.awaited(&[]).unwrap().own_missing.is_nothing());
    hill.clinic.request_attachments("p1", None).unwrap();
    sync(&hill, &river).unwrap();
    assert_eq!(lines(&hill)[0].state, AttachmentState::Here);
}

#[test]
fn a_scan_of_which_only_a_part_came_back_is_missed_like_one_that_is_gone() {
    let (hill, river) = valley(&scan(LARGE, 25));
    grant(&hill, &river, "all");
    let blobs = hill.dir.path().join("blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap();
    let content = std::fs::read(file.path()).unwrap();
    for damage in 0..3 {
        let mut part = content.clone();
        match damage {
            0 => part.truncate(LARGE / 2),
            1 => part[LARGE / 3] ^= 1,
            _ => {}
        }
        std::fs::write(file.path(), part).unwrap();
        let hill = hill.copy();
        let status = hill.clinic.awaited(&[]).unwrap().own_missing;
        assert_eq!(status.attachments, u64::from(damage == 0), "{damage}");
        // `doctor` reads all of it.
        let health = hill.clinic.check(&|_| ()).unwrap();
        let missing = health.attachments_missing.attachments;
        assert_eq!(missing, u64::from(damage < 2), "{damage}");
    }
}

#[test]
fn whom_nobody_has_asked_may_have_it() {
    let (hill, river, _) = put_back(false);
    let known = river.clinic.node_id();
    hill.clinic.forget_attachments_held(&known).unwrap();
    let here = absent(&hill);
    assert!(here.missing && here.lacking.is_empty());
    assert!(here.waits_for.contains(RIVER));
}

/// It wrote in the chart, too, and it wrote a title into the document of the other.
#[test]
fn what_another_clinic_saved_is_not_missed_as_ones_own() {
    let (hill, river) = valley(&scan(LARGE, 22));
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    river.import(&visit(&river, "p1", "v1"));
    let bundle = river.clinic.export("p1", false).unwrap();
    river.import(&bundle.replace("\"current\"", "\"superseded\""));
    sync(&hill, &river).unwrap();
    for house in [&hill, &river] {
        assert!(house.clinic.awaited(&[]).unwrap().own_missing.is_nothing());
    }
    assert_eq!(line(&river, &hill).attachments, 0);
    assert_eq!(line(&hill, &river).attachments, 1);
    assert_eq!(lines(&river)[0].absent, None);
}

#[test]
fn a_scan_that_is_fetched_in_a_later_session_is_known_to_be_there_at_its_end() {
    let (hill, river) = valley(&scan(LARGE, 23));
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    assert_eq!(line(&hill, &river).attachments, 1);
    river.clinic.request_attachments("p1", None).unwrap();
    sync(&hill, &river).unwrap();
    assert_eq!(line(&hill, &river).attachments, 0);
}

/// Two that never meet, and both want what neither has.
#[test]
fn who_asks_for_a_scan_through_a_relay_is_not_said_to_bring_it() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    let old = home.copy();
    home.import(&document(home, &amina, "d1", &scan(LARGE, 24)));
    for place in [0, 1] {
        coast.visit(place).unwrap();
    }
    meet(&old, &coast.relay).unwrap();
    for house in [&old, away] {
        house.clinic.request_attachments(&amina, None).unwrap();
    }
    for house in [&old, away, &old] {
        meet(house, &coast.relay).unwrap();
    }
    let absent = |house: &House| {
        let lines = house.clinic.attachments(&amina, &[]).unwrap();
        lines[0].absent.clone().unwrap()
    };
    let here = absent(&old);
    assert!(here.missing && here.is_nowhere(), "{here:?}");
    let there = absent(away);
    assert!(!there.missing && there.is_nowhere(), "{there:?}");
}

#[test]
fn a_clinic_that_has_lost_a_scan_is_not_said_to_have_it_any_more() {
    let (hill, river, _) = put_back(true);
    assert!(!absent(&hill).missing);
    std::fs::remove_dir_all(river.dir.path().join("blobs")).unwrap();
    let river = river.reopen();
    hill.clinic.request_attachments("p1", None).unwrap();
    sync(&hill, &river).unwrap();
    let here = absent(&hill);
    assert!(here.missing && here.lacking.contains(RIVER), "{here:?}");
    assert_eq!(line(&hill, &river).attachments, 1);
    let hill = hill.reopen();
    assert_eq!(line(&hill, &river).attachments, 1);
}
