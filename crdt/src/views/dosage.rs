//! Dosages (FHIR R4 2.24.0.13) as one line of text.

use super::concept::Concept;
use super::text_in;
use crate::span;

/// One line for each dosage of a list.
pub(crate) fn lines(array: &str) -> Vec<String> {
    span::items(array).into_iter().filter_map(line).collect()
}

/// The text as entered, else one made of dose, timing and route.
fn line(dosage: &str) -> Option<String> {
    if let Some(text) = text_in(dosage, "text") {
        return Some(text);
    }
    let dose = span::member(dosage, "doseAndRate")
        .map(span::items)
        .unwrap_or_default();
    let dose = dose.first().and_then(|rate| {
        let range = span::member(rate, "doseRange").and_then(super::spoken);
        span::member(rate, "doseQuantity")
            .and_then(quantity)
            .or(range)
    });
    let of = |name| span::member(dosage, name).and_then(|c| Concept::read(c).text);
    let needed = span::member(dosage, "asNeededBoolean") == Some("true");
    let needed = (needed || of("asNeededCodeableConcept").is_some()).then(|| {
        match of("asNeededCodeableConcept") {
            Some(reason) => format!("as needed for {reason}"),
            None => "as needed".to_owned(),
        }
    });
    let timing = span::member(dosage, "timing").and_then(timing);
    let parts: Vec<String> = [dose, timing, of("route"), needed]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        None
    } else {
        Some(parts.join(", "))
    }
}

fn timing(timing: &str) -> Option<String> {
    if let Some(text) = span::member(timing, "code").and_then(|c| Concept::read(c).text) {
        return Some(text);
    }
    let repeat = span::member(timing, "repeat")?;
    let frequency = span::member(repeat, "frequency").unwrap_or("1");
    let (period, unit) = (
        span::member(repeat, "period")?,
        text_in(repeat, "periodUnit")?,
    );
    let (one, many) = match unit.as_str() {
        "s" => ("second", "seconds"),
        "min" => ("minute", "minutes"),
        "h" => ("hour", "hours"),
        "d" => ("day", "days"),
        "wk" => ("week", "weeks"),
        "mo" => ("month", "months"),
        "a" => ("year", "years"),
        other => (other, other),
    };
    Some(if is_one(period) {
        format!("{frequency} × a {one}")
    } else {
        format!("{frequency} × every {period} {many}")
    })
}

/// Whether a decimal is one, however many zeros follow it.
fn is_one(decimal: &str) -> bool {
    let zeros = decimal
        .strip_prefix("1.")
        .map(|rest| rest.bytes().all(|digit| digit == b'0'));
    decimal == "1" || zeros.unwrap_or(false)
}

/// A Quantity with its digits as written, like `2.50 mg`.
pub(crate) fn quantity(object: &str) -> Option<String> {
    let value = span::member(object, "value")?;
    let comparator = text_in(object, "comparator").unwrap_or_default();
    let unit = text_in(object, "unit").or_else(|| text_in(object, "code"));
    Some(match unit {
        Some(unit) => format!("{comparator}{value} {unit}"),
        None => format!("{comparator}{value}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dosage_is_read_as_entered_or_put_together() {
        let entered = r#"[{"text":"one in the morning","timing":{}}]"#;
        assert_eq!(lines(entered), ["one in the morning"]);
        let parts = r#"[{"timing":{"repeat":{"frequency":2,"period":1.0,"periodUnit":"d"}},
            "asNeededBoolean":true,"route":{"text":"oral"},
            "doseAndRate":[{"doseQuantity":{"value":2.50,"unit":"mg"}}]},{}]"#;
        let parts: String = parts.split_whitespace().collect();
        assert_eq!(lines(&parts), ["2.50 mg, 2 × a day, oral, as needed"]);
        let eight = r#"[{"timing":{"repeat":{"period":8,"periodUnit":"h"}}}]"#;
        assert_eq!(lines(eight), ["1 × every 8 hours"]);
    }
}
