//! How the node is doing, and whether the other clinics have what was saved here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::audit::{self, AuditCheck, AuditLine};
use super::peer_store::Standing;
use super::relay::RelayUse;
use super::verify::LedgerCheck;
use super::{Clinic, ClinicError, date, items};
use crate::blobs::{BlobError, BlobsHealth};
use crate::control::Progress;
use crate::net::{LinkState, PeerStatus};
use crate::store::{Condition, Progress as StoreProgress};

/// By how much two clocks may differ before it is worth a word.
const NOTABLE_SKEW_MS: u64 = 10 * 60 * 1000;

/// After how long without a byte a peer that owes an answer has stalled: a link that works carries
/// a heartbeat every 25 s at least, and answers within 3 s even at 64 kbit/s and 300 ms.
const STALLED_AFTER_MS: u64 = 30 * 1000;

/// How the node is doing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The clinic's name.
    pub name: String,
    /// The clinic.
    pub clinic_id: ClinicId,
    /// The node.
    pub node_id: NodeId,
    /// The program's version.
    pub version: String,
    /// Whether the daemon runs.
    pub running: bool,
    /// Charts that this node holds anything of.
    pub charts: usize,
    /// Statements and records that it has accepted.
    pub items: u64,
    /// `writable`, or why the store takes no writes.
    pub store: String,
    /// Attachments that are on their way here.
    #[serde(default)]
    pub attachments: Awaited,
    /// The other clinics.
    pub peers: Vec<PeerLine>,
    /// What lies here for others, of a relay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay: Option<RelayUse>,
}

/// What is waited for of attachments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Attachments that are wanted and not here whole.
    pub attachments: u64,
    /// Their bytes that are still to come, about.
    pub bytes: u64,
}

/// Whether one other clinic has what was saved here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerLine {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// How the link stands.
    pub state: LinkState,
    /// The address it was last reached at; that of the relay, where it was reached through one.
    pub path: Option<String>,
    /// The name of that relay.
    #[serde(default)]
    pub through: Option<String>,
    /// When both stores were last found equal, as RFC 3339.
    pub confirmed: Option<String>,
    /// Items that it lacks, as far as we know.
    pub owed_out: u64,
    /// Why the last attempt or session ended.
    pub error: Option<String>,
    /// What a person should know: in one line, whether the clinic has what was saved here.
    pub summary: String,
}

/// What `doctor` found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoctorReport {
    /// Whether everything is as it should be.
    pub healthy: bool,
    /// Values by space that were opened.
    pub values: BTreeMap<String, u64>,
    /// Entries of the journal that were checked.
    pub journal_entries: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Ledgers and records.
    pub ledgers: LedgerCheck,
    /// The audit log.
    pub audit: AuditCheck,
    /// Attachments.
    #[serde(default)]
    pub attachments: BlobsHealth,
    /// What is wrong with the store.
    pub problems: Vec<String>,
}

impl Clinic {
    /// How the node is doing.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn status(
        self: &Arc<Self>,
        running: bool,
        links: Vec<PeerStatus>,
    ) -> Result<Status, ClinicError> {
        Ok(Status {
            name: self.name().to_owned(),
            clinic_id: self.clinic_id(),
            node_id: self.node_id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running,
            charts: self.all_charts()?.len(),
            items: items::newest(&self.store)?.value(),
            store: self.trouble().unwrap_or_else(|| "writable".to_owned()),
            attachments: self.awaited()?,
            peers: self.sync_status(links)?,
            relay: match self.is_relay() {
                true => Some(self.relay_use()?),
                false => None,
            },
        })
    }

    /// What is waited for of attachments.
    ///
    /// # Errors
    /// [`ClinicError::Folder`] when a file of them cannot be read.
    pub fn awaited(&self) -> Result<Awaited, ClinicError> {
        let (attachments, bytes) = self.attachments_awaited()?;
        Ok(Awaited { attachments, bytes })
    }

    /// Whether each other clinic has what was saved here.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn sync_status(
        self: &Arc<Self>,
        links: Vec<PeerStatus>,
    ) -> Result<Vec<PeerLine>, ClinicError> {
        let links: BTreeMap<NodeId, PeerStatus> =
            links.into_iter().map(|link| (link.node, link)).collect();
        let mut lines = Vec::new();
        for peer in self.peers()? {
            let note = self.peer_note(&peer.node)?;
            let link = links.get(&peer.node);
            let store = self.peer_store(peer.node)?;
            let standing = store.standing();
            let owed_out = standing.owed_out;
            let confirmed = (note.confirmed_ms > 0).then(|| date::moment(note.confirmed_ms));
            let state = link.map_or(LinkState::Disconnected, |link| {
                state_of(link, owed_out, self.now_ms())
            });
            let is_used = standing.shares || owed_out > 0;
            let mut summary = match (peer.is_relay() || self.is_relay(), is_used) {
                (false, false) => nothing_shared(state).to_owned(),
                (false, true) => summary(state, confirmed.as_deref(), owed_out),
                (true, _) => mail_summary(state, confirmed.as_deref(), standing),
            };
            if owed_out > 0
                && !peer.is_relay()
                && !self.is_relay()
                && let Some((relay, count)) = self.carried(&*store)?
            {
                summary.push_str(&format!("; {} at {relay}", of_them(count, owed_out)));
            }
            let through = link.and_then(|link| link.through.clone());
            if let Some(relay) = through.as_ref().filter(|_| is_open(state)) {
                summary.push_str(&format!("; through {relay}"));
            }
            if note.ahead_ms.unsigned_abs() > NOTABLE_SKEW_MS {
                let minutes = note.ahead_ms / 60_000;
                summary.push_str(&format!("; its clock is {minutes} minutes ahead of ours"));
            }
            lines.push(PeerLine {
                clinic: peer.clinic,
                name: peer.name,
                node: peer.node,
                state,
                path: link.and_then(|link| link.path.clone()),
                through,
                confirmed,
                owed_out,
                error: link.and_then(|link| link.error.clone()),
                summary,
            });
        }
        Ok(lines)
    }

    /// Why the store takes no writes, if it does not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = (self.store.condition() != Condition::Ready).then(|| self.store.trouble());
        trouble.flatten().map(|trouble| trouble.to_string())
    }

    /// Checks the store, the ledgers and the audit log from end to end.
    ///
    /// # Errors
    /// [`ClinicError::Open`] when the store's files cannot be read at all.
    pub fn check(&self, progress: &dyn Fn(Progress)) -> Result<DoctorReport, ClinicError> {
        let health = self.store.check(&mut |step| {
            progress(match step {
                StoreProgress::Journal { entries } => Progress {
                    what: "reading the journal".to_owned(),
                    done: entries,
                    total: 0,
                },
                StoreProgress::Values { done, of } => Progress {
                    what: "reading the database".to_owned(),
                    done,
                    total: of,
                },
            });
        })?;
        let ledgers = self.verify_ledgers(None, progress)?;
        let audit = self.audit_check()?;
        let attachments = self.blobs.check().map_err(BlobError::from)?;
        let mut problems: Vec<String> = health.problems.iter().map(ToString::to_string).collect();
        problems.extend(attachments.problems());
        Ok(DoctorReport {
            healthy: health.is_sound() && ledgers.ok && audit.ok && attachments.is_sound(),
            values: health
                .values
                .iter()
                .map(|(space, n)| (space.to_string(), *n))
                .collect(),
            journal_entries: health.entries,
            journal_bytes: health.journal_bytes,
            ledgers,
            audit,
            attachments,
            problems,
        })
    }

    /// Audit entries, of one patient or of all.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn audit_lines(
        &self,
        patient: Option<&str>,
        most: usize,
    ) -> Result<Vec<AuditLine>, ClinicError> {
        let chart: Option<ChartId> = patient.map(|id| self.find_chart(id)).transpose()?;
        audit::list(&self.store, chart.as_ref(), most)
    }

    /// Checks the audit log.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn audit_check(&self) -> Result<AuditCheck, ClinicError> {
        audit::verify(&self.store, &self.node_id())
    }

    /// Takes note of a peer's time, and says by how many milliseconds it is ahead of ours.
    pub(crate) fn observe(&self, time: chartmesh_protocol::HybridTime) -> i64 {
        let now = self.now_ms();
        let ahead =
            i64::try_from(time.ms()).unwrap_or(i64::MAX) - i64::try_from(now).unwrap_or(i64::MAX);
        if u64::try_from(ahead).unwrap_or(0) <= super::MAX_SKEW_MS {
            self.clock().observe(time);
        }
        ahead
    }
}

fn state_of(link: &PeerStatus, owed_out: u64, now_ms: u64) -> LinkState {
    let heard_ms = link.heard_ms.unwrap_or(now_ms);
    let is_silent = now_ms.saturating_sub(heard_ms) > STALLED_AFTER_MS;
    let is_open = matches!(link.state, LinkState::Syncing | LinkState::InSync);
    if is_open && owed_out > 0 && is_silent {
        LinkState::Stalled
    } else {
        link.state
    }
}

/// Whether a link is up.
fn is_open(state: LinkState) -> bool {
    match state {
        LinkState::InSync | LinkState::Syncing | LinkState::Stalled => true,
        LinkState::Connecting | LinkState::Disconnected => false,
    }
}

/// A clinic that no chart was ever granted to has nothing, and not everything.
fn nothing_shared(state: LinkState) -> &'static str {
    match state {
        LinkState::InSync | LinkState::Syncing | LinkState::Stalled => {
            "connected; no chart is shared with it"
        }
        LinkState::Connecting => "being called; no chart is shared with it",
        LinkState::Disconnected => "not connected; no chart is shared with it",
    }
}

/// How many of those that wait.
fn of_them(count: u64, owed_out: u64) -> String {
    match count {
        count if count >= owed_out && count > 1 => "all of them lie".to_owned(),
        1 => "1 of them lies".to_owned(),
        count => format!("{count} of them lie"),
    }
}

/// A relay passes on: that it has everything does not say that anybody has fetched it.
fn mail_summary(state: LinkState, confirmed: Option<&str>, standing: Standing) -> String {
    let mut said = summary(state, confirmed, standing.owed_out).replacen(
        "has everything",
        "all mail is exchanged",
        1,
    );
    if standing.is_full {
        said.push_str("; it has no more room for this clinic: ask its operator");
    }
    if standing.withheld > 0 {
        let records = match standing.withheld {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        said.push_str(&format!(
            "; it KEEPS BACK {records} that others have put there: ask its operator"
        ));
    }
    said
}

fn summary(state: LinkState, confirmed: Option<&str>, owed_out: u64) -> String {
    let when = confirmed.map_or_else(
        || "never compared yet".to_owned(),
        |at| format!("last confirmed {at}"),
    );
    match (state, owed_out) {
        (LinkState::InSync, 0) => format!("has everything; {when}"),
        (LinkState::Syncing, 0) => format!("being compared, nothing waits; {when}"),
        (LinkState::InSync | LinkState::Syncing, owed) => {
            format!("{} on the way; {when}", items_are(owed))
        }
        (LinkState::Stalled, owed) => {
            format!("stalled: {}, and nothing comes back; {when}", wait(owed))
        }
        (LinkState::Connecting, owed) => format!("being called, {}; {when}", wait(owed)),
        (LinkState::Disconnected, owed) => format!("not connected, {}; {when}", wait(owed)),
    }
}

fn items_are(count: u64) -> String {
    match count {
        1 => "1 item is".to_owned(),
        count => format!("{count} items are"),
    }
}

fn wait(count: u64) -> String {
    match count {
        0 => "nothing waits".to_owned(),
        1 => "1 item waits".to_owned(),
        count => format!("{count} items wait"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_stalled_when_an_answer_is_owed_and_none_comes() {
        let link = |state, heard_ms| PeerStatus {
            clinic: None,
            name: String::new(),
            node: NodeId::new([1; 32]),
            state,
            path: None,
            through: None,
            confirmed_ms: None,
            heard_ms,
            items_sent: 0,
            items_received: 0,
            error: None,
        };
        let now = 10 * STALLED_AFTER_MS;
        let silent = Some(now - STALLED_AFTER_MS - 1);
        for state in [LinkState::Syncing, LinkState::InSync] {
            assert_eq!(state_of(&link(state, silent), 1, now), LinkState::Stalled);
            assert_eq!(state_of(&link(state, silent), 0, now), state);
            assert_eq!(state_of(&link(state, Some(now - 1000)), 1, now), state);
            assert_eq!(state_of(&link(state, None), 1, now), state);
        }
        let lost = link(LinkState::Disconnected, silent);
        assert_eq!(state_of(&lost, 1, now), LinkState::Disconnected);
        let said = summary(LinkState::Stalled, None, 3);
        assert!(said.starts_with("stalled: 3 items wait, and"), "{said}");
        let said = |state, owed| summary(state, None, owed);
        assert!(said(LinkState::Connecting, 0).starts_with("being called, nothing waits;"));
        assert!(said(LinkState::Syncing, 0).starts_with("being compared, nothing waits;"));
        assert!(said(LinkState::InSync, 1).starts_with("1 item is on the way;"));
        assert!(said(LinkState::Disconnected, 1).starts_with("not connected, 1 item waits;"));
    }

    #[test]
    fn a_relay_that_has_everything_is_not_said_to_be_a_clinic_that_has() {
        let said = |standing| mail_summary(LinkState::InSync, None, standing);
        let fine = said(Standing::default());
        assert!(fine.starts_with("all mail is exchanged;"), "{fine}");
        let held_back = said(Standing {
            withheld: 2,
            ..Standing::default()
        });
        assert!(
            held_back.contains("KEEPS BACK 2 records that"),
            "{held_back}"
        );
        let full = said(Standing {
            owed_out: 3,
            is_full: true,
            ..Standing::default()
        });
        assert!(full.starts_with("3 items are on the way;"), "{full}");
        assert!(full.contains("no more room for this clinic"), "{full}");
    }
}
