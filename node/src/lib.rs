//! Chartmesh: medical records for clinics that cannot count on a link.
//!
//! One program, the daemon and its command line. This library holds its parts, so that the tests
//! and benches can reach them.
//!
//! - [`clinic`]: what a clinic does, and the one door to the store.
//! - [`store`], [`keys`]: what lies on the disk, sealed.
//! - [`net`]: libp2p and the sync sessions.
//! - [`control`], [`service`], [`daemon`], [`http`]: the running node.
//! - [`interop`], [`generate`]: files of other systems, and invented patients.
//! - [`print`](mod@print): pages of paper.
//! - [`cli`], [`demo`]: what a person types.

pub mod blobs;
pub mod chance;
pub mod cli;
pub mod clinic;
pub mod clock;
pub mod control;
pub mod daemon;
pub mod demo;
pub mod folder;
pub mod generate;
pub mod http;
pub mod interop;
pub mod keys;
pub mod net;
pub mod print;
pub mod service;
pub mod store;
