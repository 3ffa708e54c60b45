//! Data folders in a state that nobody wants: held by two, left by a killed node, read-only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use chartmesh_tests::run::run;
use chartmesh_tests::{Clinic, Output};

use super::log;
use crate::PROGRAM;

#[test]
fn a_second_daemon_on_one_folder_is_told_so_and_the_first_goes_on() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.start();
    let first = clinic.run_file();
    let said = clinic.fails(&["run"], 1);
    assert!(
        said.contains("in use by another chartmesh process"),
        "{said}"
    );
    let said = clinic.fails(&["doctor", "--repair"], 1);
    assert!(said.contains("stop it"), "{said}");
    assert_eq!(clinic.run_file(), first);
    assert_eq!(clinic.json(&["status"])["running"], true);
    log(&clinic);
    clinic.stop();
}

#[test]
fn what_a_killed_daemon_left_stands_in_no_ones_way() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.start();
    let given = ["--given", "Amina", "--family", "Nakato"];
    clinic.json(&[&["patient", "register"][..], &given].concat());
    clinic.kill9();
    assert!(clinic.dir().join("control.sock").exists());

    // A command finds no daemon and opens the store itself.
    let found = clinic.json(&["patient", "search", "nakato"]);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(clinic.json(&["status"])["running"], false);

    for left in [Left::AsItWas, Left::Garbage] {
        left.leave(&clinic.dir());
        clinic.start();
        assert_eq!(clinic.json(&["status"])["running"], true);
        assert_eq!(clinic.json(&["doctor"])["healthy"], true);
        clinic.kill9();
    }
    clinic.start();
    clinic.stop();
}

/// What lies where `run.json` and the socket do.
#[derive(Clone, Copy)]
enum Left {
    AsItWas,
    Garbage,
}

impl Left {
    fn leave(self, dir: &Path) {
        match self {
            Self::AsItWas => {}
            Self::Garbage => {
                fs::write(dir.join("run.json"), "{\"pid\":").unwrap();
                let socket = dir.join("control.sock");
                if socket.exists() {
                    fs::remove_file(&socket).unwrap();
                }
                fs::write(socket, "no socket").unwrap();
            }
        }
    }
}

/// A user without rights, as most systems have it.
const NOBODY: u32 = 65534;

/// Runs a command as a user whom the folder's permissions bind: they do not bind root.
fn run_bound(clinic: &Clinic, arguments: &[&str]) -> Output {
    let mut command = clinic.command();
    command.args(arguments);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    run(&mut command, &clinic.scratch())
}

/// Gives everything below `path` to the bound user, with these rights for it.
fn hand_over(path: &Path, folder_mode: u32, file_mode: u32) {
    let is_folder = path.is_dir();
    if is_folder {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path(), folder_mode, file_mode);
        }
    }
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mode = if is_folder { folder_mode } else { file_mode };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_folder_is_named_and_nothing_panics() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.json(&["patient", "register", "--given", "Amina"]);
    let above = clinic.dir().parent().unwrap().to_owned();
    fs::set_permissions(&above, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(clinic.passphrase_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let can_run = std::panic::catch_unwind(|| run_bound(&clinic, &["--version"]));
    if !can_run.is_ok_and(|output| output.code == Some(0)) {
        eprintln!("skipped: another user cannot reach the program under test");
        return;
    }
    hand_over(&clinic.dir(), 0o500, 0o400);
    for arguments in [
        &["status"][..],
        &["patient", "search"],
        &["patient", "register", "--given", "Amina", "--even-if-alike"],
        &["run"],
        &["doctor"],
        &["doctor", "--repair"],
    ] {
        let output = run_bound(&clinic, arguments);
        assert_eq!(output.code, Some(1), "{arguments:?}: {output:?}");
        let said = &output.stderr;
        assert!(said.contains("ermission denied"), "{arguments:?}: {said}");
        assert!(said.contains(clinic.dir().to_str().unwrap()), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    hand_over(&clinic.dir(), 0o700, 0o600);
    let output = run_bound(&clinic, &["--json", "doctor"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}
