//! How a statement is written: `version 1 | kind | body | signer 32 | signature 64`.
//!
//! The body is a CBOR array in the order of the fields of its kind. A statement's id is the hash
//! of everything before the signature.

use crate::codec::{self, CodecError};
use crate::id::{ChartId, ClinicId, SignerId, StatementId};
use crate::identity::{
    ClinicKey, Context, NodeKey, PatientKey, Signable, Signature, SignedError, Verified,
};
use crate::ledger::{
    Admission, AuditSegment, BreakGlass, EmergencyRule, Epoch, Genesis, Grant, HouseNote, NodeEnd,
    NodeRevocation, Review, Revocation, house_of,
};
use crate::limits::MAX_STATEMENT_BYTES;

const VERSION: u8 = 1;

// Kinds by number. 7 is kept for transfer, 13 for a new patient key.
const GENESIS: u8 = 1;
const GRANT: u8 = 2;
const REVOCATION: u8 = 3;
const EPOCH: u8 = 4;
const BREAK_GLASS: u8 = 5;
const ADMISSION: u8 = 6;
const HOUSE_NOTE: u8 = 8;
const NODE_REVOCATION: u8 = 9;
const NODE_END: u8 = 10;
const EMERGENCY_RULE: u8 = 11;
const REVIEW: u8 = 12;
const AUDIT_SEGMENT: u8 = 14;

/// One statement of a ledger: what is said, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    body: Body,
    signer: SignerId,
}

impl Statement {
    /// What is said.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Who says it.
    pub fn signer(&self) -> SignerId {
        self.signer
    }

    /// The chart that it is about.
    pub fn chart(&self) -> ChartId {
        match &self.body {
            Body::Genesis(genesis) => genesis.chart(),
            Body::Grant(grant) => grant.chart,
            Body::Revocation(revocation) => revocation.chart,
            Body::Epoch(epoch) => epoch.chart,
            Body::HouseNote(note) => note.chart,
            Body::NodeRevocation(revocation) => house_of(&revocation.clinic),
            Body::NodeEnd(end) => end.chart,
            Body::Admission(admission) => admission.chart,
            Body::BreakGlass(asked) => asked.chart,
            Body::EmergencyRule(rule) => rule.chart,
            Body::Review(review) => review.chart,
            Body::AuditSegment(segment) => segment.chart,
        }
    }
}

impl Statement {
    /// The statements that the signer says to have seen.
    pub(super) fn seen(&self) -> Vec<StatementId> {
        match &self.body {
            Body::Genesis(_)
            | Body::Epoch(_)
            | Body::HouseNote(_)
            | Body::NodeRevocation(_)
            | Body::NodeEnd(_)
            | Body::Admission(_)
            | Body::BreakGlass(_)
            | Body::EmergencyRule(_)
            | Body::Review(_)
            | Body::AuditSegment(_) => Vec::new(),
            Body::Grant(grant) => grant.frontier.iter().copied().chain(grant.parent).collect(),
            Body::Revocation(revocation) => {
                let grant = [revocation.grant];
                revocation.statements.iter().copied().chain(grant).collect()
            }
        }
    }
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// The chart begins.
    Genesis(Genesis),
    /// A clinic may.
    Grant(Grant),
    /// A clinic may no longer.
    Revocation(Revocation),
    /// A key for those who may read.
    Epoch(Epoch),
    /// What a clinic's nodes tell each other.
    HouseNote(HouseNote),
    /// A clinic's node is one no more.
    NodeRevocation(NodeRevocation),
    /// What a node had written when it was cut off.
    NodeEnd(NodeEnd),
    /// What was held counts.
    Admission(Admission),
    /// A clinic without a grant asks in an emergency.
    BreakGlass(BreakGlass),
    /// Whether it may.
    EmergencyRule(EmergencyRule),
    /// The custodian has looked at it.
    Review(Review),
    /// What was done with the chart elsewhere.
    AuditSegment(AuditSegment),
}

/// The key that signs a statement.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// The patient's, for a genesis, a grant, a revocation or a rule for emergencies.
    Patient(&'a PatientKey),
    /// A clinic's, for a delegated grant, a revocation, an admission, an emergency, or what it says
    /// of its nodes.
    Clinic(&'a ClinicKey),
    /// A node's, for an epoch or a segment of its log.
    Node(&'a NodeKey),
}

impl Signer<'_> {
    fn id(&self) -> SignerId {
        SignerId::new(match self {
            Self::Patient(key) => key.id().to_bytes(),
            Self::Clinic(key) => key.id().to_bytes(),
            Self::Node(key) => key.id().to_bytes(),
        })
    }

    fn sign(&self, context: Context, bytes: &[u8]) -> Signature {
        match self {
            Self::Patient(key) => key.sign(context, bytes),
            Self::Clinic(key) => key.sign(context, bytes),
            Self::Node(key) => key.sign(context, bytes),
        }
    }
}

impl Body {
    /// Signs the statement. Whether the signer had the right to is for the ledger to decide.
    ///
    /// Fails when a part is out of bounds (a list unsorted, a text too long).
    pub fn sign(self, signer: Signer<'_>) -> Result<Verified<Statement>, SignedError> {
        let statement = Statement {
            body: self,
            signer: signer.id(),
        };
        Verified::issue(statement, |context, payload| signer.sign(context, payload))
    }

    /// The clinic that becomes a party of the chart by this statement: its custodian, a grantee, or
    /// who asks in an emergency.
    /// Nothing of a chart is shared with a clinic that no statement named.
    pub fn party(&self) -> Option<ClinicId> {
        match self {
            Self::Genesis(genesis) => Some(genesis.custodian),
            Self::Grant(grant) => Some(grant.grantee),
            Self::BreakGlass(asked) => Some(asked.clinic),
            Self::Revocation(_)
            | Self::Epoch(_)
            | Self::HouseNote(_)
            | Self::NodeRevocation(_)
            | Self::NodeEnd(_)
            | Self::Admission(_)
            | Self::EmergencyRule(_)
            | Self::Review(_)
            | Self::AuditSegment(_) => None,
        }
    }

    /// Whether the statement is of a clinic's house, and of no chart.
    pub fn is_of_house(&self) -> bool {
        match self {
            Self::HouseNote(note) => note.chart == house_of(&note.clinic),
            Self::NodeRevocation(_) => true,
            Self::Genesis(_)
            | Self::Grant(_)
            | Self::Revocation(_)
            | Self::Epoch(_)
            | Self::NodeEnd(_)
            | Self::Admission(_)
            | Self::BreakGlass(_)
            | Self::EmergencyRule(_)
            | Self::Review(_)
            | Self::AuditSegment(_) => false,
        }
    }

    /// The clinic in whose name alone the statement can be made.
    fn only_by(&self) -> Option<&ClinicId> {
        match self {
            Self::HouseNote(note) => Some(&note.clinic),
            Self::NodeRevocation(revocation) => Some(&revocation.clinic),
            Self::NodeEnd(end) => Some(&end.clinic),
            Self::BreakGlass(asked) => Some(&asked.clinic),
            Self::Genesis(_)
            | Self::Grant(_)
            | Self::Revocation(_)
            | Self::Epoch(_)
            | Self::Admission(_)
            | Self::EmergencyRule(_)
            | Self::Review(_)
            | Self::AuditSegment(_) => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Genesis(_) => GENESIS,
            Self::Grant(_) => GRANT,
            Self::Revocation(_) => REVOCATION,
            Self::Epoch(_) => EPOCH,
            Self::HouseNote(_) => HOUSE_NOTE,
            Self::NodeRevocation(_) => NODE_REVOCATION,
            Self::NodeEnd(_) => NODE_END,
            Self::Admission(_) => ADMISSION,
            Self::BreakGlass(_) => BREAK_GLASS,
            Self::EmergencyRule(_) => EMERGENCY_RULE,
            Self::Review(_) => REVIEW,
            Self::AuditSegment(_) => AUDIT_SEGMENT,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Genesis(genesis) => codec::encode(genesis),
            Self::Grant(grant) => codec::encode(grant),
            Self::Revocation(revocation) => codec::encode(revocation),
            Self::Epoch(epoch) => codec::encode(epoch),
            Self::HouseNote(note) => codec::encode(note),
            Self::NodeRevocation(revocation) => codec::encode(revocation),
            Self::NodeEnd(end) => codec::encode(end),
            Self::Admission(admission) => codec::encode(admission),
            Self::BreakGlass(asked) => codec::encode(asked),
            Self::EmergencyRule(rule) => codec::encode(rule),
            Self::Review(review) => codec::encode(review),
            Self::AuditSegment(segment) => codec::encode(segment),
        }
    }

    fn decode(kind: u8, bytes: &[u8]) -> Result<Self, CodecError> {
        match kind {
            GENESIS => codec::decode(bytes).map(Self::Genesis),
            GRANT => codec::decode(bytes).map(Self::Grant),
            REVOCATION => codec::decode(bytes).map(Self::Revocation),
            EPOCH => codec::decode(bytes).map(Self::Epoch),
            HOUSE_NOTE => codec::decode(bytes).map(Self::HouseNote),
            NODE_REVOCATION => codec::decode(bytes).map(Self::NodeRevocation),
            NODE_END => codec::decode(bytes).map(Self::NodeEnd),
            ADMISSION => codec::decode(bytes).map(Self::Admission),
            BREAK_GLASS => codec::decode(bytes).map(Self::BreakGlass),
            EMERGENCY_RULE => codec::decode(bytes).map(Self::EmergencyRule),
            REVIEW => codec::decode(bytes).map(Self::Review),
            AUDIT_SEGMENT => codec::decode(bytes).map(Self::AuditSegment),
            found => Err(CodecError::UnknownKind { found }),
        }
    }
}

impl Signable for Statement {
    const CONTEXT: Context = Context::STATEMENT;
    const MOST_BYTES: usize = MAX_STATEMENT_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        let head = [VERSION, self.body.kind()];
        [head.as_slice(), &self.body.encode(), self.signer.as_bytes()].concat()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        let rest = codec::strip_version(VERSION, MAX_STATEMENT_BYTES, payload)?;
        let malformed = CodecError::Malformed { at: payload.len() };
        let (kind, rest) = rest.split_first().ok_or(malformed)?;
        let (body, signer) = rest
            .split_last_chunk::<{ SignerId::LEN }>()
            .ok_or(malformed)?;
        let body = Body::decode(*kind, body)?;
        if body
            .only_by()
            .is_some_and(|clinic| clinic.as_bytes() != signer)
        {
            return Err(CodecError::OutOfBounds { what: "signer" });
        }
        Ok(Self {
            body,
            signer: SignerId::new(*signer),
        })
    }

    fn signer(&self) -> &[u8; 32] {
        self.signer.as_bytes()
    }
}

impl Verified<Statement> {
    /// The statement's id: the hash of everything before the signature.
    pub fn id(&self) -> StatementId {
        StatementId::new(*self.digest())
    }

    /// What is said.
    pub fn body(&self) -> &Body {
        self.payload().body()
    }
}
