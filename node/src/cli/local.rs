//! Commands that are carried out in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chartmesh_config::{Address, Config, LogFormat, render_commented};
use tokio_util::sync::CancellationToken;

use super::args::{Doctor, Generate, Global, Init, Role, Run};
use super::progress::Bar;
use super::{input, print, render};
use crate::clinic::{Clinic, ClinicError};
use crate::control::{self, Answer, Exit, Failure, Progress, Request};
use crate::keys::{Cost, Enrolment};
use crate::net::{NetworkOptions, port};
use crate::service::{Report, Service};
use crate::store::OpenError;
use crate::{daemon, folder};

/// The configuration's name in the data folder.
const CONFIG: &str = "config.toml";
/// How long a command waits for another one to end that holds the data folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two looks.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Makes a data folder.
pub(super) fn init(global: &Global, init: &Init) -> Result<Exit, Failure> {
    let dir = &global.dir;
    let shown = dir.display();
    if dir.join(CONFIG).exists() || dir.join("keys").exists() {
        let text = format!("{shown} holds a clinic already: name another folder with --dir");
        return Err(Failure::new(Exit::Conflicting, text));
    }
    if init.enroll.is_some() && init.role == Role::Relay {
        let text = "what joins a clinic by an enrolment file is a node of it, and no relay: leave \
                    out --role relay; a relay is made with --role relay and --name";
        return Err(Failure::new(Exit::Usage, text));
    }
    let enrolment = match &init.enroll {
        Some(file) => Some(input::enrolment(file, init.code_file.as_deref())?),
        None => None,
    };
    let config = configure(init, enrolment.as_ref())?;
    let passphrase = input::passphrase(global, true)?;
    folder::make_private(dir).map_err(|error| on_path(dir, &error))?;
    match &enrolment {
        Some(enrolment) => {
            let cost = Cost::STANDARD;
            Clinic::join(dir, &config, &passphrase, cost, enrolment)?;
        }
        None => Clinic::create(dir, &config, &passphrase, Cost::STANDARD)?,
    }
    let path = dir.join(CONFIG);
    folder::write_whole(&path, render_commented(&config).as_bytes())
        .map_err(|error| on_path(&path, &error))?;
    let clinic = Clinic::open(dir, config, &passphrase)?;
    let card = Answer::done(&clinic.own_card()?)?;
    if global.json {
        print(&format!("{}\n", card.value.get()))?;
    } else {
        let enrolled = enrolment.as_ref().map(|one| one.label.as_str());
        let (id, is_relay) = (clinic.clinic_id(), clinic.is_relay());
        let text = render::initialised(dir, clinic.name(), &id, enrolled, is_relay);
        print(&text)?;
    }
    if enrolment.is_some()
        && let Some(warning) = clinic.warning_of_new_node()?
    {
        eprintln!("WARNING: {warning}.");
    }
    Ok(Exit::Done)
}

fn configure(init: &Init, enrolment: Option<&Enrolment>) -> Result<Config, Failure> {
    let usage = |reason: String| Failure::new(Exit::Usage, reason);
    let name = enrolment.map(|one| one.name.as_str());
    let name = name.or(init.name.as_deref()).unwrap_or_default();
    let mut config = Config::default_for(name).map_err(|error| usage(error.to_string()))?;
    config.role = match init.role {
        Role::Clinic => chartmesh_config::Role::Clinic,
        Role::Relay => chartmesh_config::Role::Relay,
    };
    let listen = if init.listen.is_empty() {
        lasting_addresses()
    } else {
        init.listen.clone()
    };
    // Without any, those of the configuration stay: a free port at every start.
    if !listen.is_empty() {
        let parse = |text: &String| {
            Address::listen(text).map_err(|error| usage(format!("--listen {text}: {error}")))
        };
        config.network.listen = listen.iter().map(parse).collect::<Result<_, _>>()?;
    }
    if let Some(text) = &init.http {
        config.http.listen = text.parse::<SocketAddr>().map_err(|_| {
            usage(format!(
                "--http {text}: an address such as 127.0.0.1:8080 is needed"
            ))
        })?;
    }
    // What was typed passes the same checks as what is read from the file.
    Config::parse(&render_commented(&config)).map_err(|error| usage(error.to_string()))
}

/// Where a new node listens when nobody says: on one port that is drawn once and kept, for the
/// cards of two nodes that take another port at every start would soon lead nowhere.
fn lasting_addresses() -> Vec<String> {
    let port = port::draw(&mut rand::rng());
    port.map_or_else(Vec::new, |port| {
        vec![
            format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
            format!("/ip4/0.0.0.0/tcp/{port}"),
        ]
    })
}

/// Reads the configuration of a data folder.
fn read_config(dir: &Path) -> Result<Config, Failure> {
    let path = dir.join(CONFIG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!(
                "there is no clinic in {}: make one with `chartmesh --dir {} init --name NAME`, \
                 or name its folder with --dir or CHARTMESH_DIR",
                dir.display(),
                dir.display()
            );
            return Err(Failure::new(Exit::NotFound, text));
        }
        Err(error) => return Err(on_path(&path, &error)),
    };
    Config::parse(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))
}

/// Opens the store; where another command holds it, waits for that, unless `can_be_asked` says that
/// its holder carries out what is wanted.
fn open(global: &Global, can_be_asked: impl Fn() -> bool) -> Result<Clinic, Failure> {
    let config = read_config(&global.dir)?;
    let passphrase = input::passphrase(global, false)?;
    let begun = Instant::now();
    loop {
        match Clinic::open(&global.dir, config.clone(), &passphrase) {
            // A command ends soon; who answers commands is asked, not waited for.
            Err(ClinicError::Open(OpenError::Locked))
                if begun.elapsed() < LOCK_PATIENCE && !can_be_asked() =>
            {
                std::thread::sleep(LOCK_PAUSE);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Runs the daemon.
pub(super) fn run(global: &Global, run: &Run) -> Result<Exit, Failure> {
    let config = read_config(&global.dir)?;
    start_log(&config, run.log_level.as_deref());
    let dir = &global.dir;
    let runs = || daemon::run_file(dir).exists() && control::is_running(dir);
    let clinic = Arc::new(open(global, runs)?);
    clinic.check_own_end()?;
    runtime()?
        .block_on(daemon::run(dir, clinic, &config))
        .map_err(|error| Failure::new(Exit::Failed, format!("{error:#}")))?;
    Ok(Exit::Done)
}

/// Logs to standard error. `CHARTMESH_LOG` takes filters such as `chartmesh=debug,libp2p=info`.
fn start_log(config: &Config, level: Option<&str>) {
    let level = level.unwrap_or(config.log.level.as_str());
    let filter = tracing_subscriber::EnvFilter::try_from_env("CHARTMESH_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("warn,chartmesh={level}")));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process keeps the first one's log.
    let _ = match config.log.format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot start: {error}")))
}

/// Carries out a request on a store that is opened for it.
pub(super) fn execute(global: &Global, request: Request, bar: &Bar) -> Result<Answer, Failure> {
    let config = read_config(&global.dir)?;
    let clinic = Arc::new(open(global, || control::is_running(&global.dir))?);
    // A short visit dials and listens nowhere, and is over once nothing is left to send.
    let visiting = NetworkOptions {
        listen: Vec::new(),
        heartbeat: Duration::ZERO,
        ..daemon::network_options(&config)
    };
    let (steps, progress) = std::sync::mpsc::sync_channel::<Progress>(16);
    let report = Arc::new(move |step| drop(steps.try_send(step)));
    let runtime = runtime()?;
    std::thread::scope(|scope| {
        scope.spawn(move || progress.iter().for_each(|step| bar.show(&step)));
        let service = Service::new(Arc::clone(&clinic), None, visiting);
        let outcome = runtime.block_on(async {
            match request.goes_out() {
                true => beside_others(&global.dir, service, request, report).await,
                false => service.execute(request, report).await,
            }
        });
        // What is compacted now spares others the waiting; what is not is compacted later.
        if let Err(error) = clinic.compact_saved() {
            tracing::warn!(%error, "charts are not compacted");
        }
        clinic.flush()?;
        outcome
    })
}

/// Carries out a request that may take minutes, and meanwhile every other command on the same
/// store, which would find it in use.
async fn beside_others(
    dir: &Path,
    service: Service,
    request: Request,
    report: Report,
) -> Result<Answer, Failure> {
    let (service, end) = (Arc::new(service), CancellationToken::new());
    let socket = control::bind(dir).map_err(|error| on_path(dir, &error))?;
    let others = tokio::spawn(control::serve(socket, Arc::clone(&service), end.clone()));
    let outcome = service.execute(request, report).await;
    end.cancel();
    let served = others.await.map_err(Into::into).flatten();
    if let Err(error) = served {
        tracing::warn!(%error, "other commands were not answered");
    }
    outcome
}

/// Writes invented patients.
pub(super) fn generate(global: &Global, generate: &Generate) -> Result<Exit, Failure> {
    let out = &generate.out;
    std::fs::create_dir_all(out).map_err(|error| on_path(out, &error))?;
    let bar = Bar::new();
    let charts = usize::try_from(generate.charts).unwrap_or(usize::MAX);
    for (done, patient) in (1..).zip(crate::generate::generate(charts, generate.seed)) {
        let path = out.join(&patient.file_name);
        std::fs::write(&path, patient.json).map_err(|error| on_path(&path, &error))?;
        bar.show(&Progress {
            what: "inventing patients".to_owned(),
            done,
            total: generate.charts,
        });
    }
    drop(bar);
    if global.json {
        let value = serde_json::json!({ "charts": generate.charts, "out": out });
        print(&format!("{value}\n"))?;
    } else {
        print(&format!(
            "{} invented patients in {}\n`chartmesh import {}` takes them in.\n",
            generate.charts,
            out.display(),
            out.display()
        ))?;
    }
    Ok(Exit::Done)
}

/// Checks the store, after rebuilding it where that is asked for.
pub(super) fn doctor(global: &Global, doctor: &Doctor) -> Result<Exit, Failure> {
    if doctor.repair {
        if control::is_running(&global.dir) {
            let text = "a node runs on this store: stop it, then repair";
            return Err(Failure::new(Exit::Failed, text));
        }
        let config = read_config(&global.dir)?;
        let passphrase = input::passphrase(global, false)?;
        let report = Clinic::repair(&global.dir, &config, &passphrase)?;
        eprintln!("{}", render::repaired(&report));
        let clinic = Clinic::open(&global.dir, config, &passphrase)?;
        let bar = Bar::new();
        let mended = clinic.mend_attachments(&|step| bar.show(&step))?;
        drop(bar);
        clinic.flush()?;
        eprint!("{}", render::mended(&mended));
    }
    let answer = super::ask(global, Request::Doctor)?;
    let text = if global.json {
        format!("{}\n", answer.value.get())
    } else {
        render::doctor(&answer)?
    };
    print(&text)?;
    Ok(answer.exit)
}

fn on_path(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}
