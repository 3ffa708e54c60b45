//! The key of a mailbox, derived from a secret that its users share.

use core::cmp::Ordering;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::attachment::{AttachmentKey, AttachmentName};
use crate::id::{ChartId, CompartmentTag, MailboxId};
use crate::identity::{Context, SharedSecret, Signature, sign};
use crate::seal::EpochKey;

const EPOCH_CONTEXT: &str = "chartmesh 2026-11 mailbox of an epoch";
const PAIR_CONTEXT: &str = "chartmesh 2026-11 mailbox of a pair of clinics";
const ATTACHMENT_CONTEXT: &str = "chartmesh 2026-11 mailbox of an attachment";
const SIGNING_CONTEXT: &str = "chartmesh 2026-11 mailbox signing key";
const CIPHER_CONTEXT: &str = "chartmesh 2026-11 mailbox cipher key";
const NONCE_CONTEXT: &str = "chartmesh 2026-11 mailbox nonce key";

/// The key of one mailbox: who has it can put, read and admit. No `Debug`; zeroised when dropped.
pub struct MailboxKey {
    secret: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

impl MailboxKey {
    /// The box for the records of a compartment that are sealed under an epoch.
    pub fn of_epoch(chart: &ChartId, compartment: &CompartmentTag, key: &EpochKey) -> Self {
        let parts = [chart.as_bytes().as_slice(), compartment.as_bytes()];
        Self::from_bytes(key.derive(EPOCH_CONTEXT, &parts))
    }

    /// The box for the statements that two clinics share.
    pub fn of_pair(secret: &SharedSecret) -> Self {
        Self::from_bytes(secret.derive(PAIR_CONTEXT))
    }

    /// The box for the pieces of an attachment. Only who has a record with its mark has its key:
    /// who may read the compartment from a later day on, and was asked for it, has no way in.
    pub fn of_attachment(name: &AttachmentName, key: &AttachmentKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(ATTACHMENT_CONTEXT);
        hasher.update(name.place.chart.as_bytes());
        hasher.update(name.place.compartment.as_bytes());
        hasher.update(name.id.as_bytes());
        hasher.update(key.to_bytes().as_ref());
        Self::from_bytes(Zeroizing::new(*hasher.finalize().as_bytes()))
    }

    /// The key with these bytes, as `to_bytes` gave them.
    pub fn from_bytes(secret: Zeroizing<[u8; 32]>) -> Self {
        let seed = Zeroizing::new(blake3::derive_key(SIGNING_CONTEXT, secret.as_ref()));
        Self {
            signing: SigningKey::from_bytes(&seed),
            secret,
        }
    }

    /// The bytes, to be stored sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.clone()
    }

    /// The box's name.
    pub fn id(&self) -> MailboxId {
        MailboxId::new(self.signing.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, context: Context, bytes: &[u8]) -> Signature {
        sign(&self.signing, context, bytes)
    }

    pub(super) fn cipher_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(CIPHER_CONTEXT, self.secret.as_ref()))
    }

    pub(super) fn nonce_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(NONCE_CONTEXT, self.secret.as_ref()))
    }
}

impl PartialEq for MailboxKey {
    fn eq(&self, other: &Self) -> bool {
        self.id().cmp(&other.id()) == Ordering::Equal
    }
}

impl Eq for MailboxKey {}
