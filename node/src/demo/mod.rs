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

use std::path::{Path, PathBuf};

use serde_json::json;

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

/// Writes invented patients into a folder.
fn generate_into(folder: &Path, patients: u32, seed: u64) -> Result<(), Failure> {
    let on = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| on(folder, &error))?;
    let charts = usize::try_from(patients).unwrap_or(usize::MAX);
    for patient in crate::generate::generate(charts, seed) {
        let path = folder.join(&patient.file_name);
        std::fs::write(&path, patient.json).map_err(|error| on(&path, &error))?;
    }
    Ok(())
}

/// Runs the demonstration.
///
/// # Errors
/// [`Failure`] when a folder cannot be made, or, unless JSON is wanted, when a step does not hold.
pub fn run(options: &DemoOptions, screen: &Screen<'_>) -> Result<Exit, Failure> {
    let begun = clock::now_ms();
    let say = |text: &str| match screen.json {
        true => Ok(()),
        false => (screen.print)(text),
    };
    say(PREFACE)?;
    let mut stage = Stage::open(options)?;
    let mut steps = Vec::with_capacity(STEPS.len());
    let mut failed = None;
    for (number, (title, act)) in (1..).zip(STEPS) {
        say(&format!("\n{number:>2}  {title}\n"))?;
        let step_begun = clock::now_ms();
        match act(&mut stage, screen) {
            Ok(told) => {
                say(&told.text())?;
                let duration_ms = clock::now_ms().saturating_sub(step_begun);
                steps.push(told.json(number, title, duration_ms));
            }
            Err(failure) => {
                steps.push(Told::failed(number, title, &failure.message));
                failed = Some(format!("step {number} does not hold: {failure}"));
                break;
            }
        }
    }
    let patient = stage.patient;
    let clinics = stage.clinics_json();
    let folder = stage.close()?;
    let seconds =
        f64::from(u32::try_from(clock::now_ms().saturating_sub(begun)).unwrap_or(u32::MAX))
            / 1000.0;
    if screen.json {
        let document = json!({
            "ok": failed.is_none(),
            "error": failed,
            "seconds": seconds,
            "patients": options.patients,
            "seed": options.seed,
            "chart": patient,
            "clinics": clinics,
            "kept": options.keep,
            "steps": steps,
        });
        (screen.print)(&format!("{document}\n"))?;
    } else if failed.is_none() {
        let count = STEPS.len();
        say(&format!(
            "\nAll {count} steps hold; they took {seconds:.1} s.\n"
        ))?;
    }
    if let (Some(kept), Some(chart), false) = (folder, patient, screen.json) {
        say(&kept::what_next(&kept, &chart))?;
    }
    match failed {
        None => Ok(Exit::Done),
        Some(_) if screen.json => Ok(Exit::Failed),
        Some(text) => Err(Failure::new(Exit::Failed, text)),
    }
}
