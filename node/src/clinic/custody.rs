//! Patients' keys in custody: under the patient's PIN, or under the clinic's own key.

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::PatientKey;
use chartmesh_protocol::ledger::Basis;
use chartmesh_protocol::patient_card::PatientPin;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::audit::Action;
use super::chart_view::Custody;
use super::draft::Draft;
use super::house::notes::Told;
use super::{Clinic, ClinicError};
use crate::control::Pin;
use crate::keys::{Cost, Passphrase, SealedSecret, SealedSecretError};
use crate::store::Space;

/// The PIN of a patient's key was set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PinSet {
    /// The chart.
    pub patient: ChartId,
    /// How the key lies here now.
    pub custody: Custody,
}

impl Clinic {
    /// Adds a new patient's key to a draft, in the clinic's custody.
    pub(crate) fn take_custody(
        &self,
        chart: &ChartId,
        key: &PatientKey,
        draft: &mut Draft,
    ) -> Result<(), ClinicError> {
        let custody = &self.identity.custody;
        let mut rng = self.chance();
        let sealed = SealedSecret::under_key(&key.to_bytes(), custody, chart.as_bytes(), &mut rng)
            .map_err(ClinicError::fault)?;
        self.keep_key(chart, sealed.to_bytes(), draft)
    }

    /// Puts a sealed key into custody, here and at the clinic's other nodes.
    fn keep_key(
        &self,
        chart: &ChartId,
        sealed: Vec<u8>,
        draft: &mut Draft,
    ) -> Result<(), ClinicError> {
        self.tell_house(draft, &Told::Custody(*chart, &sealed))?;
        draft
            .batch
            .put(Space::Custody, chart.as_bytes().to_vec(), sealed);
        Ok(())
    }

    /// How a patient's key lies here.
    pub(crate) fn custody_of(&self, chart: &ChartId) -> Result<Custody, ClinicError> {
        Ok(match self.sealed_key(chart)? {
            None => Custody::Elsewhere,
            Some(sealed) if sealed.is_under_pin() => Custody::Pin,
            Some(_) => Custody::Clinic,
        })
    }

    fn sealed_key(&self, chart: &ChartId) -> Result<Option<SealedSecret>, ClinicError> {
        let Some(bytes) = self.store.get(Space::Custody, chart.as_bytes())? else {
            return Ok(None);
        };
        let sealed = SealedSecret::from_bytes(&bytes).map_err(|error| ClinicError::Unreadable {
            chart: *chart,
            reason: error.to_string(),
        })?;
        Ok(Some(sealed))
    }

    /// Opens a patient's key, and says on what ground.
    ///
    /// # Errors
    /// [`ClinicError::Refused`] when the key does not lie here, [`ClinicError::Pin`] when its PIN
    /// is missing or wrong, [`ClinicError::PinLimit`] after too many wrong ones.
    pub(crate) fn patient_key(
        &self,
        chart: &ChartId,
        pin: Option<&Pin>,
    ) -> Result<(PatientKey, Basis), ClinicError> {
        let sealed = self.sealed_key(chart)?.ok_or_else(|| {
            ClinicError::refused(
                "the patient's key does not lie at this clinic: only the home clinic, or the \
                 patient with the card, can sign this",
            )
        })?;
        let context = chart.as_bytes();
        let unreadable = |error: SealedSecretError| ClinicError::Unreadable {
            chart: *chart,
            reason: error.to_string(),
        };
        let (secret, basis) = if sealed.is_under_pin() {
            let pin = pin.ok_or_else(|| ClinicError::Pin {
                reason: "the patient's PIN is needed: give it with --pin-file".to_owned(),
            })?;
            let pin = passphrase(pin)?;
            let secret = self.try_pin(chart, || match sealed.open_with_pin(&pin, context) {
                Err(SealedSecretError::Refused) => Ok(None),
                opened => opened.map(Some).map_err(unreadable),
            })?;
            (secret, Basis::PatientPin)
        } else {
            let secret = sealed.open_with_key(&self.identity.custody, context);
            (secret.map_err(unreadable)?, Basis::Custody)
        };
        Ok((PatientKey::from_bytes(secret), basis))
    }

    /// Sets the PIN of a patient's key.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for a PIN that is too short, [`ClinicError::Pin`] when the one that
    /// is set is missing or wrong, [`ClinicError::PinLimit`] after too many wrong ones.
    pub fn set_pin(&self, id: &str, new: &Pin, old: Option<&Pin>) -> Result<PinSet, ClinicError> {
        PatientPin::new(new.digits()).map_err(|error| ClinicError::usage(error.to_string()))?;
        let chart = self.find_chart(id)?;
        let (key, _) = self.patient_key(&chart, old)?;
        let sealed = SealedSecret::under_pin(
            &key.to_bytes(),
            &passphrase(new)?,
            chart.as_bytes(),
            Cost::STANDARD,
            &mut self.chance(),
        );
        let mut draft = Draft::default();
        let sealed = sealed.map_err(ClinicError::fault)?.to_bytes();
        self.keep_key(&chart, sealed, &mut draft)?;
        draft.note(Action::SetPin, Some(chart));
        self.file(draft)?;
        Ok(PinSet {
            patient: chart,
            custody: Custody::Pin,
        })
    }
}

fn passphrase(pin: &Pin) -> Result<Passphrase, ClinicError> {
    Passphrase::new(Zeroizing::new(pin.digits().as_bytes().to_vec()))
        .map_err(|error| ClinicError::usage(error.to_string()))
}
