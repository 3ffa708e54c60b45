//! A grant to this clinic, signed on the spot with the key on the card.

use std::sync::Arc;

use chartmesh_protocol::identity::{Card, Verified};
use chartmesh_protocol::ledger::{Basis, Body, GrantState, GrantView, Ledger, Signer, Statement};
use chartmesh_protocol::patient_card::{KeyCard, KeyCardError, Opened, PatientPin};
use chartmesh_protocol::seal::wrap_chart_secret;
use chartmesh_protocol::{ChartId, ClinicId};
use serde::{Deserialize, Serialize};

use crate::clinic::audit::Action;
use crate::clinic::consent::basis_text;
use crate::clinic::draft::Draft;
use crate::clinic::terms::Terms;
use crate::clinic::{Clinic, ClinicError, GrantMade, KnownPeer};
use crate::control::CardOrder;

/// How much longer a new grant has to last than one in force: who scans a card again because
/// nothing has come yet leaves no second one to be ended.
const WORTH_SIGNING_MS: u64 = 24 * 60 * 60 * 1000;

/// A grant that was signed with the key on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardGranted {
    /// The grant.
    #[serde(flatten)]
    pub grant: GrantMade,
    /// The patient's home clinic.
    pub home: ClinicId,
    /// Its name, in its own words.
    pub home_name: String,
    /// Whether it was not known here, and is now talked to.
    pub home_added: bool,
    /// Whether the chart has come.
    pub arrived: bool,
}

impl Clinic {
    /// Signs, with the key on a card, a grant to this clinic, and keeps it in the ledger of the
    /// chart. The key is wiped when this returns. A home clinic that was not known here is talked
    /// to from now on.
    ///
    /// # Errors
    /// [`ClinicError::Card`] for a card that is damaged, altered, of a newer version or not to be
    /// trusted, [`ClinicError::Usage`] at the home clinic itself and for terms that are none,
    /// [`ClinicError::Pin`] and [`ClinicError::PinLimit`] for a wrong PIN.
    pub fn grant_by_card(&self, order: &CardOrder) -> Result<CardGranted, ClinicError> {
        let card = match KeyCard::parse(&order.text) {
            Ok(card) => card,
            Err(error) => return Err(self.refused_card(None, &error)?),
        };
        let home = card.home();
        if home.clinic() == self.clinic_id() {
            return Err(ClinicError::usage(
                "this is the patient's home clinic: it has the whole chart, and needs no grant",
            ));
        }
        let terms = self.terms_to(self.own_peer()?, &order.terms)?;
        let opened = self.open_with_pin(&card, order)?;
        let home_added = self.know_home(home)?;
        Ok(CardGranted {
            grant: self.file_card_grant(&card, &opened, &terms)?,
            home: home.clinic(),
            home_name: home.name().to_owned(),
            home_added,
            arrived: false,
        })
    }

    fn open_with_pin(&self, card: &KeyCard, order: &CardOrder) -> Result<Opened, ClinicError> {
        let pin = order.terms.pin.as_ref().ok_or_else(|| ClinicError::Pin {
            reason: "the patient's PIN is needed: give it with --pin-file".to_owned(),
        })?;
        let pin = PatientPin::new(pin.digits());
        let pin = pin.map_err(|error| ClinicError::usage(error.to_string()))?;
        self.try_pin(&card.chart(), || match card.open(&pin) {
            Ok(opened) => Ok(Some(opened)),
            Err(KeyCardError::WrongPin) => Ok(None),
            Err(error) => Err(self.refused_card(Some(card.chart()), &error)?),
        })
    }

    /// This clinic, as one that receives.
    fn own_peer(&self) -> Result<KnownPeer, ClinicError> {
        let card = self.own_card()?;
        let card = Card::parse(&card.card).map_err(ClinicError::fault)?;
        Ok(KnownPeer::of(&card))
    }

    /// Talks to the home clinic from now on; says whether it was not known. The patient stands
    /// here with card and PIN: that is as good as the clinic's card from its own hand.
    fn know_home(&self, home: &Card) -> Result<bool, ClinicError> {
        if self.talks_to(&home.clinic()) {
            return Ok(false);
        }
        self.add_peer(&home.to_line())?;
        Ok(true)
    }

    fn file_card_grant(
        &self,
        card: &KeyCard,
        opened: &Opened,
        terms: &Terms,
    ) -> Result<GrantMade, ClinicError> {
        let _writing = self.writing();
        let chart = card.chart();
        let mut ledger = Arc::unwrap_or_clone(self.ledger(&chart)?);
        let decision = self.decide(&ledger);
        if let Some(same) = decision.grants().find(|view| says_as_much(terms, view)) {
            return Ok(GrantMade {
                grant: Some(same.id),
                basis: Some(basis_text(same.grant.basis).to_owned()),
                ..terms.made(chart)
            });
        }
        let mut draft = Draft::default();
        if ledger.genesis().is_none() {
            draft.statement(card.genesis());
            ledger.insert(card.genesis().clone());
        }
        let statement = self.sign_card_grant(&ledger, opened, terms)?;
        draft.statement(&statement);
        let id = statement.id();
        ledger.insert(statement);
        let state = self
            .decide(&ledger)
            .grant(&id)
            .map(|view| view.state.clone());
        if let Some(GrantState::Invalid(reason)) = state {
            return Err(ClinicError::refused(format!(
                "this grant would not hold: {reason}"
            )));
        }
        draft.note(Action::Grant, Some(chart));
        self.file(draft)?;
        Ok(GrantMade {
            grant: Some(id),
            basis: Some(basis_text(Basis::Card).to_owned()),
            ..terms.made(chart)
        })
    }

    fn sign_card_grant(
        &self,
        ledger: &Ledger,
        opened: &Opened,
        terms: &Terms,
    ) -> Result<Verified<Statement>, ClinicError> {
        let (chart, own) = (ledger.chart(), self.clinic_id());
        let mut rng = self.chance();
        let sealing = self.own_sealing();
        let secret = wrap_chart_secret(&mut rng, &chart, &own, &sealing, &opened.secret);
        let secret = secret.map_err(ClinicError::fault)?;
        let ground = (ledger, Basis::Card);
        let grant = terms.grant(&mut rng, ground, (self.time_ms(), secret));
        let signed = Body::Grant(grant).sign(Signer::Patient(&opened.key));
        signed.map_err(ClinicError::fault)
    }

    /// Whether anything of a chart that was granted by its card has come.
    ///
    /// # Errors
    /// [`ClinicError::Store`] and [`ClinicError::Unreadable`].
    pub fn has_come(&self, chart: &ChartId) -> Result<bool, ClinicError> {
        self.with_chart(chart, |open| {
            Ok(open.contents().iter().any(|one| !one.is_empty()))
        })
    }
}

/// Whether a grant in force says what is to be granted, and lasts about as long.
fn says_as_much(terms: &Terms, view: &GrantView) -> bool {
    let end = view.grant.expires_ms;
    let lasts = match (end, terms.expires_ms) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(end), Some(wanted)) => wanted <= end.saturating_add(WORTH_SIGNING_MS),
    };
    let mut terms = terms.clone();
    terms.expires_ms = end;
    lasts && terms.are_those_of(view)
}
