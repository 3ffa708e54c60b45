//! What proves a compaction, and what does not.

use super::*;

#[test]
fn a_compaction_of_what_was_written_is_proven() {
    let chart = chart();
    let proof = chart
        .prove(&chart.compaction(), &[chart.manifest()], &chart.changes())
        .unwrap();
    assert_eq!(proof.records().len(), chart.written.len());
    for one in &chart.written {
        let told = proof
            .records()
            .iter()
            .find(|told| told.id == one.record.id());
        let claim = record_claim(&one.record.witness(), &one.hashes);
        assert_eq!(told.unwrap().claim, claim);
    }
    let vouchers: Vec<_> = proof.vouchers().iter().flatten().copied().collect();
    assert_eq!(vouchers.len(), 2);
    assert!(
        [0, 1]
            .iter()
            .all(|clinic| vouchers.contains(&chart.world.id(*clinic)))
    );
}

#[test]
fn several_manifests_prove_what_one_does_in_any_order_and_may_tell_more() {
    let mut chart = chart();
    let early = chart.manifest();
    let early_compaction = (chart.compaction(), chart.changes());
    let from = chart.written.len();
    chart.save(0, 2);
    chart.save(2, 1);
    let late = Manifest::of(&chart.remains()[from..], chart.certificates()).unwrap();
    let whole = chart.prove(&chart.compaction(), &[chart.manifest()], &chart.changes());
    for parts in [[early.clone(), late.clone()], [late, early]] {
        let proof = chart.prove(&chart.compaction(), &parts, &chart.changes());
        assert_eq!(proof, whole);
        let (compaction, changes) = &early_compaction;
        assert!(chart.prove(compaction, &parts, changes).is_ok());
    }
}

#[test]
fn coverage_that_the_manifest_does_not_tell_of_is_refused() {
    let chart = chart();
    let (changes, manifest) = (chart.changes(), chart.manifest());
    let mut further = chart.compaction();
    further.coverage[0].sequence = further.coverage[0].sequence.next().unwrap();
    let refused = |compaction: &Compaction| {
        chart
            .prove(compaction, std::slice::from_ref(&manifest), &changes)
            .unwrap_err()
    };
    assert_eq!(refused(&further), ProvenanceError::MissingRecord);
    let mut other = chart.compaction();
    other.coverage[0].record = crate::id::RecordId::new([8; 32]);
    assert_eq!(refused(&other), ProvenanceError::OtherTip);
    let mut stranger = chart.compaction();
    stranger.coverage[0].author = node(&chart, 2);
    assert_eq!(refused(&stranger), ProvenanceError::MissingRecord);
    let mut less = chart.compaction();
    less.coverage.remove(0);
    assert_eq!(refused(&less), ProvenanceError::OtherChanges);
}

#[test]
fn a_manifest_that_begins_late_is_refused() {
    let chart = chart();
    let part = Manifest::of(&chart.remains()[2..], chart.certificates()).unwrap();
    let found = chart.prove(&chart.compaction(), &[part], &chart.changes());
    assert_eq!(found, Err(ProvenanceError::MissingRecord));
}

#[test]
fn a_save_that_leaves_the_newest_change_out_is_refused_however_it_is_hidden() {
    let chart = chart();
    let mut changes = chart.changes();
    let last = changes.pop().unwrap();
    let compaction = chart.compaction();
    let found = chart.prove(&compaction, &[chart.manifest()], &changes);
    assert_eq!(found, Err(ProvenanceError::OtherChanges));

    // Its record is said to hold a change that another record holds.
    let mut remains = chart.remains();
    remains[2].word.as_mut().unwrap().changes = 2;
    let hidden = Manifest::of(&remains, chart.certificates()).unwrap();
    let found = chart.prove(&compaction, &[hidden], &changes);
    assert_eq!(found, Err(ProvenanceError::UserSignature));

    // A record of changes is said to be one without, so that there is one change less to show.
    let mut remains = chart.remains();
    remains[5].word = None;
    let hidden = Manifest::of(&remains, chart.certificates()).unwrap();
    let found = chart.prove(&compaction, &[hidden], &changes);
    assert_eq!(found, Err(ProvenanceError::OtherForm));

    // The change is made up.
    changes.push(SavedChange {
        hash: [0xee; 32],
        ..last
    });
    let found = chart.prove(&compaction, &[chart.manifest()], &changes);
    assert_eq!(found, Err(ProvenanceError::UserSignature));
}

#[test]
fn changes_that_no_record_holds_are_refused() {
    let chart = chart();
    for author in [0, 2] {
        let mut changes = chart.changes();
        changes.push(SavedChange {
            author: node(&chart, author),
            incarnation: INCARNATION,
            hash: [0xee; 32],
            user: Chart::user(author).id(),
            role: "nurse".to_owned(),
        });
        let found = chart.prove(&chart.compaction(), &[chart.manifest()], &changes);
        assert_eq!(found, Err(ProvenanceError::OtherChanges));
    }
}

#[test]
fn signatures_of_others_prove_nothing() {
    let chart = chart();
    let forged = |change: &dyn Fn(&mut ManifestRecord)| {
        let mut remains = chart.remains();
        change(&mut remains[0]);
        let manifest = Manifest::of(&remains, chart.certificates()).unwrap();
        chart
            .prove(&chart.compaction(), &[manifest], &chart.changes())
            .unwrap_err()
    };
    let other = chart.written[1].record.witness().signature;
    assert_eq!(
        forged(&|one| one.witness.signature = other),
        ProvenanceError::NodeSignature
    );
    assert_eq!(
        forged(&|one| one.witness.sealed = crate::id::SealedHash::new([3; 32])),
        ProvenanceError::NodeSignature
    );
    let user = sign_changes(
        &Chart::user(2),
        &chart.world.chart,
        "nurse",
        &chart.written[0].hashes,
    );
    assert_eq!(
        forged(&|one| one.word.as_mut().unwrap().signature = user),
        ProvenanceError::UserSignature
    );
    let mut changes = chart.changes();
    changes[0].role = "physician".to_owned();
    let raised = chart.prove(&chart.compaction(), &[chart.manifest()], &changes);
    assert_eq!(raised, Err(ProvenanceError::UserSignature));
    let mut changes = chart.changes();
    changes[1].user = Chart::user(0).id();
    let mixed = chart.prove(&chart.compaction(), &[chart.manifest()], &changes);
    assert_eq!(mixed, Err(ProvenanceError::SeveralUsers));
}

#[test]
fn a_user_of_another_clinic_than_the_nodes_proves_nothing() {
    let chart = chart();
    let mut changes = chart.changes();
    let hashes = chart.written[0].hashes.clone();
    let stranger = Chart::user(1);
    changes[0].user = stranger.id();
    let mut remains = chart.remains();
    remains[0].word.as_mut().unwrap().signature =
        sign_changes(&stranger, &chart.world.chart, "nurse", &hashes);
    let manifest = Manifest::of(&remains, chart.certificates()).unwrap();
    let found = chart.prove(&chart.compaction(), &[manifest], &changes);
    assert_eq!(found, Err(ProvenanceError::UnknownUser));
    let without = Manifest::of(&chart.remains(), BTreeSet::new()).unwrap();
    let found = chart.prove(&chart.compaction(), &[without], &chart.changes());
    assert_eq!(found, Err(ProvenanceError::UnknownUser));
}

#[test]
fn a_certificate_that_does_not_hold_is_refused() {
    let chart = chart();
    let mut certificates = chart.certificates();
    let mut forged = certificates.pop_first().unwrap();
    *forged.last_mut().unwrap() ^= 1;
    certificates.insert(forged);
    let manifest = Manifest::of(&chart.remains(), certificates).unwrap();
    let found = chart.prove(&chart.compaction(), &[manifest], &chart.changes());
    assert_eq!(found, Err(ProvenanceError::Certificate));
}

#[test]
fn manifests_that_contradict_each_other_are_refused() {
    let chart = chart();
    let mut remains = chart.remains();
    remains[0].word.as_mut().unwrap().changes = 2;
    let other = Manifest::of(&remains, chart.certificates()).unwrap();
    let found = chart.prove(
        &chart.compaction(),
        &[chart.manifest(), other],
        &chart.changes(),
    );
    assert_eq!(found, Err(ProvenanceError::Contradiction));
}

#[test]
fn another_chart_or_compartment_is_not_proven_by_the_same_manifest() {
    let chart = chart();
    let tag = chart
        .world
        .secret
        .compartment_tag(&CompartmentName::Summary);
    let (secret, compaction) = (&chart.world.secret, chart.compaction());
    let manifests = [chart.manifest()];
    let found = prove(
        chart.world.chart,
        tag,
        secret,
        &compaction,
        &manifests,
        &chart.changes(),
    );
    assert!(found.is_err());
}
