//! A clinic in this process, in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chartmesh::clinic::{Clinic, Imported};
use chartmesh::keys::{Cost, Passphrase};
use chartmesh_config::Config;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// An open clinic; the folder goes when it is dropped.
pub(crate) struct Node {
    pub(crate) clinic: Arc<Clinic>,
    folder: TempDir,
}

/// A clinic that is not open, to be opened as often as it is needed.
pub(crate) struct Closed {
    config: Config,
    folder: TempDir,
}

impl Node {
    /// A new clinic. Its keys are cheap to open: that is not what is measured.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default_for(name).unwrap();
        let cost = Cost::new(64, 1, 1).unwrap();
        Clinic::create(folder.path(), &config, &passphrase(), cost).unwrap();
        Self::open(folder, config)
    }

    /// Takes in a file or a folder, all of it.
    pub(crate) fn import(&self, path: &Path) -> Imported {
        let imported = self.clinic.import(&[path.to_owned()], &|_| ()).unwrap();
        let failed = imported.files.iter().find_map(|file| file.error.as_ref());
        assert_eq!(failed, None);
        imported
    }

    /// Closes the clinic.
    pub(crate) fn close(self) -> Closed {
        let config = self.clinic.config().clone();
        drop(self.clinic);
        Closed {
            config,
            folder: self.folder,
        }
    }

    fn open(folder: TempDir, config: Config) -> Self {
        let clinic = Clinic::open(folder.path(), config, &passphrase()).unwrap();
        Self {
            clinic: Arc::new(clinic),
            folder,
        }
    }
}

impl Closed {
    /// The clinic as it was closed, in a copy of its folder.
    pub(crate) fn open_copy(&self) -> Node {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        Node::open(folder, self.config.clone())
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(b"a passphrase".to_vec())).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
