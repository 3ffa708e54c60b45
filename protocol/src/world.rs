//! An invented world for tests: a patient, clinics with a node each, and the statements and
//! records that they make. Clinic 0 is the custodian. Everything follows from one seed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::id::{
    ChartId, ClinicId, Incarnation, NodeId, RecordId, RecordLink, Sequence, StatementId, UserId,
};
use crate::identity::{
    ClinicKey, NodeCertificate, NodeKey, NodeRole, PatientKey, SealingKey, Verified,
};
use crate::ledger::{
    Admission, AuditSegment, Basis, Body, BreakGlass, CertificateBook, ChartSecret,
    CompartmentName, Compartments, EMERGENCY_MS, EmergencyRule, Epoch, FrontierTip, Genesis, Grant,
    History, HouseNote, Ledger, NodeEnd, NodeRevocation, NoteTopic, Purpose, RecordFacts, Review,
    Revocation, Rights, SegmentEntries, SegmentEntry, Signer, Statement,
};
use crate::seal::{EpochKey, EpochPlan, Reader, make_epoch, wrap_chart_secret, wrap_first_secret};
use crate::time::HybridTime;

/// The time of the world, milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// The same in every world: making keys and certificates takes most of a world's time.
static CLINICS: LazyLock<Vec<Clinic>> = LazyLock::new(|| (1..=8).map(Clinic::new).collect());

pub(crate) struct Clinic {
    pub(crate) key: ClinicKey,
    pub(crate) node: NodeKey,
    pub(crate) sealing: SealingKey,
    pub(crate) certificate: Verified<NodeCertificate>,
}

impl Clinic {
    fn new(seed: u8) -> Self {
        let key = ClinicKey::from_bytes(Zeroizing::new([seed; 32]));
        let node = NodeKey::from_bytes(Zeroizing::new([seed | 0x40; 32]));
        let sealing = SealingKey::from_bytes(Zeroizing::new([seed | 0x80; 32]));
        let certificate = NodeCertificate {
            clinic: key.id(),
            node: node.id(),
            sealing: sealing.public(),
            role: NodeRole::Clinic,
            issued_ms: NOW_MS,
            serial: 1,
        };
        let certificate = certificate.issue(&key).unwrap();
        Self {
            key,
            node,
            sealing,
            certificate,
        }
    }

    pub(crate) fn id(&self) -> ClinicId {
        self.key.id()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader {
            clinic: self.id(),
            sealing: self.sealing.public(),
            told: false,
        }
    }
}

pub(crate) struct World {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) patient: PatientKey,
    pub(crate) secret: ChartSecret,
    pub(crate) clinics: &'static [Clinic],
    pub(crate) genesis: Verified<Statement>,
    pub(crate) chart: ChartId,
}

impl World {
    pub(crate) fn new(seed: u64, clinics: u8) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let patient = PatientKey::from_bytes(Zeroizing::new([0x3f; 32]));
        let secret = ChartSecret::generate(&mut rng);
        let clinics = &CLINICS[..usize::from(clinics)];
        let home = &clinics[0];
        let public = home.sealing.public();
        let wrap = wrap_first_secret(&mut rng, &patient.id(), &home.id(), &public, &secret);
        let genesis = Genesis {
            patient: patient.id(),
            custodian: home.id(),
            created_ms: NOW_MS,
            nonce: bytes(&mut rng),
            secret: wrap.unwrap(),
        };
        let chart = genesis.chart();
        let genesis = Body::Genesis(genesis)
            .sign(Signer::Patient(&patient))
            .unwrap();
        Self {
            rng,
            patient,
            secret,
            clinics,
            genesis,
            chart,
        }
    }

    pub(crate) fn id(&self, clinic: usize) -> ClinicId {
        self.clinics[clinic].id()
    }

    pub(crate) fn node(&self, clinic: usize) -> NodeId {
        self.clinics[clinic].node.id()
    }

    pub(crate) fn book(&self) -> CertificateBook {
        let mut book = CertificateBook::new();
        for clinic in self.clinics {
            book.insert(&clinic.certificate);
        }
        book
    }

    /// A ledger of the genesis and these statements.
    pub(crate) fn ledger(&self, statements: &[&Verified<Statement>]) -> Ledger {
        let mut ledger = Ledger::new(self.chart);
        ledger.insert(self.genesis.clone());
        for statement in statements {
            ledger.insert((*statement).clone());
        }
        ledger
    }

    /// The terms of a grant to a clinic: everything, all rights but relay, without end.
    pub(crate) fn terms(&mut self, to: usize) -> Grant {
        let reader = self.clinics[to].reader();
        let secret = wrap_chart_secret(
            &mut self.rng,
            &self.chart,
            &reader.clinic,
            &reader.sealing,
            &self.secret,
        );
        Grant {
            nonce: bytes(&mut self.rng),
            chart: self.chart,
            grantee: reader.clinic,
            compartments: Compartments::All,
            rights: Rights::READ.with(Rights::WRITE).with(Rights::SHARE),
            purpose: Purpose::treatment(),
            not_before_ms: NOW_MS,
            expires_ms: None,
            history: History::All,
            parent: None,
            paper: None,
            basis: Basis::PatientPin,
            frontier: vec![self.genesis.id()],
            secret: secret.unwrap(),
            emergency: None,
        }
    }

    /// A grant signed by the patient, its terms changed by `change`.
    pub(crate) fn grant(
        &mut self,
        to: usize,
        change: impl FnOnce(&mut Grant),
    ) -> Verified<Statement> {
        let mut grant = self.terms(to);
        change(&mut grant);
        Body::Grant(grant)
            .sign(Signer::Patient(&self.patient))
            .unwrap()
    }

    /// A grant passed on by a clinic from `parent`, its terms changed by `change`.
    pub(crate) fn pass_on(
        &mut self,
        parent: StatementId,
        by: usize,
        to: usize,
        change: impl FnOnce(&mut Grant),
    ) -> Verified<Statement> {
        let mut grant = self.terms(to);
        grant.parent = Some(parent);
        grant.basis = Basis::Parent;
        change(&mut grant);
        Body::Grant(grant)
            .sign(Signer::Clinic(&self.clinics[by].key))
            .unwrap()
    }

    /// A revocation signed by the patient.
    pub(crate) fn revoke(
        &self,
        grant: &Verified<Statement>,
        known: &[&RecordFacts],
    ) -> Verified<Statement> {
        self.revocation(grant.id(), known)
            .sign(Signer::Patient(&self.patient))
            .unwrap()
    }

    /// A revocation whose signer had seen `known` and everything before it.
    pub(crate) fn revocation(&self, grant: StatementId, known: &[&RecordFacts]) -> Body {
        let mut frontier: BTreeMap<CompartmentName, Vec<FrontierTip>> = BTreeMap::new();
        for record in known {
            frontier
                .entry(record.compartment.clone())
                .or_default()
                .push(FrontierTip {
                    author: record.author,
                    incarnation: record.incarnation,
                    sequence: record.sequence,
                    record: record.id,
                });
        }
        for tips in frontier.values_mut() {
            tips.sort_unstable();
        }
        Body::Revocation(Revocation {
            chart: self.chart,
            grant,
            reason: "the patient moved away".to_owned(),
            frontier,
            statements: vec![self.genesis.id()],
        })
    }

    /// An epoch of a compartment, signed by a clinic's node.
    pub(crate) fn epoch(
        &mut self,
        by: usize,
        name: &CompartmentName,
        readers: &[usize],
        history: &[EpochKey],
    ) -> (Verified<Statement>, EpochKey) {
        let readers: Vec<Reader> = readers
            .iter()
            .map(|one| self.clinics[*one].reader())
            .collect();
        let plan = EpochPlan {
            chart: self.chart,
            compartment: name,
            readers: &readers,
            parents: &[],
            history,
            created: HybridTime::from_ms(NOW_MS),
        };
        let (epoch, key) = make_epoch(&mut self.rng, &plan).unwrap();
        (self.sign_epoch(by, epoch), key)
    }

    /// A note of a clinic to its own nodes.
    pub(crate) fn house_note(&self, clinic: usize, chart: ChartId) -> Verified<Statement> {
        let note = HouseNote {
            clinic: self.id(clinic),
            chart,
            topic: NoteTopic {
                kind: 1,
                about: [7; 32],
            },
            at: HybridTime::from_ms(NOW_MS),
            by: self.node(clinic),
            sealed: vec![9; 40],
        };
        self.sign_house(clinic, Body::HouseNote(note))
    }

    /// A clinic cuts its node off; its new sealing key is that of clinic 7.
    pub(crate) fn cut_off(&self, clinic: usize) -> Verified<Statement> {
        let revocation = NodeRevocation {
            clinic: self.id(clinic),
            node: self.node(clinic),
            reason: "stolen from the ward".to_owned(),
            revoked_ms: NOW_MS,
            sealing: CLINICS[7].sealing.public(),
        };
        self.sign_house(clinic, Body::NodeRevocation(revocation))
    }

    /// What a clinic had seen of its node in a compartment when it cut it off.
    pub(crate) fn node_end(
        &self,
        clinic: usize,
        name: &CompartmentName,
        seen: &[&RecordFacts],
    ) -> Verified<Statement> {
        let tip = |record: &&RecordFacts| FrontierTip {
            author: record.author,
            incarnation: record.incarnation,
            sequence: record.sequence,
            record: record.id,
        };
        let end = NodeEnd {
            chart: self.chart,
            clinic: self.id(clinic),
            node: self.node(clinic),
            compartment: name.clone(),
            tips: seen.iter().map(tip).collect(),
            burnt: self.clinics[clinic].sealing.public(),
        };
        self.sign_house(clinic, Body::NodeEnd(end))
    }

    /// A clinic asks in an emergency, without the code.
    pub(crate) fn break_glass(&self, clinic: usize) -> Verified<Statement> {
        let asked = BreakGlass {
            chart: self.chart,
            clinic: self.id(clinic),
            clinician: "Dr Okello".to_owned(),
            by: UserId::new([7; 8]),
            reason: "unconscious".to_owned(),
            at_ms: NOW_MS,
            proof: None,
        };
        self.sign_house(clinic, Body::BreakGlass(asked))
    }

    /// A clinic tells the home clinic of what it did with the chart.
    pub(crate) fn segment(
        &mut self,
        clinic: usize,
        number: u64,
        previous: Option<StatementId>,
    ) -> Verified<Statement> {
        let entry = SegmentEntry {
            number: 40 + number,
            at_ms: NOW_MS,
            action: "read".to_owned(),
            user: UserId::new([7; 8]).to_string(),
        };
        let entries = SegmentEntries {
            entries: vec![entry],
        };
        let (place, home) = ((&self.chart, &self.node(clinic)), &self.clinics[0].sealing);
        let sealed = entries.seal(&mut self.rng, place, &home.public()).unwrap();
        let segment = AuditSegment {
            chart: self.chart,
            clinic: self.id(clinic),
            number,
            previous,
            sealed,
        };
        let body = Body::AuditSegment(segment);
        body.sign(Signer::Node(&self.clinics[clinic].node)).unwrap()
    }

    /// A clinic releases the summary to another, its terms changed by `change`.
    pub(crate) fn release(
        &mut self,
        asked: &Verified<Statement>,
        (by, to): (usize, usize),
        parent: Option<StatementId>,
        change: impl FnOnce(&mut Grant),
    ) -> Verified<Statement> {
        let mut grant = self.terms(to);
        grant.compartments = [CompartmentName::Summary].into_iter().collect();
        grant.rights = Rights::READ;
        grant.purpose = Purpose::emergency();
        grant.expires_ms = Some(NOW_MS + EMERGENCY_MS);
        grant.basis = Basis::Emergency;
        grant.emergency = Some(asked.id());
        grant.parent = parent;
        change(&mut grant);
        self.sign_house(by, Body::Grant(grant))
    }

    /// The patient's rule for emergencies.
    pub(crate) fn emergency_rule(&self, number: u64, allowed: bool) -> Verified<Statement> {
        let rule = EmergencyRule {
            chart: self.chart,
            number,
            allowed,
            at_ms: NOW_MS,
        };
        Body::EmergencyRule(rule)
            .sign(Signer::Patient(&self.patient))
            .unwrap()
    }

    /// A clinic has looked at an emergency.
    pub(crate) fn review(&self, by: usize, emergency: StatementId) -> Verified<Statement> {
        let review = Review {
            chart: self.chart,
            emergency,
            by: UserId::new([7; 8]),
            justified: true,
            note: String::new(),
        };
        self.sign_house(by, Body::Review(review))
    }

    /// A clinic admits records of one compartment.
    pub(crate) fn admit(&self, clinic: usize, records: &[&RecordFacts]) -> Verified<Statement> {
        let compartment = records.first().map(|record| record.compartment.clone());
        let mut ids: Vec<_> = records.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        let admission = Admission {
            chart: self.chart,
            compartment: compartment.unwrap_or(CompartmentName::Summary),
            records: ids,
            by: UserId::new([7; 8]),
            reason: "seen on paper".to_owned(),
        };
        self.sign_house(clinic, Body::Admission(admission))
    }

    pub(crate) fn sign_house(&self, clinic: usize, body: Body) -> Verified<Statement> {
        body.sign(Signer::Clinic(&self.clinics[clinic].key))
            .unwrap()
    }

    /// An epoch by one clinic that says to which sealing keys it is wrapped: each clinic's is that
    /// of clinic 7.
    pub(crate) fn epoch_that_tells(
        &mut self,
        by: usize,
        name: &CompartmentName,
        readers: &[usize],
    ) -> Verified<Statement> {
        let reader = |one: &usize| Reader {
            clinic: self.id(*one),
            sealing: CLINICS[7].sealing.public(),
            told: true,
        };
        let readers: Vec<Reader> = readers.iter().map(reader).collect();
        let plan = EpochPlan {
            chart: self.chart,
            compartment: name,
            readers: &readers,
            parents: &[],
            history: &[],
            created: HybridTime::from_ms(NOW_MS),
        };
        let (epoch, _) = make_epoch(&mut self.rng, &plan).unwrap();
        self.sign_epoch(by, epoch)
    }

    pub(crate) fn sign_epoch(&self, by: usize, epoch: Epoch) -> Verified<Statement> {
        Body::Epoch(epoch)
            .sign(Signer::Node(&self.clinics[by].node))
            .unwrap()
    }

    /// A pen with which a clinic's node writes into a compartment.
    pub(crate) fn pen(&self, clinic: usize, name: &CompartmentName) -> Pen {
        Pen {
            author: self.node(clinic),
            compartment: name.clone(),
            sequence: 0,
            previous: RecordLink::FIRST,
        }
    }
}

/// Writes the records of one author and compartment in their sequence.
#[derive(Clone)]
pub(crate) struct Pen {
    pub(crate) author: NodeId,
    pub(crate) compartment: CompartmentName,
    pub(crate) sequence: u64,
    pub(crate) previous: RecordLink,
}

impl Pen {
    /// The next record. `text` tells records apart that have the same place.
    pub(crate) fn write(&mut self, text: &str, depends_on: &[&RecordFacts]) -> RecordFacts {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.author.as_bytes());
        hasher.update(self.compartment.as_str().as_bytes());
        hasher.update(&self.sequence.to_be_bytes());
        hasher.update(self.previous.as_bytes());
        hasher.update(text.as_bytes());
        let record = RecordFacts {
            id: RecordId::new(*hasher.finalize().as_bytes()),
            author: self.author,
            incarnation: Incarnation::new(1),
            sequence: Sequence::new(self.sequence),
            previous: self.previous,
            compartment: self.compartment.clone(),
            depends_on: depends_on.iter().map(|record| record.id).collect(),
            covers: Vec::new(),
        };
        self.sequence += 1;
        self.previous = record.id.link();
        record
    }
}

fn bytes<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rand_core::Rng::fill_bytes(rng, &mut bytes);
    bytes
}
