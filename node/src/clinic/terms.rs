//! The terms of a grant, out of what somebody typed.

use std::collections::BTreeSet;
use std::fmt::Display;

use chartmesh_protocol::ChartId;
use chartmesh_protocol::ledger::{
    Basis, CompartmentName, Compartments, Grant, GrantState, GrantView, History, Ledger, Purpose,
    Rights,
};
use chartmesh_protocol::seal::KeyWrap;
use rand::{CryptoRng, RngExt};

use super::consent::{GrantMade, compartment_names};
use super::{Clinic, ClinicError, KnownPeer, date};
use crate::control::GrantRequest;

/// The word for every chart or every compartment.
pub(super) const ALL: &str = "all";

/// How much of a clinic's id a grant takes.
const MIN_GRANTEE: usize = 8;

/// The purpose where none is named.
const TREATMENT: &str = "treatment";

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Purposes by the words that people use, and their codes of HL7 v3 PurposeOfUse.
const PURPOSES: [(&str, &str); 6] = [
    (TREATMENT, "TREAT"),
    ("emergency", "ETREAT"),
    ("payment", "HPAYMT"),
    ("operations", "HOPERAT"),
    ("research", "HRESCH"),
    ("public-health", "PUBHLTH"),
];

/// What is granted, for every patient alike.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) peer: KnownPeer,
    pub(super) compartments: Compartments,
    pub(super) rights: Rights,
    pub(super) purpose: Purpose,
    /// Whether somebody named the purpose.
    purpose_is_named: bool,
    pub(super) expires_ms: Option<u64>,
    pub(super) history: History,
}

impl Terms {
    /// A grant on these terms, in force from `now_ms`, on this ground. `ledger` is what its signer
    /// has seen, `secret` the chart's, wrapped to the grantee.
    pub(super) fn grant(
        &self,
        rng: &mut impl CryptoRng,
        (ledger, basis): (&Ledger, Basis),
        (now_ms, secret): (u64, KeyWrap),
    ) -> Grant {
        Grant {
            nonce: rng.random(),
            chart: ledger.chart(),
            grantee: self.peer.clinic,
            compartments: self.compartments.clone(),
            rights: self.rights,
            purpose: self.purpose.clone(),
            not_before_ms: now_ms,
            expires_ms: self.expires_ms,
            history: self.history,
            parent: None,
            paper: None,
            basis,
            frontier: ledger.frontier(),
            secret,
            emergency: None,
        }
    }

    /// The terms as they are when a grant is passed on: what nobody named is as it is there.
    pub(super) fn within(&self, parent: Option<&Grant>) -> Self {
        let mut terms = self.clone();
        if let Some(parent) = parent {
            if !terms.purpose_is_named {
                terms.purpose = parent.purpose.clone();
            }
            terms.expires_ms = terms.expires_ms.or(parent.expires_ms);
            terms.history = terms.history.min(parent.history);
        }
        terms
    }

    /// Whether a grant in force says the same: signing it again would leave one more to revoke.
    pub(super) fn are_those_of(&self, view: &GrantView) -> bool {
        let grant = &view.grant;
        view.state == GrantState::Valid
            && grant.grantee == self.peer.clinic
            && grant.compartments == self.compartments
            && grant.rights == self.rights
            && grant.purpose == self.purpose
            && grant.expires_ms == self.expires_ms
            && grant.history == self.history
    }

    pub(super) fn made(&self, chart: ChartId) -> GrantMade {
        GrantMade {
            grant: None,
            patient: chart,
            to: self.peer.clinic,
            compartments: compartment_names(&self.compartments),
            rights: self.rights.names().map(str::to_owned).collect(),
            until: self.expires_ms.map(date::moment),
            basis: None,
            error: None,
        }
    }
}

impl Clinic {
    /// What a request asks to grant.
    pub(super) fn terms(&self, request: &GrantRequest) -> Result<Terms, ClinicError> {
        if request.to.trim().len() < MIN_GRANTEE {
            return Err(ClinicError::usage(format!(
                "a chart is too much to give away by a slip: type at least {MIN_GRANTEE} \
                 characters of the clinic's id"
            )));
        }
        let peer = self.find_peer(&request.to)?;
        if peer.clinic == self.clinic_id() {
            return Err(ClinicError::usage(
                "this clinic's own nodes have every chart: they need no grant",
            ));
        }
        self.terms_to(peer, request)
    }

    /// The same for a clinic that is known already.
    pub(super) fn terms_to(
        &self,
        peer: KnownPeer,
        request: &GrantRequest,
    ) -> Result<Terms, ClinicError> {
        let usage = |error: &dyn Display| ClinicError::usage(error.to_string());
        let mut named = BTreeSet::new();
        for text in &request.compartments {
            if text != ALL {
                named.insert(
                    text.parse::<CompartmentName>()
                        .map_err(|error| usage(&error))?,
                );
            }
        }
        let all = request.compartments.iter().any(|text| text == ALL);
        let compartments = if all {
            Compartments::All
        } else {
            Compartments::Named(named)
        };
        let rights: Rights = request
            .rights
            .join(",")
            .parse()
            .map_err(|error| usage(&error))?;
        check_rights(&peer, rights)?;
        let purpose = purpose_of(request.purpose.as_deref().unwrap_or(TREATMENT))?;
        let expires_ms = self.end_of(request)?;
        let history = if request.from_now_on {
            History::FromNowOn
        } else {
            History::All
        };
        Ok(Terms {
            peer,
            compartments,
            rights,
            purpose,
            purpose_is_named: request.purpose.is_some(),
            expires_ms,
            history,
        })
    }

    /// When a grant ends, in milliseconds since 1970.
    fn end_of(&self, request: &GrantRequest) -> Result<Option<u64>, ClinicError> {
        let now = self.time_ms();
        let end = match (&request.until, request.days) {
            (None, None) => return Ok(None),
            (Some(text), None) => date::parse_until(text).ok_or_else(|| {
                ClinicError::usage(
                    "--until is a day such as 2027-06-30, or a moment such as \
                     2027-06-30T12:00:00Z",
                )
            })?,
            (None, Some(days)) => now.saturating_add(u64::from(days).saturating_mul(DAY_MS)),
            (Some(_), Some(_)) => {
                return Err(ClinicError::usage("either --until or --days is given"));
            }
        };
        if end <= now {
            return Err(ClinicError::usage("the grant would end in the past"));
        }
        Ok(Some(end))
    }
}

/// A purpose, by the word that people use or by its code.
fn purpose_of(text: &str) -> Result<Purpose, ClinicError> {
    let word = text.trim();
    let code = PURPOSES
        .iter()
        .find(|(name, _)| *name == word)
        .map_or(word, |(_, code)| *code);
    Purpose::new(code).map_err(|_| {
        let words: Vec<&str> = PURPOSES.iter().map(|(name, _)| *name).collect();
        ClinicError::usage(format!(
            "a purpose is one of {}, or a code of HL7 v3 PurposeOfUse",
            words.join(", ")
        ))
    })
}

/// A relay stores what it cannot read, and nobody else does that.
fn check_rights(peer: &KnownPeer, rights: Rights) -> Result<(), ClinicError> {
    let name = &peer.name;
    let is_relay_right = rights.names().eq(["relay"]);
    match (peer.is_relay(), rights.includes(Rights::RELAY)) {
        (true, _) if !is_relay_right => Err(ClinicError::usage(format!(
            "{name} is a relay: it can be granted nothing but --rights relay, by which it stores \
             sealed records for others and reads none"
        ))),
        (false, true) => Err(ClinicError::usage(format!(
            "{name} is no relay: grant it read, write or share"
        ))),
        (true | false, _) => Ok(()),
    }
}
