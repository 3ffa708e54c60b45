//! The control socket with lines that no command writes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use chartmesh_tests::Clinic;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::log;
use crate::PROGRAM;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(clinic: &Clinic) -> UnixStream {
    let path: PathBuf = clinic.dir().join("control.sock");
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes and returns what comes back until the node hangs up. A node that hangs up while
/// we still write is within its rights.
fn say(clinic: &Clinic, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(clinic);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        read => {
            read.unwrap();
        }
    }
    answer
}

/// An answer to nonsense is a failure of class `usage`, or none at all.
fn assert_refused(said: &[u8], answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let shown = String::from_utf8_lossy(&said[..said.len().min(80)]).into_owned();
    let line: Value = serde_json::from_slice(answer).unwrap();
    assert_eq!(line["failure"]["exit"], "usage", "{shown}: {line}");
}

#[test]
fn garbage_on_the_control_socket_is_refused_and_the_daemon_goes_on() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.start();
    let before = super::holdings(&clinic);
    let mut rng = ChaCha8Rng::seed_from_u64(61);
    let mut lines: Vec<Vec<u8>> = [
        "",
        "\n",
        "{}\n",
        "null\n",
        "[[[[\n",
        "{\"command\":\"status\"",
        "{\"command\":\"no-such-thing\"}\n",
        "{\"command\":\"import\"}\n",
        "{\"command\":\"import\",\"paths\":7}\n",
        "{\"command\":\"audit-list\",\"patient\":null,\"most\":-1}\n",
        "{\"command\":\"patient-register\",\"given\":\"x\"}\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    .map(|line| line.as_bytes().to_vec())
    .into();
    lines.push([b"[".repeat(900_000), b"\n".to_vec()].concat());
    lines.push(vec![b'x'; 3 << 20]);
    for _ in 0..200 {
        let mut noise = vec![0; rng.random_range(1..2000)];
        rng.fill_bytes(&mut noise);
        noise.push(b'\n');
        lines.push(noise);
    }
    for line in &lines {
        assert_refused(line, &say(&clinic, line));
    }
    // Connections that say nothing do not stand in the way of others.
    let silent: Vec<UnixStream> = (0..50).map(|_| connect(&clinic)).collect();
    assert_eq!(super::holdings(&clinic), before);
    drop(silent);
    log(&clinic);
    clinic.stop();
}

#[test]
fn odd_ids_and_words_are_not_found_and_not_trouble() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.start();
    let long = "f".repeat(100_000);
    for odd in [
        "",
        " ",
        "%s%n",
        "../../etc/passwd",
        "\u{202e}\u{0}x",
        "\u{1f9ea}",
        &long,
    ] {
        let odd = odd.replace('\0', "");
        assert_eq!(
            clinic.json(&["patient", "search", "--", &odd]),
            Value::Array(vec![])
        );
        for command in [
            &["patient", "show", "--", &odd][..],
            &["chart", "show", "--", &odd],
            &["consent", "show", "--", &odd],
            &["peer", "remove", "--", &odd],
        ] {
            let said = clinic.fails(command, 4);
            assert!(!said.contains("panicked"), "{said}");
        }
        let said = clinic.fails(&["peer", "add", "--", &odd], 2);
        assert!(!said.contains("panicked"), "{said}");
    }
    log(&clinic);
    clinic.stop();
}
