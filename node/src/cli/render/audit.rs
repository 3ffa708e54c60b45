//! The audit log, in words.

use super::{line, short};
use crate::clinic::{Action, AuditCheck, AuditLine};

/// How an entry speaks of no one patient.
const NOBODY: &str = "all patients";

/// Sentences that a patient understands: when, who, and what was done.
pub(super) fn list(lines: &[AuditLine]) -> String {
    if lines.is_empty() {
        return "Nothing was read or written yet.\n".to_owned();
    }
    let mut out = String::new();
    for entry in lines {
        let of = match &entry.chart {
            Some(chart) => format!("patient {}", short(chart)),
            None => NOBODY.to_owned(),
        };
        let told = (entry.clinic.as_ref()).map(|clinic| {
            let id = short(clinic);
            let name = entry.clinic_name.as_deref().unwrap_or(&id);
            format!("at {name}, ")
        });
        // The numbers are those of this node's own log.
        let number = match told {
            Some(_) => String::new(),
            None => entry.number.to_string(),
        };
        line(
            &mut out,
            &format!(
                "{number:>6}  {}  {}user {} {}",
                entry.at,
                told.unwrap_or_default(),
                entry.user,
                done(entry.action, &of)
            ),
        );
    }
    out
}

fn done(action: Action, of: &str) -> String {
    let (before, behind) = match action {
        Action::Read => ("read the chart of ", ""),
        Action::Write => ("wrote into the chart of ", ""),
        Action::Export => ("wrote the chart of ", " into a file"),
        Action::Grant => ("let a clinic see the chart of ", ""),
        Action::Revoke => ("ended a clinic's access to the chart of ", ""),
        Action::Search => return "searched for patients".to_owned(),
        Action::Resolve => ("decided a conflict in the chart of ", ""),
        Action::SetPin => ("set the PIN of ", ""),
        Action::Move => ("moved resources to another part of the chart of ", ""),
        Action::EnrollNode => return "made a file that makes another computer a node".to_owned(),
        Action::CutOffNode => return "cut off a node of this clinic".to_owned(),
        Action::Admit => ("let a held record count in the chart of ", ""),
        Action::BreakGlass => ("asked for the summary of ", " in an emergency"),
        Action::Release => ("answered an emergency: the summary of ", " was released"),
        Action::Review => ("looked at an emergency of ", ""),
        Action::Other => (
            "did something that this version does not know with the chart of ",
            "",
        ),
        Action::RuleEmergency => ("set what may be shown in an emergency of ", ""),
        Action::WrongPin => ("gave a wrong PIN for ", ""),
        Action::DenyPin => ("was not let try a PIN for ", ": too many were wrong"),
        Action::MakeCard => ("made a card for ", ""),
        Action::OpenCard => ("opened the summary on the card of ", ""),
        Action::RefuseCard if of == NOBODY => return "showed a card that was refused".to_owned(),
        Action::RefuseCard => ("showed a card that was refused, of ", ""),
    };
    format!("{before}{of}{behind}")
}

/// Whether the chain holds.
pub(super) fn checked(check: &AuditCheck) -> String {
    if check.ok {
        return format!("{} entries, unbroken.\n", check.entries);
    }
    let mut out = format!(
        "{} entries. The log was tampered with or damaged:\n",
        check.entries
    );
    for problem in &check.problems {
        line(&mut out, &format!("  {problem}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_read_like_sentences() {
        let entry = |action: &str, chart: Option<String>| -> AuditLine {
            let line = json!({
                "number": 7, "at": "2026-11-27T08:00:00Z", "action": action, "chart": chart,
                "user": "ab12cd34ab12cd34", "node": "7c".repeat(32),
            });
            serde_json::from_value(line).unwrap()
        };
        let chart = Some("44".repeat(16));
        let said = list(&[
            entry("read", chart.clone()),
            entry("search", None),
            entry("break-glass", chart.clone()),
            entry("export", chart),
        ]);
        let lines: Vec<&str> = said.lines().collect();
        let begin = "     7  2026-11-27T08:00:00Z  user ab12cd34ab12cd34";
        assert_eq!(
            lines,
            [
                format!("{begin} read the chart of patient 44444444"),
                format!("{begin} searched for patients"),
                format!("{begin} asked for the summary of patient 44444444 in an emergency"),
                format!("{begin} wrote the chart of patient 44444444 into a file"),
            ]
        );
        assert_eq!(list(&[]), "Nothing was read or written yet.\n");
    }
}
