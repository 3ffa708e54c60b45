//! The named parts of the store.

use std::fmt;

/// Whether a space survives the loss of `db`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Written to the journal: comes back when `db` is rebuilt.
    Journaled,
    /// Made from the journaled spaces: kept in `db` only, and made anew by the node after a
    /// rebuild. The journal notes the keys, so that it is known which values are missing.
    Derived,
}

/// Declares the spaces. A space whose byte has the top bit set is derived.
macro_rules! spaces {
    ($($(#[$doc:meta])+ $name:ident = $byte:literal,)+) => {
        /// A named part of the store: the first byte of every key in `db` and in the journal.
        ///
        /// A byte, once given, keeps its meaning: stores of any age are read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Space {
            $($(#[$doc])+ $name,)+
        }

        impl Space {
            /// Every space, in the order of their bytes.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The byte that stands for this space.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self {
                    $(Self::$name => $byte,)+
                }
            }

            /// The name, as `doctor` prints it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

spaces! {
    /// What the store's owner notes about itself: format versions, incarnation, counters.
    Meta = 0x10,
    /// Settings changed at run time.
    Settings = 0x11,
    /// The bytes of records and statements, by their ids.
    Items = 0x20,
    /// What arrived when: feed number to item id.
    Feed = 0x21,
    /// Which items make up a chart.
    ChartItems = 0x22,
    /// Statements of ledgers, by chart.
    Statements = 0x23,
    /// Charts of this node and what is known of them without opening them.
    Charts = 0x24,
    /// Charts whose index cards are to be made anew.
    Stale = 0x25,
    /// Charts of which records came since their attachments were looked for.
    Unlooked = 0x26,
    /// Attachments that are wanted and not here whole.
    Attachments = 0x27,
    /// The clinics and nodes this one talks to.
    Peers = 0x30,
    /// How far each peer's feed has been read.
    Cursors = 0x31,
    /// How far each peer has confirmed ours.
    Acknowledged = 0x32,
    /// Patients' keys in custody, sealed once more by `keys`.
    Custody = 0x40,
    /// Certificates of nodes and of users.
    Certificates = 0x41,
    /// Users of this clinic.
    Users = 0x42,
    /// The audit log.
    Audit = 0x50,
    /// Of a relay: what arrived when.
    MailFeed = 0x60,
    /// Of a relay: accesses and mail, by their ids.
    Mail = 0x61,
    /// Of a relay: which mail lies in each box.
    Mailboxes = 0x62,
    /// Of a relay: which nodes fetch from each box.
    Accesses = 0x63,
    /// Charts as they were last seen, to open them fast.
    Snapshots = 0x80,
    /// One index card a patient, for lists and search.
    Cards = 0x81,
    /// Search tokens: keyed hashes of words, to the cards that have them.
    Tokens = 0x82,
    /// What is shared with each peer.
    Shares = 0x83,
    /// Which clinics the ledger of each chart names.
    Parties = 0x84,
    /// What was found of each compaction.
    Compactions = 0x85,
    /// What lies at each relay, as far as this node put or fetched it.
    Post = 0x86,
    /// Charts with records that do not count.
    Held = 0x87,
}

impl Space {
    /// The space that `byte` stands for, or `None` when it is unknown.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|space| space.byte() == byte)
    }

    /// Whether it is journaled or derived.
    #[must_use]
    pub const fn durability(self) -> Durability {
        if self.byte() & 0x80 == 0 {
            Durability::Journaled
        } else {
            Durability::Derived
        }
    }

    /// The space of a full key; [`Space::Meta`] for the store's own.
    pub(super) fn of(full_key: &[u8]) -> Self {
        full_key
            .first()
            .and_then(|byte| Self::from_byte(*byte))
            .unwrap_or(Self::Meta)
    }

    /// The key as it stands in `db` and in the journal: the space's byte, then `key`.
    pub(super) fn full_key(self, key: &[u8]) -> Vec<u8> {
        let mut full = Vec::with_capacity(1 + key.len());
        full.push(self.byte());
        full.extend_from_slice(key);
        full
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_space_has_its_own_byte_and_none_is_the_stores_own() {
        for (i, space) in Space::ALL.iter().enumerate() {
            assert_eq!(Space::from_byte(space.byte()), Some(*space));
            assert!(space.byte() >= 0x10);
            assert!(
                Space::ALL[..i]
                    .iter()
                    .all(|other| other.byte() < space.byte())
            );
        }
        assert_eq!(Space::from_byte(0), None);
    }

    #[test]
    fn what_can_be_made_anew_is_derived_and_all_else_is_journaled() {
        let derived: Vec<_> = Space::ALL
            .iter()
            .filter(|space| space.durability() == Durability::Derived)
            .map(|space| space.name())
            .collect();
        assert_eq!(
            derived,
            [
                "Snapshots",
                "Cards",
                "Tokens",
                "Shares",
                "Parties",
                "Compactions",
                "Post",
                "Held"
            ]
        );
    }
}
