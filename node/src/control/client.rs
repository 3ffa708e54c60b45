//! The command line's side of the control socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::socket::SocketPath;
use super::{Answer, Exit, Failure, Line, MAX_LINE, Progress, Request};

/// After how long without a line a node is silent: what takes long says how far it is every second.
const SILENCE: Duration = Duration::from_secs(5);

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
    ask_patiently(dir, request, progress, &|_| ())
}

/// The same, and says whenever nothing at all has come for another 5 s, and for how long.
///
/// # Errors
/// As [`ask`].
pub fn ask_patiently(
    dir: &Path,
    request: &Request,
    progress: &dyn Fn(&Progress),
    silent: &dyn Fn(Duration),
) -> Option<Result<Answer, Failure>> {
    let stream = connect(dir)?;
    Some(converse(stream, request, progress, silent))
}

fn converse(
    mut stream: UnixStream,
    request: &Request,
    progress: &dyn Fn(&Progress),
    silent: &dyn Fn(Duration),
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
    let timeout = stream.set_read_timeout(Some(SILENCE));
    timeout.map_err(|error| broken(error.to_string()))?;
    let mut reader = BufReader::new(stream).take(MAX_LINE);
    let (mut line, mut waited) = (Vec::new(), Duration::ZERO);
    loop {
        // What has come of a line stays when the rest of it is late.
        match reader.read_until(b'\n', &mut line) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                waited = waited.saturating_add(SILENCE);
                silent(waited);
                continue;
            }
            Err(error) => return Err(broken(error.to_string())),
            Ok(0) => return Err(broken("it ended before the answer".to_owned())),
            Ok(_) => waited = Duration::ZERO,
        }
        let read = serde_json::from_slice(&line).map_err(|error| broken(error.to_string()))?;
        line.clear();
        match read {
            Line::Progress(step) => progress(&step),
            Line::Answer(answer) => return Ok(answer),
            Line::Failure(failure) => return Err(failure),
        }
    }
}
