//! What can be asked of a node: the commands that need the store.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::clinic::Labels;

/// A PIN on its way from the person who typed it to the key that it opens.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pin(String);

impl Pin {
    /// The PIN with these digits.
    #[must_use]
    pub fn new(digits: String) -> Self {
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// One command. Ids are as a person types them: whole, or a unique beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// This clinic's card.
    Id,
    /// Talk to a clinic from now on.
    PeerAdd {
        /// The card's line.
        card: String,
    },
    /// The clinics that this one talks to.
    PeerList,
    /// Talk to a clinic no more.
    PeerRemove {
        /// The clinic.
        id: String,
        /// Also where it has not heard of something that it must hear.
        #[serde(default)]
        anyway: bool,
    },
    /// Something of the clinic's own nodes.
    Node(NodeRequest),
    /// Register a patient.
    PatientRegister(Registration),
    /// Find patients.
    PatientSearch {
        /// Words; none lists all.
        words: Vec<String>,
    },
    /// One patient.
    PatientShow {
        /// The patient.
        id: String,
    },
    /// Set the PIN of a patient's key.
    PatientPin {
        /// The patient.
        id: String,
        /// The new PIN.
        new_pin: Pin,
        /// The PIN that is set now.
        pin: Option<Pin>,
    },
    /// Take in files.
    Import {
        /// Absolute paths: the daemon has another working folder.
        paths: Vec<PathBuf>,
        /// Whether resources may leave restricted parts of charts.
        #[serde(default)]
        labels: Labels,
    },
    /// A chart as FHIR.
    Export {
        /// The patient.
        patient: String,
        /// Whether one resource a line is wanted instead of a Bundle.
        ndjson: bool,
    },
    /// The attachments of a chart.
    AttachmentList {
        /// The patient.
        patient: String,
    },
    /// Fetch attachments that are not here.
    AttachmentFetch {
        /// The patient.
        patient: String,
        /// Only those of this resource, as Type/id.
        resource: Option<String>,
    },
    /// The content of an attachment.
    AttachmentSave {
        /// The patient.
        patient: String,
        /// The resource, as Type/id.
        resource: String,
        /// Which of several, from 1.
        number: usize,
    },
    /// A chart's views.
    ChartShow {
        /// The patient.
        id: String,
    },
    /// A chart's changes.
    ChartHistory {
        /// The patient.
        id: String,
    },
    /// A chart's conflicts.
    ChartConflicts {
        /// The patient.
        id: String,
    },
    /// Decide a conflict.
    ChartResolve(Resolution),
    /// Grant.
    ConsentGrant(GrantRequest),
    /// Revoke a grant.
    ConsentRevoke {
        /// The grant.
        grant: String,
        /// Why.
        reason: String,
        /// The patient's PIN, where one is set.
        pin: Option<Pin>,
    },
    /// Grants.
    ConsentList {
        /// Only this patient's.
        patient: Option<String>,
    },
    /// One grant.
    ConsentShow {
        /// The grant.
        grant: String,
    },
    /// Check ledgers and records.
    ConsentVerify {
        /// Only this patient's.
        patient: Option<String>,
    },
    /// About emergencies.
    Emergency(EmergencyRequest),
    /// About patients' cards.
    Card(CardRequest),
    /// Records that do not count.
    HeldList {
        /// Only this patient's.
        patient: Option<String>,
    },
    /// Let such records count.
    HeldAdmit {
        /// The records.
        ids: Vec<String>,
        /// Why; may be empty.
        reason: String,
    },
    /// Sync with peers.
    SyncNow {
        /// Only this clinic.
        peer: Option<String>,
    },
    /// The state of each peer.
    SyncStatus,
    /// Write what a clinic lacks into files.
    SyncExport(BundleOrder),
    /// Take in bundle files.
    SyncImport {
        /// Absolute paths.
        paths: Vec<PathBuf>,
    },
    /// Audit entries.
    AuditList {
        /// Only this patient's.
        patient: Option<String>,
        /// The most entries.
        most: usize,
    },
    /// Audit entries as FHIR AuditEvents.
    AuditExport {
        /// Only this patient's.
        patient: Option<String>,
    },
    /// Check the audit chain.
    AuditVerify,
    /// How the node is doing.
    Status,
    /// Check the store.
    Doctor,
}

impl Request {
    /// Whether it is carried out over the network, so that it takes as long as others let it.
    #[must_use]
    pub fn goes_out(&self) -> bool {
        matches!(
            self,
            Self::SyncNow { .. }
                | Self::AttachmentFetch { .. }
                | Self::Emergency(EmergencyRequest::Open(_))
                | Self::Card(CardRequest::Grant(_))
        )
    }
}

/// A command about what a clinic without a grant sees in an emergency.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum EmergencyRequest {
    /// Ask for a patient's summary.
    Open(EmergencyOrder),
    /// What was asked.
    List {
        /// Only this patient's.
        patient: Option<String>,
    },
    /// What the home clinic found of one.
    Review {
        /// The emergency.
        id: String,
        /// Whether it was right to ask.
        justified: bool,
        /// What was noted; may be empty.
        note: String,
    },
    /// Whether a patient lets clinics ask.
    Rule {
        /// The patient.
        patient: String,
        /// Whether they may.
        allowed: bool,
        /// The patient's PIN, where one is set.
        pin: Option<Pin>,
    },
    /// The code for the patient's card.
    Code {
        /// The patient.
        patient: String,
    },
}

/// Who asks for a patient's summary in an emergency, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EmergencyOrder {
    /// The patient: the whole id of the chart, or what names a chart that is here.
    pub patient: String,
    /// The clinician who answers for it, by name.
    pub clinician: String,
    /// Why.
    pub reason: String,
    /// The code on the patient's card.
    pub code: Option<String>,
}

/// A command about patients' cards.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum CardRequest {
    /// Make one.
    Make {
        /// The patient.
        id: String,
        /// The PIN.
        pin: Option<Pin>,
    },
    /// What one tells without its PIN.
    Show {
        /// The text of its code.
        text: String,
    },
    /// The summary on one.
    Summary {
        /// The text of its code.
        text: String,
        /// The emergency code.
        code: String,
    },
    /// Let this clinic see the chart.
    Grant(CardOrder),
}

/// A grant to this clinic, to be signed with a patient's card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardOrder {
    /// The text of its code.
    pub text: String,
    /// What is granted; patient and clinic are known.
    pub terms: GrantRequest,
}

/// A command about the clinic's own nodes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum NodeRequest {
    /// Make a file that makes another computer a node of this clinic.
    Enroll {
        /// What the new node is called.
        name: String,
        /// The file to write: an absolute path.
        out: PathBuf,
        /// How long it is good for.
        hours: u32,
    },
    /// The nodes of this clinic.
    List,
    /// Cut a node off.
    Revoke {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
}

/// A patient to register.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registration {
    /// Given names.
    pub given: Vec<String>,
    /// The family name.
    pub family: Option<String>,
    /// FHIR date: YYYY, YYYY-MM or YYYY-MM-DD.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: String,
    /// Identifiers, as SYSTEM|VALUE or VALUE.
    pub identifiers: Vec<String>,
    /// Whether to register although an alike patient is here.
    pub even_if_alike: bool,
}

/// A decision of a conflict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolution {
    /// The patient.
    pub id: String,
    /// The resource, as Type/id.
    pub resource: String,
    /// The element, or none for a resource that is decided as a whole.
    pub element: Option<String>,
    /// The version's number, from 1.
    pub version: usize,
}

/// A grant to sign.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrantRequest {
    /// The patient, or `all`.
    pub patient: String,
    /// The clinic.
    pub to: String,
    /// Names of compartments, or `all`.
    pub compartments: Vec<String>,
    /// Rights.
    pub rights: Vec<String>,
    /// Purpose: a word or a PurposeOfUse code. Where none is given it is that of the grant that is
    /// passed on, else treatment.
    pub purpose: Option<String>,
    /// The last day or moment.
    pub until: Option<String>,
    /// For how many days, in the place of a last one.
    #[serde(default)]
    pub days: Option<u32>,
    /// The grant to this clinic that is passed on, in a referral.
    #[serde(default)]
    pub parent: Option<String>,
    /// Whether to leave out what was written before.
    pub from_now_on: bool,
    /// The patient's PIN, where one is set.
    pub pin: Option<Pin>,
}

impl GrantRequest {
    /// Reading and writing all charts of this clinic for treatment, without end.
    #[must_use]
    pub fn of_everything(to: String) -> Self {
        Self {
            patient: "all".to_owned(),
            to,
            compartments: vec!["all".to_owned()],
            rights: vec!["read".to_owned(), "write".to_owned()],
            purpose: None,
            until: None,
            days: None,
            parent: None,
            from_now_on: false,
            pin: None,
        }
    }
}

/// A bundle to write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BundleOrder {
    /// The clinic that it is for, as a person types it.
    pub peer: String,
    /// The first file; further parts get a number behind its name.
    pub out: PathBuf,
    /// The size of a file at most, in bytes.
    pub max_size: u64,
    /// Everything that the clinic may have, also what it is known to hold.
    pub everything: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_others_goes_out_and_what_the_store_answers_does_not() {
        let terms = GrantRequest::of_everything(String::new());
        let text = String::new();
        let order = CardOrder { text, terms };
        assert!(Request::Card(CardRequest::Grant(order)).goes_out());
        assert!(Request::SyncNow { peer: None }.goes_out());
        let text = String::new();
        assert!(!Request::Card(CardRequest::Show { text }).goes_out());
        assert!(!Request::Status.goes_out());
    }
}
