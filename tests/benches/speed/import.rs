//! Taking in files: read, split into compartments, sealed, signed and durable.

use chartmesh_tests::shared::shared;
use divan::Bencher;
use divan::counter::ItemsCount;

use super::invented;
use super::node::Node;

/// The eight bundles of the shared test data. Items are resources.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn import_shared_bundles(bencher: Bencher<'_, '_>) {
    let Some(folder) = shared("fhir") else { return };
    let first = Node::new("Count").import(&folder);
    let resources: usize = first.files.iter().map(|file| file.resources).sum();
    bencher
        .with_inputs(|| Node::new("Import"))
        .input_counter(move |_| ItemsCount::new(resources))
        .bench_refs(|node| node.import(&folder));
}

/// Many small charts. Items are charts.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn import_200_charts(bencher: Bencher<'_, '_>) {
    let folder = invented::charts(200);
    bencher
        .with_inputs(|| Node::new("Import"))
        .input_counter(|_| ItemsCount::new(200_usize))
        .bench_refs(|node| node.import(folder.path()));
}
