//! A result that becomes restricted after others have seen it.

use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, grant, running, shared_in_part};

const RESULT: &str = "Observation/result";
const HIV: &str = "restricted/HIV";

/// The result, with or without its sensitivity label.
fn result(nakato: &NakatoShared, value: &str, is_labelled: bool) -> Value {
    let mut result = json!({
        "resourceType": "Observation", "id": "result", "status": "final",
        "code": { "text": "HIV 1+2 antibodies" },
        "subject": { "reference": nakato.patient_key() },
        "valueString": value,
    });
    if is_labelled {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        result["meta"] = json!({ "security": [{ "system": system, "code": "HIV" }] });
    }
    result
}

/// A file with the result, for a command.
fn file(nakato: &NakatoShared, clinic: &Clinic, result: &Value) -> String {
    let path = clinic.scratch().join("result.json");
    std::fs::write(&path, nakato.beside_the_patient(clinic, result)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_result_that_gets_a_label_leaves_the_part_that_a_referral_sees() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_in_part(&hill, &river, "summary,clinical");
    nakato.put(&hill, &result(&nakato, "reactive", false));
    nakato.wait_for(&river, RESULT);
    assert!(river.export(&nakato.chart).contains("reactive"));

    let labelled = file(&nakato, &hill, &result(&nakato, "reactive", true));
    let said = hill.ok(&["import", &labelled]);
    assert!(
        said.contains("1 resource moved to another part of the chart"),
        "{said}"
    );
    assert!(
        said.contains("could read the earlier text still can"),
        "{said}"
    );
    hill.sync();
    // The hospital reads it nowhere any more, and is not told where it went.
    let seen = [
        river.export(&nakato.chart),
        river.ok(&["chart", "show", &nakato.chart]),
        river.ok(&["--json", "chart", "show", &nakato.chart]),
    ];
    for seen in seen {
        for trace in ["reactive", "antibodies", "HIV"] {
            assert!(!seen.contains(trace), "{trace}: {seen}");
        }
    }
    assert!(hill.export(&nakato.chart).contains("reactive"));
    let audit = hill.ok(&["audit", "list", "--patient", &nakato.chart]);
    assert!(
        audit.contains("moved resources to another part of the chart of"),
        "{audit}"
    );

    // A system that sends no labels does not let it out by mistake.
    let unlabelled = file(&nakato, &hill, &result(&nakato, "reactive, again", false));
    let output = hill.cli(&["import", &unlabelled]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let said = output.stdout;
    assert!(said.contains("stands in restricted/HIV"), "{said}");
    assert!(said.contains("--lift-labels"), "{said}");
    assert!(!hill.export(&nakato.chart).contains("again"));
    grant(&hill, &nakato.chart, &river, HIV);
    nakato.wait_for(&river, RESULT);
    let lifted = file(&nakato, &hill, &result(&nakato, "not reactive", false));
    hill.ok(&["import", "--lift-labels", &lifted]);
    hill.sync();
    for clinic in [&hill, &river] {
        let export = clinic.export(&nakato.chart);
        assert_eq!(export.matches("\"result\"").count(), 1, "{export}");
        assert!(export.contains("not reactive"), "{export}");
    }
}

#[test]
fn what_another_clinic_wrote_before_it_heard_of_the_move_is_kept_for_a_decision() {
    let [hill, mut river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_in_part(&hill, &river, "summary,clinical");
    nakato.put(&hill, &result(&nakato, "reactive", false));
    nakato.wait_for(&river, RESULT);
    river.stop();
    nakato.put(&hill, &result(&nakato, "reactive", true));
    nakato.put(
        &river,
        &result(&nakato, "second sample: not reactive", false),
    );
    river.start();
    hill.sync();
    let conflicts = hill.json(&["chart", "conflicts", &nakato.chart]);
    let shown = conflicts.to_string();
    assert!(shown.contains("second sample: not reactive"), "{shown}");
    let list: &Vec<Value> = conflicts.as_array().unwrap();
    assert!(
        list.iter().all(|one| one["compartment"] == "clinical"),
        "{shown}"
    );
}
