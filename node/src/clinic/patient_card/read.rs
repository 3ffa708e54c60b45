//! What a card tells without the PIN, and the summary on it.

use chartmesh_protocol::ledger::EmergencyCode;
use chartmesh_protocol::patient_card::{
    AllergiesKnown, CardKind, CardSummary, CardText, KeyCard, SummaryCard,
};
use chartmesh_protocol::{ChartId, ClinicId};
use serde::{Deserialize, Serialize};

use crate::clinic::audit::Action;
use crate::clinic::{Clinic, ClinicError, date};
use crate::store::Space;

/// What a card tells to whoever scans it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardShown {
    /// `key` or `summary`.
    pub code: String,
    /// The chart.
    pub patient: ChartId,
    /// Whether the chart is here.
    pub here: bool,
    /// The home clinic, on the code with the key.
    pub home: Option<ClinicId>,
    /// Its name, in its own words.
    pub home_name: Option<String>,
    /// Whether this clinic talks to it.
    pub home_known: bool,
    /// When the card was made, as RFC 3339, on the code with the key.
    pub made: Option<String>,
}

/// The summary on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryOpened {
    /// The chart.
    pub patient: ChartId,
    /// The clinic that signed it.
    pub clinic: ClinicId,
    /// Its name, in its own words.
    pub clinic_name: String,
    /// Whether this clinic talks to it, or is it: who is not known may call itself anything.
    pub clinic_known: bool,
    /// When it was made, as RFC 3339.
    pub made: String,
    /// The patient's name.
    pub name: String,
    /// FHIR date.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: Option<String>,
    /// ABO and Rh group.
    pub blood_group: Option<String>,
    /// Whom to call.
    pub contact: Option<String>,
    /// `listed`, `none-known` or `not-recorded`.
    pub allergies_known: String,
    /// Allergies, the worst first.
    pub allergies: Vec<String>,
    /// Active medications.
    pub medications: Vec<String>,
    /// Active problems.
    pub problems: Vec<String>,
    /// Allergies that the card had no room for.
    pub allergies_left_out: u16,
    /// Medications that the card had no room for.
    pub medications_left_out: u16,
    /// Problems that the card had no room for.
    pub problems_left_out: u16,
    /// Texts that are cut; each ends in an ellipsis.
    pub shortened: u16,
}

impl Clinic {
    /// What a card tells without PIN and code.
    ///
    /// # Errors
    /// [`ClinicError::Card`] for one that is damaged, altered or of a newer version.
    pub fn show_card(&self, text: &str) -> Result<CardShown, ClinicError> {
        let read = CardText::read(text);
        let read = match read {
            Ok(read) => read,
            Err(error) => return Err(self.refused_card(None, &error)?),
        };
        match read.kind() {
            CardKind::Key => self.show_key(read),
            CardKind::Summary => self.show_summary(read),
        }
    }

    fn show_key(&self, text: CardText) -> Result<CardShown, ClinicError> {
        let card = match KeyCard::of(text) {
            Ok(card) => card,
            Err(error) => return Err(self.refused_card(None, &error)?),
        };
        let home = card.home();
        Ok(CardShown {
            code: "key".to_owned(),
            patient: card.chart(),
            here: self.has_chart(&card.chart())?,
            home: Some(home.clinic()),
            home_name: Some(home.name().to_owned()),
            home_known: self.talks_to(&home.clinic()),
            made: Some(date::moment(card.made_ms())),
        })
    }

    fn show_summary(&self, text: CardText) -> Result<CardShown, ClinicError> {
        let card = match SummaryCard::of(text) {
            Ok(card) => card,
            Err(error) => return Err(self.refused_card(None, &error)?),
        };
        Ok(CardShown {
            code: "summary".to_owned(),
            patient: card.chart(),
            here: self.has_chart(&card.chart())?,
            home: None,
            home_name: None,
            home_known: false,
            made: None,
        })
    }

    fn has_chart(&self, chart: &ChartId) -> Result<bool, ClinicError> {
        Ok(self.store.contains(Space::Charts, chart.as_bytes())?)
    }

    /// Opens the summary on a card with the emergency code that is printed beside it. Needs no
    /// link and no grant: what it shows, the card gives to whoever holds it.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for what is no code, [`ClinicError::Card`] for a card that is
    /// damaged or altered, or that the code is not of.
    pub fn open_card_summary(&self, text: &str, code: &str) -> Result<SummaryOpened, ClinicError> {
        let code = EmergencyCode::parse(code);
        let code = code.map_err(|error| ClinicError::usage(error.to_string()))?;
        let card = match SummaryCard::parse(text) {
            Ok(card) => card,
            Err(error) => return Err(self.refused_card(None, &error)?),
        };
        let opened = match card.open(&code) {
            Ok(opened) => opened,
            Err(error) => return Err(self.refused_card(Some(card.chart()), &error)?),
        };
        self.note(Action::OpenCard, Some(card.chart()))?;
        let summary = opened.into_payload();
        let known = self.talks_to(&summary.clinic);
        Ok(shown(summary, known))
    }
}

fn shown(summary: CardSummary, clinic_known: bool) -> SummaryOpened {
    let known = match summary.allergies_known {
        AllergiesKnown::Listed => "listed",
        AllergiesKnown::NoneKnown => "none-known",
        AllergiesKnown::NotRecorded => "not-recorded",
    };
    SummaryOpened {
        patient: summary.chart,
        clinic: summary.clinic,
        clinic_name: summary.clinic_name,
        clinic_known,
        made: date::moment(summary.made_ms),
        name: summary.name,
        birth_date: summary.birth_date,
        sex: summary.sex,
        blood_group: summary.blood_group,
        contact: summary.contact,
        allergies_known: known.to_owned(),
        allergies: summary.allergies,
        medications: summary.medications,
        problems: summary.problems,
        allergies_left_out: summary.left_out.allergies,
        medications_left_out: summary.left_out.medications,
        problems_left_out: summary.left_out.problems,
        shortened: summary.left_out.shortened,
    }
}
