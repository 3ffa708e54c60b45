//! Why a file on a stick was not taken in, or not to its end, and what to do next.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use chartmesh_protocol::sync::bundle::BundleError;
use chartmesh_protocol::{ClinicId, NodeId};
use rustix::fs::OFlags;
use thiserror::Error;

use crate::clinic::ClinicError;

/// Why a file was not taken in, or not to its end.
#[derive(Debug, Error)]
pub(super) enum Unread {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It has no end that could be read to, or is none of those that hold anything.
    #[error(
        "it is {what}, not a file: name the files on the stick, or the folder that they are in"
    )]
    NoFile {
        /// What it is.
        what: &'static str,
    },
    /// There is nothing in it.
    #[error("it is empty: it was not copied to its end; copy it again")]
    Empty,
    /// It does not begin as such files do.
    #[error(
        "it is no bundle file: `chartmesh sync export` at another clinic writes those. Leave it \
         for the program that it is of"
    )]
    NoBundle,
    /// It is sealed to another clinic.
    #[error("it is for {clinic}, not for this clinic, and only they can open it: carry it there")]
    ForAnother {
        /// The clinic that can open it, as a person knows it.
        clinic: String,
    },
    /// This node wrote it.
    #[error("it was written here, for {clinic}: carry it there")]
    OurOwn {
        /// The clinic that can open it, as a person knows it.
        clinic: String,
    },
    /// Its end is not there.
    #[error("it is cut short: {came}")]
    Cut {
        /// What came of it, and how the rest comes.
        came: Box<Came>,
    },
    /// It was changed, or does not hold what such files hold.
    #[error("{error}: {came}")]
    Damaged {
        /// What is wrong.
        error: BundleError,
        /// What came of it, and how the rest comes.
        came: Box<Came>,
    },
    /// Nothing of it opens.
    #[error(
        "{0}: copy it again; where that does not help, it is sealed to a later key of this clinic, \
         which this node lacks: let it sync with another node of the clinic. One that was cut off \
         gets no later key"
    )]
    NothingOpens(BundleError),
    /// It is not from whom it says.
    #[error("{0}: nothing of it was taken in; ask the clinic that it came from for another one")]
    Forged(BundleError),
    /// It is from a clinic that is not known.
    #[error(
        "it is from clinic {0}, which is not known here: add its card with `chartmesh peer add`"
    )]
    Stranger(ClinicId),
    /// It is from a node that was cut off.
    #[error("it was made by node {0}, which its clinic has cut off: nothing of it is taken")]
    CutOff(NodeId),
    /// This clinic is at fault.
    #[error(transparent)]
    Ours(#[from] ClinicError),
}

/// What came of a file whose end did not, and how the rest comes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Came {
    /// Statements and records.
    pub(super) items: u64,
    /// Pieces of attachments.
    pub(super) pieces: u64,
    /// Items that the sender shares and that are not here, where it has told.
    pub(super) lacking: Option<u64>,
    /// The node that made it, once that is known.
    pub(super) sender: Option<NodeId>,
}

impl std::fmt::Display for Came {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let many = |count: u64, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let items = many(self.items, "item");
        match (self.items, self.pieces) {
            (0, 0) => f.write_str("nothing came of it")?,
            (_, 0) => write!(f, "{items} came of it")?,
            (_, pieces) => {
                let pieces = many(pieces, "piece");
                write!(f, "{items} and {pieces} of attachments came of it")?;
            }
        }
        match self.lacking {
            Some(0) => f.write_str(", and no record is missing")?,
            Some(lacking) => write!(f, ", {} missing here", many(lacking, "item"))?,
            None => {}
        }
        f.write_str(". Copy it again")?;
        match self.sender.filter(|_| self.items + self.pieces > 0) {
            Some(node) => write!(
                f,
                ", or carry a stick back (`chartmesh sync export --peer {node} --out FILE`): the \
                 next one from there brings the rest alone"
            ),
            None => Ok(()),
        }
    }
}

impl Unread {
    /// Of a part of which so much came before this was found.
    pub(super) fn of(error: BundleError, came: Box<Came>) -> Self {
        match error {
            BundleError::Head(_) => Self::NoBundle,
            BundleError::Certificate(_) | BundleError::NotBySender(_) => Self::Forged(error),
            BundleError::Altered { block: 0 } => Self::NothingOpens(error),
            BundleError::Altered { .. }
            | BundleError::BlockLength { .. }
            | BundleError::BehindTheEnd
            | BundleError::Frame { .. }
            | BundleError::Content { .. }
            | BundleError::ForAnother { .. }
            | BundleError::UnusableKey
            | BundleError::Unsendable { .. }
            | BundleError::TooManyParts
            | _ => Self::Damaged { error, came },
        }
    }

    /// Whether the file is to be left alone, and nothing failed.
    pub(super) fn is_no_failure(&self) -> bool {
        matches!(self, Self::OurOwn { .. })
    }
}

/// Opens a file to read it to its end. What has none is refused, and not waited for: a pipe that
/// nobody writes to, a device, a folder.
pub(super) fn open(path: &Path) -> Result<File, Unread> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(nonblock).open(path);
    let file = match opened {
        Ok(file) => file,
        // A socket cannot be opened at all.
        Err(error) => {
            let found = std::fs::metadata(path).ok();
            let what = found.as_ref().and_then(no_file);
            return Err(what.map_or(Unread::Io(error), |what| Unread::NoFile { what }));
        }
    };
    match no_file(&file.metadata()?) {
        Some(what) => Err(Unread::NoFile { what }),
        None => Ok(file),
    }
}

/// What something is that is no file.
fn no_file(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder inside a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}
