//! One clinic of the demonstration: a data folder, a store and, while it is connected, a network.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chartmesh_config::{Address, Config, render_commented};
use tokio::time::Instant;

use crate::clinic::Clinic;
use crate::control::{Exit, Failure};
use crate::keys::{Cost, Passphrase};
use crate::net::{Network, SyncReport};
use crate::{daemon, folder};

/// Where a clinic listens at first; the ports that it is given stay its own.
const LOOPBACK: [&str; 2] = ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"];
/// How long a sync may take: many times what the largest demonstration needs.
const SYNC_DEADLINE: Duration = Duration::from_secs(120);
/// How long to leave between two attempts.
const RETRY: Duration = Duration::from_millis(50);

/// One clinic.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) dir: PathBuf,
    pub(super) clinic: Arc<Clinic>,
    config: Config,
    network: Option<Network>,
}

impl Member {
    /// Makes a clinic, as `chartmesh init` does.
    pub(super) fn create(
        dir: PathBuf,
        name: &'static str,
        passphrase: &Passphrase,
        cost: Cost,
    ) -> Result<Self, Failure> {
        let mut config = Config::default_for(name).map_err(failed)?;
        let listen = LOOPBACK.iter().map(|text| Address::listen(text));
        config.network.listen = listen.collect::<Result<_, _>>().map_err(failed)?;
        folder::make_private(&dir).map_err(failed)?;
        Clinic::create(&dir, &config, passphrase, cost)?;
        let clinic = Arc::new(Clinic::open(&dir, config.clone(), passphrase)?);
        let member = Self {
            name,
            dir,
            clinic,
            config,
            network: None,
        };
        member.write_config()?;
        Ok(member)
    }

    fn write_config(&self) -> Result<(), Failure> {
        let text = render_commented(&self.config);
        folder::write_whole(&self.dir.join("config.toml"), text.as_bytes()).map_err(failed)
    }

    /// Connects to the clinics whose cards are here. The ports of the first time are kept: they
    /// stand on the card.
    pub(super) async fn join(&mut self) -> Result<(), Failure> {
        let options = daemon::network_options(&self.config);
        let network = Network::start(Arc::clone(&self.clinic), options)
            .await
            .map_err(failed)?;
        let bound = network.listen().iter().map(ToString::to_string);
        let listen = bound.map(|text| Address::listen(&text));
        self.config.network.listen = listen.collect::<Result<_, _>>().map_err(failed)?;
        self.write_config()?;
        self.clinic.set_addresses(network.addresses());
        self.network = Some(network);
        Ok(())
    }

    /// Cuts every connection.
    pub(super) async fn leave(&mut self) {
        if let Some(network) = self.network.take() {
            network.stop().await;
        }
    }

    /// Syncs with every clinic whose card is here. A clinic that is not reached at first, such as
    /// one that dials us at the same moment, is tried again.
    pub(super) async fn sync(&self) -> Result<Vec<SyncReport>, Failure> {
        let network = self.network.as_ref().ok_or_else(|| failed("no link"))?;
        let deadline = Instant::now() + SYNC_DEADLINE;
        loop {
            let attempt = tokio::time::timeout_at(deadline, network.sync_now(None));
            let reports = attempt
                .await
                .map_err(|_| failed(format!("{} did not finish its sync in time", self.name)))?;
            let reports = reports.map_err(failed)?;
            let error = reports.iter().find_map(|report| report.error.clone());
            match error {
                None => return Ok(reports),
                Some(error) if Instant::now() >= deadline => return Err(failed(error)),
                Some(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// The transport over which another clinic was last reached, for people.
    pub(super) fn transport(&self, other: &Self) -> &'static str {
        let board = self.network.as_ref().map(|network| network.board().all());
        let links = board.unwrap_or_default();
        let to = links
            .iter()
            .find(|link| link.clinic == Some(other.clinic.clinic_id()));
        match to.and_then(|link| link.path.as_deref()) {
            Some(path) if path.contains("quic") => "QUIC",
            Some(path) if path.contains("tcp") => "TCP",
            _ => "libp2p",
        }
    }

    /// Takes in a file or folder, whole.
    pub(super) fn import(
        &self,
        path: &Path,
        progress: &dyn Fn(crate::control::Progress),
    ) -> Result<usize, Failure> {
        let imported = self.clinic.import(&[path.to_owned()], progress)?;
        let error = imported.files.iter().find_map(|file| file.error.clone());
        match error {
            Some(error) => Err(failed(error)),
            None => Ok(imported.files.iter().map(|file| file.resources).sum()),
        }
    }
}

fn failed(reason: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, reason.to_string())
}
