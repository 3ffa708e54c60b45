//! How the node is doing, and whether the other clinics have what was saved here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::attachments::{Awaited, Lost, NotHad};
use super::audit::{self, AuditCheck};
use super::held_charts::HeldCharts;
use super::house::{CutOff, Doubled};
use super::peer_lines::PeerLine;
use super::relay::RelayUse;
use super::verify::LedgerCheck;
use super::{Clinic, ClinicError, items};
use crate::blobs::BlobsHealth;
use crate::control::Progress;
use crate::net::PeerStatus;
use crate::store::{Condition, Progress as StoreProgress};

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
    /// Records that are kept and do not count: somebody has to look at them.
    #[serde(skip_serializing_if = "HeldCharts::is_empty", default)]
    pub held: HeldCharts,
    /// Emergencies that this clinic, as the home of the patient, has not looked at.
    #[serde(default)]
    pub emergencies: u64,
    /// That this node was cut off from its clinic.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut_off: Option<CutOff>,
    /// Nodes of this clinic of which several came from one enrolment file.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubled: Vec<Doubled>,
    /// The other clinics.
    pub peers: Vec<PeerLine>,
    /// What lies here for others, of a relay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay: Option<RelayUse>,
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
    /// Attachments that this clinic saved, that are not here and that nobody is known to hold.
    #[serde(default)]
    pub attachments_missing: NotHad,
    /// Attachments that were here whole and are not any more, by patients.
    #[serde(default)]
    pub attachments_lost: Vec<Lost>,
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
        let charts = self.all_charts()?.len();
        Ok(Status {
            name: self.name().to_owned(),
            clinic_id: self.clinic_id(),
            node_id: self.node_id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running,
            charts,
            items: items::newest(&self.store)?.value(),
            store: self.trouble().unwrap_or_else(|| "writable".to_owned()),
            attachments: self.awaited(&links)?,
            held: match running {
                true => self.held_charts()?,
                false => self.held_charts_by_now()?,
            },
            emergencies: self.emergencies_to_review()?,
            cut_off: self.own_end(),
            doubled: self.doubled()?,
            peers: self.peer_lines(links, charts)?,
            relay: match self.is_relay() {
                true => Some(self.relay_use()?),
                false => None,
            },
        })
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
        let audit = audit::verify(&self.store, &self.node_id())?;
        let blobs = self.check_blobs(progress)?;
        let attachments_lost = self.attachments_lost(&blobs)?;
        let attachments = blobs.health.clone();
        let mut problems: Vec<String> = health.problems.iter().map(ToString::to_string).collect();
        problems.extend(attachments.problems());
        problems.extend(attachments_lost.iter().map(Lost::words));
        Ok(DoctorReport {
            healthy: health.is_sound()
                && ledgers.ok
                && audit.ok
                && attachments.is_sound()
                && attachments_lost.is_empty(),
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
            attachments_missing: self.missing_by_reading(&blobs)?,
            attachments_lost,
            problems,
        })
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
