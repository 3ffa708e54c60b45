//! Tests of the session: two of them on a simulated link, each with a store in memory.

mod bundle;
mod golden;
mod hostile;
mod pair;
mod random;
mod store;
mod stories;
