//! The parts of a chart that are shared, encrypted and consented to separately.

use std::fmt;
use std::str::FromStr;

use crate::limits::MAX_LABEL_BYTES;

/// A compartment: one document of a chart, the unit of consent and of keys.
///
/// A resource goes to a compartment by its type, unless its `meta.security` holds a sensitivity
/// label, which sends it to `restricted/<label>`. `Patient` never leaves `summary`: every other
/// compartment refers to it, and it is what consent is given about. What the patient records is
/// of types that clinicians use too, so [`Compartment::Patient`] is chosen by who writes, and
/// never by type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compartment {
    /// What an emergency needs.
    Summary,
    /// Every clinical type that has no other place.
    Clinical,
    /// Communication between care providers, and with the patient.
    Messages,
    /// What the patient records.
    Patient,
    /// Coverage, claims and invoices.
    Billing,
    /// Resources with a sensitivity label.
    Restricted(SensitivityLabel),
}

/// A sensitivity label, like `HIV`, or several joined, like `ETH+HIV`: 1 to 64 letters, digits,
/// `-`, `_` and `+`, in capitals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SensitivityLabel(String);

/// A text names no compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompartmentError {
    /// There is no compartment of this name.
    #[error("compartments are summary, clinical, messages, patient, billing, restricted/LABEL")]
    Unknown,
    /// The label is empty, too long, or has other characters than labels have.
    #[error("a label has 1 to 64 capital letters, digits, '-', '_' and '+'")]
    BadLabel,
}

impl Compartment {
    /// The compartment of a type without a sensitivity label.
    ///
    /// `Medication` is in `summary` because a prescription there may name its drug only by a
    /// reference. All of FHIR's financial types are in `billing`. A type that is not known here
    /// is clinical.
    pub fn of_type(resource_type: &str) -> Self {
        match resource_type {
            "AllergyIntolerance"
            | "Condition"
            | "Device"
            | "Flag"
            | "Immunization"
            | "Medication"
            | "MedicationRequest"
            | "MedicationStatement"
            | "Patient"
            | "RelatedPerson" => Self::Summary,
            "Communication" => Self::Messages,
            "Account"
            | "ChargeItem"
            | "Claim"
            | "ClaimResponse"
            | "Coverage"
            | "CoverageEligibilityRequest"
            | "CoverageEligibilityResponse"
            | "EnrollmentRequest"
            | "EnrollmentResponse"
            | "ExplanationOfBenefit"
            | "Invoice"
            | "PaymentNotice"
            | "PaymentReconciliation" => Self::Billing,
            _ => Self::Clinical,
        }
    }

    /// Whether resources of a type have their place here. `Patient` has it only in `summary`;
    /// any other type may be restricted or recorded by the patient.
    pub fn admits(&self, resource_type: &str) -> bool {
        match self {
            Self::Patient | Self::Restricted(_) => resource_type != "Patient",
            Self::Summary | Self::Clinical | Self::Messages | Self::Billing => {
                Self::of_type(resource_type) == *self
            }
        }
    }
}

impl SensitivityLabel {
    /// Checks a label.
    ///
    /// # Errors
    /// [`CompartmentError::BadLabel`].
    pub fn new(label: &str) -> Result<Self, CompartmentError> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_+".contains(&b);
        if (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(allowed) {
            Ok(Self(label.to_owned()))
        } else {
            Err(CompartmentError::BadLabel)
        }
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Compartment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Summary => f.write_str("summary"),
            Self::Clinical => f.write_str("clinical"),
            Self::Messages => f.write_str("messages"),
            Self::Patient => f.write_str("patient"),
            Self::Billing => f.write_str("billing"),
            Self::Restricted(label) => write!(f, "restricted/{}", label.0),
        }
    }
}

impl FromStr for Compartment {
    type Err = CompartmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "summary" => Ok(Self::Summary),
            "clinical" => Ok(Self::Clinical),
            "messages" => Ok(Self::Messages),
            "patient" => Ok(Self::Patient),
            "billing" => Ok(Self::Billing),
            _ => {
                let label = text
                    .strip_prefix("restricted/")
                    .ok_or(CompartmentError::Unknown)?;
                SensitivityLabel::new(label).map(Self::Restricted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;

    #[test]
    fn a_compartment_is_read_as_it_is_written() {
        for name in [
            "summary",
            "clinical",
            "messages",
            "patient",
            "billing",
            "restricted/HIV",
            "restricted/ETH+HIV",
        ] {
            assert_eq!(name.parse::<Compartment>().unwrap().to_string(), name);
        }
        for name in [
            "",
            "Summary",
            "restricted",
            "restricted/",
            "restricted/hiv",
            "restricted/A/B",
        ] {
            assert!(name.parse::<Compartment>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_resource_goes_by_its_type_unless_it_is_labelled() {
        let of = |resource_type: &str, code: &str| {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
            let meta = format!(r#"{{"security":[{{"system":"{system}","code":"{code}"}}]}}"#);
            let text = format!(r#"{{"resourceType":"{resource_type}","id":"1"}}"#);
            let plain = Resource::parse(&text).unwrap();
            let labelled = plain.clone().with_element("meta", &meta).unwrap();
            (
                plain.compartment().to_string(),
                labelled.compartment().to_string(),
            )
        };
        assert_eq!(
            of("Condition", "HIV"),
            ("summary".into(), "restricted/HIV".into())
        );
        assert_eq!(
            of("Encounter", "PSY"),
            ("clinical".into(), "restricted/PSY".into())
        );
        assert_eq!(
            of("Communication", "SUD"),
            ("messages".into(), "restricted/SUD".into())
        );
        assert_eq!(
            of("Claim", "STD"),
            ("billing".into(), "restricted/STD".into())
        );
        assert_eq!(of("Patient", "HIV"), ("summary".into(), "summary".into()));
        assert_eq!(of("Unheard", "ETH").0, "clinical");
    }

    #[test]
    fn a_compartment_admits_its_own_types() {
        assert!(Compartment::Summary.admits("Patient"));
        assert!(!Compartment::Billing.admits("Patient"));
        assert!(!Compartment::Patient.admits("Patient"));
        assert!(Compartment::Patient.admits("Observation"));
        assert!(!Compartment::Messages.admits("Observation"));
    }
}
