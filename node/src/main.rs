//! The `chartmesh` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    chartmesh::cli::main()
}
