//! Compactions and their manifests, made as a node makes them and as a hostile one might.

mod compaction;
mod provenance;

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::*;
use crate::id::{Incarnation, NodeId, RecordLink, Sequence};
use crate::identity::{UserCertificate, UserKey};
use crate::ledger::{CompartmentName, FrontierTip};
use crate::time::HybridTime;
use crate::world::{NOW_MS, World};

const CLINICAL: CompartmentName = CompartmentName::Clinical;
const INCARNATION: Incarnation = Incarnation::new(7);

/// A record as its author has it.
struct Written {
    record: VerifiedRecord,
    /// The hashes of its changes; none of a compaction or a manifest.
    hashes: Vec<[u8; 32]>,
    user: UserKey,
    role: String,
    word: Option<UserWord>,
}

/// What several nodes wrote into one compartment.
struct Chart {
    world: World,
    rng: ChaCha20Rng,
    key: EpochKey,
    written: Vec<Written>,
}

impl Chart {
    fn new() -> Self {
        Self {
            world: World::new(5, 3),
            rng: ChaCha20Rng::seed_from_u64(5),
            key: EpochKey::from_bytes(Zeroizing::new([9; 32])),
            written: Vec::new(),
        }
    }

    fn user(clinic: usize) -> UserKey {
        UserKey::from_bytes(Zeroizing::new([0x70 + u8::try_from(clinic).unwrap(); 32]))
    }

    fn certificates(&self) -> BTreeSet<Vec<u8>> {
        let mut all = BTreeSet::new();
        for (index, clinic) in self.world.clinics.iter().enumerate() {
            let user = Self::user(index);
            let certificate = UserCertificate {
                clinic: clinic.id(),
                user: user.id(),
                key: user.public(),
                role: "nurse".to_owned(),
                name: None,
            };
            all.insert(certificate.issue(&clinic.key).unwrap().to_bytes());
            all.insert(clinic.certificate.to_bytes());
        }
        all
    }

    fn place(&self, clinic: usize) -> RecordPlace {
        let author = self.world.node(clinic);
        let mine = |one: &&Written| one.record.header().author == author;
        let last = self.written.iter().rfind(mine);
        RecordPlace {
            chart: self.world.chart,
            compartment: self.world.secret.compartment_tag(&CLINICAL),
            incarnation: INCARNATION,
            sequence: last.map_or(Sequence::new(0), |one| {
                one.record.header().place.sequence.next().unwrap()
            }),
            previous: last.map_or(RecordLink::FIRST, |one| one.record.id().link()),
        }
    }

    /// A clinic's user saves changes: so many, told apart by their hashes.
    fn save(&mut self, clinic: usize, changes: u8) -> usize {
        let user = Self::user(clinic);
        let number = u8::try_from(self.written.len()).unwrap();
        let hashes: Vec<[u8; 32]> = (0..changes)
            .map(|change| *blake3::hash(&[number, change]).as_bytes())
            .collect();
        let content = RecordContent {
            changes: hashes.iter().map(|hash| hash.to_vec()).collect(),
            user: user.id(),
            role: "nurse".to_owned(),
            signature: sign_changes(&user, &self.world.chart, "nurse", &hashes),
            time: HybridTime::from_ms(NOW_MS),
            frontier: Vec::new(),
        };
        let node = &self.world.clinics[clinic].node;
        let place = self.place(clinic);
        let record = seal_record(&mut self.rng, &place, &self.key, node, &content).unwrap();
        self.written.push(Written {
            record,
            word: Some(UserWord {
                changes: u32::from(changes),
                signature: content.signature,
            }),
            hashes,
            user,
            role: "nurse".to_owned(),
        });
        self.written.len() - 1
    }

    /// A clinic's node writes a manifest, which holds no changes.
    fn note(&mut self, clinic: usize, manifest: &Manifest) -> usize {
        let node = &self.world.clinics[clinic].node;
        let (place, secret) = (self.place(clinic), &self.world.secret);
        let rng = &mut self.rng;
        let record = seal_manifest(rng, &place, &self.key, node, secret, manifest).unwrap();
        self.written.push(Written {
            record,
            hashes: Vec::new(),
            user: Self::user(clinic),
            role: String::new(),
            word: None,
        });
        self.written.len() - 1
    }

    fn remains(&self) -> Vec<ManifestRecord> {
        let remains = |one: &Written| ManifestRecord {
            witness: one.record.witness(),
            word: one.word,
        };
        self.written.iter().map(remains).collect()
    }

    fn manifest(&self) -> Manifest {
        Manifest::of(&self.remains(), self.certificates()).unwrap()
    }

    /// The changes as they stand in a save.
    fn changes(&self) -> Vec<SavedChange> {
        let changes = |one: &Written| {
            let (author, user, role) =
                (one.record.header().author, one.user.id(), one.role.clone());
            let each = one.hashes.clone().into_iter().map(move |hash| SavedChange {
                author,
                incarnation: INCARNATION,
                hash,
                user,
                role: role.clone(),
            });
            each.collect::<Vec<_>>()
        };
        self.written.iter().flat_map(changes).collect()
    }

    fn tips(&self) -> Vec<FrontierTip> {
        let mut tips: Vec<FrontierTip> = Vec::new();
        for one in &self.written {
            let header = one.record.header();
            let tip = FrontierTip {
                author: header.author,
                incarnation: INCARNATION,
                sequence: header.place.sequence,
                record: one.record.id(),
            };
            tips.retain(|known| known.author != tip.author);
            tips.push(tip);
        }
        tips.sort_unstable();
        tips
    }

    fn compaction(&self) -> Compaction {
        Compaction {
            coverage: self.tips(),
            manifest: vec![crate::id::RecordId::new([1; 32])],
            time: HybridTime::from_ms(NOW_MS),
            save: b"a save".to_vec(),
        }
    }

    fn prove(
        &self,
        compaction: &Compaction,
        manifests: &[Manifest],
        changes: &[SavedChange],
    ) -> Result<Provenance, ProvenanceError> {
        let tag = self.world.secret.compartment_tag(&CLINICAL);
        let (chart, secret) = (self.world.chart, &self.world.secret);
        prove(chart, tag, secret, compaction, manifests, changes)
    }
}

/// A chart in which two clinics wrote, one of them a manifest as well.
fn chart() -> Chart {
    let mut chart = Chart::new();
    chart.save(0, 1);
    chart.save(1, 2);
    chart.save(0, 3);
    let manifest = chart.manifest();
    chart.note(1, &manifest);
    chart.save(1, 1);
    chart.save(0, 1);
    chart
}

/// The node of a clinic.
fn node(chart: &Chart, clinic: usize) -> NodeId {
    chart.world.node(clinic)
}
