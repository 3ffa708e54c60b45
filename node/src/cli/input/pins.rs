//! PINs: out of a file, or from a person.

use std::io::IsTerminal;
use std::path::Path;

use super::{PinArg, type_secret};
use crate::control::{
    CardOrder, CardRequest, EmergencyRequest, Exit, Failure, GrantRequest, Pin, Request,
};

pub(super) fn given_pin(pin: &PinArg) -> Result<Option<Pin>, Failure> {
    pin.pin_file.as_deref().map(read_pin).transpose()
}

pub(super) fn read_pin(file: &Path) -> Result<Pin, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", file.display())))?;
    Ok(Pin::new(text.trim().to_owned()))
}

/// A PIN that is new, typed twice.
pub(super) fn type_new_pin() -> Result<Pin, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            "a new PIN is needed: give it in a file",
        ));
    }
    let typed = type_secret("New PIN: ")?;
    if type_secret("New PIN again: ")? != typed {
        return Err(Failure::new(Exit::Usage, "the two PINs differ"));
    }
    Ok(Pin::new(typed))
}

/// The same request with the PIN that a person types; none where nobody can.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other request is signed with no patient's key"
)]
pub(in crate::cli) fn with_pin(request: Request) -> Result<Option<Request>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = Some(Pin::new(type_secret("The patient's PIN: ")?));
    Ok(match request {
        Request::ConsentGrant(grant) => Some(Request::ConsentGrant(GrantRequest {
            pin: typed,
            ..grant
        })),
        Request::ConsentRevoke { grant, reason, .. } => Some(Request::ConsentRevoke {
            grant,
            reason,
            pin: typed,
        }),
        Request::PatientPin { id, new_pin, .. } => Some(Request::PatientPin {
            id,
            new_pin,
            pin: typed,
        }),
        Request::Emergency(EmergencyRequest::Rule {
            patient, allowed, ..
        }) => Some(Request::Emergency(EmergencyRequest::Rule {
            patient,
            allowed,
            pin: typed,
        })),
        Request::Card(CardRequest::Make { id, .. }) => {
            Some(Request::Card(CardRequest::Make { id, pin: typed }))
        }
        Request::Card(CardRequest::Grant(order)) => {
            let terms = GrantRequest {
                pin: typed,
                ..order.terms
            };
            let order = CardOrder { terms, ..order };
            Some(Request::Card(CardRequest::Grant(order)))
        }
        _ => None,
    })
}
