//! Reading one patient's chart out of a FHIR Bundle (R4 2.36) or a single resource.
//!
//! Ids are kept. A resource without one takes the uuid of its entry's `fullUrl`, else a new one.
//! References to entries of the same bundle by `urn:` become `Type/id`; nothing else changes.

use std::collections::HashMap;

use crate::json::{Fault, minify};
use crate::limits::{MAX_BUNDLE_BYTES, MAX_DEPTH, MAX_ENTRIES};
use crate::reference;
use crate::resource::{Resource, ResourceError, without_mark};
use crate::resource_key::{ResourceKey, is_id};
use crate::span;

/// The levels that a bundle adds around a resource: itself, `entry`, and the entry.
const BUNDLE_DEPTH: usize = 3;

/// One patient with everything that came with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedChart {
    /// The patient.
    pub patient: Resource,
    /// Every resource in the order of the input, the patient among them. All have an id.
    pub resources: Vec<Resource>,
}

/// Why an input is not the chart of one patient. Entries count from 0, in NDJSON they are lines;
/// paths name elements; no variant holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is longer than [`MAX_BUNDLE_BYTES`].
    #[error("the input has {bytes} bytes, more than the {MAX_BUNDLE_BYTES} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The text as a whole is not JSON, or not FHIR.
    #[error(transparent)]
    Input(ResourceError),
    /// The bundle's `type` is none of those that hold a chart.
    #[error("a bundle of type transaction, batch, collection, document or searchset is needed")]
    WrongType,
    /// There are more than [`MAX_ENTRIES`].
    #[error("more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// An entry has no resource.
    #[error("entry {entry}: there is no resource")]
    NoResource {
        /// The entry.
        entry: usize,
    },
    /// An entry's resource is not FHIR.
    #[error("entry {entry}: {error}")]
    Entry {
        /// The entry.
        entry: usize,
        /// What is wrong with it.
        error: ResourceError,
    },
    /// There is no Patient.
    #[error("there is no Patient")]
    NoPatient,
    /// There is a second Patient.
    #[error("entry {entry}: a second Patient")]
    SecondPatient {
        /// The second one's entry.
        entry: usize,
    },
    /// A reference leads to another patient, or to none that can be told.
    #[error("entry {entry}: a reference to another patient, at \"{path}\"")]
    OtherPatient {
        /// The entry.
        entry: usize,
        /// The element with the reference.
        path: String,
    },
    /// Two entries have the same type and id.
    #[error("entries {first} and {second} have the same type and id")]
    SameKey {
        /// The earlier entry.
        first: usize,
        /// The later one.
        second: usize,
    },
}

/// One resource with the address that its entry gave it.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its place in the input.
    pub(crate) at: usize,
    pub(crate) resource: Resource,
    pub(crate) key: ResourceKey,
    full_url: Option<String>,
}

/// Parsing of bundles; see the module.
pub struct Bundle;

impl Bundle {
    /// Reads a Bundle of one patient, or a single Patient. `new_id` makes an id for a resource
    /// that has none and no uuid either.
    ///
    /// # Errors
    /// [`BundleError`]; there is no half of a chart.
    pub fn parse(
        text: &str,
        new_id: &mut dyn FnMut() -> String,
    ) -> Result<ParsedChart, BundleError> {
        if text.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLarge { bytes: text.len() });
        }
        let text = minify(without_mark(text), MAX_DEPTH + BUNDLE_DEPTH)
            .map_err(|fault| of_fault(&fault))?;
        if !text.starts_with('{') {
            return Err(BundleError::Input(ResourceError::NotAnObject));
        }
        let resource_type = span::member(&text, "resourceType");
        let resource_type =
            resource_type.ok_or(BundleError::Input(ResourceError::NoResourceType))?;
        let entries = if span::string(resource_type).as_deref() == Some("Bundle") {
            bundle_entries(&text, new_id)?
        } else {
            let resource = Resource::parse(&text).map_err(BundleError::Input)?;
            vec![entry(0, resource, None, new_id)?]
        };
        chart(entries)
    }
}

fn bundle_entries(
    text: &str,
    new_id: &mut dyn FnMut() -> String,
) -> Result<Vec<Entry>, BundleError> {
    let members = span::members(text);
    let of = |name: &str| {
        members
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| *value)
    };
    match of("type").and_then(span::string).as_deref() {
        Some("transaction" | "batch" | "collection" | "document" | "searchset") => {}
        _ => return Err(BundleError::WrongType),
    }
    let items = of("entry").map(span::items).unwrap_or_default();
    if items.len() > MAX_ENTRIES {
        return Err(BundleError::TooManyEntries);
    }
    let mut entries = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let members = span::members(item);
        let of = |name: &str| {
            members
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| *value)
        };
        // What a server says about its search is not about the patient (R4 2.36.4.1).
        let mode = of("search")
            .and_then(|s| span::member(s, "mode"))
            .and_then(span::string);
        if mode.as_deref() == Some("outcome") {
            continue;
        }
        let resource = of("resource").ok_or(BundleError::NoResource { entry: at })?;
        let resource = Resource::from_minified(resource)
            .map_err(|error| BundleError::Entry { entry: at, error })?;
        let full_url = of("fullUrl")
            .and_then(span::string)
            .map(|url| url.into_owned());
        entries.push(entry(at, resource, full_url, new_id)?);
    }
    Ok(entries)
}

/// Gives a resource its id.
pub(crate) fn entry(
    at: usize,
    resource: Resource,
    full_url: Option<String>,
    new_id: &mut dyn FnMut() -> String,
) -> Result<Entry, BundleError> {
    let error = |error| BundleError::Entry { entry: at, error };
    let resource = if resource.id().is_some() {
        resource
    } else {
        let uuid = full_url
            .as_deref()
            .and_then(|url| url.strip_prefix("urn:uuid:"));
        let id = uuid
            .filter(|id| is_id(id))
            .map_or_else(new_id, str::to_owned);
        resource.with_id(&id).map_err(error)?
    };
    let key = resource.key().map_err(error)?;
    Ok(Entry {
        at,
        resource,
        key,
        full_url,
    })
}

/// Makes the chart of entries that are all of one patient.
pub(crate) fn chart(entries: Vec<Entry>) -> Result<ParsedChart, BundleError> {
    let patient = only_patient(&entries)?;
    let addresses = addresses(&entries)?;
    let mut resources = Vec::with_capacity(entries.len());
    let mut of_patient = None;
    for entry in entries {
        let resource =
            reference::rewrite(entry.resource, &patient, &addresses).map_err(|path| {
                BundleError::OtherPatient {
                    entry: entry.at,
                    path,
                }
            })?;
        if entry.key == patient {
            of_patient = Some(resource.clone());
        }
        resources.push(resource);
    }
    let patient = of_patient.ok_or(BundleError::NoPatient)?;
    Ok(ParsedChart { patient, resources })
}

fn only_patient(entries: &[Entry]) -> Result<ResourceKey, BundleError> {
    let mut patients = entries
        .iter()
        .filter(|entry| entry.key.resource_type() == "Patient");
    let patient = patients.next().ok_or(BundleError::NoPatient)?;
    match patients.next() {
        Some(second) => Err(BundleError::SecondPatient { entry: second.at }),
        None => Ok(patient.key.clone()),
    }
}

/// Where the address of each entry leads.
fn addresses(entries: &[Entry]) -> Result<HashMap<String, ResourceKey>, BundleError> {
    let mut addresses = HashMap::with_capacity(entries.len());
    different_keys(entries)?;
    for entry in entries {
        if let Some(url) = entry.full_url.as_deref() {
            addresses.insert(reference::normal(url), entry.key.clone());
        }
    }
    Ok(addresses)
}

pub(crate) fn different_keys(entries: &[Entry]) -> Result<(), BundleError> {
    let mut seen: HashMap<&ResourceKey, usize> = HashMap::with_capacity(entries.len());
    for entry in entries {
        if let Some(first) = seen.insert(&entry.key, entry.at) {
            return Err(BundleError::SameKey {
                first,
                second: entry.at,
            });
        }
    }
    Ok(())
}

/// Names the entry that a fault is in.
fn of_fault(fault: &Fault) -> BundleError {
    let path = fault.path();
    let inside = path
        .strip_prefix("entry[")
        .and_then(|rest| rest.split_once(']'));
    match inside.and_then(|(at, rest)| Some((at.parse().ok()?, rest))) {
        Some((entry, rest)) => {
            let path = rest
                .strip_prefix(".resource")
                .unwrap_or(rest)
                .trim_start_matches('.');
            let error = ResourceError::from_fault(fault.kind, path.to_owned());
            BundleError::Entry { entry, error }
        }
        None => BundleError::Input(ResourceError::from_fault(fault.kind, path)),
    }
}

/// A FHIR Bundle of type `collection` with the given resources, on one line, in their order.
pub fn to_bundle<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> String {
    let mut out = String::from("{\"resourceType\":\"Bundle\",\"type\":\"collection\"");
    let mut first = true;
    for resource in resources {
        // Without resources there is no list: an empty one is not FHIR (R4 2.6.2).
        out.push_str(if first { ",\"entry\":[" } else { "," });
        first = false;
        out.push_str("{\"resource\":");
        out.push_str(&resource.to_json());
        out.push('}');
    }
    out.push_str(if first { "}" } else { "]}" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ParsedChart, BundleError> {
        let mut count = 0;
        Bundle::parse(text, &mut || {
            count += 1;
            format!("new-{count}")
        })
    }

    fn bundle(entries: &[&str]) -> String {
        let entries = entries.join(",");
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
    }

    const PATIENT: &str =
        r#"{"fullUrl":"urn:uuid:aa-1","resource":{"resourceType":"Patient","id":"p"}}"#;

    #[test]
    fn ids_are_kept_or_taken_from_the_address_or_new() {
        let text = bundle(&[
            PATIENT,
            r#"{"fullUrl":"urn:uuid:bb-2","resource":{"resourceType":"Condition"}}"#,
            r#"{"fullUrl":"http://x.org/Flag/7","resource":{"resourceType":"Flag"}}"#,
        ]);
        let keys: Vec<String> = parse(&text)
            .unwrap()
            .resources
            .iter()
            .map(|r| r.key().unwrap().to_string())
            .collect();
        assert_eq!(keys, ["Patient/p", "Condition/bb-2", "Flag/new-1"]);
    }

    #[test]
    fn only_urns_of_entries_are_rewritten() {
        let text = bundle(&[
            r#"{"fullUrl":"http://x.org/Encounter/e","resource":{
                "resourceType":"Encounter","id":"e",
                "subject":{"reference":"urn:uuid:AA-1","display":"urn:uuid:aa-1"},
                "partOf":{"reference":"http://x.org/Encounter/e"},
                "diagnosis":[{"condition":{"reference":"urn:uuid:unknown"}}],
                "note":["reference","urn:uuid:aa-1"]}}"#,
            PATIENT,
        ]);
        let chart = parse(&text).unwrap();
        assert_eq!(
            chart.resources[0].to_json(),
            concat!(
                r#"{"resourceType":"Encounter","id":"e","#,
                r#""diagnosis":[{"condition":{"reference":"urn:uuid:unknown"}}],"#,
                r#""note":["reference","urn:uuid:aa-1"],"#,
                r#""partOf":{"reference":"http://x.org/Encounter/e"},"#,
                r#""subject":{"reference":"Patient/p","display":"urn:uuid:aa-1"}}"#
            )
        );
        assert_eq!(chart.patient.key().unwrap().as_str(), "Patient/p");
    }

    #[test]
    fn a_single_patient_is_a_chart() {
        let chart = parse("\u{feff} {\"resourceType\":\"Patient\"} ").unwrap();
        assert_eq!(chart.patient.id(), Some("new-1"));
        assert_eq!(
            parse(r#"{"resourceType":"Flag"}"#),
            Err(BundleError::NoPatient)
        );
    }

    #[test]
    fn bad_input_is_refused_by_kind_and_entry() {
        use BundleError as E;
        let flag = r#"{"resource":{"resourceType":"Flag","id":"f"}}"#;
        let second = r#"{"resource":{"resourceType":"Patient","id":"q"}}"#;
        assert!(matches!(
            parse("{"),
            Err(E::Input(ResourceError::Syntax { .. }))
        ));
        assert_eq!(parse("[]"), Err(E::Input(ResourceError::NotAnObject)));
        assert_eq!(
            parse("{\"a\":1}"),
            Err(E::Input(ResourceError::NoResourceType))
        );
        assert_eq!(
            parse(r#"{"resourceType":"Bundle","type":"history"}"#),
            Err(E::WrongType)
        );
        assert_eq!(parse(&bundle(&[])), Err(E::NoPatient));
        assert_eq!(
            parse(&bundle(&[PATIENT, second])),
            Err(E::SecondPatient { entry: 1 })
        );
        assert_eq!(
            parse(&bundle(&[PATIENT, "{}"])),
            Err(E::NoResource { entry: 1 })
        );
        let lacks = bundle(&[PATIENT, r#"{"resource":{}}"#]);
        let error = ResourceError::NoResourceType;
        assert_eq!(parse(&lacks), Err(E::Entry { entry: 1, error }));
        let twice = bundle(&[PATIENT, flag, flag]);
        assert_eq!(
            parse(&twice),
            Err(E::SameKey {
                first: 1,
                second: 2
            })
        );
        let torn = bundle(&[PATIENT, r#"{"resource":{"name":[tru]}}"#]);
        let said = parse(&torn).unwrap_err().to_string();
        assert!(
            said.starts_with("entry 1: ") && said.contains("name[0]"),
            "{said}"
        );
        let deep = format!(r#"{{"resource":{{"x":{}}}}}"#, "[".repeat(200));
        let deep = parse(&bundle(&[PATIENT, &deep]));
        assert!(matches!(
            deep,
            Err(E::Entry {
                entry: 1,
                error: ResourceError::TooDeep { .. }
            })
        ));
    }

    #[test]
    fn a_reference_to_another_patient_is_refused() {
        let flag = |reference: &str| {
            let subject = format!(r#"{{"reference":"{reference}"}}"#);
            format!(r#"{{"resource":{{"resourceType":"Flag","id":"f","subject":{subject}}}}}"#)
        };
        for reference in [
            "Patient/q",
            "http://x.org/fhir/Patient/q",
            "https://x.org/Patient/q/_history/2",
            "Patient?identifier=1",
            "urn:uuid:unknown",
        ] {
            let path = "subject".to_owned();
            let found = parse(&bundle(&[PATIENT, &flag(reference)]));
            assert_eq!(
                found,
                Err(BundleError::OtherPatient { entry: 1, path }),
                "{reference}"
            );
        }
        for reference in [
            "Patient/p",
            "http://x.org/Patient/p",
            "#p",
            "Group/1",
            "urn:uuid:aa-1",
        ] {
            assert!(
                parse(&bundle(&[PATIENT, &flag(reference)])).is_ok(),
                "{reference}"
            );
        }
    }

    #[test]
    fn what_a_server_says_about_a_search_is_left_out() {
        let text = r#"{"resourceType":"Bundle","type":"searchset","entry":[
            {"search":{"mode":"outcome"},"resource":{"resourceType":"OperationOutcome"}},
            {"search":{"mode":"match"},"resource":{"resourceType":"Patient","id":"p"}}]}"#;
        assert_eq!(parse(text).unwrap().resources.len(), 1);
    }

    #[test]
    fn a_bundle_is_read_as_it_is_written() {
        let text = bundle(&[
            PATIENT,
            r#"{"resource":{"resourceType":"Flag","id":"f","v":1.0}}"#,
        ]);
        let chart = parse(&text).unwrap();
        assert_eq!(parse(&to_bundle(&chart.resources)).unwrap(), chart);
        assert_eq!(
            to_bundle([]),
            r#"{"resourceType":"Bundle","type":"collection"}"#
        );
    }
}
