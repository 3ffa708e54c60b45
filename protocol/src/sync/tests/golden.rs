//! Golden files: the bytes of every type of frame, as they were first sent.

use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::attachment::{AttachmentName, AttachmentPlace};
use crate::id::{AttachmentId, CertificateHash, ChartId, CompartmentTag};
use crate::identity::NodeKey;
use crate::reconcile::{
    Claim, ComparisonKey, Cursor, Digest, Encoder, FeedNumber, ItemId, ItemKey, KeyPrefix, PairKey,
    Range, SharedDigests, StoreIncarnation,
};
use crate::sync::frame::{Frame, FrameReader};
use crate::sync::hello::{Check, Hello, KNOWS_ATTACHMENTS, Standing};
use crate::sync::payload::{
    AckFrame, AskFrame, FurtherFrame, HeldFrame, InDoubt, ItemFrame, LackFrame, MoreFrame,
    PieceFrame, RangesFrame, Span, SymbolsFrame, WantFrame, WantedFrame, WantedKeys,
};
use crate::sync::{CloseCode, ItemKind, Lane};
use crate::time::HybridTime;

/// Names the variable that, when set, makes the test write the files that are missing.
const WRITE: &str = "CHARTMESH_WRITE_GOLDEN";

fn digests() -> SharedDigests {
    SharedDigests {
        statements: Digest::from_parts([1; 16], 20),
        records: Digest::from_parts([2; 16], 70_000),
    }
}

fn standing() -> Standing {
    Standing {
        incarnation: StoreIncarnation::new(0x0102_0304_0506_0708),
        newest: FeedNumber::new(70_020),
        cursor: Some(Cursor {
            incarnation: StoreIncarnation::new(0x1112_1314_1516_1718),
            number: FeedNumber::new(300),
        }),
        digests: digests(),
    }
}

fn ranges() -> RangesFrame {
    let range = |depth, bits, claim| Range {
        prefix: KeyPrefix::new(depth, bits).unwrap(),
        claim,
    };
    let keys = |numbers: &[u64]| numbers.iter().map(|n| ItemKey::new(*n)).collect::<Vec<_>>();
    RangesFrame {
        kind: ItemKind::Record,
        last: true,
        ranges: vec![
            range(1, 0, Claim::Sum(Digest::from_parts([3; 16], 99))),
            range(
                1,
                2,
                Claim::Have(keys(&[0x2000_0000_0000_0001, 0x2fff_0000_0000_0000])),
            ),
            range(2, 0x45, Claim::Want(keys(&[0x4500_0000_0000_0007]))),
        ],
    }
}

/// The symbols of three items under a key that is made up.
fn symbols() -> SymbolsFrame {
    let node = |seed| NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed));
    let pair = PairKey::derive(&node(1).agree(&node(2).id()).unwrap());
    let key = ComparisonKey::derive(&pair, &[7; 32]);
    let items = [1, 2, 3].map(|byte| ItemId::new([byte; 32]));
    let flight = Encoder::new(&items, &key).open(5);
    let (first, bytes) = flight.pieces(1_000).remove(0);
    SymbolsFrame {
        kind: ItemKind::Record,
        items: flight.items,
        first: u32::try_from(first).unwrap(),
        bytes,
    }
}

fn further(upto: Option<u32>) -> FurtherFrame {
    let kind = ItemKind::Record;
    FurtherFrame { kind, upto }
}

fn wanted() -> WantedFrame {
    let keys = [0x0102_0304_0506_0708, u64::MAX].map(ItemKey::new);
    WantedFrame {
        kind: ItemKind::Statement,
        last: true,
        keys: WantedKeys(keys.to_vec()),
    }
}

fn want() -> WantFrame {
    let place = AttachmentPlace {
        chart: ChartId::new([1; 16]),
        compartment: CompartmentTag::new([2; 8]),
    };
    let id = AttachmentId::new([3; 32]);
    let spans = [(0, 1), (290, 60)];
    WantFrame {
        number: 7,
        name: AttachmentName { place, id },
        length: 20_000_000,
        pieces: spans.map(|(first, count)| Span { first, count }).to_vec(),
    }
}

fn frames() -> Vec<(&'static str, Frame)> {
    let hello = Hello {
        certificate: CertificateHash::new([5; 32]),
        known: Some(CertificateHash::new([6; 32])),
        standing: standing(),
        time: HybridTime::from_ms(1_700_000_000_000),
        quiet_s: None,
        knows: None,
    };
    let visitor = Hello {
        quiet_s: Some(0),
        ..hello
    };
    let knowing = Hello {
        knows: Some(KNOWS_ATTACHMENTS),
        ..hello
    };
    let stranger = Hello {
        known: None,
        standing: Standing {
            cursor: None,
            ..standing()
        },
        ..hello
    };
    let check = Check {
        newest: FeedNumber::new(70_021),
        items: 12,
        more: false,
        digests: digests(),
    };
    let item = ItemFrame {
        lane: Lane::Summary,
        kind: ItemKind::Record,
        size: 6,
        bytes: b"sealed".to_vec(),
    };
    vec![
        ("revocation", Frame::Revocation(b"signed".to_vec())),
        ("hello", Frame::Hello(hello)),
        ("hello-first", Frame::Hello(stranger)),
        ("hello-visit", Frame::Hello(visitor)),
        ("hello-knows", Frame::Hello(knowing)),
        ("certificate", Frame::Certificate(b"certificate".to_vec())),
        ("settled", Frame::Settled),
        ("sent", Frame::Sent(FeedNumber::new(70_020))),
        (
            "ack",
            Frame::Ack(AckFrame {
                items: 300,
                bytes: 70_000,
            }),
        ),
        ("digest", Frame::Digest(check)),
        ("refresh", Frame::Refresh(standing())),
        ("ranges", Frame::Ranges(ranges())),
        ("item", Frame::Item(item)),
        (
            "more",
            Frame::More(MoreFrame {
                lane: Lane::Attachment,
                bytes: b"rest".to_vec(),
            }),
        ),
        ("drop", Frame::Drop(Lane::Older)),
        ("symbols", Frame::Symbols(symbols())),
        ("further", Frame::Further(further(Some(384)))),
        ("further-ranges", Frame::Further(further(None))),
        ("wanted", Frame::Wanted(wanted())),
    ]
}

/// The frames that may come at any time.
fn small_frames() -> Vec<(&'static str, Frame)> {
    vec![
        ("ping", Frame::Ping),
        ("pong", Frame::Pong),
        ("close", Frame::Close(CloseCode::Mismatch)),
    ]
}

/// The frames of attachments.
fn attachment_frames() -> Vec<(&'static str, Frame)> {
    vec![
        ("want", Frame::Want(want())),
        (
            "piece",
            Frame::Piece(PieceFrame {
                number: 7,
                piece: 300,
                size: 16_400,
                bytes: b"sealed".to_vec(),
            }),
        ),
        ("rest", Frame::Rest(b"rest".to_vec())),
        (
            "lack",
            Frame::Lack(LackFrame {
                number: 7,
                pieces: want().pieces,
            }),
        ),
        ("enough", Frame::Enough),
        (
            "ask",
            Frame::Ask(AskFrame {
                number: 3,
                of: vec![InDoubt {
                    name: want().name,
                    length: 20_000_000,
                }],
            }),
        ),
        (
            "held",
            Frame::Held(HeldFrame {
                number: 3,
                held: vec![0, 2, 40],
            }),
        ),
    ]
}

fn all_frames() -> Vec<(&'static str, Frame)> {
    [frames(), small_frames(), attachment_frames()].concat()
}

#[test]
fn every_frame_is_written_and_read_as_it_first_was() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    for (name, frame) in all_frames() {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        let path = folder.join(format!("sync-{name}.bin"));
        if !path.exists() && std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(bytes, golden, "{name} is written in another way");
        let mut reader = FrameReader::default();
        reader.push(&golden);
        assert_eq!(
            reader.next_frame(),
            Ok(Some(frame)),
            "{name} is read in another way"
        );
        assert_eq!(reader.next_frame(), Ok(None));
    }
}

#[test]
fn every_frame_is_read_from_pieces_of_one_byte_and_no_truncation_is_a_frame() {
    for (name, frame) in all_frames() {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        let mut reader = FrameReader::default();
        let (last, rest) = bytes.split_last().unwrap();
        for byte in rest {
            reader.push(&[*byte]);
            assert_eq!(reader.next_frame(), Ok(None), "{name}");
        }
        reader.push(&[*last]);
        assert_eq!(reader.next_frame(), Ok(Some(frame)), "{name}");
    }
}

#[test]
fn a_payload_cut_short_or_lengthened_is_refused() {
    for (name, frame) in all_frames() {
        if matches!(frame, Frame::Certificate(_) | Frame::Revocation(_)) {
            continue;
        }
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        let length = bytes.len() - 3;
        for cut in 0..length {
            let mut short = bytes[..3 + cut].to_vec();
            short[..2].copy_from_slice(&u16::try_from(cut).unwrap().to_be_bytes());
            let mut reader = FrameReader::default();
            reader.push(&short);
            assert!(reader.next_frame().is_err(), "{name} of {cut}");
        }
        bytes[..2].copy_from_slice(&u16::try_from(length + 1).unwrap().to_be_bytes());
        bytes.push(0);
        let mut reader = FrameReader::default();
        reader.push(&bytes);
        assert!(reader.next_frame().is_err(), "{name} with a byte more");
    }
}
