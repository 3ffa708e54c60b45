//! Who may be sent a statement.

use super::compartment::CompartmentName;
use super::standing::{Standing, StandingGrant};
use super::statement::{Body, Statement};
use super::terms::{Basis, Compartments};
use crate::id::{ClinicId, StatementId};
use crate::identity::Verified;
use crate::ledger::Grant;

/// Who may be sent a statement, besides the custodian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Audience {
    /// Every clinic that has or had a grant, or has asked in an emergency.
    Granted,
    /// Whom a grant concerns.
    Grantees(Lineage),
    /// Whoever hears of it from this clinic, at which the patient's card was read: it does not know
    /// who has the chart. Else whom the grant concerns.
    ByCard(ClinicId, Lineage),
    /// The readers of this compartment, and the clinics that made the epoch.
    Readers(CompartmentName, Vec<ClinicId>),
    /// Whoever hears of it from this clinic, which asks; else those that the patient has granted.
    Emergency(ClinicId),
    /// This clinic, which has asked, and those that the patient has granted.
    Answer(ClinicId),
    /// Nobody else.
    Custodian,
    /// This clinic, which tells the custodian alone.
    Home(ClinicId),
    /// The nodes of this clinic, and nobody else.
    House(ClinicId),
    /// Everybody.
    Everyone,
}

/// Whom a grant concerns: the grantees of it and of those passed on from it, each with what it was
/// given; and those that may read one of its compartments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lineage {
    pub(super) grantees: Vec<(ClinicId, Compartments)>,
    pub(super) compartments: Compartments,
}

impl Audience {
    pub(super) fn of(
        standing: &Standing<'_>,
        id: StatementId,
        statement: &Verified<Statement>,
    ) -> Self {
        let grant = standing
            .revocations
            .get(&id)
            .map_or(id, |revocation| revocation.grant);
        if let Some(StandingGrant { grant: terms, .. }) = standing.grants.get(&grant) {
            // Whoever holds a grant passed on from this one needs it to check its own.
            let below = |id: &&StatementId| standing.chain(**id).contains(&grant);
            let below = standing.grants.keys().filter(below);
            let own = below
                .filter_map(|id| standing.grants.get(id))
                .map(|one| one.grant);
            let own = own.map(|one| (one.grantee, one.compartments.clone()));
            let lineage = Lineage {
                grantees: own.collect(),
                compartments: terms.compartments.clone(),
            };
            return match terms.basis == Basis::Card && id == grant {
                true => Self::ByCard(terms.grantee, lineage),
                false => Self::Grantees(lineage),
            };
        }
        // An epoch whose signer is not known yet is of use to its readers all the same.
        if let Body::Epoch(epoch) = statement.body() {
            return Self::Readers(epoch.compartment.clone(), standing.makers(&id, epoch));
        }
        match statement.body() {
            Body::HouseNote(note) => return Self::House(note.clinic),
            Body::NodeRevocation(_) => return Self::Everyone,
            Body::AuditSegment(segment) => return Self::Home(segment.clinic),
            Body::NodeEnd(end) if !standing.invalid.contains_key(&id) => {
                return Self::Readers(end.compartment.clone(), vec![end.clinic]);
            }
            Body::Admission(admission) if !standing.invalid.contains_key(&id) => {
                return Self::Readers(admission.compartment.clone(), Vec::new());
            }
            // Also of a chart that is not here: who asks does not know who has it.
            Body::BreakGlass(asked) => return Self::Emergency(asked.clinic),
            Body::Grant(grant) if grant.basis == Basis::Card && standing.genesis.is_none() => {
                let lineage = Lineage {
                    grantees: vec![(grant.grantee, grant.compartments.clone())],
                    compartments: grant.compartments.clone(),
                };
                return Self::ByCard(grant.grantee, lineage);
            }
            Body::EmergencyRule(_) if !standing.invalid.contains_key(&id) => {
                return Self::Granted;
            }
            Body::Review(review) if !standing.invalid.contains_key(&id) => {
                if let Some(asked) = standing.emergencies.get(&review.emergency) {
                    return Self::Answer(*asked);
                }
            }
            Body::Genesis(_)
            | Body::Grant(_)
            | Body::Revocation(_)
            | Body::Epoch(_)
            | Body::NodeEnd(_)
            | Body::Admission(_)
            | Body::EmergencyRule(_)
            | Body::Review(_) => {}
        }
        match standing.genesis {
            Some((genesis, _)) if genesis == id => Self::Granted,
            _ => Self::Custodian,
        }
    }

    /// Whether a clinic may have the statement, judged by its grants that another clinic may see
    /// (`own`) and by that other clinic's grants that it may see in turn.
    pub(super) fn admits(&self, clinic: &ClinicId, own: &[&Grant], others: &[&Grant]) -> bool {
        let meets = |grants: &[&Grant], compartments: &Compartments| {
            grants
                .iter()
                .any(|grant| grant.compartments.intersects(compartments))
        };
        let given = |grants: &[&Grant]| grants.iter().any(|grant| grant.emergency.is_none());
        match self {
            Self::Granted => !own.is_empty(),
            Self::Emergency(_) => given(own),
            Self::Answer(of) => of == clinic || given(own),
            Self::Grantees(of) | Self::ByCard(_, of) => {
                let known =
                    |(one, part): &(ClinicId, Compartments)| one == clinic && meets(others, part);
                meets(own, &of.compartments) || of.grantees.iter().any(known)
            }
            Self::Readers(name, _) => own.iter().any(|grant| grant.compartments.covers(name)),
            Self::Custodian | Self::House(_) | Self::Home(_) => false,
            Self::Everyone => true,
        }
    }
}
