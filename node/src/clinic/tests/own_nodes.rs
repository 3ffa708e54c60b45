//! What the nodes of one clinic fetch from each other.

use super::attachments::{grant, scan, valley};
use super::relay::meet;
use super::relay_attachments::{LARGE, document};
use super::sharing::visit;
use super::*;
use crate::clinic::AttachmentState;

fn states(house: &House) -> Vec<AttachmentState> {
    let lines = house.clinic.attachments("p1", &[]).unwrap();
    lines.iter().map(|one| one.state).collect()
}

/// A node as it is configured to fetch from the others of its clinic, or not.
fn configured(house: House, all: bool) -> House {
    let mut config = house.clinic.config().clone();
    config.attachments.all_between_own_nodes = all;
    drop(Arc::try_unwrap(house.clinic).ok().unwrap());
    let clinic = Clinic::open(house.dir.path(), config, &passphrase()).unwrap();
    House {
        clinic: Arc::new(clinic),
        dir: house.dir,
    }
}

#[test]
fn a_large_scan_is_at_every_node_of_the_clinic_that_saved_it_unless_that_is_turned_off() {
    for all in [true, false] {
        let (desk, river) = valley(&scan(LARGE, 1));
        grant(&desk, &river, "all");
        let ward = configured(desk.twin("Ward laptop"), all);
        sync(&ward, &desk).unwrap();
        let expected = match all {
            true => AttachmentState::Here,
            false => AttachmentState::NotHere,
        };
        assert_eq!(states(&ward), [expected]);
        // And what the second one saves is at the first.
        ward.import(&document(&ward, "p1", "d2", &scan(LARGE, 2)));
        sync(&desk, &ward).unwrap();
        assert_eq!(states(&desk), [AttachmentState::Here; 2]);
        // To another clinic it goes when somebody asks, as before.
        sync(&desk, &river).unwrap();
        assert_eq!(states(&river), [AttachmentState::NotHere; 2]);
        // The loss of the first loses nothing.
        drop(desk);
        let text = ward.clinic.export_chart("p1", false).unwrap();
        assert_eq!(text.absent.is_empty(), all);
    }
}

#[test]
fn what_only_own_nodes_bring_is_not_asked_of_others() {
    let (desk, river) = valley(&scan(LARGE, 3));
    grant(&desk, &river, "all");
    sync(&desk, &river).unwrap();
    river.clinic.request_attachments("p1", None).unwrap();
    sync(&desk, &river).unwrap();
    assert_eq!(states(&river), [AttachmentState::Here]);
    let ward = desk.twin("Ward laptop");
    introduce(&ward, &river);
    // The records come from the desk, and the link is cut before the scan is there.
    let chart = desk.clinic.find_chart("p1").unwrap();
    let mut joined = Joined::new(&desk, &ward);
    joined.run_until(|_| {
        let looked = ward.clinic.look_for_attachments();
        looked.is_ok() && ward.clinic.wants().all().count() == 1
    });
    drop(joined);
    assert!(ward.clinic.with_chart(&chart, |_| Ok(())).is_ok());
    sync(&ward, &river).unwrap();
    assert_eq!(states(&ward), [AttachmentState::Wanted]);
    // It is still wanted after a restart, and a person may ask everybody.
    let ward = ward.reopen();
    assert_eq!(states(&ward), [AttachmentState::Wanted]);
    ward.clinic.request_attachments("p1", None).unwrap();
    sync(&ward, &river).unwrap();
    assert_eq!(states(&ward), [AttachmentState::Here]);
}

/// A person asked for it at one of them.
#[test]
fn what_one_node_fetched_of_another_clinic_is_at_the_other_nodes_too() {
    for all in [true, false] {
        let (hill, river) = valley(&scan(LARGE, 5));
        grant(&hill, &river, "all");
        sync(&hill, &river).unwrap();
        let ward = configured(river.twin("Ward laptop"), all);
        sync(&ward, &river).unwrap();
        assert_eq!(states(&ward), [AttachmentState::NotHere]);
        river.clinic.request_attachments("p1", None).unwrap();
        sync(&hill, &river).unwrap();
        // Who saved it is gone.
        drop(hill);
        meet(&river, &ward).unwrap();
        let expected = match all {
            true => AttachmentState::Here,
            false => AttachmentState::NotHere,
        };
        assert_eq!(states(&ward), [expected]);
        // It is known by then, and nothing is asked again.
        let mut joined = Joined::new(&river, &ward);
        joined.run().unwrap();
        assert!(joined.received.iter().all(|bytes| *bytes < 2_000));
    }
}

/// The scan has begun to travel when the note is written.
#[test]
fn a_visit_note_overtakes_a_scan_between_nodes_of_a_clinic() {
    let (desk, _river) = valley(&scan(6_000_000, 4));
    let ward = desk.twin("Ward laptop");
    let here = || {
        let wanted: Vec<_> = {
            let wants = ward.clinic.wants();
            let all = wants.all();
            all.map(|(name, want)| (*name, want.shape().unwrap()))
                .collect()
        };
        wanted.iter().any(|(name, shape)| {
            let blob = ward.clinic.blob(name, *shape).unwrap();
            let blob = blob.lock().unwrap();
            blob.here().count() > 20
        })
    };
    let mut joined = Joined::new(&desk, &ward);
    joined.run_until(|_| here());
    desk.import(&visit(&desk, "p1", "v1"));
    joined.tell(0, Event::NewItems);
    let has_note = || ward.clinic.export("p1", true).unwrap().contains("v1");
    joined.run_until(|_| has_note());
    assert_eq!(states(&ward), [AttachmentState::Wanted]);
    joined.run().unwrap();
    assert_eq!(states(&ward), [AttachmentState::Here]);
}
