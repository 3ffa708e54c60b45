//! The limits of the store: each a number and its reason.

use std::time::Duration;

/// Longest key, in bytes: ids and paths of ids; a key is held in memory by sled's index.
pub const MAX_KEY_BYTES: usize = 512;
/// Largest value, in bytes, before sealing: a compacted chart with room to spare.
pub const MAX_VALUE_BYTES: usize = 16 << 20;
/// Largest batch, in bytes of keys and values: it is in memory several times while it is written.
pub const MAX_BATCH_BYTES: usize = 32 << 20;
/// Longest body of a journal entry, in bytes: a full batch, sealed (its smallest puts grow most).
pub(super) const MAX_BODY_BYTES: usize = 256 << 20;
/// Size at which a journal segment is closed, in bytes: the last one is read at every start.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Memory that sled may use for its page cache, in bytes: its default is 1 GiB.
pub const CACHE_BYTES: u64 = 64 << 20;
/// Size of `journal/reserve`, in bytes: what sled writes when it opens on a full disk.
pub(super) const RESERVE_BYTES: usize = 1 << 20;
/// Free space below which nothing is accepted, in bytes: other parts of the node, and sled's
/// large values and snapshots, must not be the ones that find the disk full.
pub(super) const LOW_WATER_BYTES: u64 = 4 << 20;
/// Space that is allocated behind the end of sled's file, in bytes: what sled holds back in its
/// 512 KiB buffers, several times over.
pub(super) const ROOM_BYTES: u64 = 4 << 20;
/// What a group takes on disk, as a multiple of its entries: they are in the journal, in sled,
/// and a while twice in sled when it moves pages.
pub(super) const SPACE_FACTOR: u64 = 3;
/// Bytes after which a group of commits is closed: bounds the memory of one group.
pub(super) const GROUP_BYTES: usize = 4 << 20;
/// Writes after which a group is closed: within one batch, sled keeps a copy of a page for each.
pub(super) const GROUP_WRITES: usize = 1024;
/// Commits after which a group is closed: bounds how long the first of them waits.
pub(super) const GROUP_COMMITS: usize = 1024;
/// Commits that may wait for the writer: beyond it, callers wait (back pressure).
pub(super) const QUEUE_COMMITS: usize = 1024;
/// Longest time that applied writes wait until `db` is synced: bounds the work of catching up.
pub(super) const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// Bytes applied after which `db` is synced at once: the same bound, for a busy node.
pub(super) const SYNC_BYTES: u64 = 32 << 20;
/// Pause between two looks whether a full disk has space again.
pub(super) const FULL_RETRY: Duration = Duration::from_secs(1);
/// Problems that a check lists by name: a broken disk has millions, and nobody reads them.
pub(super) const MAX_PROBLEMS: usize = 1000;
/// Tries to open sled while its lock is still held, and the pause between them: its threads let
/// go of the lock a moment after the last handle is dropped.
pub(super) const LOCK_TRIES: u32 = 40;
/// See [`LOCK_TRIES`].
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(25);
