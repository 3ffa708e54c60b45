//! A node's word of which attachments it wants to fetch from a relay.
//!
//! Attachments are not put at a relay for whoever may read them: most are never looked at. A node
//! that wants some says so in the boxes that its clinic has with the others, and opens the box of
//! each of them; whoever has one and may give it puts its pieces there. The newest request of a
//! node takes the place of those before; one that names nothing says that nothing is wanted any
//! more. What has come is told along with what is still wanted.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::attachment::{AttachmentName, Shape};
use crate::codec::{self, Bounded, CodecError, at_most};
use crate::id::NodeId;
use crate::identity::{Context, NodeKey, Signable, SignedError, Verified};
use crate::limits::MAX_REQUEST_ATTACHMENTS;
use crate::time::HybridTime;

const VERSION: u8 = 1;
/// A full request: 256 attachments of some 70 bytes, and as many that are there.
const MAX_REQUEST_BYTES: usize = 40 * 1024;

/// One attachment that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WantedAttachment {
    /// The attachment.
    #[n(0)]
    pub name: AttachmentName,
    /// The bytes of its content; see [`Shape`].
    #[n(1)]
    pub length: u64,
}

impl WantedAttachment {
    /// How many pieces it has; none for a length that no attachment has.
    pub fn shape(&self) -> Option<Shape> {
        Shape::new(self.length).ok()
    }
}

/// All attachments that a node wants of one other clinic through one relay.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Request {
    /// The relay's node: the word counts at no other.
    #[n(0)]
    pub relay: NodeId,
    /// The node that wants them, which signs.
    #[n(1)]
    pub asker: NodeId,
    /// When: of two requests of a node, the later holds.
    #[n(2)]
    pub at: HybridTime,
    /// What is wanted, the most wanted first, without doubles.
    #[n(3)]
    pub wanted: Vec<WantedAttachment>,
    /// What the request before it asked for and what is there whole now, without doubles: whoever
    /// saved it is to know.
    #[n(4)]
    pub held: Vec<AttachmentName>,
}

impl Request {
    /// How many attachments one request can name.
    pub const MOST: usize = MAX_REQUEST_ATTACHMENTS;

    /// Signs it. Fails when the key is another node's, or when it names too much.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn issue(self, key: &NodeKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for Request {
    fn check(&self) -> Result<(), CodecError> {
        at_most("wanted", self.wanted.len(), MAX_REQUEST_ATTACHMENTS)?;
        let out_of_bounds = |what| Err(CodecError::OutOfBounds { what });
        if self.wanted.iter().any(|one| one.shape().is_none()) {
            return out_of_bounds("length");
        }
        let names: BTreeSet<&AttachmentName> = self.wanted.iter().map(|one| &one.name).collect();
        if names.len() != self.wanted.len() {
            return out_of_bounds("wanted");
        }
        at_most("held", self.held.len(), MAX_REQUEST_ATTACHMENTS)?;
        let held: BTreeSet<&AttachmentName> = self.held.iter().collect();
        if held.len() != self.held.len() || !held.is_disjoint(&names) {
            return out_of_bounds("held");
        }
        Ok(())
    }
}

impl Signable for Request {
    const CONTEXT: Context = Context::new("attachment request");
    const MOST_BYTES: usize = MAX_REQUEST_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_REQUEST_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.asker.as_bytes()
    }
}
