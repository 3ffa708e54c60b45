//! Patients and charts in words.

use std::collections::BTreeMap;

use chartmesh_crdt::views::{AllergyStatus, Concept};
use chartmesh_protocol::ClinicId;

use super::{attachment, consent, emergency, line, many, short};
use crate::clinic::{
    Access, AccessState, ChartView, Custody, FoundPatient, HistoryLine, PatientView, Provenance,
    Registered,
};

/// What stands where this clinic may not look: nothing is not the same as none.
const NOT_VISIBLE: &str = "  NOT VISIBLE to this clinic: ask the patient or the home clinic";

pub(super) fn registered(registered: &Registered) -> String {
    let mut out = format!(
        "Registered {}.\n  chart    {}\n  patient  {}\n",
        registered.name, registered.id, registered.fhir_id
    );
    if registered.not_compared > 0 {
        let text = format!(
            "NOT COMPARED with {} patients who came from elsewhere just now: search for the name \
             again in some minutes.",
            registered.not_compared
        );
        line(&mut out, &text);
    }
    out
}

pub(super) fn found(patients: &[FoundPatient], words: &[String]) -> String {
    if patients.is_empty() && words.is_empty() {
        return "No patient is here yet.\n".to_owned();
    }
    if patients.is_empty() {
        return "Nobody found. Try fewer letters, or another part of the name.\n".to_owned();
    }
    let mut out = String::new();
    for patient in patients {
        let born = patient
            .birth_date
            .as_deref()
            .unwrap_or("birth date unknown");
        let sex = patient.sex.as_deref().unwrap_or("unknown");
        let name = match patient.name.as_str() {
            "" if patient.fhir_id.is_empty() => "(name not visible to this clinic)",
            "" => "(no name)",
            name => name,
        };
        let id = short(&patient.id);
        line(&mut out, &format!("{id}  {born:<10}  {sex:<7}  {name}"));
    }
    out
}

pub(super) fn patient(patient: &PatientView) -> String {
    let mut out = String::new();
    banner(
        &mut out,
        &patient.name,
        patient.birth_date.as_deref(),
        patient.sex.as_deref(),
    );
    line(&mut out, &format!("  chart    {}", patient.id));
    line(&mut out, &format!("  patient  {}", patient.fhir_id));
    for identifier in &patient.identifiers {
        let system = identifier
            .system
            .as_deref()
            .map(|s| format!(" ({s})"))
            .unwrap_or_default();
        line(
            &mut out,
            &format!("  number   {}{system}", identifier.value),
        );
    }
    access(&mut out, &patient.access);
    line(
        &mut out,
        &format!(
            "  key      {}",
            match patient.custody {
                Custody::Elsewhere => "not kept here",
                Custody::Pin => "kept here under the patient's PIN",
                Custody::Clinic =>
                    "kept here by the clinic; `chartmesh patient pin` puts it under a PIN",
            }
        ),
    );
    line(&mut out, "Who may see this chart");
    if patient.grants.is_empty() {
        line(&mut out, "  only the home clinic");
    } else {
        out.push_str(&consent::list(&patient.grants));
    }
    out
}

pub(in crate::cli) fn view(chart: &ChartView) -> String {
    let mut out = String::new();
    banner(
        &mut out,
        &chart.name,
        chart.birth_date.as_deref(),
        chart.sex.as_deref(),
    );
    if let Some(died) = &chart.deceased {
        let when = if died == "true" { "" } else { died.as_str() };
        line(&mut out, format!("  DECEASED {when}").trim_end());
    }
    access(&mut out, &chart.access);
    if chart.conflicts > 0 {
        let text = format!(
            "  CONFLICT {} to decide: `chartmesh chart conflicts {}`",
            chart.conflicts,
            short(&chart.id)
        );
        line(&mut out, &text);
    }
    held(&mut out, chart);
    emergency::in_chart(&mut out, chart);
    if chart.since_grant_only || chart.waiting > 0 {
        line(&mut out, &incomplete(chart));
    }
    allergies(&mut out, chart);
    problems_and_medications(&mut out, chart);
    immunizations(&mut out, chart);
    if !chart.attachments.is_empty() {
        line(&mut out, "Attachments");
        for one in &chart.attachments {
            line(&mut out, &attachment::one_line(one));
        }
    }
    let count = |(name, count): (&String, &usize)| format!("{name} {count}");
    let parts: Vec<String> = chart.compartments.iter().map(count).collect();
    line(&mut out, &format!("Resources: {}", parts.join(", ")));
    if chart.sealed > 0 {
        line(
            &mut out,
            &format!(
                "{} records are here that this clinic cannot open.",
                chart.sealed
            ),
        );
    }
    if chart.attested > 0 {
        line(
            &mut out,
            &format!(
                "ATTESTED: for {} entries there is only the word of the clinic that sent them; the \
                 signatures of those who wrote them are on their way.",
                chart.attested
            ),
        );
    }
    out
}

/// What is not shown although it is here, or was never let out.
fn incomplete(chart: &ChartView) -> String {
    let mut text = "  INCOMPLETE".to_owned();
    if chart.since_grant_only {
        text.push_str(" this clinic sees only what was written since its grant");
    }
    if chart.waiting > 0 {
        let changes = many(chart.waiting as u64, "change");
        let and = if chart.since_grant_only { ";" } else { "" };
        let of = format!("{and} {changes} cannot be shown without what came before");
        text.push_str(&of);
    }
    text.push_str(": ask the patient or the home clinic");
    text
}

/// Records that do not count, those of the same clinic for the same reason together. They stand
/// before the lists: one of them may say more of an allergy than the lists do.
fn held(out: &mut String, chart: &ChartView) {
    let mut alike: BTreeMap<(&str, String, &str), u64> = BTreeMap::new();
    for one in &chart.held {
        let clinics: Vec<String> = one.clinics.iter().map(short).collect();
        let key = (
            one.compartment.as_str(),
            clinics.join(", "),
            one.reason.as_str(),
        );
        *alike.entry(key).or_default() += 1;
    }
    for ((part, clinics, reason), count) in alike {
        let records = many(count, "record");
        let text = format!(
            "  HELD {records} in {part} from {clinics}, kept and not shown in the lists: {reason}"
        );
        line(out, &text);
    }
    if chart.held_resources.is_empty() {
        return;
    }
    line(out, "  They say otherwise of");
    for one in &chart.held_resources {
        let what = match (&one.value, &one.headline) {
            (None, _) => "removed",
            (Some(_), Some(headline)) => headline,
            (Some(_), None) => "",
        };
        line(out, format!("    {}  {what}", one.resource).trim_end());
    }
}

fn problems_and_medications(out: &mut String, chart: &ChartView) {
    line(out, "Problems");
    for problem in &chart.problems {
        let onset = problem
            .onset
            .as_deref()
            .map(|on| format!(", since {on}"))
            .unwrap_or_default();
        line(
            out,
            &format!(
                "  {}{onset}{}{}",
                name(&problem.code),
                problem
                    .clinical_status
                    .as_deref()
                    .map_or_else(String::new, status),
                mark(problem.conflicted)
            ),
        );
    }
    none(out, chart.problems.is_empty(), chart.past.problems, chart);
    line(out, "Medications");
    for medication in &chart.medications {
        let dosage = medication.dosage.join("; ");
        let text = name(&medication.medication);
        let not = if medication.do_not_perform {
            "DO NOT GIVE  "
        } else {
            ""
        };
        let status = unlike(medication.status.as_deref(), "active");
        let mark = mark(medication.conflicted);
        line(out, &format!("  {not}{text}  {dosage}{status}{mark}"));
    }
    none(
        out,
        chart.medications.is_empty(),
        chart.past.medications,
        chart,
    );
}

fn immunizations(out: &mut String, chart: &ChartView) {
    line(out, "Immunisations");
    for given in &chart.immunizations {
        let when = given.occurrence.as_deref().unwrap_or("date unknown");
        let when = when.get(..10).unwrap_or(when);
        let mark = mark(given.conflicted);
        let text = name(&given.vaccine_code);
        let not = if given.status.as_deref() == Some("not-done") {
            "NOT GIVEN  "
        } else {
            ""
        };
        let why = given.status_reason.as_deref();
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        line(out, &format!("  {when}  {not}{text}{why}{mark}"));
    }
    none(out, chart.immunizations.is_empty(), 0, chart);
}

fn banner(out: &mut String, name: &str, born: Option<&str>, sex: Option<&str>) {
    let name = if name.is_empty() { "(no name)" } else { name };
    let born = born.map_or_else(
        || "birth date unknown".to_owned(),
        |date| format!("born {date}"),
    );
    line(
        out,
        &format!("{name}, {born}, {}", sex.unwrap_or("sex unknown")),
    );
}

fn access(out: &mut String, access: &Access) {
    let home = named(access.home_name.as_deref(), access.home.as_ref());
    let text = match access.state {
        AccessState::Home => "this clinic keeps the chart".to_owned(),
        AccessState::Granted => match &access.until {
            Some(until) => format!("granted until {until}; home clinic {home}"),
            None => format!("granted without end; home clinic {home}"),
        },
        AccessState::Ended => format!(
            "ACCESS ENDED ({}): what is shown had arrived before; home clinic {home}",
            access.note.as_deref().unwrap_or("no grant")
        ),
    };
    line(out, &format!("  access   {text}"));
}

fn allergies(out: &mut String, chart: &ChartView) {
    line(out, "Allergies");
    match chart.allergies.status {
        AllergyStatus::NotVisible => line(out, NOT_VISIBLE),
        AllergyStatus::NotRecorded => line(out, "  not asked yet"),
        AllergyStatus::NoneCurrent => line(out, "  none current"),
        AllergyStatus::NoneKnown => line(out, "  none known"),
        AllergyStatus::Recorded => {}
    }
    for allergy in chart
        .allergies
        .list
        .iter()
        .filter(|allergy| !allergy.none_known)
    {
        let reactions: Vec<String> = allergy
            .reaction
            .iter()
            .flat_map(|reaction| reaction.manifestation.clone())
            .collect();
        let severity = allergy
            .criticality
            .as_deref()
            .map(|c| format!(" [{c}]"))
            .unwrap_or_default();
        let how = if reactions.is_empty() {
            String::new()
        } else {
            format!(": {}", reactions.join(", "))
        };
        let text = name(&allergy.code);
        line(
            out,
            &format!("  {text}{severity}{how}{}", mark(allergy.conflicted)),
        );
    }
    over(out, chart.past.allergies);
}

fn name(concept: &Concept) -> String {
    let coded = || {
        concept
            .coding
            .iter()
            .find_map(|coding| coding.display.clone().or_else(|| coding.code.clone()))
    };
    concept
        .text
        .clone()
        .or_else(coded)
        .unwrap_or_else(|| "(not named)".to_owned())
}

/// A status that is not the one to expect.
fn unlike(status: Option<&str>, expected: &str) -> String {
    match status {
        Some(status) if status == expected => String::new(),
        Some(status) => format!(" [{status}]"),
        None => " [status not recorded]".to_owned(),
    }
}

/// The status of a problem that is not simply active: one in remission is on the list, and of two
/// versions in conflict one may have ended.
fn status(clinical: &str) -> String {
    unlike(Some(clinical), "active")
}

fn mark(conflicted: bool) -> &'static str {
    if conflicted { "  <- IN CONFLICT" } else { "" }
}

fn none(out: &mut String, empty: bool, past: usize, chart: &ChartView) {
    match (empty, chart.summary_visible, past) {
        (true, false, _) => line(out, NOT_VISIBLE),
        (true, true, 0) => line(out, "  none recorded"),
        (true, true, _) => line(out, "  none current"),
        (false, ..) => {}
    }
    over(out, past);
}

/// What is over is not listed, and not hushed up either.
fn over(out: &mut String, past: usize) {
    match past {
        0 => {}
        1 => line(out, "  (1 is over: `export` has it)"),
        past => line(out, &format!("  ({past} are over: `export` has them)")),
    }
}

pub(super) fn history(lines: &[HistoryLine]) -> String {
    let mut out = String::new();
    for entry in lines {
        let clinic = named(entry.clinic_name.as_deref(), entry.clinic.as_ref());
        let touched = match entry.resources.as_slice() {
            [one] => one.clone(),
            many => format!("{} resources", many.len()),
        };
        let word = match entry.provenance {
            Provenance::Signed => String::new(),
            Provenance::Attested => {
                let by = entry
                    .attested_by
                    .map_or_else(String::new, |id| format!(" by {}", short(&id)));
                format!("  (attested{by}; signature on its way)")
            }
        };
        line(
            &mut out,
            &format!(
                "{}  {:<10}  {clinic}, {} {}  {touched}{word}",
                entry.at,
                entry.compartment,
                entry.role,
                short(&entry.user)
            ),
        );
    }
    out
}

/// A clinic by its name, or by the beginning of its id where no card of it is here.
fn named(name: Option<&str>, id: Option<&ClinicId>) -> String {
    let unnamed = || id.map(|id| format!("clinic {}", short(id)));
    name.map(str::to_owned)
        .or_else(unnamed)
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(more: &serde_json::Value) -> String {
        let held = |record: &str, reason: &str| {
            let author = "07".repeat(32);
            serde_json::json!({
                "record": record, "compartment": "clinical", "clinics": [author], "reason": reason,
            })
        };
        let mut chart = serde_json::json!({
            "id": "01".repeat(16), "fhir_id": "p1", "name": "Amina", "birth_date": null,
            "sex": null, "access": {
                "home": null, "home_name": null, "state": "granted", "until": null, "note": null,
            },
            "summary_visible": false, "compartments": {},
            "allergies": { "status": "not-visible", "list": [] },
            "problems": [], "medications": [], "immunizations": [], "conflicts": 0, "sealed": 0,
            "attested": 0,
            "held": [held("a", "revoked"), held("b", "revoked"), held("c", "forked")],
        });
        let members = more.as_object().unwrap().clone();
        chart.as_object_mut().unwrap().extend(members);
        view(&serde_json::from_value(chart).unwrap())
    }

    #[test]
    fn held_records_stand_before_the_lists_and_those_alike_together() {
        let text = shown(&serde_json::json!({}));
        let (before, _) = text.split_once("Allergies").unwrap();
        let lines: Vec<&str> = before.lines().filter(|one| one.contains("HELD")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].contains("HELD 1 record in clinical from 07070707"),
            "{text}"
        );
        assert!(
            lines[1].contains("HELD 2 records") && lines[1].ends_with("revoked"),
            "{text}"
        );
        assert!(!text.contains("INCOMPLETE"), "{text}");
    }

    #[test]
    fn a_part_of_a_chart_is_not_shown_as_the_whole() {
        let text = shown(&serde_json::json!({ "since_grant_only": true, "waiting": 3 }));
        let (before, lists) = text.split_once("Allergies").unwrap();
        assert!(
            before.contains(
                "INCOMPLETE this clinic sees only what was written since its grant; 3 changes \
                 cannot be shown"
            ),
            "{text}"
        );
        assert!(!lists.contains("none recorded"), "{text}");
    }
}
