//! Finding patients: sealed index cards, and keyed tokens that lead to them.
//!
//! ```text
//! Cards   chart 16            -> IndexCard (JSON)
//! Tokens  token 16 | chart 16 -> empty
//! ```
//!
//! A token is a keyed hash of a word, so the store's keys tell nothing without its key. Both are
//! derived from `summary` and are made anew whenever that changes.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;
use serde::{Deserialize, Serialize};

use super::audit::Action;
use super::cards::WAIT_FOR_CARDS_MS;
use super::index_card::{self, Identifier, IndexCard};
use super::{Clinic, ClinicError};
use crate::store::{Batch, Space, Store};

/// A patient as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPatient {
    /// The chart.
    pub id: ChartId,
    /// The FHIR Patient id.
    pub fhir_id: String,
    /// The name.
    pub name: String,
    /// FHIR date.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: Option<String>,
    /// Identifiers.
    pub identifiers: Vec<Identifier>,
}

impl FoundPatient {
    fn of(id: ChartId, card: IndexCard) -> Self {
        Self {
            id,
            fhir_id: card.patient,
            name: card.name,
            birth_date: card.birth_date,
            sex: card.sex,
            identifiers: card.identifiers,
        }
    }
}

/// Writes a chart's card and tokens, in the place of the ones before.
pub(crate) fn index(
    store: &Store,
    batch: &mut Batch,
    chart: &ChartId,
    card: &IndexCard,
) -> Result<(), ClinicError> {
    let old = read_card(store, chart)?;
    if old.as_ref() == Some(card) {
        return Ok(());
    }
    let tokens = |card: &IndexCard| -> BTreeSet<Vec<u8>> {
        let mut keys: BTreeSet<Vec<u8>> = card
            .search_texts()
            .iter()
            .map(|text| token_key(store, text, chart))
            .collect();
        keys.insert(token_key(store, &patient_text(&card.patient), chart));
        keys
    };
    let new = tokens(card);
    let gone = old.as_ref().map(tokens).unwrap_or_default();
    for key in gone.difference(&new) {
        batch.delete(Space::Tokens, key.clone());
    }
    for key in new {
        batch.put(Space::Tokens, key, Vec::new());
    }
    let json = serde_json::to_vec(card).map_err(ClinicError::fault)?;
    batch.put(Space::Cards, chart.as_bytes().to_vec(), json);
    Ok(())
}

/// A chart's card.
pub(crate) fn read_card(store: &Store, chart: &ChartId) -> Result<Option<IndexCard>, ClinicError> {
    let Some(json) = store.get(Space::Cards, chart.as_bytes())? else {
        return Ok(None);
    };
    // A card that does not read is as good as none: it is made anew.
    Ok(serde_json::from_slice(&json).ok())
}

fn token_key(store: &Store, text: &str, chart: &ChartId) -> Vec<u8> {
    let mut key = store.token(text.as_bytes()).to_vec();
    key.extend_from_slice(chart.as_bytes());
    key
}

/// The text under which a chart is found by its FHIR Patient id.
fn patient_text(patient: &str) -> String {
    format!("Patient/{patient}")
}

impl Clinic {
    /// Patients that match every word, with an audit entry; and how many have come just now who
    /// cannot be found yet.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read or written.
    pub fn find_patients(
        &self,
        words: &[String],
    ) -> Result<(Vec<FoundPatient>, usize), ClinicError> {
        let left = self.refresh_cards_within(WAIT_FOR_CARDS_MS)?;
        let found = self.search(words)?;
        self.note(Action::Search, None)?;
        Ok((found, left))
    }

    /// Patients that match every word by the cards that there are; all patients for no words.
    /// Sorted by name.
    pub(super) fn search(&self, words: &[String]) -> Result<Vec<FoundPatient>, ClinicError> {
        let charts = if words.iter().all(|word| word.trim().is_empty()) {
            self.all_charts()?
        } else {
            self.matching(words)?
        };
        let mut found = Vec::with_capacity(charts.len());
        for chart in charts {
            // Where `summary` was not granted, there is a chart and no name.
            let card = read_card(&self.store, &chart)?.unwrap_or_default();
            found.push(FoundPatient::of(chart, card));
        }
        found.sort_by(|a, b| (&a.name, &a.birth_date, a.id).cmp(&(&b.name, &b.birth_date, b.id)));
        Ok(found)
    }

    fn matching(&self, words: &[String]) -> Result<BTreeSet<ChartId>, ClinicError> {
        let mut matching: Option<BTreeSet<ChartId>> = None;
        for typed in words.iter().flat_map(|word| word.split_whitespace()) {
            let mut charts = BTreeSet::new();
            for texts in index_card::lookup_texts(typed) {
                let mut all: Option<BTreeSet<ChartId>> = None;
                for text in texts {
                    let with = self.charts_with(&text)?;
                    all = Some(match all {
                        Some(all) => &all & &with,
                        None => with,
                    });
                }
                charts.extend(all.unwrap_or_default());
            }
            matching = Some(match matching {
                Some(before) => &before & &charts,
                None => charts,
            });
        }
        Ok(matching.unwrap_or_default())
    }

    fn charts_with(&self, text: &str) -> Result<BTreeSet<ChartId>, ClinicError> {
        let token = self.store.token(text.as_bytes());
        let mut charts = BTreeSet::new();
        for key in self.store.keys(Space::Tokens, &token) {
            let key = key?;
            charts.extend(
                key.get(token.len()..)
                    .and_then(|id| ChartId::try_from(id).ok()),
            );
        }
        Ok(charts)
    }

    /// Every chart that this node holds anything of.
    pub(crate) fn all_charts(&self) -> Result<BTreeSet<ChartId>, ClinicError> {
        let mut charts = BTreeSet::new();
        for key in self.store.keys(Space::Charts, &[]) {
            charts.extend(ChartId::try_from(key?.as_slice()).ok());
        }
        Ok(charts)
    }

    /// The charts of patients known by a FHIR Patient id. Ids are each clinic's own, so charts of
    /// different people can have the same.
    pub(crate) fn charts_of_patient(
        &self,
        patient: &str,
    ) -> Result<BTreeSet<ChartId>, ClinicError> {
        self.refresh_cards()?;
        self.charts_with(&patient_text(patient))
    }

    /// The chart that a typed id names: the chart id, the FHIR Patient id, or a unique beginning
    /// of either.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], [`ClinicError::Ambiguous`], or [`ClinicError::StillComing`] where
    /// somebody else may have the id, of whom that is not known yet.
    pub fn find_chart(&self, typed: &str) -> Result<ChartId, ClinicError> {
        self.find_chart_within(typed, WAIT_FOR_CARDS_MS)
    }

    /// The same, waiting so many milliseconds for cards.
    pub(super) fn find_chart_within(&self, typed: &str, ms: u64) -> Result<ChartId, ClinicError> {
        let typed = typed.trim();
        let typed = typed.strip_prefix("Patient/").unwrap_or(typed);
        let lower = typed.to_ascii_lowercase();
        if let Ok(id) = lower.parse::<ChartId>()
            && self.store.contains(Space::Charts, id.as_bytes())?
        {
            return Ok(id);
        }
        match self.refresh_cards_within(ms)? {
            0 => {}
            count => return Err(ClinicError::StillComing { count }),
        }
        let mut found = self.charts_with(&patient_text(typed))?;
        if found.is_empty() && !typed.is_empty() {
            for chart in self.all_charts()? {
                let by_patient = || -> Result<bool, ClinicError> {
                    let card = read_card(&self.store, &chart)?;
                    let id = card.map(|card| card.patient.to_ascii_lowercase());
                    Ok(id.is_some_and(|id| id.starts_with(&lower)))
                };
                if chart.to_string().starts_with(&lower) || by_patient()? {
                    found.insert(chart);
                }
            }
        }
        ClinicError::only(found, ("patient", "patients"), "patient search")
    }
}
