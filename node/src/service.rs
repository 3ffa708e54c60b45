//! Carries out commands: on the running node's store and network, or on a store that the command
//! line has opened for itself.

mod card;
mod emergency;
mod fetch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use chartmesh_protocol::ClinicId;

use crate::clinic::{Clinic, ClinicError, Exported};
use crate::control::{
    Answer, CardRequest, EmergencyRequest, Exit, Failure, NodeRequest, Progress, Request,
};
use crate::net::{LinkState, Network, NetworkOptions, PeerStatus, SyncReport};

/// How often a sync that takes long says how far it has come.
const SYNC_PROGRESS: Duration = Duration::from_secs(1);

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
        let exit = exit_of(&reports);
        Ok(Answer::done(&serde_json::json!({ "peers": reports }))?.ending(exit))
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
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(reports) = tokio::time::timeout(SYNC_PROGRESS, &mut syncing).await {
            return reports.map_err(stopped);
        }
        waited = waited.saturating_add(SYNC_PROGRESS);
        report(Progress {
            what: how_far(&network.board().all(), wanted),
            done: waited.as_secs(),
            total: 0,
        });
    }
}

/// Who is called, and what has travelled so far.
fn how_far(links: &[PeerStatus], wanted: Option<ClinicId>) -> String {
    let links = links
        .iter()
        .filter(|link| wanted.is_none_or(|id| link.clinic == Some(id)));
    let words = links.filter_map(|link| match link.state {
        LinkState::Connecting => Some(format!("calling {}", link.name)),
        LinkState::Syncing => Some(format!(
            "{}: {} items sent, {} received",
            link.name, link.items_sent, link.items_received
        )),
        LinkState::Disconnected | LinkState::InSync | LinkState::Stalled => None,
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
        Request::PeerAdd { card } => Answer::done(&clinic.add_peer(&card)?),
        Request::PeerList => Answer::done(&clinic.peers()?),
        Request::PeerRemove { id } => Answer::done(&clinic.remove_peer(&id)?),
        Request::Node(node) => on_nodes(clinic, node, report),
        Request::PatientRegister(registration) => Answer::done(&clinic.register(&registration)?),
        Request::PatientSearch { words } => searched(clinic, &words),
        Request::PatientShow { id } => Answer::done(&clinic.patient(&id)?),
        Request::PatientPin { id, new_pin, pin } => {
            Answer::done(&clinic.set_pin(&id, &new_pin, pin.as_ref())?)
        }
        Request::Import { paths } => {
            let imported = clinic.import(&paths, report)?;
            let failed = imported.files.iter().any(|file| file.error.is_some());
            ending(&imported, failed.then_some(Exit::Failed))
        }
        Request::Export { patient, ndjson } => exported(clinic, &patient, ndjson),
        Request::AttachmentSave {
            patient,
            resource,
            number,
        } => saved(clinic, &patient, &resource, number),
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
        Request::Emergency(of) => on_emergencies(clinic, of),
        Request::Card(of) => on_cards(clinic, of),
        Request::HeldList { patient } => Answer::done(&clinic.held_list(patient.as_deref())?),
        Request::HeldAdmit { ids, reason } => Answer::done(&clinic.admit(&ids, &reason)?),
        Request::ConsentVerify { patient } => {
            let check = clinic.verify_ledgers(patient.as_deref(), report)?;
            ending(&check, (!check.ok).then_some(Exit::Failed))
        }
        Request::AuditList { patient, most } => {
            Answer::done(&clinic.audit_lines(patient.as_deref(), most)?)
        }
        Request::AuditVerify => {
            let check = clinic.audit_check()?;
            ending(&check, (!check.ok).then_some(Exit::Failed))
        }
        Request::Doctor => {
            let health = clinic.check(report)?;
            ending(&health, (!health.healthy).then_some(Exit::Damaged))
        }
        Request::SyncExport(order) => Answer::done(&clinic.export_bundle(&order, report)?),
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

/// Patients, and how many could not be searched.
fn searched(clinic: &Clinic, words: &[String]) -> Result<Answer, Failure> {
    let (found, not_searched) = clinic.find_patients(words)?;
    Ok(Answer {
        not_searched,
        ..Answer::done(&found)?
    })
}

/// A chart as FHIR, and what it lacks.
fn exported(clinic: &Clinic, patient: &str, ndjson: bool) -> Result<Answer, Failure> {
    let Exported { text, absent, held } = clinic.export_chart(patient, ndjson)?;
    let value = if ndjson {
        serde_json::value::to_raw_value(&text)
    } else {
        serde_json::value::RawValue::from_string(text)
    };
    Ok(Answer {
        absent,
        held,
        ..Answer::of(value.map_err(ClinicError::fault)?)
    })
}

/// The content of an attachment.
fn saved(clinic: &Clinic, patient: &str, resource: &str, number: usize) -> Result<Answer, Failure> {
    let content = clinic.attachment_content(patient, resource, number)?;
    let data = base64::engine::general_purpose::STANDARD.encode(content);
    Answer::done(&serde_json::json!({ "data": data }))
}

fn on_cards(clinic: &Clinic, request: CardRequest) -> Result<Answer, Failure> {
    match request {
        CardRequest::Make { id, pin } => {
            let pin = pin.ok_or_else(|| ClinicError::Pin {
                reason: "a PIN is needed for the card: give it with --pin-file".to_owned(),
            })?;
            Answer::done(&clinic.make_card(&id, &pin)?)
        }
        CardRequest::Show { text } => Answer::done(&clinic.show_card(&text)?),
        CardRequest::Summary { text, code } => {
            Answer::done(&clinic.open_card_summary(&text, &code)?)
        }
        CardRequest::Grant(_) => {
            Err(ClinicError::fault("a network command reached the store").into())
        }
    }
}

fn on_emergencies(clinic: &Clinic, request: EmergencyRequest) -> Result<Answer, Failure> {
    match request {
        EmergencyRequest::List { patient } => {
            Answer::done(&clinic.emergencies(patient.as_deref())?)
        }
        EmergencyRequest::Review {
            id,
            justified,
            note,
        } => Answer::done(&clinic.review_emergency(&id, justified, &note)?),
        EmergencyRequest::Rule {
            patient,
            allowed,
            pin,
        } => Answer::done(&clinic.rule_emergencies(&patient, allowed, pin.as_ref())?),
        EmergencyRequest::Code { patient } => Answer::done(&clinic.emergency_code(&patient)?),
        EmergencyRequest::Open(_) => {
            Err(ClinicError::fault("a network command reached the store").into())
        }
    }
}

fn on_nodes(
    clinic: &Clinic,
    request: NodeRequest,
    report: &dyn Fn(Progress),
) -> Result<Answer, Failure> {
    match request {
        NodeRequest::Enroll { name, out, hours } => {
            Answer::done(&clinic.enroll(&name, &out, hours, report)?)
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
