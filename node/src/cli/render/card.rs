//! Patients' cards: written to a file, and in words.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use super::{Card, consent, line, on, read, short};
use crate::clinic::{CardGranted, CardMade, CardShown, SummaryOpened};
use crate::control::{Answer, Exit, Failure};
use crate::print::{self, CardPage, Form};

/// Writes a card that was made to its file, and says so.
pub(in crate::cli) fn write(out: &Path, answer: &Answer, json: bool) -> Result<(), Failure> {
    let made: CardMade = serde_json::from_str(answer.value.get()).map_err(|error| {
        let text = format!("the running node answers in another version ({error}); restart it");
        Failure::new(Exit::Failed, text)
    })?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error.to_string());
    let form = Form::of(out).map_err(|error| failed(&error))?;
    let page = || print::card(&page_of(&made)).map_err(|error| failed(&error));
    let bytes = match form {
        Form::Pdf => page()?.pdf(),
        Form::Png => page()?.png(),
        Form::Text => format!("{}\n{}\n", made.key, made.summary).into_bytes(),
    };
    crate::folder::write_whole(out, &bytes).map_err(|error| on(out, &error))?;
    let lacks = left_out(&Counts::made(&made));
    let text = if json {
        let report = serde_json::json!({ "written": out, "patient": made.patient,
            "made": made.made, "left_out": {
                "allergies": made.allergies_left_out,
                "medications": made.medications_left_out,
                "problems": made.problems_left_out, "shortened": made.shortened } });
        format!("{report}\n")
    } else {
        let mut text = format!(
            "Written to {}. Print it, and delete the file.\n",
            out.display()
        );
        if let Some(lacks) = lacks {
            line(&mut text, &format!("NOT ON THE CARD: {lacks}"));
        }
        text
    };
    crate::cli::print(&text)
}

fn page_of(made: &CardMade) -> CardPage {
    CardPage {
        // One letter for a letter with its accent: there are bitmaps of such.
        name: made.name.nfc().collect(),
        birth_date: made.birth_date.clone(),
        clinic: made.clinic_name.nfc().collect(),
        chart: made.patient.to_string(),
        short_id: short(&made.patient),
        emergency_code: made.emergency_code.clone(),
        // The day.
        made: made.made.chars().take_while(|one| *one != 'T').collect(),
        key: made.key.clone(),
        summary: made.summary.clone(),
        left_out: left_out(&Counts::made(made)),
    }
}

/// How much a summary lacks.
struct Counts {
    lists: [(u16, &'static str, &'static str); 3],
    shortened: u16,
}

impl Counts {
    fn of([allergies, medications, problems]: [u16; 3], shortened: u16) -> Self {
        Self {
            lists: [
                (allergies, "allergy", "allergies"),
                (medications, "medication", "medications"),
                (problems, "problem", "problems"),
            ],
            shortened,
        }
    }

    fn made(made: &CardMade) -> Self {
        let lists = [
            made.allergies_left_out,
            made.medications_left_out,
            made.problems_left_out,
        ];
        Self::of(lists, made.shortened)
    }

    fn opened(opened: &SummaryOpened) -> Self {
        let lists = [
            opened.allergies_left_out,
            opened.medications_left_out,
            opened.problems_left_out,
        ];
        Self::of(lists, opened.shortened)
    }
}

/// What a summary lacks, in words.
fn left_out(counts: &Counts) -> Option<String> {
    let number = |count: u16, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let lists = counts.lists.iter();
    let lacking = lists.filter_map(|(count, one, many)| number(*count, one, many));
    let cut = number(counts.shortened, "text in part", "texts in part");
    let all: Vec<String> = lacking.chain(cut).collect();
    (!all.is_empty()).then(|| format!("{}.", all.join(", ")))
}

pub(super) fn text(card: &Card, answer: &Answer) -> Result<String, Failure> {
    Ok(match card {
        Card::Show { .. } => shown(&read(answer)?),
        Card::Summary { .. } => summary(&read(answer)?),
        Card::Grant { .. } => granted(&read(answer)?),
    })
}

fn shown(card: &CardShown) -> String {
    let mut out = String::new();
    let here = match card.here {
        true => "which is here",
        false => "which is not here",
    };
    line(
        &mut out,
        &format!("A patient's card of chart {}, {here}.", card.patient),
    );
    if let (Some(home), Some(name)) = (&card.home, &card.home_name) {
        let known = match card.home_known {
            true => "known here",
            false => "NOT known here",
        };
        line(
            &mut out,
            &format!("  home clinic  {name} ({}), {known}", short(home)),
        );
    }
    if let Some(made) = &card.made {
        line(&mut out, &format!("  made         {made}"));
    }
    let next = match card.code.as_str() {
        "key" => "With the patient's PIN, `chartmesh card grant` lets this clinic see the chart.",
        _ => "With the emergency code on the card, `chartmesh card summary` opens the summary.",
    };
    line(&mut out, next);
    out
}

fn summary(card: &SummaryOpened) -> String {
    let mut out = String::new();
    let about = [&card.birth_date, &card.sex].into_iter().flatten();
    let about: String = about.map(|one| format!(", {one}")).collect();
    line(&mut out, &format!("{}{about}", card.name));
    line(
        &mut out,
        &format!(
            "As of {}, by {}. What is newer is not on the card.",
            card.made, card.clinic_name
        ),
    );
    if !card.clinic_known {
        let text = format!(
            "CAUTION: this clinic does not know that clinic ({}).",
            card.clinic
        );
        line(&mut out, &text);
    }
    match (card.allergies_known.as_str(), card.allergies.is_empty()) {
        ("none-known", _) => line(&mut out, "ALLERGIES: none known"),
        ("listed", false) => list(&mut out, "ALLERGIES", &card.allergies),
        ("listed", true) => line(&mut out, "ALLERGIES: there are some, and no room for them"),
        _ => line(
            &mut out,
            "ALLERGIES: nobody has recorded any, or that there are none",
        ),
    }
    list(&mut out, "Medications", &card.medications);
    list(&mut out, "Problems", &card.problems);
    let unknown = "not known";
    let blood_group = card.blood_group.as_deref().unwrap_or(unknown);
    line(&mut out, &format!("Blood group: {blood_group}"));
    let contact = card.contact.as_deref().unwrap_or(unknown);
    line(&mut out, &format!("Call: {contact}"));
    if let Some(lacks) = left_out(&Counts::opened(card)) {
        line(&mut out, &format!("NOT ON THE CARD: {lacks}"));
    }
    out
}

fn list(out: &mut String, what: &str, entries: &[String]) {
    if entries.is_empty() {
        line(out, &format!("{what}: none recorded"));
        return;
    }
    line(out, &format!("{what}:"));
    for entry in entries {
        line(out, &format!("  {entry}"));
    }
}

fn granted(granted: &CardGranted) -> String {
    let mut out = consent::one_made(&granted.grant);
    let name = &granted.home_name;
    if granted.home_added {
        let home = &granted.home;
        let text = format!(
            "Added {name} ({home}), the home clinic.\nCompare this id with them by telephone."
        );
        line(&mut out, &text);
    }
    let chart = short(&granted.grant.patient);
    let text = match granted.arrived {
        true => format!("The chart has come: chartmesh chart show {chart}"),
        false => format!(
            "The chart has NOT come yet: nobody who has it was reached, or {name} does not know \
             this clinic.\nIt comes by itself once it is; {name} takes our card with `chartmesh \
             peer add`."
        ),
    };
    line(&mut out, &text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_lacks_is_said_in_words() {
        assert_eq!(left_out(&Counts::of([0, 0, 0], 0)), None);
        let all = left_out(&Counts::of([1, 2, 0], 1));
        assert_eq!(
            all.as_deref(),
            Some("1 allergy, 2 medications, 1 text in part.")
        );
    }
}
