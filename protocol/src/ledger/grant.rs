//! The grant: a clinic may receive, read, write or pass on parts of a chart.

use minicbor::{Decode, Encode};

use super::terms::{Basis, Compartments, History, Purpose, Rights};
use crate::codec::{Bounded, CodecError, ascending, at_most};
use crate::id::{ChartId, ClinicId, StatementId};
use crate::limits::MAX_FRONTIER;
use crate::seal::KeyWrap;

/// A consent, signed by the patient's key, or by the clinic key of the grantee of a parent grant
/// that has the right to share; in an emergency, by whoever releases the summary.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grant {
    /// 16 random bytes: the same consent given twice is two grants, each revoked on its own.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// The chart.
    #[n(1)]
    pub chart: ChartId,
    /// The clinic that receives.
    #[n(2)]
    pub grantee: ClinicId,
    /// Which parts.
    #[n(3)]
    pub compartments: Compartments,
    /// To do what with them.
    #[n(4)]
    pub rights: Rights,
    /// What for.
    #[n(5)]
    pub purpose: Purpose,
    /// From when on, milliseconds since 1970.
    #[n(6)]
    pub not_before_ms: u64,
    /// Until when (that instant excluded), milliseconds since 1970; without end if none.
    #[n(7)]
    pub expires_ms: Option<u64>,
    /// How much of the past it opens.
    #[n(8)]
    pub history: History,
    /// The grant that this one passes on.
    #[n(9)]
    pub parent: Option<StatementId>,
    /// BLAKE3 of the scanned paper form.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub paper: Option<[u8; 32]>,
    /// On what ground the signature stands.
    #[n(11)]
    pub basis: Basis,
    /// The newest statements that the signer had seen, ascending.
    #[n(12)]
    pub frontier: Vec<StatementId>,
    /// The chart secret, wrapped to the grantee's sealing key.
    #[n(13)]
    pub secret: KeyWrap,
    /// The emergency ([`BreakGlass`](super::BreakGlass)) in which `summary` is released.
    #[n(14)]
    pub emergency: Option<StatementId>,
}

impl Bounded for Grant {
    fn check(&self) -> Result<(), CodecError> {
        self.compartments.check()?;
        self.rights.check()?;
        self.purpose.check()?;
        if self.expires_ms.is_some_and(|end| end <= self.not_before_ms) {
            return Err(CodecError::OutOfBounds { what: "expiry" });
        }
        let stands = match self.basis {
            Basis::PatientPin | Basis::Custody | Basis::Card => self.parent.is_none(),
            Basis::Parent => self.parent.is_some(),
            // The custodian stands on nothing else, a grantee on its own grant.
            Basis::Emergency => true,
        };
        if !stands || self.emergency.is_some() != (self.basis == Basis::Emergency) {
            return Err(CodecError::OutOfBounds { what: "basis" });
        }
        at_most("frontier", self.frontier.len(), MAX_FRONTIER)?;
        ascending("frontier", &self.frontier)
    }
}
