//! Golden files: every format as it is written today, under `golden/`. What was written once has
//! to be read for ever, so a changed file here means a new version of the format, not a new file.
//!
//! `CHARTMESH_WRITE_GOLDEN=1` writes files that do not exist yet.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::codec::CodecError;
use crate::id::{Incarnation, ParseIdError, RecordLink, Sequence, StatementPrefix};
use crate::identity::{
    AgreementError, Card, CardError, NodeCertificate, SignatureError, UserCertificate, UserKey,
    Verified,
};
use crate::ledger::{
    CompartmentName, FrontierTip, Held, Invalid, ParseCompartmentError, ParseTermError, Statement,
    house_of,
};
use crate::seal::{
    Compaction, ContentError, EpochKey, Manifest, ManifestRecord, OpenEpochError, OpenError,
    ProvenanceError, RecordContent, RecordForm, RecordPlace, SealError, UserWord, VerifiedRecord,
    WrapError, actor_id, open_epoch, record_claim, seal_compaction, seal_manifest, seal_record,
    sign_changes, unwrap_chart_secret,
};
use crate::time::HybridTime;
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Compares with the golden file and returns the file's bytes.
pub(crate) fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = folder().join(name);
    if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, bytes).unwrap();
    }
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(file == bytes, "{name} is written in another way");
    file
}

fn user() -> UserKey {
    UserKey::from_bytes(Zeroizing::new([0x55; 32]))
}

fn content(world: &World) -> RecordContent {
    let changes = [&b"one change"[..], &[0x85, 0x6f, 0x4a, 0x83], &[0; 200]];
    RecordContent {
        changes: changes.map(<[u8]>::to_vec).to_vec(),
        user: user().id(),
        role: "physician".to_owned(),
        signature: sign_changes(&user(), &world.chart, "physician", &[[1; 32]; 3]),
        time: HybridTime::from_ms(NOW_MS),
        frontier: vec![StatementPrefix::new([1; 8]), StatementPrefix::new([2; 8])],
    }
}

fn record(world: &World, sequence: u64) -> (VerifiedRecord, EpochKey) {
    let key = EpochKey::from_bytes(Zeroizing::new([0x66; 32]));
    let previous = if sequence == 0 {
        RecordLink::FIRST
    } else {
        RecordLink::new([7; 8])
    };
    let place = RecordPlace {
        chart: world.chart,
        compartment: world.secret.compartment_tag(&SUMMARY),
        incarnation: Incarnation::new(0xdead_beef),
        sequence: Sequence::new(sequence),
        previous,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(sequence);
    let author = &world.clinics[0].node;
    (
        seal_record(&mut rng, &place, &key, author, &content(world)).unwrap(),
        key,
    )
}

#[test]
fn certificates_and_cards_are_written_as_ever() {
    let world = World::new(1, 2);
    let home = &world.clinics[0];
    let file = golden("node-certificate.bin", &home.certificate.to_bytes());
    assert_eq!(
        Verified::<NodeCertificate>::decode(&file).unwrap(),
        home.certificate
    );

    let certificate = UserCertificate {
        clinic: home.id(),
        user: user().id(),
        key: user().public(),
        role: "physician".to_owned(),
        name: Some("Ngozi Eze".to_owned()),
    };
    let certificate = certificate.issue(&home.key).unwrap();
    let file = golden("user-certificate.bin", &certificate.to_bytes());
    assert_eq!(
        Verified::<UserCertificate>::decode(&file).unwrap(),
        certificate
    );

    let addresses = ["/ip4/192.0.2.7/udp/4001/quic-v1".to_owned()];
    let card = Card::issue(&home.key, "Hillside Clinic", &home.certificate, &addresses).unwrap();
    let file = golden("card.txt", card.to_line().as_bytes());
    assert_eq!(Card::parse(str::from_utf8(&file).unwrap()).unwrap(), card);
}

#[test]
fn statements_are_written_as_ever() {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |grant| {
        grant.compartments = [SUMMARY, "restricted/HIV".parse().unwrap()]
            .into_iter()
            .collect();
        grant.expires_ms = Some(NOW_MS + 86_400_000);
        grant.paper = Some([0x77; 32]);
    });
    let passed_on = world.pass_on(grant.id(), 1, 2, |_| ());
    let seen = world.pen(1, &SUMMARY).write("seen", &[]);
    let revocation = world.revoke(&grant, &[&seen]);
    let (first, first_key) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let (second, second_key) = world.epoch(0, &SUMMARY, &[0, 2], &[first_key]);
    for (name, statement) in [
        ("statement-genesis.bin", &world.genesis),
        ("statement-grant.bin", &grant),
        ("statement-grant-passed-on.bin", &passed_on),
        ("statement-revocation.bin", &revocation),
        ("statement-epoch.bin", &first),
        ("statement-epoch-history.bin", &second),
    ] {
        let file = golden(name, &statement.to_bytes());
        let read = Verified::<Statement>::decode(&file).unwrap();
        assert_eq!(&read, statement, "{name}");
        assert_eq!(read.payload().chart(), world.chart, "{name}");
    }
    let crate::ledger::Body::Grant(terms) = grant.body() else {
        panic!()
    };
    let sealing = &world.clinics[1].sealing;
    let secret = unwrap_chart_secret(&world.chart, &world.id(1), sealing, &terms.secret);
    assert!(secret.ok() == Some(world.secret.clone()));
    let crate::ledger::Body::Epoch(epoch) = second.body() else {
        panic!()
    };
    let key = open_epoch(epoch, &world.id(2), &world.clinics[2].sealing);
    assert!(key.ok() == Some(second_key));
}

#[test]
fn what_a_clinic_says_of_itself_is_written_as_ever() {
    let mut world = World::new(1, 2);
    let seen = world.pen(1, &SUMMARY).write("seen", &[]);
    let note = world.house_note(1, world.chart);
    let revocation = world.cut_off(1);
    let end = world.node_end(1, &SUMMARY, &[&seen]);
    let admission = world.admit(0, &[&seen]);
    let epoch = world.epoch_that_tells(0, &SUMMARY, &[0, 1]);
    let asked = world.break_glass(1);
    let release = world.release(&asked, (0, 1), None, |_| ());
    let rule = world.emergency_rule(3, false);
    let review = world.review(0, asked.id());
    let segment = world.segment(1, 1, None);
    for (name, statement) in [
        ("statement-house-note.bin", &note),
        ("statement-node-revocation.bin", &revocation),
        ("statement-node-end.bin", &end),
        ("statement-admission.bin", &admission),
        ("statement-break-glass.bin", &asked),
        ("statement-grant-emergency.bin", &release),
        ("statement-emergency-rule.bin", &rule),
        ("statement-review.bin", &review),
        ("statement-audit-segment.bin", &segment),
        ("statement-epoch-sealing.bin", &epoch),
    ] {
        let file = golden(name, &statement.to_bytes());
        let read = Verified::<Statement>::decode(&file).unwrap();
        assert_eq!(&read, statement, "{name}");
    }
    assert_eq!(revocation.payload().chart(), house_of(&world.id(1)));
}

#[test]
fn records_are_written_as_ever() {
    let world = World::new(1, 1);
    for (name, sequence) in [("record-first.bin", 0), ("record-later.bin", 1_000_000)] {
        let (record, key) = record(&world, sequence);
        let path = folder().join(name);
        if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() && !path.exists() {
            std::fs::write(&path, record.as_bytes()).unwrap();
        }
        // What zstd makes of the content may change with its version; what it reads may not.
        let file = std::fs::read(&path).unwrap();
        let read = VerifiedRecord::decode(&file).unwrap();
        assert_eq!(read.header(), record.header(), "{name}");
        assert_eq!(read.open(&key), Ok(content(&world)), "{name}");
        assert_eq!(file, record.as_bytes(), "{name} is written in another way");
    }
}

/// A compaction of one record and its manifest, and the key that opens both.
fn compacted(world: &World) -> (VerifiedRecord, VerifiedRecord, EpochKey) {
    let (covered, key) = record(world, 0);
    let home = &world.clinics[0];
    let place = |before: &VerifiedRecord| RecordPlace {
        sequence: before.header().place.sequence.next().unwrap(),
        previous: before.id().link(),
        ..before.header().place
    };
    let remains = ManifestRecord {
        witness: covered.witness(),
        word: Some(UserWord {
            changes: 3,
            signature: content(world).signature,
        }),
    };
    let certificates = [home.certificate.to_bytes()].into();
    let manifest = Manifest::of(&[remains], certificates).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (secret, node) = (&world.secret, &home.node);
    let manifest =
        seal_manifest(&mut rng, &place(&covered), &key, node, secret, &manifest).unwrap();
    let compaction = Compaction {
        coverage: vec![FrontierTip {
            author: home.node.id(),
            incarnation: Incarnation::new(0xdead_beef),
            sequence: Sequence::new(0),
            record: covered.id(),
        }],
        manifest: vec![manifest.id()],
        time: HybridTime::from_ms(NOW_MS),
        save: [&b"one save"[..], &[0; 200]].concat(),
    };
    let place = place(&manifest);
    let compaction = seal_compaction(&mut rng, &place, &key, node, secret, &compaction).unwrap();
    (compaction, manifest, key)
}

#[test]
fn compactions_and_manifests_are_written_as_ever() {
    let world = World::new(1, 1);
    let (compaction, manifest, key) = compacted(&world);
    let file = golden("record-compaction.bin", compaction.as_bytes());
    let read = VerifiedRecord::decode(&file).unwrap();
    assert_eq!(read.header().form(&world.secret), RecordForm::Compaction);
    assert_eq!(read.open_compaction(&key), compaction.open_compaction(&key));
    assert_eq!(
        read.open_compaction(&key).unwrap().manifest,
        [manifest.id()]
    );
    let file = golden("record-manifest.bin", manifest.as_bytes());
    let read = VerifiedRecord::decode(&file).unwrap();
    assert_eq!(read.header().form(&world.secret), RecordForm::Manifest);
    assert_eq!(read.open_manifest(&key), manifest.open_manifest(&key));
}

/// What is derived and never written: a change here makes old data unreadable.
#[test]
fn derived_values_are_as_ever() {
    let world = World::new(1, 2);
    let key = EpochKey::from_bytes(Zeroizing::new([0x66; 32]));
    let label = "restricted/HIV".parse().unwrap();
    let tag = world.secret.compartment_tag(&SUMMARY);
    let actor = actor_id(&world.node(0), Incarnation::new(1), &tag);
    let pair = world.clinics[0].node.agree(&world.node(1)).unwrap();
    let mut text = String::new();
    for (name, value) in [
        ("chart", world.chart.to_string()),
        ("epoch", key.id().to_string()),
        ("tag of summary", tag.to_string()),
        (
            "tag of restricted/HIV",
            world.secret.compartment_tag(&label).to_string(),
        ),
        ("actor", crate::id::ChartId::new(actor).to_string()),
        ("user", user().id().to_string()),
        (
            "pair",
            crate::id::StatementId::new(*pair.as_bytes()).to_string(),
        ),
        (
            "claim of a record",
            crate::id::StatementId::new(record_claim(
                &record(&world, 0).0.witness(),
                &[[1; 32]; 3],
            ))
            .to_string(),
        ),
    ] {
        writeln!(text, "{name}: {value}").unwrap();
    }
    golden("derived.txt", text.as_bytes());
}

#[test]
fn errors_say_what_they_always_said() {
    let codec = CodecError::Malformed { at: 7 };
    let texts: Vec<String> = [
        ParseIdError::Length {
            expected: 16,
            found: 2,
        }
        .to_string(),
        ParseIdError::Digit.to_string(),
        ParseCompartmentError::Unknown.to_string(),
        ParseCompartmentError::Label.to_string(),
        ParseTermError::Right.to_string(),
        ParseTermError::Purpose.to_string(),
        CodecError::Empty.to_string(),
        CodecError::TooLarge { found: 9, most: 8 }.to_string(),
        CodecError::UnknownVersion { found: 2, known: 1 }.to_string(),
        CodecError::UnknownKind { found: 5 }.to_string(),
        codec.to_string(),
        CodecError::Trailing { extra: 1 }.to_string(),
        CodecError::NotCanonical.to_string(),
        CodecError::OutOfBounds { what: "reason" }.to_string(),
        SignatureError::UnusableKey.to_string(),
        SignatureError::Mismatch.to_string(),
        AgreementError::NotAKey.to_string(),
        AgreementError::LowOrder.to_string(),
        CardError::NotACard.to_string(),
        CardError::UnknownVersion.to_string(),
        CardError::TooLong { most: 2732 }.to_string(),
        CardError::Damaged(codec).to_string(),
        CardError::Characters.to_string(),
        CardError::Forged.to_string(),
        CardError::OtherClinic.to_string(),
        CardError::OutOfBounds(CodecError::OutOfBounds { what: "name" }).to_string(),
        WrapError::UnusableKey.to_string(),
        WrapError::NotForUs.to_string(),
        OpenEpochError::NotAReader.to_string(),
        OpenEpochError::OtherKey.to_string(),
        SealError::TooLarge { found: 9, most: 8 }.to_string(),
        SealError::Cipher.to_string(),
        OpenError::OtherEpoch.to_string(),
        OpenError::NotAuthentic.to_string(),
        ContentError::OtherUser.to_string(),
    ]
    .into_iter()
    .chain(INVALID.map(|reason| format!("statement: {reason}")))
    .chain(HELD.map(|reason| format!("record held: {reason}")))
    .chain(UNPROVEN.map(|reason| format!("compaction held: {reason}")))
    .collect();
    golden("errors.txt", format!("{}\n", texts.join("\n")).as_bytes());
}

const INVALID: [Invalid; 13] = [
    Invalid::NoGenesis,
    Invalid::OtherChart,
    Invalid::ForgedGenesis,
    Invalid::WrongSigner,
    Invalid::MissingGrant,
    Invalid::NotAGrant,
    Invalid::InvalidGrant,
    Invalid::NotShared,
    Invalid::WiderThanParent,
    Invalid::LongerThanParent,
    Invalid::TooDeep,
    Invalid::UnknownNode,
    Invalid::NoRight,
];

const HELD: [Held; 6] = [
    Held::UnknownAuthor,
    Held::NoRight,
    Held::AfterRevocation,
    Held::NodeCutOff,
    Held::Fork,
    Held::OnFork,
];

const UNPROVEN: [ProvenanceError; 10] = [
    ProvenanceError::MissingRecord,
    ProvenanceError::OtherTip,
    ProvenanceError::Contradiction,
    ProvenanceError::NodeSignature,
    ProvenanceError::OtherForm,
    ProvenanceError::OtherChanges,
    ProvenanceError::SeveralUsers,
    ProvenanceError::UnknownUser,
    ProvenanceError::UserSignature,
    ProvenanceError::Certificate,
];

/// Bytes of a record of one change beyond the change itself.
fn overhead(change: Vec<u8>) -> isize {
    let world = World::new(1, 1);
    let mut content = content(&world);
    content.frontier.truncate(1);
    content.changes = vec![change.clone()];
    let (sample, key) = record(&world, 1);
    let author = &world.clinics[0].node;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let place = sample.header().place;
    let record = seal_record(&mut rng, &place, &key, author, &content).unwrap();
    record.as_bytes().len().cast_signed() - change.len().cast_signed()
}

#[test]
fn a_record_costs_at_most_292_bytes_and_less_than_260_when_its_change_has_text() {
    // Hashes and ids of a change: nothing in them can be packed.
    let mut noise = vec![0; 140];
    rand_core::Rng::fill_bytes(&mut ChaCha20Rng::seed_from_u64(3), &mut noise);
    assert!(overhead(noise.clone()) <= 292, "{}", overhead(noise));
    // The same and one short observation as its elements' JSON text.
    noise.truncate(100);
    noise.extend_from_slice(
        br#"Observation/7 status "final" category [{"coding":[{"system":
        "http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}]
        code {"coding":[{"system":"http://loinc.org","code":"8867-4"}]} valueQuantity {"value":72,
        "unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}"#,
    );
    assert!(overhead(noise.clone()) <= 260, "{}", overhead(noise));
}
