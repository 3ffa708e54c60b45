//! The audit log.

use super::*;
use crate::clinic::Action;
use crate::store::{Batch, Space};

#[test]
fn every_read_and_write_leaves_an_entry_and_the_chain_holds() {
    let home = House::new("Home");
    let id = home.register("Amina");
    home.clinic.chart_view(&id).unwrap();
    home.clinic.export(&id, false).unwrap();
    home.clinic.find_patients(&["amina".to_owned()]).unwrap();
    let lines = home.clinic.audit_lines(None, 10).unwrap();
    let actions: Vec<Action> = lines.iter().map(|line| line.action).collect();
    assert_eq!(
        actions,
        [Action::Write, Action::Read, Action::Export, Action::Search]
    );
    assert_eq!(home.clinic.audit_lines(Some(&id), 10).unwrap().len(), 3);
    assert!(home.clinic.audit_check().unwrap().ok);
}

#[test]
fn an_entry_that_is_changed_removed_or_cut_off_is_noticed() {
    for tamper in [changed, removed, cut_off] {
        let home = House::new("Home");
        let id = home.register("Amina");
        for _ in 0..3 {
            home.clinic.chart_view(&id).unwrap();
        }
        assert!(home.clinic.audit_check().unwrap().ok);
        home.clinic.store.commit(tamper(&home)).unwrap();
        let check = home.clinic.audit_check().unwrap();
        assert!(!check.ok && !check.problems.is_empty());
    }
}

fn changed(home: &House) -> Batch {
    let key = 2_u64.to_be_bytes();
    let mut entry = home.clinic.store.get(Space::Audit, &key).unwrap().unwrap();
    let middle = entry.len() / 2;
    entry[middle] ^= 1;
    let mut batch = Batch::new();
    batch.put(Space::Audit, key.to_vec(), entry);
    batch
}

fn removed(_: &House) -> Batch {
    let mut batch = Batch::new();
    batch.delete(Space::Audit, 2_u64.to_be_bytes().to_vec());
    batch
}

fn cut_off(_: &House) -> Batch {
    let mut batch = Batch::new();
    batch.delete(Space::Audit, 4_u64.to_be_bytes().to_vec());
    batch
}
