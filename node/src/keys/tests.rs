//! Keys at rest, mostly hostile ones.
