//! Compactions and manifests as records: what a relay sees of them, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::codec::CodecError;
use crate::ledger::ChartSecret;
use crate::limits::MAX_RECORD_PLAIN;

fn sealed() -> (Chart, VerifiedRecord, VerifiedRecord) {
    let mut chart = chart();
    let (place, compaction, manifest) = (chart.place(0), chart.compaction(), chart.manifest());
    let node = &chart.world.clinics[0].node;
    let (rng, secret) = (&mut chart.rng, &chart.world.secret);
    let compaction = seal_compaction(rng, &place, &chart.key, node, secret, &compaction).unwrap();
    let manifest = seal_manifest(rng, &place, &chart.key, node, secret, &manifest).unwrap();
    (chart, compaction, manifest)
}

#[test]
fn they_read_back_and_open() {
    let (chart, compaction, manifest) = sealed();
    let read = VerifiedRecord::decode(compaction.as_bytes()).unwrap();
    assert_eq!(read.open_compaction(&chart.key), Ok(chart.compaction()));
    let read = VerifiedRecord::decode(manifest.as_bytes()).unwrap();
    assert_eq!(read.open_manifest(&chart.key), Ok(chart.manifest()));
    let told = chart.manifest();
    let tag = chart.world.secret.compartment_tag(&CLINICAL);
    let mut records: Vec<ManifestRecord> = told.records(chart.world.chart, tag).collect();
    let mut remains = chart.remains();
    let place =
        |one: &ManifestRecord| (one.witness.header.author, one.witness.header.place.sequence);
    records.sort_by_key(place);
    remains.sort_by_key(place);
    assert_eq!(records, remains);
}

#[test]
fn insiders_see_the_form_in_the_header_and_nobody_else_does() {
    let (chart, compaction, manifest) = sealed();
    let secret = &chart.world.secret;
    let changes = &chart.written[0].record;
    let forms = |secret: &ChartSecret| {
        [&compaction, &manifest, changes].map(|record| record.header().form(secret))
    };
    use RecordForm::{Changes, Compaction, Manifest};
    assert_eq!(forms(secret), [Compaction, Manifest, Changes]);
    let outsider = ChartSecret::from_bytes(Zeroizing::new([1; 32]));
    assert_eq!(forms(&outsider), [Changes, Changes, Changes]);
}

#[test]
fn a_mark_belongs_to_one_header() {
    let (chart, compaction, _) = sealed();
    let mut header = *compaction.header();
    header.place.sequence = header.place.sequence.next().unwrap();
    assert_eq!(header.form(&chart.world.secret), RecordForm::Changes);
}

#[test]
fn a_record_does_not_open_as_another_form() {
    let (chart, compaction, manifest) = sealed();
    let key = &chart.key;
    let other = |found, known| OpenError::Content(CodecError::UnknownVersion { found, known });
    let packed = |form: RecordForm| form.packed();
    let (a, c, m) = (
        packed(RecordForm::Changes),
        packed(RecordForm::Compaction),
        packed(RecordForm::Manifest),
    );
    assert_eq!(compaction.open(key), Err(other(c, a)));
    assert_eq!(compaction.open_manifest(key), Err(other(c, m)));
    assert_eq!(manifest.open_compaction(key), Err(other(m, c)));
    let changes = &chart.written[0].record;
    assert!(changes.open_compaction(key).is_err() && changes.open_manifest(key).is_err());
}

#[test]
fn a_compaction_that_claims_too_much_is_refused_before_it_is_unpacked() {
    let bomb = zstd::bulk::compress(&vec![0; MAX_RECORD_PLAIN + 1], 1).unwrap();
    let found = Compaction::decode(&[&[RecordForm::Compaction.packed()], bomb.as_slice()].concat());
    assert_eq!(found, Err(CodecError::OutOfBounds { what: "content" }));
    let found = Manifest::decode(&[&[RecordForm::Manifest.packed()], bomb.as_slice()].concat());
    assert_eq!(found, Err(CodecError::OutOfBounds { what: "content" }));
}

#[test]
fn compactions_out_of_bounds_are_neither_written_nor_read() {
    let chart = chart();
    let refused = |change: &dyn Fn(&mut Compaction)| {
        let mut compaction = chart.compaction();
        change(&mut compaction);
        let plain = crate::codec::encode(&compaction);
        let stored = [&[RecordForm::Compaction.stored()], plain.as_slice()];
        let written = compaction.encode();
        assert_eq!(
            Compaction::decode(&stored.concat()).err(),
            written.clone().err()
        );
        written.unwrap_err()
    };
    let out = |what| CodecError::OutOfBounds { what };
    assert_eq!(refused(&|one| one.coverage.reverse()), out("coverage"));
    assert_eq!(refused(&|one| one.coverage.clear()), out("coverage"));
    assert_eq!(refused(&|one| one.manifest.clear()), out("manifest"));
    assert_eq!(
        refused(&|one| one.manifest.push(one.manifest[0])),
        out("manifest")
    );
    assert_eq!(refused(&|one| one.save.clear()), out("save"));
}

#[test]
fn manifests_with_gaps_are_not_made() {
    let chart = chart();
    let mut remains = chart.remains();
    remains.remove(2);
    let found = Manifest::of(&remains, BTreeSet::new());
    assert_eq!(found, Err(CodecError::OutOfBounds { what: "records" }));
    let mut none = chart.remains();
    none[0].word.as_mut().unwrap().changes = 0;
    let found = Manifest::of(&none, BTreeSet::new());
    assert_eq!(found, Err(CodecError::OutOfBounds { what: "record" }));
}

#[test]
fn every_truncation_of_their_content_is_refused() {
    let chart = chart();
    let (compaction, manifest) = (
        chart.compaction().encode().unwrap(),
        chart.manifest().encode().unwrap(),
    );
    for end in 0..compaction.len() {
        assert!(Compaction::decode(&compaction[..end]).is_err(), "{end}");
    }
    for end in 0..manifest.len() {
        assert!(Manifest::decode(&manifest[..end]).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        garbage in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let chart = chart();
        let mut stored = crate::codec::encode(&chart.manifest());
        let at = at.index(stored.len());
        stored[at] = byte;
        let form = [RecordForm::Manifest.stored()];
        if let Ok(manifest) = Manifest::decode(&[&form, stored.as_slice()].concat()) {
            let _ = chart.prove(&chart.compaction(), &[manifest], &chart.changes());
        }
        prop_assert!(Manifest::decode(&garbage).is_err());
        prop_assert!(Compaction::decode(&garbage).is_err());
    }
}
