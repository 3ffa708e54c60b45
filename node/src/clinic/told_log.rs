//! The log about charts of other clinics: told to the home of each, and read there. The nodes of
//! one clinic tell each other in the same way.
//!
//! ```text
//! Meta     "log told"          -> number 8 of the newest entry that was looked at
//! Settings "log told/" | chart -> number 8 of the newest entry that was told
//! ```

use std::collections::BTreeMap;

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{
    AuditSegment, Body, Decision, GrantState, Ledger, SegmentEntries, SegmentEntry, Signer,
    Statement,
};
use chartmesh_protocol::limits::MAX_SEGMENT_ENTRIES;
use chartmesh_protocol::{ChartId, ClinicId, NodeId, StatementId};

use super::audit::{self, Action, AuditLine};
use super::draft::Draft;
use super::{Clinic, ClinicError, date, items};
use crate::store::Space;

/// Up to where the log was looked through.
const LOOKED_KEY: &[u8] = b"log told";
/// What the keys of the charts begin with.
const TOLD_KEY: &[u8] = b"log told/";

/// The segments of one node about one chart, by number.
type Segments<'a> = BTreeMap<u64, Vec<(StatementId, &'a AuditSegment)>>;

impl Clinic {
    /// Tells the homes of charts what was done with these here since the last time; returns how many
    /// segments that made.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store fails; what was not told is told the next time.
    pub fn tell_homes(&self) -> Result<usize, ClinicError> {
        let _writing = self.writing();
        let (looked, newest) = (
            self.number_at(Space::Meta, LOOKED_KEY)?,
            audit::newest(&self.store)?,
        );
        if looked == newest || self.is_relay() {
            return Ok(0);
        }
        let mut by_chart: BTreeMap<ChartId, Vec<SegmentEntry>> = BTreeMap::new();
        for (chart, entry) in audit::about_charts(&self.store, looked)? {
            by_chart.entry(chart).or_default().push(entry);
        }
        let (mut draft, mut made, mut looked) = (Draft::default(), 0, newest);
        for (chart, entries) in by_chart {
            let first = entries.first().map_or(newest, |entry| entry.number);
            match self.draft_segments(&chart, entries, &mut draft)? {
                Some(segments) => made += segments,
                // The key of its home is not known yet: it is looked at again.
                None => looked = looked.min(first.saturating_sub(1)),
            }
        }
        let looked = looked.to_be_bytes().to_vec();
        draft.batch.put(Space::Meta, LOOKED_KEY.to_vec(), looked);
        self.file(draft)?;
        Ok(made)
    }

    /// Adds the segments about one chart; none while the key of its home is not known.
    fn draft_segments(
        &self,
        chart: &ChartId,
        mut entries: Vec<SegmentEntry>,
        draft: &mut Draft,
    ) -> Result<Option<usize>, ClinicError> {
        let ledger = self.ledger(chart)?;
        let decision = self.decide(ledger.as_ref());
        let (own, node) = (self.clinic_id(), self.node_id());
        let was_granted = decision
            .grants()
            .any(|view| view.grant.grantee == own && !matches!(view.state, GrantState::Invalid(_)));
        let tells = |home: &ClinicId| match *home == own {
            true => self.certificates_read().book().nodes(own).count() > 1,
            false => was_granted,
        };
        let Some(home) = decision.custodian().filter(tells) else {
            return Ok(Some(0));
        };
        let Some(sealing) = self.sealing_key_of(&home)? else {
            return Ok(None);
        };
        let key = [TOLD_KEY, chart.as_bytes()].concat();
        let told = self.number_at(Space::Settings, &key)?;
        entries.retain(|entry| entry.number > told);
        let Some(newest) = entries.last().map(|entry| entry.number) else {
            return Ok(Some(0));
        };
        let earlier = segments_of(&ledger, &node);
        let last = earlier.last_key_value();
        let last = last.and_then(|(number, ids)| Some((*number, ids.first()?.0)));
        let (mut number, mut previous) = last.map_or((0, None), |(number, id)| (number, Some(id)));
        let before = number;
        for part in entries.chunks(MAX_SEGMENT_ENTRIES) {
            number += 1;
            let entries = SegmentEntries {
                entries: part.to_vec(),
            };
            let sealed = entries.seal(&mut self.chance(), (chart, &node), &sealing);
            let segment = AuditSegment {
                chart: *chart,
                clinic: own,
                number,
                previous,
                sealed: sealed.map_err(ClinicError::fault)?,
            };
            let signer = Signer::Node(&self.identity.node);
            let statement = Body::AuditSegment(segment).sign(signer);
            let statement = statement.map_err(ClinicError::fault)?;
            previous = Some(statement.id());
            draft.statement(&statement);
        }
        let newest = newest.to_be_bytes().to_vec();
        draft.batch.put(Space::Settings, key, newest);
        Ok(usize::try_from(number - before).ok())
    }

    fn number_at(&self, space: Space, key: &[u8]) -> Result<u64, ClinicError> {
        let stored = self.store.get(space, key)?;
        Ok(stored.and_then(|bytes| items::number(&bytes)).unwrap_or(0))
    }

    /// What other clinics have told of what they did with a chart of this one, earliest first.
    pub(super) fn told_by_others(&self, chart: &ChartId) -> Result<Vec<AuditLine>, ClinicError> {
        let ledger = self.ledger(chart)?;
        let decision = self.decide(ledger.as_ref());
        if decision.custodian() != Some(self.clinic_id()) {
            return Ok(Vec::new());
        }
        let names = self.clinic_names()?;
        let mut lines = Vec::new();
        for (statement, segment, node) in counted(&ledger, &decision) {
            if node == self.node_id() {
                continue;
            }
            let open = |key: &_| SegmentEntries::open(&segment.sealed, (chart, &node), key).ok();
            let Some(read) = self.identity.sealing.open(open) else {
                tracing::warn!(statement = %statement.id(), "a part of a log does not open");
                continue;
            };
            lines.extend(read.entries.into_iter().map(|entry| AuditLine {
                number: entry.number,
                at: date::moment(entry.at_ms),
                action: Action::named(&entry.action),
                chart: Some(*chart),
                user: entry.user,
                node,
                clinic: Some(segment.clinic),
                clinic_name: names.get(&segment.clinic).cloned(),
            }));
        }
        lines.sort_by(|one, other| (&one.at, one.number).cmp(&(&other.at, other.number)));
        Ok(lines)
    }

    /// What is missing or doubled in what others have told of this clinic's charts.
    pub(super) fn told_problems(&self) -> Result<Vec<String>, ClinicError> {
        let names = self.clinic_names()?;
        let mut problems = Vec::new();
        for chart in self.all_charts()? {
            let ledger = self.ledger(&chart)?;
            let decision = self.decide(ledger.as_ref());
            if decision.custodian() != Some(self.clinic_id()) {
                continue;
            }
            let mut nodes: BTreeMap<NodeId, ClinicId> = BTreeMap::new();
            for (_, segment, node) in counted(&ledger, &decision) {
                nodes.insert(node, segment.clinic);
            }
            for (node, clinic) in nodes {
                let id = clinic.to_string();
                let name = names.get(&clinic).map_or(id.as_str(), String::as_str);
                let broken = broken(&segments_of(&ledger, &node));
                problems.extend(broken.into_iter().map(|what| {
                    let chart = chart.to_string();
                    let chart = chart.get(..8).unwrap_or_default();
                    format!("what {name} tells of patient {chart}: {what}")
                }));
            }
        }
        Ok(problems)
    }
}

/// The segments of a ledger that count, with the nodes that signed them.
fn counted<'a>(
    ledger: &'a Ledger,
    decision: &Decision,
) -> Vec<(&'a Verified<Statement>, &'a AuditSegment, NodeId)> {
    let refused: BTreeMap<StatementId, _> = decision.refused().collect();
    let segments = ledger.iter().filter(|(id, _)| !refused.contains_key(id));
    let segments = segments.filter_map(|(_, statement)| {
        let Body::AuditSegment(segment) = statement.body() else {
            return None;
        };
        let node = NodeId::new(statement.payload().signer().to_bytes());
        Some((statement, segment, node))
    });
    segments.collect()
}

fn segments_of<'a>(ledger: &'a Ledger, node: &NodeId) -> Segments<'a> {
    let mut segments = Segments::new();
    for (id, statement) in ledger.iter() {
        if let Body::AuditSegment(segment) = statement.body()
            && statement.payload().signer().as_bytes() == node.as_bytes()
        {
            segments
                .entry(segment.number)
                .or_default()
                .push((id, segment));
        }
    }
    segments
}

/// What is wrong with the segments of one node.
fn broken(segments: &Segments<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let newest = segments.last_key_value().map_or(0, |(number, _)| *number);
    let mut before: Vec<StatementId> = Vec::new();
    for number in 1..=newest {
        let Some(same) = segments.get(&number) else {
            problems.push(format!("part {number} is missing, or still on its way"));
            before.clear();
            continue;
        };
        if same.len() > 1 {
            problems.push(format!("there are {} parts {number}", same.len()));
        }
        let follows = |part: &&AuditSegment| part.previous.is_none_or(|id| before.contains(&id));
        let is_first = before.is_empty();
        if !is_first
            && !same
                .iter()
                .map(|(_, part)| *part)
                .all(|part| follows(&part))
        {
            problems.push(format!("part {number} does not follow the one before"));
        }
        before = same.iter().map(|(id, _)| *id).collect();
    }
    problems
}
