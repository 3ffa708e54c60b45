//! Large content: out of the records, and back as it was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::clinic::Imported;

/// Bytes that no compression makes smaller.
pub(super) fn scan(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[seed; 32])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// A bundle of a patient and a document with this content.
fn bundle(content: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"p1","name":[{{"family":"Nakato"}}]}}}},
        {{"resource":{{"resourceType":"DocumentReference","id":"d1","status":"current",
          "subject":{{"reference":"Patient/p1"}},
          "content":[{{"attachment":{{"contentType":"image/png","data":"{content}"}}}}]}}}}]}}"#
    )
}

fn import(house: &House, text: &str) -> Imported {
    let path = house.dir.path().join("input.json");
    std::fs::write(&path, text).unwrap();
    house.clinic.import(&[path], &|_| ()).unwrap()
}

fn journal_bytes(house: &House) -> u64 {
    house.clinic.flush().unwrap();
    let files = std::fs::read_dir(house.dir.path().join("journal")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_scan_lies_outside_the_journal_and_is_exported_as_it_came() {
    let house = House::new("Hill Clinic");
    let content = STANDARD.encode(scan(3_000_000, 1));
    let text = bundle(&content);
    let report = import(&house, &text);
    assert_eq!(report.files[0].error, None);
    assert_eq!(report.files[0].changed, 2);
    // A megabyte of it is the space that it holds back.
    assert!(journal_bytes(&house) < 1_500_000);
    let exported = house.clinic.export_chart("p1", false).unwrap();
    assert_eq!(exported.absent, []);
    assert!(exported.text.contains(&content));
    // Taking it in again changes nothing, neither the file nor the export.
    for text in [&text, &exported.text] {
        assert_eq!(import(&house, text).files[0].changed, 0);
    }
    let house = house.reopen();
    assert_eq!(house.clinic.export("p1", false).unwrap(), exported.text);
    let health = house.clinic.check(&|_| ()).unwrap();
    assert!(health.healthy, "{:?}", health.problems);
    assert_eq!(
        (health.attachments.attachments, health.attachments.whole),
        (1, 1)
    );
}

#[test]
fn slashes_may_be_escaped_and_what_is_odd_or_small_stays_inside() {
    let house = House::new("Hill Clinic");
    let large = STANDARD.encode(scan(40_000, 2));
    for content in [
        large.replace('/', "\\/"),
        STANDARD.encode(scan(16 * 1024, 3)),
        large.replacen('/', "\\u002f", 1),
    ] {
        let report = import(&house, &bundle(&content));
        assert_eq!(report.files[0].error, None);
        let exported = house.clinic.export("p1", true).unwrap();
        assert!(exported.contains(&content));
    }
    let health = house.clinic.check(&|_| ()).unwrap();
    assert_eq!(health.attachments.attachments, 1);
}

#[test]
fn content_that_is_gone_is_said_to_be_and_comes_back_with_the_file() {
    let house = House::new("Hill Clinic");
    let content = scan(100_000, 4);
    let text = bundle(&STANDARD.encode(&content));
    import(&house, &text);
    let blobs = house.dir.path().join("blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(file.path()).unwrap();
    let house = house.reopen();
    let exported = house.clinic.export_chart("p1", true).unwrap();
    assert_eq!(exported.absent.len(), 1);
    assert_eq!(exported.absent[0].resource, "DocumentReference/d1");
    assert_eq!(exported.absent[0].bytes, Some(100_000));
    assert!(!exported.text.contains("chartmesh-attachment"));
    assert!(
        exported
            .text
            .contains(r#""contentType":"image/png","size":100000,"hash":""#)
    );
    // Who edits such an export loses nothing.
    let bundle = house.clinic.export("p1", false).unwrap();
    let edited = bundle.replace("\"current\"", "\"superseded\"");
    assert_eq!(import(&house, &edited).files[0].changed, 1);
    assert_eq!(
        house.clinic.export_chart("p1", true).unwrap().absent.len(),
        1
    );
    // The file has it: nothing changes but that it is here.
    import(&house, &text.replace("\"current\"", "\"superseded\""));
    let exported = house.clinic.export_chart("p1", true).unwrap();
    assert_eq!(exported.absent, []);
    assert!(exported.text.contains(&STANDARD.encode(&content)));
}

#[test]
fn a_file_with_a_mark_and_one_that_is_too_large_are_refused() {
    let house = House::new("Hill Clinic");
    let report = import(&house, &bundle("chartmesh-attachment:AYYZ"));
    let error = report.files[0].error.clone().unwrap();
    assert!(error.contains("a mark"), "{error}");
    let report = import(&house, &bundle(&STANDARD.encode(vec![1; 65 * 1024 * 1024])));
    let error = report.files[0].error.clone().unwrap();
    assert!(
        error.contains("an attachment has 1 to 67108864 bytes"),
        "{error}"
    );
    assert!(house.clinic.find_patients(&[]).unwrap().is_empty());
}
