//! Nothing that names a patient lies in a data folder in clear.

use std::path::PathBuf;

use chartmesh_tests::bundle::Resources;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::{Clinic, Exact};

/// The shortest text that names someone.
const MIN_CHARS: usize = 4;

/// Scans the data folders and logs of stopped clinics for names, birth dates and identifiers.
pub(super) fn no_patient_is_named_in_clear<'a>(
    clinics: &[&Clinic],
    inputs: &[PathBuf],
    charts: impl Iterator<Item = &'a Resources>,
) {
    let texts: Vec<String> = charts.flat_map(naming).collect();
    assert!(texts.len() > 40, "{texts:?}");
    let scan = Scan::for_texts(texts.iter().map(String::as_str));
    // The scan sees into the compressed input: it would see the same in a folder.
    for input in inputs {
        let seen = scan.bytes(input, &std::fs::read(input).unwrap());
        assert!(!seen.is_empty(), "{} is not seen through", input.display());
    }
    for clinic in clinics {
        let found = scan.folder(&clinic.dir());
        assert!(found.is_empty(), "{}: {:?}", clinic.name(), found.first());
        let log = clinic.log_file();
        let found = scan.bytes(&log, &std::fs::read(&log).unwrap());
        assert!(found.is_empty(), "{}: {:?}", clinic.name(), found.first());
    }
}

/// The texts of a chart's Patient that name the person.
fn naming(chart: &Resources) -> Vec<String> {
    let patient = chart
        .iter()
        .find(|(key, _)| key.starts_with("Patient/"))
        .map(|(_, patient)| patient)
        .unwrap();
    let list = |name: &str| patient.member(name).map_or(&[][..], Exact::items);
    let mut texts = Vec::new();
    for name in list("name") {
        texts.extend(name.text("family").map(str::to_owned));
        for given in name.member("given").map_or(&[][..], Exact::items) {
            if let Exact::Text(given) = given {
                texts.push(given.clone());
            }
        }
    }
    if let Some(date) = patient.text("birthDate") {
        texts.extend([date.to_owned(), date.replace('-', "")]);
    }
    for identifier in list("identifier") {
        texts.extend(identifier.text("value").map(str::to_owned));
    }
    texts.retain(|text| text.chars().count() >= MIN_CHARS);
    texts
}
