//! The node.

pub mod keys;
pub mod store;
