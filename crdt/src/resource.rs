//! One FHIR resource as the exact JSON texts of its top-level elements.

use std::collections::BTreeMap;
use std::fmt;

use crate::compartment::Compartment;
use crate::json::{Fault, FaultKind, minify, printable, push_string};
use crate::limits::{MAX_DEPTH, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_RESOURCE_BYTES};
use crate::reference;
use crate::resource_key::{ResourceKey, is_id, is_type_name};
use crate::sensitivity;
use crate::span;

/// A FHIR R4 resource. Each top-level element is kept as its JSON text, without the whitespace
/// between tokens and otherwise as it was written: the digits of decimals, the escapes of
/// strings, the order inside an element, unknown elements and extensions.
///
/// The order of the top-level elements themselves is not kept: two resources with the same
/// elements are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    resource_type: String,
    id: Option<String>,
    /// Without `resourceType` and `id`.
    elements: BTreeMap<String, String>,
}

/// Why a text is not a FHIR resource. A `path` names the element like `name[0].given`, and is
/// empty for the resource itself; no variant holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The text is longer than [`MAX_RESOURCE_BYTES`].
    #[error("the resource has {bytes} bytes, more than the {MAX_RESOURCE_BYTES} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The text is not JSON (RFC 8259).
    #[error("not JSON: byte {offset}{}", inside(path))]
    Syntax {
        /// The element; empty for the text as a whole.
        path: String,
        /// Bytes before the fault.
        offset: usize,
    },
    /// An object has two members of one name.
    #[error("an element stands twice: \"{path}\"")]
    DuplicateName {
        /// The element.
        path: String,
    },
    /// Objects and arrays nest deeper than [`MAX_DEPTH`].
    #[error("nested more than {MAX_DEPTH} deep: \"{path}\"")]
    TooDeep {
        /// The element.
        path: String,
    },
    /// The text is JSON, but not an object.
    #[error("a resource is a JSON object")]
    NotAnObject,
    /// There is no `resourceType`.
    #[error("there is no \"resourceType\"")]
    NoResourceType,
    /// `resourceType` is not a string of letters.
    #[error("\"resourceType\" is not a type name")]
    BadResourceType,
    /// The resource has no `id`, where one is needed.
    #[error("there is no \"id\"")]
    NoId,
    /// `id` is not a FHIR id (R4 2.24.0.1).
    #[error("\"id\" is not a string of 1 to {MAX_ID_BYTES} letters, digits, '-' and '.'")]
    BadId,
    /// The name of a top-level element is empty, longer than [`MAX_NAME_BYTES`], or `*`.
    #[error("a name cannot be that of an element: \"{path}\"")]
    BadName {
        /// The element.
        path: String,
    },
}

impl Resource {
    /// Reads one resource.
    ///
    /// # Errors
    /// Everything that [`ResourceError`] lists but [`NoId`](ResourceError::NoId): a resource may
    /// lack its id until it is stored.
    pub fn parse(text: &str) -> Result<Self, ResourceError> {
        if text.len() > MAX_RESOURCE_BYTES {
            return Err(ResourceError::TooLarge { bytes: text.len() });
        }
        let minified = minify(without_mark(text), MAX_DEPTH)?;
        Self::from_minified(&minified)
    }

    /// Reads one resource from text that [`minify`] returned.
    pub(crate) fn from_minified(text: &str) -> Result<Self, ResourceError> {
        if text.len() > MAX_RESOURCE_BYTES {
            return Err(ResourceError::TooLarge { bytes: text.len() });
        }
        if !text.starts_with('{') {
            return Err(ResourceError::NotAnObject);
        }
        let mut resource_type = None;
        let mut id = None;
        let mut elements = BTreeMap::new();
        for (name, value) in span::members(text) {
            match name.as_ref() {
                "resourceType" => resource_type = Some(value),
                "id" => id = Some(value),
                name => {
                    check_name(name)?;
                    elements.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        let resource_type = resource_type.ok_or(ResourceError::NoResourceType)?;
        let resource_type = span::string(resource_type).filter(|t| is_type_name(t));
        let resource_type = resource_type
            .ok_or(ResourceError::BadResourceType)?
            .into_owned();
        let id = match id {
            None => None,
            Some(value) => {
                let id = span::string(value)
                    .filter(|i| is_id(i))
                    .ok_or(ResourceError::BadId)?;
                Some(id.into_owned())
            }
        };
        Ok(Self {
            resource_type,
            id,
            elements,
        })
    }

    /// A resource of elements that were checked when they were stored.
    pub(crate) fn from_stored(key: &ResourceKey, elements: BTreeMap<String, String>) -> Self {
        let (resource_type, id) = (key.resource_type().to_owned(), Some(key.id().to_owned()));
        Self {
            resource_type,
            id,
            elements,
        }
    }

    /// The type, like `Patient`.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The id, if the resource has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The same resource under another id.
    ///
    /// # Errors
    /// [`BadId`](ResourceError::BadId) when `id` is not a FHIR id.
    pub fn with_id(mut self, id: &str) -> Result<Self, ResourceError> {
        if !is_id(id) {
            return Err(ResourceError::BadId);
        }
        self.id = Some(id.to_owned());
        Ok(self)
    }

    /// The exact JSON text of one top-level element; never that of `resourceType` or `id`.
    pub fn element(&self, name: &str) -> Option<&str> {
        self.elements.get(name).map(String::as_str)
    }

    /// Every top-level element but `resourceType` and `id`, with its exact JSON text, in the
    /// order of the names.
    pub fn elements(&self) -> impl Iterator<Item = (&str, &str)> {
        self.elements
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The same resource with one element set to a JSON text.
    ///
    /// # Errors
    /// When `json` is not JSON, or `name` is `resourceType`, `id`, or no name of an element.
    pub fn with_element(mut self, name: &str, json: &str) -> Result<Self, ResourceError> {
        check_name(name)?;
        if matches!(name, "resourceType" | "id") {
            return Err(ResourceError::BadName {
                path: name.to_owned(),
            });
        }
        let text = minify(json, MAX_DEPTH - 1)?;
        self.elements.insert(name.to_owned(), text);
        Ok(self)
    }

    /// Sets an element to text that [`minify`] would return.
    pub(crate) fn set_minified(&mut self, name: &str, text: String) {
        self.elements.insert(name.to_owned(), text);
    }

    /// The same resource without one element.
    #[must_use]
    pub fn without_element(mut self, name: &str) -> Self {
        self.elements.remove(name);
        self
    }

    /// The name of the resource within a chart.
    ///
    /// # Errors
    /// [`NoId`](ResourceError::NoId) when it has no id.
    pub fn key(&self) -> Result<ResourceKey, ResourceError> {
        let id = self.id.as_deref().ok_or(ResourceError::NoId)?;
        ResourceKey::new(&self.resource_type, id).map_err(|_| ResourceError::BadId)
    }

    /// The compartment that the resource belongs to: by its sensitivity labels, else by its type
    /// (see [`Compartment`]).
    pub fn compartment(&self) -> Compartment {
        let label = self.element("meta").and_then(sensitivity::label);
        match label {
            Some(label) if self.resource_type != "Patient" => Compartment::Restricted(label),
            _ => Compartment::of_type(&self.resource_type),
        }
    }

    /// The resource as FHIR JSON on one line: `resourceType`, `id` and `meta` first, the other
    /// elements in the order of their names.
    pub fn to_json(&self) -> String {
        let length: usize = self
            .elements
            .iter()
            .map(|(n, t)| n.len() + t.len() + 4)
            .sum();
        let mut out = String::with_capacity(length + 128);
        out.push_str("{\"resourceType\":");
        push_string(&mut out, &self.resource_type);
        if let Some(id) = &self.id {
            out.push_str(",\"id\":");
            push_string(&mut out, id);
        }
        if let Some(meta) = self.elements.get("meta") {
            push_member(&mut out, "meta", meta);
        }
        for (name, text) in self.elements.iter().filter(|(name, _)| *name != "meta") {
            push_member(&mut out, name, text);
        }
        out.push('}');
        out
    }

    /// The resource as a [`serde_json::Value`], for reading: numbers lose the digits that a
    /// 64-bit float cannot hold.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.to_json()).unwrap_or_default()
    }

    /// Where the resource refers to another patient than `patient`, or to one that cannot be
    /// told: the path of the first such element. A reference to `Patient/x` counts wherever it
    /// stands, also as the end of a URL.
    pub fn other_patient(&self, patient: &ResourceKey) -> Option<String> {
        reference::other_patient(self, patient)
    }

    /// The resources that this one refers to by type and id, in the order of the text.
    pub fn references(&self) -> Vec<ResourceKey> {
        reference::keys(self)
    }

    /// Whether concurrent edits of two elements are one conflict of the whole resource.
    pub fn is_atomic(&self) -> bool {
        is_atomic(&self.resource_type)
    }
}

impl fmt::Debug for Resource {
    /// Names the resource and its elements: their values are nobody's log's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.resource_type,
            self.id.as_deref().unwrap_or("?")
        )?;
        f.debug_list().entries(self.elements.keys()).finish()
    }
}

/// Whether resources of this type are merged as a whole: a dose from one clinician must not meet
/// a drug from another, nor the end of a problem what another has just found it to be.
pub(crate) fn is_atomic(resource_type: &str) -> bool {
    matches!(
        resource_type,
        "AllergyIntolerance"
            | "Condition"
            | "Immunization"
            | "MedicationAdministration"
            | "MedicationDispense"
            | "MedicationRequest"
            | "MedicationStatement"
    )
}

/// Whether resources of an atomic type may also stand as they were written when the type was merged
/// element by element.
pub(crate) fn was_by_element(resource_type: &str) -> bool {
    resource_type == "Condition"
}

/// The text without the byte order mark that some systems put before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn push_member(out: &mut String, name: &str, text: &str) {
    out.push(',');
    push_string(out, name);
    out.push(':');
    out.push_str(text);
}

fn check_name(name: &str) -> Result<(), ResourceError> {
    // `*` names the whole of an atomic resource in a document.
    if name.is_empty() || name == "*" || name.len() > MAX_NAME_BYTES {
        return Err(ResourceError::BadName {
            path: printable(name).to_owned(),
        });
    }
    Ok(())
}

impl ResourceError {
    pub(crate) fn from_fault(kind: FaultKind, path: String) -> Self {
        match kind {
            FaultKind::Syntax { offset } => Self::Syntax { path, offset },
            FaultKind::DuplicateName => Self::DuplicateName { path },
            FaultKind::TooDeep => Self::TooDeep { path },
        }
    }
}

/// Where a fault is, as the end of a sentence.
fn inside(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(", in \"{path}\"")
    }
}

impl From<Fault> for ResourceError {
    fn from(fault: Fault) -> Self {
        Self::from_fault(fault.kind, fault.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_keeps_the_exact_text_of_its_elements() {
        let text = r#" {"id": "o1", "valueQuantity": {"value": 1.50, "unit": "\u00b5g"},
            "_status": null, "resourceType": "Observation", "meta": {"z": 1, "a": 2}} "#;
        let resource = Resource::parse(text).unwrap();
        assert_eq!(
            resource.element("valueQuantity"),
            Some(r#"{"value":1.50,"unit":"\u00b5g"}"#)
        );
        assert_eq!(
            resource.to_json(),
            concat!(
                r#"{"resourceType":"Observation","id":"o1","meta":{"z":1,"a":2},"#,
                r#""_status":null,"valueQuantity":{"value":1.50,"unit":"\u00b5g"}}"#
            )
        );
        assert_eq!(Resource::parse(&resource.to_json()).unwrap(), resource);
        assert_eq!(resource.key().unwrap().as_str(), "Observation/o1");
    }

    #[test]
    fn what_is_no_resource_is_refused_by_kind() {
        use ResourceError as E;
        let kind = |text: &str| Resource::parse(text).unwrap_err();
        assert_eq!(kind("[]"), E::NotAnObject);
        assert_eq!(kind("{}"), E::NoResourceType);
        assert_eq!(kind(r#"{"resourceType":1}"#), E::BadResourceType);
        assert_eq!(kind(r#"{"resourceType":"Pat ient"}"#), E::BadResourceType);
        assert_eq!(kind(r#"{"resourceType":"Patient","id":1}"#), E::BadId);
        assert_eq!(kind(r#"{"resourceType":"Patient","id":"a/b"}"#), E::BadId);
        assert_eq!(
            kind(r#"{"resourceType":"Patient","":1}"#),
            E::BadName { path: "?".into() }
        );
        assert_eq!(
            kind(r#"{"resourceType":"Patient","*":1}"#),
            E::BadName { path: "?".into() }
        );
        let cut = kind("{");
        assert!(matches!(cut, E::Syntax { offset: 1, .. }));
        assert_eq!(cut.to_string(), "not JSON: byte 1");
        let twice = r#"{"resourceType":"Patient","name":[{"text":1,"text":2}]}"#;
        assert_eq!(
            kind(twice),
            E::DuplicateName {
                path: "name[0].text".into()
            }
        );
        let deep = format!(r#"{{"resourceType":"A","x":{}}}"#, "[".repeat(100));
        assert!(matches!(kind(&deep), E::TooDeep { .. }));
        let none = Resource::parse(r#"{"resourceType":"Patient"}"#).unwrap();
        assert_eq!(none.key().unwrap_err(), E::NoId);
    }

    #[test]
    fn an_error_never_shows_a_value() {
        let text =
            r#"{"resourceType":"Patient","name":[{"family":"Lovelace","given":["Ada" "B"]}]}"#;
        let said = Resource::parse(text).unwrap_err().to_string();
        assert!(
            said.contains("name[0].given") && !said.contains("Ada"),
            "{said}"
        );
    }

    #[test]
    fn an_element_is_set_only_to_json() {
        let resource = Resource::parse(r#"{"resourceType":"Patient","id":"1"}"#).unwrap();
        let set = resource.clone().with_element("active", " true ").unwrap();
        assert_eq!(set.element("active"), Some("true"));
        assert!(resource.clone().with_element("active", "yes").is_err());
        assert!(resource.clone().with_element("id", "\"2\"").is_err());
        assert!(resource.with_element("*", "1").is_err());
    }
}
