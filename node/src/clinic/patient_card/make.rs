//! Making a card, at the home clinic.

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::Card;
use chartmesh_protocol::ledger::Ledger;
use chartmesh_protocol::patient_card::{
    KeyCard, KeyCardError, LeftOut, Opened, PatientPin, PinCost, SummaryCard,
};
use serde::{Deserialize, Serialize};

use crate::clinic::audit::Action;
use crate::clinic::{Clinic, ClinicError, date};
use crate::control::Pin;

/// Addresses of the home clinic on a card at most: the QR code has room for two.
const MAX_ADDRESSES: usize = 2;

/// A card, to be printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMade {
    /// The chart.
    pub patient: ChartId,
    /// The patient's name.
    pub name: String,
    /// FHIR date, where it is known.
    pub birth_date: Option<String>,
    /// The home clinic's name.
    pub clinic_name: String,
    /// When it was made, as RFC 3339.
    pub made: String,
    /// The emergency code.
    pub emergency_code: String,
    /// The text of the code with the key.
    pub key: String,
    /// The text of the code with the summary.
    pub summary: String,
    /// Allergies that the summary has no room for.
    pub allergies_left_out: u16,
    /// Medications that the summary has no room for.
    pub medications_left_out: u16,
    /// Problems that the summary has no room for.
    pub problems_left_out: u16,
    /// Texts in the summary that are cut.
    pub shortened: u16,
}

impl Clinic {
    /// Makes the card of a patient of this clinic, with the key under the PIN. Where the key lies
    /// here under a PIN, it is the one for the card, too.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], [`ClinicError::Usage`] for what is no PIN,
    /// [`ClinicError::Refused`] at another clinic than the home clinic, [`ClinicError::Pin`] and
    /// [`ClinicError::PinLimit`] for a wrong PIN.
    pub fn make_card(&self, id: &str, pin: &Pin) -> Result<CardMade, ClinicError> {
        let chart = self.find_chart(id)?;
        let card_pin = PatientPin::new(pin.digits());
        let card_pin = card_pin.map_err(|error| ClinicError::usage(error.to_string()))?;
        let ledger = self.ledger(&chart)?;
        let own = self.clinic_id();
        let home = ledger.genesis().map(|(_, genesis)| genesis.custodian);
        let secret = self.chart_secret(&ledger).filter(|_| home == Some(own));
        let secret = secret.ok_or_else(|| {
            ClinicError::refused("a patient's card is made by the patient's home clinic")
        })?;
        let (key, _) = self.patient_key(&chart, Some(pin))?;
        let code = secret.emergency_code();
        let now = self.time_ms();
        let mut rng = self.chance();
        let opened = Opened { key, secret };
        let key_card = self.key_card(&ledger, &opened, &card_pin, now)?;
        let summary = self.summarised(&chart, now)?.fitted();
        let left_out = summary.left_out;
        let (name, birth_date) = (summary.name.clone(), summary.birth_date.clone());
        let signed = summary.sign(&self.identity.clinic);
        let signed = signed.map_err(ClinicError::fault)?;
        let summary = SummaryCard::seal(&mut rng, &signed, &code).map_err(ClinicError::fault)?;
        self.note(Action::MakeCard, Some(chart))?;
        let LeftOut {
            allergies,
            medications,
            problems,
            shortened,
        } = left_out;
        Ok(CardMade {
            patient: chart,
            name,
            birth_date,
            clinic_name: self.name().to_owned(),
            made: date::moment(now),
            emergency_code: code.to_text().to_string(),
            key: key_card.to_text(),
            summary: summary.to_text(),
            allergies_left_out: allergies,
            medications_left_out: medications,
            problems_left_out: problems,
            shortened,
        })
    }

    /// The key under the PIN, with as many addresses of this clinic as there is room for.
    fn key_card(
        &self,
        ledger: &Ledger,
        opened: &Opened,
        pin: &PatientPin,
        now_ms: u64,
    ) -> Result<KeyCard, ClinicError> {
        let genesis = ledger.genesis().and_then(|(id, _)| ledger.get(&id));
        let genesis = genesis.ok_or_else(|| ClinicError::fault("a chart without a beginning"))?;
        let certificate = self.identity.certificate();
        let addresses = self.addresses()?;
        let most = addresses.len().min(MAX_ADDRESSES);
        for count in (0..=most).rev() {
            let some = addresses.get(..count).unwrap_or_default();
            let home = Card::issue(&self.identity.clinic, self.name(), &certificate, some);
            let home = home.map_err(|error| ClinicError::usage(error.to_string()))?;
            let lock = (pin, PinCost::CARD);
            let made = KeyCard::make(&mut self.chance(), lock, opened, (genesis, &home), now_ms);
            match made {
                Err(KeyCardError::OutOfBounds(_)) if count > 0 => {}
                made => return made.map_err(ClinicError::fault),
            }
        }
        Err(ClinicError::fault("a card without addresses does not fit"))
    }
}
