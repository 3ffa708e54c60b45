//! Being on the network for one command, and waiting there for what others send.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::{Report, Service, on_clinic, stopped};
use crate::clinic::{Clinic, ClinicError};
use crate::control::{Exit, Failure, Progress};
use crate::net::Network;

/// How often it is looked whether what is waited for has come.
const STEP: Duration = Duration::from_millis(50);

/// How long a person waits for what others send.
pub(super) struct Patience {
    /// While nobody is reached.
    pub(super) unreached: Duration,
    /// While somebody is.
    pub(super) answer: Duration,
    /// Once all who are reached have told everything.
    pub(super) told: Duration,
}

impl Patience {
    /// For how long in all, where all had told everything after so long.
    fn in_all(&self, is_reached: bool, told_after: Option<Duration>) -> Duration {
        match (is_reached, told_after) {
            (false, _) => self.unreached,
            (true, None) => self.answer,
            (true, Some(told)) => self.answer.min(self.told.saturating_add(told)),
        }
    }
}

/// The network of a command: the one that runs, or one that was joined for it.
pub(super) enum Joined<'a> {
    Running(Arc<Network>),
    Visit(Network, MutexGuard<'a, ()>),
}

impl Joined<'_> {
    pub(super) fn network(&self) -> &Network {
        match self {
            Self::Running(network) => network,
            Self::Visit(network, _) => network,
        }
    }

    /// Whether it was joined for this command, and nobody goes on with what is left.
    pub(super) fn is_visit(&self) -> bool {
        matches!(self, Self::Visit(..))
    }

    /// Leaves a network that was joined.
    pub(super) async fn leave(self) {
        if let Self::Visit(network, _turn) = self {
            network.stop().await;
        }
    }
}

impl Service {
    /// The network that runs, or one that is joined for a command; to be [left](Joined::leave).
    pub(super) async fn join(&self) -> Result<Joined<'_>, Failure> {
        if let Some(network) = self.network() {
            return Ok(Joined::Running(network));
        }
        let turn = self.visit.lock().await;
        let network = Network::start(Arc::clone(&self.clinic), self.visiting.clone()).await;
        let network = network.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        Ok(Joined::Visit(network, turn))
    }
}

/// Waits for `what`, while everybody who is not connected is called: until `look` says that it is
/// over, or for as long as there is patience. Returns what was seen last.
pub(super) async fn awaited<T: Send + 'static>(
    (clinic, network): (&Arc<Clinic>, &Network),
    patience: &Patience,
    what: &str,
    report: &Report,
    look: impl Fn(&Arc<Clinic>) -> Result<(T, bool), ClinicError> + Clone + Send + 'static,
) -> Result<T, Failure> {
    let mut waited = Duration::ZERO;
    let calling = network.sync_now(None);
    tokio::pin!(calling);
    let mut told_after: Option<Duration> = None;
    loop {
        let (seen, is_over) = on_clinic(clinic, look.clone()).await?;
        let links = network.board().all();
        let is_reached = links.iter().any(|link| link.state.is_open());
        if is_over || waited >= patience.in_all(is_reached, told_after) {
            return Ok(seen);
        }
        report(Progress {
            what: match is_reached {
                true => format!("waiting for {what}; seconds:"),
                false => "calling the other clinics; seconds:".to_owned(),
            },
            done: waited.as_secs(),
            total: 0,
        });
        tokio::select! {
            called = &mut calling, if told_after.is_none() => {
                called.map_err(stopped)?;
                told_after = Some(waited);
            }
            () = tokio::time::sleep(STEP) => waited = waited.saturating_add(STEP),
        }
    }
}
