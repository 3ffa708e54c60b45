//! Compartments: the parts of a chart by which consent and keys are given.

use core::fmt;
use core::str::FromStr;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::MAX_LABEL_BYTES;

const RESTRICTED: &str = "restricted/";

/// The name of a compartment, as text `summary`, `clinical`, `messages`, `patient`, `billing` or
/// `restricted/LABEL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompartmentName {
    /// What an emergency needs: allergies, problems, medications, immunisations.
    Summary,
    /// Encounters, results, notes and all other clinical content.
    Clinical,
    /// Messages between care providers, and with the patient.
    Messages,
    /// What the patient records.
    Patient,
    /// Coverage and claims.
    Billing,
    /// Content under a sensitivity label.
    Restricted(Label),
}

impl CompartmentName {
    /// The compartments that every chart has.
    pub const FIXED: [Self; 5] = [
        Self::Summary,
        Self::Clinical,
        Self::Messages,
        Self::Patient,
        Self::Billing,
    ];

    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Summary => "summary",
            Self::Clinical => "clinical",
            Self::Messages => "messages",
            Self::Patient => "patient",
            Self::Billing => "billing",
            Self::Restricted(label) => &label.name,
        }
    }
}

/// A sensitivity label, such as `HIV`, or several joined, such as `ETH+HIV`: 1 to 64 of `A-Z`,
/// `0-9`, `_`, `-` and `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The compartment's whole name, `restricted/` included.
    name: String,
}

impl Label {
    /// The label with this text.
    pub fn new(label: &str) -> Result<Self, ParseCompartmentError> {
        let known = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-+".contains(&b);
        if label.is_empty() || label.len() > MAX_LABEL_BYTES || !label.bytes().all(known) {
            return Err(ParseCompartmentError::Label);
        }
        Ok(Self {
            name: format!("{RESTRICTED}{label}"),
        })
    }

    /// The label without `restricted/`.
    pub fn as_str(&self) -> &str {
        self.name.strip_prefix(RESTRICTED).unwrap_or(&self.name)
    }
}

/// A text that names no compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseCompartmentError {
    /// None of the known names.
    #[error(
        "no compartment has this name; there are summary, clinical, messages, patient, billing \
         and restricted/LABEL"
    )]
    Unknown,
    /// A restricted compartment whose label is no sensitivity label.
    #[error("a label has 1 to 64 of the characters A-Z, 0-9, _, - and +")]
    Label,
}

impl FromStr for CompartmentName {
    type Err = ParseCompartmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(label) = text.strip_prefix(RESTRICTED) {
            return Label::new(label).map(Self::Restricted);
        }
        let fixed = Self::FIXED.into_iter().find(|name| name.as_str() == text);
        fixed.ok_or(ParseCompartmentError::Unknown)
    }
}

impl fmt::Display for CompartmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for CompartmentName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CompartmentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> Encode<C> for CompartmentName {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CompartmentName {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let text = d.str()?;
        text.parse()
            .map_err(|_| DecodeError::message("no compartment").at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for name in CompartmentName::FIXED {
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        let name: CompartmentName = "restricted/HIV".parse().unwrap();
        assert_eq!(
            name,
            CompartmentName::Restricted(Label::new("HIV").unwrap())
        );
        assert_eq!(name.to_string(), "restricted/HIV");
    }

    #[test]
    fn other_names_are_refused() {
        for text in [
            "",
            "Summary",
            "summary ",
            "restricted",
            "restricted /HIV",
            "x",
        ] {
            let found = text.parse::<CompartmentName>();
            assert_eq!(found, Err(ParseCompartmentError::Unknown), "{text}");
        }
    }

    #[test]
    fn labels_of_other_characters_or_lengths_are_refused() {
        for label in ["", "hiv", "H V", "É", "A/B", "A".repeat(65).as_str()] {
            let found = format!("restricted/{label}").parse::<CompartmentName>();
            assert_eq!(found, Err(ParseCompartmentError::Label), "{label}");
        }
        assert!(Label::new(&"A".repeat(32)).is_ok());
        assert_eq!(Label::new("ETH_2-B").unwrap().as_str(), "ETH_2-B");
    }

    #[test]
    fn a_strange_name_in_cbor_is_refused() {
        assert!(minicbor::decode::<CompartmentName>(b"\x66secret").is_err());
        assert!(minicbor::decode::<CompartmentName>(b"\x67summary").is_ok());
    }
}
