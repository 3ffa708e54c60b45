//! The first sync of a clinic that was granted everything, over QUIC on loopback.

use chartmesh::control::GrantRequest;
use chartmesh::daemon::network_options;
use chartmesh::net::Network;
use divan::Bencher;
use divan::counter::ItemsCount;
use tokio::runtime::Runtime;

use super::invented;
use super::node::{Closed, Node};

const CHARTS: usize = 1_000;

/// From the dialling to the confirmation that both hold the same. Items are charts.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn first_sync_of_1000(bencher: Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    let (hill, river) = prepared();
    bencher
        .with_inputs(|| Pair::start(&runtime, hill.open_copy(), river.open_copy()))
        .input_counter(|_| ItemsCount::new(CHARTS))
        .bench_local_values(Pair::sync);
}

/// A clinic whose every chart is granted to another, and that other, which holds nothing yet.
fn prepared() -> (Closed, Closed) {
    let (hill, river) = (Node::new("Hill"), Node::new("River"));
    let folder = invented::charts(CHARTS);
    hill.import(folder.path());
    add_peer(&hill, &river);
    add_peer(&river, &hill);
    let everything = GrantRequest::of_everything(river.clinic.clinic_id().to_string());
    hill.clinic.grant(&everything, &|_| ()).unwrap();
    (hill.close(), river.close())
}

fn add_peer(node: &Node, peer: &Node) {
    let card = peer.clinic.own_card().unwrap().card;
    node.clinic.add_peer(&card).unwrap();
}

/// One clinic that listens, and one that knows where.
struct Pair<'a> {
    runtime: &'a Runtime,
    listening: Option<Network>,
    hill: Node,
    river: Node,
}

impl<'a> Pair<'a> {
    fn start(runtime: &'a Runtime, hill: Node, river: Node) -> Self {
        let mut options = network_options(river.clinic.config());
        options.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()];
        let starting = Network::start(river.clinic.clone(), options);
        let listening = runtime.block_on(starting).unwrap();
        river.clinic.set_addresses(listening.addresses());
        add_peer(&hill, &river);
        Self {
            runtime,
            listening: Some(listening),
            hill,
            river,
        }
    }

    fn sync(self) -> Self {
        let mut options = network_options(self.hill.clinic.config());
        options.listen = Vec::new();
        let reports = self.runtime.block_on(async {
            let network = Network::start(self.hill.clinic.clone(), options)
                .await
                .unwrap();
            let reports = network.sync_now(None).await.unwrap();
            network.stop().await;
            reports
        });
        assert!(
            reports.len() == 1 && reports[0].error.is_none(),
            "{reports:?}"
        );
        self
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.take() {
            self.runtime.block_on(listening.stop());
        }
        let charts = |node: &Node| node.clinic.status(true, Vec::new()).unwrap().charts;
        assert_eq!((charts(&self.hill), charts(&self.river)), (CHARTS, CHARTS));
    }
}
