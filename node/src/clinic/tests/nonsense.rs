//! Records that hold something else than they should, by a clinic that may write.

use chartmesh_protocol::ledger::{ChartSecret, CompartmentName};
use chartmesh_protocol::seal::{Compaction, VerifiedRecord, seal_compaction};

use super::compaction_forged::{export, held, two_writers};
use super::sharing::visit;
use super::*;
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::Scope;

/// Seals what is no list of changes at the next place of a clinic, and files it there.
fn seal_nonsense(house: &House, id: &str) -> VerifiedRecord {
    let clinic = &house.clinic;
    let chart = id.parse().unwrap();
    let open = clinic.open_chart(&chart, Scope::Whole).unwrap();
    let one = &open.compartments[&CompartmentName::Clinical];
    let epoch = open.decision().sealing_epoch(&CompartmentName::Clinical);
    let key = one.keys.get(&epoch.unwrap().epoch()).unwrap();
    let place = clinic.next_place(chart, one).unwrap();
    let content = Compaction {
        coverage: one.seen()[..1].to_vec(),
        manifest: vec![one.seen()[0].record],
        time: clinic.tick(),
        save: b"nonsense".to_vec(),
    };
    let rng = &mut clinic.chance();
    // The mark of a compaction is read with the chart's secret: with another it is none.
    let secret = ChartSecret::generate(rng);
    let node = &clinic.identity.node;
    let record = seal_compaction(rng, &place, key, node, &secret, &content).unwrap();
    let mut draft = Draft::default();
    draft.record(&record);
    clinic.file(draft).unwrap();
    record
}

#[test]
fn a_record_without_changes_is_held_and_the_rest_of_the_chart_is_read() {
    let (home, away, id) = two_writers();
    let before = export(&home, &id);
    seal_nonsense(&away, &id);
    sync(&away, &home).unwrap();
    for house in [&home, &away] {
        assert_eq!(export(house, &id), before);
        assert_eq!(held(house, &id).len(), 1);
    }
    home.import(&visit(&home, &id, "later"));
    sync(&home, &away).unwrap();
    assert_ne!(export(&home, &id), before);
    assert_eq!(export(&away, &id), export(&home, &id));
}
