//! What lies at a relay: mailboxes, and mail that only insiders can open.
//!
//! A relay passes on what it cannot read, between clinics that are never online together. It
//! stores **mail** in **mailboxes**. A mailbox is an ed25519 key; its name is the public key, and
//! who has the key may put mail, and admit nodes that fetch it. Nobody has to tell the relay who
//! may read a chart: who can derive the key may.
//!
//! - The box of an **epoch** is derived from the epoch's content key, so exactly those who can
//!   open what is in it can reach it: a clinic whose grant was revoked has no way into the box of
//!   the next epoch. It holds the records sealed under that epoch, one copy for all readers.
//! - The box of a **pair** of clinics is derived from their sealing keys. It holds the statements
//!   that both may have, and so the keys of the boxes of epochs.
//! - The box of an **attachment** is derived from its name and key, which stand in the record
//!   beside which it lies. It holds the pieces for as long as somebody wants them.
//!
//! A mail is padded, sealed under a key that belongs to its box, and signed by the box. The same
//! content makes the same mail, whoever puts it: two clinics that hold the same records have
//! nothing to send. A relay learns the names of boxes, padded sizes, times, and which node puts
//! and fetches; it sees no chart, no author and no kind.
//!
//! A node says with an [`Access`], signed by the box, that it fetches from a box or that it does
//! so no more. For the sync session an access is a statement and a mail is a record, so that
//! cursors, sketches, lanes and acknowledgements are the same as between clinics.
//!
//! A [`Beacon`] is an author's word of how far its records at a relay go. It lies in boxes of
//! pairs, where a relay cannot tell it from other mail: one that keeps records back is found out.
//! A [`Receipt`] lies there too: the word of who fetched, for who wrote, of what it holds now. And
//! so does a [`Request`]: which attachments a node wants to find in their boxes.

mod access;
#[cfg(test)]
mod attachment_tests;
mod beacon;
mod letter;
mod mailbox;
mod padding;
mod receipt;
mod request;
#[cfg(test)]
mod tests;

pub use access::Access;
pub use beacon::{Beacon, Reach};
pub use letter::{Content, Mail, MailError};
pub use mailbox::MailboxKey;
pub use receipt::{Receipt, Stretch};
pub use request::{Request, WantedAttachment};
