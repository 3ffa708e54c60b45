//! A key sealed to a clinic: HPKE base mode (RFC 9180 §5.1.1) with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20Poly1305.
//!
//! `encapsulated key 32 | ciphertext 32 | tag 16`. The `info` names what the key is, chart,
//! compartment and reader, so a wrap moved elsewhere does not open.

use core::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::key::EpochKey;
use crate::id::{ChartId, ClinicId, PatientId, SealingPublic, decode_bytes, write_hex};
use crate::identity::SealingKey;
use crate::ledger::{ChartSecret, CompartmentName};

const ENCAPSULATED: usize = 32;

/// A 32-byte key sealed to a clinic's sealing key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyWrap([u8; 80]);

impl KeyWrap {
    /// The number of bytes.
    pub const LEN: usize = 80;
}

/// A key that cannot be wrapped or unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The reader's sealing key is of small order or otherwise unusable.
    #[error("the reader's sealing key is not usable")]
    UnusableKey,
    /// The wrap is for another clinic, chart or compartment, or was changed.
    #[error("the key is not wrapped to this clinic")]
    NotForUs,
}

/// Wraps a new chart's secret to its custodian, for the genesis. The chart has no id yet: the
/// patient's key stands for it.
pub fn wrap_first_secret<R: CryptoRng + ?Sized>(
    rng: &mut R,
    patient: &PatientId,
    custodian: &ClinicId,
    sealing: &SealingPublic,
    secret: &ChartSecret,
) -> Result<KeyWrap, WrapError> {
    wrap(
        rng,
        sealing,
        &first_info(patient, custodian),
        &secret.to_bytes(),
    )
}

/// Opens the secret of a chart that this clinic keeps, from its genesis.
pub fn unwrap_first_secret(
    patient: &PatientId,
    custodian: &ClinicId,
    sealing: &SealingKey,
    secret: &KeyWrap,
) -> Result<ChartSecret, WrapError> {
    let bytes = unwrap(sealing, &first_info(patient, custodian), secret)?;
    Ok(ChartSecret::from_bytes(bytes))
}

/// Wraps the chart secret to a grantee, for a grant.
pub fn wrap_chart_secret<R: CryptoRng + ?Sized>(
    rng: &mut R,
    chart: &ChartId,
    grantee: &ClinicId,
    sealing: &SealingPublic,
    secret: &ChartSecret,
) -> Result<KeyWrap, WrapError> {
    wrap(
        rng,
        sealing,
        &secret_info(chart, grantee),
        &secret.to_bytes(),
    )
}

/// Opens the secret of a chart from a grant to this clinic.
pub fn unwrap_chart_secret(
    chart: &ChartId,
    grantee: &ClinicId,
    sealing: &SealingKey,
    secret: &KeyWrap,
) -> Result<ChartSecret, WrapError> {
    let bytes = unwrap(sealing, &secret_info(chart, grantee), secret)?;
    Ok(ChartSecret::from_bytes(bytes))
}

pub(super) fn wrap_epoch_key<R: CryptoRng + ?Sized>(
    rng: &mut R,
    (chart, name, reader): (&ChartId, &CompartmentName, &ClinicId),
    sealing: &SealingPublic,
    key: &EpochKey,
) -> Result<KeyWrap, WrapError> {
    wrap(
        rng,
        sealing,
        &epoch_info(chart, name, reader),
        &key.to_bytes(),
    )
}

pub(super) fn unwrap_epoch_key(
    (chart, name, reader): (&ChartId, &CompartmentName, &ClinicId),
    sealing: &SealingKey,
    key: &KeyWrap,
) -> Result<EpochKey, WrapError> {
    unwrap(sealing, &epoch_info(chart, name, reader), key).map(EpochKey::from_bytes)
}

fn first_info(patient: &PatientId, custodian: &ClinicId) -> Vec<u8> {
    [
        b"chartmesh/1 genesis\0".as_slice(),
        patient.as_bytes(),
        custodian.as_bytes(),
    ]
    .concat()
}

fn secret_info(chart: &ChartId, grantee: &ClinicId) -> Vec<u8> {
    [
        b"chartmesh/1 chart secret\0".as_slice(),
        chart.as_bytes(),
        grantee.as_bytes(),
    ]
    .concat()
}

fn epoch_info(chart: &ChartId, name: &CompartmentName, reader: &ClinicId) -> Vec<u8> {
    // The name comes last: it is the only part of varying length.
    let parts: [&[u8]; 4] = [
        b"chartmesh/1 epoch\0",
        chart.as_bytes(),
        reader.as_bytes(),
        name.as_str().as_bytes(),
    ];
    parts.concat()
}

fn wrap<R: CryptoRng + ?Sized>(
    rng: &mut R,
    sealing: &SealingPublic,
    info: &[u8],
    key: &[u8; 32],
) -> Result<KeyWrap, WrapError> {
    let bytes = seal_to(rng, sealing, [info, &[]], key)?;
    let bytes = <[u8; KeyWrap::LEN]>::try_from(bytes).map_err(|_| WrapError::UnusableKey)?;
    Ok(KeyWrap(bytes))
}

fn unwrap(
    sealing: &SealingKey,
    info: &[u8],
    wrap: &KeyWrap,
) -> Result<Zeroizing<[u8; 32]>, WrapError> {
    let plain = open_from(sealing, [info, &[]], &wrap.0)?;
    let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| WrapError::NotForUs)?;
    Ok(Zeroizing::new(key))
}

/// HPKE in its base mode (RFC 9180 §6.1, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
/// ChaCha20Poly1305): the encapsulated key, then the ciphertext. Both are bound to `info` and to
/// the additional data.
pub(crate) fn seal_to<R: CryptoRng + ?Sized>(
    rng: &mut R,
    sealing: &SealingPublic,
    [info, additional]: [&[u8]; 2],
    plain: &[u8],
) -> Result<Vec<u8>, WrapError> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(sealing.as_bytes())
        .map_err(|_| WrapError::UnusableKey)?;
    let mode = OpModeS::Base;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&mode, &public, info, plain, additional, &mut &mut *rng)
    .map_err(|_| WrapError::UnusableKey)?;
    Ok([encapsulated.to_bytes().as_slice(), &sealed].concat())
}

/// Opens what [`seal_to`] gave.
pub(crate) fn open_from(
    sealing: &SealingKey,
    [info, additional]: [&[u8]; 2],
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    let parts = bytes.split_at_checked(ENCAPSULATED);
    let (encapsulated, sealed) = parts.ok_or(WrapError::NotForUs)?;
    let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(sealing.to_bytes().as_ref())
        .map_err(|_| WrapError::UnusableKey)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| WrapError::NotForUs)?;
    let mode = OpModeR::Base;
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &private,
        &encapsulated,
        info,
        sealed,
        additional,
    )
    .map_err(|_| WrapError::NotForUs)?;
    Ok(Zeroizing::new(plain))
}

impl fmt::Debug for KeyWrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl<C> Encode<C> for KeyWrap {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for KeyWrap {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_bytes(d).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::hex::{array, bytes};

    /// A generator that gives the key material of a vector, once.
    struct Given(Option<[u8; 32]>);

    impl rand_core::TryRng for Given {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!("a key is drawn whole")
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!("a key is drawn whole")
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.copy_from_slice(&self.0.take().unwrap());
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Given {}

    /// RFC 9180 appendix A.2.1, the first encryption.
    #[test]
    fn the_vector_of_rfc_9180_holds_both_ways() {
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let material = array("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let secret = array("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let public = array("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let plain = bytes("4265617574792069732074727574682c20747275746820626561757479");
        let sealed = bytes(
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\
             1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
             21993c62ce81883d2dd1b51a28",
        );
        let key = SealingKey::from_bytes(Zeroizing::new(secret));
        assert_eq!(key.public(), SealingPublic::new(public));
        let bound = [info.as_slice(), b"Count-0"];
        let found = seal_to(&mut Given(Some(material)), &key.public(), bound, &plain).unwrap();
        assert_eq!(found, sealed);
        assert_eq!(*open_from(&key, bound, &sealed).unwrap(), plain);
        let other = [info.as_slice(), b"Count-1"];
        assert_eq!(open_from(&key, other, &sealed), Err(WrapError::NotForUs));
    }

    const CHART: ChartId = ChartId::new([1; 16]);
    const CLINIC: ClinicId = ClinicId::new([2; 32]);

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(5)
    }

    fn secret() -> ChartSecret {
        ChartSecret::generate(&mut ChaCha20Rng::seed_from_u64(6))
    }

    #[test]
    fn a_reader_opens_what_was_wrapped_to_it() {
        let key = SealingKey::generate(&mut rng());
        let wrap =
            wrap_chart_secret(&mut rng(), &CHART, &CLINIC, &key.public(), &secret()).unwrap();
        assert!(unwrap_chart_secret(&CHART, &CLINIC, &key, &wrap).ok() == Some(secret()));
    }

    #[test]
    fn another_key_chart_clinic_or_use_does_not_open_it() {
        let key = SealingKey::generate(&mut rng());
        let other = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(8));
        let wrap =
            wrap_chart_secret(&mut rng(), &CHART, &CLINIC, &key.public(), &secret()).unwrap();
        let not_ours = Some(WrapError::NotForUs);
        let chart = ChartId::new([9; 16]);
        let clinic = ClinicId::new([9; 32]);
        assert_eq!(
            unwrap_chart_secret(&CHART, &CLINIC, &other, &wrap).err(),
            not_ours
        );
        assert_eq!(
            unwrap_chart_secret(&chart, &CLINIC, &key, &wrap).err(),
            not_ours
        );
        assert_eq!(
            unwrap_chart_secret(&CHART, &clinic, &key, &wrap).err(),
            not_ours
        );
        let patient = PatientId::new([1; 32]);
        assert_eq!(
            unwrap_first_secret(&patient, &CLINIC, &key, &wrap).err(),
            not_ours
        );
        let place = (&CHART, &CompartmentName::Summary, &CLINIC);
        assert_eq!(unwrap_epoch_key(place, &key, &wrap).err(), not_ours);
    }

    #[test]
    fn a_key_wrapped_for_one_compartment_does_not_open_in_another() {
        let sealing = SealingKey::generate(&mut rng());
        let key = EpochKey::generate(&mut rng());
        let summary = (&CHART, &CompartmentName::Summary, &CLINIC);
        let clinical = (&CHART, &CompartmentName::Clinical, &CLINIC);
        let wrap = wrap_epoch_key(&mut rng(), summary, &sealing.public(), &key).unwrap();
        assert!(unwrap_epoch_key(summary, &sealing, &wrap).ok() == Some(key));
        assert!(unwrap_epoch_key(clinical, &sealing, &wrap).is_err());
    }

    #[test]
    fn every_flipped_bit_of_a_wrap_is_noticed() {
        let key = SealingKey::generate(&mut rng());
        let wrap =
            wrap_chart_secret(&mut rng(), &CHART, &CLINIC, &key.public(), &secret()).unwrap();
        for byte in 0..KeyWrap::LEN {
            let mut changed = wrap.clone();
            changed.0[byte] ^= 1;
            assert!(
                unwrap_chart_secret(&CHART, &CLINIC, &key, &changed).is_err(),
                "{byte}"
            );
        }
    }

    #[test]
    fn a_sealing_key_of_small_order_is_refused() {
        for public in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            let public = SealingPublic::new(public);
            let found = wrap_chart_secret(&mut rng(), &CHART, &CLINIC, &public, &secret());
            assert_eq!(found, Err(WrapError::UnusableKey));
        }
    }
}
