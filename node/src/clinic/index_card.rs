//! The index card: the few lines of a patient that lists and search show without opening a chart.

use std::collections::BTreeSet;

use chartmesh_crdt::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fold;

/// The most search words of one card: a person with many names and identifiers has fifty.
const MAX_WORDS: usize = 200;

/// What a list shows of a patient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IndexCard {
    /// The FHIR Patient id.
    pub patient: String,
    /// The name, as written: the official or usual one, else the first.
    pub name: String,
    /// FHIR date: YYYY, YYYY-MM or YYYY-MM-DD.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: Option<String>,
    /// Identifiers.
    pub identifiers: Vec<Identifier>,
    /// Every other name, to search by.
    pub other_names: Vec<String>,
}

/// How like two cards are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// They are of one person.
    Same,
    /// They may be: somebody has to say.
    Doubtful,
    /// They are of two.
    Other,
}

/// A business identifier of a patient (FHIR Identifier).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<String>,
    /// The value.
    pub value: String,
}

impl IndexCard {
    /// The card of a FHIR Patient.
    #[must_use]
    pub(super) fn of(patient: &Resource) -> Self {
        let element = |name: &str| -> Value {
            patient
                .element(name)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        };
        let text = |name: &str| element(name).as_str().map(str::to_owned);
        let names = element("name");
        let mut written: Vec<(u8, String)> = names
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(|name| (rank(name), written_name(name)))
            .filter(|(_, name)| !name.is_empty())
            .collect();
        written.sort_by_key(|(rank, _)| *rank);
        let mut written = written.into_iter().map(|(_, name)| name);
        Self {
            patient: patient.id().unwrap_or_default().to_owned(),
            name: written.next().unwrap_or_default(),
            birth_date: text("birthDate"),
            sex: text("gender"),
            identifiers: identifiers(&element("identifier")),
            other_names: written.collect(),
        }
    }

    /// The card of a Patient in conflict, which is to be found under every name that may be true:
    /// out of the ways in which it may be read, the way it is read first.
    pub(super) fn of_all(patients: &[Resource]) -> Option<Self> {
        let mut cards = patients.iter().map(Self::of);
        let mut card = cards.next()?;
        for other in cards {
            let names = std::iter::once(other.name).chain(other.other_names);
            for name in names {
                if name != card.name && !name.is_empty() && !card.other_names.contains(&name) {
                    card.other_names.push(name);
                }
            }
            for identifier in other.identifiers {
                if !card.identifiers.contains(&identifier) {
                    card.identifiers.push(identifier);
                }
            }
        }
        Some(card)
    }

    /// Whether two cards under one FHIR id are of one person: they are where two of name, birth
    /// date and identifiers agree. Birth dates agree where one says no more than the other.
    pub(super) fn likeness(&self, other: &Self) -> Likeness {
        let names = |card: &Self| -> BTreeSet<String> {
            let all = std::iter::once(&card.name).chain(&card.other_names);
            all.flat_map(|name| fold::words(name)).collect()
        };
        let name = !names(self).is_disjoint(&names(other));
        let identifier = self
            .identifiers
            .iter()
            .any(|one| other.identifiers.contains(one));
        let date = match (&self.birth_date, &other.birth_date) {
            (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
            _ => true,
        };
        match (name, identifier, date) {
            (true, true, _) | (true, _, true) | (_, true, true) => Likeness::Same,
            (true, false, false) | (false, true, false) => Likeness::Doubtful,
            (false, false, _) => Likeness::Other,
        }
    }

    /// The texts under which the card is found.
    pub(super) fn search_texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for name in std::iter::once(&self.name).chain(&self.other_names) {
            for word in fold::words(name) {
                texts.extend(fold::beginnings(&word));
            }
        }
        if let Some(date) = &self.birth_date {
            texts.extend(date_texts(date));
        }
        for identifier in &self.identifiers {
            texts.extend(identifier_text(&identifier.value));
        }
        texts.sort_unstable();
        texts.dedup();
        texts.truncate(MAX_WORDS);
        texts
    }
}

/// The text that a typed word is looked up by, where the word is a date or an identifier it is
/// kept whole.
pub(super) fn lookup_texts(typed: &str) -> Vec<Vec<String>> {
    let mut alternatives: Vec<Vec<String>> = Vec::new();
    alternatives.extend(identifier_text(typed).map(|text| vec![text]));
    if is_date(typed) {
        alternatives.push(vec![typed.to_owned()]);
    }
    let words: Vec<String> = fold::words(typed)
        .iter()
        .map(|word| fold::lookup(word).to_owned())
        .collect();
    if !words.is_empty() {
        alternatives.push(words);
    }
    alternatives
}

/// An identifier as it is compared: letters and digits only, in lower case. One without any is
/// nothing to find anybody by.
fn identifier_text(value: &str) -> Option<String> {
    let letters = value.chars().filter(|c| c.is_alphanumeric());
    let text: String = letters.flat_map(char::to_lowercase).collect();
    (!text.is_empty()).then(|| format!("#{text}"))
}

/// A birth date is found whole, by year and month, and by year.
fn date_texts(date: &str) -> Vec<String> {
    const ENDS: [usize; 3] = [4, 7, 10];
    ENDS.iter()
        .filter_map(|end| date.get(..*end))
        .map(str::to_owned)
        .collect()
}

fn is_date(text: &str) -> bool {
    matches!(text.len(), 4 | 7 | 10) && text.chars().all(|c| c.is_ascii_digit() || c == '-')
}

/// Official names come first, old ones last.
fn rank(name: &Value) -> u8 {
    match name.get("use").and_then(Value::as_str) {
        Some("official") => 0,
        Some("usual") => 1,
        Some("old" | "maiden") => 4,
        Some("nickname" | "anonymous" | "temp") => 3,
        _ => 2,
    }
}

fn written_name(name: &Value) -> String {
    let given = name
        .get("given")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let parts: Vec<&str> = given
        .iter()
        .chain(name.get("family"))
        .filter_map(Value::as_str)
        .filter(|part| !part.trim().is_empty())
        .collect();
    if parts.is_empty() {
        return name
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .to_owned();
    }
    parts.join(" ")
}

fn identifiers(element: &Value) -> Vec<Identifier> {
    element
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(|identifier| {
            Some(Identifier {
                system: identifier
                    .get("system")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                value: identifier.get("value").and_then(Value::as_str)?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(json: &str) -> IndexCard {
        IndexCard::of(&Resource::parse(json).unwrap())
    }

    #[test]
    fn the_official_name_is_shown_and_the_others_are_found() {
        let card = card(
            r#"{"resourceType":"Patient","id":"p","name":[{"use":"maiden","family":"Öztürk"},
            {"use":"official","given":["Amina"],"family":"Nakato"}],"gender":"female",
            "birthDate":"1987-04-02","identifier":[{"system":"urn:x","value":"AB-12 3"}]}"#,
        );
        assert_eq!(card.name, "Amina Nakato");
        let texts = card.search_texts();
        for text in [
            "nakato",
            "na",
            "oztu",
            "1987",
            "1987-04",
            "1987-04-02",
            "#ab123",
        ] {
            assert!(
                texts.iter().any(|found| found == text),
                "{text} in {texts:?}"
            );
        }
        assert!(lookup_texts("ab123").contains(&vec!["#ab123".to_owned()]));
    }

    #[test]
    fn a_person_with_one_name_and_a_year_of_birth_is_normal() {
        let card = card(
            r#"{"resourceType":"Patient","id":"p","name":[{"text":"Sukarno"}],"birthDate":"1950"}"#,
        );
        assert_eq!(card.name, "Sukarno");
        assert_eq!(card.birth_date.as_deref(), Some("1950"));
        assert!(card.search_texts().contains(&"1950".to_owned()));
    }

    #[test]
    fn a_patient_without_any_name_has_a_card() {
        let card = card(r#"{"resourceType":"Patient","id":"p"}"#);
        assert_eq!(card.name, "");
        assert!(card.search_texts().is_empty());
    }
}
