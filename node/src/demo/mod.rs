//! Two clinics that share a patient's chart, and a third that gets nothing: shown on this machine
//! alone, with invented patients, over real connections.
//!
//! The clinics are made, opened and connected by the same functions as those of the command line.
//! Whatever is printed was checked first: a claim that does not hold ends the demonstration, which
//! then says which one it was and ends with 1.
//!
//! | file | holds |
//! |---|---|
//! | `stage`, `member` | the three clinics, and one of them |
//! | `told` | what a step has to say, as text and as JSON |
//! | `opening`, `sharing`, `apart`, `ending` | the steps, in their order |
//! | `patient` | the patient whose chart is followed, as FHIR |
//! | `kept` | what can be done with the folders that are left |

mod apart;
mod ending;
mod kept;
mod member;
mod opening;
mod patient;
mod sharing;
mod stage;
mod told;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::clinic::{ChartView, ConflictView};
use crate::clock;
use crate::control::{Exit, Failure, Progress};
use stage::Stage;
use told::Told;

/// What the demonstration is to do.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where to leave the data folders; nowhere if none.
    pub keep: Option<PathBuf>,
    /// How many patients to invent.
    pub patients: u32,
    /// The seed of the invented patients.
    pub seed: u64,
}

/// Follows a long piece of work until it is dropped.
pub type Bar = Box<dyn Fn(&Progress)>;

/// Where the demonstration is seen: how things are said is the command line's business.
pub struct Screen<'a> {
    /// Whether one JSON document is wanted instead of text.
    pub json: bool,
    /// Prints to standard output.
    pub print: &'a dyn Fn(&str) -> Result<(), Failure>,
    /// Begins to follow a long piece of work.
    pub bar: fn() -> Bar,
    /// A chart in words.
    pub chart: fn(&ChartView) -> String,
    /// The conflicts of a chart, which a person would name like this, in words.
    pub conflicts: fn(&[ConflictView], &str) -> String,
}

/// One step: its title, and what is done and checked in it.
type Step = (
    &'static str,
    fn(&mut Stage, &Screen<'_>) -> Result<Told, Failure>,
);

const STEPS: [Step; 10] = [
    ("Three clinics", opening::clinics),
    ("Hill Clinic takes in its patients", opening::patients),
    ("The patients consent", opening::consent),
    ("The clinics connect and sync", sharing::sync),
    ("The chart, read at River Hospital", sharing::chart),
    ("The link goes down, and both clinics write", apart::edits),
    ("The link is back, and the charts are merged", apart::merged),
    (
        "One thing was written twice, and a person decides",
        apart::decided,
    ),
    (
        "The patient revokes the consent, and Hill Clinic writes again",
        ending::revoked,
    ),
    ("What each clinic has in the end", ending::account),
];

const PREFACE: &str = "\
Two clinics share a patient's chart, and a third one gets nothing.
Everybody in it is invented, and all of it happens on this machine.
";

/// How the steps went.
struct Played {
    /// Each step that was played, as JSON.
    steps: Vec<Value>,
    /// Which step does not hold, and why, where one does not.
    failed: Option<String>,
}

/// Runs the demonstration.
///
/// # Errors
/// [`Failure`] when a folder cannot be made, or, unless JSON is wanted, when a step does not hold.
pub fn run(options: &DemoOptions, screen: &Screen<'_>) -> Result<Exit, Failure> {
    show(options, screen, &STEPS)
}

fn show(options: &DemoOptions, screen: &Screen<'_>, steps: &[Step]) -> Result<Exit, Failure> {
    let begun = clock::now_ms();
    screen.say(PREFACE)?;
    let mut stage = Stage::open(options)?;
    let played = play(&mut stage, screen, steps)?;
    let (patient, clinics) = (stage.patient, stage.clinics_json());
    let folder = stage.close()?;
    let took_ms = clock::now_ms().saturating_sub(begun);
    let failed = played.failed;
    if screen.json {
        let document = json!({
            "ok": failed.is_none(),
            "error": failed,
            "duration_ms": took_ms,
            "patients": options.patients,
            "seed": options.seed,
            "chart": patient,
            "clinics": clinics,
            "kept": options.keep,
            "steps": played.steps,
        });
        (screen.print)(&format!("{document}\n"))?;
        return Ok(if failed.is_none() {
            Exit::Done
        } else {
            Exit::Failed
        });
    }
    if failed.is_none() {
        let (count, seconds, tenths) = (steps.len(), took_ms / 1000, took_ms % 1000 / 100);
        screen.say(&format!(
            "\nAll {count} steps hold; they took {seconds}.{tenths} s.\n"
        ))?;
    }
    if let (Some(kept), Some(chart)) = (folder, patient) {
        screen.say(&kept::what_next(&kept, &chart))?;
    }
    match failed {
        None => Ok(Exit::Done),
        Some(text) => Err(Failure::new(Exit::Failed, text)),
    }
}

/// Plays the steps until one does not hold.
fn play(stage: &mut Stage, screen: &Screen<'_>, steps: &[Step]) -> Result<Played, Failure> {
    let mut played = Played {
        steps: Vec::with_capacity(steps.len()),
        failed: None,
    };
    for (number, (title, act)) in (1..).zip(steps) {
        screen.say(&format!("\n{number:>2}  {title}\n"))?;
        let begun = clock::now_ms();
        match act(stage, screen) {
            Ok(told) => {
                screen.say(&told.text())?;
                let took_ms = clock::now_ms().saturating_sub(begun);
                played.steps.push(told.json(number, title, took_ms));
            }
            Err(failure) => {
                played
                    .steps
                    .push(Told::failed(number, title, &failure.message));
                played.failed = Some(format!("step {number} does not hold: {failure}"));
                break;
            }
        }
    }
    Ok(played)
}

impl Screen<'_> {
    /// Says something to a person; a program gets one document in the end.
    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.json {
            Ok(())
        } else {
            (self.print)(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn false_claim(_: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
        told::claim(false, "water is dry")?;
        Ok(Told::new(Vec::new(), Value::Null, "never said"))
    }

    fn never_played(_: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
        panic!("a step after one that does not hold is played");
    }

    /// Shows steps of which the second does not hold, and returns what was printed.
    fn shown(json: bool) -> (Result<Exit, Failure>, String) {
        let printed = RefCell::new(String::new());
        let print = |text: &str| {
            printed.borrow_mut().push_str(text);
            Ok(())
        };
        let screen = Screen {
            json,
            print: &print,
            bar: || Box::new(|_| ()),
            chart: |_| String::new(),
            conflicts: |_, _| String::new(),
        };
        let options = DemoOptions {
            keep: None,
            patients: 2,
            seed: 1,
        };
        let steps: [Step; 3] = [
            ("Three clinics", opening::clinics),
            ("A false claim", false_claim),
            ("Later", never_played),
        ];
        let ended = show(&options, &screen, &steps);
        (ended, printed.into_inner())
    }

    #[test]
    fn a_claim_that_does_not_hold_ends_the_demonstration_with_1_and_is_named() {
        let (ended, printed) = shown(false);
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit.code(), 1);
        let said = "step 2 does not hold: it is not so that water is dry";
        assert_eq!(failure.message, said);
        assert!(printed.contains(" 2  A false claim"), "{printed}");
        assert!(
            !printed.contains("never said") && !printed.contains("steps hold"),
            "{printed}"
        );
    }

    #[test]
    fn a_claim_that_does_not_hold_is_named_in_the_json_document_too() {
        let (ended, printed) = shown(true);
        assert_eq!(ended.unwrap().code(), 1);
        let document: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(document["ok"], false);
        assert_eq!(document["steps"].as_array().unwrap().len(), 2);
        assert_eq!(document["steps"][0]["ok"], true);
        assert_eq!(document["steps"][1]["ok"], false);
    }
}
