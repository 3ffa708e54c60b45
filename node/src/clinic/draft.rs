//! What one command writes, gathered first and filed in one commit: all of it or nothing.

use std::sync::{Arc, MutexGuard, PoisonError};

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{Basis, Body, Statement};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{RecordForm, VerifiedRecord};
use chartmesh_protocol::{ChartId, ClinicId, NodeId};

use super::attachments::note_saved;
use super::audit::{self, Action, Note};
use super::house::notes;
use super::items::{self, Header, Marked, NewItem, What};
use super::moves::Labels;
use super::{Clinic, ClinicError, delivered, emergency, hybrid, refusal};
use crate::store::{Batch, Space, StoreError, View};

/// Readings that wait to be noted while the disk is full: those of some days. Then reading ends,
/// too: a chart is not read without a trace.
const MAX_UNNOTED: usize = 10_000;

/// Items, other writes and audit entries that belong together.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) items: Vec<NewItem>,
    pub(crate) batch: Batch,
    /// What the records lead to.
    pub(crate) attachments: Vec<(AttachmentName, Shape)>,
    /// Whether resources may leave restricted compartments.
    pub(crate) labels: Labels,
    notes: Vec<(Action, Option<ChartId>)>,
    origin: Origin,
}

/// Where the items of a draft come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Origin {
    /// They were written here.
    #[default]
    Here,
    /// A peer has sent them: it holds them, so they are not owed to it.
    Peer(NodeId),
    /// They came through a relay, or from a store that its node has no more: whether that node
    /// holds them is not known.
    Mail,
}

impl Draft {
    /// What a file brings.
    pub(crate) fn of_a_file(labels: Labels) -> Self {
        Self {
            labels,
            ..Self::default()
        }
    }

    /// What has come from outside.
    pub(crate) fn arriving(origin: Origin, items: Vec<NewItem>) -> Self {
        Self {
            items,
            origin,
            ..Self::default()
        }
    }

    /// Adds a statement of a ledger.
    pub(crate) fn statement(&mut self, statement: &Verified<Statement>) {
        self.items.push(statement_item(statement));
    }

    /// Adds a record.
    pub(crate) fn record(&mut self, record: &VerifiedRecord) {
        self.items.push(record_item(record, RecordForm::Changes));
    }

    /// Adds a record that holds something else than changes.
    pub(crate) fn marked_record(&mut self, record: &VerifiedRecord, form: RecordForm) {
        self.items.push(record_item(record, form));
    }

    /// Adds an audit entry.
    pub(crate) fn note(&mut self, action: Action, chart: Option<ChartId>) {
        self.notes.push((action, chart));
    }
}

/// A statement as it is filed.
pub(crate) fn statement_item(statement: &Verified<Statement>) -> NewItem {
    NewItem {
        chart: statement.payload().chart(),
        id: ItemId::from(statement.id()),
        bytes: statement.to_bytes(),
        what: What::Statement,
        party: statement.body().party(),
        revokes: matches!(statement.body(), Body::Revocation(_)),
        asks: asks(statement.body()),
        house: house_of_statement(statement.body()),
    }
}

/// Whether a clinic asks everybody by a statement, because it does not know who has the chart.
fn asks(body: &Body) -> bool {
    matches!(body, Body::BreakGlass(_)) || is_by_card(body)
}

/// Whether it is a grant that the patient signed with the card.
pub(super) fn is_by_card(body: &Body) -> bool {
    matches!(body, Body::Grant(grant) if grant.basis == Basis::Card)
}

/// A record as it is filed.
pub(crate) fn record_item(record: &VerifiedRecord, form: RecordForm) -> NewItem {
    let header = record.header();
    NewItem {
        chart: header.place.chart,
        id: ItemId::from(record.id()),
        bytes: record.as_bytes().to_vec(),
        what: What::Record(Header {
            tag: header.place.compartment,
            author: header.author,
            incarnation: header.place.incarnation,
            sequence: header.place.sequence,
            previous: header.place.previous,
            epoch: header.epoch,
            marked: Marked::of(form),
        }),
        party: None,
        revokes: false,
        asks: false,
        house: None,
    }
}

/// What a statement says of a house.
fn house_of_statement(body: &Body) -> Option<Body> {
    matches!(body, Body::HouseNote(_) | Body::NodeRevocation(_)).then(|| body.clone())
}

/// Notes the charts of items, and that their cards, what is held of them and their attachments are
/// to be looked at. It matters whether they were written here, and which clinic is ours.
fn mark_charts(
    view: &View<'_>,
    batch: &mut Batch,
    items: &[NewItem],
    (is_ours, own): (bool, ClinicId),
    mark: &[u8],
) -> Result<(), ClinicError> {
    for item in items.iter().filter(|item| !item.is_of_house()) {
        let chart = &item.chart;
        // Who is asked may not have the chart: it is none of his.
        if item.asks && !view.contains(Space::Charts, chart.as_bytes())? {
            continue;
        }
        // Who was only told no in an emergency has no such patient.
        let is_had = is_ours
            || !item.is_statement()
            || item.party == Some(own)
            || !emergency::is_asked(view, chart)?;
        if is_had && !view.contains(Space::Charts, chart.as_bytes())? {
            batch.put(Space::Charts, chart.as_bytes().to_vec(), Vec::new());
        }
        // What is written here comes with its card, but another one may be in the
        // making; and with a card it is noted what does not count, which a statement
        // may change.
        if !is_ours
            || item.revokes
            || view.contains(Space::Stale, chart.as_bytes())?
            || view.contains(Space::Held, chart.as_bytes())?
        {
            batch.put(Space::Stale, chart.as_bytes().to_vec(), mark.to_vec());
        }
        if !is_ours {
            // A key may come after the record that it opens.
            batch.put(Space::Unlooked, chart.as_bytes().to_vec(), mark.to_vec());
        }
    }
    Ok(())
}

impl Clinic {
    /// Files a draft in one commit and tells whoever waits for news. Returns the feed numbers of
    /// the items that were new.
    pub(crate) fn file(&self, draft: Draft) -> Result<Vec<u64>, ClinicError> {
        let Draft {
            items,
            mut batch,
            attachments,
            labels: _,
            notes,
            origin,
        } = draft;
        note_saved(&mut batch, &attachments);
        let is_ours = origin == Origin::Here;
        let at_ms = self.now_ms();
        let user = self.identity.user_id().to_string();
        let waiting = std::mem::take(&mut *self.unnoted());
        let mut all = waiting.clone();
        all.extend(notes.into_iter().map(|(action, chart)| Note {
            action,
            chart,
            user: user.clone(),
            at_ms,
        }));
        let notes = all;
        let saved = items.iter().filter(|item| is_ours && item.is_of_changes());
        let saved: Vec<ChartId> = saved.map(|item| item.chart).collect();
        let charts: Vec<ChartId> = items.iter().map(|item| item.chart).collect();
        let house = Arc::new(self.house_items(&items));
        let (told, own) = (Arc::clone(&house), self.clinic_id());
        let identity = Arc::clone(&self.identity);
        let point = self.tick();
        let mark = point.value().to_be_bytes().to_vec();
        let committed = self.store.commit_with(move |view| {
            let mut batch = batch;
            hybrid::remember(&mut batch, point);
            let filed = items::file(view, &mut batch, &items)?;
            notes::apply(view, &mut batch, &told, &own)?;
            refusal::note_heard(view, &mut batch, &items, at_ms)?;
            mark_charts(view, &mut batch, &items, (is_ours, own), &mark)?;
            if let Origin::Peer(peer) = origin {
                delivered::mark(view, &mut batch, &peer, &filed)?;
            }
            if !notes.is_empty() {
                audit::note(view, &mut batch, &identity.node, &notes)?;
            }
            Ok::<_, ClinicError>((batch, filed))
        });
        let (_, filed) = committed.inspect_err(|_| {
            // What could not be noted before is still to be noted.
            self.unnoted().splice(0..0, waiting);
        })?;
        self.house_filed(&house);
        self.attachments_were_saved(attachments);
        if !filed.is_empty() {
            self.saved_records(saved);
            self.changed(&charts, !is_ours);
        }
        Ok(filed)
    }

    /// Notes one thing in the audit log, by itself. A full disk keeps nobody from reading a chart:
    /// that it was read is noted as soon as there is space.
    pub(crate) fn note(&self, action: Action, chart: Option<ChartId>) -> Result<(), ClinicError> {
        let mut draft = Draft::default();
        draft.note(action, chart);
        match self.file(draft) {
            Err(ClinicError::Store(StoreError::Full)) if action.only_reads() => {
                self.note_later(action, chart)
            }
            outcome => outcome.map(drop),
        }
    }

    fn note_later(&self, action: Action, chart: Option<ChartId>) -> Result<(), ClinicError> {
        let mut unnoted = self.unnoted();
        if unnoted.len() >= MAX_UNNOTED {
            return Err(StoreError::Full.into());
        }
        tracing::warn!("the disk is full: that a chart was read is noted when there is space");
        unnoted.push(Note {
            action,
            chart,
            user: self.identity.user_id().to_string(),
            at_ms: self.now_ms(),
        });
        Ok(())
    }

    fn unnoted(&self) -> MutexGuard<'_, Vec<Note>> {
        self.unnoted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
