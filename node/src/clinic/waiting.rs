//! What waits for another node, as a person counts it: what somebody saved, and not the keys and
//! bookkeeping that go along.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{Body, Statement};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::ItemKind;

use super::items::{self, Arrival, What};
use super::{Clinic, ClinicError};

/// What waits for another node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Waiting {
    /// Records that somebody saved.
    records: BTreeSet<ItemId>,
    /// Grants and revocations, where no record waits: with the records they go unsaid.
    consents: BTreeSet<ItemId>,
    /// The charts of revocations.
    ended: BTreeSet<ChartId>,
    /// Pieces of mail at a relay, which cannot tell what is in them.
    mail: u64,
    /// Pieces of attachments that are put at a relay, where nothing else waits.
    pieces: u64,
}

impl Waiting {
    /// Mail that waits at a relay for a node.
    pub(super) fn of_mail(pieces: u64) -> Self {
        Self {
            mail: pieces,
            ..Self::default()
        }
    }

    /// Where nothing else waits, these pieces of attachments do.
    pub(super) fn or_pieces(self, pieces: u64) -> Self {
        match self.is_empty() {
            true => Self { pieces, ..self },
            false => self,
        }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// What is counted.
    pub(super) fn items(&self) -> Vec<ItemId> {
        self.records.union(&self.consents).copied().collect()
    }

    /// The charts of the revocations among it.
    pub(super) fn ended(&self) -> impl Iterator<Item = &ChartId> {
        self.ended.iter()
    }

    /// How many records that somebody saved are among it.
    pub(super) fn records(&self) -> u64 {
        size(&self.records)
    }

    /// How much there is.
    pub(super) fn count(&self) -> u64 {
        let told = size(&self.records).saturating_add(size(&self.consents));
        told.saturating_add(self.mail).saturating_add(self.pieces)
    }

    /// `1 record waits`, `nothing waits`.
    pub(super) fn wait(&self) -> String {
        match self.count() {
            0 => "nothing waits".to_owned(),
            1 => format!("{} waits", self.counted()),
            _ => format!("{} wait", self.counted()),
        }
    }

    /// `1 record is on the way`.
    pub(super) fn are_on_the_way(&self) -> String {
        let verb = if self.count() == 1 { "is" } else { "are" };
        format!("{} {verb} on the way", self.counted())
    }

    fn counted(&self) -> String {
        let (one, several) = if self.mail > 0 {
            ("piece of mail", "pieces of mail")
        } else if self.pieces > 0 {
            ("piece of attachments", "pieces of attachments")
        } else if self.records.is_empty() {
            ("change of consent", "changes of consent")
        } else {
            ("record", "records")
        };
        match self.count() {
            1 => format!("1 {one}"),
            count => format!("{count} {several}"),
        }
    }
}

fn size(items: &BTreeSet<ItemId>) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

impl Clinic {
    /// What of these items a person counts.
    pub(super) fn waiting(
        &self,
        items: impl IntoIterator<Item = ItemId>,
    ) -> Result<Waiting, ClinicError> {
        let mut waiting = Waiting::default();
        let mut consents = BTreeSet::new();
        for id in items.into_iter().collect::<BTreeSet<ItemId>>() {
            let Some(stored) = items::stored(&self.store, &id)? else {
                continue;
            };
            if stored.kind == ItemKind::Statement {
                match Verified::<Statement>::recall(&stored.bytes).map(|one| one.body().clone()) {
                    Ok(Body::Grant(_)) => {}
                    Ok(Body::Revocation(_)) => {
                        waiting.ended.insert(stored.chart);
                    }
                    Ok(_) | Err(_) => continue,
                }
                consents.insert(id);
                continue;
            }
            let arrival = Arrival {
                feed: stored.feed.value(),
                chart: stored.chart,
                id,
            };
            if let What::Record(header) = items::what(&self.store, &arrival)?
                && header.marked.is_none()
            {
                waiting.records.insert(id);
            }
        }
        if waiting.records.is_empty() {
            waiting.consents = consents;
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u8) -> BTreeSet<ItemId> {
        (0..count).map(|byte| ItemId::new([byte; 32])).collect()
    }

    #[test]
    fn what_waits_is_counted_in_words() {
        let records = |count| Waiting {
            records: ids(count),
            ..Waiting::default()
        };
        let consents = |count| Waiting {
            consents: ids(count),
            ..Waiting::default()
        };
        assert_eq!(records(0).wait(), "nothing waits");
        assert_eq!(records(1).wait(), "1 record waits");
        assert_eq!(records(2).wait(), "2 records wait");
        assert_eq!(records(1).are_on_the_way(), "1 record is on the way");
        assert_eq!(consents(1).wait(), "1 change of consent waits");
        assert_eq!(
            consents(2).are_on_the_way(),
            "2 changes of consent are on the way"
        );
        assert_eq!(Waiting::of_mail(3).wait(), "3 pieces of mail wait");
        assert!(Waiting::of_mail(0).is_empty());
        let pieces = Waiting::default().or_pieces(2);
        assert_eq!(pieces.wait(), "2 pieces of attachments wait");
        assert_eq!(records(1).or_pieces(2).wait(), "1 record waits");
    }
}
