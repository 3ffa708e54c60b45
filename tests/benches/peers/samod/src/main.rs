//! Two samod repositories in one process: a first sync, a reconnect with nothing changed, and one
//! with some documents changed.
//!
//! `samod-beside CHARTS CHANGED` reads a FHIR bundle a line from the file CHARTS and makes one
//! document of each. It prints one JSON document a row.

mod counted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjType, ROOT};
use samod::{BackoffConfig, DocHandle, Repo};
use serde_json::{Value, json};

use counted::{Counted, Wire};

/// A link without a message for so long has nothing left to carry.
const QUIET: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let charts = std::fs::read_to_string(arguments.next().unwrap()).unwrap();
    let changed: usize = arguments.next().unwrap().parse().unwrap();
    let hill = Repo::build_tokio().load().await;
    let river = Repo::build_tokio().load().await;
    let mut documents = Vec::new();
    for line in charts.lines() {
        documents.push(hill.create(chart(line)).await.unwrap());
    }

    let begun = Instant::now();
    let wire = Wire::default();
    let link = connect(&hill, &river, &wire).await;
    for document in &documents {
        let id = document.document_id().clone();
        let arrived = river.find(id).await.unwrap().unwrap();
        assert_eq!(heads(&arrived), heads(document));
    }
    let seconds = begun.elapsed().as_secs_f64();
    wire.quiet(QUIET).await;
    let (there, back) = wire.bytes();
    let resident = most_resident();
    print(
        "first",
        json!({ "seconds": seconds, "there": there, "back": back }),
    );
    print("resident", json!({ "both": resident }));
    link.close();

    reconnect(&hill, &river, "nothing").await;

    for (number, document) in documents.iter().take(changed).enumerate() {
        add(document, number);
    }
    reconnect(&hill, &river, "changed").await;
    for document in documents.iter().take(changed) {
        let arrived = river.find(document.document_id().clone()).await;
        assert_eq!(heads(&arrived.unwrap().unwrap()), heads(document));
    }
}

async fn reconnect(hill: &Repo, river: &Repo, row: &str) {
    let wire = Wire::default();
    let link = connect(hill, river, &wire).await;
    wire.quiet(QUIET).await;
    let (there, back) = wire.bytes();
    print(row, json!({ "there": there, "back": back }));
    link.close();
}

async fn connect(hill: &Repo, river: &Repo, wire: &Wire) -> samod::DialerHandle<Infallible> {
    let url = url::Url::parse("counted://river").unwrap();
    let acceptor = river.make_acceptor(url).unwrap();
    let dialer = Arc::new(Counted::new(acceptor, wire.clone()));
    let link = hill.dial(BackoffConfig::default(), dialer).unwrap();
    link.established().await.unwrap();
    link
}

use std::convert::Infallible;

/// A document as Chartmesh keeps one: resources, their elements, and the JSON text of each.
fn chart(bundle: &str) -> Automerge {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    let mut document = Automerge::new();
    let write = |transaction: &mut automerge::transaction::Transaction<'_>| {
        let all = transaction.put_object(ROOT, "resources", ObjType::Map)?;
        for entry in bundle["entry"].as_array().unwrap() {
            let resource = entry["resource"].as_object().unwrap();
            let text = |name: &str| resource[name].as_str().unwrap();
            let key = format!("{}/{}", text("resourceType"), text("id"));
            let elements = transaction.put_object(&all, key, ObjType::Map)?;
            for (name, value) in resource {
                transaction.put(&elements, name, value.to_string())?;
            }
        }
        Ok::<_, AutomergeError>(())
    };
    document.transact(write).unwrap();
    document
}

/// One observation more.
fn add(document: &DocHandle, number: usize) {
    document.with_document(|document| {
        let write = |transaction: &mut automerge::transaction::Transaction<'_>| {
            let key = format!("Observation/changed-{number}");
            let elements = transaction.put_object(ROOT, key, ObjType::Map)?;
            for (name, value) in [
                ("resourceType", "\"Observation\""),
                ("status", "\"final\""),
                (
                    "valueString",
                    "\"seen today: better, to come again in a week\"",
                ),
            ] {
                transaction.put(&elements, name, value)?;
            }
            Ok::<_, AutomergeError>(())
        };
        document.transact(write).unwrap();
    });
}

fn heads(document: &DocHandle) -> Vec<automerge::ChangeHash> {
    document.with_document(|document| document.get_heads())
}

fn most_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

fn print(row: &str, figures: Value) {
    println!("{}", json!({ "row": row, "figures": figures }));
}
