//! Carries out commands: on the running node's store and network, or on a store that the command
//! line has opened for itself.

mod card;
mod emergency;
mod fetch;
mod sync;
mod taken_out;
mod visit;

use std::sync::{Arc, Mutex, PoisonError};

use crate::clinic::{Clinic, ClinicError};
use crate::control::{
    Answer, CardRequest, EmergencyRequest, Exit, Failure, NodeRequest, Progress, Request,
};
use crate::net::{Network, NetworkOptions, PeerStatus};

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

fn audit_checked(clinic: &Clinic) -> Result<Answer, Failure> {
    let check = clinic.audit_check()?;
    ending(&check, (!check.ok).then_some(Exit::Failed))
}

fn ledgers_checked(
    clinic: &Clinic,
    patient: Option<&str>,
    report: &dyn Fn(Progress),
) -> Result<Answer, Failure> {
    let check = clinic.verify_ledgers(patient, report)?;
    ending(&check, (!check.ok).then_some(Exit::Failed))
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
        Request::PeerRemove { id, anyway } => {
            if !anyway {
                clinic.check_told(&id)?;
            }
            Answer::done(&clinic.remove_peer(&id)?)
        }
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
        Request::ConsentVerify { patient } => ledgers_checked(clinic, patient.as_deref(), report),
        Request::AuditList { patient, most } => {
            Answer::done(&clinic.audit_lines(patient.as_deref(), most)?)
        }
        Request::AuditExport { patient } => Answer::done(&clinic.audit_events(patient.as_deref())?),
        Request::AuditVerify => audit_checked(clinic),
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
fn stopped(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("{error}; restart the node"))
}
