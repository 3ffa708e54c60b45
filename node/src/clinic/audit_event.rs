//! Entries of the audit log as FHIR R4 AuditEvent, by the IHE profiles for basic audit (BALP 1.1).
//!
//! | what was done | type, subtype | action |
//! |---|---|---|
//! | read, search | rest `read`, `search` (BALP PatientRead, PatientQuery) | R, E |
//! | write, resolve, move, admit | rest `update` (BALP PatientUpdate) | U |
//! | export | DCM 110106 Export | R |
//! | grant, revoke, a rule for emergencies | rest `create`, `update` of a Consent | C, U |
//! | PIN set | DCM 110137 User Security Attributes Changed | U |
//! | node enrolled or cut off | DCM 110129 Security Configuration | U |
//! | emergency: asked | DCM 110113 Security Alert, 110127 Emergency Override Started | E |
//! | emergency: released | DCM 110106 Export | R |
//! | emergency: looked at | DCM 110113 Security Alert | U |
//! | a card: made | DCM 110106 Export | R |
//! | a card: its summary opened | rest `read` | R |
//! | a PIN wrong or not let be tried, a card refused | DCM 110113 Security Alert, outcome 4 | E |

use serde_json::{Map, Value, json};

use super::audit::{Action, AuditLine};

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const PROFILE: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
/// What the ids of nodes and users are in.
const NODES: &str = "https://chartmesh.org/fhir/node";
const USERS: &str = "https://chartmesh.org/fhir/user";

/// What an action is in the terms of FHIR.
struct Event {
    kind: Kind,
    /// `C`, `R`, `U` or `E` (AuditEvent.action).
    action: &'static str,
    /// The end of a BALP profile's name.
    profile: Option<&'static str>,
}

enum Kind {
    /// An interaction of the RESTful API.
    Rest(&'static str),
    /// A code of DICOM with its name.
    Dicom(&'static str, &'static str),
}

const ALERT: Kind = Kind::Dicom("110113", "Security Alert");
const EXPORT: Kind = Kind::Dicom("110106", "Export");

fn event_of(action: Action) -> Event {
    let (kind, action, profile) = match action {
        Action::Read => (Kind::Rest("read"), "R", Some("PatientRead")),
        Action::Search => (Kind::Rest("search"), "E", Some("Query")),
        Action::Write | Action::Resolve | Action::Move | Action::Admit => {
            (Kind::Rest("update"), "U", Some("PatientUpdate"))
        }
        Action::Export | Action::Release | Action::MakeCard => (EXPORT, "R", None),
        Action::OpenCard => (Kind::Rest("read"), "R", None),
        Action::WrongPin | Action::DenyPin | Action::RefuseCard => (ALERT, "E", None),
        Action::Grant => (Kind::Rest("create"), "C", None),
        Action::Revoke | Action::RuleEmergency => (Kind::Rest("update"), "U", None),
        Action::SetPin => {
            let name = "User Security Attributes Changed";
            (Kind::Dicom("110137", name), "U", None)
        }
        Action::EnrollNode | Action::CutOffNode => {
            (Kind::Dicom("110129", "Security Configuration"), "U", None)
        }
        Action::BreakGlass => (ALERT, "E", None),
        Action::Review => (ALERT, "U", None),
        Action::Other => (Kind::Rest("operation"), "E", None),
    };
    Event {
        kind,
        action,
        profile,
    }
}

/// AuditEvent.outcome: done, or a minor failure.
fn outcome_of(action: Action) -> &'static str {
    let failed = matches!(
        action,
        Action::WrongPin | Action::DenyPin | Action::RefuseCard
    );
    if failed { "4" } else { "0" }
}

/// One entry as an AuditEvent. `site` is the name of the clinic whose log it is in, `patient` the
/// FHIR id of the patient, where the entry is about one who is known.
#[must_use]
pub(super) fn audit_event(line: &AuditLine, site: &str, patient: Option<&str>) -> Value {
    let event = event_of(line.action);
    let node = line.node.to_string();
    let short = node.get(..16).unwrap_or(&node);
    let (kind, subtype) = match event.kind {
        Kind::Rest(interaction) => (
            coding(EVENT_TYPE, "rest", "RESTful Operation"),
            coding(REST, interaction, interaction),
        ),
        Kind::Dicom(code, name) => (coding(DICOM, code, name), override_of(line.action)),
    };
    let at = identifier(NODES, &node, site);
    let event_json = json!({
        "resourceType": "AuditEvent",
        "id": format!("{short}-{}", line.number),
        "type": kind,
        "action": event.action,
        "recorded": line.at,
        "outcome": outcome_of(line.action),
        "agent": [
            {
                "type": { "coding": [coding(PARTICIPATION, "IRCP", "information recipient")] },
                "who": identifier(USERS, &line.user, &line.user),
                "requestor": true,
            },
            {
                "type": { "coding": [coding(DICOM, "110152", "Destination Role ID")] },
                "who": at,
                "requestor": false,
            },
        ],
        "source": {
            "site": site,
            "observer": at,
            "type": [coding(SOURCE_TYPE, "4", "Application Server")],
        },
    });
    let Value::Object(mut whole) = event_json else {
        return event_json;
    };
    whole.extend(more_of(line, &event, subtype, patient));
    Value::Object(whole)
}

/// What not every event has.
fn more_of(
    line: &AuditLine,
    event: &Event,
    subtype: Value,
    patient: Option<&str>,
) -> Map<String, Value> {
    let mut more = Map::new();
    if let Some(profile) = event.profile {
        let profile = json!({ "profile": [format!("{PROFILE}{profile}")] });
        more.insert("meta".to_owned(), profile);
    }
    if !subtype.is_null() {
        more.insert("subtype".to_owned(), json!([subtype]));
    }
    if line.action == Action::BreakGlass {
        let emergency = coding(REASON, "ETREAT", "Emergency Treatment");
        let broken = coding(REASON, "BTG", "break the glass");
        let purposes = json!([{ "coding": [emergency, broken] }]);
        more.insert("purposeOfEvent".to_owned(), purposes);
    }
    if let Some(chart) = &line.chart {
        let chart = chart.to_string();
        let what = patient.map_or_else(
            || json!({ "identifier": { "value": chart } }),
            |id| json!({ "reference": format!("Patient/{id}") }),
        );
        let entity = json!([{
            "what": what,
            "type": coding(ENTITY_TYPE, "1", "Person"),
            "role": coding(OBJECT_ROLE, "1", "Patient"),
        }]);
        more.insert("entity".to_owned(), entity);
    }
    more
}

fn override_of(action: Action) -> Value {
    match action == Action::BreakGlass {
        true => coding(DICOM, "110127", "Emergency Override Started"),
        false => Value::Null,
    }
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

fn identifier(system: &str, value: &str, display: &str) -> Value {
    json!({ "identifier": { "system": system, "value": value }, "display": display })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [Action; 22] = [
        Action::Read,
        Action::Write,
        Action::Export,
        Action::Grant,
        Action::Revoke,
        Action::Search,
        Action::Resolve,
        Action::SetPin,
        Action::EnrollNode,
        Action::CutOffNode,
        Action::Admit,
        Action::BreakGlass,
        Action::Release,
        Action::Review,
        Action::RuleEmergency,
        Action::Move,
        Action::Other,
        Action::WrongPin,
        Action::DenyPin,
        Action::MakeCard,
        Action::OpenCard,
        Action::RefuseCard,
    ];

    fn line(action: Action) -> AuditLine {
        let text = json!({
            "number": 7, "at": "2026-11-27T08:00:00Z", "action": action,
            "chart": "44".repeat(16), "user": "ab12cd34ab12cd34", "node": "7c".repeat(32),
        });
        serde_json::from_value(text).unwrap()
    }

    /// What R4 requires of an AuditEvent: type, recorded, agents with `requestor`, and a source
    /// with its observer.
    #[test]
    fn every_action_makes_what_fhir_requires() {
        for action in ACTIONS {
            let event = audit_event(&line(action), "Hill Clinic", Some("p1"));
            assert!(event["type"]["code"].is_string(), "{action:?}");
            assert!(["C", "R", "U", "D", "E"].contains(&event["action"].as_str().unwrap()));
            assert_eq!(event["recorded"], "2026-11-27T08:00:00Z");
            let agents = event["agent"].as_array().unwrap();
            let askers = agents.iter().filter(|agent| agent["requestor"] == true);
            assert_eq!((agents.len(), askers.count()), (2, 1));
            assert_eq!(event["source"]["observer"]["display"], "Hill Clinic");
            assert_eq!(event["entity"][0]["what"]["reference"], "Patient/p1");
            assert_eq!(event["id"], "7c7c7c7c7c7c7c7c-7");
        }
    }

    #[test]
    fn an_emergency_is_an_override_with_its_purpose() {
        let event = audit_event(&line(Action::BreakGlass), "Hill Clinic", None);
        assert_eq!(event["type"]["code"], "110113");
        assert_eq!(event["subtype"][0]["code"], "110127");
        let purposes = event["purposeOfEvent"][0]["coding"].as_array().unwrap();
        let codes: Vec<&str> = purposes
            .iter()
            .filter_map(|one| one["code"].as_str())
            .collect();
        assert_eq!(codes, ["ETREAT", "BTG"]);
        let chart = "44".repeat(16);
        assert_eq!(event["entity"][0]["what"]["identifier"]["value"], chart);
        for action in ACTIONS.into_iter().filter(|one| *one != Action::BreakGlass) {
            let event = audit_event(&line(action), "Hill Clinic", None);
            assert!(event["purposeOfEvent"].is_null(), "{action:?}");
        }
    }

    #[test]
    fn a_reading_names_its_profile() {
        let event = audit_event(&line(Action::Read), "Hill Clinic", Some("p1"));
        let profile = event["meta"]["profile"][0].as_str().unwrap();
        assert!(profile.ends_with("IHE.BasicAudit.PatientRead"), "{profile}");
        assert_eq!(event["subtype"][0]["code"], "read");
    }
}
