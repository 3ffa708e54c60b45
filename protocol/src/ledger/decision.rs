//! Who may read, write and be sent what at a given time.

use std::collections::{BTreeMap, BTreeSet};

use super::audience::{Audience, Lineage};
use super::book::CertificateBook;
use super::compartment::CompartmentName;
use super::invalid::Invalid;
use super::sealing::{SealingEpoch, sealing_epochs};
use super::set::Ledger;
use super::standing::{Standing, StandingGrant};
use super::statement::{Body, Statement};
use super::terms::{History, Rights};
use crate::id::{ClinicId, SignerId, StatementId};
use crate::identity::Verified;
use crate::ledger::{EmergencyRule, Grant};

/// Decides what follows from the statements of a chart at `now_ms` (milliseconds since 1970).
///
/// A pure function of three values: the same statements and certificates give the same decision,
/// in whatever order they arrived.
pub fn decide(ledger: &Ledger, book: &CertificateBook, now_ms: u64) -> Decision {
    let standing = Standing::of(ledger, book);
    let mut grants = BTreeMap::new();
    for (id, StandingGrant { grant, signer }) in &standing.grants {
        let state = state_of(&standing, *id, now_ms);
        let view = GrantView {
            id: *id,
            grant: (*grant).clone(),
            signer: *signer,
            state,
        };
        grants.insert(*id, view);
    }
    let audience = |(id, one): (_, &Verified<Statement>)| (id, Audience::of(&standing, id, one));
    let audiences = ledger.iter().map(audience).collect();
    let mut decision = Decision {
        custodian: standing.custodian(),
        rule: standing.rule(),
        asked: standing.emergencies.values().copied().collect(),
        grants,
        refused: standing.invalid.clone(),
        audiences,
        sealing: BTreeMap::new(),
    };
    decision.sealing = sealing_epochs(ledger, &standing, |name| decision.readers(name));
    for (id, statement) in ledger.iter() {
        let (Body::Grant(grant), Some(reason)) = (statement.body(), standing.invalid.get(&id))
        else {
            continue;
        };
        let (grant, signer) = (grant.clone(), statement.payload().signer());
        let state = GrantState::Invalid(*reason);
        decision.grants.insert(
            id,
            GrantView {
                id,
                grant,
                signer,
                state,
            },
        );
    }
    decision
}

/// What follows from the statements of a chart at one point of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    custodian: Option<ClinicId>,
    /// The patient's rule for emergencies.
    rule: Option<(StatementId, EmergencyRule)>,
    /// The clinics that have asked in an emergency.
    asked: BTreeSet<ClinicId>,
    grants: BTreeMap<StatementId, GrantView>,
    refused: BTreeMap<StatementId, Invalid>,
    audiences: BTreeMap<StatementId, Audience>,
    sealing: BTreeMap<CompartmentName, SealingEpoch>,
}

/// A grant of the ledger and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantView {
    /// The statement.
    pub id: StatementId,
    /// What it says.
    pub grant: Grant,
    /// Who signed it.
    pub signer: SignerId,
    /// How it stands.
    pub state: GrantState,
}

/// How a grant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantState {
    /// It is in force.
    Valid,
    /// It begins later.
    NotYet,
    /// Its time is over. What was written under it stays valid.
    Expired,
    /// It was revoked, by these statements.
    Revoked(Vec<StatementId>),
    /// A grant that it was passed on from was revoked, by these statements.
    FallsWithParent(Vec<StatementId>),
    /// It never counted, or does not yet.
    Invalid(Invalid),
}

impl Decision {
    /// The home clinic; none until the genesis is here.
    pub fn custodian(&self) -> Option<ClinicId> {
        self.custodian
    }

    /// Whether the patient lets clinics break the glass. Where the patient has said nothing, they
    /// may.
    pub fn allows_emergencies(&self) -> bool {
        self.rule.is_none_or(|(_, rule)| rule.allowed)
    }

    /// The patient's rule for emergencies that holds, where there is one.
    pub fn emergency_rule(&self) -> Option<(StatementId, EmergencyRule)> {
        self.rule
    }

    /// The clinics that may receive and open this compartment now, the custodian among them.
    pub fn readers(&self, name: &CompartmentName) -> BTreeSet<ClinicId> {
        self.clinics_with(name, Rights::READ)
    }

    /// The clinics whose new records in this compartment count, the custodian among them.
    pub fn writers(&self, name: &CompartmentName) -> BTreeSet<ClinicId> {
        self.clinics_with(name, Rights::WRITE)
    }

    /// Whether a clinic may receive and open this compartment now.
    pub fn may_read(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.may(clinic, name, Rights::READ)
    }

    /// Whether a clinic may write into this compartment now.
    pub fn may_write(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.may(clinic, name, Rights::WRITE)
    }

    /// Whether a clinic may write into this compartment now, or ever might.
    pub fn might_write(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.custodian.as_ref() == Some(clinic)
            || self.standing_grants().any(|grant| {
                grant.grantee == *clinic
                    && grant.rights.includes(Rights::WRITE)
                    && grant.compartments.covers(name)
            })
    }

    /// Whether sealed records of this compartment may lie at a relay now.
    pub fn may_relay(&self, relay: &ClinicId, name: &CompartmentName) -> bool {
        self.in_force(relay, Rights::RELAY)
            .any(|grant| grant.compartments.covers(name))
    }

    /// Whether anything of the chart may lie at a relay now.
    pub fn may_relay_any(&self, relay: &ClinicId) -> bool {
        self.in_force(relay, Rights::RELAY).next().is_some()
    }

    /// Whether a clinic may pass on its right to this compartment now.
    pub fn may_share(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.may(clinic, name, Rights::SHARE)
    }

    /// Whether a clinic may read everything of this compartment, and not only what is written
    /// from its grant on. An epoch with a reader who may not must carry no history.
    pub fn may_read_history(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.custodian.as_ref() == Some(clinic)
            || self
                .in_force(clinic, Rights::READ)
                .any(|grant| grant.history == History::All && grant.compartments.covers(name))
    }

    /// Whether a clinic may read this compartment, and of it only what is written from its grant
    /// on.
    pub fn may_read_from_now_on(&self, clinic: &ClinicId, name: &CompartmentName) -> bool {
        self.may_read(clinic, name) && !self.may_read_history(clinic, name)
    }

    /// Whether a clinic may receive anything of the chart now.
    pub fn may_read_any(&self, clinic: &ClinicId) -> bool {
        self.custodian.as_ref() == Some(clinic)
            || self.in_force(clinic, Rights::READ).next().is_some()
    }

    /// Every grant of the ledger, ascending by id.
    pub fn grants(&self) -> impl Iterator<Item = &GrantView> {
        self.grants.values()
    }

    /// The grant with this id.
    pub fn grant(&self, id: &StatementId) -> Option<&GrantView> {
        self.grants.get(id)
    }

    /// The statements of any kind that do not count, with the reason, ascending by id.
    pub fn refused(&self) -> impl Iterator<Item = (StatementId, Invalid)> {
        self.refused.iter().map(|(id, reason)| (*id, *reason))
    }

    /// The epoch under which a writer seals now. None: make a new epoch first.
    ///
    /// Whoever can open it may read now; [`SealingEpoch::missing`] names readers that cannot open
    /// it yet.
    pub fn sealing_epoch(&self, name: &CompartmentName) -> Option<&SealingEpoch> {
        self.sealing.get(name)
    }

    /// Whether a clinic may be sent this statement.
    ///
    /// - The custodian: every statement.
    /// - The genesis: every clinic that has or had a grant.
    /// - A grant and its revocations: its grantee, and the grantees of grants passed on from it,
    ///   always; another clinic if it may now read one of the grant's compartments. A grant that
    ///   the patient signed with the card at its grantee: everybody.
    /// - An epoch: whoever may read its compartment now, and always the clinic that made it: what
    ///   it sealed under it goes to the custodian even after its grant has ended, and would be
    ///   closed there for ever without the key.
    /// - The end of a node: whoever may read its compartment now, and the node's clinic.
    /// - A segment of an audit log: the clinic whose log it is.
    /// - A node's revocation: everybody. What a clinic's nodes tell each other: they alone.
    /// - A statement that does not count, epochs apart: nobody but the custodian.
    ///
    /// A clinic that holds what it is entitled to answers this for itself as the custodian would.
    /// For what it should have in common with another clinic ask [`Self::shared`].
    pub fn entitled(&self, clinic: &ClinicId, statement: &StatementId) -> bool {
        let Some(audience) = self.audiences.get(statement) else {
            return false;
        };
        match audience {
            Audience::Everyone => true,
            Audience::House(of) | Audience::Home(of) if of == clinic => true,
            Audience::House(_) => false,
            _ if self.custodian.as_ref() == Some(clinic) => true,

            // Whoever has the chart has to hear it, and who asks does not know who that is.
            Audience::Emergency(_) | Audience::ByCard(..) => true,
            Audience::Answer(of) => of == clinic || self.has_grant(clinic),
            Audience::Granted => self.is_party(clinic),
            Audience::Grantees(lineage) => self.concerns(lineage, clinic),
            Audience::Readers(name, makers) => {
                makers.contains(clinic) || self.may_read(clinic, name)
            }
            Audience::Custodian | Audience::Home(_) => false,
        }
    }

    /// Whether two clinics should both hold this statement and each can know that of the other:
    /// what they compare and settle between them.
    ///
    /// Narrower than both being entitled: what one may have by a grant that the other may not see
    /// is left out. So both sides, each from its own part of the ledger, name the same set. It is
    /// empty for clinics without a readable compartment in common; a clinic whose last grant was
    /// revoked hears of it because it is [entitled](Self::entitled) to the revocation.
    pub fn shared(&self, one: &ClinicId, other: &ClinicId, statement: &StatementId) -> bool {
        let custodian = self.custodian.as_ref();
        match self.audiences.get(statement) {
            Some(Audience::Everyone) => return true,
            Some(Audience::House(of)) => return one == of && other == of,
            Some(Audience::Emergency(of)) if one == of || other == of => return true,
            Some(Audience::Emergency(_)) if custodian == Some(one) => return self.has_grant(other),
            Some(Audience::Emergency(_)) if custodian == Some(other) => return self.has_grant(one),
            Some(Audience::ByCard(of, _)) if one == of || other == of => return true,
            Some(Audience::ByCard(_, lineage)) if custodian == Some(one) => {
                return self.concerns(lineage, other);
            }
            Some(Audience::ByCard(_, lineage)) if custodian == Some(other) => {
                return self.concerns(lineage, one);
            }
            _ => {}
        }
        if one == other || custodian == Some(other) {
            return self.entitled(one, statement);
        }
        if custodian == Some(one) {
            return self.entitled(other, statement);
        }
        let Some(audience) = self.audiences.get(statement) else {
            return false;
        };
        let (ones, others) = (self.visible(one, other), self.visible(other, one));
        audience.admits(one, &ones, &others) && audience.admits(other, &others, &ones)
    }

    /// Whether a grant, or what ends it, concerns a clinic besides the custodian.
    fn concerns(&self, of: &Lineage, clinic: &ClinicId) -> bool {
        let reads = |grant: &Grant| grant.compartments.intersects(&of.compartments);
        of.grantees.iter().any(|(grantee, _)| grantee == clinic)
            || self.in_force(clinic, Rights::READ).any(reads)
    }

    /// The grants to read of one clinic that another may see: those that meet one of its own.
    fn visible(&self, clinic: &ClinicId, to: &ClinicId) -> Vec<&Grant> {
        let meets = |grant: &&Grant| {
            let mut theirs = self.in_force(to, Rights::READ);
            theirs.any(|their| their.compartments.intersects(&grant.compartments))
        };
        self.in_force(clinic, Rights::READ).filter(meets).collect()
    }

    fn may(&self, clinic: &ClinicId, name: &CompartmentName, right: Rights) -> bool {
        self.custodian.as_ref() == Some(clinic)
            || self
                .in_force(clinic, right)
                .any(|grant| grant.compartments.covers(name))
    }

    fn clinics_with(&self, name: &CompartmentName, right: Rights) -> BTreeSet<ClinicId> {
        let grants = self
            .grants
            .values()
            .filter(|view| view.state == GrantState::Valid);
        grants
            .filter(|view| view.grant.rights.includes(right))
            .filter(|view| view.grant.compartments.covers(name))
            .map(|view| view.grant.grantee)
            .chain(self.custodian)
            .collect()
    }

    fn in_force(&self, clinic: &ClinicId, right: Rights) -> impl Iterator<Item = &Grant> {
        let clinic = *clinic;
        self.grants
            .values()
            .filter(move |view| view.state == GrantState::Valid && view.grant.grantee == clinic)
            .map(|view| &view.grant)
            .filter(move |grant| grant.rights.includes(right))
    }

    /// Whether a clinic has or had a grant, or has asked in an emergency: it has to hear the
    /// answer, also where that is no.
    fn is_party(&self, clinic: &ClinicId) -> bool {
        self.asked.contains(clinic) || self.standing_grants().any(|one| one.grantee == *clinic)
    }

    /// Whether a clinic has or had a grant that the patient gave, and not an emergency.
    fn has_grant(&self, clinic: &ClinicId) -> bool {
        let given = |one: &Grant| one.grantee == *clinic && one.emergency.is_none();
        self.standing_grants().any(given)
    }

    fn standing_grants(&self) -> impl Iterator<Item = &Grant> {
        let stands = |view: &&GrantView| !matches!(view.state, GrantState::Invalid(_));
        self.grants.values().filter(stands).map(|view| &view.grant)
    }
}

fn state_of(standing: &Standing<'_>, id: StatementId, now_ms: u64) -> GrantState {
    let own = standing.revocations_of(&id);
    if !own.is_empty() {
        return GrantState::Revoked(own.to_vec());
    }
    let endings = standing.endings(id);
    if !endings.is_empty() {
        return GrantState::FallsWithParent(endings);
    }
    let release = standing.grants.get(&id).map(|one| one.grant);
    if let Some(release) = release.filter(|grant| grant.emergency.is_some()) {
        let forbidden = standing.forbidden_by(release);
        if !forbidden.is_empty() {
            return GrantState::Revoked(forbidden);
        }
    }
    match standing.grants.get(&id).map(|one| one.grant) {
        Some(grant) if now_ms < grant.not_before_ms => GrantState::NotYet,
        Some(grant) if grant.expires_ms.is_some_and(|end| now_ms >= end) => GrantState::Expired,
        _ => GrantState::Valid,
    }
}
