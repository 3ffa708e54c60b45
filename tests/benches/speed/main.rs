//! How fast a node is, and how much memory it takes: what `tests/benches/README.md` promises.
//!
//! `cargo bench -p chartmesh-tests` measures everything; words after `--` choose by name.

mod idle;
mod import;
mod invented;
mod node;
mod open;
mod sync;
mod write;

fn main() {
    divan::main();
    // These two are not a time a call: a percentile and a size.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    if chosen("write") {
        write::measure();
    }
    if chosen("idle") {
        idle::measure();
    }
}
