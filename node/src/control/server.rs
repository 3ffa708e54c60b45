//! The node's side of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::socket::SocketPath;
use super::{Exit, Failure, Line, Progress, Request};
use crate::service::Service;

/// How long a request may be: the longest names a few hundred files.
const MAX_REQUEST: u64 = 1024 * 1024;
/// How many progress lines may wait for a slow terminal; more are dropped, not waited for.
const PROGRESS_QUEUE: usize = 16;

/// A bound control socket.
pub struct ControlSocket {
    listener: UnixListener,
    path: SocketPath,
}

/// Binds the control socket of a data folder whose store this process holds.
///
/// # Errors
/// When the folder does not allow it.
pub fn bind(dir: &Path) -> io::Result<ControlSocket> {
    let path = SocketPath::of(dir)?;
    // The store's lock is held by this process, so a socket that is left is nobody's.
    if path.as_path().exists() {
        std::fs::remove_file(path.as_path())?;
    }
    let listener = UnixListener::bind(path.as_path())?;
    std::fs::set_permissions(path.as_path(), std::fs::Permissions::from_mode(0o600))?;
    Ok(ControlSocket { listener, path })
}

/// Answers commands until `end` is cancelled; those that have come by then are carried out first.
///
/// # Errors
/// When the socket cannot be removed at the end.
pub async fn serve(
    socket: ControlSocket,
    service: Arc<Service>,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let commands = TaskTracker::new();
    let carry_out = |stream: UnixStream| {
        let service = Arc::clone(&service);
        commands.spawn(async move {
            if let Err(error) = answer(stream, service).await {
                tracing::debug!(%error, "a command went away");
            }
        });
    };
    loop {
        tokio::select! {
            accepted = socket.listener.accept() => match accepted {
                Ok((stream, _)) => carry_out(stream),
                Err(error) => tracing::warn!(%error, "a command could not connect"),
            },
            () = end.cancelled() => break,
        }
    }
    // Nobody comes from here on; whoever has come would not be told why nobody answers.
    std::fs::remove_file(socket.path.as_path())?;
    while let Some(Ok((stream, _))) = socket.listener.accept().now_or_never() {
        carry_out(stream);
    }
    commands.close();
    commands.wait().await;
    Ok(())
}

async fn answer(stream: UnixStream, service: Arc<Service>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = zeroize::Zeroizing::new(String::new());
    let mut reader = BufReader::new(reader.take(MAX_REQUEST));
    if reader.read_line(&mut line).await? == 0 {
        return Ok(());
    }
    let last = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            let (steps, mut progress) = mpsc::channel::<Progress>(PROGRESS_QUEUE);
            // A full queue means that the terminal is behind: the next step tells as much.
            let report = move |step: Progress| drop(steps.try_send(step));
            let work = service.execute(request, Arc::new(report));
            tokio::pin!(work);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    Some(step) = progress.recv() => send(&mut writer, &Line::Progress(step)).await?,
                }
            };
            match outcome {
                Ok(answer) => Line::Answer(answer),
                Err(failure) => Line::Failure(failure),
            }
        }
        Err(error) => Line::Failure(Failure::new(
            Exit::Usage,
            format!(
                "the running node does not know this command ({error}); restart it after an upgrade"
            ),
        )),
    };
    send(&mut writer, &last).await
}

async fn send(writer: &mut (impl AsyncWriteExt + Unpin), line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    writer.write_all(&text).await?;
    writer.flush().await
}
