//! Taking a resource back: it is marked, and never deleted.

use crate::json::push_string;
use crate::resource::Resource;
use crate::span;

/// The extension with the reason for a retraction.
pub const RETRACTION_REASON: &str =
    "https://chartmesh.org/fhir/StructureDefinition/entered-in-error-reason";

/// A resource cannot be marked as entered in error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RetractError {
    /// FHIR R4 has no such status for this type.
    #[error("FHIR has no status \"entered-in-error\" for a {0}")]
    NoSuchStatus(String),
}

impl Resource {
    /// The same resource marked as entered in error, with the reason in an
    /// [extension](RETRACTION_REASON). Views leave it out; the history keeps it.
    ///
    /// For Condition and AllergyIntolerance this is `verificationStatus`, and `clinicalStatus`
    /// goes (R4 constraints con-5 and ait-2); for Goal it is `lifecycleStatus`; for the others
    /// `status`.
    ///
    /// # Errors
    /// [`RetractError`] for a type that has no such status, like Patient.
    pub fn retracted(self, reason: &str) -> Result<Self, RetractError> {
        let resource_type = self.resource_type().to_owned();
        let (element, text) = match resource_type.as_str() {
            "Condition" => ("verificationStatus", verification("condition-ver-status")),
            "AllergyIntolerance" => (
                "verificationStatus",
                verification("allergyintolerance-verification"),
            ),
            "Goal" => ("lifecycleStatus", "\"entered-in-error\"".to_owned()),
            known if HAVE_STATUS.contains(&known) => ("status", "\"entered-in-error\"".to_owned()),
            _ => return Err(RetractError::NoSuchStatus(resource_type)),
        };
        let mut retracted = self;
        if element == "verificationStatus" {
            retracted = retracted.without_element("clinicalStatus");
        }
        retracted.set_minified(element, text);
        let extensions = with_reason(retracted.element("extension"), reason);
        retracted.set_minified("extension", extensions);
        Ok(retracted)
    }
}

/// The types whose `status` may be `entered-in-error` (R4, the value sets of their `status`).
const HAVE_STATUS: [&str; 44] = [
    "Account",
    "Appointment",
    "AppointmentResponse",
    "CarePlan",
    "CareTeam",
    "ChargeItem",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "Communication",
    "CommunicationRequest",
    "Composition",
    "Consent",
    "Coverage",
    "DetectedIssue",
    "Device",
    "DeviceRequest",
    "DeviceUseStatement",
    "DocumentManifest",
    "DocumentReference",
    "DiagnosticReport",
    "Encounter",
    "EpisodeOfCare",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "GuidanceResponse",
    "ImagingStudy",
    "Immunization",
    "Invoice",
    "List",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "NutritionOrder",
    "Observation",
    "Procedure",
    "QuestionnaireResponse",
    "RiskAssessment",
    "ServiceRequest",
    "Specimen",
];

fn verification(system: &str) -> String {
    format!(
        "{{\"coding\":[{{\"system\":\"http://terminology.hl7.org/CodeSystem/{system}\",\
         \"code\":\"entered-in-error\"}}]}}"
    )
}

/// The extensions of a resource with the reason in place of an earlier one.
fn with_reason(extensions: Option<&str>, reason: &str) -> String {
    let earlier = extensions.map(span::items).unwrap_or_default();
    let is_reason = |item: &&str| {
        let url = span::member(item, "url").and_then(span::string);
        url.as_deref() == Some(RETRACTION_REASON)
    };
    let mut out = String::from("[");
    for kept in earlier.into_iter().filter(|item| !is_reason(item)) {
        out.push_str(kept);
        out.push(',');
    }
    out.push_str("{\"url\":");
    push_string(&mut out, RETRACTION_REASON);
    out.push_str(",\"valueString\":");
    push_string(&mut out, reason);
    out.push_str("}]");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_marked_where_its_type_says() {
        let of = |text: &str| {
            Resource::parse(text)
                .unwrap()
                .retracted("wrong \"patient\"")
        };
        let condition =
            of(r#"{"resourceType":"Condition","clinicalStatus":{},"extension":[{"url":"x"}]}"#);
        let condition = condition.unwrap();
        assert!(
            condition
                .element("verificationStatus")
                .unwrap()
                .contains("condition-ver-status")
        );
        assert_eq!(condition.element("clinicalStatus"), None);
        let extension = condition.element("extension").unwrap();
        assert!(extension.starts_with(r#"[{"url":"x"},"#), "{extension}");
        assert!(
            extension.contains(r#""valueString":"wrong \"patient\"""#),
            "{extension}"
        );
        let again = condition.clone().retracted("other").unwrap();
        assert_eq!(span::items(again.element("extension").unwrap()).len(), 2);
        assert_eq!(Resource::parse(&condition.to_json()).unwrap(), condition);
        let observation = of(r#"{"resourceType":"Observation","status":"final"}"#).unwrap();
        assert_eq!(observation.element("status"), Some("\"entered-in-error\""));
        assert!(of(r#"{"resourceType":"Patient"}"#).is_err());
    }
}
