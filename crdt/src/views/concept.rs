//! CodeableConcepts (FHIR R4 2.24.0.7) as people read them.

use super::text_in;
use crate::resource::Resource;
use crate::span;

/// A concept: what people read, and its codes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Concept {
    /// The text as entered, else the display of a code, else a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The codes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub coding: Vec<Coding>,
}

/// One code of a concept.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coding {
    /// The code system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the code system calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

impl Concept {
    /// Reads the JSON text of a CodeableConcept.
    pub(crate) fn read(object: &str) -> Self {
        let codings = span::member(object, "coding")
            .map(span::items)
            .unwrap_or_default();
        let coding: Vec<Coding> = codings
            .into_iter()
            .map(|coding| Coding {
                system: text_in(coding, "system"),
                code: text_in(coding, "code"),
                display: text_in(coding, "display"),
            })
            .collect();
        let text = text_in(object, "text")
            .or_else(|| coding.iter().find_map(|c| c.display.clone()))
            .or_else(|| coding.iter().find_map(|c| c.code.clone()));
        Self { text, coding }
    }

    /// Reads a top-level element.
    pub(crate) fn of(resource: &Resource, name: &str) -> Self {
        resource.element(name).map(Self::read).unwrap_or_default()
    }

    /// Whether one of its codes is `code`.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.coding.iter().any(|c| c.code.as_deref() == Some(code))
    }

    /// The first code, else the text: what a status is.
    pub(crate) fn status(&self) -> Option<String> {
        self.coding
            .iter()
            .find_map(|c| c.code.clone())
            .or_else(|| self.text.clone())
    }
}

/// The texts of a list of CodeableConcepts.
pub(crate) fn texts(array: &str) -> Vec<String> {
    span::items(array)
        .into_iter()
        .filter_map(|item| Concept::read(item).text)
        .collect()
}
