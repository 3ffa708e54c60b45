//! Reading charts out of NDJSON: one resource a line, of one patient or of many, as FHIR Bulk
//! Data exports write it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::bundle::{BundleError, Entry, ParsedChart, chart, different_keys, entry};
use crate::limits::MAX_LINES;
use crate::resource::{Resource, ResourceError};
use crate::resource_key::ResourceKey;

/// What stood in an NDJSON input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedLines {
    /// A chart for each patient, in the order of their ids.
    pub charts: Vec<ParsedChart>,
    /// Resources of no patient that no chart refers to, like an organisation without patients.
    pub unclaimed: Vec<ResourceKey>,
}

/// Groups the resources of an NDJSON input by the patient that they refer to. A resource that
/// refers to no patient goes to each chart that refers to it, directly or through others; to the
/// only chart if there is just one. Empty lines are skipped.
///
/// # Errors
/// [`BundleError`], with lines counted from 0 as entries: for what makes a bundle bad, for a
/// resource of two patients, and for one of a patient that is not in the input.
pub fn parse_ndjson<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    new_id: &mut dyn FnMut() -> String,
) -> Result<ParsedLines, BundleError> {
    let mut entries = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        if at >= MAX_LINES {
            return Err(BundleError::TooManyEntries);
        }
        if line.trim().is_empty() {
            continue;
        }
        let read =
            Resource::parse(line).map_err(|error| BundleError::Entry { entry: at, error })?;
        if read.resource_type() == "Bundle" {
            let error = ResourceError::BadResourceType;
            return Err(BundleError::Entry { entry: at, error });
        }
        entries.push(entry(at, read, None, new_id)?);
    }
    different_keys(&entries)?;
    group(entries)
}

fn group(entries: Vec<Entry>) -> Result<ParsedLines, BundleError> {
    let mut of_patients: BTreeMap<ResourceKey, Vec<Entry>> = BTreeMap::new();
    let mut shared: HashMap<ResourceKey, Entry> = HashMap::new();
    let mut owned = Vec::new();
    for entry in entries {
        match patient_of(&entry)? {
            Some(patient) => owned.push((patient, entry)),
            None => drop(shared.insert(entry.key.clone(), entry)),
        }
    }
    for (patient, entry) in owned {
        of_patients.entry(patient).or_default().push(entry);
    }
    if of_patients.is_empty() {
        return Err(BundleError::NoPatient);
    }
    let only = of_patients.len() == 1;
    let mut claimed = HashSet::new();
    let mut charts = Vec::with_capacity(of_patients.len());
    for (patient, mut entries) in of_patients {
        if !entries.iter().any(|entry| entry.key == patient) {
            let first = entries.first().map_or(0, |entry| entry.at);
            return Err(BundleError::OtherPatient {
                entry: first,
                path: "Patient".to_owned(),
            });
        }
        let wanted = if only {
            shared.keys().cloned().collect()
        } else {
            wanted(&entries, &shared)
        };
        entries.extend(wanted.iter().filter_map(|key| shared.get(key)).cloned());
        entries.sort_by_key(|entry| entry.at);
        claimed.extend(wanted);
        charts.push(chart(entries)?);
    }
    let mut unclaimed: Vec<ResourceKey> = shared
        .into_keys()
        .filter(|key| !claimed.contains(key))
        .collect();
    unclaimed.sort_unstable();
    Ok(ParsedLines { charts, unclaimed })
}

/// The patient that a resource is or refers to.
fn patient_of(entry: &Entry) -> Result<Option<ResourceKey>, BundleError> {
    let own = Some(entry.key.clone()).filter(|key| key.resource_type() == "Patient");
    let referred = entry.resource.references().into_iter();
    let mut patients = own
        .into_iter()
        .chain(referred.filter(|k| k.resource_type() == "Patient"));
    let Some(patient) = patients.next() else {
        return Ok(None);
    };
    if patients.any(|other| other != patient) {
        let path = entry.resource.other_patient(&patient).unwrap_or_default();
        return Err(BundleError::OtherPatient {
            entry: entry.at,
            path,
        });
    }
    Ok(Some(patient))
}

/// The shared resources that the entries refer to, directly or through others.
fn wanted(entries: &[Entry], shared: &HashMap<ResourceKey, Entry>) -> HashSet<ResourceKey> {
    let mut wanted = HashSet::new();
    let mut open: Vec<ResourceKey> = entries
        .iter()
        .flat_map(|e| e.resource.references())
        .collect();
    while let Some(key) = open.pop() {
        if let Some(entry) = shared.get(&key)
            && wanted.insert(key)
        {
            open.extend(entry.resource.references());
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<ParsedLines, BundleError> {
        parse_ndjson(lines.iter().copied(), &mut || "new".to_owned())
    }

    const A: &str = r#"{"resourceType":"Patient","id":"a",
        "managingOrganization":{"reference":"Organization/o"}}"#;
    const B: &str = r#"{"resourceType":"Patient","id":"b"}"#;
    const ORGANIZATION: &str =
        r#"{"resourceType":"Organization","id":"o","partOf":{"reference":"Organization/top"}}"#;
    const TOP: &str = r#"{"resourceType":"Organization","id":"top"}"#;
    const OF_B: &str = r#"{"resourceType":"Flag","id":"f","subject":{"reference":"Patient/b"}}"#;

    #[test]
    fn lines_are_grouped_by_patient_and_shared_resources_follow() {
        let lone = r#"{"resourceType":"Location","id":"l"}"#;
        let parsed = parse(&[OF_B, TOP, ORGANIZATION, "", A, B, lone]).unwrap();
        let keys: Vec<Vec<String>> = parsed
            .charts
            .iter()
            .map(|c| {
                c.resources
                    .iter()
                    .map(|r| r.key().unwrap().to_string())
                    .collect()
            })
            .collect();
        assert_eq!(keys[0], ["Organization/top", "Organization/o", "Patient/a"]);
        assert_eq!(keys[1], ["Flag/f", "Patient/b"]);
        assert_eq!(parsed.unclaimed, ["Location/l".parse().unwrap()]);
    }

    #[test]
    fn one_patient_takes_everything() {
        let parsed = parse(&[TOP, B, OF_B]).unwrap();
        assert_eq!(
            (parsed.charts.len(), parsed.charts[0].resources.len()),
            (1, 3)
        );
        assert!(parsed.unclaimed.is_empty());
    }

    #[test]
    fn resources_of_two_patients_or_of_an_absent_one_are_refused() {
        let both = r#"{"resourceType":"Flag","id":"x","subject":{"reference":"Patient/a"},
            "author":{"reference":"Patient/b"}}"#;
        assert!(matches!(
            parse(&[A, B, both]),
            Err(BundleError::OtherPatient { entry: 2, .. })
        ));
        assert!(matches!(
            parse(&[A, OF_B]),
            Err(BundleError::OtherPatient { entry: 1, .. })
        ));
        assert_eq!(parse(&[TOP]), Err(BundleError::NoPatient));
        assert!(matches!(
            parse(&[B, "{"]),
            Err(BundleError::Entry { entry: 1, .. })
        ));
        assert_eq!(
            parse(&[B, B]),
            Err(BundleError::SameKey {
                first: 0,
                second: 1
            })
        );
    }
}
