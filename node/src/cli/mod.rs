//! The command line: what was typed, carried out here or by the node that runs.

mod args;
mod demo;
mod input;
mod local;
mod progress;
mod render;

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::control::{Answer, Exit, Failure, Progress, Request};
use crate::daemon::RunFile;
use args::{Attachment, Audit, Cli, Command, Global, Patient};

/// Runs the program and returns what it ends with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match run(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            eprintln!("chartmesh: {failure}");
            if json {
                // Where printing failed, there is nobody to tell.
                drop(print(&failed(&failure)));
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

/// A failure as the one JSON document of a command: `{"error": TEXT, "exit": CODE}`.
fn failed(failure: &Failure) -> String {
    let code = failure.exit.code();
    format!(
        "{}\n",
        serde_json::json!({ "error": failure.message, "exit": code })
    )
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other command is one of the node in the data folder"
)]
fn run(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Init(init) => local::init(&global, &init),
        Command::Run(run) => local::run(&global, &run),
        Command::Demo(demo) => demo::run(&global, &demo.options()),
        Command::Generate(generate) => local::generate(&global, &generate),
        Command::Doctor(doctor) => local::doctor(&global, &doctor),
        Command::Completions(completions) => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(completions.shell, &mut command, "chartmesh", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        command => {
            let request = input::request(&global, &command)?;
            let answer = ask(&global, request)?;
            show(&global, &command, &answer)?;
            Ok(answer.exit)
        }
    }
}

/// Asks the node that runs in the data folder; where none runs, opens the store for this command.
/// A command that needs the patient's PIN asks for it when a person is there to type it.
fn ask(global: &Global, request: Request) -> Result<Answer, Failure> {
    match ask_once(global, request.clone()) {
        Err(failure) if failure.pin_needed => match input::with_pin(request)? {
            Some(request) => ask_once(global, request),
            None => Err(failure),
        },
        outcome => outcome,
    }
}

fn ask_once(global: &Global, request: Request) -> Result<Answer, Failure> {
    let progress = progress::Bar::new();
    let told = Cell::new(false);
    let silent = |waited: Duration| {
        if !told.replace(true) {
            eprintln!("{}", not_answered(&global.dir, waited));
        }
    };
    let show = |step: &Progress| progress.show(step);
    let ask =
        |request: &Request| crate::control::ask_patiently(&global.dir, request, &show, &silent);
    if let Some(outcome) = ask(&request) {
        return outcome;
    }
    match local::execute(global, request.clone(), &progress) {
        // A node that was just starting answers by now.
        Err(failure) if failure.in_use => ask(&request).unwrap_or(Err(failure)),
        outcome => outcome,
    }
}

/// What a person is told who waits for a node that is there and says nothing.
fn not_answered(dir: &Path, waited: Duration) -> String {
    let file = std::fs::read(crate::daemon::run_file(dir)).ok();
    let file = file.and_then(|text| serde_json::from_slice::<RunFile>(&text).ok());
    let process = file.map_or_else(String::new, |file| format!(" (process {})", file.pid));
    format!(
        "The running node{process} has not answered for {} s. It may have been stopped, or its \
         disk may hang. Waiting; end this command with Ctrl-C.",
        waited.as_secs()
    )
}

fn show(global: &Global, command: &Command, answer: &Answer) -> Result<(), Failure> {
    if let Command::Export(export) = command {
        return render::export(export, answer, global.json);
    }
    if let Command::Audit(Audit::Export { out, .. }) = command {
        return render::audit_events(out.as_deref(), answer, global.json);
    }
    if let Command::Attachment(Attachment::Save { out, .. }) = command {
        return render::save(out, answer, global.json);
    }
    if let Command::Patient(Patient::Card { out, .. }) = command {
        return render::write_card(out, answer, global.json);
    }
    if let Some(warning) = &answer.warning {
        eprintln!("WARNING: {warning}");
    }
    if answer.not_searched > 0 {
        eprintln!(
            "{} patients came just now and cannot be found yet: search again in some minutes.",
            answer.not_searched
        );
    }
    let text = if global.json {
        format!("{}\n", answer.value.get())
    } else {
        render::text(command, answer)?
    };
    print(&text)
}

/// Prints to standard output; a reader that has gone, such as `head`, is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}
