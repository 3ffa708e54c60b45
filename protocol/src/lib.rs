//! What clinics say to each other about a patient's chart, and what follows from it.
//!
//! - [`identity`]: clinics, nodes, patients and users, their keys, certificates and cards.
//! - [`ledger`]: a chart's signed statements and the decision function: who may read and write,
//!   who may be sent what, and which records count.
//! - [`seal`]: content keys, how they reach their readers, and the records sealed under them.
//! - [`attachment`]: content that lies outside the records, in pieces.
//! - [`reconcile`]: how two nodes find out what the other lacks.
//! - [`sync`]: the state machine of a connection.
//! - [`patient_card`]: what stands on a patient's card, for a clinic that has never heard of it.
//! - [`limits`]: every limit, with its reason.
//! - [`threats`]: who attacks, what each can do and cannot, and the tests that show it.
//!
//! Nothing here reads a clock, a file, a socket or a random generator: time and randomness are
//! arguments, and what comes out is data. Every format is deterministic CBOR or a fixed layout
//! behind a version byte; one value has one spelling.
//!
//! A patient lets a second clinic read and write; the home clinic seals a record for both:
//!
//! ```
//! use chartmesh_protocol::identity::*;
//! use chartmesh_protocol::ledger::*;
//! use chartmesh_protocol::seal::*;
//! use chartmesh_protocol::{HybridTime, Incarnation, RecordLink, Sequence};
//! # use rand_chacha::ChaCha20Rng;
//! # use rand_core::SeedableRng;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let rng = &mut ChaCha20Rng::seed_from_u64(1); // in a node: the system's generator
//! # let now_ms = 1_700_000_000_000;
//! // Two clinics, a node and a user of the first, and a patient.
//! let (home, home_sealing) = (ClinicKey::generate(rng), SealingKey::generate(rng));
//! let (other, other_sealing) = (ClinicKey::generate(rng), SealingKey::generate(rng));
//! let (node, user) = (NodeKey::generate(rng), UserKey::generate(rng));
//! let patient = PatientKey::generate(rng);
//!
//! // The chart begins at home.
//! let secret = ChartSecret::generate(rng);
//! let genesis = Genesis {
//!     patient: patient.id(),
//!     custodian: home.id(),
//!     created_ms: now_ms,
//!     nonce: [7; 16], // random
//!     secret: wrap_first_secret(
//!         rng, &patient.id(), &home.id(), &home_sealing.public(), &secret,
//!     )?,
//! };
//! let chart = genesis.chart();
//! let mut ledger = Ledger::new(chart);
//! ledger.insert(Body::Genesis(genesis).sign(Signer::Patient(&patient))?);
//!
//! // The patient lets the other clinic read and write the summary.
//! let summary = CompartmentName::Summary;
//! let wrapped =
//!     wrap_chart_secret(rng, &chart, &other.id(), &other_sealing.public(), &secret)?;
//! let grant = Grant {
//!     nonce: [8; 16], // random
//!     chart,
//!     grantee: other.id(),
//!     compartments: [summary.clone()].into_iter().collect(),
//!     rights: "read,write".parse()?,
//!     purpose: Purpose::treatment(),
//!     not_before_ms: now_ms,
//!     expires_ms: None,
//!     history: History::All,
//!     parent: None,
//!     paper: None,
//!     basis: Basis::PatientPin,
//!     frontier: ledger.frontier(),
//!     secret: wrapped,
//!     emergency: None,
//! };
//! ledger.insert(Body::Grant(grant).sign(Signer::Patient(&patient))?);
//!
//! // Who may read now? A content key for exactly those.
//! let certificate = NodeCertificate {
//!     clinic: home.id(),
//!     node: node.id(),
//!     sealing: home_sealing.public(),
//!     role: NodeRole::Clinic,
//!     issued_ms: now_ms,
//!     serial: 1,
//! };
//! let mut book = CertificateBook::new();
//! book.insert(&certificate.issue(&home)?);
//! let decision = decide(&ledger, &book, now_ms);
//! assert_eq!(decision.readers(&summary), [home.id(), other.id()].into());
//! let plan = EpochPlan {
//!     chart,
//!     compartment: &summary,
//!     readers: &[
//!         Reader { clinic: home.id(), sealing: home_sealing.public(), told: false },
//!         Reader { clinic: other.id(), sealing: other_sealing.public(), told: false },
//!     ],
//!     parents: &[],
//!     history: &[],
//!     created: HybridTime::from_ms(now_ms),
//! };
//! let (epoch, key) = make_epoch(rng, &plan)?;
//! ledger.insert(Body::Epoch(epoch).sign(Signer::Node(&node))?);
//! let decision = decide(&ledger, &book, now_ms);
//! assert_eq!(decision.sealing_epoch(&summary).map(|one| one.epoch()), Some(key.id()));
//!
//! // One save, sealed and signed.
//! let place = RecordPlace {
//!     chart,
//!     compartment: secret.compartment_tag(&summary),
//!     incarnation: Incarnation::new(1), // random
//!     sequence: Sequence::new(0),
//!     previous: RecordLink::FIRST,
//! };
//! let content = RecordContent {
//!     changes: vec![b"a change".to_vec()],
//!     user: user.id(),
//!     role: "physician".to_owned(),
//!     signature: sign_changes(&user, &chart, "physician", &[[0; 32]]), // the change's hash
//!     time: HybridTime::from_ms(now_ms),
//!     frontier: ledger.frontier().iter().map(|id| id.prefix()).collect(),
//! };
//! let record = seal_record(rng, &place, &key, &node, &content)?;
//!
//! // At the other clinic: check, find the key, open.
//! let received = VerifiedRecord::decode(record.as_bytes())?;
//! let epochs = ledger.epochs().map(|(_, epoch)| epoch);
//! let ring = Keyring::open(epochs, &other.id(), &other_sealing);
//! let key = ring.get(&received.header().epoch).ok_or("no key")?;
//! assert_eq!(received.open(key)?, content);
//! # Ok(())
//! # }
//! ```

pub mod attachment;
mod cipher;
mod codec;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hex;
mod id;
pub mod identity;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod patient_card;
pub mod reconcile;
pub mod seal;
pub mod sync;
pub mod threats;
mod time;
#[cfg(test)]
mod world;

pub use codec::CodecError;
pub use id::{
    AttachmentId, CertificateHash, ChartId, ClinicId, CompartmentTag, EpochId, Incarnation,
    MailboxId, NodeId, ParseIdError, PatientId, RecordId, RecordLink, SealedHash, SealingPublic,
    Sequence, SignerId, StatementId, StatementPrefix, UserId, UserPublic,
};
pub use time::{HybridClock, HybridTime};
