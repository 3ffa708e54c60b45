//! Sync: how two nodes come to hold the same, and stay so.
//!
//! A [`Session`] is one stream to one peer. It does no IO and reads no clock: it takes an
//! [`Event`] and the time, looks at the store through [`Holdings`], and returns the [`Effect`]s to
//! carry out. Both ends run the same machine; where one has to begin, the dialer does.
//!
//! # Flow
//!
//! ```text
//!   ours                                   theirs
//!     HELLO ------------------------------->        certificate, store, cursor, digests, time
//!           <------------------------------- HELLO
//!     (CERTIFICATE follows if the other side does not know it)
//!
//!     digests equal: in sync, one round trip, at most 256 bytes each way
//!
//!     both cursors usable: cursor tier          a cursor useless: set tier, range tier
//!       ITEM.. SETTLED <--> ITEM.. SETTLED        statements compared, see `comparison`, then
//!         statements newer than the cursor        ITEM.. SETTLED <--> ITEM.. SETTLED
//!       when these are stored, ask again:         when these are stored:
//!       ITEM.. SENT    <--> ITEM.. SENT           records compared, then
//!         everything newer, and charts            ITEM.. SENT    <--> ITEM.. SENT
//!         that are shared only now
//!     ACK for what is durable, at any time
//!     DIGEST <--> DIGEST                          when all is sent, and all that came is stored
//!       equal: in sync
//!       one side has something new: once more, from the cursor tier
//!       otherwise: the next tier, and if there is none, CLOSE
//!
//!     in sync: ITEM.. SENT as things are written, PING when it is quiet,
//!              REFRESH <--> REFRESH on request, which decides like two HELLOs
//!              WANT --> PIECE.. REST..: attachments, see `attachment`
//! ```
//!
//! Settled statements are not exchanged first: when the digests of the statements are equal, both
//! sides begin with the records. A session that finds its peer's cursor ahead of its own feed says
//! so with [`Effect::StoreIsBehind`] and goes on with the set tier.
//!
//! # Tiers
//!
//! - **Cursor**: each sends what is newer than the other's cursor. Nothing is searched for.
//! - **Set**: coded symbols show the difference at the cost of the difference, in one round trip
//!   when it fits the first flight, which travels right behind the listener's HELLO.
//! - **Range**: digests of ever smaller ranges show any difference in few turns. It serves where
//!   one side has nothing or little, where the sets differ by more than 15 %, and where the other
//!   tiers have left a difference.
//!
//! Whichever tier was at work, the digests decide whether it is done.
//!
//! # Frames
//!
//! ```text
//! length u16 | type u8 | payload, at most 4096 bytes     see `frame`
//! ```
//!
//! An item longer than a frame travels in fragments, one item at a time in each [`Lane`]. After
//! each fragment the first lane that has anything to send goes next, so an urgent item passes a
//! long record. Fragments that have not come yet, and items that are not durable yet, are bounded
//! by a window that follows the measured rate and delay of the link: 12 KiB at first, about as much
//! at 64 kbit/s, up to 1 MiB on a fast one; a fragment is a quarter of it or 4 KiB. What a cut
//! costs is what is in the window; what was acknowledged is not sent again.
//!
//! # Driving a session
//!
//! 1. Authenticate the peer (Noise, TLS), make a [`Setup`], and send [`Event::Opened`].
//! 2. Give every piece that is read to [`Event::Received`]. Queue what is to be sent and write it
//!    beside the reading: two ends that both wait to write wait forever. The window bounds what
//!    is queued.
//! 3. Carry out the effects in their order, before the next call. `Deliver`ed items may be stored
//!    in groups; answer with [`Event::Stored`] once they are durable, in the order of delivery.
//! 4. Tell every session [`Event::NewItems`] when something was accepted elsewhere, or when a
//!    statement changed what is shared; and after [`Effect::InSync`] was carried out: what followed
//!    from it goes in the same session, and only then does one end that keeps no link.
//! 5. Send [`Event::Tick`] at the time of the last [`Effect::WakeAt`].
//! 6. After [`Effect::Close`], write what was to be sent and drop the session. When the stream
//!    breaks, just drop it: the next session takes up where this one was.
//!
//! ```
//! use chartmesh_protocol::sync::{Effect, Event, Holdings, Session, Setup};
//!
//! /// One turn of a driver: returns what goes to the stream.
//! fn turn(session: &mut Session, now_ms: u64, event: Event<'_>, store: &dyn Holdings) -> Vec<u8> {
//!     let mut out = Vec::new();
//!     for effect in session.handle(now_ms, event, store) {
//!         match effect {
//!             Effect::Send(bytes) => out.extend(bytes),
//!             Effect::Deliver { .. } => { /* verify, store, later: Event::Stored */ }
//!             _ => { /* cursors, acknowledgements, reports, timers */ }
//!         }
//!     }
//!     out
//! }
//!
//! fn begin(setup: Setup, store: &dyn Holdings) -> Vec<u8> {
//!     turn(&mut Session::new(setup), 0, Event::Opened, store)
//! }
//! ```
//!
//! # Faults
//!
//! A [`SyncError`] says in detail why a session failed, for us; the peer gets a [`CloseCode`].
//! Nothing of an item is delivered before the peer has shown a certificate of a known clinic for
//! the node that the transport authenticated.
//!
//! # Map
//!
//! `session` is the entry, with `greeting`, `exchange`, `live` and `intake` as its parts; `round`
//! holds the stage of an exchange, `comparison` the search for a difference, `sender`, `window`
//! and `receiver` the two directions, `pulse` the timers, `frame`, `payload` and `hello` the wire.
//! `attachment` asks for large content and serves it. [`bundle`] writes the same frames into files.

mod attachment;
pub mod bundle;
mod close;
mod comparison;
mod effect;
mod error;
mod event;
mod exchange;
mod frame;
mod greeting;
mod hello;
mod holdings;
mod intake;
mod item;
pub mod limits;
mod live;
mod payload;
mod pulse;
mod receiver;
mod round;
mod sender;
mod session;
mod standpoint;
mod window;

pub use attachment::{Wanted, WantedPieces};
pub use close::CloseCode;
pub use effect::{CloseReason, Effect, Peer, Report, Tier, Traffic};
pub use error::{Refusal, SyncError};
pub use event::Event;
pub use frame::{FrameError, FrameType};
pub use holdings::Holdings;
pub use item::{FeedEntry, ItemKind, Lane};
pub use pulse::Patience;
pub use session::{Role, Session, Setup};
pub use standpoint::Standpoint;

#[cfg(test)]
mod tests;
