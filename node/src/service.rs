//! Carries out commands: on the running node's store and network, or on a store that the command
//! line has opened for itself.

mod card;
mod emergency;
mod fetch;
mod taken_out;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chartmesh_protocol::ClinicId;

use crate::clinic::{Clinic, ClinicError};
use crate::control::{
    Answer, CardRequest, EmergencyRequest, Exit, Failure, NodeRequest, Progress, Request,
};
use crate::net::{LinkState, Network, NetworkOptions, PeerStatus, SyncReport};

/// How often a sync that takes long says how far it has come.
const SYNC_PROGRESS: Duration = Duration::from_secs(1);

/// After how long without a byte a person who waits is told so: an answer takes 3 s at 64 kbit/s
/// and 300 ms.
const SILENCE_MS: u64 = 5000;

/// Takes note of how far a command has come.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// A node that commands can be given to.
pub struct Service {
    clinic: Arc<Clinic>,
    network: Mutex<Option<Arc<Network>>>,
    /// Held by who has joined the network for one command.
    visit: tokio::sync::Mutex<()>,
    visiting: NetworkOptions,
}

impl Service {
    /// A node with its store and, when it runs, its network. Without one, `sync now` joins the
    /// network for its own duration with the options `visiting`.
    #[must_use]
    pub fn new(clinic: Arc<Clinic>, network: Option<Network>, visiting: NetworkOptions) -> Self {
        Self {
            clinic,
            network: Mutex::new(network.map(Arc::new)),
            visit: tokio::sync::Mutex::new(()),
            visiting,
        }
    }

    /// Takes the network out, to stop it.
    pub fn take_network(&self) -> Option<Arc<Network>> {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        network.take()
    }

    /// The network, held by nobody: a sync may take minutes, and nobody is to wait for it who only
    /// asks how it stands.
    fn network(&self) -> Option<Arc<Network>> {
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        network.clone()
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// [`Failure`] with its class and what to do next.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other request is for the store alone"
    )]
    pub async fn execute(&self, request: Request, report: Report) -> Result<Answer, Failure> {
        match request {
            Request::AttachmentFetch { patient, resource } => {
                self.fetch_attachments(patient, resource, &report).await
            }
            Request::AttachmentList { ref patient } => {
                check_role(&self.clinic, &request)?;
                Answer::done(&self.attachments(patient.clone()).await?)
            }
            Request::Emergency(EmergencyRequest::Open(ref order)) => {
                check_role(&self.clinic, &request)?;
                self.open_in_emergency(order.clone(), &report).await
            }
            Request::Card(CardRequest::Grant(ref order)) => {
                check_role(&self.clinic, &request)?;
                self.grant_by_card(order.clone(), &report).await
            }
            Request::SyncNow { peer } => self.sync_now(peer.as_deref(), &report).await,
            Request::SyncStatus => self.sync_status(),
            Request::Status => self.status(),
            Request::PeerAdd { .. } | Request::PeerRemove { .. } => {
                let answer = self.on_store(request, report).await?;
                if let Some(network) = self.network() {
                    network.peers_changed().await.map_err(stopped)?;
                }
                Ok(answer)
            }
            other => self.on_store(other, report).await,
        }
    }

    /// The store waits for the disk, so its commands run on a thread of their own.
    async fn on_store(&self, request: Request, report: Report) -> Result<Answer, Failure> {
        let clinic = Arc::clone(&self.clinic);
        let work = tokio::task::spawn_blocking(move || on_store(&clinic, request, &*report));
        work.await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("the command broke off: {error}; see the log"),
            )
        })?
    }

    async fn sync_now(&self, peer: Option<&str>, report: &Report) -> Result<Answer, Failure> {
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
        let mut reports = match self.network() {
            Some(network) => synced(&network, wanted, report).await?,
            None => {
                let _visit = self.visit.lock().await;
                let visit = Network::start(Arc::clone(&self.clinic), self.visiting.clone())
                    .await
                    .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                let reports = synced(&visit, wanted, report).await;
                fetch::until_over(&visit, report).await;
                visit.stop().await;
                reports?
            }
        };
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

    fn sync_status(&self) -> Result<Answer, Failure> {
        let links = self.links();
        let attachments = self.clinic.awaited(&links)?;
        let peers = self.clinic.sync_status(links)?;
        Answer::done(&serde_json::json!({ "peers": peers, "attachments": attachments }))
    }

    fn status(&self) -> Result<Answer, Failure> {
        let running = self.network().is_some();
        Answer::done(&self.clinic.status(running, self.links())?)
    }

    fn links(&self) -> Vec<PeerStatus> {
        let network = self.network();
        network
            .map(|network| network.board().all())
            .unwrap_or_default()
    }
}

/// Asks the store, which waits for the disk, on a thread of its own.
async fn on_clinic<T: Send + 'static>(
    clinic: &Arc<Clinic>,
    ask: impl FnOnce(&Arc<Clinic>) -> Result<T, ClinicError> + Send + 'static,
) -> Result<T, Failure> {
    let clinic = Arc::clone(clinic);
    let asked = tokio::task::spawn_blocking(move || ask(&clinic)).await;
    Ok(asked.map_err(stopped)??)
}

/// Syncs, and says every second how far that has come.
async fn synced(
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

/// A node that holds no charts can carry out few commands.
fn check_role(clinic: &Clinic, request: &Request) -> Result<(), Failure> {
    let is_for_relays = matches!(
        request,
        Request::Id
            | Request::PeerAdd { .. }
            | Request::PeerList
            | Request::PeerRemove { .. }
            | Request::AuditList { .. }
            | Request::AuditExport { .. }
            | Request::AuditVerify
            | Request::Doctor
            | Request::ConsentVerify { .. }
    );
    if is_for_relays || !clinic.is_relay() {
        return Ok(());
    }
    let advice = "this node is a relay: it holds no charts and no keys to any. Do this at a \
                  clinic's node";
    Err(Failure::new(Exit::Refused, advice))
}

fn on_store(
    clinic: &Arc<Clinic>,
    request: Request,
    report: &dyn Fn(Progress),
) -> Result<Answer, Failure> {
    check_role(clinic, &request)?;
    let warning = match writes(&request) {
        true => clinic.own_end().map(|end| end.words()),
        false => None,
    };
    let answer = carried_out(clinic, request, report)?;
    let warning = warning.or_else(|| answer.warning.clone());
    Ok(Answer { warning, ..answer })
}

/// Whether a request writes into charts.
fn writes(request: &Request) -> bool {
    matches!(
        request,
        Request::PatientRegister(_)
            | Request::Import { .. }
            | Request::ChartResolve(_)
            | Request::ConsentGrant(_)
            | Request::ConsentRevoke { .. }
            | Request::HeldAdmit { .. }
    )
}

fn carried_out(
    clinic: &Arc<Clinic>,
    request: Request,
    report: &dyn Fn(Progress),
) -> Result<Answer, Failure> {
    match request {
        Request::Id => Answer::done(&clinic.own_card()?),
        Request::PeerAdd { card } => peer_added(clinic, &card),
        Request::PeerList => Answer::done(&clinic.peers()?),
        Request::PeerRemove { id } => Answer::done(&clinic.remove_peer(&id)?),
        Request::Node(node) => on_nodes(clinic, node, report),
        Request::PatientRegister(registration) => Answer::done(&clinic.register(&registration)?),
        Request::PatientSearch { words } => searched(clinic, &words),
        Request::PatientShow { id } => Answer::done(&clinic.patient(&id)?),
        Request::PatientPin { id, new_pin, pin } => {
            Answer::done(&clinic.set_pin(&id, &new_pin, pin.as_ref())?)
        }
        Request::Import { paths, labels } => {
            let imported = clinic.import_as(&paths, labels, report)?;
            let failed = imported.files.iter().any(|file| file.error.is_some());
            ending(&imported, failed.then_some(Exit::Failed))
        }
        Request::Export { patient, ndjson } => taken_out::exported(clinic, &patient, ndjson),
        Request::AttachmentSave {
            patient,
            resource,
            number,
        } => taken_out::saved(clinic, &patient, &resource, number),
        Request::ChartShow { id } => Answer::done(&clinic.chart_view(&id)?),
        Request::ChartHistory { id } => Answer::done(&clinic.history(&id)?),
        Request::ChartConflicts { id } => Answer::done(&clinic.conflicts(&id)?),
        Request::ChartResolve(resolution) => Answer::done(&clinic.resolve(&resolution)?),
        Request::ConsentGrant(grant) => {
            let made = clinic.grant(&grant, report)?;
            ending(&made, made.passed_over().then_some(Exit::Refused))
        }
        Request::ConsentRevoke { grant, reason, pin } => {
            Answer::done(&clinic.revoke(&grant, &reason, pin.as_ref())?)
        }
        Request::ConsentList { patient } => Answer::done(&clinic.grants(patient.as_deref())?),
        Request::ConsentShow { grant } => Answer::done(&clinic.grant_shown(&grant)?),
        Request::Emergency(of) => emergency::on_store(clinic, of),
        Request::Card(of) => card::on_store(clinic, of),
        Request::HeldList { patient } => Answer::done(&clinic.held_list(patient.as_deref())?),
        Request::HeldAdmit { ids, reason } => Answer::done(&clinic.admit(&ids, &reason)?),
        Request::ConsentVerify { patient } => {
            let check = clinic.verify_ledgers(patient.as_deref(), report)?;
            ending(&check, (!check.ok).then_some(Exit::Failed))
        }
        Request::AuditList { patient, most } => {
            Answer::done(&clinic.audit_lines(patient.as_deref(), most)?)
        }
        Request::AuditExport { patient } => Answer::done(&clinic.audit_events(patient.as_deref())?),
        Request::AuditVerify => audit_verified(clinic),
        Request::Doctor => {
            let health = clinic.check(report)?;
            ending(&health, (!health.healthy).then_some(Exit::Damaged))
        }
        Request::SyncExport(order) => {
            clinic.tell_homes()?;
            Answer::done(&clinic.export_bundle(&order, report)?)
        }
        Request::SyncImport { paths } => {
            let read = clinic.import_bundles(&paths, report)?;
            let failed = read.files.iter().any(|file| file.error.is_some());
            ending(&read, failed.then_some(Exit::Failed))
        }
        Request::SyncNow { .. }
        | Request::AttachmentList { .. }
        | Request::AttachmentFetch { .. }
        | Request::SyncStatus
        | Request::Status => Err(ClinicError::fault("a network command reached the store").into()),
    }
}

fn audit_verified(clinic: &Clinic) -> Result<Answer, Failure> {
    let check = clinic.audit_check()?;
    ending(&check, (!check.ok).then_some(Exit::Failed))
}

/// A clinic that this one talks to from now on, and what stands in the way of that.
fn peer_added(clinic: &Clinic, card: &str) -> Result<Answer, Failure> {
    let added = clinic.add_peer(card)?;
    let warning = clinic.warning_of(&added)?;
    Ok(Answer {
        warning,
        ..Answer::done(&added)?
    })
}

/// Patients, and how many could not be searched.
fn searched(clinic: &Clinic, words: &[String]) -> Result<Answer, Failure> {
    let (found, not_searched) = clinic.find_patients(words)?;
    Ok(Answer {
        not_searched,
        ..Answer::done(&found)?
    })
}

fn on_nodes(
    clinic: &Clinic,
    request: NodeRequest,
    report: &dyn Fn(Progress),
) -> Result<Answer, Failure> {
    match request {
        NodeRequest::Enroll { name, out, hours } => {
            let enrolled = clinic.enroll(&name, &out, hours, report)?;
            let warning = clinic.warning_of_enrolment()?;
            Ok(Answer {
                warning,
                ..Answer::done(&enrolled)?
            })
        }
        NodeRequest::List => Answer::done(&clinic.nodes()?),
        NodeRequest::Revoke { node, reason } => {
            Answer::done(&clinic.revoke_node(&node, &reason, report)?)
        }
    }
}

/// An answer that also tells scripts when something is wrong.
fn ending(value: &impl serde::Serialize, wrong: Option<Exit>) -> Result<Answer, Failure> {
    Ok(Answer::done(value)?.ending(wrong.unwrap_or(Exit::Done)))
}

/// 7 when a peer could not be reached, 1 when a sync failed otherwise.
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

fn stopped(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("{error}; restart the node"))
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
