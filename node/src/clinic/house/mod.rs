//! A clinic with several nodes: each holds everything, and any of them may be lost.
//!
//! What is of a chart travels between them as it does between clinics, whole. What is of no chart,
//! or of no other clinic's business, travels in notes that only they can open: the cards of other
//! clinics, patients' keys in custody, the clinic's later sealing keys, and each node's own card.
//! A clinic with one node makes none.
//!
//! | file | what it is for |
//! |---|---|
//! | `notes` | notes made, opened, and put where they belong |
//! | `enrol` | another computer becomes a node |
//! | `nodes` | the nodes of the clinic |
//! | `origin` | which enrolment file each came from |
//! | `revoke` | one of them is cut off |
//! | `ended` | this one was |
//!
//! ```text
//! Meta     "house is kept"                              -> empty: notes are made
//! Settings "house note/" chart 16 | kind 1 | about 32   -> time 8 | id 32 of the note that holds
//! Settings "node label/" node 32                        -> what the node is called
//! Settings "node origin/" node 32                       -> the enrolment file it came from
//! ```

mod ended;
mod enrol;
mod nodes;
pub(super) mod notes;
mod origin;
mod revoke;

pub use ended::CutOff;
pub use enrol::Enrolled;
pub use nodes::NodeLine;
pub use origin::Doubled;
pub use revoke::NodeRevoked;

pub(super) use enrol::{Joining, write_joined};
