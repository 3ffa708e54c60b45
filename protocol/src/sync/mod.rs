//! Sync.

mod close;
mod effect;
mod error;
mod event;
mod exchange;
mod frame;
mod greeting;
mod hello;
mod holdings;
mod item;
pub mod limits;
mod live;
mod pulse;
mod receiver;
mod round;
mod sender;
mod session;

pub use close::CloseCode;
pub use effect::{CloseReason, Effect, Peer, Report, Tier, Traffic};
pub use error::{Refusal, SyncError};
pub use event::Event;
pub use frame::{FrameError, FrameType};
pub use holdings::Holdings;
pub use item::{FeedEntry, ItemKind, Lane};
pub use pulse::Patience;
pub use session::{Role, Session, Setup, Standpoint};
