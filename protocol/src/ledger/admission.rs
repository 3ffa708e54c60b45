//! The admission: records that were held are to count.

use minicbor::{Decode, Encode};

use super::compartment::CompartmentName;
use crate::codec::{Bounded, CodecError, ascending, at_most, plain_text};
use crate::id::{ChartId, RecordId, UserId};
use crate::limits::{MAX_ADMITTED, MAX_REASON_BYTES};

/// Records whose author had no right to write them, and which the custodian takes into the chart
/// all the same: it has looked at them. Signed by the custodian's clinic key.
///
/// An admitted record counts, and so does what it builds on. It gives its author no right: what
/// the author writes next is judged by itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Admission {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The compartment of the records.
    #[n(1)]
    pub compartment: CompartmentName,
    /// The records, ascending.
    #[n(2)]
    pub records: Vec<RecordId>,
    /// Who looked at them.
    #[n(3)]
    pub by: UserId,
    /// Why they are to count, in at most 512 bytes of plain text; may be empty.
    #[n(4)]
    pub reason: String,
}

impl Bounded for Admission {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("reason", &self.reason, MAX_REASON_BYTES)?;
        at_most("admitted records", self.records.len(), MAX_ADMITTED)?;
        if self.records.is_empty() {
            return Err(CodecError::OutOfBounds {
                what: "admitted records",
            });
        }
        ascending("admitted records", &self.records)
    }
}
