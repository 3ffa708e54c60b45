//! The relay: mailboxes for others, whose mail it cannot open.
//!
//! A relay knows its clinics by their cards, as every node does. For the sync session what lies
//! here is a store like any other: accesses are statements, mail is records, and what is shared
//! with a node is its own accesses and the mail in the boxes that they open.
//!
//! | file | what it is for |
//! |---|---|
//! | `boxes` | accesses and mail in the store, and what a clinic may put |
//! | `usage` | how much lies here, and whose it is |
//! | `view` | what one node fetches |
//! | `counter` | the store as one node's session sees it |

mod boxes;
mod counter;
mod usage;
mod view;

pub(crate) use counter::Counter;
pub use usage::{ClinicUse, RelayUse};
