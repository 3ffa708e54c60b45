//! The genesis: how a chart begins.

use minicbor::{Decode, Encode};

use crate::codec::{self, Bounded, CodecError};
use crate::id::{ChartId, ClinicId, PatientId, first_bytes};
use crate::seal::KeyWrap;

/// The first statement of a chart, signed by the patient's key.
///
/// The chart's id is the hash of this body, so nobody can begin the same chart otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Genesis {
    /// The patient's key: the consent authority.
    #[n(0)]
    pub patient: PatientId,
    /// The home clinic, which keeps the chart and needs no grant.
    #[n(1)]
    pub custodian: ClinicId,
    /// When the chart began, milliseconds since 1970.
    #[n(2)]
    pub created_ms: u64,
    /// 16 random bytes: two charts of one patient at one time differ.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// The chart secret, wrapped to the custodian's sealing key.
    #[n(4)]
    pub secret: KeyWrap,
}

impl Genesis {
    /// The id of the chart that begins here.
    pub fn chart(&self) -> ChartId {
        ChartId::new(first_bytes(blake3::hash(&codec::encode(self)).as_bytes()))
    }
}

impl Bounded for Genesis {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}
