//! The daemon: a store, a network, a control socket and a web server that live and end together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chartmesh_config::Config;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clinic::Clinic;
use crate::http::Server;
use crate::net::{Network, NetworkOptions};
use crate::service::Service;
use crate::{control, folder};

/// Where a running node says who it is.
const RUN_FILE: &str = "run.json";
/// How long nothing must have come before charts are compacted.
const COMPACT_AFTER: Duration = Duration::from_secs(5);
/// How often the homes of charts are told what was done with these here: a clinician's look at a
/// chart, with all that was read in it, makes one message.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// How long index cards wait for the rest of what has begun to come.
const CARD_DELAY: Duration = Duration::from_secs(1);

/// What `run.json` holds while the node runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// The process.
    pub pid: u32,
    /// The node.
    pub node_id: String,
    /// The multiaddrs it listens on.
    pub listen: Vec<String>,
    /// The address of the web server, where it has one.
    pub http: Option<String>,
}

/// The path of `run.json` in a data folder.
#[must_use]
pub fn run_file(dir: &Path) -> PathBuf {
    dir.join(RUN_FILE)
}

/// How a configuration is put to the network.
#[must_use]
pub fn network_options(config: &Config) -> NetworkOptions {
    let network = &config.network;
    let external = network.external_addresses.iter();
    NetworkOptions {
        listen: network.listen.iter().map(ToString::to_string).collect(),
        external: external.map(ToString::to_string).collect(),
        mdns: network.mdns,
        circuits: network.nat.circuits,
        hole_punching: network.nat.hole_punching,
        reachability_tests: network.nat.reachability_tests,
        max_connections: network.limits.total,
        max_connections_per_peer: network.limits.per_peer,
        reconnect_min: network.reconnect.min,
        reconnect_max: network.reconnect.max,
        heartbeat: network.heartbeat,
    }
}

/// Runs the node until SIGTERM, SIGINT or the end of one of its parts.
///
/// # Errors
/// When an address cannot be used, or when a part ended by itself.
pub async fn run(dir: &Path, clinic: Arc<Clinic>, config: &Config) -> anyhow::Result<()> {
    let end = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let options = network_options(config);
    // The store's lock is ours, so whoever wrote this file was killed.
    if run_file(dir).exists() {
        std::fs::remove_file(run_file(dir))?;
    }
    let network = Network::start(Arc::clone(&clinic), options.clone()).await?;
    let listen: Vec<String> = network.listen().iter().map(ToString::to_string).collect();
    clinic.set_addresses(network.addresses());
    let server = match config.http.enabled {
        true => Some(Server::bind(config.http.listen).await.with_context(|| {
            format!(
                "cannot serve pages at {}: change `http.listen`",
                config.http.listen
            )
        })?),
        false => None,
    };
    let http = server.as_ref().map(|server| server.address().to_string());
    let node_id = clinic.node_id().to_string();
    let service = Arc::new(Service::new(Arc::clone(&clinic), Some(network), options));

    let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let socket = control::bind(dir).context("the control socket cannot be made")?;
    parts.spawn(control::serve(socket, Arc::clone(&service), end.clone()));
    if let Some(server) = server {
        let (clinic, end) = (Arc::clone(&clinic), end.clone());
        parts.spawn(async move { Ok(server.serve(clinic, end).await?) });
    }
    parts.spawn(keep_cards_fresh(Arc::clone(&clinic), end.clone()));
    parts.spawn(compact_when_idle(Arc::clone(&clinic), end.clone()));
    parts.spawn(tell_homes(Arc::clone(&clinic), end.clone()));
    let file = RunFile {
        pid: std::process::id(),
        node_id,
        listen,
        http,
    };
    folder::write_whole(&run_file(dir), &serde_json::to_vec_pretty(&file)?)?;
    tracing::info!(listen = ?file.listen, http = ?file.http, "ready");

    let outcome = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = parts.join_next() => part_ended(ended),
    };
    tracing::info!("ending");
    end.cancel();
    while let Some(part) = parts.join_next().await {
        if let Err(error) = part_ended(Some(part)) {
            tracing::debug!(%error, "while ending");
        }
    }
    if let Some(network) = service.take_network() {
        network.stop().await;
    }
    clinic.flush()?;
    std::fs::remove_file(run_file(dir))?;
    outcome
}

/// A part that ends before it is told to takes the node down in order: no ghosts.
fn part_ended(
    ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>,
) -> anyhow::Result<()> {
    match ended {
        Some(Ok(result)) => result.context("a part of the node ended"),
        Some(Err(error)) => Err(error).context("a part of the node broke off"),
        None => Ok(()),
    }
}

/// Makes the index cards of charts that came from other clinics, so that search finds them at
/// once.
async fn keep_cards_fresh(clinic: Arc<Clinic>, end: CancellationToken) -> anyhow::Result<()> {
    let mut news = clinic.subscribe();
    loop {
        let (refreshing, over) = (Arc::clone(&clinic), end.clone());
        let refresh = move || refreshing.refresh_cards_until(&|| over.is_cancelled());
        let refreshed = tokio::task::spawn_blocking(refresh).await?;
        if let Err(error) = refreshed {
            tracing::error!(%error, "index cards cannot be made");
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return Ok(()) },
            () = end.cancelled() => return Ok(()),
        }
        // A chart comes in pieces: its card is made once, when most of it is there. A search does
        // not wait for this.
        tokio::select! {
            () = tokio::time::sleep(CARD_DELAY) => {}
            () = end.cancelled() => return Ok(()),
        }
    }
}

/// Tells the homes of other clinics' charts what was done with these here.
async fn tell_homes(clinic: Arc<Clinic>, end: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TELL_INTERVAL) => {}
            () = end.cancelled() => return Ok(()),
        }
        let telling = Arc::clone(&clinic);
        let told = tokio::task::spawn_blocking(move || telling.tell_homes()).await?;
        if let Err(error) = told {
            tracing::error!(%error, "other clinics are not told what was read");
        }
    }
}

/// Compacts charts that were saved to, once nothing has come for a while: nobody waits for it.
async fn compact_when_idle(clinic: Arc<Clinic>, end: CancellationToken) -> anyhow::Result<()> {
    let mut news = clinic.subscribe();
    loop {
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return Ok(()) },
            () = end.cancelled() => return Ok(()),
        }
        loop {
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep(COMPACT_AFTER) => break,
                () = end.cancelled() => return Ok(()),
            }
        }
        let (compacting, over) = (Arc::clone(&clinic), end.clone());
        let compact = move || compacting.compact_saved_until(&|| over.is_cancelled());
        let compacted = tokio::task::spawn_blocking(compact).await?;
        if let Err(error) = compacted {
            tracing::error!(%error, "charts cannot be compacted");
        }
    }
}
