//! The incarnations of the store: a new one at its first start, in a folder that is a copy, and
//! whenever a peer proves that it had written more than it remembers.

use std::path::Path;
use std::sync::PoisonError;

use chartmesh_protocol::Incarnation;
use chartmesh_protocol::reconcile::StoreIncarnation;
use rand::RngExt;

use super::{Clinic, ClinicError, Surroundings, items};
use crate::chance::Chance;
use crate::store::{Batch, Space, Store};

/// Where the incarnations stand.
const STORE_INCARNATION: &[u8] = b"store incarnation";
const AUTHOR_INCARNATION: &[u8] = b"author incarnation";

/// The random numbers of this life of the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incarnations {
    store: StoreIncarnation,
    author: Incarnation,
}

impl Clinic {
    pub(crate) fn author_incarnation(&self) -> Incarnation {
        self.incarnations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .author
    }

    pub(crate) fn store_incarnation(&self) -> StoreIncarnation {
        self.incarnations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .store
    }

    /// Draws new incarnations: the store has lost something that others have seen of it.
    /// Not under a writer: the changes of a record are made by an actor of the same incarnation.
    pub(crate) fn draw_incarnations(&self) -> Result<(), ClinicError> {
        let _writing = self.writing();
        let drawn = Incarnations::draw(&self.store, &mut self.chance())?;
        *self
            .incarnations
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = drawn;
        self.open_all_anew();
        Ok(())
    }
}

impl Incarnations {
    /// Draws those of a new store, and notes where it lies.
    pub(super) fn begin(
        surroundings: &Surroundings,
        dir: &Path,
        store: &Store,
    ) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        draw_into(&mut batch, &mut surroundings.chance.clone());
        surroundings.instance.look(dir, store)?.note(&mut batch);
        store.commit(batch)?;
        Ok(())
    }

    /// The incarnations to go on with: new ones in a folder that is a copy.
    pub(super) fn at_start(
        surroundings: &Surroundings,
        dir: &Path,
        store: &Store,
    ) -> Result<Self, ClinicError> {
        let mut rng = surroundings.chance.clone();
        let found = surroundings.instance.look(dir, store)?;
        let mut batch = Batch::new();
        found.note(&mut batch);
        if !found.is_copy {
            let read = Self::read(store, &mut rng)?;
            // Not noted is looked at again next time.
            if found.is_news() {
                drop(store.commit(batch));
            }
            return Ok(read);
        }
        tracing::warn!("the data folder was copied or put back from a backup: it begins anew");
        let drawn = draw_into(&mut batch, &mut rng);
        if let Err(error) = store.commit(batch) {
            // A store that takes no writes numbers nothing wrong; the next start draws again.
            tracing::warn!(%error, "the new beginning is not written down");
        }
        Ok(drawn)
    }

    fn draw(store: &Store, rng: &mut Chance) -> Result<Self, ClinicError> {
        let mut batch = Batch::new();
        let drawn = draw_into(&mut batch, rng);
        store.commit(batch)?;
        Ok(drawn)
    }

    fn read(store: &Store, rng: &mut Chance) -> Result<Self, ClinicError> {
        let of_store = store.get(Space::Meta, STORE_INCARNATION)?;
        let author = store.get(Space::Meta, AUTHOR_INCARNATION)?;
        let read = || {
            let of_store = items::number(of_store.as_deref()?)?;
            let author = u32::from_be_bytes(author.as_deref()?.try_into().ok()?);
            Some(Self {
                store: StoreIncarnation::new(of_store),
                author: Incarnation::new(author),
            })
        };
        // A store without them is one whose loss was total: it begins a new life.
        read().map_or_else(|| Self::draw(store, rng), Ok)
    }
}

/// Draws incarnations and adds them to a batch.
fn draw_into(batch: &mut Batch, rng: &mut Chance) -> Incarnations {
    let (of_store, author): (u64, u32) = (rng.random(), rng.random());
    batch
        .put(
            Space::Meta,
            STORE_INCARNATION.to_vec(),
            of_store.to_be_bytes().to_vec(),
        )
        .put(
            Space::Meta,
            AUTHOR_INCARNATION.to_vec(),
            author.to_be_bytes().to_vec(),
        );
    Incarnations {
        store: StoreIncarnation::new(of_store),
        author: Incarnation::new(author),
    }
}
