//! What happens to a session.

use super::error::Refusal;

/// What the driver tells a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The stream is open and the transport has authenticated the peer. The first event.
    Opened,
    /// Bytes came, any number of them.
    Received(&'a [u8]),
    /// The next `items` delivered items, in the order of delivery, are stored durably. Items that
    /// were there before count, too.
    Stored {
        /// How many.
        items: usize,
    },
    /// The next `pieces` delivered pieces of attachments are kept durably.
    PiecesStored {
        /// How many.
        pieces: usize,
    },
    /// A delivered item, or the peer that [`PeerIdentified`](super::Effect::PeerIdentified) named,
    /// is refused. The session ends.
    Refused(Refusal),
    /// The store accepted something that came neither from this peer nor through this session, or
    /// what is shared with the peer changed.
    NewItems,
    /// Someone wants to know that both stores are in sync: compare them now.
    SyncRequested,
    /// The time of the last [`WakeAt`](super::Effect::WakeAt) has come.
    Tick,
    /// The node wants the session to end.
    Shutdown,
}
