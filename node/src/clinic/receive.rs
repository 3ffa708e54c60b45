//! Taking in what a peer sends: verified, placed, and filed in one commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use chartmesh_protocol::identity::{SignedError, Verified};
use chartmesh_protocol::ledger::{Body, ChartSecret, CompartmentName, Decision, Ledger, Statement};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{RecordError, RecordForm, VerifiedRecord};
use chartmesh_protocol::sync::{ItemKind, Refusal};
use chartmesh_protocol::{ChartId, CompartmentTag};
use thiserror::Error;

use super::draft::{Draft, Origin, record_item, statement_item};
use super::items::{Header, NewItem, What};
use super::replica::Replica;
use super::share::{self, Audience};
use super::{Clinic, ClinicError};

/// Deliveries that are checked faster than another thread is started.
const CHECKED_ALONE: usize = 16;

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

/// What was filed of that which came.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// The charts that it is of.
    pub(super) charts: BTreeSet<ChartId>,
    /// The items, whether or not they were here before.
    pub(super) items: Vec<(ItemKind, ItemId)>,
}

impl Refused {
    /// An item was refused, behind `stored` others.
    pub(super) fn item(stored: usize, refusal: Refusal) -> Self {
        let reason = refusal.into();
        Self { stored, reason }
    }

    /// A fault of ours, behind `stored` items.
    pub(super) fn fault(stored: usize, error: ClinicError) -> Self {
        let reason = error.into();
        Self { stored, reason }
    }

    /// Why the item itself was refused.
    ///
    /// # Errors
    /// Where our store is at fault, and not the item.
    pub(super) fn into_item(self) -> Result<Refusal, ClinicError> {
        match self.reason {
            Reason::Item(refusal) => Ok(refusal),
            Reason::Ours(error) => Err(error),
        }
    }

    /// What the session is told. A fault of ours counts as an item that was not asked for now.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self.reason {
            Reason::Item(refusal) => refusal,
            Reason::Ours(_) => Refusal::NotAsked,
        }
    }
}

impl Refused {
    /// A piece of an attachment that is not what it should be.
    pub(super) fn bad_piece() -> Self {
        Self {
            stored: 0,
            reason: Reason::Item(Refusal::BadPiece),
        }
    }

    /// A fault of ours.
    pub(super) fn ours(error: ClinicError) -> Self {
        Self {
            stored: 0,
            reason: Reason::Ours(error),
        }
    }
}

impl Replica {
    /// Verifies deliveries and files them in one commit: when this returns, they are durable.
    ///
    /// # Errors
    /// [`Refused`] with the number of those that were stored before the refused one.
    pub fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        self.store_noting(deliveries, &mut Noted::default())
    }

    /// The same, noting what was filed.
    pub(super) fn store_noting(
        &self,
        deliveries: &[Delivery],
        noted: &mut Noted,
    ) -> Result<(), Refused> {
        self.book.clinic.check_own_end().map_err(Refused::ours)?;
        let mut intake = Intake::new(self);
        let taken = check_all(deliveries)
            .into_iter()
            .try_for_each(|checked| intake.take(checked?));
        let stored = intake.items.len();
        let of_charts = intake.items.iter().filter(|item| !item.is_of_house());
        noted.charts.extend(of_charts.map(|item| item.chart));
        let ids = intake.items.iter().map(|item| (item.what.kind(), item.id));
        let ids: Vec<(ItemKind, ItemId)> = ids.collect();
        self.file_intake(intake).map_err(|error| Refused {
            stored: 0,
            reason: error.into(),
        })?;
        noted.items.extend(ids);
        taken.map_err(|reason| Refused { stored, reason })
    }

    fn file_intake(&self, intake: Intake<'_>) -> Result<(), ClinicError> {
        let is_outdated = self.lock().is_outdated;
        let filed = intake.file(match is_outdated {
            true => Origin::Mail,
            false => Origin::Peer(self.book.peer),
        })?;
        let clinic = &self.book.clinic;
        if !is_outdated {
            self.peer_sent(filed.numbers);
        }
        // Now, while the ledgers are at hand.
        self.refresh()?;
        // Somebody waits for it at a bedside.
        for chart in filed.asked {
            clinic.release_summary(&chart)?;
        }
        if self.lock().settled {
            clinic.pay_owing()?;
        }
        match filed.behind {
            true => clinic.draw_incarnations(),
            false => Ok(()),
        }
    }
}

/// The charts of which a compaction, or a part of its manifest, is among items.
fn compacted(items: &[NewItem]) -> BTreeSet<ChartId> {
    let marked = items
        .iter()
        .filter(|item| matches!(&item.what, What::Record(header) if header.marked.is_some()));
    marked.map(|item| item.chart).collect()
}

/// A delivery whose signature holds.
enum Checked {
    Statement(Box<Verified<Statement>>),
    Record(Box<VerifiedRecord>),
}

impl Checked {
    fn id(&self) -> ItemId {
        match self {
            Self::Statement(statement) => ItemId::from(statement.id()),
            Self::Record(record) => ItemId::from(record.id()),
        }
    }

    fn of(delivery: &Delivery) -> Result<Self, Refusal> {
        match delivery.kind {
            ItemKind::Statement => Verified::decode(&delivery.bytes)
                .map(|statement| Self::Statement(Box::new(statement)))
                .map_err(|error| unsound(matches!(error, SignedError::Signature(_)))),
            ItemKind::Record => VerifiedRecord::decode(&delivery.bytes)
                .map(|record| Self::Record(Box::new(record)))
                .map_err(|error| unsound(matches!(error, RecordError::Signature(_)))),
        }
    }
}

/// Checks the signatures of deliveries, of many at once on every core: that takes most of the
/// time of a first sync.
fn check_all(deliveries: &[Delivery]) -> Vec<Result<Checked, Refusal>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = deliveries.len().div_ceil(cores).max(CHECKED_ALONE);
    let mut parts = deliveries.chunks(share);
    let first = parts.next().unwrap_or_default();
    let check = |part: &[Delivery]| part.iter().map(Checked::of).collect::<Vec<_>>();
    thread::scope(|threads| {
        let others: Vec<_> = parts
            .map(|part| threads.spawn(move || check(part)))
            .collect();
        let mut checked = check(first);
        for other in others {
            checked.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        checked
    })
}

/// Items on their way into the store.
pub(super) struct Intake<'a> {
    /// The peer that sends; none for mail.
    replica: Option<&'a Replica>,
    clinic: &'a Clinic,
    items: Vec<NewItem>,
    charts: BTreeMap<ChartId, Arriving>,
    secrets: BTreeMap<ChartId, Option<ChartSecret>>,
    /// A record came that this node wrote in its present incarnation and does not remember.
    behind: bool,
}

/// What came of an intake.
pub(super) struct Filed {
    /// The feed numbers of what was new.
    pub(super) numbers: Vec<u64>,
    /// Others have seen more of this store than it holds.
    pub(super) behind: bool,
    /// Charts of which statements have come and that somebody has asked for in an emergency.
    pub(super) asked: Vec<ChartId>,
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

    /// Whether this clinic may have a record; none where the compartment is not known.
    fn receives(&self, clinic: &Clinic, header: &Header) -> Option<bool> {
        let certificates = clinic.certificates_read();
        let book = certificates.book();
        if self.audience.takes_back(book, header) {
            return Some(true);
        }
        let name = self.names.get(&header.tag)?;
        Some(self.audience.may_have(book, &self.decision, name, header))
    }
}

impl<'a> Intake<'a> {
    fn new(replica: &'a Replica) -> Self {
        Self {
            replica: Some(replica),
            ..Self::of_mail(&replica.book.clinic)
        }
    }

    /// For what comes through a relay: what this clinic receives is decided by its own ledgers.
    pub(super) fn of_mail(clinic: &'a Clinic) -> Self {
        Self {
            replica: None,
            clinic,
            items: Vec::new(),
            charts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            behind: false,
        }
    }

    /// Verifies and takes one delivery. Returns its id.
    ///
    /// # Errors
    /// [`Refused`], and what came before stays taken.
    pub(super) fn take_delivery(&mut self, delivery: &Delivery) -> Result<ItemId, Refused> {
        let checked = Checked::of(delivery).map_err(Reason::from);
        let taken = checked.and_then(|checked| {
            let id = checked.id();
            self.take(checked).map(|()| id)
        });
        taken.map_err(|reason| Refused { stored: 0, reason })
    }

    /// Files what was taken, in one commit.
    pub(super) fn file(self, origin: Origin) -> Result<Filed, ClinicError> {
        let (clinic, mut behind) = (self.clinic, self.behind);
        let with_emergencies = self.charts.values().map(|one| &one.ledger);
        let asked = with_emergencies
            .filter(|ledger| ledger.emergencies().next().is_some())
            .map(Ledger::chart)
            .collect();
        let compacted = compacted(&self.items);
        let mut draft = Draft::arriving(origin, self.items);
        for arriving in self.charts.values() {
            clinic.note_owing(&arriving.ledger, &mut draft.batch);
        }
        let numbers = clinic.file(draft)?;
        for arriving in self.charts.into_values() {
            clinic.know_ledger(arriving.ledger);
        }
        for chart in compacted {
            behind |= clinic.is_told_of_more(&chart)?;
        }
        Ok(Filed {
            numbers,
            behind,
            asked,
        })
    }

    fn take(&mut self, checked: Checked) -> Result<(), Reason> {
        match checked {
            Checked::Statement(statement) => self.take_statement(*statement),
            Checked::Record(record) => self.take_record(&record),
        }
    }

    /// Takes a statement whether or not this clinic is entitled to it: what entitles to it may be a
    /// grant that comes behind it, in the order in which they were signed. One that never does is
    /// passed on to nobody.
    fn take_statement(&mut self, statement: Verified<Statement>) -> Result<(), Reason> {
        let chart = statement.payload().chart();
        if let Body::Epoch(epoch) = statement.body() {
            // A grant begins by the clock of who signed it, and its first key is made right after:
            // where the clock is slow, the grant would not have begun yet.
            self.clinic.observe(epoch.created);
        }
        self.items.push(statement_item(&statement));
        self.secrets.remove(&chart);
        let arriving = self.chart(&chart)?;
        arriving.ledger.insert(statement);
        arriving.standing = None;
        Ok(())
    }

    fn take_record(&mut self, record: &VerifiedRecord) -> Result<(), Reason> {
        let item = record_item(record, self.form_of(record)?);
        let What::Record(header) = &item.what else {
            return Err(Refusal::Malformed.into());
        };
        self.check_record(&item.chart, header)?;
        let clinic = self.clinic;
        let ours =
            header.author == clinic.node_id() && header.incarnation == clinic.author_incarnation();
        self.behind |= ours && !clinic.holds(&item.id)?;
        self.items.push(item);
        Ok(())
    }

    /// What a record is marked to hold: who has the chart secret sees it.
    fn form_of(&mut self, record: &VerifiedRecord) -> Result<RecordForm, ClinicError> {
        let chart = record.header().place.chart;
        let clinic = self.clinic;
        let secret = match self.secrets.entry(chart) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let secret = match self.charts.get(&chart) {
                    Some(arriving) => clinic.chart_secret(&arriving.ledger),
                    None => clinic.chart_secret(clinic.ledger(&chart)?.as_ref()),
                };
                new.insert(secret)
            }
        };
        let secret = secret.as_ref();
        Ok(secret.map_or(RecordForm::Changes, |secret| record.header().form(secret)))
    }

    /// A record has to be of a chart that is shared with us, in a compartment that we may read.
    fn check_record(&mut self, chart: &ChartId, header: &Header) -> Result<(), Reason> {
        let clinic = self.clinic;
        let known = clinic
            .certificates_read()
            .book()
            .clinics(&header.author)
            .next()
            .is_some();
        if !known {
            return Err(Refusal::BadCertificate.into());
        }
        let peer = self.replica.and_then(Replica::clinic_of_peer);
        if peer == Some(clinic.clinic_id()) {
            // Our own nodes share everything.
            return Ok(());
        }
        // Statements that came with it are not in the store yet.
        let receives = match self.replica {
            Some(replica) if !self.charts.contains_key(chart) => {
                replica.ask(|share, clinic| share.receives(clinic, chart, header))
            }
            _ => self
                .standing(chart)?
                .and_then(|(_, standing)| standing.receives(clinic, header)),
        };
        match receives {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::NotShared.into()),
            None => Err(Refusal::NotAsked.into()),
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
                ledger: Arc::unwrap_or_clone(self.clinic.ledger(chart)?),
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

/// Why an item that does not verify is refused.
fn unsound(forged: bool) -> Refusal {
    if forged {
        Refusal::BadSignature
    } else {
        Refusal::Malformed
    }
}
