//! A known clinic's own node that breaks the rules: each time the stream ends with a reason,
//! nothing is stored, and once it behaves again, it syncs.

use std::sync::Arc;
use std::time::Duration;

use chartmesh::clinic::{PeerStore, Replica};
use chartmesh::keys::{Keyring, Passphrase};
use chartmesh_config::Config;
use chartmesh_protocol::identity::{Card, NodeKey, UserKey};
use chartmesh_protocol::seal::{RecordContent, RecordPlace, seal_record, sign_changes};
use chartmesh_protocol::sync::{CloseCode, ItemKind, Patience, Role, Session, Setup};
use chartmesh_protocol::{HybridTime, Incarnation, NodeId, RecordLink, Sequence};
use chartmesh_tests::vault::Vault;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::dialer::{Line, converse, frame};
use super::swaps::Swapped;
use super::{await_logged, holdings, log};
use crate::PROGRAM;

/// How long two clinics may take to be in sync.
const DEADLINE: Duration = Duration::from_secs(60);

/// A clinic that runs, and one that it knows and that has turned against it.
struct Stage {
    home: Clinic,
    rogue: Clinic,
    home_node: NodeId,
    /// The rogue's own node key.
    key: NodeKey,
    /// A record that the rogue has of home's patient.
    shared: Vec<u8>,
    /// A record and the genesis of a chart that is the rogue's alone.
    foreign: Vec<u8>,
    /// A record in home's chart, well sealed, by a node that nobody has certified.
    uncertified: Vec<u8>,
}

/// How the rogue misbehaves.
enum Act {
    /// Sends these bytes instead of all that it would say.
    Instead(Vec<u8>),
    /// Says an honest HELLO, but for one byte of it.
    InHello(usize, u8),
    /// Sends these bytes once both sides are in sync.
    InSync(Vec<u8>),
    /// Owes these items.
    Items(Vec<(ItemKind, Vec<u8>)>),
}

impl Stage {
    fn set() -> Self {
        let mut home = Clinic::create(PROGRAM, "Hill Clinic");
        let mut rogue = Clinic::create(PROGRAM, "River Hospital");
        home.start();
        rogue.start();
        introduce(&home, &rogue);
        home.json(&["patient", "register", "--given", "Amina"]);
        let to = rogue.id();
        let grant = ["consent", "grant", "--patient", "all", "--to", to.as_str()];
        let all = ["--compartments", "all", "--rights", "read,write"];
        home.json(&[&grant[..], &all].concat());
        home.sync();
        rogue.json(&["patient", "register", "--given", "Wanjiru"]);
        home.sync();
        rogue.stop();

        let passphrase = Passphrase::from_file(&rogue.passphrase_file()).unwrap();
        let keyring = Keyring::open(&rogue.dir().join("keys"), &passphrase).unwrap();
        let vault = Vault::open(&rogue);
        let card = Card::parse(&home.card()).unwrap();
        let home_node = card.certificate().payload().node;
        let records = vault.records();
        let (shared, foreign): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| record.header().author == home_node);
        Self {
            home_node,
            key: NodeKey::from_bytes(keyring.secret("node").unwrap()),
            shared: shared[0].as_bytes().to_vec(),
            foreign: foreign[0].as_bytes().to_vec(),
            uncertified: uncertified(&vault, &shared[0]),
            home,
            rogue,
        }
    }

    /// Connects as the rogue and misbehaves; returns the code that the session closed with.
    fn play(&self, act: Act) -> CloseCode {
        let mut line = Line::open(&self.home, &self.key);
        if let Act::Instead(bytes) = act {
            line.send(&bytes);
            return line.read_close();
        }
        let config = std::fs::read_to_string(self.rogue.dir().join("config.toml")).unwrap();
        let passphrase = Passphrase::from_file(&self.rogue.passphrase_file()).unwrap();
        let config = Config::parse(&config).unwrap();
        let clinic = chartmesh::clinic::Clinic::open(&self.rogue.dir(), config, &passphrase);
        let replica = Replica::open(Arc::new(clinic.unwrap()), self.home_node).unwrap();
        let mut session = Session::new(Setup {
            role: Role::Dialer,
            peer: self.home_node,
            pair_key: replica.pair_key(),
            certificate: replica.own_certificate(),
            patience: Patience::default(),
        });
        let (mut in_hello, mut in_sync, mut extra) = (None, Vec::new(), Vec::new());
        match act {
            Act::InHello(at, byte) => in_hello = Some((at, byte)),
            Act::InSync(bytes) => in_sync = bytes,
            Act::Items(items) => extra = items,
            Act::Instead(_) => {}
        }
        let change = |mut bytes: Vec<u8>| {
            if let Some((at, byte)) = in_hello.take() {
                bytes[at] = byte;
            }
            bytes
        };
        let store = Swapped {
            replica: &replica,
            extra,
        };
        converse(&mut line, &mut session, &store, change, &in_sync)
    }

    /// Misbehaves, and sees that home says why, to the rogue and in its log, and keeps nothing.
    fn expect(&self, name: &str, act: Act, code: CloseCode, reason: &str) {
        let before = holdings(&self.home);
        let logged = log(&self.home).len();
        assert_eq!(self.play(act), code, "{name}");
        assert_eq!(holdings(&self.home), before, "{name}");
        let rogue = self.key.id().to_string();
        await_logged(&self.home, logged, &rogue, reason);
    }

    /// The rogue's own program takes over, and what both write arrives.
    fn behave(mut self) {
        self.rogue.start();
        let patient = self.home.json(&["patient", "search", "amina"])[0]["fhir_id"].clone();
        let patient = patient.as_str().unwrap_or_default().to_owned();
        let note = format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"resource":{{"resourceType":"Patient","id":"{patient}",
              "name":[{{"given":["Amina"]}}]}}}},
            {{"resource":{{"resourceType":"Observation","id":"later","status":"final",
              "subject":{{"reference":"Patient/{patient}"}},"valueString":"well again"}}}}]}}"#
        );
        self.rogue.import_text("later.json", &note);
        // The first session may have to find out that it has to begin anew.
        wait_until("both to be in sync", DEADLINE, || {
            self.rogue.cli(&["sync", "now"]).code == Some(0)
        });
        let export = self.home.export(&patient);
        assert!(export.contains("well again"));
        assert_eq!(export, self.rogue.export(&patient));
        assert_eq!(self.home.json(&["doctor"])["healthy"], true);
        log(&self.home);
        self.rogue.stop();
        self.home.stop();
    }
}

/// A record where `like` is, sealed under the same key, signed by a node without a certificate.
fn uncertified(vault: &Vault, like: &chartmesh_protocol::seal::VerifiedRecord) -> Vec<u8> {
    let header = like.header();
    let keys = vault.epoch_keys();
    let (_, _, key) = keys
        .iter()
        .find(|(_, _, key)| key.id() == header.epoch)
        .unwrap();
    let secret = |byte| Zeroizing::new([byte; 32]);
    let (node, user) = (
        NodeKey::from_bytes(secret(0x61)),
        UserKey::from_bytes(secret(0x62)),
    );
    let place = RecordPlace {
        chart: header.place.chart,
        compartment: header.place.compartment,
        incarnation: Incarnation::new(1),
        sequence: Sequence::new(0),
        previous: RecordLink::FIRST,
    };
    let content = RecordContent {
        changes: vec![b"nothing good".to_vec()],
        user: user.id(),
        role: "physician".to_owned(),
        signature: sign_changes(&user, &header.place.chart, "physician", &[[0; 32]]),
        time: HybridTime::from_ms(1),
        frontier: Vec::new(),
    };
    let mut rng = ChaCha20Rng::seed_from_u64(71);
    seal_record(&mut rng, &place, key, &node, &content)
        .unwrap()
        .as_bytes()
        .to_vec()
}

fn flipped(bytes: &[u8], from_end: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    bytes
}

fn record(bytes: Vec<u8>) -> Act {
    Act::Items(vec![(ItemKind::Record, bytes)])
}

#[test]
fn frames_that_break_the_rules_end_the_stream_with_a_reason() {
    let stage = Stage::set();
    let too_long = [&4097_u16.to_be_bytes()[..], &[9], &[0; 4097]].concat();
    let case = |name, act, code, reason| stage.expect(name, act, code, reason);
    case(
        "a frame too long",
        Act::Instead(too_long),
        CloseCode::TooLarge,
        "a frame of 4097 bytes",
    );
    case(
        "an unknown version",
        Act::InHello(3, 9),
        CloseCode::Unsupported,
        "version 9",
    );
    case(
        "an unknown type",
        Act::Instead(frame(99, &[0])),
        CloseCode::Unsupported,
        "type 99",
    );
    case(
        "garbage as HELLO",
        Act::Instead(frame(1, &[1, 0xff, 0x13, 0x37])),
        CloseCode::Malformed,
        "HELLO",
    );
    case(
        "an item before HELLO",
        Act::Instead(frame(9, &[0x84, 0, 0, 1, 0x41, 0])),
        CloseCode::Unexpected,
        "ITEM",
    );
    case(
        "garbage in sync",
        Act::InSync(frame(9, &[0x5a; 900])),
        CloseCode::Malformed,
        "ITEM",
    );
    let gibibyte = [
        &[0x84, 1, 1, 0x1a][..],
        &(1_u32 << 30).to_be_bytes(),
        &[0x41, 0],
    ]
    .concat();
    case(
        "an item of 1 GiB",
        Act::InSync(frame(9, &gibibyte)),
        CloseCode::TooLarge,
        "1073741824 bytes",
    );
    case(
        "MORE of nothing",
        Act::InSync(frame(10, &[0x82, 1, 0x41, 0])),
        CloseCode::Malformed,
        "fragments",
    );
    case(
        "an acknowledgement of nothing",
        Act::InSync(frame(5, &[0x82, 0x18, 99, 0])),
        CloseCode::Unexpected,
        "acknowledged 99",
    );
    case(
        "an answer to no question",
        Act::InSync(frame(13, &[0x80])),
        CloseCode::Unexpected,
        "PONG",
    );
    stage.behave();
}

#[test]
fn items_that_are_not_what_they_should_be_are_refused_and_not_kept() {
    let stage = Stage::set();
    let refuse = |name, act, reason| stage.expect(name, act, CloseCode::ItemRefused, reason);
    refuse(
        "a record with a bad signature",
        record(flipped(&stage.shared, 1)),
        "signature does not verify",
    );
    refuse(
        "a record with a changed content",
        record(flipped(&stage.shared, 80)),
        "signature does not verify",
    );
    refuse(
        "a record of a chart that was not asked for",
        record(stage.foreign.clone()),
        "not asked for",
    );
    refuse(
        "a record of a node without certificate",
        record(stage.uncertified.clone()),
        "certificate",
    );
    refuse(
        "no record at all",
        record(b"\x01 nothing of the kind".to_vec()),
        "malformed",
    );
    let statement = Act::Items(vec![(ItemKind::Statement, stage.shared.clone())]);
    refuse("a record as a statement", statement, "malformed");
    let after_good = Act::Items(vec![
        (ItemKind::Record, stage.shared.clone()),
        (ItemKind::Record, stage.foreign.clone()),
    ]);
    refuse("a bad record after a good one", after_good, "not asked for");
    stage.behave();
}

#[test]
fn a_node_whose_numbers_were_used_before_is_caught_up_with_all_the_same() {
    let stage = Stage::set();
    // What home holds already, under numbers that the rogue will give to new items: home believes
    // that it has followed the feed up to there, as after a restored backup.
    let known = (ItemKind::Record, stage.shared.clone());
    let ahead = Act::Items(vec![known.clone(), known]);
    let reason = "the stores still differ";
    stage.expect("numbers ahead", ahead, CloseCode::Mismatch, reason);
    stage.behave();
}
