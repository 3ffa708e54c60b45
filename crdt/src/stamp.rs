//! Who made a change, and when: what every change carries besides its edits.
//!
//! In the change, the time stands in milliseconds, and the user and role in the message:
//!
//! ```text
//! message = "1" LF role LF user
//! ```
//!
//! `1` is the version of this form. A role and a user are 1 to 64 and 1 to 128 bytes of UTF-8
//! without control characters, so no line end can stand in them.

use std::fmt;

use crate::limits::{MAX_ROLE_BYTES, MAX_TIME_MS, MAX_USER_BYTES};

const VERSION: &str = "1";

/// The id of one writer of one compartment: one node in one incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; 16]);

/// The hash of a change (SHA-256), by which others depend on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeHash(pub [u8; 32]);

/// Who makes a change and when, as given to [`commit`](crate::Document::commit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    user: String,
    role: String,
    time_ms: i64,
}

/// Who made a change, as read from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author {
    /// The writer.
    pub actor: ActorId,
    /// The id of the user.
    pub user: String,
    /// The role in which the user acted.
    pub role: String,
}

/// A user, a role or a time cannot stand in a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// The user's id is empty, too long, or has control characters.
    #[error("a user's id has 1 to {MAX_USER_BYTES} bytes and no control characters")]
    BadUser,
    /// The role is empty, too long, or has control characters.
    #[error("a role has 1 to {MAX_ROLE_BYTES} bytes and no control characters")]
    BadRole,
    /// The time is before 1970 or after 9999.
    #[error("the time of a change is from 1970 to 9999")]
    BadTime,
    /// The message of a change is not of the form that this module writes.
    #[error("the message of a change names no author")]
    BadMessage,
}

impl Stamp {
    /// A stamp of a user in a role, at a time in milliseconds since 1970 (UTC).
    ///
    /// # Errors
    /// When one of the three is outside its limits.
    pub fn new(user: &str, role: &str, time_ms: i64) -> Result<Self, StampError> {
        if !is_plain(user, MAX_USER_BYTES) {
            return Err(StampError::BadUser);
        }
        if !is_plain(role, MAX_ROLE_BYTES) {
            return Err(StampError::BadRole);
        }
        check_time(time_ms)?;
        Ok(Self {
            user: user.to_owned(),
            role: role.to_owned(),
            time_ms,
        })
    }

    /// The id of the user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The role in which the user acts.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Milliseconds since 1970 (UTC).
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    pub(crate) fn message(&self) -> String {
        format!("{VERSION}\n{}\n{}", self.role, self.user)
    }

    /// Reads the stamp of a change.
    pub(crate) fn read(message: Option<&str>, time_ms: i64) -> Result<Self, StampError> {
        let mut lines = message.ok_or(StampError::BadMessage)?.split('\n');
        let (version, role, user) = (lines.next(), lines.next(), lines.next());
        match (version, role, user, lines.next()) {
            (Some(VERSION), Some(role), Some(user), None) => Self::new(user, role, time_ms),
            _ => Err(StampError::BadMessage),
        }
    }

    pub(crate) fn author(&self, actor: ActorId) -> Author {
        Author {
            actor,
            user: self.user.clone(),
            role: self.role.clone(),
        }
    }
}

impl Author {
    /// The author of a value whose change cannot be read: that of a damaged document.
    pub(crate) fn unknown() -> Self {
        Self {
            actor: ActorId([0; 16]),
            user: String::new(),
            role: String::new(),
        }
    }
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn check_time(time_ms: i64) -> Result<(), StampError> {
    if (0..=MAX_TIME_MS).contains(&time_ms) {
        Ok(())
    } else {
        Err(StampError::BadTime)
    }
}

impl ActorId {
    pub(crate) fn read(actor: &automerge::ActorId) -> Option<Self> {
        actor.to_bytes().try_into().ok().map(Self)
    }

    pub(crate) fn write(self) -> automerge::ActorId {
        automerge::ActorId::from(self.0)
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<automerge::ChangeHash> for ChangeHash {
    fn from(hash: automerge::ChangeHash) -> Self {
        Self(hash.0)
    }
}

impl From<ChangeHash> for automerge::ChangeHash {
    fn from(hash: ChangeHash) -> Self {
        Self(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_is_written() {
        let stamp = Stamp::new("dr.müller@example.org", "physician", 1_700_000_000_000).unwrap();
        assert_eq!(
            Stamp::read(Some(&stamp.message()), 1_700_000_000_000),
            Ok(stamp)
        );
    }

    #[test]
    fn what_cannot_stand_in_a_change_is_refused() {
        let long = "x".repeat(129);
        assert_eq!(Stamp::new("", "r", 0), Err(StampError::BadUser));
        assert_eq!(Stamp::new(&long, "r", 0), Err(StampError::BadUser));
        assert_eq!(Stamp::new("a\nb", "r", 0), Err(StampError::BadUser));
        assert_eq!(Stamp::new("u", "\u{85}", 0), Err(StampError::BadRole));
        assert_eq!(Stamp::new("u", "r", -1), Err(StampError::BadTime));
        assert_eq!(Stamp::new("u", "r", i64::MAX), Err(StampError::BadTime));
        for message in [
            None,
            Some(""),
            Some("2\nr\nu"),
            Some("1\nr"),
            Some("1\nr\nu\nx"),
        ] {
            assert_eq!(
                Stamp::read(message, 0),
                Err(StampError::BadMessage),
                "{message:?}"
            );
        }
    }
}
