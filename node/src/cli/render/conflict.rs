//! Conflicts in words: who wrote what, and only what differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::{line, short};
use crate::clinic::{ConflictView, Resolved, VersionView};

/// How much of a value is shown.
const SHOWN_VALUE: usize = 200;

/// The elements of a version of a resource, each as its exact text.
type Elements = BTreeMap<String, Box<RawValue>>;

/// The conflicts of the chart that was named as `id`.
pub(in crate::cli) fn list(conflicts: &[ConflictView], id: &str) -> String {
    if conflicts.is_empty() {
        return "No conflicts.\n".to_owned();
    }
    let mut out = String::new();
    for conflict in conflicts {
        one(&mut out, conflict, id);
    }
    out
}

fn one(out: &mut String, conflict: &ConflictView, id: &str) {
    let resource = &conflict.resource;
    let what = conflict.element.as_deref().unwrap_or("(as a whole)");
    line(out, &format!("{resource} {what}"));
    let elements: Vec<Option<Elements>> = conflict.versions.iter().map(elements).collect();
    for (version, mine) in conflict.versions.iter().zip(&elements) {
        let clinic = who(version);
        let (number, role, at) = (version.version, &version.role, &version.at);
        let user: String = short(&version.user);
        line(out, &format!("  {number}  {clinic}, {role} {user}, {at}"));
        match mine {
            Some(mine) if conflict.element.is_none() => {
                for (name, value) in differing(mine, &elements) {
                    line(out, &format!("     {name}: {value}"));
                }
            }
            _ => {
                let value = version.value.as_deref();
                line(out, &format!("     {}", shown(value)));
            }
        }
    }
    let option = conflict
        .element
        .as_deref()
        .map(|e| format!("--element {e} "));
    let option = option.unwrap_or_default();
    line(
        out,
        "  To decide, with the number of the version that is right:",
    );
    let command = format!("chartmesh chart resolve {id} --resource {resource} {option}--version N");
    line(out, &format!("    {command}"));
}

fn who(version: &VersionView) -> String {
    let named = version.clinic_name.clone();
    let unnamed = || {
        version
            .clinic
            .map(|clinic| format!("clinic {}", short(&clinic)))
    };
    named
        .or_else(unnamed)
        .unwrap_or_else(|| "clinic unknown".to_owned())
}

fn elements(version: &VersionView) -> Option<Elements> {
    serde_json::from_str(version.value.as_ref()?.get()).ok()
}

/// What of one version is not the same in all of them.
fn differing<'a>(
    mine: &'a Elements,
    all: &'a [Option<Elements>],
) -> impl Iterator<Item = (&'a str, String)> {
    let names: BTreeSet<&str> = all
        .iter()
        .flatten()
        .flat_map(|elements| elements.keys().map(String::as_str))
        .collect();
    let text = |elements: &'a Elements, name: &str| elements.get(name).map(|value| value.get());
    names.into_iter().filter_map(move |name| {
        let own = text(mine, name);
        let same = all.iter().all(|one| {
            one.as_ref()
                .is_some_and(|elements| text(elements, name) == own)
        });
        (!same).then(|| (name, shown(mine.get(name).map(AsRef::as_ref))))
    })
}

/// The beginning of a value; what is left out is marked.
fn shown(value: Option<&RawValue>) -> String {
    let Some(value) = value else {
        return "(none)".to_owned();
    };
    match value.get().char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}...", value.get().get(..end).unwrap_or_default()),
        None => value.get().to_owned(),
    }
}

pub(super) fn resolved(resolved: &Resolved) -> String {
    let left = match resolved.left {
        0 => "No conflict is left in this chart.".to_owned(),
        1 => "1 conflict is left in this chart.".to_owned(),
        left => format!("{left} conflicts are left in this chart."),
    };
    format!("Decided {}. {left}\n", resolved.resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: usize, clinic: &str, value: &str) -> VersionView {
        VersionView {
            version: number,
            value: Some(RawValue::from_string(value.to_owned()).unwrap()),
            user: "0123456789abcdef".to_owned(),
            role: "operator".to_owned(),
            clinic: None,
            clinic_name: Some(clinic.to_owned()),
            at: "2026-03-01T08:00:00Z".to_owned(),
        }
    }

    #[test]
    fn a_conflict_of_a_whole_resource_shows_only_what_differs() {
        let conflict = ConflictView {
            compartment: "summary".to_owned(),
            resource: "AllergyIntolerance/a1".to_owned(),
            element: None,
            versions: vec![
                version(
                    1,
                    "Hill Clinic",
                    r#"{"code":{"text":"P"},"criticality":"high"}"#,
                ),
                version(
                    2,
                    "River",
                    r#"{"code":{"text":"P"},"note":[{"text":"rash"}]}"#,
                ),
            ],
        };
        assert_eq!(
            list(&[conflict], "440ffe72"),
            "AllergyIntolerance/a1 (as a whole)
  1  Hill Clinic, operator 01234567, 2026-03-01T08:00:00Z
     criticality: \"high\"
     note: (none)
  2  River, operator 01234567, 2026-03-01T08:00:00Z
     criticality: (none)
     note: [{\"text\":\"rash\"}]
  To decide, with the number of the version that is right:
    chartmesh chart resolve 440ffe72 --resource AllergyIntolerance/a1 --version N
"
        );
    }

    #[test]
    fn a_conflict_of_one_element_shows_each_value_and_how_to_decide() {
        let long = format!("\"{}\"", "0".repeat(300));
        let conflict = ConflictView {
            compartment: "summary".to_owned(),
            resource: "Patient/p".to_owned(),
            element: Some("telecom".to_owned()),
            versions: vec![version(1, "Hill Clinic", "[1]"), version(2, "River", &long)],
        };
        let text = list(&[conflict], "440ffe72");
        assert!(text.contains("\n     [1]\n"), "{text}");
        assert!(text.contains("000..."), "{text}");
        assert!(text.contains("--element telecom --version N"), "{text}");
    }
}
