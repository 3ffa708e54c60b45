//! What this node lacks of attachments and wants.
//!
//! ```text
//! Unlooked     chart 16                       -> mark 8, another one each time that something
//!                                                comes
//! Attachments  chart 16 | compartment 8 | id  -> Want: it is wanted and not whole yet
//! ```
//!
//! What the configuration lets come by itself is wanted once it is [looked](super::look) for, and
//! what a person asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace, Mark, Shape};
use chartmesh_protocol::{AttachmentId, ChartId, CompartmentTag};
use minicbor::{Decode, Encode};

use super::{lock, read_mark};
use crate::clinic::open_chart::OpenChart;
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Batch, Space, Store};

/// How long nothing is wanted once the disk was found full, in milliseconds.
const FULL_PAUSE_MS: u64 = 60_000;

/// What is wanted, and what of it has been asked for.
#[derive(Default)]
pub(crate) struct Wants {
    wanted: BTreeMap<AttachmentName, Want>,
    /// Pieces that a session has asked its peer for.
    asked: BTreeSet<(AttachmentName, u32)>,
    paused_until_ms: u64,
    /// How often what is wanted has changed.
    changes: u64,
    /// How often a person asked for something.
    requests: u64,
}

/// One attachment that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Want {
    #[n(0)]
    length: u64,
    /// Whether a person asked for it.
    #[n(1)]
    pub(crate) requested: bool,
    /// Present where only other nodes of this clinic are asked: it is too large to come from
    /// others by itself.
    #[n(2)]
    own_nodes: Option<bool>,
}

/// Why attachments are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A person asked for them.
    Requested,
    /// They come by themselves, whoever has them.
    ByItself,
    /// The clinic saved them, and each of its nodes is to hold them.
    OfOwnNodes,
}

impl Want {
    pub(crate) fn shape(&self) -> Option<Shape> {
        Shape::new(self.length).ok()
    }

    /// Whether only other nodes of this clinic are asked for it.
    pub(crate) fn is_of_own_nodes(&self) -> bool {
        self.own_nodes == Some(true)
    }
}

impl Wants {
    /// What was wanted when the store was last open.
    pub(crate) fn read(store: &Store) -> Result<Self, ClinicError> {
        let mut wants = Self::default();
        for pair in store.scan_prefix(Space::Attachments, &[]) {
            let (key, value) = pair?;
            if let (Some(name), Ok(want)) = (name_of(&key), minicbor::decode(&value)) {
                wants.wanted.insert(name, want);
            }
        }
        Ok(wants)
    }

    /// Everything that is wanted.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&AttachmentName, &Want)> {
        self.wanted.iter()
    }

    /// How often what is wanted has changed since the store was opened.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// How often a person has asked for something since the store was opened: each time everybody
    /// is asked anew.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    fn insert(&mut self, wanted: BTreeMap<AttachmentName, Want>) {
        self.changes = self.changes.wrapping_add(u64::from(!wanted.is_empty()));
        self.wanted.extend(wanted);
    }

    /// Says whether it was wanted.
    fn remove(&mut self, name: &AttachmentName) -> bool {
        let was_wanted = self.wanted.remove(name).is_some();
        self.changes = self.changes.wrapping_add(u64::from(was_wanted));
        was_wanted
    }

    /// What is wanted of one attachment.
    pub(crate) fn get(&self, name: &AttachmentName) -> Option<&Want> {
        self.wanted.get(name)
    }

    /// Takes a piece for a session; says whether no other one has it.
    pub(crate) fn take(&mut self, name: AttachmentName, piece: u32) -> bool {
        self.asked.insert((name, piece))
    }

    /// A session does not wait for a piece any more.
    pub(crate) fn release(&mut self, name: AttachmentName, piece: u32) {
        self.asked.remove(&(name, piece));
    }

    /// Whether a session waits for anything of these.
    pub(crate) fn is_asked(&self, name: &AttachmentName) -> bool {
        let range = (*name, 0)..=(*name, u32::MAX);
        self.asked.range(range).next().is_some()
    }

    /// Whether nothing is to be asked for now: the disk is full.
    pub(crate) fn is_paused(&self, now_ms: u64) -> bool {
        now_ms < self.paused_until_ms
    }

    /// The disk is full.
    pub(crate) fn pause(&mut self, now_ms: u64) {
        self.paused_until_ms = now_ms.saturating_add(FULL_PAUSE_MS);
    }
}

pub(crate) fn key_of(name: &AttachmentName) -> Vec<u8> {
    let AttachmentPlace { chart, compartment } = name.place;
    [
        chart.as_bytes().as_slice(),
        compartment.as_bytes(),
        name.id.as_bytes(),
    ]
    .concat()
}

pub(crate) fn name_of(key: &[u8]) -> Option<AttachmentName> {
    let (chart, rest) = key.split_at_checked(ChartId::LEN)?;
    let (compartment, id) = rest.split_at_checked(CompartmentTag::LEN)?;
    Some(AttachmentName {
        place: AttachmentPlace {
            chart: ChartId::try_from(chart).ok()?,
            compartment: CompartmentTag::try_from(compartment).ok()?,
        },
        id: AttachmentId::try_from(id).ok()?,
    })
}

/// An attachment of a chart, with the resource that it stands in.
pub(crate) struct Found {
    pub(crate) resource: chartmesh_crdt::Resource,
    pub(crate) literal: String,
    pub(crate) place: AttachmentPlace,
    pub(crate) mark: Option<Mark>,
}

impl Found {
    /// The attachment, where its mark reads.
    pub(crate) fn name(&self) -> Option<(AttachmentName, Shape)> {
        let mark = self.mark.as_ref()?;
        let name = AttachmentName {
            place: self.place,
            id: mark.id,
        };
        Some((name, mark.shape))
    }
}

/// The attachments of a chart, each as often as it stands there.
pub(crate) fn found_in(open: &OpenChart) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, resource) in open.placed_resources() {
        let Some(compartment) = open.tag(&name) else {
            continue;
        };
        let chart = open.id();
        for literal in resource.marks() {
            found.push(Found {
                literal: literal.to_owned(),
                place: AttachmentPlace { chart, compartment },
                mark: read_mark(literal).ok(),
                resource: resource.clone(),
            });
        }
    }
    found
}

impl Clinic {
    pub(crate) fn wants(&self) -> MutexGuard<'_, Wants> {
        // What was asked for and not released is asked for again after a restart at the latest.
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that attachments are wanted, those that are not here whole. Returns these.
    pub(crate) fn want(
        &self,
        found: Vec<(AttachmentName, Shape)>,
        wish: Wish,
        looked: Option<(ChartId, Vec<u8>)>,
    ) -> Result<Vec<(AttachmentName, Shape)>, ClinicError> {
        let mut lacking = BTreeMap::new();
        for (name, shape) in found {
            if !lock(&*self.blob(&name, shape)?).is_whole() {
                let before = self.wants().get(&name).copied();
                let of_all = before.is_some_and(|want| !want.is_of_own_nodes());
                let is_of_own = wish == Wish::OfOwnNodes && !of_all;
                let want = Want {
                    length: shape.length(),
                    requested: wish == Wish::Requested || before.is_some_and(|want| want.requested),
                    own_nodes: is_of_own.then_some(true),
                };
                lacking.insert(name, want);
            }
        }
        let mut batch = Batch::new();
        for (name, want) in &lacking {
            batch.put(Space::Attachments, key_of(name), items::encode(want)?);
        }
        self.store.commit_with(move |view| {
            let mut batch = batch;
            if let Some((chart, mark)) = looked
                && view.get(Space::Unlooked, chart.as_bytes())? == Some(mark)
            {
                batch.delete(Space::Unlooked, chart.as_bytes().to_vec());
            }
            Ok::<_, ClinicError>((batch, ()))
        })?;
        let shaped = |(name, want): (&AttachmentName, &Want)| Some((*name, want.shape()?));
        let names = lacking.iter().filter_map(shaped).collect();
        let mut wants = self.wants();
        wants.insert(lacking);
        let is_request = wish == Wish::Requested;
        wants.requests = wants.requests.wrapping_add(u64::from(is_request));
        drop(wants);
        Ok(names)
    }

    /// An attachment has come and is here whole: it is not wanted any more.
    pub(crate) fn is_fetched(
        &self,
        name: &AttachmentName,
        shape: Shape,
    ) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        self.note_come(&mut batch, name, shape)?;
        if self.wants().remove(name) {
            batch.delete(Space::Attachments, key_of(name));
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }
}
