//! What a commit sees while it is being prepared.

use std::collections::btree_map;
use std::iter::Peekable;

use super::commit::CommitNumber;
use super::engine::{Engine, Pair, Pairs, Pending};
use super::error::StoreError;
use super::read::{FullBounds, KeyValue, bounds_of_prefix, open_pair, short_key};
use super::seal::Sealer;
use super::space::Space;

/// The store as it is for the one commit that is prepared now: with every earlier write, also
/// those of its group that are not durable yet. No other write happens meanwhile.
pub struct View<'v> {
    engine: &'v Engine,
    pending: &'v Pending,
    sealer: &'v Sealer,
    next: u64,
}

impl<'v> View<'v> {
    pub(super) fn new(
        engine: &'v Engine,
        pending: &'v Pending,
        sealer: &'v Sealer,
        next: u64,
    ) -> Self {
        Self {
            engine,
            pending,
            sealer,
            next,
        }
    }

    /// The number that this commit gets, unless its batch is empty.
    #[must_use]
    pub fn commit(&self) -> CommitNumber {
        CommitNumber::new(self.next)
    }

    /// The value at `key` of `space`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = space.full_key(key);
        match self.pending.get(&key) {
            Some(Some(sealed)) => self.sealer.open(&key, sealed).map(Some),
            Some(None) => Ok(None),
            None => match self.engine.get(&key)? {
                Some(sealed) => self.sealer.open(&key, &sealed).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Whether there is a value at `key` of `space`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn contains(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        let key = space.full_key(key);
        match self.pending.get(&key) {
            Some(sealed) => Ok(sealed.is_some()),
            None => Ok(self.engine.get(&key)?.is_some()),
        }
    }

    /// The keys and values of `space` whose keys start with `prefix`, ascending.
    #[must_use]
    pub fn scan_prefix(&self, space: Space, prefix: &[u8]) -> ViewScan<'v> {
        let bounds = bounds_of_prefix(space, prefix);
        ViewScan {
            stored: self
                .engine
                .range(bounds.0.clone(), bounds.1.clone())
                .peekable(),
            pending: self.pending.range(bounds).peekable(),
            sealer: self.sealer,
        }
    }

    /// The last key of `space` that starts with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn last_key(&self, space: Space, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let bounds = bounds_of_prefix(space, prefix);
        let stored = self.last_stored(bounds.clone())?;
        let mut pending = self.pending.range(bounds).rev();
        let pending = pending
            .find(|(_, sealed)| sealed.is_some())
            .map(|(key, _)| short_key(key));
        Ok(stored.max(pending))
    }

    /// The last stored key that is not about to be deleted.
    fn last_stored(&self, bounds: FullBounds) -> Result<Option<Vec<u8>>, StoreError> {
        for pair in self.engine.range(bounds.0, bounds.1).rev() {
            let (key, _) = pair?;
            if self.pending.get(key.as_ref()) != Some(&None) {
                return Ok(Some(short_key(&key)));
            }
        }
        Ok(None)
    }
}

/// The keys and values of a prefix in a [`View`], ascending.
pub struct ViewScan<'v> {
    stored: Peekable<Pairs>,
    pending: Peekable<btree_map::Range<'v, Vec<u8>, Option<Vec<u8>>>>,
    sealer: &'v Sealer,
}

/// Where the next pair of a [`ViewScan`] comes from.
enum Next<'v> {
    Stored(Result<Pair, StoreError>),
    Pending(&'v [u8], &'v Option<Vec<u8>>),
}

impl<'v> ViewScan<'v> {
    /// The lesser of both; of two equal keys the pending one, and the stored one is passed.
    fn step(&mut self) -> Option<Next<'v>> {
        let stored = match self.stored.peek() {
            Some(Ok((key, _))) => Some(key.clone()),
            Some(Err(_)) => return self.stored.next().map(Next::Stored),
            None => None,
        };
        let take_pending = match (&stored, self.pending.peek()) {
            (Some(stored), Some((pending, _))) => pending.as_slice() <= stored.as_ref(),
            (None, pending) => pending.is_some(),
            (Some(_), None) => false,
        };
        if !take_pending {
            return self.stored.next().map(Next::Stored);
        }
        let (key, sealed) = self.pending.next()?;
        if stored.is_some_and(|stored| stored.as_ref() == key.as_slice()) {
            self.stored.next();
        }
        Some(Next::Pending(key, sealed))
    }
}

impl Iterator for ViewScan<'_> {
    type Item = Result<KeyValue, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            return match self.step()? {
                Next::Pending(_, None) => continue,
                Next::Pending(key, Some(sealed)) => Some(open_pair(self.sealer, key, sealed)),
                Next::Stored(Ok((key, sealed))) => Some(open_pair(self.sealer, &key, &sealed)),
                Next::Stored(Err(error)) => Some(Err(error)),
            };
        }
    }
}
