//! What a chart says for an emergency: from `summary` and `clinical` only. What lies under a
//! sensitivity label stands on no paper.

use chartmesh_crdt::views::{self, Allergy, AllergyStatus, Concept, Medication};
use chartmesh_crdt::{Readable, Resource};
use chartmesh_protocol::ChartId;
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::patient_card::{AllergiesKnown, CardSummary, LeftOut};
use serde_json::Value;

use crate::clinic::index_card::IndexCard;
use crate::clinic::{Clinic, ClinicError};

/// LOINC: ABO and Rh group in one.
const ABO_RH: &str = "882-1";
/// LOINC: ABO group.
const ABO: &str = "883-9";
/// LOINC: Rh group.
const RH: &str = "10331-7";

/// Statuses of an Observation that says nothing (FHIR R4 ObservationStatus).
const VOID: [&str; 2] = ["entered-in-error", "cancelled"];

impl Clinic {
    /// The summary of a chart of this clinic, not yet made to fit.
    pub(super) fn summarised(
        &self,
        chart: &ChartId,
        now_ms: u64,
    ) -> Result<CardSummary, ClinicError> {
        self.with_chart(chart, |open| {
            let on_paper = |name: &CompartmentName| {
                matches!(name, CompartmentName::Summary | CompartmentName::Clinical)
            };
            let parts = open.compartments().filter(|(name, _)| on_paper(name));
            let contents: Vec<&dyn Readable> = parts.map(|(_, one)| one.content()).collect();
            let patient = open.patient();
            let card = patient.as_ref().map(IndexCard::of).unwrap_or_default();
            let allergies = views::allergies(&contents);
            let problems = views::problems(&contents);
            let medications = views::medications(&contents);
            let problem = |one: &views::Problem| disputed(text_of(&one.code), one.conflicted);
            Ok(CardSummary {
                chart: *chart,
                clinic: self.clinic_id(),
                clinic_name: self.name().to_owned(),
                made_ms: now_ms,
                name: card.name,
                birth_date: card.birth_date,
                sex: card.sex,
                blood_group: blood_group(&contents),
                contact: contact(patient.as_ref(), &contents),
                allergies_known: match allergies.status {
                    AllergyStatus::Recorded => AllergiesKnown::Listed,
                    AllergyStatus::NoneKnown | AllergyStatus::NoneCurrent => {
                        AllergiesKnown::NoneKnown
                    }
                    AllergyStatus::NotRecorded | AllergyStatus::NotVisible => {
                        AllergiesKnown::NotRecorded
                    }
                },
                allergies: allergies
                    .list
                    .iter()
                    .filter(|one| !one.none_known)
                    .map(allergy)
                    .collect(),
                medications: medications.iter().map(medication).collect(),
                problems: problems.iter().map(problem).collect(),
                left_out: LeftOut::default(),
            })
        })
    }
}

fn text_of(concept: &Concept) -> String {
    concept
        .text
        .clone()
        .unwrap_or_else(|| "not named".to_owned())
}

/// Two clinics say different things of it.
fn disputed(text: String, conflicted: bool) -> String {
    match conflicted {
        true => format!("{text} (disputed)"),
        false => text,
    }
}

fn allergy(one: &Allergy) -> String {
    let mut said = Vec::new();
    if one.criticality.as_deref() == Some("high") {
        said.push("high risk".to_owned());
    }
    let reactions = one.reaction.iter().flat_map(|one| &one.manifestation);
    said.extend(reactions.cloned());
    let text = text_of(&one.code);
    let text = match said.as_slice() {
        [] => text,
        said => format!("{text} ({})", said.join(", ")),
    };
    disputed(text, one.conflicted)
}

fn medication(one: &Medication) -> String {
    let not = if one.do_not_perform {
        "DO NOT GIVE "
    } else {
        ""
    };
    let drug = text_of(&one.medication);
    let text = match one.dosage.first() {
        Some(dosage) => format!("{not}{drug}, {dosage}"),
        None => format!("{not}{drug}"),
    };
    disputed(text, one.conflicted)
}

/// The newest blood group that was found.
fn blood_group(contents: &[&dyn Readable]) -> Option<String> {
    let newest = |code: &str| {
        let all = contents.iter().flat_map(|one| one.of_type("Observation"));
        let found = all.filter_map(|(_, observation)| observed(&observation?, code));
        found.max().map(|(_, value)| value)
    };
    newest(ABO_RH).or_else(|| {
        let abo = newest(ABO)?;
        Some(match newest(RH) {
            Some(rh) => format!("{abo} {rh}"),
            None => abo,
        })
    })
}

/// When an Observation of this LOINC code was made, and its value.
fn observed(observation: &Resource, code: &str) -> Option<(String, String)> {
    let status = json(observation, "status");
    if status.as_str().is_some_and(|status| VOID.contains(&status)) {
        return None;
    }
    let codings = json(observation, "code");
    let mut codings = codings.get("coding")?.as_array()?.iter();
    codings.find(|one| text_at(one, "/code") == Some(code))?;
    let value = concept_text(&json(observation, "valueCodeableConcept"))
        .or_else(|| json(observation, "valueString").as_str().map(str::to_owned))?;
    let at = json(observation, "effectiveDateTime");
    Some((at.as_str().unwrap_or_default().to_owned(), value))
}

fn concept_text(concept: &Value) -> Option<String> {
    let places = ["/text", "/coding/0/display", "/coding/0/code"];
    let mut texts = places.iter().filter_map(|at| text_at(concept, at));
    texts.next().map(str::to_owned)
}

/// Whom to call: the contact that the Patient names, else a RelatedPerson.
fn contact(patient: Option<&Resource>, contents: &[&dyn Readable]) -> Option<String> {
    let named = patient.map(|patient| json(patient, "contact"));
    let named = named.as_ref().and_then(Value::as_array).cloned();
    let named = named.unwrap_or_default();
    let mut named = named.iter().filter_map(|one| {
        let relation = one.pointer("/relationship/0").and_then(concept_text);
        person(one.get("name"), one.get("telecom")?, relation)
    });
    named.next().or_else(|| {
        let mut all = contents.iter().flat_map(|one| one.of_type("RelatedPerson"));
        all.find_map(|(_, related)| {
            let related = related?;
            let relation = json(&related, "relationship");
            let relation = relation.get(0).and_then(concept_text);
            let name = json(&related, "name");
            person(name.get(0), &json(&related, "telecom"), relation)
        })
    })
}

/// A person with a telephone number: who cannot be called is no contact.
fn person(name: Option<&Value>, telecom: &Value, relation: Option<String>) -> Option<String> {
    let number = |one: &&Value| matches!(text_at(one, "/system"), None | Some("phone" | "sms"));
    let number = telecom.as_array()?.iter().find(number)?;
    let number = text_at(number, "/value")?;
    let name = name.and_then(|name| {
        let given = name.get("given").and_then(Value::as_array);
        let given = given.into_iter().flatten().filter_map(Value::as_str);
        let parts: Vec<&str> = given.chain(text_at(name, "/family")).collect();
        let whole = text_at(name, "/text").map(str::to_owned);
        whole.or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
    });
    let relation = relation.map(|relation| format!("({relation})"));
    let parts = [Some(number.to_owned()), name, relation];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(parts.join(" "))
}

fn text_at<'a>(value: &'a Value, at: &str) -> Option<&'a str> {
    value.pointer(at).and_then(Value::as_str)
}

fn json(resource: &Resource, element: &str) -> Value {
    let text = resource.element(element);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null)
}
