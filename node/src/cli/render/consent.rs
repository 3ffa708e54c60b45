//! Grants in words.

use super::{line, many, short};
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

fn one_made(grant: &GrantMade) -> String {
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
        "card" => "with the patient's card",
        "parent" => "on the ground of a grant that may be passed on",
        other => other,
    }
}

pub(super) fn list(grants: &[GrantLine]) -> String {
    if grants.is_empty() {
        return "No grants.\n".to_owned();
    }
    let mut out = String::new();
    for grant in grants {
        let to = grant.to_name.clone().unwrap_or_else(|| short(&grant.to));
        let until = grant
            .until
            .as_deref()
            .map_or_else(|| "without end".to_owned(), day);
        line(
            &mut out,
            &format!(
                "  {}  chart {}  {to}: {} ({}), {until}: {}",
                short(&grant.grant),
                short(&grant.patient),
                grant.compartments.join(", "),
                grant.rights.join(", "),
                grant.note
            ),
        );
    }
    out
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
