//! Which statements hold, whatever the time: signed by who may sign them, and no wider than what
//! they stand on.

use std::collections::BTreeMap;

use super::book::CertificateBook;
use super::break_glass::EMERGENCY_MS;
use super::compartment::CompartmentName;
use super::invalid::Invalid;
use super::set::Ledger;
use super::statement::{Body, Statement};
use super::terms::{Purpose, Rights};
use crate::id::{ChartId, ClinicId, NodeId, SignerId, StatementId};
use crate::identity::Verified;
use crate::ledger::{
    Admission, AuditSegment, BreakGlass, EmergencyRule, Epoch, Genesis, Grant, NodeEnd, Revocation,
};
use crate::limits::MAX_DELEGATION_DEPTH;

/// A grant that holds, and who signed it.
#[derive(Clone, Copy)]
pub(super) struct StandingGrant<'a> {
    pub(super) grant: &'a Grant,
    pub(super) signer: SignerId,
}

/// An epoch statement that holds: the clinics of the node that signed it.
pub(super) struct StandingEpoch {
    pub(super) signers: Vec<ClinicId>,
}

/// The statements of a ledger, sorted into those that hold and those that do not.
pub(super) struct Standing<'a> {
    pub(super) genesis: Option<(StatementId, &'a Genesis)>,
    pub(super) grants: BTreeMap<StatementId, StandingGrant<'a>>,
    pub(super) revocations: BTreeMap<StatementId, &'a Revocation>,
    pub(super) epochs: BTreeMap<StatementId, StandingEpoch>,
    /// The ends of nodes that count.
    pub(super) node_ends: Vec<&'a NodeEnd>,
    /// The admissions that count.
    pub(super) admissions: Vec<&'a Admission>,
    /// The emergencies, with the clinics that ask.
    pub(super) emergencies: BTreeMap<StatementId, ClinicId>,
    /// The patient's rules for emergencies.
    rules: BTreeMap<StatementId, EmergencyRule>,
    pub(super) invalid: BTreeMap<StatementId, Invalid>,
    revoked_by: BTreeMap<StatementId, Vec<StatementId>>,
}

impl<'a> Standing<'a> {
    pub(super) fn of(ledger: &'a Ledger, book: &CertificateBook) -> Self {
        let mut standing = Self {
            genesis: ledger.genesis(),
            grants: BTreeMap::new(),
            revocations: BTreeMap::new(),
            epochs: BTreeMap::new(),
            node_ends: Vec::new(),
            admissions: Vec::new(),
            emergencies: BTreeMap::new(),
            rules: rules_of(ledger),
            invalid: BTreeMap::new(),
            revoked_by: BTreeMap::new(),
        };
        // Grants first: revocations and epochs stand on them.
        standing.sort(ledger, |standing, id, statement| {
            let Body::Grant(grant) = statement.body() else {
                return Ok(());
            };
            standing.check_grant(ledger, id)?;
            let signer = statement.payload().signer();
            standing.grants.insert(id, StandingGrant { grant, signer });
            Ok(())
        });
        standing.sort(ledger, |standing, id, statement| {
            match statement.body() {
                Body::Genesis(_) => standing.check_genesis(ledger, id)?,
                Body::Revocation(revocation) => {
                    standing.check_revocation(ledger, revocation, statement)?;
                    standing.revocations.insert(id, revocation);
                    standing
                        .revoked_by
                        .entry(revocation.grant)
                        .or_default()
                        .push(id);
                }
                Body::Epoch(epoch) => {
                    let signers = standing.check_epoch(ledger, book, epoch, statement)?;
                    standing.epochs.insert(id, StandingEpoch { signers });
                }
                Body::NodeEnd(end) => {
                    standing.check_node_end(ledger, end)?;
                    standing.node_ends.push(end);
                }
                Body::Admission(admission) => {
                    standing.check_chart(ledger, admission.chart)?;
                    standing.check_signer(statement, |genesis| genesis.custodian.as_bytes())?;
                    standing.admissions.push(admission);
                }
                Body::BreakGlass(asked) => {
                    standing.check_chart(ledger, asked.chart)?;
                    standing.emergencies.insert(id, asked.clinic);
                }
                Body::EmergencyRule(rule) => {
                    standing.check_chart(ledger, rule.chart)?;
                    standing.check_signer(statement, |genesis| genesis.patient.as_bytes())?;
                }
                Body::Review(review) => {
                    standing.check_chart(ledger, review.chart)?;
                    standing.check_signer(statement, |genesis| genesis.custodian.as_bytes())?;
                    emergency_of(ledger, review.emergency)?;
                }
                Body::AuditSegment(segment) => {
                    standing.check_segment(ledger, book, segment, statement)?;
                }
                Body::Grant(_) | Body::HouseNote(_) | Body::NodeRevocation(_) => {}
            }
            Ok(())
        });
        standing
    }

    /// The custodian, once the genesis is here.
    pub(super) fn custodian(&self) -> Option<ClinicId> {
        self.genesis.map(|(_, genesis)| genesis.custodian)
    }

    /// The valid revocations of a grant itself, ascending.
    pub(super) fn revocations_of(&self, grant: &StatementId) -> &[StatementId] {
        self.revoked_by.get(grant).map_or(&[], Vec::as_slice)
    }

    /// A valid grant and the grants that it was passed on from, the nearest first.
    pub(super) fn chain(&self, grant: StatementId) -> Vec<StatementId> {
        let mut chain = vec![grant];
        let mut at = grant;
        while let Some(parent) = self
            .grants
            .get(&at)
            .and_then(|standing| standing.grant.parent)
        {
            chain.push(parent);
            at = parent;
        }
        chain
    }

    /// The valid revocations that end a grant: its own and those of what it was passed on from.
    pub(super) fn endings(&self, grant: StatementId) -> Vec<StatementId> {
        let chain = self.chain(grant);
        chain
            .iter()
            .flat_map(|id| self.revocations_of(id))
            .copied()
            .collect()
    }

    /// The clinics that made an epoch and had a right there.
    pub(super) fn makers(&self, id: &StatementId, epoch: &Epoch) -> Vec<ClinicId> {
        let signers = self.epochs.get(id).map(|one| one.signers.as_slice());
        let rights = [Rights::READ, Rights::WRITE];
        let makers = signers.unwrap_or_default().iter().copied();
        makers
            .filter(|clinic| self.ever(clinic, &epoch.compartment, rights))
            .collect()
    }

    /// Whether a clinic has or had one of these rights to a compartment.
    fn ever(&self, clinic: &ClinicId, name: &CompartmentName, rights: [Rights; 2]) -> bool {
        self.custodian() == Some(*clinic)
            || self.grants.values().any(|StandingGrant { grant, .. }| {
                grant.grantee == *clinic
                    && grant.compartments.covers(name)
                    && rights.into_iter().any(|right| grant.rights.includes(right))
            })
    }

    fn sort<C>(&mut self, ledger: &'a Ledger, mut check: C)
    where
        C: FnMut(&mut Self, StatementId, &'a Verified<Statement>) -> Result<(), Invalid>,
    {
        for (id, statement) in ledger.iter() {
            if let Err(reason) = check(self, id, statement) {
                self.invalid.insert(id, reason);
            }
        }
    }

    fn check_genesis(&self, ledger: &Ledger, id: StatementId) -> Result<(), Invalid> {
        let chart = ledger.get(&id).map(|statement| statement.payload().chart());
        match self.genesis {
            Some((genesis, _)) if genesis == id => Ok(()),
            _ if chart != Some(ledger.chart()) => Err(Invalid::OtherChart),
            _ => Err(Invalid::ForgedGenesis),
        }
    }

    /// Walks from a grant to the one that the patient signed, or the custodian in an emergency. A
    /// fault of its own is named before a fault of what it stands on, the nearer before the
    /// farther.
    fn check_grant(&self, ledger: &'a Ledger, id: StatementId) -> Result<(), Invalid> {
        let (_, genesis) = self.genesis.ok_or(Invalid::NoGenesis)?;
        let mut at = grant_of(ledger, id)?;
        for depth in 0..=MAX_DELEGATION_DEPTH {
            let own = |fault: Invalid| {
                if depth == 0 {
                    fault
                } else {
                    Invalid::InvalidGrant
                }
            };
            let mut first = genesis.patient.as_bytes();
            if let Some(emergency) = at.grant.emergency {
                let released = self.check_release(ledger, at.grant, emergency);
                released.map_err(own)?;
                first = genesis.custodian.as_bytes();
            }
            let Some(parent) = at.grant.parent else {
                return if at.signer.as_bytes() == first {
                    Ok(())
                } else {
                    Err(own(Invalid::WrongSigner))
                };
            };
            let parent = target_of(ledger, parent)?;
            check_link(at, parent).map_err(own)?;
            at = parent;
        }
        Err(Invalid::TooDeep)
    }

    fn check_revocation(
        &self,
        ledger: &Ledger,
        revocation: &Revocation,
        statement: &Verified<Statement>,
    ) -> Result<(), Invalid> {
        let (_, genesis) = self.genesis.ok_or(Invalid::NoGenesis)?;
        if revocation.chart != ledger.chart() {
            return Err(Invalid::OtherChart);
        }
        let target = target_of(ledger, revocation.grant)?;
        if !self.grants.contains_key(&revocation.grant) {
            return Err(Invalid::InvalidGrant);
        }
        let signer = statement.payload().signer();
        let may = [
            genesis.patient.as_bytes(),
            genesis.custodian.as_bytes(),
            target.signer.as_bytes(),
        ];
        if may.contains(&signer.as_bytes()) {
            Ok(())
        } else {
            Err(Invalid::WrongSigner)
        }
    }

    /// Only the clinic itself can have signed it: it is read as nothing else.
    fn check_node_end(&self, ledger: &Ledger, end: &NodeEnd) -> Result<(), Invalid> {
        self.check_chart(ledger, end.chart)?;
        let rights = [Rights::READ, Rights::WRITE];
        if self.ever(&end.clinic, &end.compartment, rights) {
            Ok(())
        } else {
            Err(Invalid::NoRight)
        }
    }

    /// The patient's rule for emergencies that holds, where there is one.
    pub(super) fn rule(&self) -> Option<(StatementId, EmergencyRule)> {
        let rules = self.rules.iter().map(|(id, rule)| (*id, *rule));
        rules.max_by_key(|(id, rule)| (rule.rank(), *id))
    }

    /// The patient's rules that end a release.
    pub(super) fn forbidden_by(&self, release: &Grant) -> Vec<StatementId> {
        let named = release.frontier.iter().filter_map(|id| self.rules.get(id));
        let allowed = named.filter(|rule| rule.allowed).map(|rule| rule.number);
        let allowed = allowed.max();
        let forbids = |rule: &EmergencyRule| {
            !rule.allowed && allowed.is_none_or(|allowed| rule.number >= allowed)
        };
        let ending = self.rules.iter().filter(|(_, rule)| forbids(rule));
        ending.map(|(id, _)| *id).collect()
    }

    fn check_chart(&self, ledger: &Ledger, chart: ChartId) -> Result<(), Invalid> {
        self.genesis.ok_or(Invalid::NoGenesis)?;
        if chart == ledger.chart() {
            Ok(())
        } else {
            Err(Invalid::OtherChart)
        }
    }

    /// Whether a key that the genesis names has signed.
    fn check_signer(
        &self,
        statement: &Verified<Statement>,
        key: impl FnOnce(&Genesis) -> &[u8; 32],
    ) -> Result<(), Invalid> {
        let (_, genesis) = self.genesis.ok_or(Invalid::NoGenesis)?;
        if statement.payload().signer().as_bytes() == key(genesis) {
            Ok(())
        } else {
            Err(Invalid::WrongSigner)
        }
    }

    /// Whether a grant opens no more than an emergency does.
    fn check_release(
        &self,
        ledger: &Ledger,
        grant: &Grant,
        emergency: StatementId,
    ) -> Result<(), Invalid> {
        let asked = emergency_of(ledger, emergency)?;
        let lasts = |end: u64| end.saturating_sub(grant.not_before_ms) <= EMERGENCY_MS;
        let within = grant.grantee == asked.clinic
            && grant.compartments == [CompartmentName::Summary].into_iter().collect()
            && grant.rights == Rights::READ
            && grant.purpose == Purpose::emergency()
            && grant.expires_ms.is_some_and(lasts)
            && asked.at_ms.abs_diff(grant.not_before_ms) <= EMERGENCY_MS;
        match within {
            true => Ok(()),
            false => Err(Invalid::BeyondEmergency),
        }
    }

    /// A node tells what its clinic did, and of a clinic that could.
    fn check_segment(
        &self,
        ledger: &Ledger,
        book: &CertificateBook,
        segment: &AuditSegment,
        statement: &Verified<Statement>,
    ) -> Result<(), Invalid> {
        self.check_chart(ledger, segment.chart)?;
        let node = NodeId::new(statement.payload().signer().to_bytes());
        if !book.belongs(&node, &segment.clinic) {
            return Err(Invalid::UnknownNode);
        }
        let granted = |one: &StandingGrant<'_>| one.grant.grantee == segment.clinic;
        // The nodes of the home clinic tell each other.
        match self.custodian() == Some(segment.clinic) || self.grants.values().any(granted) {
            true => Ok(()),
            false => Err(Invalid::NoRight),
        }
    }

    fn check_epoch(
        &self,
        ledger: &Ledger,
        book: &CertificateBook,
        epoch: &Epoch,
        statement: &Verified<Statement>,
    ) -> Result<Vec<ClinicId>, Invalid> {
        self.check_chart(ledger, epoch.chart)?;
        let node = NodeId::new(statement.payload().signer().to_bytes());
        let clinics: Vec<ClinicId> = book.clinics(&node).collect();
        if clinics.is_empty() {
            return Err(Invalid::UnknownNode);
        }
        let rights = [Rights::READ, Rights::WRITE];
        if !clinics
            .iter()
            .any(|clinic| self.ever(clinic, &epoch.compartment, rights))
        {
            return Err(Invalid::NoRight);
        }
        Ok(clinics)
    }
}

/// The grant with this id, if it is here and about this chart.
fn grant_of(ledger: &Ledger, id: StatementId) -> Result<StandingGrant<'_>, Invalid> {
    let statement = ledger.get(&id).ok_or(Invalid::MissingGrant)?;
    let Body::Grant(grant) = statement.body() else {
        return Err(Invalid::NotAGrant);
    };
    if grant.chart != ledger.chart() {
        return Err(Invalid::OtherChart);
    }
    Ok(StandingGrant {
        grant,
        signer: statement.payload().signer(),
    })
}

/// The grant on which another statement stands.
fn target_of(ledger: &Ledger, id: StatementId) -> Result<StandingGrant<'_>, Invalid> {
    grant_of(ledger, id).map_err(|reason| {
        if reason == Invalid::OtherChart {
            Invalid::InvalidGrant
        } else {
            reason
        }
    })
}

/// Whether a grant may stand on its parent: signed by the parent's grantee, and within it.
fn check_link(child: StandingGrant<'_>, parent: StandingGrant<'_>) -> Result<(), Invalid> {
    if child.signer.as_bytes() != parent.grant.grantee.as_bytes() {
        return Err(Invalid::WrongSigner);
    }
    let (child, parent) = (child.grant, parent.grant);
    let ends_within = match (child.expires_ms, parent.expires_ms) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(child), Some(parent)) => child <= parent,
    };
    if child.emergency.is_some() {
        // Whoever reads the summary releases it, but for who reads it in an emergency itself.
        let reads = parent.rights.includes(Rights::READ)
            && parent.compartments.includes(&child.compartments)
            && parent.history >= child.history;
        return match (reads && parent.emergency.is_none(), ends_within) {
            (false, _) => Err(Invalid::WiderThanParent),
            (true, false) => Err(Invalid::LongerThanParent),
            (true, true) => Ok(()),
        };
    }
    if !parent.rights.includes(Rights::SHARE) {
        return Err(Invalid::NotShared);
    }
    let within = parent.compartments.includes(&child.compartments)
        && parent.rights.includes(child.rights)
        && parent.purpose == child.purpose
        && parent.history >= child.history;
    if !within {
        return Err(Invalid::WiderThanParent);
    }
    if child.not_before_ms < parent.not_before_ms || !ends_within {
        return Err(Invalid::LongerThanParent);
    }
    Ok(())
}

/// The emergency with this id, if it is here and about this chart.
pub(super) fn emergency_of(ledger: &Ledger, id: StatementId) -> Result<&BreakGlass, Invalid> {
    let statement = ledger.get(&id).ok_or(Invalid::MissingEmergency)?;
    if let Body::BreakGlass(asked) = statement.body()
        && asked.chart == ledger.chart()
    {
        return Ok(asked);
    }
    Err(Invalid::NotAnEmergency)
}

/// The patient's rules for emergencies.
fn rules_of(ledger: &Ledger) -> BTreeMap<StatementId, EmergencyRule> {
    let Some((_, genesis)) = ledger.genesis() else {
        return BTreeMap::new();
    };
    let rules = ledger.iter().filter_map(|(id, statement)| {
        let Body::EmergencyRule(rule) = statement.body() else {
            return None;
        };
        let by_patient = statement.payload().signer().as_bytes() == genesis.patient.as_bytes();
        (rule.chart == ledger.chart() && by_patient).then_some((id, *rule))
    });
    rules.collect()
}
