//! Where the control socket lies.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";
/// The longest path that a socket address holds on Linux is 107 bytes (unix(7)).
const MAX_SOCKET_PATH: usize = 100;

/// A path by which the socket can be bound or reached, however deep the data folder lies.
///
/// A path that is too long for a socket address is reached through the folder's open file in
/// `/proc`, so the folder has to stay open while the path is used.
pub(super) struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

impl SocketPath {
    /// The socket of the node in this data folder.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let plain = dir.join(SOCKET);
        if plain.as_os_str().len() <= MAX_SOCKET_PATH {
            return Ok(Self {
                path: plain,
                _folder: None,
            });
        }
        let folder = File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }

    pub(super) fn as_path(&self) -> &Path {
        &self.path
    }
}
