//! What sync costs: bytes, round trips and time, of real daemons.
//!
//! `cargo bench -p chartmesh-tests --bench sync` prints a table of small figures within minutes;
//! with `--full` behind a `--`, everything is as large as the promises say, which takes hours.
//! Words choose rows by name.
//! `--peers` lets samod, automerge-repo and PouchDB do the same beside it: it builds the first with
//! Cargo and installs the others with npm, below the target folder. Of samod and automerge-repo the
//! messages are counted, of PouchDB the HTTP, of ours the sync stream.
//!
//! Rows that need a link run on hosts of their own and are left out where that cannot be had.

mod bad_link;
mod first_sync;
mod idle;
mod invented;
mod long_chart;
mod nothing_changed;
mod pair;
mod peers;
mod restored;
mod some_changed;
mod table;
mod visible;

use table::Table;

/// How much of everything.
#[derive(Clone, Copy)]
struct Scale {
    /// Charts that a clinic has.
    charts: usize,
    /// Charts that a large one has.
    many_charts: usize,
    /// Charts that change.
    changed: usize,
    /// Bytes that wait for a bad link, sealed.
    backlog: usize,
    /// Saves that are waited for one by one.
    saves: usize,
    /// Seconds that an idle link is watched.
    idle_seconds: u64,
}

const FULL: Scale = Scale {
    charts: 10_000,
    many_charts: 100_000,
    changed: 100,
    backlog: 1_000_000,
    saves: 20,
    idle_seconds: 600,
};

const QUICK: Scale = Scale {
    charts: 300,
    many_charts: 1_000,
    changed: 20,
    backlog: 80_000,
    saves: 5,
    idle_seconds: 60,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let scale = if given("--full") { FULL } else { QUICK };
    let words = arguments.iter().filter(|word| !word.starts_with('-'));
    let mut table = Table::new(words.cloned().collect());

    if table.wants(&["first", "nothing", "changed", "restored"]) {
        let mut pair = first_sync::measure(&mut table, scale.charts);
        if table.wants(&["nothing", "changed", "restored"]) && pair.move_to_hosts() {
            nothing_changed::measure(&mut table, "nothing", &mut pair, scale.charts);
            let backup = pair.copy_of_hill();
            let sealed = some_changed::measure(&mut table, &mut pair, scale.changed);
            restored::measure(&mut table, &mut pair, sealed, &backup);
        }
    }
    if table.wants(&["nothing_many"]) {
        let mut pair = nothing_changed::many(scale.many_charts);
        if pair.move_to_hosts() {
            nothing_changed::measure(&mut table, "nothing_many", &mut pair, scale.many_charts);
        }
    }
    if table.wants(&["long"]) {
        long_chart::measure(&mut table);
    }
    if table.wants(&["bad"]) {
        bad_link::measure(&mut table, scale.backlog);
    }
    if table.wants(&["visible"]) {
        visible::measure(&mut table, scale.saves);
    }
    if table.wants(&["idle"]) {
        idle::measure(&mut table, scale.idle_seconds);
    }
    if given("--peers") && table.wants(&["first", "nothing", "changed"]) {
        peers::measure(&mut table, scale.charts, scale.changed);
    }
    table.print();
}

/// Says what is being done: a row takes minutes.
fn progress(what: &str) {
    eprintln!("sync: {what}");
}
