//! What a resource is about, in a line.

use super::{Concept, text_of};
use crate::resource::Resource;

/// The elements that say what a resource is about, of all types that have one.
const SUBJECTS: [&str; 4] = ["code", "medicationCodeableConcept", "vaccineCode", "type"];

/// What a resource is about: the text of its code, and of an allergy how critical it is. None
/// where it has no code.
pub fn headline(resource: &Resource) -> Option<String> {
    let mut subjects = SUBJECTS.iter();
    let text = subjects.find_map(|name| Concept::of(resource, name).text)?;
    Some(match text_of(resource, "criticality") {
        Some(criticality) => format!("{text}, criticality {criticality}"),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_by_its_code() {
        let of = |text: &str| headline(&Resource::parse(text).unwrap());
        let allergy = r#"{"resourceType":"AllergyIntolerance","id":"a","criticality":"high",
            "code":{"coding":[{"display":"Penicillin"}]}}"#;
        assert_eq!(of(allergy).as_deref(), Some("Penicillin, criticality high"));
        let vaccine = r#"{"resourceType":"Immunization","id":"i","vaccineCode":{"text":"BCG"}}"#;
        assert_eq!(of(vaccine).as_deref(), Some("BCG"));
        assert_eq!(of(r#"{"resourceType":"Patient","id":"p"}"#), None);
    }
}
