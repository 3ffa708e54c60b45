//! Attachments, in words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{line, many, on, read};
use crate::cli::args::Attachment;
use crate::clinic::{Absent, AbsentAttachment, AttachmentLine, AttachmentState, Awaited, NotHad};
use crate::control::{Answer, Exit, Failure};

/// What `attachment fetch` answers.
#[derive(Deserialize)]
struct Fetched {
    fetched: bool,
    attachments: Vec<AttachmentLine>,
}

/// What `attachment save` answers.
#[derive(Deserialize)]
struct Content {
    data: String,
}

pub(super) fn text(attachment: &Attachment, answer: &Answer) -> Result<String, Failure> {
    match attachment {
        Attachment::List { .. } => Ok(list(&read::<Vec<_>>(answer)?)),
        Attachment::Fetch { .. } => {
            let done: Fetched = read(answer)?;
            let mut out = list(&done.attachments);
            if !done.fetched {
                line(&mut out, &comes_later(&done.attachments));
            }
            Ok(out)
        }
        Attachment::Save { .. } => Ok(String::new()),
    }
}

/// Writes the content that `attachment save` asked for into its file.
pub(in crate::cli) fn save(
    out: &std::path::Path,
    answer: &Answer,
    json: bool,
) -> Result<(), Failure> {
    let content: Content = read(answer)?;
    let bytes = STANDARD
        .decode(content.data)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    crate::folder::write_whole(out, &bytes).map_err(|error| on(out, &error))?;
    eprintln!("Written to {}.", out.display());
    if json {
        let report = serde_json::json!({ "written": out, "bytes": bytes.len() });
        crate::cli::print(&format!("{report}\n"))?;
    }
    Ok(())
}

fn list(lines: &[AttachmentLine]) -> String {
    if lines.is_empty() {
        return "Nothing large is in this chart.\n".to_owned();
    }
    let mut out = String::new();
    for one in lines {
        line(&mut out, &one_line(one));
    }
    out
}

/// One attachment in a line.
pub(super) fn one_line(one: &AttachmentLine) -> String {
    let bytes = one.bytes.map_or_else(|| "unknown size".to_owned(), size);
    let kind = one.content_type.as_deref().unwrap_or("unknown type");
    let title = one.title.as_ref().map(|title| format!(", {title}"));
    let state = match (one.state, &one.absent) {
        (AttachmentState::Here, _) => "here".to_owned(),
        (AttachmentState::Wanted | AttachmentState::NotHere, Some(absent)) => not_here(one, absent),
        (AttachmentState::Wanted, None) => format!("on its way, {} % here", one.percent_here),
        (AttachmentState::NotHere, None) => "not here".to_owned(),
        (AttachmentState::Unreadable, _) => "cannot be read".to_owned(),
    };
    let title = title.unwrap_or_default();
    format!("  {}: {kind}, {bytes}{title}: {state}", one.resource)
}

/// Where one is that is not here, in words.
fn not_here(one: &AttachmentLine, absent: &Absent) -> String {
    let who = absent.who();
    if absent.missing {
        format!("MISSING here, though this clinic saved it, and nobody is known to have it{who}")
    } else if absent.is_nowhere() {
        format!("not here{who}")
    } else if one.state == AttachmentState::Wanted {
        format!("{} % here, {}", one.percent_here, comes_with(absent))
    } else {
        format!("not here; {} has it", absent.named())
    }
}

/// What an export lacks, for standard error.
pub(super) fn lacking(absent: &[AbsentAttachment], patient: &str) -> String {
    let mut out = String::new();
    for one in absent {
        let size = one.bytes.map_or_else(|| "unknown size".to_owned(), size);
        let resource = &one.resource;
        line(
            &mut out,
            &format!("Without the content of {resource} ({size}): it is not here."),
        );
    }
    let count = u64::try_from(absent.len()).unwrap_or(u64::MAX);
    line(
        &mut out,
        &format!(
            "{} left out; `chartmesh attachment fetch --patient {patient}` gets what is missing.",
            many(count, "content")
        ),
    );
    out
}

/// What this clinic saved and nobody is known to have, in words; nothing where there is none.
pub(super) fn missing(missing: &NotHad) -> Option<String> {
    (!missing.is_nothing()).then(|| {
        let (verb, them) = one_or_more(missing.attachments);
        format!(
            "{} that this clinic saved {verb} not here, and nobody is known to have {them}{}",
            many(missing.attachments, "attachment"),
            missing.who.who()
        )
    })
}

/// What is wanted of others and nobody has who was asked, in words; nothing where there is none.
pub(super) fn nowhere(nowhere: &NotHad) -> Option<String> {
    (!nowhere.is_nothing()).then(|| {
        let (verb, _) = one_or_more(nowhere.attachments);
        let how_many = many(nowhere.attachments, "attachment");
        format!("{how_many} {verb} not to be had{}", nowhere.who.who())
    })
}

fn one_or_more(count: u64) -> (&'static str, &'static str) {
    match count {
        1 => ("is", "it"),
        _ => ("are", "them"),
    }
}

/// What is waited for, in words; nothing where nothing is.
pub(super) fn awaited(awaited: &Awaited) -> Option<String> {
    (awaited.attachments > 0).then(|| {
        let how_many = many(awaited.attachments, "attachment");
        let bytes = size(awaited.bytes);
        match &awaited.absent {
            Some(absent) => format!("{how_many}, {bytes} to come: {}", comes_with(absent)),
            None => format!("{how_many} on the way here, {bytes} to come"),
        }
    })
}

fn comes_with(absent: &Absent) -> String {
    let from = absent.named();
    match &absent.through {
        Some(relay) => format!(
            "comes through {relay} once {from} has been online and then this clinic; or with a \
             direct link, or on a stick"
        ),
        None => format!("comes with the next direct link to {from}, or on a stick"),
    }
}

/// What is said when what was asked for has not come.
fn comes_later(lines: &[AttachmentLine]) -> String {
    let mut not_here = lines
        .iter()
        .filter_map(|one| one.absent.as_ref())
        .peekable();
    if not_here.peek().is_some() && not_here.all(Absent::is_nowhere) {
        return "Nobody who can be asked has what is missing. Where it was saved, importing the \
                file that it came from brings it back."
            .to_owned();
    }
    let nobody = "No clinic that has what is missing can be reached now";
    let absent = lines.iter().filter_map(|one| one.absent.as_ref());
    let mut through = absent.filter_map(|absent| absent.through.as_ref());
    match through.next() {
        Some(relay) => format!(
            "{nobody}; it is asked for through {relay}, and comes when one has been online and \
             then this clinic."
        ),
        None => format!("{nobody}; it comes when one can."),
    }
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10).div_ceil(unit);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(names: &[&str], through: Option<&str>) -> Absent {
        Absent {
            waits_for: names.iter().map(|name| (*name).to_owned()).collect(),
            through: through.map(str::to_owned),
            ..Absent::default()
        }
    }

    fn wanted(waits_for: Option<&[&str]>) -> String {
        one_line(&line_of(waits_for.map(|names| absent(names, None))))
    }

    fn line_of(absent: Option<Absent>) -> AttachmentLine {
        AttachmentLine {
            resource: "DocumentReference/xray".to_owned(),
            title: None,
            content_type: Some("image/png".to_owned()),
            bytes: Some(3_000_000),
            state: AttachmentState::Wanted,
            percent_here: 40,
            absent,
        }
    }

    #[test]
    fn what_comes_through_a_relay_needs_both_clinics_one_after_the_other() {
        let line = line_of(Some(absent(&["Hill Clinic"], Some("Coast Relay"))));
        let through = "comes through Coast Relay once Hill Clinic has been online and then this \
                       clinic; or with a direct link, or on a stick";
        let said = one_line(&line);
        assert!(said.ends_with(&format!("40 % here, {through}")), "{said}");
        let later = "No clinic that has what is missing can be reached now; it is asked for \
                     through Coast Relay, and comes when one has been online and then this clinic.";
        assert_eq!(comes_later(&[line]), later);
        let without = line_of(Some(absent(&["Hill Clinic"], None)));
        assert!(comes_later(&[without]).ends_with("; it comes when one can."));
    }

    #[test]
    fn what_this_clinic_saved_and_nobody_is_known_to_have_is_missing() {
        let said = |state, absent: &Absent| {
            let line = AttachmentLine {
                state,
                ..line_of(Some(absent.clone()))
            };
            one_line(&line).split_off("  DocumentReference/xray: image/png, 3.0 MB: ".len())
        };
        let nobody = "MISSING here, though this clinic saved it, and nobody is known to have it";
        let mut one = absent(&["Hill Clinic"], None);
        assert_eq!(
            said(AttachmentState::NotHere, &one),
            "not here; Hill Clinic has it"
        );
        one.missing = true;
        for state in [AttachmentState::NotHere, AttachmentState::Wanted] {
            let may = format!("{nobody}; Hill Clinic may have it");
            assert_eq!(said(state, &one), may);
        }
        one.lacking = std::mem::take(&mut one.waits_for);
        let asked = "; Hill Clinic was asked and does not have it";
        assert_eq!(
            said(AttachmentState::Wanted, &one),
            format!("{nobody}{asked}")
        );
        let later = comes_later(&[line_of(Some(one.clone()))]);
        assert!(later.starts_with("Nobody who can be asked has"), "{later}");
        let of_one = NotHad {
            attachments: 1,
            who: one.clone(),
        };
        assert_eq!(
            missing(&of_one).unwrap(),
            format!(
                "1 attachment that this clinic saved is not here, and nobody is known to have \
                 it{asked}"
            )
        );
        assert_eq!(
            nowhere(&of_one).unwrap(),
            format!("1 attachment is not to be had{asked}")
        );
        assert_eq!(missing(&NotHad::default()), None);
        one.missing = false;
        assert_eq!(
            said(AttachmentState::Wanted, &one),
            format!("not here{asked}")
        );
    }

    #[test]
    fn what_nobody_brings_now_is_not_on_its_way() {
        let said = |rest: &str| format!("  DocumentReference/xray: image/png, 3.0 MB: {rest}");
        assert_eq!(wanted(None), said("on its way, 40 % here"));
        let from = "40 % here, comes with the next direct link to";
        let one = said(&format!("{from} Hill Clinic, or on a stick"));
        assert_eq!(wanted(Some(&["Hill Clinic"])), one);
        let two = said(&format!(
            "{from} Hill Clinic or River Hospital, or on a stick"
        ));
        assert_eq!(wanted(Some(&["River Hospital", "Hill Clinic"])), two);
        let nobody = said(&format!("{from} a clinic that has it, or on a stick"));
        assert_eq!(wanted(Some(&[])), nobody);
    }
}
