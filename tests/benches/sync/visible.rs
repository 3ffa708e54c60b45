//! From a save at one clinic until it is seen at the other.

use std::time::{Duration, Instant};

use chartmesh_tests::link::Conditions;
use chartmesh_tests::wait::wait_until;

use super::pair::Pair;
use super::table::Table;
use super::{invented, progress};

const DEADLINE: Duration = Duration::from_secs(60);

/// Saves one by one over a slow link; each is waited for before the next. The times hold the
/// starts of the two commands, the one that saves and the one that sees it.
pub(crate) fn measure(table: &mut Table, saves: usize) {
    let Some(mut pair) = Pair::on_hosts() else {
        return;
    };
    pair.start();
    pair.sync();
    progress("saves over a slow link");
    pair.link(Conditions::SLOW);
    let patient = pair.patients[0].clone();
    let mut times = Vec::with_capacity(saves);
    for number in 0..saves {
        let note = format!("visible-{number}");
        let bundle = invented::visit(&patient, &note, "seen today: better");
        let begun = Instant::now();
        pair.hill.import_text("visible.json", &bundle);
        let name = format!("\"{note}\"");
        wait_until("the save to be seen", DEADLINE, || {
            let export = pair.river.cli(&["export", "--patient", &patient.id]);
            export.stdout.contains(&name)
        });
        times.push(begun.elapsed());
    }
    pair.stop();
    times.sort();
    let seconds = |at: usize| times[at].as_secs_f64();
    table.row(
        "visible",
        "save to visible at the peer, 64 kbit/s and 300 ms, link idle".to_owned(),
        "at most 1.0 s",
        format!(
            "median {:.2} s, longest {:.2} s of {saves}",
            seconds(saves / 2),
            seconds(saves - 1)
        ),
    );
}
