//! The first steps: clinics, patients, consent. None of them needs a link.

use std::path::Path;

use serde_json::json;

use super::Screen;
use super::patient;
use super::stage::Stage;
use super::told::{Told, claim, needed};
use crate::clinic::{GrantsMade, short};
use crate::clock;
use crate::control::{Exit, Failure, GrantRequest, Progress};

/// Makes the clinics known to each other.
pub(super) fn clinics(stage: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
    // A card names addresses, and a clinic has those once it was connected.
    stage.connect()?;
    let mut lines = Vec::new();
    let mut cards = Vec::new();
    for member in stage.members() {
        let card = member.clinic.own_card()?;
        let id = short(&card.clinic_id);
        lines.push(format!("{:<14}  clinic {id}", member.name));
        cards.push(card);
    }
    stage.disconnect();
    for member in stage.members() {
        let own = member.clinic.clinic_id();
        for card in cards.iter().filter(|card| card.clinic_id != own) {
            member.clinic.add_peer(&card.card)?;
        }
        let known = member.clinic.peers()?.len();
        claim(known == 2, &format!("{} knows the other two", member.name))?;
    }
    Ok(Told::new(
        lines,
        json!({ "cards_exchanged": 6 }),
        "Each has a folder, keys and a store of its own, and the cards of the other two. A card\n\
         says who a clinic is and where it is reached. It opens no chart.",
    ))
}

/// Registers one patient by hand, and imports invented ones.
pub(super) fn patients(stage: &mut Stage, screen: &Screen<'_>) -> Result<Told, Failure> {
    let hill = &stage.hill;
    let begun = clock::now_ms();
    let folder = stage.files();
    let invented = folder.join("invented");
    generate_into(&invented, stage.invented, stage.seed)?;
    let registered = hill.clinic.register(&patient::registration())?;
    let first = (
        "amina-1-first-visit.json",
        patient::first_visit as fn(&_) -> _,
    );
    let hers = patient::record(hill, &registered.id, &folder, first)?;
    let total = u64::from(stage.invented);
    let bar = (screen.bar)();
    let resources = hill.import(&invented, &|step: Progress| {
        bar(&Progress { total, ..step })
    })?;
    drop(bar);
    let seconds = clock::now_ms().saturating_sub(begun);
    let charts = hill.clinic.find_patients(&[])?.0.len();
    let wanted = usize::try_from(stage.invented)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    claim(charts == wanted, "Hill Clinic has a chart of every patient")?;
    let id = short(&registered.id);
    stage.patient = Some(registered.id);
    Ok(Told::new(
        vec![
            format!(
                "{}, born 1987-04-02: chart {id}, {hers} resources",
                registered.name
            ),
            format!("{total} invented patients: {resources} resources, as FHIR, in {seconds} ms"),
        ],
        json!({
            "registered": registered,
            "charts": charts,
            "resources": resources.saturating_add(hers),
        }),
        "No clinic is connected yet: all of this works without a link.",
    ))
}

/// Grants River Hospital everything, and Far Clinic nothing.
pub(super) fn consent(stage: &mut Stage, screen: &Screen<'_>) -> Result<Told, Failure> {
    let request = GrantRequest::of_everything(stage.river.clinic.clinic_id().to_string());
    let bar = (screen.bar)();
    let made = stage.hill.clinic.grant(&request, &|step| bar(&step))?;
    drop(bar);
    let GrantsMade::All(made) = made else {
        return Err(Failure::new(
            Exit::Failed,
            "one grant was made instead of all",
        ));
    };
    let signed = made.iter().filter(|one| one.grant.is_some()).count();
    let charts = stage.hill.clinic.find_patients(&[])?.0.len();
    claim(signed == charts, "a grant was signed for every patient")?;
    let far = stage.far.clinic.clinic_id();
    let to_far = stage.hill.clinic.grants(None)?;
    let to_far = to_far.iter().filter(|one| one.to == far).count();
    claim(to_far == 0, "Far Clinic has no grant")?;
    let patient = needed(stage.patient, "patient")?;
    let hers = made.iter().find(|one| one.patient == patient);
    stage.grant = Some(needed(
        hers.and_then(|one| one.grant),
        "grant of the patient",
    )?);
    Ok(Told::new(
        vec![
            format!("River Hospital  {signed} grants: everything, to read and to write"),
            format!("Far Clinic      {to_far} grants"),
        ],
        json!({ "grants": { "River Hospital": signed, "Far Clinic": to_far } }),
        "Each grant is signed with that patient's own key. Hill Clinic keeps these keys until the\n\
         patients set a PIN.",
    ))
}

/// Writes invented patients into a folder.
fn generate_into(folder: &Path, patients: u32, seed: u64) -> Result<(), Failure> {
    let on = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| on(folder, &error))?;
    let charts = usize::try_from(patients).unwrap_or(usize::MAX);
    for patient in crate::generate::generate(charts, seed) {
        let path = folder.join(&patient.file_name);
        std::fs::write(&path, patient.json).map_err(|error| on(&path, &error))?;
    }
    Ok(())
}
