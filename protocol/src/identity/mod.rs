//! Who is who: keys, what they sign, and what a clinic certifies.
//!
//! - `key`: the four signing keys (clinic, node, patient, user) and their ids.
//! - `signature`: ed25519 (RFC 8032) with a context for each use, so that a signature made for
//!   one purpose never serves another.
//! - `sealing`: the clinic's x25519 key to which chart keys are wrapped.
//! - `agreement`: the secret that two nodes share without talking.
//! - `signed`: the envelope `payload | signature`; the payload shows itself only once verified.
//! - `certificate`: what a clinic says of its nodes and users.
//! - `card`: the line of text by which two clinics get to know each other.

mod agreement;
mod card;
mod certificate;
mod key;
mod sealing;
mod signature;
mod signed;

pub use agreement::{AgreementError, SharedSecret};
pub use card::{Card, CardError};
pub use certificate::{NodeCertificate, NodeRole, UserCertificate};
pub use key::{ClinicKey, NodeKey, PatientKey, UserKey};
pub use sealing::SealingKey;
pub(crate) use signature::sign;
pub use signature::{Context, Signature, SignatureError, verify};
pub use signed::{Signable, Signed, SignedError, Verified};
