//! Dates and moments as people type and read them.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

/// Milliseconds of a second.
const MS: i128 = 1_000_000;

/// A moment as RFC 3339 in UTC, to the second.
#[must_use]
pub(super) fn moment(ms: u64) -> String {
    let nanos = i128::from(ms).saturating_mul(MS);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|at| at.replace_nanosecond(0).ok())
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| "after the year 9999".to_owned())
}

/// The moment that `2027-06-30` (the end of that day, UTC) or an RFC 3339 text names, in
/// milliseconds since 1970.
#[must_use]
pub(super) fn parse_until(text: &str) -> Option<u64> {
    let at = if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        moment
    } else {
        let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        let last = Time::from_hms_milli(23, 59, 59, 999).ok()?;
        day.with_time(last).assume_utc()
    };
    u64::try_from(at.unix_timestamp_nanos() / MS).ok()
}

/// Whether a text is a FHIR date: YYYY, YYYY-MM or YYYY-MM-DD (FHIR R4 §2.24.0.1).
#[must_use]
pub(super) fn is_fhir_date(text: &str) -> bool {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return false,
    };
    Date::parse(&whole, format_description!("[year]-[month]-[day]")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_until_its_end() {
        let ms = parse_until("2027-06-30").unwrap();
        assert_eq!(moment(ms), "2027-06-30T23:59:59Z");
        assert_eq!(
            parse_until("2027-06-30T12:00:00Z").map(moment).unwrap(),
            "2027-06-30T12:00:00Z"
        );
        for bad in ["", "tomorrow", "2027-13-01", "2027-02-30", "30.6.2027"] {
            assert_eq!(parse_until(bad), None, "{bad}");
        }
    }

    #[test]
    fn fhir_dates_may_leave_out_the_day_and_the_month() {
        assert!(is_fhir_date("1950") && is_fhir_date("1950-02") && is_fhir_date("1950-02-28"));
        assert!(!is_fhir_date("1950-02-30") && !is_fhir_date("50") && !is_fhir_date("1950/2"));
    }
}
