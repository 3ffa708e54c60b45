//! References between resources: finding them, rewriting them, and telling whose they are.
//!
//! A reference is the string value of a member called `reference` (FHIR R4 2.3.0); nothing else
//! is looked at, and nothing but a rewritten string changes.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::resource::Resource;
use crate::resource_key::ResourceKey;
use crate::span::{self, NamedString};

/// Entries of a bundle by their address, as [`normal`] writes it.
pub(crate) type Addresses = HashMap<String, ResourceKey>;

/// An address in the form in which addresses are compared: uuids ignore case (RFC 9562 4).
pub(crate) fn normal(url: &str) -> String {
    if is_urn(url) {
        url.to_ascii_lowercase()
    } else {
        url.to_owned()
    }
}

/// Rewrites the references by `urn:` to entries of the same bundle into `Type/id`.
///
/// # Errors
/// The path of the first reference to another patient than `patient`.
pub(crate) fn rewrite(
    mut resource: Resource,
    patient: &ResourceKey,
    addresses: &Addresses,
) -> Result<Resource, String> {
    let mut rewritten = Vec::new();
    for (name, text) in resource.elements() {
        let mut out = String::new();
        let mut kept = 0;
        for found in in_element(text) {
            let target = Target::of(name, text, &found);
            if !target.is_of(patient, addresses) {
                return Err(target.path());
            }
            if let Some(key) = addresses.get(&normal(&target.reference))
                && is_urn(&target.reference)
            {
                out.push_str(text.get(kept..found.range.start).unwrap_or_default());
                out.push_str(key.as_str());
                kept = found.range.end;
            }
        }
        if kept > 0 {
            out.push_str(text.get(kept..).unwrap_or_default());
            rewritten.push((name.to_owned(), out));
        }
    }
    for (name, text) in rewritten {
        resource.set_minified(&name, text);
    }
    Ok(resource)
}

/// The path of the first reference to another patient.
pub(crate) fn other_patient(resource: &Resource, patient: &ResourceKey) -> Option<String> {
    let none = Addresses::new();
    targets(resource, |target| {
        (!target.is_of(patient, &none)).then(|| target.path())
    })
    .pop()
}

/// Every resource that is referred to by type and id.
pub(crate) fn keys(resource: &Resource) -> Vec<ResourceKey> {
    let mut keys = targets(resource, |target| target.key());
    keys.reverse();
    keys
}

/// What `of` makes of each reference, the last one first.
fn targets<T>(resource: &Resource, of: impl Fn(&Target<'_>) -> Option<T>) -> Vec<T> {
    let mut made = Vec::new();
    for (name, text) in resource.elements() {
        for found in in_element(text) {
            made.extend(of(&Target::of(name, text, &found)));
        }
    }
    made.reverse();
    made
}

fn in_element(text: &str) -> Vec<NamedString> {
    if text.contains("\"reference\":") {
        span::named_strings(text, "reference")
    } else {
        Vec::new()
    }
}

/// One reference, and where it stands.
struct Target<'a> {
    reference: Cow<'a, str>,
    element: &'a str,
    parent: Option<String>,
    /// The Reference around it.
    object: &'a str,
}

impl<'a> Target<'a> {
    fn of(element: &'a str, text: &'a str, found: &NamedString) -> Self {
        let literal = text.get(found.range.clone()).unwrap_or_default();
        Self {
            reference: crate::json::unescape(literal).unwrap_or(Cow::Borrowed(literal)),
            element,
            parent: found.parent.clone(),
            object: text.get(found.object.clone()).unwrap_or_default(),
        }
    }

    /// The type and id that the reference ends with, without version and fragment.
    fn key(&self) -> Option<ResourceKey> {
        let whole = self.reference.split('#').next()?;
        let (unversioned, _) = whole.split_once("/_history/").unwrap_or((whole, ""));
        let mut ends = unversioned.rsplitn(3, '/');
        let (id, resource_type) = (ends.next()?, ends.next()?);
        ResourceKey::new(resource_type, id).ok()
    }

    /// Whether it leads to the given patient, or to something that is no patient.
    fn is_of(&self, patient: &ResourceKey, addresses: &Addresses) -> bool {
        if self.reference.starts_with('#') {
            return true;
        }
        let key = addresses
            .get(&normal(&self.reference))
            .cloned()
            .or_else(|| self.key());
        if let Some(key) = key {
            return key.resource_type() != "Patient" || key == *patient;
        }
        // A search for a patient, like `Patient?identifier=...` (R4 3.1.0.5.3): whose it is
        // shows only at the server.
        let path = self.reference.split('?').next().unwrap_or_default();
        let searches =
            path.len() < self.reference.len() && path.rsplit('/').next() == Some("Patient");
        !searches && !self.must_be_patient()
    }

    /// Whether the place of the reference says that it leads to a patient. A `subject` may be a
    /// group or a device, but one that is not there and not named could be anybody.
    fn must_be_patient(&self) -> bool {
        let place = self.parent.as_deref().unwrap_or(self.element);
        let says = span::member(self.object, "type").and_then(span::string);
        matches!(place, "patient" | "subject" | "beneficiary") || says.as_deref() == Some("Patient")
    }

    fn path(&self) -> String {
        let element = crate::json::printable(self.element);
        match self.parent.as_deref() {
            Some(parent) => format!("{element}.{}", crate::json::printable(parent)),
            None => element.to_owned(),
        }
    }
}

fn is_urn(url: &str) -> bool {
    url.get(..4)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(resource: &str) -> Option<String> {
        let patient = "Patient/p".parse().unwrap();
        Resource::parse(resource).unwrap().other_patient(&patient)
    }

    #[test]
    fn a_reference_to_another_patient_is_found_wherever_it_stands() {
        let nested = r#"{"resourceType":"A","a":[{"b":{"c":[{"reference":"Patient/q"}]}}]}"#;
        assert_eq!(other(nested).as_deref(), Some("a.c"));
        let escaped = r#"{"resourceType":"A","a":{"reference":"P\u0061tient/q"}}"#;
        assert_eq!(other(escaped).as_deref(), Some("a"));
        let typed = r#"{"resourceType":"A","a":{"reference":"urn:uuid:1","type":"Patient"}}"#;
        assert_eq!(other(typed).as_deref(), Some("a"));
        let own = r#"{"resourceType":"A","a":[{"reference":"Patient/p"},{"reference":"Group/q"}]}"#;
        assert_eq!(other(own), None);
        let text = r#"{"resourceType":"A","a":["Patient/q",{"display":"Patient/q"}]}"#;
        assert_eq!(other(text), None);
    }

    #[test]
    fn references_are_read_without_base_version_and_fragment() {
        let text = r##"{"resourceType":"A","a":[{"reference":"http://x.org/r4/B/1/_history/3"},
            {"reference":"C/2#x"},{"reference":"urn:uuid:3"},{"reference":"#4"}]}"##;
        let keys: Vec<String> = Resource::parse(text)
            .unwrap()
            .references()
            .iter()
            .map(|k| k.to_string())
            .collect();
        assert_eq!(keys, ["B/1", "C/2"]);
    }
}
