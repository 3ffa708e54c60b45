//! One command, run to its end.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::wait_for;

/// A command that takes longer is stuck.
const COMMAND_DEADLINE: Duration = Duration::from_secs(180);

/// What a command printed, and what it ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command to its end. It prints to files of the folder `scratch`: a pipe that nobody
/// reads would stop it.
///
/// # Panics
/// When it does not end in time, or prints what is not UTF-8.
pub fn run(command: &mut Command, scratch: &Path) -> Output {
    run_within(command, scratch, COMMAND_DEADLINE)
}

/// As [`run`], for a command that may take longer than most, or less.
///
/// # Panics
/// As [`run`].
pub fn run_within(command: &mut Command, scratch: &Path, deadline: Duration) -> Output {
    let folder = tempfile::tempdir_in(scratch).unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let child = spawn(command, &out, &err);
    let what = format!("{command:?} to end");
    let mut guard = Killed(child);
    let status = wait_for(&what, deadline, || guard.0.try_wait().unwrap());
    Output {
        code: status.code(),
        stdout: std::fs::read_to_string(out).unwrap(),
        stderr: std::fs::read_to_string(err).unwrap(),
    }
}

/// Starts a command that prints to files and reads nothing.
///
/// # Panics
/// When it cannot be started.
pub fn spawn(command: &mut Command, out: &Path, err: &Path) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(File::create(out).unwrap())
        .stderr(File::create(err).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A process that does not outlive the test.
#[derive(Debug)]
pub struct Killed(pub Child);

impl Killed {
    /// Ends it at once, as a power cut would, and waits until it is gone.
    ///
    /// # Panics
    /// When the system does not let go of it.
    pub fn kill(&mut self) -> ExitStatus {
        // Fails only when it has ended already.
        drop(self.0.kill());
        self.0.wait().unwrap()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}
