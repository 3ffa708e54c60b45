//! Opening a chart that is not open yet: `chart show` after the restart of a node.

use std::cell::Cell;

use divan::Bencher;

use super::invented;
use super::node::Node;

/// More charts than a node keeps open: each that is asked for in turn has been closed before.
const CHARTS: usize = 24;
const RESOURCES: usize = 1_000;

#[divan::bench(sample_count = 240, sample_size = 1)]
fn open_chart_of_1000(bencher: Bencher<'_, '_>) {
    let node = Node::new("Open");
    let (folder, _) = invented::charts_of(CHARTS, RESOURCES);
    let imported = node.import(folder.path());
    let ids: Vec<String> = imported
        .files
        .iter()
        .map(|file| file.patient.unwrap().to_string())
        .collect();
    for id in &ids {
        let view = node.clinic.chart_view(id).unwrap();
        assert_eq!(view.compartments.values().sum::<usize>(), RESOURCES);
    }
    let next = Cell::new(0);
    bencher.bench_local(|| {
        let at = next.replace((next.get() + 1) % CHARTS);
        node.clinic.chart_view(&ids[at]).unwrap()
    });
}
