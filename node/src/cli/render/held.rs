//! Records that do not count, in words.

use super::{line, many, named, short};
use crate::clinic::{Admitted, HeldItem};

/// What there is to decide, patient by patient.
pub(super) fn list(items: &[HeldItem]) -> String {
    if items.is_empty() {
        return "Nothing is held.\n".to_owned();
    }
    let mut out = String::new();
    let mut patient = None;
    for item in items {
        if patient != Some(item.patient) {
            patient = Some(item.patient);
            let short = short(&item.patient);
            line(
                &mut out,
                &format!("Patient {short}  (`chart show {short}` tells what is held)"),
            );
        }
        let unknown = || "an unknown node".to_owned();
        let known = |id| named(item.author_name.as_ref(), &id);
        let author = item.author.map_or_else(unknown, known);
        let at = item.at.as_deref().unwrap_or("at an unknown time");
        line(
            &mut out,
            &format!(
                "  {}  {}  by {author}, {at}: {}",
                short(&item.id),
                item.compartment,
                item.reason
            ),
        );
    }
    if items.iter().any(|item| item.admissible) {
        line(
            &mut out,
            "`chartmesh held admit ID` lets a record count, at the patient's home clinic.",
        );
    }
    out
}

/// What was decided.
pub(super) fn admitted(all: &[Admitted]) -> String {
    let mut out = String::new();
    for one in all {
        let count = one.records.len() + one.with_them.len();
        let counts = if count == 1 { "counts" } else { "count" };
        line(
            &mut out,
            &format!(
                "{} in {} of patient {} {counts} now, at every clinic that may read it.",
                many(count as u64, "record"),
                one.compartment,
                short(&one.patient),
            ),
        );
        if !one.with_them.is_empty() {
            let others: Vec<String> = one.with_them.iter().map(short).collect();
            let text = format!(
                "  What was named builds on {}: look at what that says, too.",
                others.join(", ")
            );
            line(&mut out, &text);
        }
    }
    out
}
