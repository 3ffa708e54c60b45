//! Connections that are begun and on which nothing is said.

use std::net::TcpStream;

use chartmesh_tests::{Clinic, introduce};

use crate::PROGRAM;

/// More than a node has places for those whom it knows.
const IDLERS: usize = 150;

#[test]
fn who_only_connects_keeps_nobody_out() {
    let mut hill = Clinic::create(PROGRAM, "Hill Clinic");
    let river = Clinic::create(PROGRAM, "River Hospital");
    hill.start();
    introduce(&hill, &river);
    let listen = hill.run_file().unwrap()["listen"].clone();
    let addresses = listen
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one.as_str());
    let tcp = addresses.filter_map(|one| one.strip_prefix("/ip4/127.0.0.1/tcp/"));
    let port: u16 = tcp
        .filter_map(|rest| rest.split('/').next()?.parse().ok())
        .next()
        .unwrap();
    let idlers: Vec<TcpStream> = std::iter::repeat_with(|| TcpStream::connect(("127.0.0.1", port)))
        .take(IDLERS)
        .map(Result::unwrap)
        .collect();
    let peers = river.sync();
    assert_eq!(peers.len(), 1);
    drop(idlers);
}
