//! The patient's card: made at the home clinic, read at any other.
//!
//! | file | what it is for |
//! |---|---|
//! | `make` | the card of a patient, out of the key and the chart |
//! | `summarise` | what the chart says for an emergency |
//! | `read` | what a card tells without the PIN, and the summary on it |
//! | `grant` | a grant to this clinic, signed on the spot with the key on the card |

mod grant;
mod make;
mod read;
mod summarise;

pub use grant::CardGranted;
pub use make::CardMade;
pub use read::{CardShown, SummaryOpened};

use chartmesh_protocol::ChartId;

use super::audit::Action;
use super::{Clinic, ClinicError};

impl Clinic {
    /// Notes in the audit log that a card was refused, and says why.
    fn refused_card(
        &self,
        chart: Option<ChartId>,
        why: &impl ToString,
    ) -> Result<ClinicError, ClinicError> {
        self.note(Action::RefuseCard, chart)?;
        Ok(ClinicError::Card {
            reason: why.to_string(),
        })
    }
}
