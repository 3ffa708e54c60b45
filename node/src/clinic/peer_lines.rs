//! Each other node in one line: whether its clinic has what was saved here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::{FeedEntry, Holdings};
use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::peer_store::PeerStore;
use super::peer_words::{Confirmed, Patients, Told, of_them};
use super::post::Word;
use super::waiting::Waiting;
use super::{Clinic, ClinicError, KnownPeer, date};
use crate::net::{LinkState, PeerStatus};

/// By how much two clocks may differ before it is worth a word.
const NOTABLE_SKEW_MS: u64 = 10 * 60 * 1000;

/// After how long without a byte a peer that owes an answer has stalled: a link that works carries
/// a heartbeat every 25 s at least, and answers within 3 s even at 64 kbit/s and 300 ms.
const STALLED_AFTER_MS: u64 = 30 * 1000;

/// What is said of every other node once this one was cut off.
const CUT_OFF: &str = "this node was cut off: nothing goes there or comes from it";

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
    /// The patients whose records it may have.
    #[serde(default)]
    pub patients: Patients,
    /// Patients of whose consent that has ended it has not heard yet.
    #[serde(default)]
    pub untold: u64,
    /// Attachments that were saved here, that it may have and that it is not known to hold.
    #[serde(default)]
    pub attachments: u64,
    /// Why the last attempt or session ended.
    pub error: Option<String>,
    /// What a person should know: in one line, whether the clinic has what was saved here.
    pub summary: String,
}

/// What a peer lacks, as far as we know.
struct Owed {
    /// Items, or pieces of mail.
    count: u64,
    /// What of it a person counts.
    waiting: Waiting,
    /// By whose word the rest is there.
    word: Option<Word>,
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
        self.peer_lines(links, self.all_charts()?.len())
    }

    /// The same, while so many charts are here.
    pub(super) fn peer_lines(
        self: &Arc<Self>,
        links: Vec<PeerStatus>,
        charts: usize,
    ) -> Result<Vec<PeerLine>, ClinicError> {
        let links: BTreeMap<NodeId, PeerStatus> =
            links.into_iter().map(|link| (link.node, link)).collect();
        let mut labels = self.peer_labels()?;
        let mut lines = Vec::new();
        let peers = self.peers()?;
        let here = u64::try_from(charts).unwrap_or(u64::MAX);
        for peer in &peers {
            let link = links.get(&peer.node);
            let label = labels.remove(&peer.node);
            let mut line = self.peer_line(&peers, peer, link, here)?;
            if self.has_ended() {
                line.summary = CUT_OFF.to_owned();
            }
            lines.push(PeerLine { label, ..line });
        }
        Ok(lines)
    }

    fn peer_line(
        self: &Arc<Self>,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        link: Option<&PeerStatus>,
        here: u64,
    ) -> Result<PeerLine, ClinicError> {
        let note = self.peer_note(&peer.node)?;
        let store = self.peer_store(peer.node)?;
        let standing = store.standing();
        let state = link.map_or(LinkState::Disconnected, |link| {
            state_of(link, standing.owed_out, self.now_ms())
        });
        let between_clinics = !peer.is_relay() && !self.is_relay();
        let Owed {
            count: owed_out,
            waiting,
            word,
        } = self.owed_to(peers, peer, store.as_ref(), standing.owed_out)?;
        let confirmed = Confirmed::of(note.confirmed_ms, word);
        let (mut untold, mut attachments) = (0, 0);
        if between_clinics {
            untold = self.charts_not_told(peers, peer, store.untold(), &waiting)?;
            let may_have = |name: &AttachmentName| store.may_have_attachment(name);
            attachments = self.attachments_not_held(peers, peer, &may_have);
        }
        let patients = Patients {
            whole: standing.charts_whole,
            in_part: standing.charts_in_part,
            here,
        };
        let told = Told {
            state,
            confirmed: &confirmed,
            now_ms: self.now_ms(),
            from_afar: owed_out == 0 && confirmed.through.is_some(),
            waiting: &waiting,
            patients: (peer.clinic != self.clinic_id()).then_some(patients),
            is_used: standing.shares || standing.owed_out > 0,
            untold,
            attachments,
        };
        let mut said = match between_clinics {
            true => told.words(),
            false => told.words_of_mail(standing),
        };
        if between_clinics && !waiting.is_empty() {
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
            patients,
            untold,
            attachments,
            error: link.and_then(|link| link.error.clone()),
            summary: said,
        })
    }

    /// What a peer lacks, as far as we know.
    fn owed_to(
        &self,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        store: &dyn PeerStore,
        owed_out: u64,
    ) -> Result<Owed, ClinicError> {
        if self.is_relay() || peer.is_relay() {
            return Ok(Owed {
                count: owed_out,
                waiting: match self.is_relay() {
                    true => Waiting::of_mail(owed_out),
                    false => self
                        .waiting(store.unsent_items())?
                        .or_pieces(store.unsent_pieces()),
                },
                word: None,
            });
        }
        let left = self.left_by_claims(peers, peer, store.owed_items())?;
        Ok(Owed {
            count: u64::try_from(left.items.len()).unwrap_or(u64::MAX),
            waiting: self.waiting(left.items.iter().map(|one| one.id))?,
            word: left.word,
        })
    }

    /// Charts of which a consent has ended without a clinic's being known to have heard of it: that
    /// waits, or is nothing that is shared any more. The consent may be another one's: until the
    /// clinic has heard, it goes on sharing with that one, or putting mail at that relay.
    fn charts_not_told(
        &self,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        untold: Vec<FeedEntry>,
        waiting: &Waiting,
    ) -> Result<u64, ClinicError> {
        let left = self.left_by_claims(peers, peer, untold)?;
        let left = self.waiting(left.items.iter().map(|one| one.id))?;
        let ended = waiting.ended().chain(left.ended());
        let charts: BTreeSet<&ChartId> = ended.collect();
        let mut untold = 0;
        for chart in charts {
            // Whose own access has ended speaks of the chart with nobody but its home.
            let decision = self.decide(self.ledger(chart)?.as_ref());
            let speaks = decision.may_read_any(&self.clinic_id());
            untold += u64::from(speaks || decision.custodian() == Some(peer.clinic));
        }
        Ok(untold)
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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
