//! What a card tells in an emergency, made to fit one QR code.

use minicbor::{Decode, Encode};

use super::summary_card::room_for_summary;
use crate::codec::{self, Bounded, CodecError, at_most, plain_text};
use crate::id::{ChartId, ClinicId};
use crate::identity::{ClinicKey, Context, Signable, SignedError, Verified};
use crate::limits::{MAX_NAME_BYTES, MAX_SUMMARY_CARD_BYTES};

const VERSION: u8 = 1;

/// The longest text of one entry, in bytes: "amoxicillin 500 mg, three times a day, by mouth" and
/// some more.
const MAX_ENTRY_BYTES: usize = 64;
/// The most entries of one list: more than a code has room for.
const MAX_ENTRIES: usize = 64;
/// What stands at the end of a text that was cut.
const CUT: &str = "…";

/// Whether the list of allergies says everything. "None known" is an answer; "not recorded" is
/// that nobody has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AllergiesKnown {
    /// Nobody has recorded anything.
    #[n(0)]
    NotRecorded,
    /// Somebody asked, and there are none.
    #[n(1)]
    NoneKnown,
    /// Those of the list.
    #[n(2)]
    Listed,
}

/// How much of the chart's summary the card has no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LeftOut {
    /// Allergies.
    #[n(0)]
    pub allergies: u16,
    /// Medications.
    #[n(1)]
    pub medications: u16,
    /// Problems.
    #[n(2)]
    pub problems: u16,
    /// Texts that are shortened; each ends in an ellipsis.
    #[n(3)]
    pub shortened: u16,
}

/// What helps who finds somebody unconscious. Signed by the clinic that made it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CardSummary {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The clinic that made it, which signs.
    #[n(1)]
    pub clinic: ClinicId,
    /// Its name.
    #[n(2)]
    pub clinic_name: String,
    /// When it was made, milliseconds since 1970.
    #[n(3)]
    pub made_ms: u64,
    /// The patient's name.
    #[n(4)]
    pub name: String,
    /// FHIR date: YYYY, YYYY-MM or YYYY-MM-DD.
    #[n(5)]
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    #[n(6)]
    pub sex: Option<String>,
    /// ABO and Rh group, as written.
    #[n(7)]
    pub blood_group: Option<String>,
    /// Whom to call, and how.
    #[n(8)]
    pub contact: Option<String>,
    /// What is known of allergies.
    #[n(9)]
    pub allergies_known: AllergiesKnown,
    /// Allergies, the worst first.
    #[n(10)]
    pub allergies: Vec<String>,
    /// Active medications.
    #[n(11)]
    pub medications: Vec<String>,
    /// Active problems.
    #[n(12)]
    pub problems: Vec<String>,
    /// What there was no room for.
    #[n(13)]
    pub left_out: LeftOut,
}

impl CardSummary {
    /// The same, made to fit: control characters become spaces, a text is cut at 64 bytes, and of
    /// what then is too much the last problems are left out first, then the last medications, then
    /// the last allergies. Who it is and whom to call always stays. What was left out or cut is
    /// counted.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        let mut cut = 0_u16;
        let mut fit = |text: &mut String| {
            let (fitted, was_cut) = entry(text);
            *text = fitted;
            cut = cut.saturating_add(u16::from(was_cut));
        };
        let one = [&mut self.clinic_name, &mut self.name].into_iter();
        let some = [
            &mut self.birth_date,
            &mut self.sex,
            &mut self.blood_group,
            &mut self.contact,
        ];
        one.chain(some.into_iter().flatten()).for_each(&mut fit);
        let mut left_out = self.left_out;
        let lists = [
            (&mut self.allergies, &mut left_out.allergies),
            (&mut self.medications, &mut left_out.medications),
            (&mut self.problems, &mut left_out.problems),
        ];
        for (list, over) in lists {
            let more = list.len().saturating_sub(MAX_ENTRIES);
            list.truncate(MAX_ENTRIES);
            *over = over.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
            list.iter_mut().for_each(&mut fit);
        }
        left_out.shortened = left_out.shortened.saturating_add(cut);
        self.left_out = left_out;
        while codec::encode(&self).len() > room_for_summary() && self.leave_one_out() {}
        self
    }

    /// Leaves out what is missed the least. Says false when nothing is left.
    fn leave_one_out(&mut self) -> bool {
        let left_out = &mut self.left_out;
        let lists = [
            (&mut self.problems, &mut left_out.problems),
            (&mut self.medications, &mut left_out.medications),
            (&mut self.allergies, &mut left_out.allergies),
        ];
        let full = lists.into_iter().find(|(list, _)| !list.is_empty());
        let Some((list, over)) = full else {
            return false;
        };
        if list.pop().is_some_and(|text| text.ends_with(CUT)) {
            left_out.shortened = left_out.shortened.saturating_sub(1);
        }
        *over = over.saturating_add(1);
        true
    }

    /// Whether something of the chart's summary does not stand on the card.
    pub fn is_trimmed(&self) -> bool {
        self.left_out != LeftOut::default()
    }

    /// Signs it. Fails when it names another clinic than the key's, and when it does not
    /// [fit](Self::fitted).
    pub fn sign(self, key: &ClinicKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

/// A text in one line of at most 64 bytes, and whether it was cut.
fn entry(text: &str) -> (String, bool) {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let line = line.trim();
    if line.len() <= MAX_ENTRY_BYTES {
        return (line.to_owned(), false);
    }
    let room = MAX_ENTRY_BYTES.saturating_sub(CUT.len());
    let ends = line.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|at| *at <= room).last().unwrap_or(0);
    let kept = line.get(..end).unwrap_or_default();
    (format!("{}{CUT}", kept.trim_end()), true)
}

impl Bounded for CardSummary {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("clinic", &self.clinic_name, MAX_NAME_BYTES)?;
        plain_text("name", &self.name, MAX_ENTRY_BYTES)?;
        let some = [
            &self.birth_date,
            &self.sex,
            &self.blood_group,
            &self.contact,
        ];
        some.into_iter()
            .flatten()
            .try_for_each(|text| plain_text("patient", text, MAX_ENTRY_BYTES))?;
        for list in [&self.allergies, &self.medications, &self.problems] {
            at_most("list", list.len(), MAX_ENTRIES)?;
            list.iter()
                .try_for_each(|text| plain_text("entry", text, MAX_ENTRY_BYTES))?;
        }
        Ok(())
    }
}

impl Signable for CardSummary {
    const CONTEXT: Context = Context::new("patient card summary");
    const MOST_BYTES: usize = MAX_SUMMARY_CARD_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_SUMMARY_CARD_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.clinic.as_bytes()
    }
}
