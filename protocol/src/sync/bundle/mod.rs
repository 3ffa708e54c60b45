//! Bundle files: the frames of a session in a file, for a stick that travels where no link does.
//!
//! A bundle is for one clinic. It is cut into parts, each a file of its own: in any order, twice,
//! or only its beginning, a part gives what is in it, and the recipient knows what is missing.
//!
//! ```text
//! part      = head | block..
//! head      = version 1 | [bundle 16, part, recipient 32, encapsulated key 32]
//! block     = length u32, big-endian | ciphertext                    at most 64 KiB of plain text
//! plain     = flag | bytes            flag 0: more follows; 1: the part ends; 2: the bundle ends
//! bytes     = [after, signature 64] | HELLO | CERTIFICATE            of the first block
//!           | (CERTIFICATE | ITEM | MORE | WANT | PIECE | REST | ASK HELD | ASK LACK | RANGES)..
//!                                                                   of all others, whole frames
//! ```
//!
//! The blocks are sealed to the clinic's sealing key, in order, by one HPKE context a part (base
//! mode, RFC 9180 §5.1.1, with the head as `info`): a block that is moved, changed, left out or
//! taken from another part does not open. The sender's node signs the head and what it says of its
//! store, so a bundle cannot be made in its name. HELLO is that of a session: the sender's store,
//! how far it has followed the recipient's, and the digests of what both share. The certificate
//! that it names as known is of the node that it was made for, where the sender holds one. `after`
//! is the number in the sender's feed from which on the bundle is complete: a recipient that has
//! followed it so far may move its cursor to `newest` once every part is stored.
//!
//! Bundles are read in any order, so the time in HELLO says which one tells last of its sender: an
//! earlier one gives its items, and is believed in nothing else. A store that is another than it
//! was, or that has followed less than it had, was put back from an older copy: what its peer
//! believed it to hold is forgotten, as after the HELLO of a session.
//!
//! Pieces of attachments come after all items. Each run of them stands behind a WANT that names
//! them. They are no part of the feed: which ones are in a bundle is for its sender to choose.
//!
//! Last comes what the sender holds of attachments, for whoever saved them and will not ask it over
//! a link: each HELD stands behind the ASK that it would answer in a session. It is told until the
//! recipient is known to have read it. A LACK behind an ASK of one attachment names pieces that the
//! sender lacks of it, and would have: it holds the others. RANGES, of one range with all keys that
//! the sender has to name, tell which of the recipient's items it took out of bundles that it has
//! not read to their end, under the [`taken_key`] of the pair: from a stick that was copied in part
//! it needs only the rest.
//!
//! ```
//! use chartmesh_protocol::sync::bundle::{PartReader, Piece};
//!
//! /// Reads what has come of a part: pieces to verify and store, and whether it is sound so far.
//! fn read(reader: &mut PartReader, bytes: &[u8]) -> (Vec<Piece>, bool) {
//!     let mut pieces = Vec::new();
//!     let sound = reader.push(bytes, &mut pieces).is_ok();
//!     (pieces, sound)
//! }
//! ```

mod error;
mod head;
mod opening;
mod pieces;
mod reader;
mod telling;
mod writer;

pub use error::BundleError;
pub use head::{BundleId, PartHead};
pub use opening::Opening;
pub use reader::{PartReader, Piece};
pub use telling::taken_key;
pub use writer::{Account, Author, PartWriter, Recipient};

/// Plain text of a block: large enough that its 20 bytes of cost vanish, small enough that a stick
/// pulled out early loses little.
const MAX_BLOCK_BYTES: usize = 64 * 1024;
/// What sealing adds to a block.
const TAG_BYTES: usize = 16;
/// The length before a block.
const LENGTH_BYTES: usize = 4;
/// Bytes of the head, at most.
const MAX_HEAD_BYTES: usize = 128;
/// The largest part number: more parts than a shelf of sticks.
pub const MAX_PARTS: u32 = 9_999;

/// Pieces of an attachment behind one WANT: so few that they fit into the smallest part.
pub const MAX_PIECES_IN_A_ROW: usize = 8;

/// What the first byte of a block says.
const MORE: u8 = 0;
const PART_ENDS: u8 = 1;
const BUNDLE_ENDS: u8 = 2;
