//! Grants in words.

use super::{line, many, named, short};
use crate::clinic::{GrantLine, GrantMade, GrantsMade, LedgerCheck, Revoked};

pub(super) fn made(made: &GrantsMade) -> String {
    match made {
        GrantsMade::One(grant) => one_made(grant),
        GrantsMade::All(grants) => {
            let mut out = String::new();
            for failed in grants.iter().filter(|grant| grant.error.is_some()) {
                let why = failed.error.as_deref().unwrap_or_default();
                line(
                    &mut out,
                    &format!("passed over chart {}: {why}", short(&failed.patient)),
                );
            }
            let signed = grants.iter().filter(|grant| grant.grant.is_some()).count();
            let all = many(grants.len() as u64, "patient");
            let text = match grants.len() == signed {
                true => format!(
                    "Granted for {all}.\nPatients who are registered later are not among them."
                ),
                false => format!("Granted for {signed} of {all}."),
            };
            line(&mut out, &text);
            out
        }
    }
}

/// A grant that was signed.
pub(super) fn one_made(grant: &GrantMade) -> String {
    let mut out = String::new();
    let id = grant
        .grant
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    line(&mut out, &format!("Granted {id}"));
    line(&mut out, &format!("  to            {}", grant.to));
    line(
        &mut out,
        &format!("  compartments  {}", grant.compartments.join(", ")),
    );
    line(
        &mut out,
        &format!("  rights        {}", grant.rights.join(", ")),
    );
    line(
        &mut out,
        &format!(
            "  until         {}",
            grant.until.as_deref().unwrap_or("without end")
        ),
    );
    if let Some(basis) = &grant.basis {
        line(&mut out, &format!("  signed        {}", basis_words(basis)));
    }
    out
}

fn basis_words(basis: &str) -> &str {
    match basis {
        "patient-pin" => "with the patient's PIN",
        "custody" => "by the home clinic, which keeps the patient's key",
        "card" => "with the patient's card and PIN",
        "parent" => "on the ground of a grant that may be passed on",
        other => other,
    }
}

/// Sentences that a patient understands, patient by patient.
pub(super) fn list(grants: &[GrantLine]) -> String {
    if grants.is_empty() {
        return "No other clinic may see anything.\n".to_owned();
    }
    let mut out = String::new();
    let mut patient = None;
    for grant in grants {
        if patient != Some(grant.patient) {
            patient = Some(grant.patient);
            line(&mut out, &format!("Patient {}", short(&grant.patient)));
        }
        let sentence = format!("  {}  {}", short(&grant.grant), sentence(grant));
        line(&mut out, &sentence);
    }
    out
}

/// Who may do what with what, through whom, and until when.
fn sentence(grant: &GrantLine) -> String {
    let to = named(grant.to_name.as_ref(), &grant.to);
    let may = match grant.state.as_str() {
        "valid" => "may",
        "not-yet" => "will be allowed to",
        "invalid" => "would be allowed to",
        _ => "was allowed to",
    };
    let rights = grant.rights.iter().map(|right| right_words(right));
    let parts = grant.compartments.iter().map(|part| part_words(part));
    let mut said = format!(
        "{to} {may} {} {}, for {}",
        listed(rights.collect()),
        listed(parts.collect()),
        purpose_words(&grant.purpose)
    );
    if let Some(end) = &grant.until {
        said.push_str(&format!(", {}", day(end)));
    }
    if grant.history == "from-now-on" {
        said.push_str(", and nothing from before");
    }
    if let Some(through) = &grant.through {
        let name = named(grant.through_name.as_ref(), through);
        said.push_str(&format!(", through {name}"));
    }
    said.push('.');
    match grant.state.as_str() {
        "valid" if grant.until.is_none() => said.push_str(" This has no end."),
        "valid" => {}
        _ => said.push_str(&format!(" {}.", capitalised(&grant.note))),
    }
    said
}

fn right_words(right: &str) -> String {
    match right {
        "read" => "read".to_owned(),
        "write" => "write to".to_owned(),
        "share" => "pass on".to_owned(),
        "relay" => "carry, unread,".to_owned(),
        other => other.to_owned(),
    }
}

/// A compartment, as a patient would call it.
fn part_words(part: &str) -> String {
    match part {
        "all" => "the whole chart".to_owned(),
        "summary" => "the summary".to_owned(),
        "clinical" => "visits and results".to_owned(),
        "messages" => "messages".to_owned(),
        "patient" => "what the patient writes down".to_owned(),
        "billing" => "bills".to_owned(),
        other => match other.strip_prefix("restricted/") {
            Some(label) => format!("the protected part {label}"),
            None => other.to_owned(),
        },
    }
}

/// A purpose of HL7 v3 PurposeOfUse in words.
fn purpose_words(code: &str) -> &str {
    match code {
        "TREAT" => "treatment",
        "ETREAT" => "emergencies",
        "HPAYMT" => "payment",
        "HOPERAT" => "running the clinic",
        "HRESCH" => "research",
        "PUBHLTH" => "public health",
        other => other,
    }
}

/// Words with commas, and an "and" before the last.
fn listed(words: Vec<String>) -> String {
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The last day of a grant, out of its RFC 3339 moment.
fn day(end: &str) -> String {
    format!("until {}", end.get(..10).unwrap_or(end))
}

pub(super) fn one(grant: &GrantLine) -> String {
    let mut out = String::new();
    line(&mut out, &format!("Grant {}", grant.grant));
    let to = grant
        .to_name
        .as_deref()
        .unwrap_or("a clinic not known here");
    let rows = [
        ("chart", grant.patient.to_string()),
        ("to", format!("{to} ({})", grant.to)),
        ("compartments", grant.compartments.join(", ")),
        ("rights", grant.rights.join(", ")),
        ("purpose", grant.purpose.clone()),
        ("since", grant.since.clone()),
        (
            "until",
            grant
                .until
                .clone()
                .unwrap_or_else(|| "without end".to_owned()),
        ),
        ("history", grant.history.clone()),
        ("signed", basis_words(&grant.basis).to_owned()),
        ("state", grant.note.clone()),
    ];
    for (name, value) in rows {
        line(&mut out, &format!("  {name:<12}  {value}"));
    }
    out
}

pub(super) fn revoked(revoked: &Revoked) -> String {
    let (grant, clinic) = (short(&revoked.grant), short(&revoked.from));
    if revoked.others.is_empty() {
        return format!(
            "Revoked {grant}.\nClinic {clinic} gets nothing more of this chart once it, or whoever \
             serves it, knows of this. What was delivered before cannot be called back.\n"
        );
    }
    let mut out = format!("Revoked {grant}.\nClinic {clinic} STILL HAS ACCESS by other grants:\n");
    for other in &revoked.others {
        let other = short(other);
        line(
            &mut out,
            &format!("  chartmesh consent revoke {other} --reason ..."),
        );
    }
    out
}

pub(super) fn verified(check: &LedgerCheck) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &format!(
            "{}, {} statements, {} records checked; {} records held.",
            many(check.charts as u64, "chart"),
            check.statements,
            check.records,
            check.held
        ),
    );
    for problem in &check.problems {
        line(&mut out, &format!("  {problem}"));
    }
    if check.ok {
        line(
            &mut out,
            "Every signature holds and every statement counts.",
        );
    }
    if check.held > 0 {
        line(
            &mut out,
            "Held records are kept and not shown; `chartmesh chart show ID` says why.",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(change: serde_json::Value) -> GrantLine {
        let mut line = json!({
            "grant": "9b".repeat(32), "patient": "44".repeat(16), "to": "3f".repeat(32),
            "to_name": "River Hospital", "compartments": ["summary"], "rights": ["read"],
            "purpose": "TREAT", "since": "2026-11-27T08:00:00Z", "until": null, "history": "all",
            "basis": "custody", "parent": null, "state": "valid", "note": "in force",
        });
        let fields = change.as_object().unwrap().clone();
        line.as_object_mut().unwrap().extend(fields);
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_list_of_grants_reads_like_sentences() {
        let said = list(&[
            grant(json!({})),
            grant(json!({
                "compartments": ["summary", "clinical", "restricted/HIV"],
                "rights": ["read", "write", "share"], "until": "2027-06-30T23:59:59Z",
            })),
            grant(json!({
                "through": "51".repeat(32), "through_name": "Coast Clinic", "purpose": "HRESCH",
                "state": "revoked", "note": "revoked", "history": "from-now-on",
            })),
            grant(json!({"rights": ["relay"], "compartments": ["all"], "to_name": null})),
        ]);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines,
            [
                "Patient 44444444",
                "  9b9b9b9b  River Hospital may read the summary, for treatment. This has no end.",
                "  9b9b9b9b  River Hospital may read, write to and pass on the summary, visits and \
                 results and the protected part HIV, for treatment, until 2027-06-30.",
                "  9b9b9b9b  River Hospital was allowed to read the summary, for research, and \
                 nothing from before, through Coast Clinic. Revoked.",
                "  9b9b9b9b  3f3f3f3f may carry, unread, the whole chart, for treatment. This has \
                 no end.",
            ]
        );
        assert_eq!(list(&[]), "No other clinic may see anything.\n");
    }
}
