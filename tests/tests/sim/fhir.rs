//! What people write into charts, and what is read of it: FHIR JSON, as it comes and goes.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartmesh::clinic::ConflictView;
use serde_json::value::RawValue;

use crate::broken::{Broken, conduct};
use crate::expected::Chart;
use crate::site::Site;

/// Bytes of a scan: one chunk and a bit.
const SCAN_BYTES: usize = 17_000;

/// What stands before the number of a mark.
const MARK: &str = "mark-";

/// A resource that is written once.
pub(crate) struct Entry {
    /// Like `Observation/o12`.
    pub(crate) key: String,
    pub(crate) compartment: &'static str,
    pub(crate) json: String,
}

/// What may be written, by number; each with an id of its own.
pub(crate) fn entry(kind: usize, number: u64, chart: &Chart) -> Entry {
    let subject = format!(r#"{{"reference":"Patient/{}"}}"#, chart.patient);
    let (resource, compartment, rest) = match kind {
        0 | 1 => (
            "Condition",
            "summary",
            format!(r#""code":{{"text":"Asthma"}},"subject":{subject}"#),
        ),
        2 => (
            "Communication",
            "messages",
            format!(r#""status":"completed","subject":{subject}"#),
        ),
        3 => (
            "Coverage",
            "billing",
            format!(r#""status":"active","beneficiary":{subject}"#),
        ),
        4 => (
            "Observation",
            "restricted/HIV",
            format!(
                r#""status":"final","meta":{{"security":[{{"system":
                "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}}]}},
                "code":{{"text":"viral load"}},"subject":{subject}"#
            ),
        ),
        10 | 11 => (
            "DocumentReference",
            "clinical",
            format!(
                r#""status":"current","subject":{subject},
                "content":[{{"attachment":{{"title":"scan","data":"{}"}}}}]"#,
                scan(number)
            ),
        ),
        _ => (
            "Observation",
            "clinical",
            format!(
                r#""status":"final","code":{{"text":"weight"}},"subject":{subject},
                "valueQuantity":{{"value":61.50,"unit":"kg"}}"#
            ),
        ),
    };
    Entry {
        key: format!("{resource}/w{number}"),
        compartment,
        json: format!(r#"{{"resourceType":"{resource}","id":"w{number}",{rest}}}"#),
    }
}

/// Content in base64 that is too large for a record and comes by itself.
fn scan(number: u64) -> String {
    let mut bytes = vec![0; SCAN_BYTES];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    STANDARD.encode(bytes)
}

/// The allergy of a chart, as a whole, with a mark.
pub(crate) fn allergy(chart: &Chart, mark: u64) -> String {
    format!(
        r#"{{"resourceType":"AllergyIntolerance","id":"a","criticality":"high",
        "code":{{"text":"Penicillin {MARK}{mark}"}},
        "patient":{{"reference":"Patient/{}"}}}}"#,
        chart.patient
    )
}

/// The resources of a chart as a clinic shows them, by key; none where it shows no patient.
pub(crate) fn shown(
    site: &Site,
    chart: &Chart,
) -> Result<Option<BTreeMap<String, String>>, Broken> {
    let Ok(text) = site.clinic().export(&chart.text, true) else {
        return Ok(None);
    };
    let mut resources = BTreeMap::new();
    for line in text.lines() {
        let elements = elements(line)?;
        let word = |name: &str| {
            let text = elements.get(name).map_or("", |text| text.get());
            text.trim_matches('"').to_owned()
        };
        let key = format!("{}/{}", word("resourceType"), word("id"));
        resources.insert(key, line.to_owned());
    }
    let patient = format!("Patient/{}", chart.patient);
    Ok(resources.contains_key(&patient).then_some(resources))
}

/// The chart's patient as it is, with another phone number.
pub(crate) fn with_phone(patient: &str, mark: u64) -> Result<String, Broken> {
    let mut elements = elements(patient)?;
    let phone = RawValue::from_string(format!(r#"[{{"value":"{MARK}{mark}"}}]"#));
    elements.insert("telecom".to_owned(), conduct("a phone", phone)?);
    conduct("a patient", serde_json::to_string(&elements))
}

/// Resources as a file that clinics take in.
pub(crate) fn bundle(resources: &[String]) -> String {
    let entries: Vec<String> = resources
        .iter()
        .map(|resource| format!(r#"{{"resource":{resource}}}"#))
        .collect();
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#)
}

/// The marks in a text.
pub(crate) fn marks(text: &str) -> BTreeSet<u64> {
    let after = text.split(MARK).skip(1);
    after
        .filter_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

/// The marks of a thing's values that a clinic shows: of every version in conflict, or of the one.
pub(crate) fn marks_shown(
    conflicts: &[ConflictView],
    shown: &BTreeMap<String, String>,
    chart: &Chart,
    allergy: bool,
) -> BTreeSet<u64> {
    let key = if allergy {
        "AllergyIntolerance/a".to_owned()
    } else {
        format!("Patient/{}", chart.patient)
    };
    let element = (!allergy).then_some("telecom");
    let conflict = conflicts
        .iter()
        .find(|one| one.resource == key && one.element.as_deref() == element);
    match conflict {
        Some(conflict) => {
            let values = conflict.versions.iter();
            let values = values.filter_map(|version| version.value.as_ref());
            values.flat_map(|value| marks(value.get())).collect()
        }
        None => shown
            .get(&key)
            .map_or_else(BTreeSet::new, |text| marks(text)),
    }
}

fn elements(resource: &str) -> Result<BTreeMap<String, Box<RawValue>>, Broken> {
    conduct("a resource", serde_json::from_str(resource))
}
