//! The program, built for the tests of this package: Cargo tells a test the paths of its own
//! package's programs only.

use std::process::ExitCode;

fn main() -> ExitCode {
    chartmesh::cli::main()
}
