//! Emergencies, in words.

use super::{Emergency, chart, line, named, read, short};
use crate::clinic::{
    ChartView, CodeGiven, EmergencyCodeShown, EmergencyLine, EmergencyState, Opening, RuleSet,
};
use crate::control::{Answer, Failure};

pub(super) fn text(emergency: &Emergency, answer: &Answer) -> Result<String, Failure> {
    Ok(match emergency {
        Emergency::Open { .. } => opened(&read(answer)?),
        Emergency::List { .. } => list(&read::<Vec<_>>(answer)?),
        Emergency::Review { .. } => list(&[read(answer)?]),
        Emergency::Forbid { .. } | Emergency::Allow { .. } => ruled(&read(answer)?),
        Emergency::Code { .. } => code(&read(answer)?),
    })
}

fn opened(opening: &Opening) -> String {
    let mut out = String::new();
    match (opening.state, &opening.chart) {
        (EmergencyState::Open, Some(view)) => {
            let until = opening.until.as_deref().unwrap_or_default();
            line(
                &mut out,
                &format!(
                    "EMERGENCY: the summary is open until {until}. The patient and the home clinic \
                     see who asked, and why."
                ),
            );
            out.push_str(&chart::view(view));
        }
        (EmergencyState::Forbidden, _) => line(
            &mut out,
            "The patient has forbidden that anything is shown in an emergency.",
        ),
        (
            EmergencyState::Open
            | EmergencyState::Asked
            | EmergencyState::Over
            | EmergencyState::Ended,
            _,
        ) => line(
            &mut out,
            "Asked; nobody who has the chart has answered yet. Check the id. It opens by itself \
             as soon as one is reached: give the same command again.",
        ),
    }
    out
}

/// Sentences that a patient understands.
fn list(lines: &[EmergencyLine]) -> String {
    if lines.is_empty() {
        return "Nobody has asked for a summary in an emergency.\n".to_owned();
    }
    let mut out = String::new();
    for one in lines {
        let clinic = named(one.clinic_name.as_ref(), &one.clinic);
        line(
            &mut out,
            &format!(
                "  {}  {}: {} at {clinic} asked for the summary of patient {}, {}: \"{}\"",
                short(&one.id),
                one.at,
                one.clinician,
                short(&one.patient),
                match one.code {
                    CodeGiven::Right => "with the emergency code",
                    CodeGiven::Wrong => "with a WRONG emergency code",
                    CodeGiven::None => "WITHOUT the emergency code",
                    CodeGiven::NotKnown => "with an emergency code that is not checked here",
                },
                one.reason
            ),
        );
        let until = one.until.as_deref().unwrap_or_default();
        let state = match one.state {
            EmergencyState::Asked => "Nobody who has the chart has answered yet.".to_owned(),
            EmergencyState::Open => format!("Open until {until}."),
            EmergencyState::Over => format!("It was open until {until}."),
            EmergencyState::Ended => "It was open, and was ended early.".to_owned(),
            EmergencyState::Forbidden => "Refused: the patient has forbidden it.".to_owned(),
        };
        let found = match &one.reviewed {
            None => "The home clinic has not looked at it yet.".to_owned(),
            Some(found) => {
                let verdict = match found.justified {
                    true => "The home clinic found it right",
                    false => "The home clinic found it NOT RIGHT",
                };
                match found.note.as_str() {
                    "" => format!("{verdict}."),
                    note => format!("{verdict}: \"{note}\""),
                }
            }
        };
        line(&mut out, &format!("            {state} {found}"));
        if one.reviewed.as_ref().is_some_and(|found| !found.justified) {
            for grant in &one.grants {
                let grant = short(grant);
                let text =
                    format!("            End it: chartmesh consent revoke {grant} --reason ...");
                line(&mut out, &text);
            }
        }
    }
    out
}

/// Emergencies that the home clinic has not looked at.
pub(super) fn in_chart(out: &mut String, chart: &ChartView) {
    let all = chart.emergencies.iter();
    for one in all.filter(|one| one.reviewed.is_none()) {
        let clinic = named(one.clinic_name.as_ref(), &one.clinic);
        let text = format!(
            "  EMERGENCY {} at {clinic} asked for the summary, {}: \"{}\"",
            one.clinician, one.at, one.reason
        );
        line(out, &text);
    }
}

fn ruled(set: &RuleSet) -> String {
    match set.allowed {
        true => "Who asks from now on in an emergency sees the summary for a day.\n".to_owned(),
        false => "Nothing of the chart is released any more in an emergency, once whoever has it \
                  has heard of this. What was seen before cannot be called back.\n"
            .to_owned(),
    }
}

fn code(shown: &EmergencyCodeShown) -> String {
    format!(
        "Both stand on the card that `chartmesh patient card` makes:\n  chart           {}\n  \
         emergency code  {}\n",
        shown.patient, shown.code
    )
}
