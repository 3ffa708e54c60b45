//! Cursors: how far one node has followed the feed of another.
//!
//! Every store numbers what it accepts, statements and records alike: its **feed**. A peer
//! remembers the number up to which it holds everything of that feed that it may have. The
//! numbers mean something only within one incarnation of the store.

use core::fmt;

use minicbor::{Decode, Encode};

macro_rules! plain_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] u64);

        impl $name {
            /// The value with this number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number itself.
            pub const fn value(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

plain_number!(
    /// One life of a store: a random number, drawn anew at the first start, after a restore and
    /// whenever the store has proven to be older than what peers saw of it.
    StoreIncarnation
);
plain_number!(
    /// A place in a store's feed. The first item has number 1; 0 stands before everything.
    FeedNumber
);

impl FeedNumber {
    /// Before the first item.
    pub const START: Self = Self(0);
}

/// The place in another node's feed up to which everything shared is held durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The store whose feed it is.
    #[n(0)]
    pub incarnation: StoreIncarnation,
    /// The place in that feed.
    #[n(1)]
    pub number: FeedNumber,
}

/// What a cursor that a peer claims is worth to the owner of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorFit {
    /// It lies within the feed: what is newer than this number is owed.
    Within(FeedNumber),
    /// It belongs to another incarnation of the store.
    OtherIncarnation,
    /// It is ahead of the feed: the store has lost what it once had.
    Ahead(FeedNumber),
}

impl Cursor {
    /// Judges a claimed cursor against the feed `incarnation`, which reaches up to `newest`.
    /// No cursor at all is the start of the feed.
    pub fn fit(
        claimed: Option<Self>,
        incarnation: StoreIncarnation,
        newest: FeedNumber,
    ) -> CursorFit {
        match claimed {
            None => CursorFit::Within(FeedNumber::START),
            Some(cursor) if cursor.incarnation != incarnation => CursorFit::OtherIncarnation,
            Some(cursor) if cursor.number > newest => CursorFit::Ahead(cursor.number),
            Some(cursor) => CursorFit::Within(cursor.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreIncarnation = StoreIncarnation::new(7);

    fn fit(incarnation: u64, number: u64) -> CursorFit {
        let cursor = Cursor {
            incarnation: StoreIncarnation::new(incarnation),
            number: FeedNumber::new(number),
        };
        Cursor::fit(Some(cursor), STORE, FeedNumber::new(10))
    }

    #[test]
    fn a_cursor_within_the_feed_is_usable() {
        assert_eq!(fit(7, 0), CursorFit::Within(FeedNumber::START));
        assert_eq!(fit(7, 10), CursorFit::Within(FeedNumber::new(10)));
    }

    #[test]
    fn a_cursor_of_another_incarnation_or_ahead_of_the_feed_is_not() {
        assert_eq!(fit(8, 3), CursorFit::OtherIncarnation);
        assert_eq!(fit(7, 11), CursorFit::Ahead(FeedNumber::new(11)));
    }

    #[test]
    fn no_cursor_is_the_start_of_the_feed() {
        assert_eq!(
            Cursor::fit(None, STORE, FeedNumber::new(10)),
            CursorFit::Within(FeedNumber::START)
        );
    }
}
