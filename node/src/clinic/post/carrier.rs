//! The post as a session with a relay sees it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::reconcile::{Cursor, FeedNumber, ItemId, SharedDigests, StoreIncarnation};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Refusal, Wanted};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};

use super::{Post, Relay};
use crate::clinic::peer_book::PeerBook;
use crate::clinic::peer_store::{PeerStore, Standing};
use crate::clinic::{Clinic, ClinicError, Delivery, Refused, items};

/// How often charts are looked through for attachments before a visit is over: a second's work. The
/// rest waits for the next one.
const LOOKS_AT_ONCE: usize = 8;

/// The post at one relay, for a session with it.
pub(crate) struct Carrier {
    book: PeerBook,
    post: Arc<Mutex<Post>>,
}

impl Carrier {
    /// The post for a relay whom the transport has authenticated.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be read or the relay's key is not usable.
    pub(crate) fn open(clinic: Arc<Clinic>, node: NodeId) -> Result<Self, ClinicError> {
        let book = PeerBook::open(clinic, node)?;
        let owner = book.clinic_of_peer().ok_or(ClinicError::NotFound {
            what: "relay",
            look: "peer list",
        })?;
        let relay = Relay {
            node,
            clinic: owner,
        };
        let post = book.clinic.post_at(relay, &book.pair_key)?;
        let carrier = Self { book, post };
        carrier.lock().open_pairs(carrier.clinic())?;
        carrier.lock().refresh(carrier.clinic())?;
        Ok(carrier)
    }

    /// Which of these items the relay is known to hold.
    pub(super) fn holds_of(&self, items: &[ItemId]) -> BTreeSet<ItemId> {
        let post = self.lock();
        let lies = |id: &&ItemId| {
            let mut places = post.places_of(id.as_bytes());
            places.any(|number| self.is_held(number))
        };
        items.iter().filter(lies).copied().collect()
    }

    /// Whether the relay is known to hold something of what is shared with a clinic, and may carry
    /// what comes.
    pub(super) fn carries_to(&self, other: &ClinicId) -> Result<bool, ClinicError> {
        let (clinic, post) = (self.clinic(), self.lock());
        let mut looked = BTreeSet::new();
        for (number, id) in post.items_for(other) {
            if !self.is_held(number) {
                continue;
            }
            if let Some(stored) = items::stored(&clinic.store, &id)?
                && looked.insert(stored.chart)
            {
                let decision = clinic.decide(clinic.ledger(&stored.chart)?.as_ref());
                if decision.may_relay_any(&post.relay.clinic) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn clinic(&self) -> &Clinic {
        &self.book.clinic
    }

    /// The post, with everything that the store has accepted. A store that cannot be read shows as
    /// one that has nothing more: the session then ends by its digests.
    fn fresh(&self) -> MutexGuard<'_, Post> {
        let mut post = self.lock();
        if let Err(error) = post.refresh(self.clinic()) {
            tracing::error!(%error, "what is to be put at a relay cannot be read");
        }
        post
    }

    /// A panic while it was held leaves nothing worse than work to do.
    fn lock(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held(&self, number: u64) -> bool {
        number <= self.book.held_by_peer().value() || self.book.is_held(number)
    }

    /// Looks through some of the charts of which something came, for attachments that come by
    /// themselves; says whether there are more.
    fn look_for_attachments(&self) -> Result<bool, ClinicError> {
        let clinic = self.clinic();
        if !clinic.may_fetch_attachments(0) {
            return Ok(false);
        }
        clinic.look_for_attachments()
    }

    /// Asks for what is wanted of attachments, and gives what others ask for. Says whether there
    /// may be more to ask for.
    fn exchange_parcels(&self) -> Result<bool, ClinicError> {
        let clinic = self.clinic();
        let more = self.look_for_attachments()?;
        let mut post = self.fresh();
        let before = post.newest();
        post.exchange_parcels(clinic, false)?;
        let is_more = post.newest() != before;
        drop(post);
        if is_more {
            clinic.changed(&[], true);
        }
        Ok(more)
    }

    fn take(&self, deliveries: &[Delivery]) -> Result<Option<(usize, Refusal)>, ClinicError> {
        let clinic = self.clinic();
        let mut post = self.lock();
        let (mut letters, mut refused) = (Vec::new(), None);
        for (place, delivery) in deliveries.iter().enumerate() {
            match post.receive(clinic, delivery)? {
                Ok(letter) => letters.extend(letter),
                Err(refusal) => {
                    refused = Some((place, refusal));
                    break;
                }
            }
        }
        let (numbers, behind) = post.take_in(clinic, letters)?;
        post.table.write(&clinic.store)?;
        let is_asked = post.parcels_due;
        drop(post);
        self.book.acknowledged(numbers)?;
        if is_asked {
            clinic.changed(&[], true);
        }
        if behind {
            clinic.draw_incarnations()?;
        }
        Ok(refused)
    }
}

impl PeerStore for Carrier {
    fn book(&self) -> &PeerBook {
        &self.book
    }
    fn owed_out(&self) -> u64 {
        self.fresh().unsent(&|number| self.is_held(number))
    }
    fn unsent_items(&self) -> Vec<ItemId> {
        self.fresh().unsent_items(&|number| self.is_held(number))
    }
    fn unsent_pieces(&self) -> u64 {
        self.fresh().unsent_pieces(&|number| self.is_held(number))
    }
    fn standing(&self) -> Standing {
        let owed_out = self.owed_out();
        let post = self.lock();
        Standing {
            owed_out,
            shares: post.is_used(),
            withheld: post.table.withheld(&self.clinic().store).unwrap_or(0),
            is_full: post.are_pieces_paused(self.clinic().now_ms()),
            ..Standing::default()
        }
    }
    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        self.clinic().check_own_end().map_err(Refused::ours)?;
        let taken = self.take(deliveries);
        match taken.map_err(|error| Refused::fault(0, error))? {
            Some((stored, refusal)) => Err(Refused::item(stored, refusal)),
            None => Ok(()),
        }
    }
    fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        // While nothing is put, there is more below this number than the relay has.
        if self.lock().are_pieces_paused(self.clinic().now_ms()) {
            return Ok(());
        }
        self.book.peer_holds(upto)
    }
    /// What was fetched may be what something else waited for, and may have opened boxes.
    fn confirmed(&self) -> Result<(), ClinicError> {
        self.book.confirmed()?;
        let clinic = self.clinic();
        for _ in 0..LOOKS_AT_ONCE {
            if !self.look_for_attachments()? {
                break;
            }
        }
        let mut post = self.fresh();
        let before = post.newest();
        let behind = post.try_waiting(clinic)?;
        post.look_for_withheld(clinic)?;
        // What did not fit is not there, and nobody is to look for it.
        if !post.is_paused(clinic.now_ms()) {
            post.light(clinic)?;
            post.give_receipts(clinic)?;
        }
        post.exchange_parcels(clinic, true)?;
        post.fetch_again(clinic)?;
        let is_more = post.newest() != before;
        drop(post);
        if behind {
            clinic.draw_incarnations()?;
        }
        if is_more {
            // To be put with what comes next.
            clinic.changed(&[], true);
        }
        clinic.finish_ends(&|_| ())?;
        clinic.pay_owing()
    }
    fn is_full(&self) {
        let now = self.clinic().now_ms();
        self.lock().is_full(now, &|number| self.is_held(number));
    }
}

impl Holdings for Carrier {
    fn incarnation(&self) -> StoreIncarnation {
        self.clinic().store_incarnation()
    }
    fn newest(&self) -> FeedNumber {
        self.fresh().newest()
    }
    fn cursor(&self) -> Option<Cursor> {
        self.book.cursor()
    }
    fn time(&self) -> HybridTime {
        self.clinic().tick()
    }
    fn digests(&self) -> SharedDigests {
        let now = self.clinic().now_ms();
        self.fresh().digests(now, &|number| self.is_held(number))
    }
    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let now = self.clinic().now_ms();
        let is_held = |number| self.book.is_held(number);
        self.fresh().owed(now, after.value(), &is_held)
    }
    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        let now = self.clinic().now_ms();
        self.fresh()
            .shared(now, kind, &|number| self.is_held(number))
    }
    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        self.fresh().bytes(self.clinic(), id).ok().flatten()
    }
    fn certificates_for(&self, _: &ItemId) -> Vec<CertificateHash> {
        Vec::new()
    }
    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.clinic().certificate(hash)
    }
    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.book.certificate()
    }
    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.clinic().talks_to(clinic)
    }
    /// A relay is asked for no pieces: they lie in boxes. What is wanted is asked of others.
    fn wanted(&self, _: usize) -> Wanted {
        let more = self.exchange_parcels().unwrap_or_else(|error| {
            tracing::error!(%error, "attachments cannot be asked for or given");
            false
        });
        Wanted {
            pieces: Vec::new(),
            more,
        }
    }
    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.clinic().is_cut_off(clinic, node)
    }
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        self.clinic().revocation_bytes(clinic, node)
    }
}
