//! A chart of many saves, granted to a clinic that has nothing of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chartmesh_crdt::{ActorId, Compartment, Document, Resource, Stamp};
use chartmesh_tests::bundle::resources;
use chartmesh_tests::clinic::text;
use chartmesh_tests::link::Conditions;
use chartmesh_tests::wait::wait_until;

use super::invented::Patient;
use super::pair::Pair;
use super::table::{Table, count};
use super::{invented, progress};

const SAVES: usize = 200;
/// Resources of one save.
const RESOURCES: usize = 3;
/// Invented patients whose resources make the chart.
const SOURCES: usize = 80;
const DEADLINE: Duration = Duration::from_secs(600);

/// What arrives over a slow link until the chart can be read.
pub(crate) fn measure(table: &mut Table) {
    let Some(mut pair) = Pair::on_hosts() else {
        return;
    };
    let json = r#"{"resourceType":"Patient","id":"long","name":[{"text":"Long"}]}"#;
    let patient = Patient::new(json.to_owned());
    let saves = saves(&patient);
    let bundles: Vec<(usize, String)> = (0..)
        .zip(&saves)
        .map(|(number, save)| {
            let resources = save.iter().map(String::as_str);
            (number, invented::bundle(&patient, resources))
        })
        .collect();
    pair.add(&bundles);
    // The chart's own id: words are found only once an index card is made, a while later.
    let found = pair.hill.json(&["patient", "search", "Long"]);
    let chart = text(&found[0]["id"]);
    let wanted = resources(&pair.hill.export(&chart));
    let to = pair.river.id();
    let grant = ["consent", "grant", "--patient", &chart, "--to", &to];
    let all = ["--compartments", "all", "--rights", "read,write"];
    pair.hill.ok(&[&grant[..], &all].concat());

    progress("a chart of 200 saves");
    pair.link(Conditions::SLOW);
    let [before, _] = pair.counts();
    pair.start();
    wait_until("the chart to be read", DEADLINE, || {
        let export = pair.river.cli(&["export", "--patient", &chart]);
        export.code == Some(0) && resources(&export.stdout) == wanted
    });
    let [after, _] = pair.counts();
    pair.stop();

    let bytes = after.arrived_bytes - before.arrived_bytes;
    let save = save_bytes(&patient, &saves);
    table.row(
        "long",
        format!("first sync of one chart of {SAVES} saves"),
        "at most 1.1 × its `save()` before it can be read",
        format!(
            "{} B on the link, handshakes and packet headers among them; `save()` is {} B",
            count(bytes),
            count(save)
        ),
    );
}

/// The resources of each save, about our patient.
fn saves(patient: &Patient) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for chart in invented::whole(SOURCES) {
        let (theirs, ours) = (&chart.patient.id, &patient.id);
        let bundle = chart
            .bundle
            .replace(&format!("urn:uuid:{theirs}"), &format!("Patient/{ours}"))
            .replace(theirs, ours);
        all.extend(invented::resources(&bundle).into_iter().skip(1));
    }
    assert!(all.len() >= SAVES * RESOURCES, "{} resources", all.len());
    all.chunks(RESOURCES)
        .take(SAVES)
        .map(<[String]>::to_vec)
        .collect()
}

/// The bytes of the same saves as Automerge documents, one for each compartment.
fn save_bytes(patient: &Patient, saves: &[Vec<String>]) -> usize {
    let mut documents: BTreeMap<Compartment, Document> = BTreeMap::new();
    let stamp = Stamp::new("bench", "clinician", 1_700_000_000_000).unwrap();
    let first = vec![patient.json.clone()];
    for save in std::iter::once(&first).chain(saves) {
        for resource in save {
            let resource = Resource::parse(resource).unwrap();
            let document = documents
                .entry(resource.compartment())
                .or_insert_with(|| Document::new(ActorId([1; 16])));
            document.put(&resource).unwrap();
        }
        for document in documents.values_mut() {
            document.commit(&stamp).unwrap();
        }
    }
    documents.values().map(|one| one.save().len()).sum()
}
