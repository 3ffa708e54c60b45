//! What a step has to say.

use serde_json::{Value, json};

use crate::control::{Exit, Failure};

/// How far in the lines stand.
const INDENT: &str = "      ";

/// What a step has to say once all of it was checked.
pub(super) struct Told {
    lines: Vec<String>,
    meaning: &'static str,
    facts: Value,
}

impl Told {
    /// What happened, for people and as JSON, and what a newcomer should take from it.
    pub(super) fn new(lines: Vec<String>, facts: Value, meaning: &'static str) -> Self {
        Self {
            lines,
            meaning,
            facts,
        }
    }

    /// The step in words.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&format!("{INDENT}{line}\n"));
        }
        for line in self.meaning.lines() {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }

    /// The step as JSON.
    pub(super) fn json(&self, number: usize, title: &str, duration_ms: u64) -> Value {
        let meaning = self.meaning.replace('\n', " ");
        json!({
            "number": number,
            "title": title,
            "ok": true,
            "duration_ms": duration_ms,
            "meaning": meaning,
            "facts": self.facts,
        })
    }

    /// A step that does not hold, as JSON.
    pub(super) fn failed(number: usize, title: &str, error: &str) -> Value {
        json!({ "number": number, "title": title, "ok": false, "error": error })
    }
}

/// What another command prints, set apart from the demonstration's own words.
pub(super) fn quoted(text: &str) -> Vec<String> {
    text.lines().map(|line| format!("| {line}")).collect()
}

/// Ends the demonstration where a claim does not hold.
pub(super) fn claim(holds: bool, what: &str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            format!("it is not so that {what}"),
        )),
    }
}

/// What a step needs of the one before it.
pub(super) fn needed<T>(found: Option<T>, what: &str) -> Result<T, Failure> {
    found.ok_or_else(|| Failure::new(Exit::Failed, format!("there is no {what}")))
}
