//! Ids: fixed-size byte strings, each its own type, shown as lower-case hexadecimal.

use core::fmt;
use core::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text has another number of characters than the id.
    #[error("an id of this kind has {expected} hexadecimal digits, this text has {found}")]
    Length {
        /// Digits of the id.
        expected: usize,
        /// Characters of the text.
        found: usize,
    },
    /// The text has a character that is no hexadecimal digit.
    #[error("an id has only the digits 0-9 and a-f")]
    Digit,
}

/// Reads `N` bytes from hexadecimal digits of either case.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let expected = N.saturating_mul(2);
    if text.len() != expected {
        return Err(ParseIdError::Length {
            expected,
            found: text.chars().count(),
        });
    }
    let mut bytes = [0_u8; N];
    match HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(ParseIdError::Digit),
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.pad(&HEXLOWER.encode(bytes))
}

/// Reads exactly `N` bytes of a CBOR byte string.
pub(crate) fn decode_bytes<const N: usize>(d: &mut Decoder<'_>) -> Result<[u8; N], DecodeError> {
    let at = d.position();
    <[u8; N]>::try_from(d.bytes()?)
        .map_err(|_| DecodeError::message("byte string of another length").at(at))
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The number of bytes of this id.
            pub const LEN: usize = $len;

            /// The id with these bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The bytes of the id, copied.
            pub const fn to_bytes(self) -> [u8; $len] {
                self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = core::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                <[u8; $len]>::try_from(bytes).map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), EncodeError<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
                decode_bytes(d).map(Self)
            }
        }
    };
}

byte_id!(
    /// A clinic: its ed25519 public key.
    ClinicId,
    32
);
byte_id!(
    /// A node: its ed25519 public key, also its libp2p peer identity.
    NodeId,
    32
);
byte_id!(
    /// A patient's ed25519 public key: the consent authority of one chart.
    PatientId,
    32
);
byte_id!(
    /// A user's ed25519 public key.
    UserPublic,
    32
);
byte_id!(
    /// A clinic's x25519 public key, to which chart secrets and epoch keys are wrapped.
    SealingPublic,
    32
);
byte_id!(
    /// The ed25519 public key that signed a statement: a patient's, a clinic's or a node's.
    SignerId,
    32
);
byte_id!(
    /// A mailbox at a relay: an ed25519 public key whose secret its users share.
    MailboxId,
    32
);
byte_id!(
    /// The hash of a record's ciphertext: what stays of it when only its author has to be proved.
    SealedHash,
    32
);
byte_id!(
    /// A user of a clinic: the first bytes of the hash of the user's ed25519 public key.
    UserId,
    8
);
byte_id!(
    /// A chart: the first bytes of the hash of its genesis, so that it proves its own origin.
    ChartId,
    16
);
byte_id!(
    /// A compartment as outsiders see it: derived from the chart secret, so that a relay does not
    /// learn a sensitivity label.
    CompartmentTag,
    8
);
byte_id!(
    /// An epoch: the first bytes of the hash of its key.
    EpochId,
    8
);
byte_id!(
    /// A ledger statement: the hash of everything before its signature.
    StatementId,
    32
);
byte_id!(
    /// A record: the hash of everything before its signature.
    RecordId,
    32
);
byte_id!(
    /// A certificate: the hash of everything before its signature.
    CertificateHash,
    32
);
byte_id!(
    /// The first bytes of the id of an author's previous record in the compartment; zero for the
    /// first record.
    RecordLink,
    8
);
byte_id!(
    /// The first bytes of a statement's id, as a record names the ledger that its author had seen.
    StatementPrefix,
    8
);

impl RecordLink {
    /// The link of an author's first record in a compartment.
    pub const FIRST: Self = Self([0; 8]);
}

impl RecordId {
    /// The link that the author's next record carries.
    pub fn link(&self) -> RecordLink {
        RecordLink(first_bytes(&self.0))
    }
}

impl StatementId {
    /// The first bytes, as a record's frontier names this statement.
    pub fn prefix(&self) -> StatementPrefix {
        StatementPrefix(first_bytes(&self.0))
    }
}

impl UserPublic {
    /// The id under which records name the owner of this key.
    pub fn id(&self) -> UserId {
        UserId(first_bytes(blake3::hash(&self.0).as_bytes()))
    }
}

/// The first `N` bytes of a hash. `N` is at most 32: the rest of a longer array stays zero.
pub(crate) fn first_bytes<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0_u8; N];
    for (to, from) in bytes.iter_mut().zip(hash) {
        *to = *from;
    }
    bytes
}

byte_id!(
    /// An attachment: the hash of the lists of its chunks.
    AttachmentId,
    32
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $number:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, Encode, Decode,
        )]
        #[serde(transparent)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] $number);

        impl $name {
            /// The value with this number.
            pub const fn new(number: $number) -> Self {
                Self(number)
            }

            /// The number itself.
            pub const fn value(self) -> $number {
                self.0
            }
        }

        impl From<$number> for $name {
            fn from(number: $number) -> Self {
                Self(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = core::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number_id!(
    /// A node's store since its first start, its last restore, or its last proven loss: random.
    Incarnation,
    u32
);
number_id!(
    /// The place of a record among its author's records of one compartment and incarnation: the
    /// first is 0, and there are no gaps.
    Sequence,
    u64
);

impl Sequence {
    /// The place after this one, or `None` after the last possible.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = ChartId::new(*b"0123456789abcdef");
        assert_eq!(id.to_string(), "30313233343536373839616263646566");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_length_is_refused() {
        assert_eq!(
            "00".parse::<UserId>(),
            Err(ParseIdError::Length {
                expected: 16,
                found: 2
            })
        );
        assert_eq!(
            "".parse::<UserId>(),
            Err(ParseIdError::Length {
                expected: 16,
                found: 0
            })
        );
        assert!("0".repeat(17).parse::<UserId>().is_err());
    }

    #[test]
    fn an_id_with_a_strange_character_is_refused() {
        assert_eq!(
            "000000000000000g".parse::<UserId>(),
            Err(ParseIdError::Digit)
        );
        assert_eq!(
            "0000000000000 00".parse::<UserId>(),
            Err(ParseIdError::Digit)
        );
        assert!("00000000000000é".parse::<UserId>().is_err());
    }

    #[test]
    fn an_id_in_cbor_of_another_length_is_refused() {
        let long = minicbor::to_vec(ChartId::new([1; 16])).unwrap();
        assert!(minicbor::decode::<UserId>(&long).is_err());
        assert_eq!(
            minicbor::decode::<ChartId>(&long).unwrap(),
            ChartId::new([1; 16])
        );
    }

    #[test]
    fn the_last_sequence_has_no_next() {
        assert_eq!(Sequence::new(u64::MAX).next(), None);
        assert_eq!(Sequence::new(0).next(), Some(Sequence::new(1)));
    }

    #[test]
    fn links_and_prefixes_are_the_first_bytes() {
        let mut bytes = [0; 32];
        bytes[7] = 9;
        bytes[8] = 1;
        assert_eq!(
            RecordId::new(bytes).link().to_bytes(),
            [0, 0, 0, 0, 0, 0, 0, 9]
        );
        assert_eq!(
            StatementId::new(bytes).prefix().to_bytes(),
            [0, 0, 0, 0, 0, 0, 0, 9]
        );
    }
}
