//! The `chartmesh` program.

fn main() {}
