//! Bundle files as people read of them.

use super::node::size;
use super::{line, many};
use crate::clinic::{BundleWritten, BundlesRead, MissingParts, NotHere, OutOfStep, PartRead};

/// Patients that are named of those whose attachments are not here.
const NAMED_PATIENTS: usize = 5;

pub(super) fn written(written: &BundleWritten) -> String {
    let mut out = String::new();
    let what = match written.items {
        0 => "nothing new, and what has arrived here".to_owned(),
        items => format!(
            "{} of {}",
            many(items, "item"),
            many(written.charts as u64, "chart")
        ),
    };
    line(
        &mut out,
        &format!("For {}: {what}, {}.", written.name, size(written.bytes)),
    );
    if written.attachments > 0 {
        let count = many(written.attachments, "attachment");
        line(&mut out, &format!("  {count} behind it"));
    }
    if written.told > 0 {
        let (count, has) = match written.told {
            1 => ("1 attachment".to_owned(), "has"),
            told => (many(told, "attachment"), "have"),
        };
        line(
            &mut out,
            &format!("  it tells that {count} {has} come here"),
        );
    }
    for file in &written.files {
        line(&mut out, &format!("  {}", file.display()));
    }
    line(
        &mut out,
        "Only that clinic can open it: `chartmesh sync import FILE` there.",
    );
    out
}

pub(super) fn taken_in(read: &BundlesRead) -> String {
    let mut out = String::new();
    for file in &read.files {
        part(&mut out, file);
    }
    for bundle in &read.missing {
        line(&mut out, &missing(bundle));
    }
    for one in &read.out_of_step {
        line(&mut out, &out_of_step(one));
    }
    let lacking = read.out_of_step.iter().any(|one| one.lacking_here);
    let mut files = read.files.iter();
    let is_sound = read.missing.is_empty()
        && !lacking
        && files.all(|file| file.error.is_none())
        && read.files.iter().any(|file| file.whole);
    if read.not_here.attachments > 0 {
        not_here(&mut out, &read.not_here);
    } else if is_sound {
        line(&mut out, "Nothing is missing.");
    }
    out
}

/// What a node lacks that the other took it to hold, and what brings it.
fn out_of_step(of: &OutOfStep) -> String {
    let (name, node) = (&of.name, &of.node);
    let export = format!("`chartmesh sync export --peer {node} --out FILE`");
    match of.lacking_here {
        true => format!(
            "Missing here: {name} takes this node to have what is not here, as when a data folder \
             was put back from an older copy, and it is on no stick yet. Write one to {name}, \
             {export}: once it is read there, the next stick from there brings all that is missing."
        ),
        false => format!(
            "Missing at {name}: it has less than it was known here to have, as when a data folder \
             was put back from an older copy. The next stick to it brings that again: {export}."
        ),
    }
}

/// Attachments that records tell of and that are not here.
fn not_here(out: &mut String, of: &NotHere) {
    let patients = u64::try_from(of.patients.len()).unwrap_or(u64::MAX);
    let (attachments, patients) = (
        many(of.attachments, "attachment"),
        many(patients, "patient"),
    );
    let (are, come) = match of.attachments {
        1 => ("is", "It comes"),
        _ => ("are", "They come"),
    };
    let text = format!(
        "Missing here: {attachments} of {patients} {are} named in the records and did not come \
         along. {come} with the parts that are missing, with the next stick of a clinic that has \
         the content, or over a link:"
    );
    line(out, &text);
    for patient in of.patients.iter().take(NAMED_PATIENTS) {
        let fetch = format!("  chartmesh attachment fetch --patient {patient}");
        line(out, &fetch);
    }
    if let Some(more) = of
        .patients
        .len()
        .checked_sub(NAMED_PATIENTS)
        .filter(|more| *more > 0)
    {
        let more = many(u64::try_from(more).unwrap_or(u64::MAX), "more patient");
        line(out, &format!("  and of {more}"));
    }
}

fn part(out: &mut String, file: &PartRead) {
    let path = file.file.display();
    if let (Some(name), Some(number)) = (&file.name, file.part) {
        let new = match file.new_items {
            0 => "nothing new".to_owned(),
            new => format!("{new} new"),
        };
        let text = format!(
            "{path}: part {number} from {name}, {}, {new}{}",
            many(file.items, "item"),
            match file.pieces {
                0 => String::new(),
                pieces => format!(", {} of attachments", many(pieces, "piece")),
            }
        );
        line(out, &text);
        if file.told > 0 {
            let told = many(file.told, "attachment");
            line(
                out,
                &format!("  {name} has {told} of those that are shared"),
            );
        }
    }
    if file.refused > 0 {
        let refused = many(file.refused, "item");
        line(out, &format!("  {refused} not taken in"));
    }
    if let Some(reason) = &file.skipped {
        line(out, &format!("skipped  {path}: {reason}"));
    }
    if let Some(error) = &file.error {
        line(out, &format!("failed  {path}: {error}"));
    }
}

fn missing(bundle: &MissingParts) -> String {
    let numbers: Vec<String> = bundle.missing.iter().map(ToString::to_string).collect();
    let what = match (numbers.is_empty(), bundle.end_unknown) {
        (true, _) => "the part that ends it".to_owned(),
        (false, false) => format!("part {}", numbers.join(", ")),
        (false, true) => format!("part {} and the one that ends it", numbers.join(", ")),
    };
    format!("Missing of the bundle from {}: {what}.", bundle.name)
}
