//! What leaves the node as a file.

use base64::Engine as _;

use crate::clinic::{Clinic, ClinicError, Exported};
use crate::control::{Answer, Failure};

/// A chart as FHIR, and what it lacks.
pub(super) fn exported(clinic: &Clinic, patient: &str, ndjson: bool) -> Result<Answer, Failure> {
    let Exported { text, absent, held } = clinic.export_chart(patient, ndjson)?;
    let value = if ndjson {
        serde_json::value::to_raw_value(&text)
    } else {
        serde_json::value::RawValue::from_string(text)
    };
    Ok(Answer {
        absent,
        held,
        ..Answer::of(value.map_err(ClinicError::fault)?)
    })
}

/// The content of an attachment.
pub(super) fn saved(
    clinic: &Clinic,
    patient: &str,
    resource: &str,
    number: usize,
) -> Result<Answer, Failure> {
    let content = clinic.attachment_content(patient, resource, number)?;
    let data = base64::engine::general_purpose::STANDARD.encode(content);
    Answer::done(&serde_json::json!({ "data": data }))
}
