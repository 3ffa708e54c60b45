//! A clinic as a process: its data folder, its daemon, and the commands given to it.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::link::Place;
use crate::run::{Killed, Output, run, spawn};
use crate::wait::wait_for;

/// How long a daemon may take to be ready: on a busy machine opening the keys alone is seconds.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long it may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// The ports that tests take: from the first, so many. Systems choose from 32,768 on.
const LOWEST_PORT: u16 = 11_000;
const PORTS: u32 = 21_000;
/// The passphrase of every test's clinic.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A clinic in a temporary folder. When it is dropped, its daemon is killed and the folder goes.
#[derive(Debug)]
pub struct Clinic {
    program: PathBuf,
    place: Place,
    folder: TempDir,
    name: String,
    daemon: Option<Killed>,
}

impl Clinic {
    /// Makes a clinic that listens on loopback only.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn create(program: impl Into<PathBuf>, name: &str) -> Self {
        Self::create_at(program, name, &Place::loopback())
    }

    /// Makes a relay that listens on loopback only.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn create_relay(program: impl Into<PathBuf>, name: &str) -> Self {
        Self::create_as(program, name, &Place::loopback(), "relay")
    }

    /// Makes a clinic whose every process runs at this place, where it listens.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn create_at(program: impl Into<PathBuf>, name: &str, place: &Place) -> Self {
        Self::create_as(program, name, place, "clinic")
    }

    /// Makes a node for one of the roles.
    ///
    /// # Panics
    /// When `init` fails.
    #[must_use]
    pub fn create_as(program: impl Into<PathBuf>, name: &str, place: &Place, role: &str) -> Self {
        let clinic = Self::empty(program.into(), name, place);
        clinic.ok(&clinic.init(&["--name", name, "--role", role]));
        clinic
    }

    /// A machine without a data folder.
    fn empty(program: PathBuf, name: &str, place: &Place) -> Self {
        let folder = tempfile::Builder::new().prefix("cm").tempdir().unwrap();
        std::fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
        Self {
            program,
            place: place.clone(),
            folder,
            name: name.to_owned(),
            daemon: None,
        }
    }

    /// `init` with these arguments, listening on loopback only.
    fn init(&self, arguments: &[&str]) -> Vec<String> {
        let [quic, tcp] = self.first_ports();
        let listen = ["--http", "127.0.0.1:0", "--listen", &quic, "--listen", &tcp];
        let all = ["init"].iter().chain(arguments).chain(&listen);
        all.map(|argument| (*argument).to_owned()).collect()
    }

    /// Another machine that becomes a node of this clinic.
    ///
    /// # Panics
    /// When it is not taken in.
    #[must_use]
    pub fn twin(&self, label: &str) -> Self {
        let twin = Self::empty(self.program.clone(), label, &self.place);
        let (file, code) = self.enrolment(label);
        let (file, code) = (file.to_string_lossy(), code.to_string_lossy());
        twin.ok(&twin.init(&["--enroll", &file, "--code-file", &code]));
        twin
    }

    /// An enrolment file of this clinic, and a file with its code.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn enrolment(&self, label: &str) -> (PathBuf, PathBuf) {
        let file = self.scratch().join(format!("{label}.enrolment"));
        let out = file.to_string_lossy();
        let made = self.json(&["node", "enroll", "--name", label, "--out", &out]);
        let code = self.scratch().join(format!("{label}.code"));
        std::fs::write(&code, text(&made["code"])).unwrap();
        (file, code)
    }

    /// Where it listens before the system has chosen ports.
    fn any_ports(&self) -> [String; 2] {
        let address = self.place.address();
        ["udp/0/quic-v1", "tcp/0"].map(|port| format!("/ip4/{address}/{port}"))
    }

    /// Where it is to listen from the first. On a machine that others share not where the system
    /// would choose: while a node is stopped, its port would soon be the end of some connection.
    fn first_ports(&self) -> [String; 2] {
        let address = self.place.address();
        if !address.is_loopback() {
            return self.any_ports();
        }
        let port = free_port(address);
        [format!("udp/{port}/quic-v1"), format!("tcp/{port}")]
            .map(|port| format!("/ip4/{address}/{port}"))
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for a test's own files, beside the data folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        let scratch = self.folder.path().join("scratch");
        std::fs::create_dir_all(&scratch).unwrap();
        scratch
    }

    /// The file with the passphrase.
    #[must_use]
    pub fn passphrase_file(&self) -> PathBuf {
        self.folder.path().join("passphrase")
    }

    /// Where the daemon's log goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("run.err")
    }

    /// The program with this clinic's folder and passphrase, and nothing of the tester's own
    /// environment.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = self.place.command(&self.program);
        command
            .env_remove("CHARTMESH_LOG")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env("CHARTMESH_DIR", self.dir())
            .env("CHARTMESH_PASSPHRASE_FILE", self.passphrase_file());
        command
    }

    /// Starts the daemon and waits until it is ready. The second start listens where the first
    /// did, as a clinic's card says.
    ///
    /// # Panics
    /// When it runs already, or does not become ready in time.
    pub fn start(&mut self) {
        assert!(self.daemon.is_none(), "{} runs already", self.name);
        let out = self.folder.path().join("run.out");
        let child = spawn(self.command().arg("run"), &out, &self.log_file());
        let id = child.id();
        self.daemon = Some(Killed(child));
        let ready = wait_for(&format!("{} to start", self.name), START_DEADLINE, || {
            self.assert_alive();
            self.run_file()
                .filter(|file| file["pid"].as_u64() == Some(u64::from(id)))
        });
        self.keep_addresses(&ready);
    }

    fn assert_alive(&mut self) {
        let ended = self
            .daemon
            .as_mut()
            .and_then(|daemon| daemon.0.try_wait().unwrap());
        if let Some(status) = ended {
            let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
            panic!("{} ended with {status}: {log}", self.name);
        }
    }

    /// Puts the ports that the system chose into the configuration.
    fn keep_addresses(&self, ready: &Value) {
        let path = self.dir().join("config.toml");
        let mut config = std::fs::read_to_string(&path).unwrap();
        let [quic, tcp] = self.any_ports();
        for address in ready["listen"].as_array().unwrap() {
            let address = address.as_str().unwrap();
            let chosen = if address.contains("/quic-v1") {
                &quic
            } else {
                &tcp
            };
            config = config.replace(&format!("\"{chosen}\""), &format!("\"{address}\""));
        }
        std::fs::write(&path, config).unwrap();
    }

    /// Writes one line of the configuration anew, for the next start.
    ///
    /// # Panics
    /// When the configuration has no such line.
    pub fn configure(&self, line: &str, instead: &str) {
        let path = self.dir().join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(config.lines().any(|one| one == line), "{line}: {config}");
        std::fs::write(&path, config.replace(line, instead)).unwrap();
    }

    /// What `run.json` holds, while it is there.
    #[must_use]
    pub fn run_file(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.dir().join("run.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The daemon's process, while it runs.
    #[must_use]
    pub fn daemon(&mut self) -> Option<&mut Child> {
        self.daemon.as_mut().map(|daemon| &mut daemon.0)
    }

    /// Ends the daemon in order.
    ///
    /// # Panics
    /// When none runs, it does not end in time, ends with a failure, or leaves `run.json` behind.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon that runs");
        let id = i32::try_from(daemon.0.id()).ok().and_then(Pid::from_raw);
        kill_process(id.unwrap(), Signal::TERM).unwrap();
        let what = format!("{} to end", self.name);
        let status = wait_for(&what, STOP_DEADLINE, || daemon.0.try_wait().unwrap());
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        assert!(status.success(), "{} ended with {status}: {log}", self.name);
        assert!(!self.dir().join("run.json").exists(), "run.json is left");
    }

    /// Ends the daemon at once, as a power cut would.
    ///
    /// # Panics
    /// When none runs.
    pub fn kill9(&mut self) {
        self.daemon.take().expect("a daemon that runs").kill();
    }

    /// Moves a clinic that does not run to another place, where it listens at the same ports.
    /// Its peers do not know of it.
    ///
    /// # Panics
    /// When it runs.
    pub fn move_to(&mut self, place: &Place) {
        assert!(self.daemon.is_none(), "{} runs", self.name);
        let path = self.dir().join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let [from, to] = [&self.place, place].map(|place| format!("\"/ip4/{}/", place.address()));
        std::fs::write(&path, config.replace(&from, &to)).unwrap();
        self.place = place.clone();
    }

    /// Runs a command, whatever it ends with.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.command().args(arguments), &self.scratch())
    }

    /// Runs a command that must end with 0, and returns what it printed.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub fn ok<S: AsRef<OsStr> + std::fmt::Debug>(&self, arguments: &[S]) -> String {
        let output = self.cli(arguments);
        assert_eq!(
            output.code,
            Some(0),
            "{}: {arguments:?}: {output:?}",
            self.name
        );
        output.stdout
    }

    /// Runs a command that must end with 0, and reads its one JSON document.
    ///
    /// # Panics
    /// When it ends otherwise, or prints anything else.
    pub fn json<S: AsRef<OsStr> + std::fmt::Debug>(&self, arguments: &[S]) -> Value {
        let mut all: Vec<&OsStr> = vec![OsStr::new("--json")];
        all.extend(arguments.iter().map(AsRef::as_ref));
        let printed = self.ok(&all);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}"))
    }

    /// Runs a command that must fail with this code, and returns its sentence.
    ///
    /// # Panics
    /// When it ends otherwise, prints to standard output or says nothing.
    pub fn fails<S: AsRef<OsStr> + std::fmt::Debug>(&self, arguments: &[S], code: i32) -> String {
        let output = self.cli(arguments);
        assert_eq!(
            output.code,
            Some(code),
            "{}: {arguments:?}: {output:?}",
            self.name
        );
        assert!(!output.stderr.trim().is_empty(), "{output:?}");
        output.stderr
    }

    /// The clinic's id.
    ///
    /// # Panics
    /// When `id` fails.
    #[must_use]
    pub fn id(&self) -> String {
        text(&self.json(&["id"])["clinic_id"])
    }

    /// The clinic's card: one line.
    ///
    /// # Panics
    /// When `id` fails.
    #[must_use]
    pub fn card(&self) -> String {
        self.ok(&["id", "--card-only"]).trim().to_owned()
    }

    /// Syncs with every peer, and returns each peer's report.
    ///
    /// # Panics
    /// When the sync with one of them failed.
    pub fn sync(&self) -> Vec<Value> {
        let report = self.json(&["sync", "now"]);
        let peers = report["peers"].as_array().unwrap().clone();
        for peer in &peers {
            assert!(
                peer["connected"] == true && peer["error"].is_null(),
                "{peer}"
            );
        }
        peers
    }

    /// A patient's chart as a FHIR Bundle, as it is printed.
    ///
    /// # Panics
    /// When `export` fails.
    #[must_use]
    pub fn export(&self, patient: &str) -> String {
        self.ok(&["export", "--patient", patient])
    }

    /// Writes a file of the test's own and takes it in.
    ///
    /// # Panics
    /// When the import fails.
    pub fn import_text(&self, name: &str, content: &str) -> Value {
        let path = self.scratch().join(name);
        std::fs::write(&path, content).unwrap();
        self.json(&[Path::new("import"), &path])
    }
}

/// Two clinics take each other's cards.
///
/// # Panics
/// When one of them is refused.
pub fn introduce(one: &Clinic, other: &Clinic) {
    one.ok(&["peer", "add", &other.card()]);
    other.ok(&["peer", "add", &one.card()]);
}

/// A port that nothing listens on, below those that systems choose for connections, another one
/// each time.
fn free_port(address: Ipv4Addr) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(61);
    loop {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = LOWEST_PORT + u16::try_from(next % PORTS).unwrap();
        let is_free =
            TcpListener::bind((address, port)).is_ok() && UdpSocket::bind((address, port)).is_ok();
        if is_free {
            return port;
        }
    }
}

/// The text of a JSON string.
///
/// # Panics
/// When it is something else.
#[must_use]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text is expected: {value}"))
        .to_owned()
}
