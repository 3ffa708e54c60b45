//! The command line's side of the control socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::socket::SocketPath;
use super::{Answer, Exit, Failure, Line, MAX_LINE, Progress, Request};

/// Connects to the node that runs in this data folder, or says that none does.
fn connect(dir: &Path) -> Option<UnixStream> {
    let path = SocketPath::of(dir).ok()?;
    UnixStream::connect(path.as_path()).ok()
}

/// Whether a node runs in this data folder and answers.
#[must_use]
pub fn is_running(dir: &Path) -> bool {
    connect(dir).is_some()
}

/// Asks the node that runs in this data folder. `None` when none runs.
///
/// # Errors
/// The node's own [`Failure`], or one that says that the node ended before it had answered.
pub fn ask(
    dir: &Path,
    request: &Request,
    progress: &dyn Fn(&Progress),
) -> Option<Result<Answer, Failure>> {
    let stream = connect(dir)?;
    Some(converse(stream, request, progress))
}

fn converse(
    mut stream: UnixStream,
    request: &Request,
    progress: &dyn Fn(&Progress),
) -> Result<Answer, Failure> {
    let broken = |what: String| {
        Failure::new(
            Exit::Failed,
            format!("the running node did not answer: {what}; see its log, then try again"),
        )
    };
    let mut text = serde_json::to_string(request).map_err(|error| broken(error.to_string()))?;
    text.push('\n');
    stream
        .write_all(text.as_bytes())
        .map_err(|error| broken(error.to_string()))?;
    let mut reader = BufReader::new(stream).take(MAX_LINE);
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader
            .read_line(&mut line)
            .map_err(|error| broken(error.to_string()))?;
        if read == 0 {
            return Err(broken("it ended before the answer".to_owned()));
        }
        match serde_json::from_str(&line).map_err(|error| broken(error.to_string()))? {
            Line::Progress(step) => progress(&step),
            Line::Answer(answer) => return Ok(answer),
            Line::Failure(failure) => return Err(failure),
        }
    }
}
