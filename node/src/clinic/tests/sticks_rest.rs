//! What a stick need not carry: what the other holds, or has taken from a file of which only the
//! beginning was good.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::attachments::{grant, scan, valley};
use super::relay_attachments::{SMALL, carried, document, visit_all};
use super::sharing::visit;
use super::*;
use crate::clinic::{BundleWritten, BundlesRead};
use crate::control::BundleOrder;

/// Room for what no scan is in.
const WITHOUT_SCANS: u64 = 20_000;
/// A scan that does not come by itself over a link.
const LARGE: usize = 1_000_000;

struct Stick(tempfile::TempDir);

impl Stick {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, from: &House, to: &House, name: &str) -> BundleWritten {
        let order = BundleOrder {
            peer: to.clinic.node_id().to_string(),
            out: self.0.path().join(name),
            max_size: 4_000_000_000,
            everything: false,
        };
        from.clinic.export_bundle(&order, &|_| {}).unwrap()
    }

    /// Writes a file of which only so many thousandths are copied to its end.
    fn cut(&self, written: &BundleWritten, thousandths: usize) -> PathBuf {
        let file = written.files[0].clone();
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() * thousandths / 1_000]).unwrap();
        file
    }
}

fn read(at: &House, file: &Path) -> BundlesRead {
    let files = [file.to_owned()];
    at.clinic.import_bundles(&files, &|_| {}).unwrap()
}

fn carry(from: &House, to: &House, name: &str) -> BundleWritten {
    let stick = Stick::new();
    let written = stick.write(from, to, name);
    let read = read(to, &written.files[0]);
    assert_eq!(read.files[0].error, None, "{read:?}");
    written
}

fn assert_same(one: &House, other: &House, patient: &str) {
    let [one, other] = [one, other].map(|house| house.clinic.export_chart(patient, false).unwrap());
    assert!(one.text == other.text && one.absent.is_empty() && other.absent.is_empty());
}

#[test]
fn a_scan_that_came_over_a_link_goes_back_on_no_stick() {
    let content = scan(SMALL, 1);
    let (hill, river) = valley(&content);
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    assert_same(&hill, &river, "p1");
    for (from, to, note) in [(&river, &hill, "v1"), (&hill, &river, "v2")] {
        from.import(&visit(from, "p1", note));
        let written = carry(from, to, note);
        assert_eq!(written.attachments, 0, "{written:?}");
        assert!(written.bytes < WITHOUT_SCANS, "{written:?}");
    }
    assert_same(&hill, &river, "p1");
}

#[test]
fn a_scan_that_came_through_a_relay_goes_back_on_no_stick() {
    // Whoever of both writes the first stick, and whether or not there was one before.
    for before in [false, true] {
        for first in [0, 1] {
            let (coast, amina) = carried(64, SMALL);
            let [home, away] = coast.both();
            // The last one hears that the other has it.
            visit_all(&coast, &[0, 1, 0, 1, 0]);
            assert_same(home, away, &amina);
            let ends = [[home, away], [away, home]];
            if before {
                carry(ends[1 - first][0], ends[1 - first][1], "before");
            }
            for (number, [from, to]) in [ends[first], ends[1 - first]].into_iter().enumerate() {
                from.import(&visit(from, &amina, &format!("w{number}")));
                let written = carry(from, to, "stick");
                assert_eq!(written.attachments, 0, "{before} {first} {written:?}");
                assert!(written.bytes < WITHOUT_SCANS, "{written:?}");
            }
            assert_same(home, away, &amina);
        }
    }
}

#[test]
fn a_scan_that_a_third_clinic_brought_does_not_go_back_to_it() {
    let (hill, river) = valley(&scan(SMALL, 2));
    let coast = House::new("Coast Clinic");
    for house in [&hill, &river] {
        introduce(house, &coast);
    }
    grant(&hill, &river, "all");
    grant(&hill, &coast, "all");
    sync(&hill, &river).unwrap();
    sync(&river, &coast).unwrap();
    assert_same(&hill, &coast, "p1");
    coast.import(&visit(&coast, "p1", "v1"));
    let written = carry(&coast, &river, "stick");
    assert_eq!(written.attachments, 0, "{written:?}");
    // To whom nobody knows to have it, it goes.
    let east = House::new("East Clinic");
    for house in [&hill, &coast] {
        introduce(house, &east);
    }
    grant(&hill, &east, "all");
    sync(&hill, &coast).unwrap();
    assert_eq!(carry(&coast, &east, "stick").attachments, 1);
    assert_same(&hill, &east, "p1");
}

#[test]
fn the_author_of_a_scan_who_was_put_back_gets_it_again() {
    for way in [House::copy, House::rolled_back] {
        let (hill, river) = valley(b"nothing that is large");
        grant(&hill, &river, "all");
        sync(&hill, &river).unwrap();
        let old = way(&hill);
        hill.import(&document(&hill, "p1", "d2", &scan(LARGE, 3)));
        carry(&hill, &river, "there");
        drop(hill);
        for _ in 0..2 {
            carry(&old, &river, "back");
            carry(&river, &old, "there");
        }
        assert_same(&old, &river, "p1");
    }
}

#[test]
fn what_came_of_half_a_stick_counts_and_the_next_one_carries_the_rest_alone() {
    let (hill, river) = valley(&scan(LARGE, 4));
    grant(&hill, &river, "all");
    for number in 0..12 {
        hill.import(&visit(&hill, "p1", &format!("v{number}")));
    }
    let stick = Stick::new();
    for (number, thousandths) in [50, 400, 700, 900].into_iter().enumerate() {
        let written = stick.write(&hill, &river, &format!("there{number}"));
        let file = stick.cut(&written, thousandths);
        let came = read(&river, &file);
        let error = came.files[0].error.clone().unwrap();
        assert!(error.contains("cut short"), "{error}");
        assert!(error.contains("came of it"), "{error}");
        carry(&river, &hill, "back");
        let next = stick.write(&hill, &river, &format!("next{number}"));
        let rest = written.bytes * (1_000 - thousandths as u64) / 1_000;
        // A block is lost, and there is what each stick says of its sender.
        assert!(next.bytes < rest + 100_000, "{} of {rest}", next.bytes);
        if number == 3 {
            assert!(next.attachments == 1 && next.items < 3, "{next:?}");
            let whole = read(&river, &next.files[0]);
            assert_eq!(whole.files[0].error, None, "{whole:?}");
            assert_eq!(whole.missing.len(), 0);
        }
    }
    assert_same(&hill, &river, "p1");
    carry(&river, &hill, "back");
    let nothing = stick.write(&hill, &river, "nothing");
    assert_eq!((nothing.items, nothing.attachments), (0, 0));
    assert!(nothing.bytes < WITHOUT_SCANS);
}

/// Of four parts the second is lost; the others were read.
#[test]
fn a_part_that_never_came_is_all_that_the_next_stick_carries() {
    let (hill, river) = valley(b"nothing that is large");
    grant(&hill, &river, "all");
    carry(&hill, &river, "there");
    carry(&river, &hill, "back");
    for number in 0..40 {
        // Inside the records, and of one size.
        let data = STANDARD.encode(scan(15_000, number));
        hill.import(&format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"resource":{{"resourceType":"Patient","id":"p1"}}}},
            {{"resource":{{"resourceType":"Media","id":"m{number}","status":"completed",
              "subject":{{"reference":"Patient/p1"}},"content":{{"data":"{data}"}}}}}}]}}"#
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let order = BundleOrder {
        peer: river.clinic.node_id().to_string(),
        out: folder.path().join("stick"),
        max_size: 256 * 1024,
        everything: false,
    };
    let written = hill.clinic.export_bundle(&order, &|_| {}).unwrap();
    assert!(written.files.len() > 2, "{written:?}");
    let lost = std::fs::metadata(&written.files[1]).unwrap().len();
    std::fs::remove_file(&written.files[1]).unwrap();
    let files = [folder.path().to_owned()];
    let came = river.clinic.import_bundles(&files, &|_| {}).unwrap();
    assert_eq!(came.missing[0].missing, [2]);
    carry(&river, &hill, "back");
    let next = carry(&hill, &river, "rest");
    assert!(next.bytes < lost + 10_000, "{} of {lost}", next.bytes);
    assert_same(&hill, &river, "p1");
    carry(&river, &hill, "back");
    assert_eq!(carry(&hill, &river, "nothing").items, 0);
}

#[test]
fn of_a_scan_that_is_lost_the_lacking_pieces_come_with_the_next_stick() {
    let (hill, river) = valley(&scan(LARGE, 5));
    grant(&hill, &river, "all");
    carry(&hill, &river, "there");
    carry(&river, &hill, "back");
    let blobs = river.dir.path().join("blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap();
    let content = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), &content[..LARGE * 9 / 10]).unwrap();
    let river = river.reopen();
    river.clinic.request_attachments("p1", None).unwrap();
    carry(&river, &hill, "back");
    let written = carry(&hill, &river, "there");
    assert!((100_000..200_000).contains(&written.bytes), "{written:?}");
    assert_same(&hill, &river, "p1");
    carry(&river, &hill, "back");
    assert_eq!(carry(&hill, &river, "there").attachments, 0);
}
