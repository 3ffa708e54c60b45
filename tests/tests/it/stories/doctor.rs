//! Scans that a disk has forgotten: `doctor` finds them, and the others bring them back.

use std::fs;
use std::path::PathBuf;

use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};

use super::attachments::{document, fetch, list, saved, scan};
use super::{NakatoShared, SOON, running, shared_with};

const SCAN_BYTES: usize = 400_000;

fn only_file(clinic: &Clinic) -> PathBuf {
    let mut files = fs::read_dir(clinic.dir().join("blobs")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

fn is_here(clinic: &Clinic, nakato: &NakatoShared) -> bool {
    list(clinic, nakato)[0]["state"] == "here"
}

/// Damages the one scan of a clinic.
type Damage = fn(&PathBuf);

const DAMAGES: [(&str, Damage); 4] = [
    ("cut short", |file| {
        let content = fs::read(file).unwrap();
        fs::write(file, &content[..SCAN_BYTES / 2]).unwrap();
    }),
    ("altered", |file| {
        let mut content = fs::read(file).unwrap();
        content[SCAN_BYTES / 3] ^= 1;
        fs::write(file, content).unwrap();
    }),
    ("altered at its beginning", |file| {
        let mut content = fs::read(file).unwrap();
        content[3] ^= 1;
        fs::write(file, content).unwrap();
    }),
    ("gone", |file| fs::remove_file(file).unwrap()),
];

#[test]
fn a_scan_that_is_damaged_or_gone_is_found_and_fetched_again_from_who_has_it() {
    let [mut hill, mut river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    let content = scan(SCAN_BYTES, 7);
    nakato.put(&hill, &document(&nakato, "d1", &content));
    hill.sync();
    nakato.wait_for(&river, "DocumentReference/d1");
    fetch(&river, &nakato, 0);
    hill.sync();
    // Who fetched it loses it, and then who saved it.
    for lost_at_home in [false, true] {
        for (what, damage) in DAMAGES {
            let (loser, name) = match lost_at_home {
                false => (&mut river, "Hill Clinic"),
                true => (&mut hill, "River Hospital"),
            };
            damage(&only_file(loser));
            // While the node runs, too.
            let output = loser.cli(&["doctor"]);
            assert_eq!(output.code, Some(6), "{what}: {output:?}");
            let patient = &nakato.chart[..8];
            let problem = format!(
                "PROBLEM 1 attachment of patient {patient} is damaged or gone here; {name} can \
                 bring it"
            );
            assert!(output.stdout.contains(&problem), "{what}: {output:?}");
            assert!(output.stdout.contains("doctor --repair"), "{output:?}");
            loser.stop();
            let output = loser.cli(&["doctor", "--repair"]);
            assert_eq!(output.code, Some(0), "{what}: {output:?}");
            let done = match what {
                "altered at its beginning" => "1 attachment is whole again",
                _ => "1 attachment is asked for again",
            };
            assert!(output.stderr.contains(done), "{what}: {output:?}");
            let log = fs::read_to_string(loser.log_file()).unwrap();
            assert!(!log.contains("Nakato") && !output.stderr.contains("Nakato"));
            loser.start();
            wait_until("the scan to be back", SOON, || is_here(loser, &nakato));
            assert_eq!(saved(loser, &nakato, "DocumentReference/d1"), content);
            loser.ok(&["doctor"]);
        }
    }
}

#[test]
fn a_scan_that_nobody_fetched_yet_is_nothing_that_is_lost() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    nakato.put(&hill, &document(&nakato, "d1", &scan(SCAN_BYTES, 8)));
    hill.sync();
    nakato.wait_for(&river, "DocumentReference/d1");
    let output = river.cli(&["doctor"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("as it should be"), "{output:?}");
}
