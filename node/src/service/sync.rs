//! Syncing on request: calling, waiting, and saying what came of it.

use std::time::Duration;

use chartmesh_protocol::ClinicId;

use super::{Report, Service, fetch, on_clinic, stopped};
use crate::control::{Answer, Exit, Failure, Progress};
use crate::net::{LinkState, Network, PeerStatus, SyncReport};

/// How often a sync that takes long says how far it has come.
const SYNC_PROGRESS: Duration = Duration::from_secs(1);

/// After how long without a byte a person who waits is told so: an answer takes 3 s at 64 kbit/s
/// and 300 ms.
const SILENCE_MS: u64 = 5000;

impl Service {
    pub(super) async fn sync_now(
        &self,
        peer: Option<&str>,
        report: &Report,
    ) -> Result<Answer, Failure> {
        self.clinic.check_own_end()?;
        let wanted = peer
            .map(|id| self.clinic.find_peer(id))
            .transpose()?
            .map(|peer| peer.clinic);
        if self.clinic.peers().map_err(Failure::from)?.is_empty() {
            let advice = "no other clinic is known here: `chartmesh peer add CARD` adds one";
            return Err(Failure::new(Exit::NotFound, advice));
        }
        self.tell_homes().await;
        let joined = self.join().await?;
        let reports = synced(joined.network(), wanted, report).await;
        if joined.is_visit() {
            fetch::until_over(joined.network(), report).await;
        }
        joined.leave().await;
        let mut reports = reports?;
        // Who turned this node away may have said so.
        self.clinic.check_own_end()?;
        let names = self.clinic.clinic_names()?;
        let mut labels = self.clinic.peer_labels()?;
        for report in &mut reports {
            report.label = labels.remove(&report.node);
            report.name = report.clinic.and_then(|id| names.get(&id).cloned());
        }
        self.look_at_relays(&mut reports).await?;
        self.sum_up(&mut reports).await?;
        let exit = exit_of(&reports);
        Ok(Answer::done(&serde_json::json!({ "peers": reports }))?.ending(exit))
    }

    /// What was done with charts of other clinics goes to their homes with the sync.
    async fn tell_homes(&self) {
        let told = on_clinic(&self.clinic, |clinic| clinic.tell_homes()).await;
        if let Err(failure) = told {
            tracing::warn!(error = %failure.message, "other clinics are not told what was read");
        }
    }

    /// A clinic that was not reached is served all the same, if relays hold for it what it lacks.
    async fn look_at_relays(&self, reports: &mut [SyncReport]) -> Result<(), Failure> {
        let missed = reports.iter_mut().filter(|one| was_missed(one));
        for report in missed {
            let node = report.node;
            report.passed_on =
                on_clinic(&self.clinic, move |clinic| clinic.passed_on(&node)).await?;
        }
        Ok(())
    }

    /// Says of each clinic whether it has what was saved here: equal records are not all of it.
    async fn sum_up(&self, reports: &mut [SyncReport]) -> Result<(), Failure> {
        let links = match self.network() {
            Some(network) => network.board().all(),
            None => reports.iter().map(SyncReport::link).collect(),
        };
        let lines = on_clinic(&self.clinic, |clinic| clinic.sync_status(links)).await?;
        for report in reports {
            let line = lines.iter().find(|line| line.node == report.node);
            report.summary = line.map(|line| line.summary.clone());
        }
        Ok(())
    }
}

/// Syncs, and says every second how far that has come.
pub(super) async fn synced(
    network: &Network,
    wanted: Option<ClinicId>,
    report: &Report,
) -> Result<Vec<SyncReport>, Failure> {
    let syncing = network.sync_now(wanted);
    tokio::pin!(syncing);
    let (mut waited, asked_ms) = (Duration::ZERO, crate::clock::now_ms());
    loop {
        if let Ok(reports) = tokio::time::timeout(SYNC_PROGRESS, &mut syncing).await {
            return reports.map_err(stopped);
        }
        waited = waited.saturating_add(SYNC_PROGRESS);
        report(Progress {
            what: how_far(
                &network.board().all(),
                wanted,
                asked_ms,
                crate::clock::now_ms(),
            ),
            done: waited.as_secs(),
            total: 0,
        });
    }
}

/// Who is called, what has travelled so far, and who does not answer since `asked_ms`.
fn how_far(links: &[PeerStatus], wanted: Option<ClinicId>, asked_ms: u64, now_ms: u64) -> String {
    let links = links
        .iter()
        .filter(|link| wanted.is_none_or(|id| link.clinic == Some(id)));
    let words = links.filter_map(|link| {
        let heard_ms = link.heard_ms.map_or(now_ms, |heard| heard.max(asked_ms));
        let silent_ms = now_ms.saturating_sub(heard_ms);
        let name = &link.name;
        match link.state {
            LinkState::Connecting => Some(format!("calling {name}")),
            LinkState::Disconnected => None,
            LinkState::Syncing | LinkState::InSync | LinkState::Stalled
                if silent_ms > SILENCE_MS =>
            {
                Some(format!("{name}: no answer for {} s", silent_ms / 1000))
            }
            LinkState::Syncing => Some(format!(
                "{name}: {} items sent, {} received",
                link.items_sent, link.items_received
            )),
            LinkState::InSync | LinkState::Stalled => None,
        }
    });
    let words: Vec<String> = words.chain(["seconds:".to_owned()]).collect();
    words.join("; ")
}

fn exit_of(reports: &[SyncReport]) -> Exit {
    let is_lost = |report: &SyncReport| was_missed(report) && report.passed_on.is_none();
    if reports.iter().any(is_lost) {
        Exit::Unreachable
    } else if reports
        .iter()
        .any(|report| report.error.is_some() && !was_missed(report))
    {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// Whether a peer was not reached.
fn was_missed(report: &SyncReport) -> bool {
    report.error.is_some() && !report.connected
}

#[cfg(test)]
mod tests {
    use chartmesh_protocol::NodeId;

    use super::*;

    #[test]
    fn whoever_waits_is_told_who_does_not_answer() {
        let node = NodeId::new([1; 32]);
        let link = |state, heard_ms| PeerStatus {
            state,
            heard_ms,
            name: "Coast".to_owned(),
            ..SyncReport::unreachable(node, None, String::new()).link()
        };
        let said = |state, heard_ms| how_far(&[link(state, heard_ms)], None, 6_000, 20_000);
        let silent = "Coast: no answer for 12 s; seconds:";
        for state in [LinkState::InSync, LinkState::Syncing, LinkState::Stalled] {
            assert_eq!(said(state, Some(8_000)), silent);
        }
        let before = "Coast: no answer for 14 s; seconds:";
        assert_eq!(said(LinkState::InSync, Some(1_000)), before);
        assert_eq!(said(LinkState::InSync, Some(19_000)), "seconds:");
        let moving = "Coast: 0 items sent, 0 received; seconds:";
        assert_eq!(said(LinkState::Syncing, Some(19_000)), moving);
        assert_eq!(said(LinkState::Syncing, None), moving);
        let calling = "calling Coast; seconds:";
        assert_eq!(said(LinkState::Connecting, Some(8_000)), calling);
    }
}
