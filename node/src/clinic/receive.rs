//! Taking in what a peer sends: verified, placed, and filed in one commit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chartmesh_protocol::identity::{SignedError, Verified};
use chartmesh_protocol::ledger::{CompartmentName, Decision, Ledger, Statement};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{RecordError, VerifiedRecord};
use chartmesh_protocol::sync::{ItemKind, Refusal};
use chartmesh_protocol::{ChartId, CompartmentTag, StatementId};
use thiserror::Error;

use super::draft::{Draft, record_item, statement_item};
use super::items::{Header, NewItem, What};
use super::replica::Replica;
use super::share::{self, Audience};
use super::{Clinic, ClinicError};
use crate::store::Space;

/// An item as a session delivers it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What the peer says it is.
    pub kind: ItemKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why deliveries were not taken in. Those before the refused one were, `stored` of them.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct Refused {
    /// How many were stored.
    pub stored: usize,
    reason: Reason,
}

#[derive(Debug, Error)]
enum Reason {
    #[error("an item of the peer was refused: {0}")]
    Item(Refusal),
    #[error(transparent)]
    Ours(#[from] ClinicError),
}

impl Refused {
    /// What the session is told. A fault of ours counts as an item that was not asked for now.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self.reason {
            Reason::Item(refusal) => refusal,
            Reason::Ours(_) => Refusal::NotAsked,
        }
    }
}

impl Replica {
    /// Verifies deliveries and files them in one commit: when this returns, they are durable.
    ///
    /// # Errors
    /// [`Refused`] with the number of those that were stored before the refused one.
    pub fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        let mut intake = Intake::new(&self.clinic);
        let taken = deliveries
            .iter()
            .try_for_each(|delivery| intake.take(delivery));
        intake
            .check_statements()
            .map_err(|reason| Refused { stored: 0, reason })?;
        let stored = intake.items.len();
        self.file_intake(intake).map_err(|error| Refused {
            stored: 0,
            reason: error.into(),
        })?;
        taken.map_err(|reason| Refused { stored, reason })
    }

    fn file_intake(&self, intake: Intake<'_>) -> Result<(), ClinicError> {
        let behind = intake.behind;
        let draft = Draft::of_peer(self.peer, intake.items);
        let filed = self.clinic.file(draft)?;
        self.peer_sent(filed);
        if behind {
            self.clinic.draw_incarnations()
        } else {
            Ok(())
        }
    }
}

/// Items on their way into the store.
struct Intake<'a> {
    clinic: &'a Clinic,
    items: Vec<NewItem>,
    charts: BTreeMap<ChartId, Arriving>,
    statements: Vec<(ChartId, StatementId)>,
    /// A record came that this node wrote in its present incarnation and does not remember.
    behind: bool,
}

/// A chart that something has come of.
struct Arriving {
    ledger: Ledger,
    /// What the ledger means; none since it has changed.
    standing: Option<Standing>,
}

/// What a ledger means for this clinic as a receiver.
struct Standing {
    decision: Decision,
    names: BTreeMap<CompartmentTag, CompartmentName>,
    audience: Audience,
}

impl Standing {
    fn of(clinic: &Clinic, ledger: &Ledger) -> Self {
        let own = clinic.clinic_id();
        let decision = clinic.decide(ledger);
        let home = decision.custodian().unwrap_or(own);
        Self {
            names: share::tags(clinic, ledger),
            audience: Audience::of(&own, &home, ledger, &decision),
            decision,
        }
    }
}

impl<'a> Intake<'a> {
    fn new(clinic: &'a Clinic) -> Self {
        Self {
            clinic,
            items: Vec::new(),
            charts: BTreeMap::new(),
            statements: Vec::new(),
            behind: false,
        }
    }

    fn take(&mut self, delivery: &Delivery) -> Result<(), Reason> {
        match delivery.kind {
            ItemKind::Statement => self.take_statement(&delivery.bytes),
            ItemKind::Record => self.take_record(&delivery.bytes),
        }
    }

    fn take_statement(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let statement = Verified::<Statement>::decode(bytes).map_err(|error| {
            let forged = matches!(error, SignedError::Signature(_));
            Reason::Item(unsound(forged))
        })?;
        let chart = statement.payload().chart();
        self.items.push(statement_item(&statement));
        self.statements.push((chart, statement.id()));
        let arriving = self.chart(&chart)?;
        arriving.ledger.insert(statement);
        arriving.standing = None;
        Ok(())
    }

    /// Once a grant to this clinic is here, a chart takes only statements that the clinic is
    /// entitled to. Before that nothing can be decided: the rest may still be on its way.
    fn check_statements(&mut self) -> Result<(), Reason> {
        let own = self.clinic.clinic_id();
        for (chart, id) in std::mem::take(&mut self.statements) {
            let Some((ledger, standing)) = self.standing(&chart)? else {
                continue;
            };
            if !share::had_grant(ledger, &own) {
                continue;
            }
            let decision = &standing.decision;
            let held = decision.refused().any(|(refused, _)| refused == id);
            if !decision.entitled(&own, &id) && !held {
                return Err(Reason::Item(Refusal::NotShared));
            }
        }
        Ok(())
    }

    fn take_record(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let record = VerifiedRecord::decode(bytes).map_err(|error| {
            let forged = matches!(error, RecordError::Signature(_));
            Reason::Item(unsound(forged))
        })?;
        let item = record_item(&record);
        let What::Record(header) = &item.what else {
            return Err(Refusal::Malformed.into());
        };
        self.check_record(&item.chart, header)?;
        let clinic = self.clinic;
        let ours =
            header.author == clinic.node_id() && header.incarnation == clinic.author_incarnation();
        self.behind |= ours && !clinic.has_item(&item.id)?;
        self.items.push(item);
        Ok(())
    }

    /// A record has to be of a chart that is shared with us, in a compartment that we may read.
    fn check_record(&mut self, chart: &ChartId, header: &Header) -> Result<(), Reason> {
        let clinic = self.clinic;
        let (_, standing) = self.standing(chart)?.ok_or(Refusal::NotAsked)?;
        let certificates = clinic.certificates_read();
        let book = certificates.book();
        if book.clinics(&header.author).next().is_none() {
            return Err(Refusal::BadCertificate.into());
        }
        let name = standing.names.get(&header.tag).ok_or(Refusal::NotAsked)?;
        let Standing {
            decision, audience, ..
        } = standing;
        if audience.may_have(book, decision, name, header) {
            Ok(())
        } else {
            Err(Refusal::NotShared.into())
        }
    }

    /// A chart's ledger and what it means, once its genesis is here.
    fn standing(&mut self, chart: &ChartId) -> Result<Option<(&Ledger, &Standing)>, ClinicError> {
        let clinic = self.clinic;
        let Arriving { ledger, standing } = self.chart(chart)?;
        if ledger.genesis().is_none() {
            return Ok(None);
        }
        let standing = standing.get_or_insert_with(|| Standing::of(clinic, ledger));
        Ok(Some((ledger, standing)))
    }

    fn chart(&mut self, chart: &ChartId) -> Result<&mut Arriving, ClinicError> {
        Ok(match self.charts.entry(*chart) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Arriving {
                ledger: self.clinic.ledger(chart)?,
                standing: None,
            }),
        })
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self::Item(refusal)
    }
}

impl Clinic {
    fn has_item(&self, id: &ItemId) -> Result<bool, ClinicError> {
        Ok(self.store.contains(Space::Items, id.as_bytes())?)
    }
}

/// Why an item that does not verify is refused.
fn unsound(forged: bool) -> Refusal {
    if forged {
        Refusal::BadSignature
    } else {
        Refusal::Malformed
    }
}
