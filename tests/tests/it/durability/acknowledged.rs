//! No answer leaves before the journal is synced, as the system's own calls show.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chartmesh_tests::Clinic;
use chartmesh_tests::required::required;
use chartmesh_tests::run::{Killed, run, spawn};
use chartmesh_tests::wait::wait_for;
use rustix::process::{Pid, Signal, kill_process};

use super::trace::{CALLS, writes_before_answers};
use super::{assert_healthy, visits};
use crate::PROGRAM;

const DEADLINE: Duration = Duration::from_secs(60);

/// Whether `strace` can trace here. Without it a test is skipped, and says so.
fn strace_works(scratch: &Path) -> bool {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-o", "/dev/null", "true"]);
    let works = probe.output().is_ok_and(|output| output.status.success());
    if !works {
        assert!(!required("strace"), "strace is demanded and does not work");
        eprintln!("skipped: strace does not work in {}", scratch.display());
    }
    works
}

/// The clinic's program under `strace`, which writes to `trace`.
fn traced(clinic: &Clinic, trace: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "64", "-e", &format!("trace={CALLS}")]);
    command.arg("-o").arg(trace).arg(PROGRAM);
    let plain = clinic.command();
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// A daemon that `strace` follows. Dropped without [`end`](Self::end), it is killed: to kill
/// `strace` alone would leave it.
struct TracedDaemon {
    strace: Killed,
    daemon: Pid,
}

impl TracedDaemon {
    fn start(clinic: &Clinic, trace: &Path) -> Self {
        let scratch = clinic.scratch();
        let mut command = traced(clinic, trace);
        let child = spawn(
            command.arg("run"),
            &scratch.join("out"),
            &scratch.join("err"),
        );
        let strace = Killed(child);
        let ready = wait_for("the traced daemon", DEADLINE, || clinic.run_file());
        let id = i32::try_from(ready["pid"].as_i64().unwrap()).unwrap();
        Self {
            strace,
            daemon: Pid::from_raw(id).unwrap(),
        }
    }

    fn end(mut self) {
        kill_process(self.daemon, Signal::TERM).unwrap();
        let status = wait_for("the traced daemon to end", DEADLINE, || {
            self.strace.0.try_wait().unwrap()
        });
        assert!(status.success(), "{status}");
    }
}

impl Drop for TracedDaemon {
    fn drop(&mut self) {
        // Once strace has ended, the daemon has, and its number may be another's.
        if let Ok(None) = self.strace.0.try_wait() {
            // An error means that it is gone already.
            let _ = kill_process(self.daemon, Signal::KILL);
        }
    }
}

#[test]
fn the_daemon_answers_only_after_the_journal_is_synced() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    if !strace_works(&clinic.scratch()) {
        return;
    }
    let trace = clinic.scratch().join("daemon.trace");
    let daemon = TracedDaemon::start(&clinic, &trace);
    let registered = clinic.json(&[
        "patient",
        "register",
        "--given",
        "Amina",
        "--family",
        "Nakato",
        "--birth-date",
        "1987-04-02",
    ]);
    let files = visits::charts(&clinic, 3, 11);
    for file in &files {
        clinic.json(&[Path::new("import"), file]);
    }
    let patient = registered["id"].as_str().unwrap();
    clinic.json(&["chart", "show", patient]);
    daemon.end();

    let text = std::fs::read_to_string(&trace).unwrap();
    let writes = writes_before_answers(&text, r#"{\"answer\":{\"value"#)
        .unwrap_or_else(|line| panic!("answered before the journal was synced: {line}"));
    assert_eq!(writes.len(), 5, "answers: {writes:?}");
    // Registering and importing write a chart; showing one writes that it was read.
    assert!(writes.iter().all(|&count| count > 0), "{writes:?}");
    assert_healthy(&clinic);
}

#[test]
fn a_command_without_a_daemon_prints_only_after_the_journal_is_synced() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    if !strace_works(&clinic.scratch()) {
        return;
    }
    let trace = clinic.scratch().join("import.trace");
    let files = visits::charts(&clinic, 1, 12);
    let mut import = traced(&clinic, &trace);
    let output = run(
        import.args(["--json", "import"]).args(&files),
        &clinic.scratch(),
    );
    assert_eq!(output.code, Some(0), "{output:?}");

    let text = std::fs::read_to_string(&trace).unwrap();
    let writes = writes_before_answers(&text, r#"{\"files\":[{\"file"#)
        .unwrap_or_else(|line| panic!("printed before the journal was synced: {line}"));
    assert!(writes.len() == 1 && writes[0] > 0, "{writes:?}");
}
