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
    let unit = match unit.as_str() {
        "s" => "seconds",
        "min" => "minutes",
        "h" => "hours",
        "d" => "days",
        "wk" => "weeks",
        "mo" => "months",
        "a" => "years",
        other => other,
    };
    Some(format!("{frequency} × every {period} {unit}"))
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
        assert_eq!(
            lines(&parts),
            ["2.50 mg, 2 × every 1.0 days, oral, as needed"]
        );
    }
}
