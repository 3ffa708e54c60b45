//! Days and times of invented lives, counted back from one fixed day: no clock is read.

use time::{Date, Duration, macros::date};

/// The day on which every generated chart ends.
pub(super) const TODAY: Date = date!(2025 - 06 - 30);

/// The day that lies `days` before another; the earliest there is when that is too early.
pub(super) fn days_before(day: Date, days: u32) -> Date {
    day.checked_sub(Duration::days(days.into()))
        .unwrap_or(Date::MIN)
}

/// The day that lies `days` after another.
pub(super) fn days_after(day: Date, days: u32) -> Date {
    day.checked_add(Duration::days(days.into()))
        .unwrap_or(Date::MAX)
}

/// The whole days from one day to a later one; 0 when it is not later.
pub(super) fn days_between(from: Date, to: Date) -> u32 {
    u32::try_from((to - from).whole_days()).unwrap_or(0)
}

/// The completed months from one day to a later one, at 30.4 days each: exact enough for ages.
pub(super) fn months_between(from: Date, to: Date) -> u32 {
    days_between(from, to) * 10 / 304
}

/// A day as FHIR writes it (FHIR R4 2.24.0.1, `date`).
pub(super) fn day_text(day: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        day.year(),
        u8::from(day.month()),
        day.day()
    )
}

/// A moment as FHIR writes it (FHIR R4 2.24.0.1, `dateTime`): minutes since midnight, and the
/// zone of the place, such as `+03:00`.
pub(super) fn moment_text(day: Date, minute: u32, zone: &str) -> String {
    format!(
        "{}T{:02}:{:02}:00{zone}",
        day_text(day),
        minute / 60 % 24,
        minute % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_counted() {
        assert_eq!(day_text(days_before(TODAY, 365)), "2024-06-30");
        assert_eq!(days_between(days_before(TODAY, 400), TODAY), 400);
        assert_eq!(days_between(TODAY, days_before(TODAY, 1)), 0);
        assert_eq!(months_between(days_before(TODAY, 366), TODAY), 12);
        assert_eq!(
            moment_text(TODAY, 9 * 60 + 5, "+05:45"),
            "2025-06-30T09:05:00+05:45"
        );
    }
}
