//! Clinics in one process: stores in temporary folders, sessions joined without a network.

mod attachments;
mod audit;
mod beside_a_writer;
mod cards;
mod compaction;
mod compaction_claims;
mod compaction_forged;
mod compaction_random;
mod consent;
mod copies;
mod emergency;
mod golden;
mod held;
mod missing;
mod mistaken;
mod nonsense;
mod opening;
mod own_nodes;
mod patient_card;
mod pins;
mod relay;
mod relay_attachments;
mod relay_attachments_hostile;
mod relay_ends;
mod relay_hostile;
mod relay_random;
mod relay_receipts;
mod sharing;
mod sticks;
mod sticks_rest;
mod told;
mod twins;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chartmesh_config::Config;
use chartmesh_protocol::HybridTime;
use chartmesh_protocol::sync::{
    CloseCode, CloseReason, Effect, Event, Patience, Role, Session, Setup,
};
use zeroize::Zeroizing;

use super::{
    Clinic, ClinicError, Delivery, GrantMade, GrantsMade, Instance, PeerStore, PieceDelivery,
    Replica, Surroundings,
};
use crate::clock::{self, Clock};
use crate::control::{GrantRequest, Registration};
use crate::keys::{Cost, Passphrase};

/// Effects of one exchange: more than any of these tests needs.
const MAX_STEPS: usize = 100_000;

/// A clinic and the folder it lies in.
struct House {
    clinic: Arc<Clinic>,
    dir: tempfile::TempDir,
}

impl House {
    fn new(name: &str) -> Self {
        Self::with(name, Surroundings::default())
    }

    /// A clinic with a clock that is set by hand, in milliseconds since 1970.
    fn with_clock(name: &str, clock: &Arc<AtomicU64>) -> Self {
        let surroundings = Surroundings {
            clock: Clock::Set(Arc::clone(clock)),
            ..Surroundings::default()
        };
        Self::with(name, surroundings)
    }

    /// A relay with so much room for each clinic.
    fn relay(mebibytes: u32) -> Self {
        let mut config = Config::default_for("Relay").unwrap();
        config.role = chartmesh_config::Role::Relay;
        config.relay.mebibytes_per_clinic = mebibytes;
        Self::configured(config, Surroundings::default())
    }

    fn with(name: &str, surroundings: Surroundings) -> Self {
        Self::configured(Config::default_for(name).unwrap(), surroundings)
    }

    fn configured(config: Config, surroundings: Surroundings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cost = Cost::new(64, 1, 1).unwrap();
        Clinic::create_in(&surroundings, dir.path(), &config, &passphrase(), cost).unwrap();
        let clinic = Clinic::open_in(surroundings, dir.path(), config, &passphrase()).unwrap();
        Self {
            clinic: Arc::new(clinic),
            dir,
        }
    }

    /// Closes the store and opens it again.
    fn reopen(self) -> Self {
        let config = self.clinic.config().clone();
        let around = self.clinic.surroundings.clone();
        drop(Arc::try_unwrap(self.clinic).ok().unwrap());
        let clinic = Clinic::open_in(around, self.dir.path(), config, &passphrase()).unwrap();
        Self {
            clinic: Arc::new(clinic),
            dir: self.dir,
        }
    }

    /// The same store as it is now, in another folder: what a backup would bring back.
    fn copy(&self) -> Self {
        self.copy_as(Instance::OfFile)
    }

    /// The same, as a whole disk is that was put back: nothing tells it from the original.
    fn rolled_back(&self) -> Self {
        self.copy_as(Instance::AsNoted)
    }

    fn copy_as(&self, instance: Instance) -> Self {
        self.clinic.flush().unwrap();
        let dir = tempfile::tempdir().unwrap();
        copy_folder(self.dir.path(), dir.path());
        let config = self.clinic.config().clone();
        let around = Surroundings {
            instance,
            ..Surroundings::default()
        };
        let clinic = Clinic::open_in(around, dir.path(), config, &passphrase()).unwrap();
        Self {
            clinic: Arc::new(clinic),
            dir,
        }
    }

    fn register(&self, name: &str) -> String {
        let registration = Registration {
            given: vec![name.to_owned()],
            family: Some("Okello".to_owned()),
            birth_date: Some("1987-04".to_owned()),
            sex: "female".to_owned(),
            identifiers: vec![],
            even_if_alike: false,
        };
        self.clinic.register(&registration).unwrap().id.to_string()
    }

    fn grant(&self, patient: &str, to: &Self, compartments: &str, rights: &str) -> GrantMade {
        self.try_grant(request(patient, to, compartments, rights))
            .unwrap()
    }

    fn try_grant(&self, request: GrantRequest) -> Result<GrantMade, ClinicError> {
        match self.clinic.grant(&request, &|_| {})? {
            GrantsMade::One(made) => Ok(made),
            GrantsMade::All(_) => panic!("one patient was asked for"),
        }
    }

    /// Writes a file of FHIR JSON and takes it in.
    fn import(&self, json: &str) {
        let path = self.dir.path().join("input.json");
        std::fs::write(&path, json).unwrap();
        let imported = self.clinic.import(&[path], &|_| {}).unwrap();
        assert_eq!(imported.files[0].error, None);
    }

    /// Moves the clinic's time on, as an authenticated peer with a faster clock would.
    fn wait_hours(&self, hours: u64) {
        let later = clock::now_ms() + hours * 3_600_000;
        self.clinic.observe(HybridTime::from_ms(later));
    }

    fn compartments(&self, patient: &str) -> Vec<String> {
        let view = self.clinic.chart_view(patient).unwrap();
        view.compartments.into_keys().collect()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Grants what is written from now on, where something is written already: this program refuses
/// to, and has to live with peers that do not.
fn grant_from_now_on(home: &House, mut request: GrantRequest) {
    request.from_now_on = true;
    let chart = home.clinic.find_chart(&request.patient).unwrap();
    let terms = home.clinic.terms(&request).unwrap();
    home.clinic
        .file_grant(&chart, &terms, (None, None))
        .unwrap();
}

fn request(patient: &str, to: &House, compartments: &str, rights: &str) -> GrantRequest {
    let words = |text: &str| text.split(',').map(str::to_owned).collect();
    GrantRequest {
        patient: patient.to_owned(),
        to: to.clinic.clinic_id().to_string(),
        compartments: words(compartments),
        rights: words(rights),
        purpose: None,
        days: None,
        parent: None,
        until: None,
        from_now_on: false,
        pin: None,
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(b"passphrase".to_vec())).unwrap()
}

fn introduce(one: &House, other: &House) {
    one.clinic
        .add_peer(&other.clinic.own_card().unwrap().card)
        .unwrap();
    other
        .clinic
        .add_peer(&one.clinic.own_card().unwrap().card)
        .unwrap();
}

/// One end of a joined pair of sessions.
struct End {
    clinic: Arc<Clinic>,
    session: Session,
    replica: Box<dyn PeerStore>,
    in_sync: bool,
    closed: Option<CloseReason>,
}

impl End {
    fn new(house: &House, peer: &House, role: Role) -> Self {
        let replica = house.clinic.peer_store(peer.clinic.node_id()).unwrap();
        let session = Session::new(Setup {
            role,
            peer: peer.clinic.node_id(),
            pair_key: replica.pair_key(),
            certificate: replica.own_certificate(),
            patience: Patience::default(),
        });
        Self {
            clinic: Arc::clone(&house.clinic),
            session,
            replica,
            in_sync: false,
            closed: None,
        }
    }

    /// Handles an event and returns what goes to the other end.
    fn handle(&mut self, event: Event<'_>) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        let mut identified = false;
        let knew_peer = self.replica.clinic_of_peer().is_some();
        let mut effects: VecDeque<Effect> = self.session.handle(0, event, &self.replica).into();
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(bytes) => sent.push(bytes),
                Effect::Deliver { kind, bytes } => {
                    let stored = self.replica.store(&[Delivery { kind, bytes }]);
                    let event = match stored {
                        Ok(()) => Event::Stored { items: 1 },
                        Err(refused) => Event::Refused(refused.refusal()),
                    };
                    effects.extend(self.session.handle(0, event, &self.replica));
                }
                Effect::Piece {
                    name,
                    number,
                    bytes,
                } => {
                    let piece = PieceDelivery {
                        name,
                        number,
                        bytes,
                    };
                    let event = match self.replica.store_pieces(&[piece]) {
                        Ok(()) => Event::PiecesStored { pieces: 1 },
                        Err(refused) => Event::Refused(refused.refusal()),
                    };
                    effects.extend(self.session.handle(0, event, &self.replica));
                }
                Effect::AttachmentsTold { held, lacking } => {
                    self.replica.attachments_told(&held, &lacking).unwrap();
                }
                Effect::PiecesLacking { name, pieces } => {
                    self.replica.pieces_lacking(name, &pieces);
                }
                Effect::PeerIdentified(peer) => {
                    self.replica.identified(&peer).unwrap();
                    identified = !knew_peer;
                }
                Effect::Certificate(bytes) => self.replica.certificate_came(&bytes).unwrap(),
                Effect::Revocation(bytes) => self.replica.revocation_came(&bytes).unwrap(),
                Effect::CursorAdvanced(cursor) => self.replica.advance(cursor).unwrap(),
                Effect::PeerAcknowledged(feeds) => self.replica.acknowledged(&feeds).unwrap(),
                Effect::PeerHolds(upto) => self.replica.peer_holds(upto).unwrap(),
                Effect::StoreIsBehind { seen } => self.replica.store_is_behind(seen).unwrap(),
                Effect::InSync(_) => {
                    self.replica.confirmed().unwrap();
                    self.in_sync = true;
                }
                Effect::WakeAt { .. } => {}
                Effect::Close(reason) => {
                    if reason == CloseReason::ByPeer(CloseCode::QuotaUsed) {
                        self.replica.is_full();
                    }
                    self.closed = Some(reason);
                }
            }
            if effects.is_empty() && std::mem::take(&mut identified) {
                let event = Event::SyncRequested;
                effects.extend(self.session.handle(0, event, &self.replica));
            }
        }
        sent
    }
}

/// Two ends on a link without delay.
struct Joined {
    ends: [End; 2],
    queues: [VecDeque<Vec<u8>>; 2],
    /// Bytes that went to each end.
    received: [usize; 2],
    /// Bytes that are passed on at once.
    piece: usize,
}

impl Joined {
    /// Opens both ends.
    fn new(one: &House, other: &House) -> Self {
        let mut joined = Self {
            ends: [
                End::new(one, other, Role::Dialer),
                End::new(other, one, Role::Listener),
            ],
            queues: [VecDeque::new(), VecDeque::new()],
            received: [0, 0],
            piece: usize::MAX,
        };
        joined.tell(0, Event::Opened);
        joined.tell(1, Event::Opened);
        joined
    }

    /// Tells one end, and queues what it sends.
    fn tell(&mut self, index: usize, event: Event<'_>) {
        let sent = self.ends[index].handle(event);
        self.queues[1 - index].extend(sent);
    }

    /// Passes one piece on; says whether there was one.
    fn step(&mut self) -> bool {
        let Some(index) = (0..2).find(|index| !self.queues[*index].is_empty()) else {
            return false;
        };
        let mut bytes = self.queues[index].pop_front().unwrap();
        if bytes.len() > self.piece {
            let rest = bytes.split_off(self.piece);
            self.queues[index].push_front(rest);
        }
        self.received[index] += bytes.len();
        self.tell(index, Event::Received(&bytes));
        true
    }

    /// Goes on until something is so.
    fn run_until(&mut self, so: impl Fn(&[End; 2]) -> bool) {
        for _ in 0..MAX_STEPS {
            if so(&self.ends) {
                return;
            }
            assert!(self.step(), "it never comes");
        }
        panic!("it takes too long");
    }

    /// Lets everything arrive. An error says why one end closed.
    fn run(&mut self) -> Result<(), CloseReason> {
        for _ in 0..MAX_STEPS {
            if !self.step() {
                break;
            }
        }
        match self.ends.iter_mut().find_map(|end| end.closed.take()) {
            Some(reason) => Err(reason),
            None => {
                let in_sync = self.ends.iter().all(|end| end.in_sync);
                assert!(in_sync, "nothing is left to send");
                Ok(())
            }
        }
    }
}

/// Joins two clinics until both say that they are in sync, or one ends the session.
fn sync(one: &House, other: &House) -> Result<(), CloseReason> {
    Joined::new(one, other).run()
}
