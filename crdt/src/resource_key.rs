//! The name of a resource within a chart: `Type/id`.

use std::fmt;
use std::str::FromStr;

use crate::limits::{MAX_ID_BYTES, MAX_TYPE_BYTES};

/// The name of a resource within a chart, written like a FHIR reference: `Patient/42`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey(String);

/// A text is not of the form `Type/id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceKeyError {
    /// There is no `/`.
    #[error("a resource is named as Type/id")]
    NoSlash,
    /// The part before the `/` is no type name.
    #[error("the type of a resource has only letters")]
    BadType,
    /// The part behind the `/` is no FHIR id.
    #[error("an id has 1 to {MAX_ID_BYTES} letters, digits, '-' and '.'")]
    BadId,
}

impl ResourceKey {
    /// Joins a type and an id.
    ///
    /// # Errors
    /// When `resource_type` is not made of letters, or `id` is not a FHIR id (R4 2.24.0.1).
    pub fn new(resource_type: &str, id: &str) -> Result<Self, ResourceKeyError> {
        check(resource_type, id)?;
        Ok(Self(format!("{resource_type}/{id}")))
    }

    /// The name as a relative FHIR reference.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type of the resource.
    pub fn resource_type(&self) -> &str {
        self.0
            .split_once('/')
            .map_or("", |(resource_type, _)| resource_type)
    }

    /// The id of the resource.
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, id)| id)
    }
}

impl FromStr for ResourceKey {
    type Err = ResourceKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (resource_type, id) = text.split_once('/').ok_or(ResourceKeyError::NoSlash)?;
        check(resource_type, id)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ResourceKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for ResourceKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn check(resource_type: &str, id: &str) -> Result<(), ResourceKeyError> {
    if !is_type_name(resource_type) {
        return Err(ResourceKeyError::BadType);
    }
    if is_id(id) {
        Ok(())
    } else {
        Err(ResourceKeyError::BadId)
    }
}

/// Whether a text can be the name of a resource type.
pub(crate) fn is_type_name(text: &str) -> bool {
    (1..=MAX_TYPE_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether a text is a FHIR id (R4 2.24.0.1), if need be a longer one.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key: ResourceKey = "Patient/a-1.B".parse().unwrap();
        assert_eq!((key.resource_type(), key.id()), ("Patient", "a-1.B"));
        assert_eq!(key.to_string(), "Patient/a-1.B");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!("Patient/{}", "x".repeat(MAX_ID_BYTES + 1));
        for text in [
            "",
            "Patient",
            "/1",
            "Patient/",
            "Pat1ent/1",
            "Patient/a b",
            "A/b/c",
            &long,
        ] {
            assert!(text.parse::<ResourceKey>().is_err(), "{text}");
        }
    }
}
