//! Records of a chart out of the store, and what is in them.

use chartmesh_crdt::{ActorId, ChangeFacts, ChangeHash};
use chartmesh_protocol::ledger::{Held, Place};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{Keyring, OpenError, RecordContent, VerifiedRecord, actor_id};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{ChartId, CompartmentTag, NodeId, RecordId};

use super::items::{self, Header, What};
use super::{Clinic, ClinicError};

/// A record of a chart as the store lists it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) id: RecordId,
    pub(crate) header: Header,
    /// Its number in the feed.
    pub(crate) feed: u64,
}

/// A record that is kept but does not count.
pub(crate) struct HeldRecord {
    pub(super) record: RecordId,
    pub(super) author: NodeId,
    /// Why, for people.
    pub(super) reason: String,
    /// Whether the custodian can let it count.
    pub(super) admissible: bool,
}

/// What a record of changes holds.
pub(super) enum Content {
    /// Its key is not here.
    Sealed,
    /// Its author sealed something else. One such record must not close the chart.
    Faulty(OpenError),
    /// Changes.
    Open(RecordContent),
}

impl Listed {
    pub(super) fn held_because(&self, reason: String) -> HeldRecord {
        HeldRecord {
            record: self.id,
            author: self.header.author,
            reason,
            admissible: false,
        }
    }

    /// What was judged not to count.
    pub(super) fn judged(&self, held: Held) -> HeldRecord {
        HeldRecord {
            admissible: held.is_admissible(),
            ..self.held_because(held.to_string())
        }
    }

    /// Where it stands among its author's records.
    pub(super) fn place(&self) -> Place {
        let header = &self.header;
        (header.author, header.incarnation, header.sequence)
    }

    /// The actor as which its author makes changes.
    pub(super) fn actor(&self) -> ActorId {
        let header = &self.header;
        ActorId(actor_id(&header.author, header.incarnation, &header.tag))
    }
}

/// Those of a chart's records that are of one compartment.
pub(super) fn of_compartment(records: &[Listed], tag: &CompartmentTag) -> Vec<Listed> {
    let mine = records.iter().filter(|one| one.header.tag == *tag);
    mine.copied().collect()
}

/// The hashes of changes, in their order; none when one of them does not read.
pub(crate) fn hashes(changes: &[Vec<u8>]) -> Option<Vec<ChangeHash>> {
    let read = |change: &Vec<u8>| ChangeFacts::read(change).ok().map(|facts| facts.hash);
    changes.iter().map(read).collect()
}

impl Clinic {
    /// The records of a chart, in the order of the feed.
    pub(super) fn records(&self, chart: &ChartId) -> Result<Vec<Listed>, ClinicError> {
        let listed = items::of_chart(&self.store, chart, ItemKind::Record)?;
        Ok(listed
            .into_iter()
            .filter_map(|item| match item.entry.what {
                What::Record(header) => Some(Listed {
                    id: RecordId::new(*item.id.as_bytes()),
                    header,
                    feed: item.entry.feed,
                }),
                What::Statement => None,
            })
            .collect())
    }

    /// A record, sealed as it is.
    pub(super) fn record(
        &self,
        chart: &ChartId,
        id: &RecordId,
    ) -> Result<VerifiedRecord, ClinicError> {
        let bytes = items::bytes(&self.store, &ItemId::from(*id))?
            .ok_or_else(|| damaged(*chart, format!("record {id} is missing")))?;
        // Checked when it was filed, and the store authenticates it.
        VerifiedRecord::recall(&bytes).map_err(|error| damaged(*chart, error.to_string()))
    }

    /// What a record of changes holds.
    pub(super) fn open_record(
        &self,
        chart: &ChartId,
        one: &Listed,
        keys: &Keyring,
    ) -> Result<Content, ClinicError> {
        let Some(key) = keys.get(&one.header.epoch) else {
            return Ok(Content::Sealed);
        };
        Ok(match self.record(chart, &one.id)?.open(key) {
            Ok(content) => Content::Open(content),
            Err(error) => Content::Faulty(error),
        })
    }

    /// Why a record is not by the user that it names. A user whose certificate has not arrived is
    /// vouched for by the node, which signed the record.
    pub(super) fn user_fault(
        &self,
        chart: &ChartId,
        one: &Listed,
        content: &RecordContent,
    ) -> Option<String> {
        let certificates = self.certificates_read();
        let certificate = certificates.of_user(&content.user)?;
        if !certificates
            .book()
            .belongs(&one.header.author, &certificate.payload().clinic)
        {
            return Some("it names a user of another clinic".to_owned());
        }
        let read = |change: &Vec<u8>| ChangeFacts::read(change).map(|facts| facts.hash.0);
        let hashes: Result<Vec<[u8; 32]>, _> = content.changes.iter().map(read).collect();
        match hashes {
            Ok(hashes) => content
                .verify_user(certificate, chart, &hashes)
                .err()
                .map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

fn damaged(chart: ChartId, reason: String) -> ClinicError {
    ClinicError::Unreadable { chart, reason }
}
