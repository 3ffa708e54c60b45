//! Writing what a peer lacks into files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::reconcile::FeedNumber;
use chartmesh_protocol::sync::bundle::{
    Account, Author, BundleError, BundleId, PartWriter, Recipient,
};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Lane};
use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::file::NewFile;
use crate::clinic::{Clinic, ClinicError, KnownPeer, Replica, items};
use crate::control::{BundleOrder, Progress};

/// The smallest part that may be asked for: some charts fit, and a floppy disk's worth is left.
const MIN_PART_BYTES: u64 = 256 * 1024;
/// What the certificates that an item needs may add to a part.
const CERTIFICATES_BYTES: u64 = 16 * 1024;
/// What naming pieces of an attachment adds to a part.
const PIECES_BYTES: u64 = 256;

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleWritten {
    /// The clinic that can open it.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// The bundle's name, the same in all parts.
    pub bundle: String,
    /// The files, one a part.
    pub files: Vec<PathBuf>,
    /// Statements and records in it.
    pub items: u64,
    /// Charts that they are of.
    pub charts: usize,
    /// Attachments that are in it whole.
    #[serde(default)]
    pub attachments: u64,
    /// Attachments of which it tells that they are here.
    #[serde(default)]
    pub told: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What is owed of one chart, in the order in which it travels.
#[derive(Default)]
struct Load {
    newest: u64,
    statements: Vec<FeedEntry>,
    records: Vec<FeedEntry>,
}

impl Clinic {
    /// Writes what a clinic lacks, as far as we know, into files that only it can open.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown clinic, [`ClinicError::Usage`] for a file that
    /// exists or cannot be written.
    pub fn export_bundle(
        self: &Arc<Self>,
        order: &BundleOrder,
        progress: &dyn Fn(Progress),
    ) -> Result<BundleWritten, ClinicError> {
        self.check_own_end()?;
        check_size(order.max_size)?;
        let peer = self.find_peer(&order.peer)?;
        check_reader(&peer)?;
        let unknown = ClinicError::NotFound {
            what: "clinic",
            look: "peer list",
        };
        let sealing = self.sealing_key_of(&peer.clinic)?.ok_or(unknown)?;
        if peer.clinic == self.clinic_id() {
            self.announce_node()?;
        }
        let replica = Replica::open(Arc::clone(self), peer.node)?;
        if replica.is_peer_cut_off() {
            return Err(ClinicError::refused(
                "this node was cut off by its clinic: nothing is written for it",
            ));
        }
        let after = match order.everything {
            true => FeedNumber::START,
            false => replica.held_by_peer(),
        };
        // Before what is owed is looked up: what is accepted meanwhile is for the next bundle.
        let account = Account::of(&replica, after);
        let owed = match order.everything {
            true => replica.everything(),
            false => replica.owed(after),
        };
        let total = u64::try_from(owed.len()).unwrap_or(u64::MAX);
        let charts = self.charts_of(&owed)?;
        let loads = self.loads(owed)?;
        let mut parts = Parts {
            clinic: self,
            replica: &replica,
            peer: peer.node,
            recipient: Recipient {
                clinic: peer.clinic,
                sealing,
            },
            account,
            bundle: BundleId::new(self.chance().random()),
            order,
            part: None,
            written: BundleWritten {
                clinic: peer.clinic,
                name: peer.name,
                bundle: String::new(),
                files: Vec::new(),
                items: 0,
                charts: loads.len(),
                attachments: 0,
                told: 0,
                bytes: 0,
            },
        };
        parts.written.bundle = parts.bundle.to_string();
        self.note_made(&parts.bundle, &peer.clinic)?;
        parts.begin()?;
        for load in &loads {
            parts.add(load)?;
            progress(Progress {
                what: "writing the bundle".to_owned(),
                done: parts.written.items,
                total,
            });
        }
        parts.finish(&charts)
    }

    /// The charts that entries are of.
    fn charts_of(&self, entries: &[FeedEntry]) -> Result<Vec<ChartId>, ClinicError> {
        let charts = entries.iter();
        let charts = charts.map(|entry| items::chart_of(&self.store, entry.feed));
        let charts = charts.collect::<Result<Vec<_>, _>>()?;
        Ok(charts.into_iter().flatten().collect())
    }

    /// Sorts what is owed by chart, the charts with the newest entries first.
    fn loads(&self, owed: Vec<FeedEntry>) -> Result<Vec<Load>, ClinicError> {
        let mut charts: BTreeMap<ChartId, Load> = BTreeMap::new();
        for entry in owed {
            let Some(chart) = items::chart_of(&self.store, entry.feed)? else {
                continue;
            };
            let load = charts.entry(chart).or_default();
            load.newest = load.newest.max(entry.feed.value());
            match entry.kind {
                ItemKind::Statement => load.statements.push(entry),
                ItemKind::Record => load.records.push(entry),
            }
        }
        let mut loads: Vec<Load> = charts.into_values().collect();
        for load in &mut loads {
            load.records
                .sort_by_key(|entry| (rank(entry.lane), entry.feed));
        }
        loads.sort_by_key(|load| std::cmp::Reverse(load.newest));
        Ok(loads)
    }
}

/// In which order the records of a chart are written: `summary` first, and last what nobody needs
/// to read it.
fn rank(lane: Lane) -> u8 {
    match lane {
        Lane::Urgent | Lane::Summary => 0,
        Lane::Recent | Lane::Older => 1,
        Lane::Provenance | Lane::Attachment => 2,
    }
}

/// The parts of a bundle while they are written.
pub(super) struct Parts<'a> {
    pub(super) clinic: &'a Clinic,
    pub(super) replica: &'a Replica,
    pub(super) peer: NodeId,
    recipient: Recipient,
    account: Account,
    bundle: BundleId,
    pub(super) order: &'a BundleOrder,
    part: Option<Part>,
    pub(super) written: BundleWritten,
}

/// The part that is written now.
struct Part {
    writer: PartWriter,
    file: NewFile,
    items: u64,
}

impl Parts<'_> {
    /// Adds what is owed of a chart. A part that begins with a record of the chart begins with its
    /// statements: each part is useful alone.
    fn add(&mut self, load: &Load) -> Result<(), ClinicError> {
        for entry in load.statements.iter().chain(&load.records) {
            let Some(bytes) = self.replica.item(&entry.id) else {
                // Withdrawn meanwhile.
                continue;
            };
            if !self.has_room(&bytes) {
                self.end(false)?;
                self.begin()?;
                if entry.kind == ItemKind::Record {
                    for statement in &load.statements {
                        if let Some(bytes) = self.replica.item(&statement.id) {
                            self.put(statement, &bytes)?;
                        }
                    }
                }
            }
            self.put(entry, &bytes)?;
            self.written.items += 1;
        }
        Ok(())
    }

    /// Adds pieces of an attachment; says whether they do not fit into the part any more, which
    /// then stays as it is, unless they have to.
    pub(super) fn put_pieces(
        &mut self,
        name: &AttachmentName,
        shape: Shape,
        first: u32,
        pieces: &[Vec<u8>],
        must: bool,
    ) -> Result<bool, ClinicError> {
        let cost: u64 = pieces.iter().map(|one| PartWriter::cost(one.len())).sum();
        let Some(part) = &mut self.part else {
            return Err(ClinicError::fault("no part of the bundle is open"));
        };
        let after = part.writer.size().saturating_add(cost + PIECES_BYTES);
        if !must && after > self.order.max_size {
            return Ok(true);
        }
        let ready = part.writer.pieces(name, shape, first, pieces);
        let ready = ready.map_err(ClinicError::fault)?;
        part.items += 1;
        let written = part.file.write(&ready);
        written.map_err(|error| cannot(&self.order.out, &error))?;
        Ok(false)
    }

    /// Adds what tells the recipient something, and costs so many bytes at most.
    pub(super) fn put_told(
        &mut self,
        cost: u64,
        write: impl FnOnce(&mut PartWriter) -> Result<Vec<u8>, BundleError>,
    ) -> Result<(), ClinicError> {
        let size = self.part.as_ref().map_or(0, |part| part.writer.size());
        if size.saturating_add(cost) > self.order.max_size {
            self.begin_anew()?;
        }
        let Some(part) = &mut self.part else {
            return Err(ClinicError::fault("no part of the bundle is open"));
        };
        let ready = write(&mut part.writer).map_err(ClinicError::fault)?;
        part.items += 1;
        let written = part.file.write(&ready);
        written.map_err(|error| cannot(&self.order.out, &error))
    }

    /// Adds what belongs to these charts beside the records, and ends the bundle.
    fn finish(mut self, charts: &[ChartId]) -> Result<BundleWritten, ClinicError> {
        let given = self.add_attachments(charts)?;
        let told = self.add_held(&given)?;
        self.add_rest()?;
        self.end(true)?;
        self.note_given(&given)?;
        self.note_told(&told)?;
        Ok(self.written)
    }

    /// Ends the part that is written now and begins the next.
    pub(super) fn begin_anew(&mut self) -> Result<(), ClinicError> {
        self.end(false)?;
        self.begin()
    }

    fn has_room(&self, bytes: &[u8]) -> bool {
        let cost = PartWriter::cost(bytes.len()) + CERTIFICATES_BYTES;
        self.part.as_ref().is_some_and(|part| {
            part.items == 0 || part.writer.size().saturating_add(cost) <= self.order.max_size
        })
    }

    fn put(&mut self, entry: &FeedEntry, bytes: &[u8]) -> Result<(), ClinicError> {
        let Some(part) = &mut self.part else {
            return Err(ClinicError::fault("no part of the bundle is open"));
        };
        let ready = part.writer.item(entry, bytes, self.replica);
        let ready = ready.map_err(ClinicError::fault)?;
        part.items += 1;
        if part.writer.size() > self.order.max_size {
            return Err(ClinicError::usage(format!(
                "a chart does not fit into a file of {} bytes: allow larger ones with --max-size",
                self.order.max_size
            )));
        }
        part.file
            .write(&ready)
            .map_err(|error| cannot(&self.order.out, &error))
    }

    fn begin(&mut self) -> Result<(), ClinicError> {
        let number = self.written.files.len() + 1;
        let path = numbered(&self.order.out, number);
        let mut file = NewFile::begin(&path).map_err(|error| cannot(&path, &error))?;
        let identity = &self.clinic.identity;
        let certificate = identity.certificate();
        let author = Author {
            node: &identity.node,
            certificate: &certificate,
        };
        let part = (self.bundle, u32::try_from(number).unwrap_or(u32::MAX));
        let (writer, first) = PartWriter::begin(
            &mut self.clinic.chance(),
            part,
            author,
            self.recipient,
            &self.account,
        )
        .map_err(|error| ClinicError::usage(error.to_string()))?;
        file.write(&first).map_err(|error| cannot(&path, &error))?;
        self.part = Some(Part {
            writer,
            file,
            items: 0,
        });
        Ok(())
    }

    fn end(&mut self, last: bool) -> Result<(), ClinicError> {
        let Some(Part {
            writer, mut file, ..
        }) = self.part.take()
        else {
            return Ok(());
        };
        self.written.bytes += writer.size();
        let rest = writer.end(last).map_err(ClinicError::fault)?;
        let path = file.write(&rest).and_then(|()| file.finish());
        let path = path.map_err(|error| cannot(&self.order.out, &error))?;
        self.written.files.push(path);
        Ok(())
    }
}

fn check_size(bytes: u64) -> Result<(), ClinicError> {
    if bytes >= MIN_PART_BYTES {
        return Ok(());
    }
    Err(ClinicError::usage(format!(
        "files of {bytes} bytes are too small for any chart: allow at least {MIN_PART_BYTES}"
    )))
}

/// A relay has nothing that it could open a bundle with.
fn check_reader(peer: &KnownPeer) -> Result<(), ClinicError> {
    if !peer.is_relay() {
        return Ok(());
    }
    Err(ClinicError::usage(format!(
        "{} is a relay and reads nothing: write the files for the clinic that is to read them",
        peer.name
    )))
}

/// The name of a part: that of the first one, with its number behind it.
fn numbered(first: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return first.to_owned();
    }
    let mut name = first.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn cannot(path: &Path, error: &std::io::Error) -> ClinicError {
    use std::io::ErrorKind;
    let path = path.display();
    ClinicError::usage(if error.kind() == ErrorKind::AlreadyExists {
        format!("{path} exists: choose another name, or remove it first")
    } else if error.kind() == ErrorKind::StorageFull {
        format!("{path}: there is no room left: use an emptier stick, or --max-size")
    } else {
        format!("{path}: {error}")
    })
}
