//! Saving: edits become changes, changes become records, and all of it one commit.

use chartmesh_crdt::{Compartment, Put, PutError, Resource, ResourceKey, Stamp};
use chartmesh_protocol::ChartId;
use chartmesh_protocol::attachment::AttachmentPlace;
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::seal::{RecordContent, seal_record, sign_changes};

use super::attachments::Known;
use super::audit::Action;
use super::draft::Draft;
use super::index_card::IndexCard;
use super::open_chart::OpenChart;
use super::refusal::refused_write;
use super::{Clinic, ClinicError, search};

/// How much JSON goes into one record before the next is begun: sealed, that is some 16 KiB, so
/// that a link that is cut loses little of a long import.
const RECORD_JSON: usize = 96 * 1024;

/// One edit of a chart.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// A full new version of a resource.
    Put(Resource),
    /// A resource that belongs into another compartment leaves this one.
    Depart {
        compartment: Compartment,
        key: ResourceKey,
    },
    /// The decision of a conflict.
    Resolve {
        compartment: Compartment,
        key: ResourceKey,
        element: String,
        chosen: Option<String>,
    },
}

impl Edit {
    fn compartment(&self) -> Compartment {
        match self {
            Self::Put(resource) => resource.compartment(),
            Self::Depart { compartment, .. } | Self::Resolve { compartment, .. } => {
                compartment.clone()
            }
        }
    }

    /// The bytes of JSON that it adds to a record.
    fn weight(&self) -> usize {
        match self {
            Self::Put(resource) => resource.elements().map(|(_, text)| text.len()).sum(),
            Self::Depart { .. } => 0,
            Self::Resolve { chosen, .. } => chosen.as_ref().map_or(0, String::len),
        }
    }
}

/// What a save changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Resources that were new or differed.
    pub(crate) resources: usize,
    /// Resources that went from one compartment into another.
    pub(crate) moved: usize,
    /// Records that were written.
    pub(crate) records: usize,
}

impl Clinic {
    /// Saves edits of a chart in one commit, with an audit entry.
    ///
    /// # Errors
    /// [`ClinicError::Refused`] when this clinic may not write one of the compartments; nothing
    /// is then written.
    pub(crate) fn save(
        &self,
        chart: &ChartId,
        edits: Vec<Edit>,
        action: Action,
    ) -> Result<Saved, ClinicError> {
        let _writing = self.writing();
        self.change_chart(chart, |open| {
            let mut draft = Draft::default();
            let saved = self.draft_edits(open, edits, &mut draft)?;
            if saved.records > 0 {
                draft.note(action, Some(*chart));
                self.file(draft)?;
            }
            Ok(saved)
        })
    }

    /// Adds edits to a draft: changes in the open documents, records in the draft.
    pub(crate) fn draft_edits(
        &self,
        open: &mut OpenChart,
        edits: Vec<Edit>,
        draft: &mut Draft,
    ) -> Result<Saved, ClinicError> {
        let mut by_compartment: std::collections::BTreeMap<Compartment, Vec<Edit>> =
            std::collections::BTreeMap::new();
        for edit in edits {
            by_compartment
                .entry(edit.compartment())
                .or_default()
                .push(edit);
        }
        let moved = self.with_departures(open, draft.labels, &mut by_compartment)?;
        let (mut allowed, mut closed) = (Vec::new(), Vec::new());
        for (compartment, edits) in by_compartment {
            let name = compartment.to_string().parse();
            let name: CompartmentName = name.map_err(ClinicError::fault)?;
            if open.decision().may_write(&self.clinic_id(), &name) {
                allowed.push((name, edits));
            } else if edits.iter().any(|edit| !is_there(open, &name, edit)) {
                // What comes along as it stands, as the patient does with a note, changes nothing.
                closed.push(name);
            }
        }
        if !closed.is_empty() {
            let text = refused_write(&self.store, open, &self.clinic_id(), &closed);
            return Err(ClinicError::refused(text));
        }
        let mut saved = Saved {
            moved,
            ..Saved::default()
        };
        for (name, edits) in allowed {
            let edits = self.without_content(open, &name, edits, draft)?;
            self.edit_compartment(open, &name, edits, draft, &mut saved)?;
        }
        if saved.resources > 0
            && let Some(card) = IndexCard::of_all(&open.patient_as_it_may_be())
        {
            search::index(&self.store, &mut draft.batch, &open.id(), &card)?;
        }
        Ok(saved)
    }

    /// Takes large contents out of the resources that are to be saved.
    fn without_content(
        &self,
        open: &OpenChart,
        name: &CompartmentName,
        edits: Vec<Edit>,
        draft: &mut Draft,
    ) -> Result<Vec<Edit>, ClinicError> {
        let Some(compartment) = open.tag(name) else {
            return Ok(edits);
        };
        let chart = open.id();
        let mut known = Known::of(AttachmentPlace { chart, compartment });
        let content = open.compartments.get(name).map(|one| one.content());
        let taken = edits.into_iter().map(|edit| match edit {
            Edit::Put(resource) => Ok(Edit::Put(self.take_out(resource, content, &mut known)?)),
            edit @ (Edit::Depart { .. } | Edit::Resolve { .. }) => Ok(edit),
        });
        let taken = taken.collect();
        draft.attachments.extend(known.taken);
        taken
    }

    fn edit_compartment(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        edits: Vec<Edit>,
        draft: &mut Draft,
        saved: &mut Saved,
    ) -> Result<(), ClinicError> {
        if !open.compartments.contains_key(name) {
            self.rotate(open, name, draft)?;
        }
        let mut weight = 0;
        let before = saved.records;
        for edit in edits {
            if weight + edit.weight() > RECORD_JSON && weight > 0 {
                self.seal_staged(open, name, draft, saved)?;
                weight = 0;
            }
            let changed = match stage(open, name, &edit) {
                Err(StageError::Full) => {
                    self.seal_staged(open, name, draft, saved)?;
                    weight = 0;
                    stage(open, name, &edit)
                }
                outcome => outcome,
            };
            if changed.map_err(StageError::into_clinic_error)? {
                weight += edit.weight();
                // One that moves is counted where it goes to.
                saved.resources += usize::from(!matches!(edit, Edit::Depart { .. }));
            }
        }
        self.seal_staged(open, name, draft, saved)?;
        if saved.records > before {
            self.hand_over(open, name, draft)?;
        }
        Ok(())
    }

    /// Makes one record of what is staged in a compartment, if anything is.
    fn seal_staged(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        draft: &mut Draft,
        saved: &mut Saved,
    ) -> Result<(), ClinicError> {
        let identity = &self.identity;
        let user = identity.user_id();
        let now = i64::try_from(self.now_ms()).unwrap_or(i64::MAX);
        let stamp =
            Stamp::new(&user.to_string(), identity.role(), now).map_err(ClinicError::fault)?;
        let Some(one) = open.compartments.get_mut(name) else {
            return Ok(());
        };
        let committed = one.document_mut()?.commit(&stamp);
        let Some(change) = committed.map_err(ClinicError::fault)? else {
            return Ok(());
        };
        let key = self.sealing_key(open, name, draft)?;
        let chart = open.id();
        let frontier = open
            .ledger
            .frontier()
            .iter()
            .map(|id| id.prefix())
            .collect();
        let Some(one) = open.compartments.get_mut(name) else {
            return Ok(());
        };
        let place = self.next_place(chart, one)?;
        let hashes = [change.hash.0];
        let content = RecordContent {
            changes: vec![change.bytes],
            user,
            role: identity.role().to_owned(),
            signature: sign_changes(&identity.operator, &chart, identity.role(), &hashes),
            time: self.tick(),
            frontier,
        };
        let record = seal_record(&mut self.chance(), &place, &key, &identity.node, &content)
            .map_err(|error| ClinicError::usage(error.to_string()))?;
        one.sealed_now(&record);
        draft.record(&record);
        saved.records += 1;
        Ok(())
    }
}

/// Whether an edit would leave a resource as it is.
fn is_there(open: &OpenChart, name: &CompartmentName, edit: &Edit) -> bool {
    match edit {
        Edit::Put(resource) => {
            let one = open.compartments.get(name);
            let key = resource.key().ok();
            let known = one.and_then(|one| one.content().resource(&key?));
            known.as_ref() == Some(resource)
        }
        Edit::Depart { .. } | Edit::Resolve { .. } => false,
    }
}

/// Why an edit was not staged.
enum StageError {
    /// The change is full: seal it, then stage again.
    Full,
    /// The edit itself cannot be.
    Failed(ClinicError),
}

impl StageError {
    fn into_clinic_error(self) -> ClinicError {
        match self {
            Self::Full => ClinicError::usage("a resource is too large for one record"),
            Self::Failed(error) => error,
        }
    }
}

/// Whether something was staged, or why not.
fn staged(outcome: Result<bool, PutError>) -> Result<bool, StageError> {
    match outcome {
        Ok(changes) => Ok(changes),
        Err(PutError::ChangeFull) => Err(StageError::Full),
        Err(error) => Err(StageError::Failed(ClinicError::usage(error.to_string()))),
    }
}

/// Stages an edit; says whether it changes anything.
fn stage(open: &mut OpenChart, name: &CompartmentName, edit: &Edit) -> Result<bool, StageError> {
    let Some(one) = open.compartments.get_mut(name) else {
        return Err(StageError::Failed(ClinicError::fault(
            "a compartment was not opened",
        )));
    };
    let document = one.document_mut().map_err(StageError::Failed)?;
    match edit {
        Edit::Put(resource) => staged(document.put(resource).map(|put| put != Put::Unchanged)),
        Edit::Depart { key, .. } => staged(document.depart(key)),
        Edit::Resolve {
            key,
            element,
            chosen,
            ..
        } => document
            .resolve(key, element, chosen.as_deref())
            .map(|()| true)
            .map_err(|error| StageError::Failed(ClinicError::usage(error.to_string()))),
    }
}
