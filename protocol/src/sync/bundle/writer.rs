//! Writing a part.

use hpke::aead::{AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::{Deserializable, OpModeS, Serializable};
use rand_core::CryptoRng;

use super::super::frame::Frame;
use super::super::hello::{Hello, Standing};
use super::super::holdings::Holdings;
use super::super::item::FeedEntry;
use super::super::limits::FRAGMENT_BYTES;
use super::super::payload::{ItemFrame, MoreFrame, PieceFrame, Span, WantFrame};
use super::super::sender::most_bytes;
use super::head::ENCAPSULATED_BYTES;
use super::{
    BUNDLE_ENDS, BundleError, BundleId, LENGTH_BYTES, MAX_BLOCK_BYTES, MAX_PARTS,
    MAX_PIECES_IN_A_ROW, MORE, PART_ENDS, PartHead, TAG_BYTES, opening,
};
use crate::attachment::{AttachmentName, Shape};
use crate::id::{CertificateHash, ClinicId, SealingPublic};
use crate::identity::{NodeCertificate, NodeKey, Verified};
use crate::limits::MAX_CERTIFICATE_BYTES;
use crate::reconcile::FeedNumber;
use crate::time::HybridTime;

/// Who makes a bundle.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// The node's key, which signs.
    pub node: &'a NodeKey,
    /// The node's certificate.
    pub certificate: &'a Verified<NodeCertificate>,
}

/// Whom a bundle is for.
#[derive(Debug, Clone, Copy)]
pub struct Recipient {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its sealing key.
    pub sealing: SealingPublic,
}

/// What a bundle says of its sender's store. What the store accepts later is not in it, and may
/// not be in the bundle either.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    after: FeedNumber,
    known: Option<CertificateHash>,
    standing: Standing,
    time: HybridTime,
}

impl Account {
    /// Of our store now, as the recipient may see it, in a bundle that is complete from the number
    /// `after` of our feed on.
    pub fn of(holdings: &dyn Holdings, after: FeedNumber) -> Self {
        Self {
            after,
            known: holdings.peer_certificate(),
            standing: Standing::of(holdings),
            time: holdings.time(),
        }
    }
}

/// One part on its way into a file. Write what each call returns, in order.
pub struct PartWriter {
    context: AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>,
    /// Frames that are not sealed yet, behind the flag.
    plain: Vec<u8>,
    written: u64,
    sealed: u64,
    certificates: Vec<CertificateHash>,
}

impl PartWriter {
    /// Begins part number `part` of a bundle; returns its first bytes.
    ///
    /// All parts of a bundle tell the same `account`, taken before what is owed was looked up.
    ///
    /// # Errors
    /// [`BundleError::UnusableKey`], [`BundleError::TooManyParts`].
    pub fn begin<R: CryptoRng + ?Sized>(
        rng: &mut R,
        (bundle, part): (BundleId, u32),
        author: Author<'_>,
        recipient: Recipient,
        account: &Account,
    ) -> Result<(Self, Vec<u8>), BundleError> {
        if part == 0 || part > MAX_PARTS {
            return Err(BundleError::TooManyParts);
        }
        let mut head = PartHead {
            bundle,
            part,
            recipient: recipient.clinic,
            encapsulated: [0; ENCAPSULATED_BYTES],
        };
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(recipient.sealing.as_bytes())
            .map_err(|_| BundleError::UnusableKey)?;
        let (encapsulated, context) = hpke::setup_sender_with_rng::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Base, &public, &head.info(), &mut &mut *rng
        )
        .map_err(|_| BundleError::UnusableKey)?;
        head.encapsulated =
            <[u8; ENCAPSULATED_BYTES]>::try_from(encapsulated.to_bytes().as_slice())
                .map_err(|_| BundleError::UnusableKey)?;
        let hello = Hello {
            certificate: author.certificate.hash(),
            known: account.known,
            standing: account.standing,
            time: account.time,
            quiet_s: None,
            knows: None,
        };
        let mut writer = Self {
            context,
            plain: vec![MORE],
            written: 0,
            sealed: 0,
            certificates: vec![author.certificate.hash()],
        };
        let mut first =
            opening::write(&head, account.after, hello, author.certificate, author.node);
        writer.plain.append(&mut first);
        let mut bytes = head.encode();
        writer.written = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        bytes.append(&mut writer.seal(MORE)?);
        Ok((writer, bytes))
    }

    /// The size of the part if it ended now.
    pub fn size(&self) -> u64 {
        let block = self.plain.len().saturating_add(TAG_BYTES + LENGTH_BYTES);
        self.written
            .saturating_add(u64::try_from(block).unwrap_or(u64::MAX))
    }

    /// What an item of so many bytes adds at most, without its certificates.
    pub fn cost(bytes: usize) -> u64 {
        /// Head, lane, kind, size and length of a fragment, and a block's share.
        const FRAGMENT_COST: usize = 32;
        let fragments = bytes.div_ceil(FRAGMENT_BYTES).max(1);
        let cost = bytes.saturating_add(fragments.saturating_mul(FRAGMENT_COST));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Adds an item and the certificates that it needs; returns the bytes that are ready.
    ///
    /// # Errors
    /// [`BundleError::Unsendable`] for one that no session would send either.
    pub fn item(
        &mut self,
        entry: &FeedEntry,
        bytes: &[u8],
        holdings: &dyn Holdings,
    ) -> Result<Vec<u8>, BundleError> {
        if bytes.is_empty() || bytes.len() > most_bytes(entry.kind) {
            return Err(BundleError::Unsendable { bytes: bytes.len() });
        }
        let mut out = Vec::new();
        for hash in holdings.certificates_for(&entry.id) {
            if self.certificates.contains(&hash) {
                continue;
            }
            if let Some(certificate) = holdings.certificate(&hash) {
                if certificate.len() > MAX_CERTIFICATE_BYTES {
                    return Err(BundleError::Unsendable {
                        bytes: certificate.len(),
                    });
                }
                self.certificates.push(hash);
                self.frame(&Frame::Certificate(certificate), &mut out)?;
            }
        }
        let (first, rest) = bytes
            .split_at_checked(FRAGMENT_BYTES)
            .unwrap_or((bytes, &[]));
        let first = Frame::Item(ItemFrame {
            lane: entry.lane,
            kind: entry.kind,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            bytes: first.to_vec(),
        });
        self.frame(&first, &mut out)?;
        for fragment in rest.chunks(FRAGMENT_BYTES) {
            let more = Frame::More(MoreFrame {
                lane: entry.lane,
                bytes: fragment.to_vec(),
            });
            self.frame(&more, &mut out)?;
        }
        Ok(out)
    }

    /// Adds pieces of an attachment, which follow each other from the number `first` on; returns
    /// the bytes that are ready.
    ///
    /// # Errors
    /// [`BundleError::Unsendable`] for none, for too many, or for one that is too large.
    pub fn pieces(
        &mut self,
        name: &AttachmentName,
        shape: Shape,
        first: u32,
        pieces: &[Vec<u8>],
    ) -> Result<Vec<u8>, BundleError> {
        let bytes = pieces.iter().map(Vec::len).sum();
        let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        let right = |(number, piece): (u32, &Vec<u8>)| shape.size_of(number) == Some(piece.len());
        let fits = (1..=MAX_PIECES_IN_A_ROW).contains(&pieces.len());
        if !fits || !(first..).zip(pieces).all(right) {
            return Err(BundleError::Unsendable { bytes });
        }
        let mut out = Vec::new();
        let want = Frame::Want(WantFrame {
            number: 0,
            name: *name,
            length: shape.length(),
            pieces: vec![Span { first, count }],
        });
        self.frame(&want, &mut out)?;
        for (piece, bytes) in (first..).zip(pieces) {
            let (start, rest) = bytes
                .split_at_checked(FRAGMENT_BYTES)
                .unwrap_or((bytes, &[]));
            let start = Frame::Piece(PieceFrame {
                number: 0,
                piece,
                size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                bytes: start.to_vec(),
            });
            self.frame(&start, &mut out)?;
            for fragment in rest.chunks(FRAGMENT_BYTES) {
                self.frame(&Frame::Rest(fragment.to_vec()), &mut out)?;
            }
        }
        Ok(out)
    }

    /// Ends the part, and the bundle if it is the `last` one; returns its last bytes.
    ///
    /// # Errors
    /// [`BundleError::Unsendable`] for a part of more blocks than can be sealed: never in practice.
    pub fn end(mut self, last: bool) -> Result<Vec<u8>, BundleError> {
        self.seal(if last { BUNDLE_ENDS } else { PART_ENDS })
    }

    /// Adds a frame; frames do not reach from one block into the next.
    pub(in super::super) fn frame(
        &mut self,
        frame: &Frame,
        out: &mut Vec<u8>,
    ) -> Result<(), BundleError> {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        if self.plain.len().saturating_add(bytes.len()) > MAX_BLOCK_BYTES {
            out.append(&mut self.seal(MORE)?);
        }
        self.plain.append(&mut bytes);
        Ok(())
    }

    /// Seals what has gathered as the next block.
    fn seal(&mut self, flag: u8) -> Result<Vec<u8>, BundleError> {
        let mut plain = core::mem::replace(&mut self.plain, vec![MORE]);
        if let Some(first) = plain.first_mut() {
            *first = flag;
        }
        let unsendable = BundleError::Unsendable { bytes: plain.len() };
        let number = self.sealed.to_be_bytes();
        let sealed = self.context.seal(&plain, &number).map_err(|_| unsendable)?;
        self.sealed = self.sealed.saturating_add(1);
        let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let mut block = length.to_be_bytes().to_vec();
        block.extend_from_slice(&sealed);
        self.written = self
            .written
            .saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
        Ok(block)
    }
}
