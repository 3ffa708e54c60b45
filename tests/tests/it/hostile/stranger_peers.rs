//! Nodes that no known clinic has certified: they learn a typed reason and nothing else.

use chartmesh_protocol::identity::{
    Card, ClinicKey, NodeCertificate, NodeKey, NodeRole, SealingKey, Verified,
};
use chartmesh_protocol::reconcile::{
    Cursor, FeedNumber, ItemId, PairKey, SharedDigests, StoreIncarnation,
};
use chartmesh_protocol::sync::{
    CloseCode, FeedEntry, Holdings, ItemKind, Patience, Role, Session, Setup,
};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};
use chartmesh_tests::{Clinic, introduce};
use zeroize::Zeroizing;

use super::dialer::{Line, converse, frame};
use super::{await_logged, holdings, log};
use crate::PROGRAM;

/// What an empty node has to show.
struct Nothing;

impl Holdings for Nothing {
    fn incarnation(&self) -> StoreIncarnation {
        StoreIncarnation::new(7)
    }
    fn newest(&self) -> FeedNumber {
        FeedNumber::START
    }
    fn cursor(&self) -> Option<Cursor> {
        None
    }
    fn time(&self) -> HybridTime {
        HybridTime::from_ms(1)
    }
    fn digests(&self) -> SharedDigests {
        SharedDigests::default()
    }
    fn owed(&self, _: FeedNumber) -> Vec<FeedEntry> {
        Vec::new()
    }
    fn shared(&self, _: ItemKind) -> Vec<FeedEntry> {
        Vec::new()
    }
    fn item(&self, _: &ItemId) -> Option<Vec<u8>> {
        None
    }
    fn certificates_for(&self, _: &ItemId) -> Vec<CertificateHash> {
        Vec::new()
    }
    fn certificate(&self, _: &CertificateHash) -> Option<Vec<u8>> {
        None
    }
    fn peer_certificate(&self) -> Option<CertificateHash> {
        None
    }
    fn knows_clinic(&self, _: &ClinicId) -> bool {
        true
    }

    fn is_cut_off(&self, _: &ClinicId, _: &NodeId) -> bool {
        false
    }
}

/// Someone with a node key, and a clinic key that nobody knows.
struct Stranger {
    node: NodeKey,
    clinic: ClinicKey,
}

impl Stranger {
    fn new() -> Self {
        Self {
            node: NodeKey::from_bytes(Zeroizing::new([0x51; 32])),
            clinic: ClinicKey::from_bytes(Zeroizing::new([0x52; 32])),
        }
    }

    /// A certificate for its own node, in its own clinic's name.
    fn certificate(&self) -> Verified<NodeCertificate> {
        let certificate = NodeCertificate {
            clinic: self.clinic.id(),
            node: self.node.id(),
            sealing: SealingKey::from_bytes(Zeroizing::new([0x53; 32])).public(),
            role: NodeRole::Clinic,
            issued_ms: 1,
            serial: 1,
        };
        certificate.issue(&self.clinic).unwrap()
    }

    /// Connects, and shows `certificate`; the bytes on their way out are changed by `change`.
    /// Returns the line and the code that it was closed with.
    fn call(
        &self,
        home: &Clinic,
        certificate: Verified<NodeCertificate>,
        change: impl FnMut(Vec<u8>) -> Vec<u8>,
    ) -> (Line, CloseCode) {
        let card = Card::parse(&home.card()).unwrap();
        let peer = card.certificate().payload().node;
        let mut session = Session::new(Setup {
            role: Role::Dialer,
            peer,
            pair_key: PairKey::derive(&self.node.agree(&peer).unwrap()),
            certificate,
            patience: Patience::default(),
        });
        let mut line = Line::open(home, &self.node);
        let code = converse(&mut line, &mut session, &Nothing, change, &[]);
        (line, code)
    }
}

/// Puts `new` wherever `old` stands.
fn replace(bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes;
    let mut at = 0;
    while at + old.len() <= bytes.len() {
        if bytes[at..at + old.len()] == *old {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
        at += 1;
    }
    bytes
}

/// Shows `forged` instead of `certificate`.
fn show_instead(
    certificate: &Verified<NodeCertificate>,
    forged: Vec<u8>,
) -> impl FnMut(Vec<u8>) -> Vec<u8> {
    let genuine = certificate.to_bytes();
    move |bytes| replace(bytes, &genuine, &forged)
}

/// A home clinic with a chart that another clinic may read, both in sync.
fn two_clinics() -> (Clinic, Clinic) {
    let mut home = Clinic::create(PROGRAM, "Hill Clinic");
    let mut known = Clinic::create(PROGRAM, "River Hospital");
    home.start();
    known.start();
    introduce(&home, &known);
    home.json(&["patient", "register", "--given", "Amina"]);
    let to = known.id();
    let grant = ["consent", "grant", "--patient", "all", "--to", to.as_str()];
    home.json(&[&grant[..], &["--compartments", "all"]].concat());
    home.sync();
    (home, known)
}

/// Nothing went to the stranger but who we are, and why it has to go.
fn assert_told_nothing(line: &Line) {
    let kinds: Vec<u8> = line.frames().iter().map(|(kind, _)| *kind).collect();
    assert!(
        [&[1, 2, 12, 14][..], &[1, 14]].contains(&kinds.as_slice()),
        "frames of the types {kinds:?}"
    );
}

#[test]
fn a_node_without_a_known_clinics_certificate_learns_nothing_and_changes_nothing() {
    let (mut home, mut known) = two_clinics();
    let before = holdings(&home);
    let stranger = Stranger::new();
    let own = stranger.certificate();
    let theirs = Card::parse(&known.card()).unwrap().certificate().clone();

    let node = stranger.node.id().to_string();
    let call = |certificate, change: &mut dyn FnMut(Vec<u8>) -> Vec<u8>, code, reason: &str| {
        let logged = log(&home).len();
        let (line, closed_with) = stranger.call(&home, certificate, change);
        assert_eq!(closed_with, code, "{reason}");
        assert_told_nothing(&line);
        await_logged(&home, logged, &node, reason);
    };

    let as_it_is = &mut |bytes| bytes;
    let reason = "not among the known clinics";
    call(own.clone(), as_it_is, CloseCode::NotKnown, reason);

    // The certificate of a known clinic's node, shown by another.
    let reason = "shows the certificate of node";
    call(theirs.clone(), as_it_is, CloseCode::BadCertificate, reason);

    // One that names the known clinic, signed with another key; then one with a broken signature.
    let named = replace(
        own.to_bytes(),
        stranger.clinic.id().as_bytes(),
        theirs.payload().clinic.as_bytes(),
    );
    let mut broken = own.to_bytes();
    *broken.last_mut().unwrap() ^= 1;
    for forged in [named, broken] {
        let change = &mut show_instead(&own, forged);
        let reason = "certificate is invalid";
        call(own.clone(), change, CloseCode::BadCertificate, reason);
    }

    // No certificate at all, but an item.
    let mut said_hello = false;
    let item_next = &mut |bytes| {
        let first = !std::mem::replace(&mut said_hello, true);
        if first {
            bytes
        } else {
            frame(9, &[0x84, 0, 0, 1, 0x41, 0])
        }
    };
    let reason = "ITEM while waiting for its certificate";
    call(own, item_next, CloseCode::Unexpected, reason);

    assert_eq!(holdings(&home), before);
    assert!(!home.ok(&["--json", "sync", "status"]).contains(&node));
    home.json(&["patient", "register", "--given", "Otieno"]);
    assert_eq!(home.sync().len(), 1);
    known.stop();
    home.stop();
}
