//! The three clinics, the folder they lie in, and what the steps hand on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chartmesh_protocol::{ChartId, RecordId, StatementId};
use data_encoding::HEXLOWER;
use rand::RngExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

use super::DemoOptions;
use super::member::Member;
use super::told::needed;
use crate::control::{Exit, Failure};
use crate::folder;
use crate::keys::{Cost, Passphrase};
use crate::net::SyncReport;

/// Bytes of the passphrase.
const PASSPHRASE_BYTES: usize = 16;
/// The file that holds it in a folder that is kept.
pub(super) const PASSPHRASE_FILE: &str = "passphrase";

/// Everything that the steps work on. Dropped in this order: the stores are closed before their
/// folder goes.
pub(super) struct Stage {
    pub(super) hill: Member,
    pub(super) river: Member,
    pub(super) far: Member,
    /// What the networks run on while there are links.
    runtime: Option<Runtime>,
    folder: Folder,
    pub(super) invented: u32,
    pub(super) seed: u64,
    /// The chart of the patient that is followed.
    pub(super) patient: Option<ChartId>,
    /// That patient's grant to River Hospital.
    pub(super) grant: Option<StatementId>,
    /// The records of that patient that River Hospital was entitled to.
    pub(super) shared: BTreeSet<RecordId>,
}

/// Where the data folders lie.
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }
}

impl Stage {
    /// Makes the folder and the three clinics in it.
    pub(super) fn open(options: &DemoOptions) -> Result<Self, Failure> {
        let mut secret = Zeroizing::new([0; PASSPHRASE_BYTES]);
        rand::rng().fill(secret.as_mut_slice());
        let words = Zeroizing::new(HEXLOWER.encode(secret.as_slice()).into_bytes());
        let (folder, cost) = match &options.keep {
            Some(dir) => {
                make_empty(dir)?;
                folder::write_whole(&dir.join(PASSPHRASE_FILE), &words)
                    .map_err(|error| on(dir, &error))?;
                (Folder::Kept(dir.clone()), Cost::STANDARD)
            }
            None => {
                let dir = tempfile::Builder::new().prefix("chartmesh-demo-").tempdir();
                let dir = dir.map_err(|error| on(&std::env::temp_dir(), &error))?;
                // Nobody can guess a random passphrase that is gone in a moment: cheap is enough.
                let cheap = Cost::new(1024, 1, 1).unwrap_or(Cost::STANDARD);
                (Folder::Temporary(dir), cheap)
            }
        };
        let passphrase = Passphrase::new(words)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let create = |place: &str, name: &'static str| {
            Member::create(folder.path().join(place), name, &passphrase, cost)
        };
        Ok(Self {
            hill: create("hill", "Hill Clinic")?,
            river: create("river", "River Hospital")?,
            far: create("far", "Far Clinic")?,
            runtime: None,
            folder,
            invented: options.patients,
            seed: options.seed,
            patient: None,
            grant: None,
            shared: BTreeSet::new(),
        })
    }

    /// The clinics, as they were introduced.
    pub(super) fn members(&self) -> [&Member; 3] {
        [&self.hill, &self.river, &self.far]
    }

    /// A folder for FHIR files beside the data folders.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.path().join("fhir")
    }

    /// Connects all clinics.
    pub(super) fn connect(&mut self) -> Result<(), Failure> {
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot start: {error}")))?;
        self.runtime.insert(runtime).block_on(async {
            self.hill.join().await?;
            self.river.join().await?;
            self.far.join().await
        })
    }

    /// Cuts every link. The runtime goes with them, as a process would that ends: a QUIC endpoint
    /// holds its port for seconds after its last connection, and the same ports are needed again.
    pub(super) fn disconnect(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(async {
                self.hill.leave().await;
                self.river.leave().await;
                self.far.leave().await;
            });
        }
    }

    /// Has every clinic sync with every other, and returns what Hill Clinic and River Hospital
    /// exchanged. Meanwhile `look` is called again and again.
    pub(super) fn sync(&self, look: &dyn Fn()) -> Result<SyncReport, Failure> {
        let all = async {
            let reports = self.hill.sync().await?;
            self.river.sync().await?;
            self.far.sync().await?;
            Ok::<_, Failure>(reports)
        };
        let looking = async {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
            loop {
                tick.tick().await;
                look();
            }
        };
        let runtime = needed(self.runtime.as_ref(), "link between the clinics")?;
        let reports: Vec<SyncReport> = runtime.block_on(async {
            tokio::select! {
                done = all => done,
                () = looking => Ok(Vec::new()),
            }
        })?;
        let river = self.river.clinic.clinic_id();
        reports
            .into_iter()
            .find(|report| report.clinic == Some(river))
            .ok_or_else(|| Failure::new(Exit::Failed, "Hill Clinic does not know River Hospital"))
    }

    /// The clinics as JSON.
    pub(super) fn clinics_json(&self) -> Value {
        let kept = matches!(self.folder, Folder::Kept(_));
        let one = |member: &Member| {
            json!({
                "name": member.name,
                "clinic_id": member.clinic.clinic_id(),
                "dir": kept.then_some(&member.dir),
            })
        };
        self.members().map(one).to_vec().into()
    }

    /// Stops everything, and returns the folder that is left, if one is.
    pub(super) fn close(mut self) -> Result<Option<PathBuf>, Failure> {
        self.disconnect();
        for member in self.members() {
            member.clinic.flush()?;
        }
        Ok(match &self.folder {
            Folder::Temporary(_) => None,
            Folder::Kept(dir) => Some(dir.clone()),
        })
    }
}

/// Makes a folder that nothing is in.
fn make_empty(dir: &Path) -> Result<(), Failure> {
    folder::make_private(dir).map_err(|error| on(dir, &error))?;
    let mut entries = std::fs::read_dir(dir).map_err(|error| on(dir, &error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            Exit::Conflicting,
            format!("{} is not empty: name another folder", dir.display()),
        )),
    }
}

fn on(dir: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", dir.display()))
}
