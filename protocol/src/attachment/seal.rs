//! Making and opening chunks.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::outline::id_of;
use super::shape::{CHUNK_BYTES, Shape, ShapeError};
use crate::cipher::{self, NONCE_LEN};
use crate::id::{AttachmentId, ChartId, CompartmentTag};

const CHUNK_CONTEXT: &[u8] = b"chartmesh/1 attachment chunk\0";

/// The key of one content. No `Debug`; zeroised when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachmentKey(Zeroizing<[u8; 32]>);

impl AttachmentKey {
    /// A new key from a cryptographic random generator. It must serve one content only.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the mark, and for the key of the attachment's mailbox.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }
}

/// Where an attachment belongs: a chunk opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct AttachmentPlace {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The compartment.
    #[n(1)]
    pub compartment: CompartmentTag,
}

/// An attachment among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct AttachmentName {
    /// Where it belongs.
    #[n(0)]
    pub place: AttachmentPlace,
    /// What it is.
    #[n(1)]
    pub id: AttachmentId,
}

/// Why a chunk does not open. Who sealed it is at fault: it was verified to be what was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// It was not sealed with this key for this place.
    #[error("chunk {chunk} does not open with the attachment's key")]
    NotAuthentic {
        /// Its number.
        chunk: u32,
    },
    /// The cipher refused. It does so only beyond 256 GiB.
    #[error("a chunk cannot be sealed")]
    Cipher,
}

/// Seals a content, and hands each piece with its number to `keep`: first the chunks, in their
/// order, and then the lists. Returns the attachment's id.
///
/// # Errors
/// [`ShapeError`] and [`ChunkError`] for what cannot be sealed, and what `keep` returns.
pub fn seal_content<E, K>(
    key: &AttachmentKey,
    place: &AttachmentPlace,
    content: &[u8],
    mut keep: K,
) -> Result<AttachmentId, E>
where
    E: From<ShapeError> + From<ChunkError>,
    K: FnMut(u32, &[u8]) -> Result<(), E>,
{
    let shape = Shape::new(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
    let additional = additional(place);
    let mut pages: Vec<Vec<u8>> = Vec::new();
    for (chunk, plain) in (0..shape.chunks()).zip(content.chunks(CHUNK_BYTES)) {
        let sealed = cipher::seal(&key.0, &nonce(chunk), &additional, plain)
            .map_err(|_| ChunkError::Cipher)?;
        keep(shape.first_chunk().saturating_add(chunk), &sealed)?;
        let (_, at) = shape.place_of(chunk);
        if at == 0 {
            pages.push(Vec::new());
        }
        if let Some(page) = pages.last_mut() {
            page.extend_from_slice(blake3::hash(&sealed).as_bytes());
        }
    }
    let mut root = Vec::new();
    for (number, page) in (1..).zip(&pages) {
        keep(number, page)?;
        root.extend_from_slice(blake3::hash(page).as_bytes());
    }
    keep(0, &root)?;
    Ok(id_of(&shape, &root))
}

/// Opens a chunk that was verified.
///
/// # Errors
/// [`ChunkError::NotAuthentic`] when it was not sealed with this key for this place.
pub fn open_chunk(
    key: &AttachmentKey,
    place: &AttachmentPlace,
    chunk: u32,
    sealed: &[u8],
) -> Result<Vec<u8>, ChunkError> {
    cipher::open(&key.0, &nonce(chunk), &additional(place), sealed)
        .map_err(|_| ChunkError::NotAuthentic { chunk })
}

fn nonce(chunk: u32) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    if let Some(last) = nonce.last_chunk_mut::<4>() {
        *last = chunk.to_be_bytes();
    }
    nonce
}

fn additional(place: &AttachmentPlace) -> Vec<u8> {
    [
        CHUNK_CONTEXT,
        place.chart.as_bytes().as_slice(),
        place.compartment.as_bytes(),
    ]
    .concat()
}
