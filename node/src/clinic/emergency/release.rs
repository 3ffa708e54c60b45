//! The answer of a clinic that has the summary: it releases it for a day.

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{
    Basis, Body, BreakGlass, CompartmentName, Compartments, Decision, EMERGENCY_MS, Grant,
    GrantState, History, Ledger, Purpose, Rights, Signer, Statement,
};
use chartmesh_protocol::limits::MAX_FRONTIER;
use chartmesh_protocol::seal::wrap_chart_secret;
use chartmesh_protocol::{ChartId, StatementId};
use rand::RngExt;

use super::given;
use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::{OpenChart, Scope};
use crate::clinic::{Clinic, ClinicError};

const SUMMARY: CompartmentName = CompartmentName::Summary;

impl Clinic {
    /// Releases the summary to every clinic that has asked for it in an emergency and has no answer
    /// yet: as the chart's home, or as one that may read it. Nobody is asked first; the home clinic
    /// looks at it afterwards.
    pub(crate) fn release_summary(&self, chart: &ChartId) -> Result<(), ClinicError> {
        let ledger = self.ledger(chart)?;
        if self.due(&ledger, &self.decide(&ledger)).is_empty() {
            return Ok(());
        }
        let _gathering = self.news.gather();
        self.release_due(chart)?;
        // Over a slow link one record comes sooner than the many that it stands for.
        self.compact_for_reader(chart, &Compartments::Named([SUMMARY].into()));
        Ok(())
    }

    fn release_due(&self, chart: &ChartId) -> Result<(), ClinicError> {
        let _writing = self.writing();
        let mut open = self.open_chart(chart, Scope::Keys)?;
        for (emergency, asked) in self.due(&open.ledger, &open.decision) {
            let Some(statement) = self.sign_release(&open, emergency, &asked)? else {
                continue;
            };
            let mut draft = Draft::default();
            draft.statement(&statement);
            open.ledger.insert(statement);
            open.decision = self.decide(&open.ledger);
            self.sealing_key(&mut open, &SUMMARY, &mut draft)?;
            self.hand_over(&mut open, &SUMMARY, &mut draft)?;
            draft.note(Action::Release, Some(*chart));
            self.file(draft)?;
        }
        Ok(())
    }

    /// The emergencies that this clinic may answer and that nobody has answered.
    fn due(&self, ledger: &Ledger, decision: &Decision) -> Vec<(StatementId, BreakGlass)> {
        let (own, now) = (self.clinic_id(), self.time_ms());
        if !decision.allows_emergencies() || !decision.may_read(&own, &SUMMARY) {
            return Vec::new();
        }
        let is_answered = |id: &StatementId| {
            let mut answers = decision
                .grants()
                .filter(|view| view.grant.emergency == Some(*id));
            answers.any(|view| !matches!(view.state, GrantState::Invalid(_)))
        };
        // What was refused stays so: to allow it again is of what is asked from then on.
        let since = decision.emergency_rule().map(|(_, rule)| rule.at_ms);
        let asked = ledger.emergencies().filter(|(id, asked)| {
            asked.clinic != own
                && since.is_none_or(|since| asked.at_ms > since)
                && asked.at_ms.abs_diff(now) <= EMERGENCY_MS
                && !decision.may_read(&asked.clinic, &SUMMARY)
                && !is_answered(id)
        });
        asked.map(|(id, asked)| (id, asked.clone())).collect()
    }

    /// Signs the release; none where the clinic that asks is not known here, or where this clinic
    /// itself reads in an emergency only.
    fn sign_release(
        &self,
        open: &OpenChart,
        emergency: StatementId,
        asked: &BreakGlass,
    ) -> Result<Option<Verified<Statement>>, ClinicError> {
        let own = self.clinic_id();
        let is_home = open.decision.custodian() == Some(own);
        let parent = given(&open.decision, &own).filter(|_| !is_home);
        if parent.is_none() && !is_home {
            return Ok(None);
        }
        let (Some(sealing), Some(secret)) = (self.sealing_key_of(&asked.clinic)?, &open.secret)
        else {
            return Ok(None);
        };
        let mut rng = self.chance();
        let chart = open.id();
        let wrapped = wrap_chart_secret(&mut rng, &chart, &asked.clinic, &sealing, secret);
        let now = self.time_ms();
        let end = now.saturating_add(EMERGENCY_MS);
        // The rule has to be among them, however many others there are.
        let mut frontier = open.ledger.frontier();
        frontier.truncate(MAX_FRONTIER - 1);
        frontier.extend(open.decision.emergency_rule().map(|(id, _)| id));
        frontier.sort_unstable();
        frontier.dedup();
        let parent_end = parent.and_then(|view| view.grant.expires_ms);
        let grant = Grant {
            nonce: rng.random(),
            chart,
            grantee: asked.clinic,
            compartments: Compartments::Named([SUMMARY].into()),
            rights: Rights::READ,
            purpose: Purpose::emergency(),
            not_before_ms: now,
            expires_ms: Some(parent_end.map_or(end, |parent| parent.min(end))),
            history: parent.map_or(History::All, |view| view.grant.history),
            parent: parent.map(|view| view.id),
            paper: None,
            basis: Basis::Emergency,
            frontier,
            secret: wrapped.map_err(ClinicError::fault)?,
            emergency: Some(emergency),
        };
        let signed = Body::Grant(grant).sign(Signer::Clinic(&self.identity.clinic));
        Ok(Some(signed.map_err(ClinicError::fault)?))
    }
}
