//! One visit written: what a clinician waits for after "save".

use std::time::{Duration, Instant};

use super::invented;
use super::node::Node;

const PATIENTS: usize = 50;
/// Resources of a chart before: a usual one.
const CHART: usize = 45;
const VISITS: usize = 600;
/// New resources of one visit.
const RESOURCES: usize = 12;

/// Prints the times of single visits, from the file to the answer that they are durable.
pub(crate) fn measure() {
    let node = Node::new("Write");
    let (folder, bundles) = invented::charts_of(PATIENTS, CHART);
    node.import(folder.path());
    let visits = tempfile::tempdir().unwrap();
    let mut times = Vec::with_capacity(VISITS);
    for number in 0..VISITS {
        let bundle = &bundles[number % PATIENTS];
        let path = invented::visit(visits.path(), bundle, number, RESOURCES);
        let begun = Instant::now();
        let imported = node.import(&path);
        times.push(begun.elapsed());
        assert_eq!(imported.files[0].changed, RESOURCES);
    }
    times.sort();
    let at = |percent: usize| millis(times[(times.len() * percent / 100).min(times.len() - 1)]);
    println!(
        "write_visit_of_12: {VISITS} writes: \
         p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
