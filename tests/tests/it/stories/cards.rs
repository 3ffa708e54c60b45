//! Who a clinic is, and whom it talks to.

use chartmesh_tests::clinic::text;
use chartmesh_tests::{Clinic, introduce};

use super::running;
use crate::PROGRAM;

#[test]
fn a_running_node_says_where_it_is_and_stops_saying_so() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    assert!(clinic.run_file().is_none());
    clinic.start();
    let file = clinic.run_file().unwrap();
    let own = clinic.json(&["id"]);
    assert_eq!(file["node_id"], own["node_id"]);
    assert_eq!(file["pid"], clinic.daemon().unwrap().id());
    let listen: Vec<String> = file["listen"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    assert_eq!(listen.len(), 2, "{file}");
    assert!(listen.iter().any(|address| address.ends_with("/quic-v1")));
    assert!(
        listen.iter().all(|address| !address.contains("/0")),
        "{file}"
    );
    assert_eq!(own["addresses"], file["listen"]);
    let http: std::net::SocketAddr = text(&file["http"]).parse().unwrap();
    std::net::TcpStream::connect(http).expect("the web server answers");
    clinic.stop();
    assert!(clinic.run_file().is_none());
}

#[test]
fn id_tells_everything_that_another_clinic_needs() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let own = clinic.json(&["id"]);
    let mut fields: Vec<&str> = own
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    let expected = [
        "addresses",
        "card",
        "clinic_id",
        "name",
        "node_id",
        "sealing_key",
    ];
    assert_eq!(fields, expected);
    assert_eq!(own["name"], "Hill Clinic");
    for field in ["clinic_id", "node_id", "sealing_key"] {
        assert_eq!(text(&own[field]).len(), 64, "{field}");
    }
    let card = text(&own["card"]);
    assert_eq!(card.lines().count(), 1);
    assert_eq!(card, clinic.card());
}

#[test]
fn a_card_is_taken_as_text_or_file_and_gives_what_id_gave() {
    let [a, b] = running(["Hill Clinic", "River Hospital"]);
    let file = b.scratch().join("hill.card");
    std::fs::write(&file, format!("{}\n", a.card())).unwrap();
    let added = b.json(&["peer", "add", file.to_str().unwrap()]);
    let own = a.json(&["id"]);
    assert_eq!(added["clinic"], own["clinic_id"]);
    assert_eq!(added["node"], own["node_id"]);
    assert_eq!(added["addresses"], own["addresses"]);
    introduce(&a, &b);
    let listed = b.json(&["peer", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    b.ok(&["peer", "remove", &a.id()[..8]]);
    assert_eq!(b.json(&["peer", "list"]), serde_json::json!([]));
}

#[test]
fn a_card_with_any_character_changed_is_refused() {
    let [a] = running(["Hill Clinic"]);
    let b = Clinic::create(PROGRAM, "River Hospital");
    let card = b.card();
    let body = card.rfind(':').unwrap() + 1;
    // Some in the head, some in each part behind it, and the last ones: the signature's end.
    let places = (0..body).chain((body..card.len()).step_by(29));
    for place in places.chain([card.len() - 2]) {
        let mut bytes = card.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        let said = a.fails(&["peer", "add", &forged], 2);
        assert!(!said.contains("panic"), "{place}: {said}");
    }
    for cut in [0, 1, body, card.len() / 2, card.len() - 1] {
        a.fails(&["peer", "add", &card[..cut]], 2);
    }
    assert_eq!(a.json(&["peer", "list"]), serde_json::json!([]));
    a.ok(&["peer", "add", &card]);
}

#[test]
fn a_card_made_before_the_first_run_names_the_addresses_that_are_certain() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    std::fs::remove_dir_all(clinic.dir()).unwrap();
    let certain = "/ip4/192.0.2.7/udp/4001/quic-v1";
    let mut arguments = vec!["init", "--name", "Hill Clinic"];
    for address in [certain, "/ip4/0.0.0.0/tcp/4001", "/ip4/192.0.2.7/tcp/0"] {
        arguments.extend(["--listen", address]);
    }
    let card = clinic.json(&arguments);
    assert_eq!(card["addresses"], serde_json::json!([certain]));
    assert_eq!(clinic.json(&["id"])["addresses"], card["addresses"]);
}

/// What a command that did what it was asked to says on standard error.
fn warned(clinic: &Clinic, arguments: &[&str]) -> String {
    let output = clinic.cli(arguments);
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stderr
}

/// A clinic whose node has never run, and that knows no address of its own.
fn without_address(name: &str) -> Clinic {
    let clinic = Clinic::create(PROGRAM, name);
    std::fs::remove_dir_all(clinic.dir()).unwrap();
    let listen = ["--listen", "/ip4/0.0.0.0/tcp/0"];
    clinic.ok(&[&["init", "--name", name][..], &listen].concat());
    clinic
}

#[test]
fn whose_card_has_no_address_is_said_at_once_how_the_two_meet() {
    let (hill, river) = (without_address("Hill Clinic"), without_address("River"));
    let said = warned(&hill, &["peer", "add", &river.card()]);
    for words in [
        "WARNING: the card has no address, so this node cannot call River",
        "River has to call this one",
        "chartmesh id --card-only",
        "mdns = true",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let reached = Clinic::create(PROGRAM, "Coast Pharmacy");
    assert_eq!(warned(&hill, &["peer", "add", &reached.card()]), "");
    // An enrolment file, where it is made and where it is read.
    let out = hill.scratch().join("ward.enrolment");
    let out = out.to_str().unwrap();
    let enroll = ["--json", "node", "enroll", "--name", "Ward", "--out", out];
    let made = hill.cli(&enroll);
    assert_eq!(made.code, Some(0), "{made:?}");
    let said = &made.stderr;
    assert!(
        said.contains("the file has no address of this node"),
        "{said}"
    );
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let code = hill.scratch().join("code");
    std::fs::write(&code, made["code"].as_str().unwrap()).unwrap();
    let code = code.to_str().unwrap();
    std::fs::remove_dir_all(river.dir()).unwrap();
    let init = ["init", "--enroll", out, "--code-file", code];
    let as_relay = river.fails(&[&init[..], &["--role", "relay"]].concat(), 2);
    assert!(as_relay.contains("no relay"), "{as_relay}");
    assert!(!river.dir().exists());
    let said = warned(&river, &init);
    assert!(
        said.contains("no address of the clinic's other node"),
        "{said}"
    );
    assert!(said.contains("mdns = true"), "{said}");
}

#[test]
fn two_clinics_of_one_name_are_told_apart_wherever_they_are_named() {
    let [hill, one, other] =
        ["Hill Clinic", "St Mary", "st mary "].map(|name| Clinic::create(PROGRAM, name));
    assert_eq!(warned(&hill, &["peer", "add", &one.card()]), "");
    let said = warned(&hill, &["peer", "add", &other.card()]);
    let [first, second] = [&one, &other].map(|clinic| clinic.id()[..8].to_owned());
    let words = format!("clinic {first} has the same name");
    assert!(said.contains(&words), "{said}");
    let (first, second) = (format!("St Mary ({first})"), format!("st mary ({second})"));
    assert!(said.contains(&second), "{said}");
    let amina = text(&hill.json(&["patient", "register", "--given", "Amina"])["id"]);
    for to in [&one, &other] {
        super::grant(&hill, &amina, to, "all");
    }
    let list = ["consent", "list", "--patient", &amina];
    for command in [
        &["peer", "list"][..],
        &["status"],
        &["sync", "status"],
        &list,
    ] {
        let shown = hill.ok(command);
        for name in [&first, &second] {
            assert!(
                shown.contains(name.as_str()),
                "{command:?}: {name}: {shown}"
            );
        }
    }
    // One that is called as this clinic itself.
    let double = Clinic::create(PROGRAM, "Hill Clinic");
    let said = warned(&hill, &["peer", "add", &double.card()]);
    assert!(
        said.contains("this clinic itself has the same name"),
        "{said}"
    );
    hill.ok(&["peer", "remove", &other.id()]);
    let shown = hill.ok(&["peer", "list"]);
    assert!(shown.contains("St Mary\n"), "{shown}");
}
