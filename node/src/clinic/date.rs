//! Dates and moments as people type and read them.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

/// Nanoseconds of a millisecond.
const MS: i128 = 1_000_000;

/// 2026-01-01: this program was not there before, so a clock that says so has stopped or was reset,
/// as that of an old laptop without its battery.
const FIRST_MOMENT_MS: u64 = 1_767_225_600_000;

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

/// How long ago a moment is, in words. One that is to come is now: a clock is ahead.
#[must_use]
pub(super) fn ago(at_ms: u64, now_ms: u64) -> String {
    let minutes = now_ms.saturating_sub(at_ms) / 60_000;
    let (count, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// How wrong a clock is that is so many milliseconds ahead of ours.
#[must_use]
pub(super) fn skew(ahead_ms: i64) -> String {
    let minutes = ahead_ms.unsigned_abs() / 60_000;
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
    format!("{count} {unit}{plural} {way} ours")
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
    first_day(text).is_some()
}

/// Whether a FHIR date has begun nowhere yet at a moment in milliseconds since 1970: nobody is
/// born on it so far. A clock that is plainly wrong tells nothing.
#[must_use]
pub(super) fn is_to_come(text: &str, now_ms: u64) -> bool {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now_ms).saturating_mul(MS));
    // At the date line, a day begins up to 14 hours before it does in UTC.
    let today = now.ok().and_then(|now| now.date().next_day());
    now_ms >= FIRST_MOMENT_MS
        && matches!((first_day(text), today), (Some(first), Some(today)) if first > today)
}

/// The first day of a FHIR date.
fn first_day(text: &str) -> Option<Date> {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return None,
    };
    Date::parse(&whole, format_description!("[year]-[month]-[day]")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_in_large_units() {
        let minute = 60_000;
        assert_eq!(skew(11 * minute), "11 minutes ahead of ours");
        assert_eq!(skew(-360 * minute), "6 hours behind ours");
        assert_eq!(skew(43_559 * minute), "30 days ahead of ours");
        assert_eq!(skew(-i64::MAX), "106751991167 days behind ours");
    }

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
    fn nobody_is_born_after_today() {
        let noon = parse_until("2026-11-27T12:00:00Z").unwrap();
        for over in ["1987-04-02", "2026-11-27", "2026-11", "2026", "2026-11-28"] {
            assert!(!is_to_come(over, noon), "{over}");
        }
        for to_come in ["2026-11-29", "2026-12", "2027", "2090-01-01"] {
            assert!(is_to_come(to_come, noon), "{to_come}");
            assert!(!is_to_come(to_come, 0), "a clock that was reset");
        }
    }

    #[test]
    fn fhir_dates_may_leave_out_the_day_and_the_month() {
        assert!(is_fhir_date("1950") && is_fhir_date("1950-02") && is_fhir_date("1950-02-28"));
        assert!(!is_fhir_date("1950-02-30") && !is_fhir_date("50") && !is_fhir_date("1950/2"));
    }
}
