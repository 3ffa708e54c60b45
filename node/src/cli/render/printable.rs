//! Texts of patients and of other clinics on a terminal.
//!
//! A name may hold anything. A line break in it would forge rows of a list, an escape sequence
//! would clear the screen, a direction mark would turn the rest of a line around: what is printed
//! has none of them. JSON and exports keep every text as it is.

use serde_json::Value;

/// Replaces in every text what a terminal would obey.
pub(super) fn make(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains(obeyed) {
                *text = text.replace(obeyed, " ");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make),
        Value::Object(members) => members.values_mut().for_each(make),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Control characters (Unicode general category Cc), line and paragraph separators, and marks that
/// change the direction of what follows (UAX #9).
fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_in_any_text() {
        let mut value = serde_json::json!({
            "name": "A\nB \u{1b}[31mRed\u{9b}2J",
            "list": ["one\r\u{202e}two", { "deep": "\u{2028}x\u{7}" }],
            "number": 1.5,
        });
        make(&mut value);
        let expected = serde_json::json!({
            "name": "A B  [31mRed 2J", "list": ["one  two", { "deep": " x " }], "number": 1.5,
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn names_in_every_script_stay_as_they_are() {
        let names = serde_json::json!(["أَحْمَد", "李小龙", "Nguyễn", "Zoë 👶"]);
        let mut printed = names.clone();
        make(&mut printed);
        assert_eq!(printed, names);
    }
}
