//! Patients and charts in words.

use chartmesh_crdt::views::{AllergyStatus, Concept};
use chartmesh_protocol::ClinicId;

use super::{consent, line, short};
use crate::clinic::{
    Access, AccessState, ChartView, Custody, FoundPatient, HistoryLine, PatientView, Provenance,
    Registered,
};

/// What stands where this clinic may not look: nothing is not the same as none.
const NOT_VISIBLE: &str = "  NOT VISIBLE to this clinic: ask the patient or the home clinic";

pub(super) fn registered(registered: &Registered) -> String {
    format!(
        "Registered {}.\n  chart    {}\n  patient  {}\n",
        registered.name, registered.id, registered.fhir_id
    )
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
    allergies(&mut out, chart);
    problems_and_medications(&mut out, chart);
    immunizations(&mut out, chart);
    let count = |(name, count): (&String, &usize)| format!("{name} {count}");
    let parts: Vec<String> = chart.compartments.iter().map(count).collect();
    line(&mut out, &format!("Resources: {}", parts.join(", ")));
    for held in &chart.held {
        let clinics = held
            .clinics
            .iter()
            .map(short)
            .collect::<Vec<_>>()
            .join(", ");
        let (part, reason) = (&held.compartment, &held.reason);
        line(
            &mut out,
            &format!("HELD: a record in {part} from {clinics} does not count: {reason}"),
        );
    }
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
                "  {}{onset}{}",
                name(&problem.code),
                mark(problem.conflicted)
            ),
        );
    }
    none(out, chart.problems.is_empty(), chart);
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
    none(out, chart.medications.is_empty(), chart);
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
    none(out, chart.immunizations.is_empty(), chart);
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

fn mark(conflicted: bool) -> &'static str {
    if conflicted { "  <- IN CONFLICT" } else { "" }
}

fn none(out: &mut String, empty: bool, chart: &ChartView) {
    if empty {
        let visible = chart.summary_visible;
        line(
            out,
            if visible {
                "  none recorded"
            } else {
                NOT_VISIBLE
            },
        );
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
