//! The README holds: its commands run as they are written, and print what it shows.
//!
//! A block ```` ```console ```` is a session at a terminal: `$ ` and a command, lines that go on
//! after a backslash, and under it what the command prints. `...` stands for any lines, and what
//! follows two blanks and `# ` is a remark. Ids, times, and figures that differ from run to run are
//! compared by their shape.

use std::fmt::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use chartmesh_config::Config;
use chartmesh_tests::run::run;

use crate::PROGRAM;

const README: &str = include_str!("../../../README.md");
const CI: &str = include_str!("../../../.ci/run");

/// A command and what it is shown to print.
struct Typed {
    command: String,
    shown: Vec<String>,
}

/// The blocks of a kind, each as its lines.
fn blocks(kind: &str) -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while lines.any(|line| line == format!("```{kind}")) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
    }
    blocks
}

/// Every command of every session, in order.
fn session() -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    let mut goes_on = false;
    for line in blocks("console").concat() {
        if goes_on {
            let last = typed.last_mut().expect("a command that goes on");
            last.command.push('\n');
            last.command.push_str(line);
            goes_on = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ") {
            goes_on = command.ends_with('\\');
            typed.push(Typed {
                command: command.to_owned(),
                shown: Vec::new(),
            });
        } else {
            let last = typed.last_mut().expect("a command before its output");
            let bare = line.split_once("  # ").map_or(line, |(bare, _)| bare);
            last.shown.push(bare.trim_end().to_owned());
        }
    }
    typed
}

/// What marks the beginning of a command's output.
fn mark(number: usize) -> String {
    format!("--- command {number} ---")
}

/// The session as a script. A node in the background is waited for, as a person would who sees
/// that it is ready; it ends with the script.
fn script(session: &[Typed]) -> String {
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n".to_owned();
    for (number, typed) in session.iter().enumerate() {
        writeln!(script, "echo '{}'", mark(number)).unwrap();
        let Some(daemon) = typed.command.strip_suffix('&') else {
            writeln!(script, "{}", typed.command).unwrap();
            continue;
        };
        let words: Vec<&str> = daemon.split_whitespace().collect();
        let place = words.iter().position(|word| *word == "--dir").unwrap();
        let ready = format!("{}/run.json", words[place + 1]);
        writeln!(script, "timeout 150 {daemon} 2>'{ready}.log' &").unwrap();
        writeln!(
            script,
            "for _ in {{1..600}}; do [[ -e {ready} ]] && break; sleep 0.1; done"
        )
        .unwrap();
    }
    script
}

/// A line with what differs from run to run left out.
fn shape(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let figures = ["ms", "bytes", "KB", "round"];
    let mut shape = Vec::with_capacity(words.len());
    for (place, word) in words.iter().enumerate() {
        let core = word.trim_matches(|c| "(),.:;".contains(c));
        let hex = core.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let next = words.get(place + 1).copied().unwrap_or_default();
        let stands_for = if hex && (core.len() == 36 || core.len() >= 8 && !core.contains('-')) {
            "ID"
        } else if core.len() == 20 && core.contains('T') && core.ends_with('Z') {
            "TIME"
        } else if core.parse::<u64>().is_ok() && figures.iter().any(|unit| next.starts_with(unit)) {
            "N"
        } else {
            core
        };
        shape.push(if core.is_empty() {
            (*word).to_owned()
        } else {
            word.replace(core, stands_for)
        });
    }
    shape.join(" ").trim_end().to_owned()
}

/// Whether lines are as they are shown.
fn as_shown(printed: &[String], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|skipped| as_shown(&printed[skipped..], rest))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, more)| line == first && as_shown(more, rest)),
    }
}

fn with_program_in_path(folder: &Path) -> Command {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(PROGRAM, bin.join("chartmesh")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut bash = Command::new("bash");
    bash.env("PATH", format!("{}:{path}", bin.display()))
        .env_remove("CHARTMESH_DIR")
        .env_remove("CHARTMESH_PASSPHRASE_FILE")
        .env_remove("CREDENTIALS_DIRECTORY");
    bash
}

#[test]
fn every_command_of_the_readme_runs_and_prints_what_is_shown() {
    let session = session();
    assert!(session.len() >= 10, "{} commands were found", session.len());
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let mut bash = with_program_in_path(folder.path());
    bash.arg("-c").arg(script(&session)).current_dir(&place);
    let output = run(&mut bash, folder.path());
    assert_eq!(output.code, Some(0), "{}\n{}", output.stdout, output.stderr);
    let mut rest = output.stdout.as_str();
    for (number, typed) in session.iter().enumerate() {
        let (_, after) = rest.split_once(&format!("{}\n", mark(number))).unwrap();
        let end = after.find(&mark(number + 1)).unwrap_or(after.len());
        rest = after;
        let printed: Vec<String> = after[..end].lines().map(shape).collect();
        let shown: Vec<String> = typed.shown.iter().map(|line| shape(line)).collect();
        assert!(
            as_shown(&printed, &shown),
            "`{}` prints\n{}\nand the README shows\n{}",
            typed.command,
            printed.join("\n"),
            shown.join("\n")
        );
    }
}

#[test]
fn two_clinics_take_at_most_eight_commands() {
    let blocks = blocks("console");
    let longest = blocks
        .iter()
        .map(|lines| lines.iter().filter(|line| line.starts_with("$ ")).count());
    assert_eq!(longest.max(), Some(8));
}

#[test]
fn the_two_commands_of_the_readme_are_run_by_ci() {
    let lines = blocks("sh").concat();
    let commands: Vec<&str> = lines
        .iter()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .collect();
    // The first one builds what CI builds, and runs it as CI does.
    assert_eq!(
        commands,
        ["cargo run --release -- demo", "cargo test --workspace"]
    );
    for run in [
        "cargo build --release",
        "\"$binary\" demo",
        "cargo test --workspace",
    ] {
        assert!(CI.contains(run), "CI does not run `{run}`");
    }
}

#[test]
fn the_configuration_of_the_readme_is_a_whole_one() {
    let blocks = blocks("toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        Config::parse(&block.join("\n")).unwrap();
    }
}

#[test]
fn shapes_leave_out_what_differs_and_nothing_else() {
    assert_eq!(
        shape("  0123abcd  Hill: in sync after 12 ms"),
        "  ID  Hill: in sync after N ms"
    );
    assert_eq!(shape("Added Hill (0123abcd89)."), "Added Hill (ID).");
    assert_eq!(shape("confirmed 2026-11-24T00:06:12Z"), "confirmed TIME");
    assert_eq!(
        shape("born 1987-04-02, 3 charts"),
        "born 1987-04-02, 3 charts"
    );
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(as_shown(&lines("a\nb\nc"), &lines("a\n...\nc")));
    assert!(as_shown(&lines("a\nc"), &lines("a\n...\nc")));
    assert!(!as_shown(&lines("a\nb\nc"), &lines("a\nb")));
    assert!(!as_shown(&lines("a\nc"), &lines("a\nb\nc")));
}
