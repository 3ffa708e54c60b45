//! Why this clinic may not write, in words.
//!
//! ```text
//! Settings  "revocation heard/" statement 32  -> time 8: when this node heard of it
//! ```
//!
//! A revocation carries no time: whoever signs it could claim any.

use chartmesh_protocol::ledger::{CompartmentName, GrantState, GrantView, Rights};
use chartmesh_protocol::{ClinicId, StatementId};

use super::items::{self, NewItem};
use super::open_chart::OpenChart;
use super::{ClinicError, date, short};
use crate::store::{Batch, Space, Store, View};

/// What the keys of the times begin with at which revocations were heard of.
const HEARD: &[u8] = b"revocation heard/";

/// Notes when revocations among items were heard of, each once.
pub(super) fn note_heard(
    view: &View<'_>,
    batch: &mut Batch,
    items: &[NewItem],
    now_ms: u64,
) -> Result<(), ClinicError> {
    for item in items.iter().filter(|item| item.revokes) {
        let key = [HEARD, item.id.as_bytes()].concat();
        if !view.contains(Space::Settings, &key)? {
            batch.put(Space::Settings, key, now_ms.to_be_bytes().to_vec());
        }
    }
    Ok(())
}

/// Why a clinic may not write these compartments of a chart: that a right was never given, or which
/// one has ended.
pub(super) fn refused_write(
    store: &Store,
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
    let ended = open
        .decision()
        .grants()
        .filter(gave)
        .filter_map(|view| ending(store, view));
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
fn ending(store: &Store, view: &GrantView) -> Option<(u8, String)> {
    let look = format!("`chartmesh consent show {}` tells more", short(&view.id));
    match &view.state {
        GrantState::Revoked(by) | GrantState::FallsWithParent(by) => {
            let heard = by.iter().filter_map(|id| heard_at(store, id)).min();
            let heard = heard.map_or_else(String::new, |at| {
                format!("; this node heard of it at {}", date::moment(at))
            });
            Some((1, format!("the consent to it was revoked{heard} ({look})")))
        }
        GrantState::Expired => {
            let until = date::moment(view.grant.expires_ms.unwrap_or_default());
            Some((0, format!("the consent to it ended on {until} ({look})")))
        }
        GrantState::NotYet | GrantState::Valid | GrantState::Invalid(_) => None,
    }
}

/// When this node heard of a revocation, in milliseconds since 1970.
fn heard_at(store: &Store, revocation: &StatementId) -> Option<u64> {
    let key = [HEARD, revocation.as_bytes()].concat();
    let heard = store.get(Space::Settings, &key).ok().flatten()?;
    items::number(&heard)
}
