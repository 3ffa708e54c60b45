//! Another computer becomes a node of the clinic.
//!
//! The clinic's signing key travels: each node can do whatever the clinic can, so that none of them
//! is needed to go on after another was lost. The new node draws its own node key, and certifies
//! it.

use std::path::{Path, PathBuf};

use chartmesh_config::Config;
use chartmesh_protocol::identity::{Card, NodeCertificate, Verified};
use chartmesh_protocol::{ChartId, NodeId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::notes::{self, Told};
use super::origin;
use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::peers::peer_key;
use crate::clinic::{Clinic, ClinicError, Surroundings, date, sealing_keys};
use crate::control::Progress;
use crate::folder;
use crate::keys::{Cost, Enrolment, EnrolmentCode, Passphrase, Secret};
use crate::store::{Batch, Space, Store};

/// Notes that are filed in one commit when the clinic gets its second node.
const NOTES_AT_ONCE: usize = 512;
/// The longest name of a node, in bytes: a label on its lid.
const MAX_LABEL_BYTES: usize = 64;
/// The longest time that an enrolment file is good for, in hours: two weeks, for a stick that goes
/// by mail.
const MAX_HOURS: u32 = 14 * 24;
const HOUR_MS: u64 = 3600 * 1000;

/// An enrolment file was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The file.
    pub file: PathBuf,
    /// What opens it: to be carried another way than the file.
    pub code: String,
    /// What the new node is called.
    pub name: String,
    /// Until when it is good, as RFC 3339.
    pub expires: String,
}

/// What a new node takes over from the clinic that it joins.
pub(in crate::clinic) struct Joining<'a> {
    enrolment: &'a Enrolment,
    card: Card,
}

impl<'a> Joining<'a> {
    /// What an opened enrolment says.
    pub(in crate::clinic) fn of(enrolment: &'a Enrolment) -> Result<Self, ClinicError> {
        let card = Card::parse(&enrolment.card)
            .map_err(|error| ClinicError::usage(format!("the enrolment file: {error}")))?;
        Ok(Self { enrolment, card })
    }

    /// The keys that all nodes of the clinic have: signing, sealing, custody.
    pub(in crate::clinic) fn keys(&self) -> [Option<&Secret>; 3] {
        let Enrolment {
            clinic,
            custody,
            sealing,
            ..
        } = self.enrolment;
        [Some(clinic), sealing.first(), Some(custody)]
    }

    /// The serial of the new node's certificate.
    pub(in crate::clinic) fn serial(&self) -> u64 {
        self.enrolment.serial
    }
}

/// Writes into the new node's store what it knows from the start.
pub(in crate::clinic) fn write_joined(
    store: &Store,
    joining: &Joining<'_>,
    own: &NodeId,
) -> Result<(), ClinicError> {
    let Joining { enrolment, card } = joining;
    let mut batch = Batch::new();
    for secret in enrolment.sealing.iter().skip(1) {
        sealing_keys::remember(&mut batch, secret);
    }
    let certificate: &Verified<NodeCertificate> = card.certificate();
    let node = certificate.payload().node;
    batch
        .put(
            Space::Peers,
            peer_key(&card.clinic(), &node),
            card.to_line().into_bytes(),
        )
        .put(
            Space::Certificates,
            certificate.hash().as_bytes().to_vec(),
            certificate.to_bytes(),
        );
    notes::keep(&mut batch);
    notes::name_node(&mut batch, own, &enrolment.label);
    if let Some(file) = &enrolment.file {
        origin::begin(&mut batch, own, file);
    }
    store.commit(batch)?;
    Ok(())
}

impl Clinic {
    /// Makes another node of a clinic, out of what its enrolment file held.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`ClinicError::Usage`] for an enrolment that holds no card.
    pub fn join(
        dir: &Path,
        config: &Config,
        passphrase: &Passphrase,
        cost: Cost,
        enrolment: &Enrolment,
    ) -> Result<(), ClinicError> {
        let surroundings = Surroundings::default();
        Self::join_in(&surroundings, dir, config, (passphrase, cost), enrolment)
    }

    /// As [`join`](Self::join), with a clock and a source of random bytes of its own.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_in(
        surroundings: &Surroundings,
        dir: &Path,
        config: &Config,
        sealed: (&Passphrase, Cost),
        enrolment: &Enrolment,
    ) -> Result<(), ClinicError> {
        let joining = Joining::of(enrolment)?;
        Self::make(surroundings, dir, config, sealed, Some(&joining))
    }

    /// Writes a file that makes another computer a node of this clinic, with its code.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for a name or a time that cannot be, or a file that exists.
    pub fn enroll(
        &self,
        label: &str,
        out: &Path,
        hours: u32,
        progress: &dyn Fn(Progress),
    ) -> Result<Enrolled, ClinicError> {
        self.check_own_end()?;
        let label = label.trim();
        let plain = !label.is_empty() && !label.chars().any(char::is_control);
        if !plain || label.len() > MAX_LABEL_BYTES {
            return Err(ClinicError::usage(format!(
                "a node's name is one line of at most {MAX_LABEL_BYTES} bytes, and not empty"
            )));
        }
        if hours == 0 || hours > MAX_HOURS {
            return Err(ClinicError::usage(format!(
                "an enrolment file is good for 1 to {MAX_HOURS} hours"
            )));
        }
        if out.exists() {
            return Err(ClinicError::usage(format!(
                "{} exists: choose another name, or remove it first",
                out.display()
            )));
        }
        self.begin_to_keep_house(progress)?;
        let identity = &self.identity;
        let current = identity.certificate().payload().sealing;
        let mut sealing: Vec<_> = identity.sealing.all();
        sealing.sort_by_key(|key| key.public() != current);
        let enrolment = Enrolment {
            clinic: identity.clinic.to_bytes(),
            custody: identity.custody.clone(),
            sealing: sealing.iter().map(|key| key.to_bytes()).collect(),
            name: self.name().to_owned(),
            label: label.to_owned(),
            card: self.own_card()?.card,
            serial: self.next_serial(),
            file: None,
        };
        let mut rng = self.chance();
        let code = EnrolmentCode::draw(&mut rng);
        let expires_ms = self
            .now_ms()
            .saturating_add(u64::from(hours).saturating_mul(HOUR_MS));
        let file = enrolment
            .seal(&code, expires_ms, Cost::STANDARD, &mut rng)
            .map_err(ClinicError::fault)?;
        self.note(Action::EnrollNode, None)?;
        folder::write_whole(out, &file)
            .map_err(|error| ClinicError::usage(format!("{}: {error}", out.display())))?;
        Ok(Enrolled {
            file: out.to_owned(),
            code: code.spelled(),
            name: label.to_owned(),
            expires: date::moment(expires_ms),
        })
    }

    /// The serial of the clinic's next certificate of a node.
    pub(crate) fn next_serial(&self) -> u64 {
        let certificates = self.certificates_read();
        let newest = certificates.of_clinic(&self.clinic_id());
        newest
            .map_or(0, |one| one.payload().serial)
            .saturating_add(1)
    }

    /// From now on there are notes for other nodes: of everything that they cannot know otherwise.
    fn begin_to_keep_house(&self, progress: &dyn Fn(Progress)) -> Result<(), ClinicError> {
        if self.keeps_house() {
            return self.announce_node();
        }
        let _writing = self.writing();
        let mut draft = Draft::default();
        for card in self.cards()? {
            let node = card.certificate().payload().node;
            let line = card.to_line();
            self.note_for_house(&mut draft, &Told::Peer(card.clinic(), node, Some(&line)))?;
        }
        self.file(draft)?;
        let custody: Result<Vec<_>, _> = self.store.scan_prefix(Space::Custody, &[]).collect();
        let custody = custody?;
        for (done, some) in custody.chunks(NOTES_AT_ONCE).enumerate() {
            let mut draft = Draft::default();
            for (chart, sealed) in some {
                if let Ok(chart) = ChartId::try_from(chart.as_slice()) {
                    let sealed = Zeroizing::new(sealed.clone());
                    self.note_for_house(&mut draft, &Told::Custody(chart, &sealed))?;
                }
            }
            self.file(draft)?;
            progress(Progress {
                what: "making patients' keys ready for the new node".to_owned(),
                done: u64::try_from(done * NOTES_AT_ONCE).unwrap_or(u64::MAX),
                total: u64::try_from(custody.len()).unwrap_or(u64::MAX),
            });
        }
        // Last: a start that is cut short begins again.
        let mut batch = Batch::new();
        notes::keep(&mut batch);
        self.store.commit(batch)?;
        self.announce_node()
    }

    /// Tells the clinic's other nodes where this one is, where that has changed. A new node does so
    /// at its first start: what it has to say makes a session with one that does not know it
    /// compare stores, which would else both seem to be empty.
    pub(crate) fn announce_node(&self) -> Result<(), ClinicError> {
        if !self.keeps_house() {
            return Ok(());
        }
        self.tell_origin()?;
        let card = self.own_card()?;
        let key = peer_key(&self.clinic_id(), &self.node_id());
        let told = self.store.get(Space::Peers, &key)?;
        let is_known = |told: &Vec<u8>| {
            // Addresses that were told are better than none.
            card.addresses.is_empty() || *told == card.card.as_bytes()
        };
        if told.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let label = self.label_of(&self.node_id())?.unwrap_or_default();
        let mut draft = Draft::default();
        self.note_for_house(&mut draft, &Told::Node(&label, &card.card))?;
        self.file(draft)?;
        Ok(())
    }
}
