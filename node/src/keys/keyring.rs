//! The node's secrets, in one file under one passphrase.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::cost::{Cost, SALT_BYTES};
use super::error::KeyringError;
use super::format::{self, CONTEXT, Head, Secrets};
use super::limits::{MAX_KEYRING_BYTES, MAX_SECRETS};
use super::passphrase::Passphrase;

/// A secret of 32 bytes: a private key's seed, or a symmetric key. Wiped when dropped.
pub type Secret = Zeroizing<[u8; 32]>;

const FILE_NAME: &str = "keyring";
const TEMPORARY_NAME: &str = "keyring.new";

/// An open keyring: secrets by name. What is changed is on disk after [`save`](Self::save).
pub struct Keyring {
    folder: PathBuf,
    head: Head,
    key: Zeroizing<[u8; 32]>,
    secrets: Secrets,
}

impl Keyring {
    /// A new keyring without secrets, for the folder `folder`. Nothing is written yet.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if the folder has one.
    pub fn create(
        folder: &Path,
        passphrase: &Passphrase,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeyringError> {
        let path = folder.join(FILE_NAME);
        if path.exists() {
            return Err(KeyringError::Exists(path));
        }
        let (head, key) = new_head(passphrase, cost, rng)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            head,
            key,
            secrets: Secrets::new(),
        })
    }

    /// Opens the keyring in `folder`. Takes one run of argon2id, about 0.2 s.
    ///
    /// # Errors
    /// [`KeyringError::WrongPassphrase`]; [`KeyringError::Exposed`] before the passphrase is
    /// tried; [`KeyringError::Damaged`], also for one that asks for too much memory.
    pub fn open(folder: &Path, passphrase: &Passphrase) -> Result<Self, KeyringError> {
        let sealed = format::decode(&read(&folder.join(FILE_NAME))?)?;
        let head = sealed.head;
        let key = derive(passphrase, &head)?;
        let secrets = sealed.open(&key)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            head,
            key,
            secrets,
        })
    }

    /// The secret `name`, if there is one.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).cloned()
    }

    /// The names of the secrets, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// Sets the secret `name`. It is on disk after [`save`](Self::save).
    ///
    /// # Errors
    /// [`KeyringError::Name`].
    pub fn insert(&mut self, name: &str, secret: Secret) -> Result<(), KeyringError> {
        let full = self.secrets.len() >= MAX_SECRETS && !self.secrets.contains_key(name);
        if full || !format::is_name(name) {
            return Err(KeyringError::Name);
        }
        self.secrets.insert(name.to_owned(), secret);
        Ok(())
    }

    /// Takes the secret `name` out. It is off the disk after [`save`](Self::save).
    pub fn remove(&mut self, name: &str) -> Option<Secret> {
        self.secrets.remove(name)
    }

    /// Puts it under another passphrase, from the next [`save`](Self::save) on.
    ///
    /// # Errors
    /// [`KeyringError::Damaged`] is not possible here; any error leaves it as it was.
    pub fn change_passphrase(
        &mut self,
        passphrase: &Passphrase,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), KeyringError> {
        (self.head, self.key) = new_head(passphrase, cost, rng)?;
        Ok(())
    }

    /// Writes the file: durably, and in whole or not at all.
    ///
    /// # Errors
    /// [`KeyringError::Io`]; the file is then as it was.
    pub fn save(&self, rng: &mut impl CryptoRng) -> Result<(), KeyringError> {
        let file = format::encode(&self.head, &self.key, &self.secrets, rng);
        let file = file.ok_or(KeyringError::Damaged("it does not seal"))?;
        write(&self.folder, &file)
    }
}

fn new_head(
    passphrase: &Passphrase,
    cost: Cost,
    rng: &mut impl CryptoRng,
) -> Result<(Head, Zeroizing<[u8; 32]>), KeyringError> {
    let mut salt = [0; SALT_BYTES];
    rng.fill_bytes(&mut salt);
    let head = Head { salt, cost };
    let key = derive(passphrase, &head)?;
    Ok((head, key))
}

fn derive(passphrase: &Passphrase, head: &Head) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let key = head.cost.derive(passphrase.bytes(), &head.salt, CONTEXT);
    key.ok_or(KeyringError::Damaged("argon2id refuses its parameters"))
}

/// Reads the file, unless others may.
fn read(path: &Path) -> Result<Vec<u8>, KeyringError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyringError::Missing(path.to_path_buf()));
        }
        opened => opened.map_err(KeyringError::io("opening", path))?,
    };
    let metadata = file.metadata().map_err(KeyringError::io("reading", path))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Exposed {
            path: path.to_path_buf(),
            mode,
        });
    }
    let mut bytes = Vec::new();
    let limited = file.take(MAX_KEYRING_BYTES + 1).read_to_end(&mut bytes);
    limited.map_err(KeyringError::io("reading", path))?;
    if bytes.len() as u64 > MAX_KEYRING_BYTES {
        return Err(KeyringError::Damaged("it is too long"));
    }
    Ok(bytes)
}

/// Writes a file beside it, syncs that, and puts it in place.
fn write(folder: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(KeyringError::io("making", folder))?;
    let temporary = folder.join(TEMPORARY_NAME);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Left by a save that was cut short; its rights are not known, so it is not reused.
        done => done.map_err(KeyringError::io("removing", &*temporary))?,
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary);
    file.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    })
    .map_err(KeyringError::io("writing", &*temporary))?;
    let path = folder.join(FILE_NAME);
    fs::rename(&temporary, &path)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(KeyringError::io("writing", path))
}
