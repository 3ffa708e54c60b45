//! A link that is gone for long, and a power cut meanwhile.

use chartmesh_tests::link::Conditions;
use chartmesh_tests::wait::wait_until;

use super::{PATIENCE, Valley};

#[test]
fn clinics_find_each_other_again_and_what_both_wrote_while_apart_is_in_both() {
    let Some(mut valley) = Valley::new() else {
        return;
    };
    valley.network.set(Conditions::CUT);
    valley.river.kill9();
    valley.river.start();
    let nakato = &valley.nakato;
    nakato.note(&valley.hill, "n1", "written at the hill");
    nakato.note(&valley.river, "n2", "written at the river");
    wait_until("the river to have dialled in vain", PATIENCE, || {
        let status = valley.river.json(&["sync", "status"]);
        let peer = &status["peers"][0];
        peer["state"] == "disconnected" && peer["error"].is_string()
    });
    assert!(!nakato.has(&valley.hill, "Observation/n2"));

    // Nobody asks for a sync.
    valley.network.set(Conditions::SLOW);
    valley.wait_until_they_agree(&["n1".to_owned(), "n2".to_owned()]);
}
