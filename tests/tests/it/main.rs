//! Chartmesh as its users meet it: real programs, real folders, real links.

mod demo;
mod durability;
mod hostile;
mod links;
mod readme;
mod stories;
mod tidy;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_chartmesh-under-test");
