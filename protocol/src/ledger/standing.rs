//! Which statements hold, whatever the time: signed by who may sign them, and no wider than what
//! they stand on.

use std::collections::BTreeMap;

use super::book::CertificateBook;
use super::compartment::CompartmentName;
use super::set::Ledger;
use super::statement::{Body, Statement};
use super::terms::Rights;
use crate::id::{ClinicId, SignerId, StatementId};
use crate::identity::Verified;
use crate::ledger::{Admission, Epoch, Genesis, Grant, NodeEnd, Revocation};
use crate::limits::MAX_DELEGATION_DEPTH;

/// Why a statement does not count. It may count once more statements have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The chart's genesis is not here.
    #[error("the statement that begins the chart has not arrived")]
    NoGenesis,
    /// It is about another chart.
    #[error("it is about another chart")]
    OtherChart,
    /// A genesis that the patient's key did not sign.
    #[error("it begins the chart, and the patient's key did not sign it")]
    ForgedGenesis,
    /// Neither the patient nor the grantee of its parent signed the grant; or who signed the
    /// revocation is neither patient, nor issuer, nor custodian; or not the custodian the
    /// admission.
    #[error("who signed it had no right to")]
    WrongSigner,
    /// The grant or the parent that it names is not here.
    #[error("the grant that it stands on has not arrived")]
    MissingGrant,
    /// What it names as a grant is another kind of statement.
    #[error("what it stands on is not a grant")]
    NotAGrant,
    /// The grant or the parent that it names does not hold.
    #[error("the grant that it stands on does not hold")]
    InvalidGrant,
    /// The parent has no right to share.
    #[error("the grant that it stands on may not be passed on")]
    NotShared,
    /// It covers compartments, rights, a purpose or a history that its parent does not.
    #[error("it is wider than the grant that it stands on")]
    WiderThanParent,
    /// It begins before its parent, or ends after it.
    #[error("it lasts longer than the grant that it stands on")]
    LongerThanParent,
    /// Too many grants passed on from one another.
    #[error("it was passed on too many times")]
    TooDeep,
    /// The node that signed the epoch has no known certificate.
    #[error("the node that signed it is unknown")]
    UnknownNode,
    /// The clinic of the node that signed the epoch never had a right in the compartment.
    #[error("the clinic that signed it never had a right to the compartment")]
    NoRight,
}

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
                    standing.check_admission(ledger, admission, statement)?;
                    standing.admissions.push(admission);
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

    /// Walks from a grant to the one that the patient signed. A fault of its own is named before
    /// a fault of what it stands on, the nearer before the farther.
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
            let Some(parent) = at.grant.parent else {
                let by_patient = at.signer.as_bytes() == genesis.patient.as_bytes();
                return if by_patient {
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
        self.genesis.ok_or(Invalid::NoGenesis)?;
        if end.chart != ledger.chart() {
            return Err(Invalid::OtherChart);
        }
        let rights = [Rights::READ, Rights::WRITE];
        if self.ever(&end.clinic, &end.compartment, rights) {
            Ok(())
        } else {
            Err(Invalid::NoRight)
        }
    }

    fn check_admission(
        &self,
        ledger: &Ledger,
        admission: &Admission,
        statement: &Verified<Statement>,
    ) -> Result<(), Invalid> {
        let (_, genesis) = self.genesis.ok_or(Invalid::NoGenesis)?;
        if admission.chart != ledger.chart() {
            return Err(Invalid::OtherChart);
        }
        let signer = statement.payload().signer();
        if signer.as_bytes() == genesis.custodian.as_bytes() {
            Ok(())
        } else {
            Err(Invalid::WrongSigner)
        }
    }

    fn check_epoch(
        &self,
        ledger: &Ledger,
        book: &CertificateBook,
        epoch: &Epoch,
        statement: &Verified<Statement>,
    ) -> Result<Vec<ClinicId>, Invalid> {
        self.genesis.ok_or(Invalid::NoGenesis)?;
        if epoch.chart != ledger.chart() {
            return Err(Invalid::OtherChart);
        }
        let node = crate::id::NodeId::new(statement.payload().signer().to_bytes());
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
    let ends_within = match (child.expires_ms, parent.expires_ms) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(child), Some(parent)) => child <= parent,
    };
    if child.not_before_ms < parent.not_before_ms || !ends_within {
        return Err(Invalid::LongerThanParent);
    }
    Ok(())
}
