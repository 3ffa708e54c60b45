//! What a clinic does: it registers, records, shares with consent, and answers for it.
//!
//! [`Clinic`] is the one door to the store. The command line, the daemon and the network go
//! through it; consent, sealing and audit are decided here and nowhere else.
//!
//! | file | what it is for |
//! |---|---|
//! | `identity`, `addresses` | who we are, and where |
//! | `peers`, `certificates` | whom we talk to, who signed what |
//! | `items`, `records`, `draft`, `ledgers`, `snapshot` | statements and records in the store |
//! | `charts`, `open_chart`, `open_compartment`, `reading` | charts opened, parts as documents |
//! | `judged` | which records count |
//! | `compact` | whole compartments in one record, for clinics that get them late |
//! | `save`, `epochs`, `handover` | a chart edited and sealed, and keys that are owed |
//! | `register`, `import`, `custody` | how a chart begins, and the patient's key |
//! | `patient_card`, `pin_tries` | that key on paper, and how often its PIN may be tried |
//! | `consent`, `revoke`, `terms` | grants begin and end |
//! | `emergency` | what a clinic without a grant sees in an emergency |
//! | `grant_list`, `verify`, `witness` | grants as they are shown, and their checks |
//! | `chart_view`, `export`, `conflicts` | what people see of a chart, take out, and decide |
//! | `held_view`, `held_charts`, `admit` | what does not count, where there is some, and lets it |
//! | `search`, `cards`, `index_card`, `fold` | finding patients |
//! | `share`, `replica`, `receive` | what a peer may have, and what it sends |
//! | `post`, `relay` | what lies at a relay, and the relay itself |
//! | `peer_store`, `peer_book` | the store as any peer sees it, and what is remembered of it |
//! | `bundle` | the same in files, for a stick |
//! | `attachments` | large content of documents, beside the records |
//! | `house`, `sealing_keys` | a clinic with several nodes |
//! | `audit`, `status`, `date`, `error` | who did what, how the node is doing |
//! | `inventory` | what lies here, for checks from outside |
//! | `surroundings`, `hybrid` | the clock and the source of random bytes |
//! | `incarnations`, `instance` | the lives of the store, and whether its folder is a copy |
//! | `news` | telling whoever waits for what is written |

mod addresses;
mod admit;
mod attachments;
mod audit;
mod audit_event;
mod audit_view;
mod bundle;
mod cards;
mod certificates;
mod chart_view;
mod charts;
mod compact;
mod conflicts;
mod consent;
mod custody;
mod date;
mod delivered;
mod draft;
mod emergency;
mod epochs;
mod error;
mod export;
mod fold;
mod grant_list;
mod handover;
mod held_charts;
mod held_view;
mod house;
mod hybrid;
mod identity;
mod import;
mod incarnations;
mod index_card;
mod instance;
mod inventory;
mod items;
mod judged;
mod ledgers;
mod moves;
mod news;
mod open_chart;
mod open_compartment;
mod patient_card;
mod peer_book;
mod peer_lines;
mod peer_store;
mod peer_words;
mod peers;
mod pin_tries;
mod post;
mod reach;
mod reading;
mod receive;
mod records;
mod refusal;
mod register;
mod relay;
mod replica;
mod revoke;
mod save;
mod sealing_keys;
mod search;
mod share;
mod short;
mod snapshot;
mod status;
mod surroundings;
mod terms;
#[cfg(test)]
mod tests;
mod told_log;
mod verify;
mod waiting;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chartmesh_config::{Config, Role};
use chartmesh_protocol::identity::NodeRole;
use chartmesh_protocol::ledger::{ChartSecret, Ledger};
use chartmesh_protocol::{ChartId, ClinicId, HybridClock, NodeId, StatementId};
use lru::LruCache;
use tokio::sync::watch;
use zeroize::Zeroizing;

pub use admit::{Admitted, HeldItem};
pub use attachments::{
    Absent, AbsentAttachment, AttachmentLine, AttachmentState, Awaited, Exported, Lost, Mended,
    NotHad, PieceDelivery,
};
pub use audit::{Action, AuditCheck, AuditLine};
pub use bundle::{BundleWritten, BundlesRead, MissingParts, NotHere, OutOfStep, PartRead};
pub use chart_view::{
    Access, AccessState, ChartView, Custody, HistoryLine, PatientView, Provenance,
};
pub use conflicts::{ConflictView, Resolved, VersionView};
pub use consent::{GrantMade, GrantsMade};
pub use custody::PinSet;
pub use emergency::{
    CodeGiven, EmergencyCodeShown, EmergencyLine, EmergencyState, Opening, Reviewed, RuleSet,
};
pub use error::ClinicError;
pub use grant_list::GrantLine;
pub use held_charts::HeldCharts;
pub use held_view::{HeldLine, HeldResource};
pub use house::{CutOff, Doubled, Enrolled, NodeLine, NodeRevoked};
pub use import::{FileReport, Imported};
pub use index_card::Identifier;
pub use instance::Instance;
pub use inventory::{ChartInventory, RecordPlace};
pub use moves::Labels;
pub use patient_card::{CardGranted, CardMade, CardShown, SummaryOpened};
pub use peer_book::PeerBook;
pub use peer_lines::PeerLine;
pub use peer_store::{PeerStore, Standing};
pub use peer_words::Patients;
pub use peers::{KnownPeer, OwnCard};
pub use post::{PassedOn, Served};
pub use receive::{Delivery, Refused};
pub use register::Registered;
pub use relay::{ClinicUse, RelayUse};
pub use replica::Replica;
pub use revoke::Revoked;
pub use search::FoundPatient;
pub(crate) use short::short;
pub use status::{DoctorReport, Status};
pub use surroundings::Surroundings;
pub use verify::LedgerCheck;

use crate::blobs::Blobs;
use crate::keys::{Keyring, Passphrase};
use crate::net::Addresses;
use crate::store::{Opened, Options, Space, Store};
use attachments::{Saved, Wants};
use audit::Note;
use certificates::Certificates;
use house::Joining;
use identity::Identity;
use incarnations::Incarnations;
use news::News;
use open_chart::OpenChart;
use post::Post;
use share::Share;

/// Charts kept open: those of one consultation hour.
const OPEN_CHARTS: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// Ledgers kept at hand: those of one flight of a first sync, in some ten megabytes.
const KNOWN_LEDGERS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Chart secrets kept at hand: those of a large first sync, in some two megabytes.
const KNOWN_SECRETS: NonZeroUsize = NonZeroUsize::new(16 * 1024).unwrap();
/// How far ahead of ours a peer's clock may be and still move ours on: skew of hours is normal
/// where clocks are set by hand; a year would end every grant.
const MAX_SKEW_MS: u64 = 48 * 3600 * 1000;
/// The folder of the keyring in a data folder.
const KEYS: &str = "keys";
/// The folder of attachments in a data folder.
const BLOBS: &str = "blobs";
/// Marks a store that notes the parties of its charts: the first ones did not.
const PARTIES_NOTED: &[u8] = b"parties noted";

/// A clinic's node: its keys, its store and what is open of it.
pub struct Clinic {
    name: String,
    config: Config,
    surroundings: Surroundings,
    identity: Arc<Identity>,
    store: Store,
    blobs: Blobs,
    certificates: RwLock<Certificates>,
    clock: Mutex<HybridClock>,
    incarnations: Mutex<Incarnations>,
    open: Mutex<LruCache<ChartId, Arc<Mutex<OpenChart>>>>,
    /// Ledgers of recent charts.
    ledgers: Mutex<LruCache<ChartId, Arc<Ledger>>>,
    /// Chart secrets by the statements that wrap them.
    secrets: Mutex<LruCache<StatementId, ChartSecret>>,
    /// What is shared with each peer that was asked for.
    shares: Mutex<BTreeMap<NodeId, Arc<Mutex<Share>>>>,
    /// What lies at each relay that was asked for.
    posts: Mutex<BTreeMap<NodeId, Arc<Mutex<Post>>>>,
    /// Counts commits that changed charts: a chart opened before the last one may be old.
    changes: AtomicU64,
    /// Counts those of them that came from peers.
    from_peers: AtomicU64,
    news: News,
    /// Attachments that are wanted.
    wants: Mutex<Wants>,
    attachments_saved: Mutex<Saved>,
    /// Charts with records that were saved here and may make a compaction due.
    saved: Mutex<BTreeSet<ChartId>>,
    writing: Mutex<()>,
    /// Readings that are to be noted when the disk has space again.
    unnoted: Mutex<Vec<Note>>,
    addresses: Mutex<Option<Addresses>>,
    /// Counts changes of the clinics and nodes that are talked to, by what came.
    peer_list: AtomicU64,
}

impl Clinic {
    /// Makes the keys and the store of a new clinic.
    ///
    /// # Errors
    /// [`ClinicError`] when the folder has a clinic already or cannot be written.
    pub fn create(
        dir: &Path,
        config: &Config,
        passphrase: &Passphrase,
        cost: crate::keys::Cost,
    ) -> Result<(), ClinicError> {
        Self::create_in(&Surroundings::default(), dir, config, passphrase, cost)
    }

    /// As [`create`](Self::create), with a clock and a source of random bytes of its own.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(
        surroundings: &Surroundings,
        dir: &Path,
        config: &Config,
        passphrase: &Passphrase,
        cost: crate::keys::Cost,
    ) -> Result<(), ClinicError> {
        Self::make(surroundings, dir, config, (passphrase, cost), None)
    }

    /// Makes the keys and the store of a node, of a new clinic or of one that it joins.
    fn make(
        surroundings: &Surroundings,
        dir: &Path,
        config: &Config,
        (passphrase, cost): (&Passphrase, crate::keys::Cost),
        joining: Option<&Joining<'_>>,
    ) -> Result<(), ClinicError> {
        let folder = dir.join(KEYS);
        crate::folder::make_private(&folder).map_err(|error| ClinicError::Folder {
            reason: format!("{}: {error}", dir.display()),
        })?;
        let mut rng = surroundings.chance.clone();
        let mut keyring = Keyring::create(&folder, passphrase, cost, &mut rng)?;
        let known = joining.map_or([None; 3], Joining::keys);
        identity::fill(&mut keyring, known, &mut rng)?;
        keyring.save(&mut rng)?;
        let opened = Store::open(&options(surroundings, dir, config, &keyring)?)?;
        let serial = joining.map_or(1, Joining::serial);
        let now_ms = surroundings.clock.now_ms();
        let role = role_in(config);
        let node = identity::certify(&keyring, &opened.store, role, now_ms, serial)?;
        if let Some(joining) = joining {
            house::write_joined(&opened.store, joining, &node)?;
        }
        Incarnations::begin(surroundings, dir, &opened.store)
    }

    /// Opens the clinic in a data folder.
    ///
    /// # Errors
    /// [`ClinicError::Keys`] for a wrong passphrase, [`ClinicError::Open`] for a store that is
    /// damaged or in use.
    pub fn open(dir: &Path, config: Config, passphrase: &Passphrase) -> Result<Self, ClinicError> {
        Self::open_in(Surroundings::default(), dir, config, passphrase)
    }

    /// As [`open`](Self::open), with a clock and a source of random bytes of its own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_in(
        surroundings: Surroundings,
        dir: &Path,
        config: Config,
        passphrase: &Passphrase,
    ) -> Result<Self, ClinicError> {
        let keyring = Keyring::open(&dir.join(KEYS), passphrase)?;
        let Opened {
            store,
            rebuilt,
            stale,
            caught_up,
            torn_bytes,
        } = Store::open(&options(&surroundings, dir, &config, &keyring)?)?;
        if caught_up > 0 || torn_bytes > 0 {
            tracing::warn!(
                caught_up,
                torn_bytes,
                "the store was caught up from its journal"
            );
        }
        let identity = Arc::new(Identity::open(&keyring, &store)?);
        identity.check_role(role_in(&config))?;
        let certificates = RwLock::new(Certificates::read(&store)?);
        let incarnations = Incarnations::at_start(&surroundings, dir, &store)?;
        let clock = hybrid::clock_of(&store, surroundings.clock.now_ms())?;
        let blobs = Blobs::open(&dir.join(BLOBS)).map_err(|error| ClinicError::Folder {
            reason: format!("{}: {error}", dir.join(BLOBS).display()),
        })?;
        let wants = Wants::read(&store)?;
        let attachments_saved = Saved::read(&store)?;
        let clinic = Self {
            name: config.name.to_string(),
            config,
            surroundings,
            identity,
            store,
            blobs,
            certificates,
            clock: Mutex::new(clock),
            incarnations: Mutex::new(incarnations),
            open: Mutex::new(LruCache::new(OPEN_CHARTS)),
            ledgers: Mutex::new(LruCache::new(KNOWN_LEDGERS)),
            secrets: Mutex::new(LruCache::new(KNOWN_SECRETS)),
            shares: Mutex::new(BTreeMap::new()),
            posts: Mutex::new(BTreeMap::new()),
            changes: AtomicU64::new(0),
            from_peers: AtomicU64::new(0),
            news: News::new(),
            wants: Mutex::new(wants),
            attachments_saved: Mutex::new(attachments_saved),
            saved: Mutex::new(BTreeSet::new()),
            writing: Mutex::new(()),
            unnoted: Mutex::new(Vec::new()),
            addresses: Mutex::new(None),
            peer_list: AtomicU64::new(0),
        };
        if rebuilt || !stale.is_empty() {
            clinic.make_derived_anew()?;
        } else if !clinic.store.contains(Space::Meta, PARTIES_NOTED)? {
            clinic.make_shares_anew()?;
        }
        clinic.renew_certificate()?;
        clinic.announce_node()?;
        Ok(clinic)
    }

    /// Rebuilds a damaged store from its journal.
    ///
    /// # Errors
    /// [`ClinicError::Keys`] for a wrong passphrase, [`ClinicError::Open`] when nothing can be
    /// saved.
    pub fn repair(
        dir: &Path,
        config: &Config,
        passphrase: &Passphrase,
    ) -> Result<crate::store::Report, ClinicError> {
        let keyring = Keyring::open(&dir.join(KEYS), passphrase)?;
        let options = options(&Surroundings::default(), dir, config, &keyring)?;
        Ok(Store::repair(&options)?)
    }

    /// The clinic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The configuration it was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clinic's id.
    #[must_use]
    pub fn clinic_id(&self) -> ClinicId {
        self.identity.clinic_id()
    }

    /// This node's id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.identity.node_id()
    }

    /// The node's secret, for the transport.
    pub(crate) fn node_secret(&self) -> Zeroizing<[u8; 32]> {
        self.identity.node.to_bytes()
    }

    /// Signals whenever the store accepts something.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Writes everything that is behind the journal into the database.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn flush(&self) -> Result<(), ClinicError> {
        Ok(self.store.sync()?)
    }

    pub(crate) fn certificates_read(&self) -> RwLockReadGuard<'_, Certificates> {
        self.certificates
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many certificates of nodes are known: each may make statements count.
    pub(crate) fn certificates_known(&self) -> u64 {
        self.certificates_read().nodes_known()
    }

    pub(crate) fn certificates_write(&self) -> RwLockWriteGuard<'_, Certificates> {
        self.certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One writer of charts at a time: its records are numbered without gaps.
    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a relay's journal above which it is looked whether most of it is of mail that is gone:
/// below that there is little to be given back.
const RELAY_JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// What a node with this configuration is there for.
fn role_in(config: &Config) -> NodeRole {
    if config.role == Role::Relay {
        NodeRole::Relay
    } else {
        NodeRole::Clinic
    }
}

fn options(
    surroundings: &Surroundings,
    dir: &Path,
    config: &Config,
    keyring: &Keyring,
) -> Result<Options, ClinicError> {
    let mut options = Options::new(dir, identity::store_key(keyring)?);
    // The store's thread draws when it likes.
    options.chance = surroundings.chance.apart();
    options.cache_bytes = config.store.cache_bytes();
    if config.role == Role::Relay {
        // What it passes on comes and goes.
        options.shrink_above_bytes = Some(RELAY_JOURNAL_BYTES);
    }
    Ok(options)
}
