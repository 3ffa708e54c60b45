//! Other systems that do the same work: built and installed below the target folder, when asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::table::{Table, count};
use super::{invented, progress};

/// Where their programs are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
/// The systems: the name, the program where it is one for Node.js, and the charts that it can hold
/// on a machine of 8 GB. What takes more than 2 MB a chart does a tenth of the work.
const SAMOD: System = ("samod 0.16", "", 10_000);
const AUTOMERGE_REPO: System = ("automerge-repo 2.5", "automerge-repo.mjs", 1_000);
const POUCHDB: System = ("PouchDB 9.0", "pouchdb.mjs", 10_000);

type System = (&'static str, &'static str, usize);

/// How long each may take with everything, in seconds: ours takes half a minute.
const LONGEST_SECONDS: u32 = 20 * 60;
/// What coreutils' `timeout` ends with when it has ended the command.
const TIMED_OUT: i32 = 124;

/// Runs each with so many charts, of which so many change, and puts its figures beside ours.
pub(crate) fn measure(table: &mut Table, charts: usize, changed: usize) {
    if let Some(program) = samod() {
        run(table, SAMOD, bounded(&program), charts, changed);
    }
    if let Some(folder) = npm() {
        for system in [AUTOMERGE_REPO, POUCHDB] {
            let mut command = bounded(Path::new("node"));
            command.current_dir(&folder).arg(system.1);
            run(table, system, command, charts, changed);
        }
    }
}

/// A command that is ended when it takes too long.
fn bounded(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.arg(LONGEST_SECONDS.to_string()).arg(program);
    command
}

fn run(table: &mut Table, system: System, mut command: Command, charts: usize, changed: usize) {
    let (system, _, most) = system;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("charts.ndjson");
    let charts = charts.min(most);
    let lines: Vec<String> = invented::whole(charts).map(|chart| chart.bundle).collect();
    // A bundle is a line already, with its break.
    std::fs::write(&file, lines.concat()).unwrap();
    command.arg(&file).arg(changed.to_string());

    progress(&format!("{system}: {charts} charts"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let mut missing = vec!["first", "nothing", "changed"];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (row, figures) = (line["row"].as_str().unwrap(), &line["figures"]);
        missing.retain(|one| *one != row);
        let bytes = |way: &str| figures[way].as_u64().unwrap_or_default();
        let (there, back) = (bytes("there"), bytes("back"));
        let text = match row {
            "first" => {
                let rate = charts as f64 / figures["seconds"].as_f64().unwrap();
                format!("{rate:.0} charts a second of {}", count(charts))
            }
            "resident" => format!("{} MB resident, both in one", bytes("both") / 1_000_000),
            "nothing" => format!(
                "{} and {} B, {} B a chart there",
                count(there),
                count(back),
                there / charts.max(1) as u64
            ),
            _ => format!("{} B, {} B back", count(there), count(back)),
        };
        // Memory stands beside the speed of the first sync.
        let row = if row == "resident" { "first" } else { row };
        table.beside(system, row, &text);
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let reason = last.unwrap_or("it said nothing");
        progress(&format!("{system} ended with {}: {reason}", output.status));
        let charts = count(charts);
        let why = match output.status.code() {
            Some(TIMED_OUT) => format!("{charts} not done after {LONGEST_SECONDS} s"),
            Some(_) | None => format!("did not finish with {charts}"),
        };
        for row in missing {
            table.beside(system, row, &why);
        }
    }
}

/// Builds the program that uses samod.
fn samod() -> Option<PathBuf> {
    progress("building samod");
    let target = installed("samod");
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--manifest-path", &format!("{SOURCES}/samod/Cargo.toml")])
        .arg("--target-dir")
        .arg(&target);
    succeeds(&mut command).then(|| target.join("release/samod-beside"))
}

/// Installs what the programs for Node.js need.
fn npm() -> Option<PathBuf> {
    progress("installing automerge-repo and PouchDB");
    let folder = installed("npm");
    for entry in std::fs::read_dir(format!("{SOURCES}/npm")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let mut command = Command::new("npm");
    command
        .current_dir(&folder)
        .args([
            "install",
            "--no-save",
            "--omit=optional",
            "--ignore-scripts",
        ])
        .args(["--no-audit", "--no-fund"]);
    succeeds(&mut command).then_some(folder)
}

/// A folder beside those of the profiles.
fn installed(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_chartmesh-under-test"));
    let target = program.parent().and_then(Path::parent).unwrap();
    let folder = target.join("peers").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let done = status.as_ref().is_ok_and(|status| status.success());
    if !done {
        progress(&format!("{command:?}: {status:?}"));
    }
    done
}
