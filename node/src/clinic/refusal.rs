//! Why this clinic may not write, in words.

use chartmesh_protocol::ClinicId;
use chartmesh_protocol::ledger::{CompartmentName, GrantState, GrantView, Rights};

use super::date;
use super::open_chart::OpenChart;

/// Why a clinic may not write these compartments of a chart: that a right was never given, or which
/// one has ended. A revocation carries no time, so none is named.
pub(super) fn refused_write(
    open: &OpenChart,
    clinic: &ClinicId,
    closed: &[CompartmentName],
) -> String {
    let names: Vec<&str> = closed.iter().map(CompartmentName::as_str).collect();
    let names = names.join(" and ");
    let compartments = match closed.len() {
        1 => "compartment",
        _ => "compartments",
    };
    let gave = |view: &&GrantView| {
        view.grant.grantee == *clinic
            && view.grant.rights.includes(Rights::WRITE)
            && closed
                .iter()
                .any(|name| view.grant.compartments.covers(name))
    };
    let ended = open.decision().grants().filter(gave).filter_map(ending);
    match ended.max() {
        Some((_, why)) => format!(
            "this clinic may not write the {compartments} {names} of this chart any more: {why}; \
             the patient has to grant it anew"
        ),
        None => format!(
            "this clinic may not write the {compartments} {names} of this chart: the patient has \
             to grant it"
        ),
    }
}

/// How a grant has ended; the weightier, the later in order.
fn ending(view: &GrantView) -> Option<(u8, String)> {
    let id: String = view.id.to_string().chars().take(8).collect();
    let look = format!("`chartmesh consent show {id}` tells more");
    match &view.state {
        GrantState::Revoked(_) | GrantState::FallsWithParent(_) => {
            Some((1, format!("the consent to it was revoked ({look})")))
        }
        GrantState::Expired => {
            let until = date::moment(view.grant.expires_ms.unwrap_or_default());
            Some((0, format!("the consent to it ended on {until} ({look})")))
        }
        GrantState::NotYet | GrantState::Valid | GrantState::Invalid(_) => None,
    }
}
