//! What the sender of a part says of itself: the first block.

use minicbor::{Decode, Encode};

use super::super::frame::{Frame, FrameReader};
use super::super::hello::Hello;
use super::BundleError;
use super::head::PartHead;
use crate::codec::{self, Bounded, CodecError};
use crate::id::CertificateHash;
use crate::identity::{Context, NodeCertificate, NodeKey, Signature, Verified, verify};
use crate::reconcile::{Cursor, FeedNumber, SharedDigests, StoreIncarnation};
use crate::time::HybridTime;

/// The use of the sender's signature.
const CONTEXT: Context = Context::new("bundle");

/// What the sender of a bundle says of its store, verified to be the sender's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The sender, as its clinic certified it. Whether that clinic is known is for the recipient
    /// to decide.
    pub certificate: Verified<NodeCertificate>,
    /// The certificate of the node that the bundle was made for, as far as the sender holds it. Any
    /// node of the clinic can open it, but `after`, `cursor` and `digests` are between these two.
    pub known: Option<CertificateHash>,
    /// The sender's store.
    pub incarnation: StoreIncarnation,
    /// The newest number of its feed.
    pub newest: FeedNumber,
    /// The bundle has everything of the feed from here on that the recipient may have.
    pub after: FeedNumber,
    /// How far the sender has followed the recipient's feed.
    pub cursor: Option<Cursor>,
    /// Over what the sender shares with the recipient.
    pub digests: SharedDigests,
    /// The sender's hybrid time.
    pub time: HybridTime,
}

/// What stands before the HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Attestation {
    #[n(0)]
    after: FeedNumber,
    /// By the sender's node, over the part's head, `after` and the HELLO.
    #[n(1)]
    signature: Signature,
}

impl Bounded for Attestation {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

fn message(head: &PartHead, after: FeedNumber, hello: &[u8]) -> Vec<u8> {
    let after = after.value().to_be_bytes();
    [head.encode().as_slice(), &after, hello].concat()
}

/// The plain text of the first block.
pub(super) fn write(
    head: &PartHead,
    after: FeedNumber,
    hello: Hello,
    certificate: &Verified<NodeCertificate>,
    node: &NodeKey,
) -> Vec<u8> {
    let mut frames = Vec::new();
    Frame::Hello(hello).write(&mut frames);
    let signature = node.sign(CONTEXT, &message(head, after, &frames));
    let mut plain = codec::encode(&Attestation { after, signature });
    plain.append(&mut frames);
    Frame::Certificate(certificate.to_bytes()).write(&mut plain);
    plain
}

/// Reads the plain text of the first block.
pub(super) fn read(head: &PartHead, plain: &[u8]) -> Result<Opening, BundleError> {
    let content = BundleError::Content { block: 0 };
    let mut decoder = minicbor::Decoder::new(plain);
    decoder.skip().map_err(|_| content.clone())?;
    let (attestation, frames) = plain
        .split_at_checked(decoder.position())
        .unwrap_or_default();
    let Attestation { after, signature } =
        codec::decode(attestation).map_err(|_| content.clone())?;
    let mut reader = FrameReader::default();
    reader.push(frames);
    let mut next = || {
        reader
            .next_frame()
            .map_err(|error| BundleError::Frame { block: 0, error })
    };
    let (Some(Frame::Hello(hello)), Some(Frame::Certificate(certificate)), None) =
        (next()?, next()?, next()?)
    else {
        return Err(content);
    };
    let certificate = Verified::<NodeCertificate>::decode(&certificate)?;
    if certificate.hash() != hello.certificate {
        return Err(content);
    }
    let mut said = Vec::new();
    Frame::Hello(hello).write(&mut said);
    let node = certificate.payload().node;
    verify(
        CONTEXT,
        node.as_bytes(),
        &message(head, after, &said),
        &signature,
    )?;
    let standing = hello.standing;
    Ok(Opening {
        certificate,
        known: hello.known,
        incarnation: standing.incarnation,
        newest: standing.newest,
        after,
        cursor: standing.cursor,
        digests: standing.digests,
        time: hello.time,
    })
}
