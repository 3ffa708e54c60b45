//! The word of a box that a node fetches from it, or does so no more.

use minicbor::{Decode, Encode};

use super::mailbox::MailboxKey;
use crate::codec::{self, Bounded, CodecError};
use crate::id::{MailboxId, NodeId};
use crate::identity::{Context, Signable, SignedError, Verified};
use crate::reconcile::ItemId;
use crate::time::HybridTime;

const VERSION: u8 = 1;
/// An access with its signature: 160 bytes of keys and a few numbers.
const MAX_ACCESS_BYTES: usize = 256;

/// A node fetches from a box, or does so no more. Of two for one node and box, the later holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Access {
    /// The box, which signs.
    #[n(0)]
    pub mailbox: MailboxId,
    /// The node.
    #[n(1)]
    pub node: NodeId,
    /// Whether it fetches from now on, or ceases to.
    #[n(2)]
    pub opens: bool,
    /// Whether what is in the box goes before what is in others: what an emergency needs.
    #[n(3)]
    pub first: bool,
    /// When it was said.
    #[n(4)]
    pub at: HybridTime,
}

impl Access {
    /// Signs it with the key of its box.
    ///
    /// # Errors
    /// [`SignedError`] when the key is another box's.
    pub fn issue(self, key: &MailboxKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for Access {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Signable for Access {
    const CONTEXT: Context = Context::new("mailbox access");
    const MOST_BYTES: usize = MAX_ACCESS_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_ACCESS_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.mailbox.as_bytes()
    }
}

impl Verified<Access> {
    /// Its name in the sync session.
    pub fn item_id(&self) -> ItemId {
        ItemId::new(*self.digest())
    }
}
