//! The node.

pub mod generate;
pub mod keys;
pub mod store;
