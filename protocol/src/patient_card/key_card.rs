//! The patient's key on a card:
//! `version 1 | CBOR [genesis, home, made, lock, sealed] | signature 64`.
//!
//! ```text
//! genesis  the statement that begins the chart
//! home     the card of the home clinic, signed by it
//! made     when the card was made, milliseconds since 1970
//! lock     [salt 16, [memory KiB, passes], nonce 24]
//! sealed   XChaCha20-Poly1305 of patient key 32 | chart secret 32, and a tag 16
//! ```
//!
//! The key of the seal is argon2id of the PIN; everything before `sealed` is its additional data.
//! The signature is the patient's, over everything: what was altered, or put together from two
//! cards, is refused before a PIN is tried, so that it costs no try.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::cost::{PinCost, SALT_LEN};
use super::error::{KeyCardError, of_codec};
use super::pin::PatientPin;
use super::text::{CardKind, CardText};
use crate::codec::{self, Bounded, CodecError, at_most};
use crate::id::{ChartId, PatientId};
use crate::identity::{
    Card, Context, NodeRole, PatientKey, Signature, SignedError, Verified, verify,
};
use crate::ledger::{Body, ChartSecret, Genesis, Statement};
use crate::limits::MAX_KEY_CARD_BYTES;

const VERSION: u8 = 1;
const SIGNING: Context = Context::new("patient card");
const SEAL_CONTEXT: &str = "chartmesh 2026-11 patient card under a PIN";
const NONCE_LEN: usize = 24;
const SECRET_LEN: usize = 32;
const SEALED_LEN: usize = 2 * SECRET_LEN + 16;

/// A card with a patient's key that the patient signed. Its key is still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCard {
    genesis: Verified<Statement>,
    chart: ChartId,
    patient: PatientId,
    home: Card,
    content: Content,
    bytes: Vec<u8>,
}

/// What a card holds under the PIN. No `Debug`; zeroised when dropped.
pub struct Opened {
    /// The patient's key, which signs grants.
    pub key: PatientKey,
    /// The chart secret, which a grant wraps for its grantee.
    pub secret: ChartSecret,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Content {
    #[n(0)]
    head: Head,
    #[cbor(n(1), with = "minicbor::bytes")]
    sealed: [u8; SEALED_LEN],
}

/// What can be read without the PIN, and what the seal covers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Head {
    #[cbor(n(0), with = "minicbor::bytes")]
    genesis: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    home: Vec<u8>,
    #[n(2)]
    made_ms: u64,
    #[n(3)]
    lock: Lock,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Lock {
    #[cbor(n(0), with = "minicbor::bytes")]
    salt: [u8; SALT_LEN],
    #[n(1)]
    cost: PinCost,
    #[cbor(n(2), with = "minicbor::bytes")]
    nonce: [u8; NONCE_LEN],
}

impl Bounded for Content {
    fn check(&self) -> Result<(), CodecError> {
        at_most("genesis", self.head.genesis.len(), MAX_KEY_CARD_BYTES)?;
        at_most("home clinic", self.head.home.len(), MAX_KEY_CARD_BYTES)?;
        self.head.lock.cost.check()
    }
}

impl KeyCard {
    /// Makes a card, at `made_ms` (milliseconds since 1970). Takes as long as one guess.
    ///
    /// # Errors
    /// [`KeyCardError::NoChart`] if `genesis` is not the statement that begins this patient's
    /// chart, [`KeyCardError::OtherHome`] if `home` is not its custodian's card, and
    /// [`KeyCardError::OutOfBounds`] if that card is too long: name fewer addresses.
    pub fn make<R: CryptoRng + ?Sized>(
        rng: &mut R,
        (pin, cost): (&PatientPin, PinCost),
        opened: &Opened,
        (genesis, home): (&Verified<Statement>, &Card),
        made_ms: u64,
    ) -> Result<Self, KeyCardError> {
        let of_patient = |one: &Genesis| one.patient == opened.key.id();
        if !genesis_of(genesis).is_some_and(of_patient) {
            return Err(KeyCardError::NoChart);
        }
        let mut lock = Lock {
            salt: [0; SALT_LEN],
            cost,
            nonce: [0; NONCE_LEN],
        };
        rng.fill_bytes(&mut lock.salt);
        rng.fill_bytes(&mut lock.nonce);
        let head = Head {
            genesis: genesis.to_bytes(),
            home: home.to_bytes(),
            made_ms,
            lock,
        };
        let mut content = Content {
            head,
            sealed: [0; SEALED_LEN],
        };
        // Before the PIN is worked on, which takes a second.
        let found = codec::encode_versioned(VERSION, &content).len();
        let found = found.saturating_add(Signature::LEN);
        if found > MAX_KEY_CARD_BYTES {
            let most = MAX_KEY_CARD_BYTES;
            return Err(KeyCardError::OutOfBounds(CodecError::TooLarge {
                found,
                most,
            }));
        }
        content.sealed = content.head.seal(pin, opened).ok_or(OUT_OF_BOUNDS)?;
        let mut bytes = codec::encode_versioned(VERSION, &content);
        let signature = opened.key.sign(SIGNING, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        // A card is never made that others would refuse.
        Self::decode(&bytes)
    }

    /// Reads the text of a card as it was scanned or typed, and checks everything that can be
    /// checked without the PIN.
    ///
    /// # Errors
    /// [`KeyCardError`], but for those of the PIN.
    pub fn parse(typed: &str) -> Result<Self, KeyCardError> {
        Self::of(CardText::read(typed)?)
    }

    /// The same of a text that was read already.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of(text: CardText) -> Result<Self, KeyCardError> {
        Self::decode(&text.expect(CardKind::Key)?)
    }

    fn decode(bytes: &[u8]) -> Result<Self, KeyCardError> {
        let malformed =
            |error| of_codec(error, KeyCardError::UnknownVersion, KeyCardError::Malformed);
        let cut = CodecError::Malformed { at: bytes.len() };
        codec::strip_version(VERSION, MAX_KEY_CARD_BYTES, bytes).map_err(malformed)?;
        let parts = bytes.split_last_chunk::<{ Signature::LEN }>();
        let (payload, signature) = parts.ok_or(KeyCardError::Malformed(cut))?;
        let content: Content =
            codec::decode_versioned(VERSION, MAX_KEY_CARD_BYTES, payload).map_err(malformed)?;
        let genesis = Verified::<Statement>::decode(&content.head.genesis);
        let genesis = genesis.map_err(|error| match error {
            SignedError::Codec(error) => malformed(error),
            SignedError::Signature(_) => KeyCardError::Forged,
        })?;
        let begun = genesis_of(&genesis).ok_or(KeyCardError::NoChart)?;
        let (patient, custodian) = (begun.patient, begun.custodian);
        if genesis.payload().signer().as_bytes() != patient.as_bytes() {
            return Err(KeyCardError::Forged);
        }
        let signature = Signature::new(*signature);
        verify(SIGNING, patient.as_bytes(), payload, &signature)
            .map_err(|_| KeyCardError::Forged)?;
        let home = Card::from_bytes(&content.head.home).map_err(|_| KeyCardError::OtherHome)?;
        let keeps_charts = home.certificate().payload().role == NodeRole::Clinic;
        if home.clinic() != custodian || !keeps_charts {
            return Err(KeyCardError::OtherHome);
        }
        Ok(Self {
            chart: genesis.payload().chart(),
            patient,
            genesis,
            home,
            content,
            bytes: bytes.to_vec(),
        })
    }

    /// Opens it. Takes as long as the card says: about a second.
    ///
    /// # Errors
    /// [`KeyCardError::WrongPin`]; [`KeyCardError::OtherChart`] for a card that holds the key of
    /// another patient than it names.
    pub fn open(&self, pin: &PatientPin) -> Result<Opened, KeyCardError> {
        let opened = self.content.head.open(pin, &self.content.sealed);
        let opened = opened.ok_or(KeyCardError::WrongPin)?;
        match opened.key.id() == self.patient {
            true => Ok(opened),
            false => Err(KeyCardError::OtherChart),
        }
    }

    /// The text of its QR code.
    pub fn to_text(&self) -> String {
        CardText::new(CardKind::Key, self.bytes.clone()).to_text()
    }

    /// The chart.
    pub fn chart(&self) -> ChartId {
        self.chart
    }

    /// The home clinic's card.
    pub fn home(&self) -> &Card {
        &self.home
    }

    /// The statement that begins the chart.
    pub fn genesis(&self) -> &Verified<Statement> {
        &self.genesis
    }

    /// When it was made, milliseconds since 1970.
    pub fn made_ms(&self) -> u64 {
        self.content.head.made_ms
    }
}

const OUT_OF_BOUNDS: KeyCardError =
    KeyCardError::OutOfBounds(CodecError::OutOfBounds { what: "PIN cost" });

impl Head {
    fn covered(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn cipher(&self, pin: &PatientPin) -> Option<XChaCha20Poly1305> {
        let Lock { salt, cost, .. } = &self.lock;
        let key = cost.derive(pin.digits(), salt, SEAL_CONTEXT)?;
        Some(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    fn seal(&self, pin: &PatientPin, opened: &Opened) -> Option<[u8; SEALED_LEN]> {
        let mut plain = Zeroizing::new([0_u8; 2 * SECRET_LEN]);
        let (key, secret) = plain.split_at_mut_checked(SECRET_LEN)?;
        key.copy_from_slice(opened.key.to_bytes().as_ref());
        secret.copy_from_slice(opened.secret.to_bytes().as_ref());
        let payload = Payload {
            msg: plain.as_ref(),
            aad: &self.covered(),
        };
        let sealed = self
            .cipher(pin)?
            .encrypt(&XNonce::from(self.lock.nonce), payload);
        sealed.ok()?.try_into().ok()
    }

    fn open(&self, pin: &PatientPin, sealed: &[u8; SEALED_LEN]) -> Option<Opened> {
        let payload = Payload {
            msg: sealed,
            aad: &self.covered(),
        };
        let plain = self
            .cipher(pin)?
            .decrypt(&XNonce::from(self.lock.nonce), payload);
        let plain = Zeroizing::new(plain.ok()?);
        let (key, secret) = plain.split_first_chunk::<SECRET_LEN>()?;
        let secret: &[u8; SECRET_LEN] = secret.try_into().ok()?;
        Some(Opened {
            key: PatientKey::from_bytes(Zeroizing::new(*key)),
            secret: ChartSecret::from_bytes(Zeroizing::new(*secret)),
        })
    }
}

fn genesis_of(statement: &Verified<Statement>) -> Option<&Genesis> {
    match statement.body() {
        Body::Genesis(genesis) => Some(genesis),
        Body::Grant(_)
        | Body::Revocation(_)
        | Body::Epoch(_)
        | Body::HouseNote(_)
        | Body::NodeRevocation(_)
        | Body::NodeEnd(_)
        | Body::Admission(_)
        | Body::BreakGlass(_)
        | Body::EmergencyRule(_)
        | Body::Review(_)
        | Body::AuditSegment(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::world::{NOW_MS, World};

    #[test]
    fn a_patient_who_puts_another_ones_key_under_the_pin_is_found_out_when_it_opens() {
        let world = World::new(1, 1);
        let home = &world.clinics[0];
        let address = ["/ip4/192.0.2.7/udp/4001/quic-v1".to_owned()];
        let home = Card::issue(&home.key, "Hillside", &home.certificate, &address).unwrap();
        let pin = PatientPin::new("246810").unwrap();
        let key = PatientKey::from_bytes(world.patient.to_bytes());
        let secret = world.secret.clone();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let lock = (&pin, PinCost::new(8, 1).unwrap());
        let own = Opened { key, secret };
        let card = KeyCard::make(&mut rng, lock, &own, (&world.genesis, &home), NOW_MS);
        let mut content = card.unwrap().content;
        let other = Opened {
            key: PatientKey::from_bytes(Zeroizing::new([8; 32])),
            secret: world.secret.clone(),
        };
        content.sealed = content.head.seal(&pin, &other).unwrap();
        let mut bytes = codec::encode_versioned(VERSION, &content);
        let signature = world.patient.sign(SIGNING, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        let card = KeyCard::decode(&bytes).unwrap();
        assert_eq!(card.open(&pin).err(), Some(KeyCardError::OtherChart));
    }
}
