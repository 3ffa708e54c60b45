//! Bundle files as people read of them.

use super::node::size;
use super::{line, many};
use crate::clinic::{BundleWritten, BundlesRead, MissingParts, PartRead};

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
    if read.missing.is_empty() && read.files.iter().all(|file| file.error.is_none()) {
        line(&mut out, "Nothing is missing.");
    }
    out
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
    }
    if file.refused > 0 {
        let refused = many(file.refused, "item");
        line(out, &format!("  {refused} not taken in"));
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
