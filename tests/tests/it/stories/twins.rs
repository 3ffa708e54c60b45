//! A clinic with two nodes: both complete, either may be lost.

use chartmesh_tests::clinic::{introduce, text};
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, bundle};

use super::{NakatoShared, SOON, grant, shared_with};
use crate::PROGRAM;

/// A clinic whose second node is running beside the first, and another clinic.
fn two_nodes_and_another() -> [Clinic; 3] {
    let [first, other] = super::running(["Hill Clinic", "River Hospital"]);
    introduce(&first, &other);
    let mut second = first.twin("Ward laptop");
    second.start();
    [first, second, other]
}

fn finds(clinic: &Clinic, words: &str) -> bool {
    let found = clinic.json(&["patient", "search", words]);
    !found.as_array().unwrap().is_empty()
}

fn register(clinic: &Clinic, given: &str, family: &str) -> String {
    let names = ["--given", given, "--family", family];
    text(&clinic.json(&[&["patient", "register"][..], &names].concat())["id"])
}

#[test]
fn two_nodes_of_a_clinic_keep_each_other_complete() {
    let [first, mut second, other] = two_nodes_and_another();
    assert_eq!(first.id(), second.id());
    // What was there before, and what is shared with nobody.
    let shared = shared_with(&first, &other);
    let alone = register(&first, "Okello", "Otim");
    wait_until("the second node to have both charts", SOON, || {
        finds(&second, "nakato") && finds(&second, "otim")
    });
    shared.note(&second, "n1", "written at the second node");
    shared.wait_for(&first, "Observation/n1");
    shared.wait_for(&other, "Observation/n1");
    assert_eq!(first.export(&alone), second.export(&alone));
    // What the second node began, the first one can give and take.
    let born = register(&second, "Grace", "Achieng");
    wait_until("the first node to have it", SOON, || {
        finds(&first, "achieng")
    });
    let granted = grant(&first, &born, &other, "all");
    wait_until("the hospital to have it", SOON, || finds(&other, "achieng"));
    let grant_id = text(&granted["grant"]);
    wait_until("the second node to have the grant", SOON, || {
        let listed = second.json(&["consent", "list", "--patient", &born]);
        listed.as_array().unwrap().len() == 1
    });
    second.ok(&[
        "consent",
        "revoke",
        &grant_id,
        "--reason",
        "no longer needed",
    ]);
    second.stop();
    assert_eq!(first.json(&["node", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn the_second_node_goes_on_when_the_first_is_lost() {
    let [mut first, second, other] = two_nodes_and_another();
    let shared = shared_with(&first, &other);
    shared.wait_for(&other, &shared.patient_key());
    shared.note(&first, "before", "written before the loss");
    shared.wait_for(&second, "Observation/before");
    // The patient's key lies there, too.
    wait_until("the second node to know the hospital", SOON, || {
        second.json(&["peer", "list"]).as_array().unwrap().len() == 2
    });
    first.kill9();
    drop(first);
    let chart = register(&second, "Peter", "Mukasa");
    grant(&second, &chart, &other, "all");
    wait_until("the hospital to have it", SOON, || finds(&other, "mukasa"));
    shared.note(&second, "after", "written after the loss");
    shared.wait_for(&other, "Observation/after");
    shared.note(&other, "answer", "and answered");
    shared.wait_for(&second, "Observation/answer");
    second.ok(&["consent", "revoke", &shared.grant, "--reason", "moved away"]);
}

#[test]
fn a_patients_pin_is_the_same_at_both_nodes() {
    let [first, second, other] = two_nodes_and_another();
    let chart = register(&first, "Ruth", "Atim");
    let pin = first.scratch().join("pin");
    std::fs::write(&pin, "271828").unwrap();
    let pin = pin.to_string_lossy();
    first.ok(&["patient", "pin", &chart, "--new-pin-file", &pin]);
    wait_until(
        "the second node to have the key under its PIN",
        SOON,
        || {
            let found = second.cli(&["--json", "patient", "show", &chart]);
            found.code == Some(0) && found.stdout.contains("\"custody\":\"pin\"")
        },
    );
    let to = other.id();
    let terms = ["--to", &to, "--compartments", "summary", "--rights", "read"];
    let mut arguments = vec!["consent", "grant", "--patient", &chart];
    arguments.extend(terms);
    second.fails(&arguments, 3);
    arguments.extend(["--pin-file", &pin]);
    second.ok(&arguments);
}

#[test]
fn two_nodes_without_a_link_keep_each_other_complete_by_stick() {
    let mut first = Clinic::create(PROGRAM, "Hill Clinic");
    first.start();
    first.stop();
    let chart = register(&first, "Amina", "Nakato");
    let second = first.twin("Outreach");
    let carry = |from: &Clinic, to: &Clinic, name: &str| {
        let node = text(&to.json(&["id"])["node_id"]);
        let file = from.scratch().join(name);
        let file = file.to_string_lossy();
        from.ok(&["sync", "export", "--peer", &node, "--out", &file]);
        to.ok(&["sync", "import", &file]);
    };
    // The second node knows the first one from the enrolment, and says who it is.
    let other = register(&second, "Okello", "Otim");
    carry(&second, &first, "one");
    carry(&first, &second, "two");
    assert!(finds(&second, "nakato") && finds(&first, "otim"));
    assert_eq!(first.export(&other), second.export(&other));
    assert_eq!(first.export(&chart), second.export(&chart));
}

#[test]
fn an_enrolment_file_is_useless_altered_late_or_without_its_code() {
    let first = Clinic::create(PROGRAM, "Hill Clinic");
    let (file, code) = first.enrolment("Ward laptop");
    let stranger = Clinic::create(PROGRAM, "Stranger");
    std::fs::remove_dir_all(stranger.dir()).unwrap();
    let refused = |file: &std::path::Path, code: &std::path::Path, exit: i32| {
        let (file, code) = (file.to_string_lossy(), code.to_string_lossy());
        let said = stranger.fails(&["init", "--enroll", &file, "--code-file", &code], exit);
        assert!(!stranger.dir().join("keys").exists());
        said
    };
    let wrong = first.scratch().join("wrong");
    std::fs::write(&wrong, "0000-0000-0000-0000").unwrap();
    assert!(refused(&file, &wrong, 3).contains("code is wrong"));
    std::fs::write(&wrong, "ward").unwrap();
    refused(&file, &wrong, 2);
    let mut bytes = std::fs::read(&file).unwrap();
    let altered = first.scratch().join("altered");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&altered, &bytes).unwrap();
    assert!(refused(&altered, &code, 1).contains("changed or cut short"));
    bytes[4] = 9;
    std::fs::write(&altered, &bytes).unwrap();
    assert!(refused(&altered, &code, 1).contains("version 9"));
    // The file shows no key, and none of the clinic's names.
    let whole = std::fs::read(&file).unwrap();
    assert!(!whole.windows(4).any(|part| part == b"Hill"));
    // With its code it is good.
    let (file, code) = (file.to_string_lossy(), code.to_string_lossy());
    stranger.ok(&["init", "--enroll", &file, "--code-file", &code]);
    assert_eq!(stranger.id(), first.id());
    assert_ne!(
        stranger.json(&["id"])["node_id"],
        first.json(&["id"])["node_id"]
    );
}

#[test]
fn an_enrolment_file_that_is_used_twice_is_told_of_loudly() {
    let mut first = Clinic::create(PROGRAM, "Hill Clinic");
    first.start();
    let (file, code) = first.enrolment("Ward laptop");
    let (file, code) = (file.to_string_lossy(), code.to_string_lossy());
    let machines = ["one", "another"].map(|name| {
        let machine = Clinic::create(PROGRAM, name);
        std::fs::remove_dir_all(machine.dir()).unwrap();
        machine.ok(&["init", "--enroll", &file, "--code-file", &code]);
        machine.ok(&["sync", "now"]);
        machine
    });
    let mut nodes = machines.each_ref().map(|machine| {
        let node = text(&machine.json(&["id"])["node_id"]);
        node[..8].to_owned()
    });
    nodes.sort();
    let [one, another] = &nodes;
    machines[0].ok(&["sync", "now"]);
    for clinic in [&first, &machines[0], &machines[1]] {
        let status = clinic.ok(&["status"]);
        let said = format!(
            "  NODES    {one} and {another} CAME FROM ONE ENROLMENT FILE (Ward laptop): somebody \
             used the file a second time. Cut off the one that you do not know: `chartmesh node \
             revoke NODE --reason ..`\n"
        );
        assert!(status.contains(&said), "{status}");
        let list = clinic.ok(&["node", "list"]);
        assert!(
            list.contains("  CAME FROM ONE ENROLMENT FILE WITH "),
            "{list}"
        );
    }
    let status = first.ok(&["status"]);
    for node in [one, another] {
        let line = format!("  Hill Clinic (Ward laptop, {node}): ");
        assert!(status.contains(&line), "{status}");
    }
    first.ok(&["node", "revoke", another, "--reason", "not known here"]);
    let status = first.ok(&["status"]);
    assert!(!status.contains("ENROLMENT"), "{status}");
}

#[test]
fn a_node_that_is_cut_off_is_let_in_nowhere_and_reads_nothing_new() {
    let [first, mut second, other] = two_nodes_and_another();
    let shared = shared_with(&first, &other);
    shared.wait_for(&second, &shared.patient_key());
    shared.note(&second, "before", "written before it was stolen");
    for clinic in [&first, &other] {
        shared.wait_for(clinic, "Observation/before");
    }
    let stolen = text(&second.json(&["id"])["node_id"]);
    let reason = "stolen from the ward";
    second.stop();
    first.fails(&["node", "revoke", "ffffffff", "--reason", reason], 4);
    let own = text(&first.json(&["id"])["node_id"]);
    first.fails(&["node", "revoke", &own, "--reason", reason], 3);
    let revoked = first.json(&["node", "revoke", &stolen, "--reason", reason]);
    assert_eq!(revoked["charts"], 1, "{revoked}");
    assert_eq!(revoked["name"], "Ward laptop");
    let listed = first.json(&["node", "list"]);
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|node| node["reason"] == reason)
    );
    // The other clinic hears of it, and neither lets the node in.
    first.sync();
    for clinic in [&first, &other] {
        let card = second.card();
        clinic.fails(&["peer", "add", &card], 3);
    }
    // What was written before stays; what it writes now reaches nobody, not even by stick.
    shared.note(&second, "forged", "written by the thief");
    let file = second.scratch().join("forged.bundle");
    let file = file.to_string_lossy();
    second.ok(&["sync", "export", "--peer", &other.id(), "--out", &file]);
    let taken = other.cli(&["--json", "sync", "import", &file]);
    assert_eq!(taken.code, Some(1), "{taken:?}");
    assert!(taken.stdout.contains("cut off"), "{taken:?}");
    let file = first.scratch().join("for-the-second.bundle");
    let for_second = file.to_string_lossy();
    other.ok(&[
        "sync",
        "export",
        "--peer",
        &first.id(),
        "--out",
        &for_second,
    ]);
    hears_that_it_was_cut_off(&mut second, reason, &for_second);
    // Both go on, under keys that the node does not have.
    shared.note(&first, "after-first", "written after the theft");
    shared.note(
        &other,
        "after-other",
        "written after the theft, at the hospital",
    );
    for clinic in [&first, &other] {
        shared.wait_for(clinic, "Observation/after-first");
        shared.wait_for(clinic, "Observation/after-other");
        assert!(shared.has(clinic, "Observation/before"));
        assert!(!shared.has(clinic, "Observation/forged"));
    }
    assert!(!shared.has(&second, "Observation/after-first"));
    assert!(same_chart(&shared, &first, &other));
    first.ok(&["consent", "verify"]);
    // A new node gets all of it.
    let mut third = first.twin("Spare laptop");
    third.start();
    shared.wait_for(&third, "Observation/after-other");
    assert!(same_chart(&shared, &third, &first));
}

/// A node learns from who turns it away that it was cut off, and says so wherever it matters.
fn hears_that_it_was_cut_off(node: &mut Clinic, reason: &str, file: &str) {
    let status = node.ok(&["status"]);
    assert!(!status.contains("CUT OFF"), "it cannot know yet: {status}");
    let said = "this node was cut off from its clinic on ";
    let what_now = "run `chartmesh node enroll` at another node of the clinic";
    let told = |text: &str| {
        assert!(text.contains(said) && text.contains(what_now), "{text}");
        assert!(text.contains(reason), "{text}");
    };
    node.start();
    wait_until("the node to hear of it", SOON, || {
        node.ok(&["status"]).contains("  CUT OFF  ")
    });
    told(&node.fails(&["sync", "now"], 3));
    node.stop();
    for arguments in [
        &["sync", "now"][..],
        &["sync", "import", file],
        &["sync", "export", "--peer", &node.id(), "--out", "none"],
        &["node", "enroll", "--name", "Another", "--out", "none"],
        &["run"],
    ] {
        told(&node.fails(arguments, 3));
    }
    let status = node.ok(&["status"]);
    told(&status);
    assert!(!status.contains(" wait"), "{status}");
    let listed = node.ok(&["node", "list"]);
    assert!(listed.contains(&format!(": {reason}\n")), "{listed}");
    // Nobody writes on without knowing that it reaches nobody.
    let written = node.cli(&["patient", "register", "--given", "Late"]);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(written.stderr.contains("WARNING"), "{written:?}");
    told(&written.stderr);
}

#[test]
fn the_remaining_nodes_of_three_read_on_when_one_is_cut_off() {
    let [first, second, other] = two_nodes_and_another();
    let mut third = first.twin("Outreach");
    third.start();
    let shared = shared_with(&first, &other);
    shared.wait_for(&third, &shared.patient_key());
    let known =
        |clinic: &Clinic, count| clinic.json(&["node", "list"]).as_array().unwrap().len() == count;
    wait_until("the third node to be known", SOON, || known(&first, 3));
    let stolen = text(&second.json(&["id"])["node_id"]);
    first.ok(&["node", "revoke", &stolen, "--reason", "lost"]);
    shared.note(&first, "after", "sealed for the key that the others have");
    shared.wait_for(&third, "Observation/after");
    shared.note(&third, "answer", "and sealed at the third node");
    shared.wait_for(&first, "Observation/answer");
    shared.wait_for(&other, "Observation/answer");
    let failed = second.cli(&["--json", "sync", "now"]);
    assert_ne!(failed.code, Some(0), "{failed:?}");
}

/// What both nodes export of a chart, in any order of entries.
fn same_chart(shared: &NakatoShared, one: &Clinic, other: &Clinic) -> bool {
    let resources = |clinic: &Clinic| bundle::resources(&clinic.export(&shared.chart));
    resources(one) == resources(other)
}

#[test]
fn both_nodes_may_write_while_they_are_apart() {
    let [mut first, mut second, other] = two_nodes_and_another();
    let shared = shared_with(&first, &other);
    shared.wait_for(&second, &shared.patient_key());
    second.stop();
    shared.note(&first, "at-first", "written while the second was off");
    first.stop();
    second.start();
    shared.note(&second, "at-second", "written while the first was off");
    first.start();
    for clinic in [&first, &second, &other] {
        shared.wait_for(clinic, "Observation/at-first");
        shared.wait_for(clinic, "Observation/at-second");
    }
    assert!(same_chart(&shared, &first, &second));
    assert!(same_chart(&shared, &first, &other));
}
