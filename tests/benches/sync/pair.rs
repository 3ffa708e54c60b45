//! Two clinics as daemons: one with charts, all granted to the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chartmesh::clinic::Clinic as Inside;
use chartmesh::control::GrantRequest;
use chartmesh::keys::Passphrase;
use chartmesh_config::Config;
use chartmesh_tests::link::{Conditions, Count, Network};
use chartmesh_tests::run::{Output, run_within};
use chartmesh_tests::scan::files_below;
use chartmesh_tests::vault::Vault;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;
use tempfile::TempDir;

use super::invented::{self, Chart, Patient};
use super::progress;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chartmesh-under-test");
/// Charts that are taken in at once: so many files lie in a folder at a time.
const BATCH: usize = 1_000;
/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(3600);

/// The clinics. Neither runs between two measurements.
pub(crate) struct Pair {
    pub(crate) hill: Clinic,
    pub(crate) river: Clinic,
    /// The Patient of each chart.
    pub(crate) patients: Vec<Patient>,
    /// The link between their hosts; none while both are on loopback.
    network: Option<Network>,
}

impl Pair {
    /// On loopback: the first has these charts, the second nothing yet.
    pub(crate) fn with_charts(count: usize, charts: impl Iterator<Item = Chart>) -> Self {
        let [mut hill, mut river] = ["Hill", "River"].map(|name| Clinic::create(PROGRAM, name));
        hill.start();
        river.start();
        introduce(&hill, &river);
        hill.stop();
        river.stop();
        let mut pair = Self {
            hill,
            river,
            patients: Vec::with_capacity(count),
            network: None,
        };
        pair.take_in(count, charts);
        pair
    }

    /// On hosts of their own: one patient, in sync over a good link. None without such hosts.
    pub(crate) fn on_hosts() -> Option<Self> {
        let mut pair = Self::with_charts(1, invented::small(1));
        pair.move_to_hosts().then_some(pair)
    }

    fn take_in(&mut self, count: usize, mut charts: impl Iterator<Item = Chart>) {
        let river = self.river.id();
        let inside = open(&self.hill);
        while self.patients.len() < count {
            progress(&format!("{} of {count} charts", self.patients.len()));
            let folder = tempfile::tempdir().unwrap();
            for chart in charts.by_ref().take(BATCH) {
                invented::write(folder.path(), &chart.file_name, &chart.bundle);
                self.patients.push(chart.patient);
            }
            import(&inside, folder.path());
        }
        progress("grants");
        let everything = GrantRequest::of_everything(river);
        inside.grant(&everything, &|_| ()).unwrap();
        inside.flush().unwrap();
    }

    /// Adds to some charts while nothing runs: the number of each, and a bundle.
    pub(crate) fn add(&self, bundles: &[(usize, String)]) {
        let folder = tempfile::tempdir().unwrap();
        for (number, bundle) in bundles {
            invented::write(folder.path(), &format!("{number:06}.json"), bundle);
        }
        import(&open(&self.hill), folder.path());
    }

    /// Moves both to hosts of their own, joined by a good link, and lets them sync once. Returns
    /// whether there are such hosts.
    pub(crate) fn move_to_hosts(&mut self) -> bool {
        let network = match Network::new(2) {
            Ok(network) => network,
            Err(lacking) => {
                progress(&format!("rows with a link are left out: {lacking}"));
                return false;
            }
        };
        self.hill.move_to(network.place(0));
        self.river.move_to(network.place(1));
        self.network = Some(network);
        self.start();
        introduce(&self.hill, &self.river);
        // A card with new addresses may end the connection that a sync waits on.
        wait_until("both to have found each other", DEADLINE, || {
            self.sync_now().code == Some(0)
        });
        self.sync();
        self.stop();
        true
    }

    /// The link.
    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    /// What went over the link so far: to the second clinic, and back.
    pub(crate) fn counts(&self) -> [Count; 2] {
        [(0, 1), (1, 0)].map(|(from, to)| self.network().count(from, to))
    }

    /// From now on the link is like this.
    pub(crate) fn link(&self, conditions: Conditions) {
        self.network().set(conditions);
    }

    /// Starts both daemons; the second is there when the first dials. Returns when the first was
    /// begun.
    pub(crate) fn start(&mut self) -> Instant {
        self.river.start();
        let begun = Instant::now();
        self.hill.start();
        begun
    }

    /// Stops both.
    pub(crate) fn stop(&mut self) {
        self.hill.stop();
        self.river.stop();
    }

    /// Waits until both hold the same, and returns the report of the first clinic.
    pub(crate) fn sync(&self) -> Value {
        let output = self.sync_now();
        assert_eq!(output.code, Some(0), "{output:?}");
        let report: Value = serde_json::from_str(&output.stdout).unwrap();
        let report = report["peers"][0].clone();
        assert!(report["error"].is_null(), "{report}");
        report
    }

    /// One attempt to sync, however long it takes.
    pub(crate) fn sync_now(&self) -> Output {
        let mut command = self.hill.command();
        command.args(["--json", "sync", "now"]);
        run_within(&mut command, &self.hill.scratch(), DEADLINE)
    }

    /// Bytes of every record that the first clinic holds, by its id. It must not run.
    pub(crate) fn records(&self) -> BTreeMap<String, usize> {
        let records = Vault::open(&self.hill).records().into_iter();
        records
            .map(|record| (record.id().to_string(), record.as_bytes().len()))
            .collect()
    }

    /// A copy of the first clinic's folder. It must not run.
    pub(crate) fn copy_of_hill(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&self.hill.dir(), copy.path());
        copy
    }

    /// Puts the first clinic back to a copy.
    pub(crate) fn put_back(&self, copy: &TempDir) {
        std::fs::remove_dir_all(self.hill.dir()).unwrap();
        copy_folder(copy.path(), &self.hill.dir());
    }
}

/// The number of a field of a report.
pub(crate) fn number(report: &Value, field: &str) -> u64 {
    report[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field}: {report}"))
}

/// The largest resident memory that a clinic's daemon has had, in bytes.
pub(crate) fn most_resident(clinic: &mut Clinic) -> u64 {
    let id = clinic.daemon().unwrap().id();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

fn open(clinic: &Clinic) -> Inside {
    let passphrase = Passphrase::from_file(&clinic.passphrase_file()).unwrap();
    let config = Config::default_for(clinic.name()).unwrap();
    Inside::open(&clinic.dir(), config, &passphrase).unwrap()
}

fn import(inside: &Inside, folder: &Path) {
    let imported = inside.import(&[folder.to_owned()], &|_| ()).unwrap();
    let failed = imported.files.iter().find_map(|file| file.error.as_ref());
    assert_eq!(failed, None);
}

fn copy_folder(from: &Path, to: &Path) {
    for file in files_below(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&file, &copy).unwrap();
    }
}
