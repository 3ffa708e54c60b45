//! What a grant is made of: compartments, rights, purpose, history, and its basis.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use minicbor::data::Type;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::compartment::CompartmentName;
use crate::codec::{CodecError, at_most};
use crate::limits::MAX_COMPARTMENTS;

/// A text that names no right or purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTermError {
    /// Not one of the four rights.
    #[error("no right has this name; there are read, write, share and relay")]
    Right,
    /// Not a code of the form of HL7 v3 PurposeOfUse.
    #[error("a purpose is an HL7 v3 PurposeOfUse code such as TREAT")]
    Purpose,
}

/// The compartments that a grant covers. In CBOR: null for all, or an array of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compartments {
    /// Every compartment, those with labels yet to come included.
    All,
    /// Exactly these.
    Named(BTreeSet<CompartmentName>),
}

impl Compartments {
    /// Whether it covers this compartment.
    pub fn covers(&self, name: &CompartmentName) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// Whether it covers everything that `other` covers.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Named(_), Self::All) => false,
            (Self::Named(mine), Self::Named(theirs)) => theirs.is_subset(mine),
        }
    }

    /// Whether some compartment is covered by both.
    pub fn intersects(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::All, Self::Named(names)) | (Self::Named(names), Self::All) => !names.is_empty(),
            (Self::Named(mine), Self::Named(theirs)) => !mine.is_disjoint(theirs),
        }
    }

    pub(super) fn check(&self) -> Result<(), CodecError> {
        let Self::Named(names) = self else {
            return Ok(());
        };
        if names.is_empty() {
            return Err(CodecError::OutOfBounds {
                what: "compartments",
            });
        }
        at_most("compartments", names.len(), MAX_COMPARTMENTS)
    }
}

impl FromIterator<CompartmentName> for Compartments {
    fn from_iter<I: IntoIterator<Item = CompartmentName>>(names: I) -> Self {
        Self::Named(names.into_iter().collect())
    }
}

impl<C> Encode<C> for Compartments {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::All => e.null()?.ok(),
            Self::Named(names) => names.encode(e, ctx),
        }
    }
}

impl<'b, C> Decode<'b, C> for Compartments {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        if d.datatype()? == Type::Null {
            d.null()?;
            return Ok(Self::All);
        }
        Decode::decode(d, ctx).map(Self::Named)
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Rights(#[n(0)] u8);

impl Rights {
    /// To receive and open records.
    pub const READ: Self = Self(1);
    /// To write records that count.
    pub const WRITE: Self = Self(2);
    /// To grant on, never wider than the grant itself.
    pub const SHARE: Self = Self(4);
    /// To admit a relay for the chart.
    pub const RELAY: Self = Self(8);

    const NAMES: [(&'static str, Self); 4] = [
        ("read", Self::READ),
        ("write", Self::WRITE),
        ("share", Self::SHARE),
        ("relay", Self::RELAY),
    ];

    /// The rights of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all rights of `other` are among these.
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the rights, in their fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let mine = move |right: &(&str, Self)| self.includes(right.1);
        Self::NAMES.into_iter().filter(mine).map(|(name, _)| name)
    }

    pub(super) fn check(self) -> Result<(), CodecError> {
        let known = Self::NAMES
            .into_iter()
            .fold(Self(0), |all, (_, right)| all.with(right));
        if self.0 == 0 || !known.includes(self) {
            return Err(CodecError::OutOfBounds { what: "rights" });
        }
        Ok(())
    }
}

impl FromStr for Rights {
    type Err = ParseTermError;

    /// Reads names with commas between them, such as `read,write`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').try_fold(Self(0), |all, word| {
            let right = Self::NAMES
                .into_iter()
                .find(|(name, _)| *name == word.trim());
            right
                .map(|(_, right)| all.with(right))
                .ok_or(ParseTermError::Right)
        })
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.names().collect::<Vec<_>>().join(","))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// What a grant is for: a code of HL7 v3 PurposeOfUse (`urn:oid:2.16.840.1.113883.1.11.20448`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Purpose(#[n(0)] String);

impl Purpose {
    /// A purpose by its code, such as `TREAT`: 2 to 16 capital letters. Codes that this program
    /// does not know are kept: the code system grows.
    pub fn new(code: &str) -> Result<Self, ParseTermError> {
        let purpose = Self(code.to_owned());
        purpose.check().map_err(|_| ParseTermError::Purpose)?;
        Ok(purpose)
    }

    /// Treatment (`TREAT`).
    pub fn treatment() -> Self {
        Self("TREAT".to_owned())
    }

    /// Treatment in an emergency (`ETREAT`).
    pub fn emergency() -> Self {
        Self("ETREAT".to_owned())
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn check(&self) -> Result<(), CodecError> {
        let letters = self.0.bytes().all(|b| b.is_ascii_uppercase());
        if !letters || !(2..=16).contains(&self.0.len()) {
            return Err(CodecError::OutOfBounds { what: "purpose" });
        }
        Ok(())
    }
}

impl FromStr for Purpose {
    type Err = ParseTermError;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::new(code)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How much of the past a grant opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum History {
    /// Only what is written after the grant.
    #[n(0)]
    FromNowOn,
    /// Everything.
    #[n(1)]
    All,
}

/// On what ground the signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Basis {
    /// The patient gave the PIN.
    #[n(0)]
    PatientPin,
    /// The home clinic keeps the patient's key and used it on the patient's behalf.
    #[n(1)]
    Custody,
    /// The patient's card was read at the grantee, and the PIN opened it.
    #[n(2)]
    Card,
    /// A parent grant with the right to share.
    #[n(3)]
    Parent,
    /// An emergency that was declared.
    #[n(4)]
    Emergency,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Compartments {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn all_includes_everything_and_nothing_else_includes_all() {
        assert!(Compartments::All.includes(&Compartments::All));
        assert!(Compartments::All.includes(&named(&["summary"])));
        assert!(!named(&["summary"]).includes(&Compartments::All));
        assert!(!named(&["summary"]).includes(&named(&["summary", "billing"])));
        assert!(named(&["summary", "billing"]).includes(&named(&["billing"])));
    }

    #[test]
    fn compartments_intersect_when_one_is_in_both() {
        assert!(named(&["summary", "billing"]).intersects(&named(&["billing"])));
        assert!(!named(&["summary"]).intersects(&named(&["billing"])));
        assert!(Compartments::All.intersects(&named(&["billing"])));
    }

    #[test]
    fn rights_read_back_from_their_names() {
        let rights: Rights = "read, write".parse().unwrap();
        assert_eq!(rights, Rights::READ.with(Rights::WRITE));
        assert_eq!(rights.to_string(), "read,write");
        assert_eq!("read,erase".parse::<Rights>(), Err(ParseTermError::Right));
        assert_eq!("".parse::<Rights>(), Err(ParseTermError::Right));
    }

    #[test]
    fn no_rights_and_unknown_rights_are_refused() {
        assert!(Rights(0).check().is_err());
        assert!(Rights(16).check().is_err());
        assert!(Rights(15).check().is_ok());
    }

    #[test]
    fn a_purpose_is_a_code() {
        assert_eq!(Purpose::new("TREAT"), Ok(Purpose::treatment()));
        for code in ["", "T", "treat", "TREAT ", "ABCDEFGHIJKLMNOPQ"] {
            assert_eq!(Purpose::new(code), Err(ParseTermError::Purpose), "{code}");
        }
    }
}
