//! Fetching attachments that a person asked for, and saying how far that is.

use std::sync::Arc;
use std::time::Duration;

use chartmesh_protocol::attachment::{AttachmentName, Shape};

use super::sync::synced;
use super::{Report, Service, on_clinic, stopped};
use crate::clinic::{AttachmentLine, Clinic};
use crate::control::{Answer, Exit, Failure, Progress};
use crate::net::Network;

/// How often the progress is looked at.
const STEP: Duration = Duration::from_millis(50);
/// How long nothing may be on its way before nobody who has it is taken to be reachable: an answer
/// of a peer takes 3 s at 64 kbit/s and 300 ms.
const PATIENCE: Duration = Duration::from_secs(5);

type Lacking = Vec<(AttachmentName, Shape)>;

impl Service {
    /// Fetches the attachments of a chart, or of one resource, that are not here.
    pub(super) async fn fetch_attachments(
        &self,
        patient: String,
        resource: Option<String>,
        report: &Report,
    ) -> Result<Answer, Failure> {
        let chart = patient.clone();
        let lacking = on_clinic(&self.clinic, move |clinic| {
            clinic.request_attachments(&chart, resource.as_deref())
        });
        let lacking = lacking.await?;
        let fetched = if lacking.is_empty() {
            true
        } else {
            let joined = self.join().await?;
            let outcome = fetched(&self.clinic, joined.network(), &lacking, report).await;
            joined.leave().await;
            outcome?
        };
        let lines = self.attachments(patient).await?;
        let value = serde_json::json!({ "fetched": fetched, "attachments": lines });
        let exit = if fetched {
            Exit::Done
        } else {
            Exit::Unreachable
        };
        Ok(Answer::done(&value)?.ending(exit))
    }

    /// The attachments of a chart, as the links stand.
    pub(super) async fn attachments(
        &self,
        patient: String,
    ) -> Result<Vec<AttachmentLine>, Failure> {
        let links = self.links();
        let list = move |clinic: &Arc<Clinic>| clinic.attachments(&patient, &links);
        on_clinic(&self.clinic, list).await
    }
}

/// Waits until all of it is here; says false when it does not come.
async fn fetched(
    clinic: &Arc<Clinic>,
    network: &Network,
    lacking: &Lacking,
    report: &Report,
) -> Result<bool, Failure> {
    let reports = synced(network, None, report).await.map_err(stopped)?;
    if !reports.iter().any(|report| report.connected) {
        return Ok(false);
    }
    let (mut last, mut still) = (0, Duration::ZERO);
    loop {
        let names = lacking.clone();
        let progress = on_clinic(clinic, move |clinic| clinic.fetch_progress(&names)).await?;
        report(Progress {
            what: "fetching attachments".to_owned(),
            done: progress.here,
            total: progress.pieces,
        });
        if progress.lacking == 0 {
            return Ok(true);
        }
        if progress.is_asked || progress.here > last {
            (last, still) = (progress.here, Duration::ZERO);
        } else if still > PATIENCE {
            return Ok(false);
        }
        still = still.saturating_add(STEP);
        tokio::time::sleep(STEP).await;
    }
}

/// Waits until the visits to all peers are over: attachments come behind the records, and nobody
/// here gives them when this program has ended.
pub(super) async fn until_over(visit: &Network, report: &Report) {
    let mut waited = Duration::ZERO;
    while visit.board().all().iter().any(|link| link.state.is_open()) {
        if waited > PATIENCE {
            report(Progress {
                what: "exchanging attachments; seconds:".to_owned(),
                done: waited.as_secs(),
                total: 0,
            });
        }
        waited = waited.saturating_add(STEP);
        tokio::time::sleep(STEP).await;
    }
}
