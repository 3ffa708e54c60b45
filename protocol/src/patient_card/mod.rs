//! The patient's card: paper that brings a chart to a clinic that has never heard of it.
//!
//! Two QR codes stand on it, each a line of text, so that a hand scanner, a telephone or a file
//! reads it.
//!
//! - [`KeyCard`]: the patient's key and the chart secret under the patient's PIN, the statement
//!   that begins the chart, and the home clinic's card. With the PIN, any clinic signs a grant to
//!   itself and knows whom to ask for the chart.
//! - [`SummaryCard`]: a [`CardSummary`], signed by the clinic that made it, under the emergency
//!   code. Any node opens it without a link.
//!
//! Whoever has the card has the code, which is printed on it: the summary is sealed against
//! whoever sees only the one code on a photograph, not against who holds the card. The key is under
//! the PIN alone: see [`PinCost::CARD`] for what that is worth.

mod cost;
mod error;
mod key_card;
mod pin;
mod summary;
mod summary_card;
#[cfg(test)]
mod tests;
mod text;

pub use cost::PinCost;
pub use error::{KeyCardError, SummaryCardError};
pub use key_card::{KeyCard, Opened};
pub use pin::{MAX_PIN_DIGITS, MIN_PIN_DIGITS, PatientPin, PinError};
pub use summary::{AllergiesKnown, CardSummary, LeftOut};
pub use summary_card::SummaryCard;
pub use text::{CardKind, CardText, CardTextError};
