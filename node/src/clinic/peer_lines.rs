//! Each other node in one line: whether its clinic has what was saved here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::peer_store::{PeerStore, Standing};
use super::post::Word;
use super::waiting::Waiting;
use super::{Clinic, ClinicError, KnownPeer, date};
use crate::net::{LinkState, PeerStatus};

/// By how much two clocks may differ before it is worth a word.
const NOTABLE_SKEW_MS: u64 = 10 * 60 * 1000;

/// After how long without a byte a peer that owes an answer has stalled: a link that works carries
/// a heartbeat every 25 s at least, and answers within 3 s even at 64 kbit/s and 300 ms.
const STALLED_AFTER_MS: u64 = 30 * 1000;

/// Whether one other clinic has what was saved here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerLine {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// What tells the node from others of the same clinic, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// How the link stands.
    pub state: LinkState,
    /// The address it was last reached at; that of the relay, where it was reached through one.
    pub path: Option<String>,
    /// The name of the relay that passes, or passed, the link on.
    #[serde(default)]
    pub through: Option<String>,
    /// When both stores were last found equal, or when the clinic last sent word of what it holds,
    /// as RFC 3339.
    pub confirmed: Option<String>,
    /// The relay through which that word came; none where the stores were compared.
    #[serde(default)]
    pub confirmed_through: Option<String>,
    /// Items that it lacks, as far as we know: records, and what goes along with them.
    pub owed_out: u64,
    /// Records that somebody saved among these.
    #[serde(default)]
    pub records: u64,
    /// Why the last attempt or session ended.
    pub error: Option<String>,
    /// What a person should know: in one line, whether the clinic has what was saved here.
    pub summary: String,
}

/// When a clinic was last known to have what it was to have.
#[derive(Debug, Clone, Default)]
struct Confirmed {
    /// In milliseconds since 1970; 0 for never.
    at_ms: u64,
    /// The relay through which the word came.
    through: Option<String>,
}

impl Confirmed {
    /// The later one of a comparison of both stores and a word that came through a relay.
    fn of(compared_ms: u64, word: Option<Word>) -> Self {
        match word.filter(|word| word.at_ms > compared_ms) {
            Some(word) => Self {
                at_ms: word.at_ms,
                through: Some(word.relay),
            },
            None => Self {
                at_ms: compared_ms,
                through: None,
            },
        }
    }

    fn words(&self, now_ms: u64) -> String {
        if self.at_ms == 0 {
            return "never compared yet".to_owned();
        }
        let when = date::ago(self.at_ms, now_ms);
        match &self.through {
            Some(relay) => format!("confirmed {when}, through {relay}"),
            None => format!("confirmed {when}"),
        }
    }
}

impl Clinic {
    /// Whether each other clinic has what was saved here. What a clinic has told by receipts that
    /// came through a relay counts as being there.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn sync_status(
        self: &Arc<Self>,
        links: Vec<PeerStatus>,
    ) -> Result<Vec<PeerLine>, ClinicError> {
        let links: BTreeMap<NodeId, PeerStatus> =
            links.into_iter().map(|link| (link.node, link)).collect();
        let mut labels = self.peer_labels()?;
        let mut lines = Vec::new();
        let peers = self.peers()?;
        for peer in &peers {
            let link = links.get(&peer.node);
            let label = labels.remove(&peer.node);
            let line = self.peer_line(&peers, peer, link)?;
            lines.push(PeerLine { label, ..line });
        }
        Ok(lines)
    }

    fn peer_line(
        self: &Arc<Self>,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        link: Option<&PeerStatus>,
    ) -> Result<PeerLine, ClinicError> {
        let note = self.peer_note(&peer.node)?;
        let store = self.peer_store(peer.node)?;
        let standing = store.standing();
        let state = link.map_or(LinkState::Disconnected, |link| {
            state_of(link, standing.owed_out, self.now_ms())
        });
        let (mut owed_out, mut word) = (standing.owed_out, None);
        let waiting = if self.is_relay() {
            Waiting::of_mail(owed_out)
        } else if peer.is_relay() {
            self.waiting(store.unsent_items())?
        } else {
            let left = self.left_by_claims(peers, peer, store.owed_items())?;
            owed_out = u64::try_from(left.items.len()).unwrap_or(u64::MAX);
            word = left.word;
            self.waiting(left.items.iter().map(|one| one.id))?
        };
        let confirmed = Confirmed::of(note.confirmed_ms, word);
        let when = confirmed.words(self.now_ms());
        let is_used = standing.shares || standing.owed_out > 0;
        let mut said = match (peer.is_relay() || self.is_relay(), is_used) {
            (false, false) => nothing_shared(state).to_owned(),
            (false, true) if owed_out == 0 && confirmed.through.is_some() => {
                told_through_relay(state, &when)
            }
            (false, true) => summary(state, &when, &waiting),
            (true, _) => mail_summary(state, &when, &waiting, standing),
        };
        if !waiting.is_empty() && !peer.is_relay() && !self.is_relay() {
            said.push_str(&self.at_relays(peers, &waiting)?);
        }
        let through = link.and_then(|link| link.through.clone());
        if let Some(relay) = through.as_ref().filter(|_| state.is_open()) {
            said.push_str(&format!("; through {relay}"));
        }
        if note.ahead_ms.unsigned_abs() > NOTABLE_SKEW_MS {
            let minutes = note.ahead_ms / 60_000;
            said.push_str(&format!("; its clock is {minutes} minutes ahead of ours"));
        }
        Ok(PeerLine {
            clinic: peer.clinic,
            name: peer.name.clone(),
            node: peer.node,
            label: None,
            state,
            path: link.and_then(|link| link.path.clone()),
            through,
            confirmed: (confirmed.at_ms > 0).then(|| date::moment(confirmed.at_ms)),
            confirmed_through: confirmed.through,
            owed_out,
            records: waiting.records(),
            error: link.and_then(|link| link.error.clone()),
            summary: said,
        })
    }

    /// What of that which waits lies at a relay, in words.
    fn at_relays(
        self: &Arc<Self>,
        peers: &[KnownPeer],
        waiting: &Waiting,
    ) -> Result<String, ClinicError> {
        let items: Vec<ItemId> = waiting.items();
        let carried = self.carried(peers, &items)?;
        Ok(carried.map_or_else(String::new, |carried| {
            let of_them = of_them(carried.most, waiting.count());
            format!("; {of_them} at {}", carried.relay)
        }))
    }
}

fn state_of(link: &PeerStatus, owed_out: u64, now_ms: u64) -> LinkState {
    let heard_ms = link.heard_ms.unwrap_or(now_ms);
    let is_silent = now_ms.saturating_sub(heard_ms) > STALLED_AFTER_MS;
    if link.state.is_open() && owed_out > 0 && is_silent {
        LinkState::Stalled
    } else {
        link.state
    }
}

/// A clinic that no chart was ever granted to has nothing, and not everything.
fn nothing_shared(state: LinkState) -> &'static str {
    match state {
        LinkState::InSync | LinkState::Syncing | LinkState::Stalled => {
            "connected; no chart is shared with it"
        }
        LinkState::Connecting => "being called; no chart is shared with it",
        LinkState::Disconnected => "not connected; no chart is shared with it",
    }
}

/// The clinic has sent word that it has everything, and was not met since.
fn told_through_relay(state: LinkState, when: &str) -> String {
    match state {
        LinkState::Syncing => format!("being compared, nothing waits; {when}"),
        LinkState::InSync
        | LinkState::Stalled
        | LinkState::Connecting
        | LinkState::Disconnected => format!("has everything that you saved; {when}"),
    }
}

/// How many of those that wait.
fn of_them(count: u64, all: u64) -> String {
    match (count, all) {
        (1, 1) => "it lies".to_owned(),
        (1, _) => "1 of them lies".to_owned(),
        (count, all) if count >= all => "all of them lie".to_owned(),
        (count, _) => format!("{count} of them lie"),
    }
}

/// A relay passes on: that it has everything does not say that anybody has fetched it.
fn mail_summary(state: LinkState, when: &str, waiting: &Waiting, standing: Standing) -> String {
    let mut said =
        summary(state, when, waiting).replacen("has everything", "all mail is exchanged", 1);
    if standing.is_full {
        said.push_str("; it has no more room for this clinic: ask its operator");
    }
    if standing.withheld > 0 {
        let records = match standing.withheld {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        said.push_str(&format!(
            "; it KEEPS BACK {records} that others have put there: ask its operator"
        ));
    }
    said
}

fn summary(state: LinkState, when: &str, waiting: &Waiting) -> String {
    let wait = waiting.wait();
    match (state, waiting.is_empty()) {
        (LinkState::InSync, true) => format!("has everything; {when}"),
        (LinkState::Syncing, true) => format!("being compared, nothing waits; {when}"),
        (LinkState::InSync | LinkState::Syncing, false) => {
            format!("{}; {when}", waiting.are_on_the_way())
        }
        (LinkState::Stalled, _) => format!("stalled: {wait}, and nothing comes back; {when}"),
        (LinkState::Connecting, _) => format!("being called, {wait}; {when}"),
        (LinkState::Disconnected, _) => format!("not connected, {wait}; {when}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "never compared yet";

    #[test]
    fn a_link_has_stalled_when_an_answer_is_owed_and_none_comes() {
        let link = |state, heard_ms| PeerStatus {
            clinic: None,
            name: String::new(),
            node: NodeId::new([1; 32]),
            state,
            path: None,
            through: None,
            confirmed_ms: None,
            heard_ms,
            items_sent: 0,
            items_received: 0,
            error: None,
        };
        let now = 10 * STALLED_AFTER_MS;
        let silent = Some(now - STALLED_AFTER_MS - 1);
        for state in [LinkState::Syncing, LinkState::InSync] {
            assert_eq!(state_of(&link(state, silent), 1, now), LinkState::Stalled);
            assert_eq!(state_of(&link(state, silent), 0, now), state);
            assert_eq!(state_of(&link(state, Some(now - 1000)), 1, now), state);
            assert_eq!(state_of(&link(state, None), 1, now), state);
        }
        let lost = link(LinkState::Disconnected, silent);
        assert_eq!(state_of(&lost, 1, now), LinkState::Disconnected);
        let said = |state, owed| summary(state, NEVER, &Waiting::of_mail(owed));
        let stalled = said(LinkState::Stalled, 3);
        assert!(
            stalled.starts_with("stalled: 3 pieces of mail wait, and"),
            "{stalled}"
        );
        assert!(said(LinkState::Connecting, 0).starts_with("being called, nothing waits;"));
        assert!(said(LinkState::Syncing, 0).starts_with("being compared, nothing waits;"));
        assert!(said(LinkState::InSync, 1).starts_with("1 piece of mail is on the way;"));
        assert!(said(LinkState::Disconnected, 1).starts_with("not connected, 1 piece of mail"));
    }

    #[test]
    fn a_relay_that_has_everything_is_not_said_to_be_a_clinic_that_has() {
        let said = |owed, standing| {
            mail_summary(LinkState::InSync, NEVER, &Waiting::of_mail(owed), standing)
        };
        let fine = said(0, Standing::default());
        assert!(fine.starts_with("all mail is exchanged;"), "{fine}");
        let withheld = Standing {
            withheld: 2,
            ..Standing::default()
        };
        let held_back = said(0, withheld);
        assert!(
            held_back.contains("KEEPS BACK 2 records that"),
            "{held_back}"
        );
        let full = Standing {
            is_full: true,
            ..Standing::default()
        };
        let full = said(3, full);
        assert!(
            full.starts_with("3 pieces of mail are on the way;"),
            "{full}"
        );
        assert!(full.contains("no more room for this clinic"), "{full}");
    }

    #[test]
    fn the_later_one_of_a_comparison_and_a_word_through_a_relay_is_told() {
        let word = |at_ms| {
            Some(Word {
                at_ms,
                relay: "Coast Relay".to_owned(),
            })
        };
        let minute = 60_000;
        let said = |compared, word| Confirmed::of(compared, word).words(100 * minute);
        assert_eq!(said(0, None), NEVER);
        assert_eq!(said(99 * minute, None), "confirmed 1 minute ago");
        assert_eq!(said(99 * minute, word(minute)), "confirmed 1 minute ago");
        assert_eq!(
            said(minute, word(97 * minute)),
            "confirmed 3 minutes ago, through Coast Relay"
        );
    }
}
