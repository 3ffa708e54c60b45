//! Patients' cards: their text, as typed, out of a file, or from a scanner that types.

use std::fs::File;
use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

use chartmesh_protocol::patient_card::{PatientPin, PinError};

use super::pins::{given_pin, type_new_pin};
use super::{MAX_CARD_FILE, PinArg};
use crate::cli::args::{Card, CardArg};
use crate::control::{CardOrder, CardRequest, Exit, Failure, GrantRequest, Pin, Request};
use crate::print::Form;

/// How every text of a card begins, in whatever case it was typed.
const PREFIX: &str = "CHARTMESH-";
/// How that of a summary goes on.
const SUMMARY: &str = "CHARTMESH-SUMMARY:";
/// How that of a key goes on.
const KEY: &str = "CHARTMESH-CARD:";

/// The request of a command about a card from elsewhere.
pub(super) fn request(card: &Card) -> Result<Request, Failure> {
    Ok(Request::Card(match card {
        Card::Show { card } => CardRequest::Show {
            text: text(card, KEY)?,
        },
        Card::Summary { card, code } => CardRequest::Summary {
            text: text(card, SUMMARY)?,
            code: code.clone(),
        },
        Card::Grant {
            card,
            compartments,
            rights,
            purpose,
            days,
            pin,
        } => CardRequest::Grant(CardOrder {
            text: text(card, KEY)?,
            terms: GrantRequest {
                patient: String::new(),
                compartments: compartments.clone(),
                rights: rights.clone(),
                purpose: Some(purpose.clone()),
                days: Some(*days),
                pin: checked(given_pin(pin)?)?,
                ..GrantRequest::of_everything(String::new())
            },
        }),
    }))
}

/// The request for a card to be made. What is to be written is known before a PIN is asked for, and
/// a PIN that a person types is typed twice: nobody opens a card whose PIN was mistyped.
pub(super) fn made(id: &str, out: &Path, pin: &PinArg) -> Result<Request, Failure> {
    Form::of(out).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let pin = match given_pin(pin)? {
        None if stdin().is_terminal() => Some(type_new_pin()?),
        given => given,
    };
    Ok(Request::Card(CardRequest::Make {
        id: id.to_owned(),
        pin: checked(pin)?,
    }))
}

/// What is no PIN at all is no try.
fn checked(pin: Option<Pin>) -> Result<Option<Pin>, Failure> {
    let is_none = |error: PinError| Failure::new(Exit::Usage, error.to_string());
    if let Some(pin) = &pin {
        PatientPin::new(pin.digits()).map_err(is_none)?;
    }
    Ok(pin)
}

/// The text of a card. Of a file with both codes, the one that is `wanted`.
fn text(arg: &CardArg, wanted: &str) -> Result<String, Failure> {
    let typed = arg.card.as_str();
    let head = typed.get(..PREFIX.len()).unwrap_or_default();
    let given = if typed == "-" {
        read("the standard input", stdin())?
    } else if head.eq_ignore_ascii_case(PREFIX) || !Path::new(typed).exists() {
        typed.to_owned()
    } else {
        let file = File::open(typed);
        let file = file.map_err(|error| Failure::new(Exit::Failed, format!("{typed}: {error}")))?;
        read(typed, file)?
    };
    Ok(one_of(&given, wanted))
}

/// Of several codes the one that begins so; else the whole text.
fn one_of(text: &str, wanted: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let starts = upper.match_indices(PREFIX).map(|(at, _)| at);
    let mut ends = starts.clone().skip(1).chain([upper.len()]);
    let codes: Vec<&str> = starts
        .filter_map(|start| upper.get(start..ends.next()?))
        .collect();
    match codes.as_slice() {
        [_, _, ..] => codes
            .into_iter()
            .find(|code| code.starts_with(wanted))
            .unwrap_or(text)
            .to_owned(),
        _ => text.to_owned(),
    }
}

fn read(name: &str, from: impl Read) -> Result<String, Failure> {
    let unreadable =
        |reason: &dyn std::fmt::Display| Failure::new(Exit::Failed, format!("{name}: {reason}"));
    let mut bytes = Vec::new();
    from.take(MAX_CARD_FILE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_CARD_FILE) {
        return Err(unreadable(&"this is too long for a patient's card"));
    }
    String::from_utf8(bytes).map_err(|_| {
        unreadable(&"this is no text: scan the code of the card, and give what the scanner types")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_with_both_codes_the_one_that_is_meant_is_taken() {
        let both = "chartmesh-card:AB\r\nCD\nCHARTMESH-SUMMARY:EF\n";
        assert_eq!(one_of(both, KEY), "CHARTMESH-CARD:AB\r\nCD\n");
        assert_eq!(one_of(both, SUMMARY), "CHARTMESH-SUMMARY:EF\n");
        // Whether it is the right one is said by who reads it.
        for one in ["CHARTMESH-CARD:AB", "hello", ""] {
            assert_eq!(one_of(one, SUMMARY), one);
        }
    }
}
