//! Tests of the session: two of them on a simulated link, each with a store in memory.

mod attachments;
mod attachments_held;
mod bundle;
mod bundle_pieces;
mod golden;
mod hostile;
mod hostile_sets;
mod pacing;
mod pair;
mod random;
mod sets;
mod shelf;
mod store;
mod stories;
mod victim;
