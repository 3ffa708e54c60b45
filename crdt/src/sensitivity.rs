//! Sensitivity labels: which resources leave their compartment for a restricted one.
//!
//! `meta.security` of a resource may hold codings (FHIR R4 6.1.1). Two code systems count:
//!
//! - `v3-ActCode`: in a security label its codes are kinds of sensitivity (`HIV`, `PSY`, `ETH`,
//!   `SEX`, `SDV`, `STD`, `SUD`, `MH`, `BH`, ...) or restrictions on handling. **Every** code of
//!   it restricts, also one that is not known here: a label is not ignored for being new.
//! - `v3-Confidentiality`: `R` and `V` restrict; `U`, `L`, `M` and `N` do not. They count only
//!   when no `v3-ActCode` code is there, which says more.
//!
//! A resource with several codes goes to a compartment of its own, `restricted/ETH+HIV` with the
//! codes sorted: a grant of `restricted/HIV` alone must not open it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::compartment::SensitivityLabel;
use crate::span;

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// The label for codes that no label can hold. It still restricts.
const OTHER: &str = "OTHER";

/// The label that the text of a `meta` element asks for.
pub(crate) fn label(meta: &str) -> Option<SensitivityLabel> {
    let security = span::member(meta, "security")?;
    let mut kinds = BTreeSet::new();
    let mut levels = BTreeSet::new();
    // One coding where a list should be is read as that list: it was meant as a label.
    let codings = if security.starts_with('{') {
        vec![security]
    } else {
        span::items(security)
    };
    for coding in codings {
        let text = |name| span::member(coding, name).and_then(span::string);
        let (Some(system), Some(code)) = (text("system"), text("code")) else {
            continue;
        };
        let code = code.trim().to_ascii_uppercase();
        match without_slash(system).as_ref() {
            ACT_CODE => kinds.insert(code),
            CONFIDENTIALITY if matches!(code.as_str(), "R" | "V") => levels.insert(code),
            _ => false,
        };
    }
    let codes = if kinds.is_empty() { levels } else { kinds };
    if codes.is_empty() {
        return None;
    }
    let joined = codes.into_iter().collect::<Vec<_>>().join("+");
    SensitivityLabel::new(&joined)
        .or_else(|_| SensitivityLabel::new(OTHER))
        .ok()
}

fn without_slash(system: Cow<'_, str>) -> Cow<'_, str> {
    match system.strip_suffix('/') {
        Some(shorter) => Cow::Owned(shorter.to_owned()),
        None => system,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codings: &[(&str, &str)]) -> Option<String> {
        let codings: Vec<String> = codings
            .iter()
            .map(|(system, code)| format!(r#"{{"system":"{system}","code":"{code}"}}"#))
            .collect();
        let meta = format!(r#"{{"security":[{}]}}"#, codings.join(","));
        label(&meta).map(|l| l.as_str().to_owned())
    }

    #[test]
    fn a_kind_of_sensitivity_restricts() {
        assert_eq!(of(&[(ACT_CODE, "HIV")]).as_deref(), Some("HIV"));
        assert_eq!(of(&[(ACT_CODE, "psy")]).as_deref(), Some("PSY"));
        assert_eq!(of(&[(ACT_CODE, "NEWCODE")]).as_deref(), Some("NEWCODE"));
    }

    #[test]
    fn several_kinds_make_a_compartment_of_their_own() {
        let both = of(&[(ACT_CODE, "HIV"), (CONFIDENTIALITY, "R"), (ACT_CODE, "ETH")]);
        assert_eq!(both.as_deref(), Some("ETH+HIV"));
    }

    #[test]
    fn only_high_confidentiality_restricts() {
        assert_eq!(of(&[(CONFIDENTIALITY, "R")]).as_deref(), Some("R"));
        assert_eq!(of(&[(CONFIDENTIALITY, "V")]).as_deref(), Some("V"));
        assert_eq!(of(&[(CONFIDENTIALITY, "N")]), None);
        assert_eq!(of(&[("http://example.org", "HIV")]), None);
        assert_eq!(label("{}"), None);
    }

    #[test]
    fn a_code_that_no_label_can_hold_still_restricts() {
        assert_eq!(of(&[(ACT_CODE, "a/b")]).as_deref(), Some("OTHER"));
        assert_eq!(of(&[(ACT_CODE, "")]).as_deref(), Some("OTHER"));
        let single = format!(r#"{{"security":{{"system":"{ACT_CODE}","code":"HIV"}}}}"#);
        assert_eq!(label(&single).unwrap().as_str(), "HIV");
    }
}
