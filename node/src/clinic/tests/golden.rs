//! What the clinic writes into its store keeps its form: each line of the golden file is a format
//! and the bytes of one value in it, and every line ever committed still reads.

use chartmesh_crdt::Settled;
use chartmesh_protocol::identity::NodeKey;
use chartmesh_protocol::ledger::{CoveredRecord, FrontierTip};
use chartmesh_protocol::{
    ChartId, ClinicId, CompartmentTag, EpochId, HybridTime, Incarnation, NodeId, RecordId,
    RecordLink, Sequence,
};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::clinic::audit::{Action, Note};
use crate::clinic::compact::{Finding, Proof, State};
use crate::clinic::index_card::{Identifier, IndexCard};
use crate::clinic::items::{Entry, Header, Marked, What, encode};
use crate::clinic::peer_book::PeerNote;
use crate::clinic::snapshot::Snapshot;
use crate::clinic::{audit, snapshot};

const GOLDEN: &str = include_str!("../../../golden/clinic-formats.txt");

/// Every format with a value that is always the same.
fn written() -> Vec<(&'static str, Vec<u8>)> {
    let header = Header {
        tag: CompartmentTag::new([1; 8]),
        author: NodeId::new([2; 32]),
        incarnation: Incarnation::new(3),
        sequence: Sequence::new(4),
        previous: RecordLink::new([5; 8]),
        epoch: EpochId::new([6; 8]),
        marked: None,
    };
    let marked = Header {
        marked: Some(Marked::Manifest),
        ..header
    };
    let note = Note {
        action: Action::Read,
        chart: Some(ChartId::new([7; 16])),
        user: "0102030405060708".to_owned(),
        at_ms: 1_790_000_000_000,
    };
    let key = NodeKey::from_bytes(Zeroizing::new([8; 32]));
    let peer = PeerNote {
        incarnation: 9,
        confirmed_ms: 10,
        ahead_ms: -11,
        holds: 12,
        said: None,
    };
    let heard = PeerNote {
        said: Some(HybridTime::new(13)),
        ..peer
    };
    vec![
        (
            "statement-entry-v1",
            encode(&Entry {
                feed: 1,
                what: What::Statement,
            })
            .unwrap(),
        ),
        (
            "record-entry-v1",
            encode(&Entry {
                feed: 2,
                what: What::Record(header),
            })
            .unwrap(),
        ),
        (
            "record-entry-v2",
            encode(&Entry {
                feed: 3,
                what: What::Record(marked),
            })
            .unwrap(),
        ),
        (
            "audit-entry-v1",
            audit::sealed(1, [0; 32], &key, &note).unwrap(),
        ),
        ("peer-note-v1", encode(&peer).unwrap()),
        ("peer-note-v2", encode(&heard).unwrap()),
        ("snapshot-v1", snapshot::encoded(&snapshot(None)).unwrap()),
        (
            "snapshot-v2",
            snapshot::encoded(&snapshot(Some("high"))).unwrap(),
        ),
        ("compaction-finding-v1", encode(&finding()).unwrap()),
        ("index-card-v1", serde_json::to_vec(&card()).unwrap()),
    ]
}

fn snapshot(criticality: Option<&str>) -> Snapshot {
    let allergy = "AllergyIntolerance/a1".parse().unwrap();
    let elements = |text: &str| format!(r#"{{"criticality":"{text}"}}"#);
    Snapshot {
        covered: [RecordId::new([13; 32])].into(),
        save: b"a saved document".to_vec(),
        settled: criticality.map(|text| Settled::from_entries([(allergy, elements(text))])),
    }
}

fn finding() -> Finding {
    let (author, incarnation) = (NodeId::new([14; 32]), Incarnation::new(15));
    let record = RecordId::new([16; 32]);
    Finding {
        coverage: vec![FrontierTip {
            author,
            incarnation,
            sequence: Sequence::new(0),
            record,
        }],
        manifest: vec![RecordId::new([17; 32])],
        state: State::Proven(Proof {
            covered: vec![CoveredRecord {
                id: record,
                author,
                incarnation,
                sequence: Sequence::new(0),
                previous: RecordLink::FIRST,
                signed: [18; 32],
                claim: [19; 32],
            }],
            vouchers: vec![vec![ClinicId::new([20; 32])]],
            compared: 21,
            against: vec![RecordId::new([22; 32])],
        }),
    }
}

fn card() -> IndexCard {
    IndexCard {
        patient: "p1".to_owned(),
        name: "Amina Nakato".to_owned(),
        birth_date: Some("1987-04".to_owned()),
        sex: Some("female".to_owned()),
        identifiers: vec![Identifier {
            system: None,
            value: "AB-1".to_owned(),
        }],
        other_names: vec!["Öztürk".to_owned()],
    }
}

#[test]
fn every_format_is_written_as_it_always_was() {
    let lines: Vec<String> = written()
        .iter()
        .map(|(name, bytes)| format!("{name} {}", HEXLOWER.encode(bytes)))
        .collect();
    let known = |line: &&String| GOLDEN.lines().any(|golden| golden == line.as_str());
    let missing: Vec<&String> = lines.iter().filter(|line| !known(line)).collect();
    assert!(missing.is_empty(), "not in the golden file: {missing:#?}");
}

#[test]
fn every_line_of_the_golden_file_still_reads() {
    for line in GOLDEN.lines() {
        let (name, hex) = line.split_once(' ').unwrap();
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        match name.rsplit_once("-v").unwrap().0 {
            "statement-entry" | "record-entry" => {
                minicbor::decode::<Entry>(&bytes).unwrap();
            }
            "audit-entry" => assert!(audit::is_whole(&bytes)),
            "peer-note" => {
                let read = minicbor::decode::<PeerNote>(&bytes).unwrap();
                assert_eq!((read.ahead_ms, read.holds), (-11, 12));
                assert_eq!(read.said.is_some(), name == "peer-note-v2");
            }
            "snapshot" => {
                let read = snapshot::decoded(&bytes).unwrap();
                assert_eq!(read.save, b"a saved document");
                assert_eq!(read.settled.is_some(), name == "snapshot-v2");
            }
            "compaction-finding" => {
                assert_eq!(minicbor::decode::<Finding>(&bytes).unwrap(), finding());
            }
            "index-card" => {
                assert_eq!(serde_json::from_slice::<IndexCard>(&bytes).unwrap(), card());
            }
            other => panic!("no reader for {other}"),
        }
    }
}
