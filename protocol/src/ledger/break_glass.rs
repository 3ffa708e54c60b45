//! Breaking the glass: in an emergency a clinic without a grant asks for the summary, and answers
//! for it.
//!
//! Who asks signs a [`BreakGlass`]. Whoever holds the summary and hears of it releases it, by a
//! grant that names the asking: to read `summary`, for at most [`EMERGENCY_MS`]. The patient can
//! refuse that beforehand, by an [`EmergencyRule`]; the custodian looks at each afterwards, and
//! signs what it found, in a [`Review`]. All of it stands in the ledger, for the patient to see.

use minicbor::{Decode, Encode};

use super::secret::ChartSecret;
use crate::codec::{Bounded, CodecError, plain_text};
use crate::id::{ChartId, ClinicId, StatementId, UserId};
use crate::limits::{MAX_NAME_BYTES, MAX_REASON_BYTES};

/// For how long an emergency opens the summary, in milliseconds: a day and a night. Who needs it
/// longer asks again, with another reason.
pub const EMERGENCY_MS: u64 = 24 * 60 * 60 * 1000;

/// Bytes of the proof that the emergency code was at hand.
pub const CODE_PROOF_LEN: usize = 16;

/// A clinic without a grant asks for a patient's summary. Signed by its clinic key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BreakGlass {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The clinic that asks, which signs.
    #[n(1)]
    pub clinic: ClinicId,
    /// The clinician who answers for it, by name, in at most 128 bytes of plain text.
    #[n(2)]
    pub clinician: String,
    /// The user at whose screen it was asked.
    #[n(3)]
    pub by: UserId,
    /// Why, in at most 512 bytes of plain text.
    #[n(4)]
    pub reason: String,
    /// When, milliseconds since 1970.
    #[n(5)]
    pub at_ms: u64,
    /// That the patient's emergency code was at hand; none where the clinician answers alone. See
    /// [`EmergencyCode::proof`](super::EmergencyCode::proof).
    #[cbor(n(6), with = "minicbor::bytes")]
    pub proof: Option<[u8; CODE_PROOF_LEN]>,
}

/// Whether the patient lets clinics break the glass. Signed by the patient's key.
///
/// One that forbids ends every release but for those whose signers name a later one that allows:
/// what has ended stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EmergencyRule {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// Counts the rules of a chart: the one with the largest number holds; of two with the same,
    /// the one that forbids.
    #[n(1)]
    pub number: u64,
    /// Whether the summary may be released.
    #[n(2)]
    pub allowed: bool,
    /// When it was set, milliseconds since 1970. What was asked before stays as it was answered.
    #[n(3)]
    pub at_ms: u64,
}

/// The custodian has looked at an emergency. Signed by the custodian's clinic key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Review {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The [`BreakGlass`].
    #[n(1)]
    pub emergency: StatementId,
    /// Who looked at it.
    #[n(2)]
    pub by: UserId,
    /// Whether it was right to ask.
    #[n(3)]
    pub justified: bool,
    /// What was found, in at most 512 bytes of plain text; may be empty.
    #[n(4)]
    pub note: String,
}

impl Bounded for BreakGlass {
    fn check(&self) -> Result<(), CodecError> {
        for (what, text, most) in [
            ("clinician", &self.clinician, MAX_NAME_BYTES),
            ("reason", &self.reason, MAX_REASON_BYTES),
        ] {
            plain_text(what, text, most)?;
            if text.trim().is_empty() {
                return Err(CodecError::OutOfBounds { what });
            }
        }
        Ok(())
    }
}

impl Bounded for EmergencyRule {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for Review {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("note", &self.note, MAX_REASON_BYTES)
    }
}

impl EmergencyRule {
    /// What tells which of two rules holds: the larger does.
    pub(super) fn rank(self) -> (u64, bool) {
        (self.number, !self.allowed)
    }
}

impl BreakGlass {
    /// Whether the patient's emergency code was at hand.
    pub fn has_code(&self, secret: &ChartSecret) -> bool {
        let code = secret.emergency_code();
        let proof = code.proof(&self.chart, &self.clinic, self.at_ms);
        self.proof == Some(proof)
    }
}
