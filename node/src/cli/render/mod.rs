//! Answers as people read them.

mod attachment;
mod audit;
mod bundle;
mod card;
mod chart;
mod conflict;
mod consent;
mod emergency;
mod held;
mod node;
mod printable;

use std::fmt::Write;
use std::path::Path;

use chartmesh_protocol::ClinicId;
use serde::de::DeserializeOwned;

use super::args::{
    Audit, Card, Chart, Command, Consent, Emergency, Export, Held, Node, Patient, Peer, Sync,
};
use crate::clinic::{Imported, KnownPeer, OwnCard, short};
use crate::control::{Answer, Exit, Failure};
pub(super) use attachment::save;
pub(super) use card::write as write_card;
pub(super) use chart::view;
pub(super) use conflict::list as conflicts;
pub(super) use node::{doctor, initialised, mended, repaired};

/// An answer in words.
pub(super) fn text(command: &Command, answer: &Answer) -> Result<String, Failure> {
    match command {
        Command::Id(id) => {
            let card: OwnCard = read(answer)?;
            Ok(if id.card_only {
                format!("{}\n", card.card)
            } else {
                node::own_card(&card)
            })
        }
        Command::Peer(peer) => self::peer(peer, answer),
        Command::Node(Node::Enroll { .. }) => Ok(node::enrolled(&read(answer)?)),
        Command::Node(Node::Revoke { .. }) => Ok(node::node_revoked(&read(answer)?)),
        Command::Node(Node::List) => Ok(node::nodes(&read::<Vec<_>>(answer)?)),
        Command::Patient(Patient::Register { .. }) => Ok(chart::registered(&read(answer)?)),
        Command::Patient(Patient::Search { words }) => {
            Ok(chart::found(&read::<Vec<_>>(answer)?, words))
        }
        Command::Patient(Patient::Show { .. }) => Ok(chart::patient(&read(answer)?)),
        Command::Patient(Patient::Pin { .. }) => Ok(
            "The PIN is set. Without it, this clinic can no longer grant in the patient's name; it \
             can still end grants.\n"
                .to_owned(),
        ),
        Command::Import(_) => Ok(imported(&read(answer)?)),
        Command::Chart(Chart::Show { .. }) => Ok(view(&read(answer)?)),
        Command::Chart(Chart::History { .. }) => Ok(chart::history(&read::<Vec<_>>(answer)?)),
        Command::Chart(Chart::Conflicts { id }) => Ok(conflict::list(&read::<Vec<_>>(answer)?, id)),
        Command::Chart(Chart::Resolve { .. }) => Ok(conflict::resolved(&read(answer)?)),
        Command::Attachment(attachment) => attachment::text(attachment, answer),
        Command::Consent(Consent::Grant { .. } | Consent::SecondOpinion { .. }) => {
            Ok(consent::made(&read(answer)?))
        }
        Command::Consent(Consent::Revoke { .. }) => Ok(consent::revoked(&read(answer)?)),
        Command::Consent(Consent::List { .. }) => Ok(consent::list(&read::<Vec<_>>(answer)?)),
        Command::Consent(Consent::Show { .. }) => Ok(consent::one(&read(answer)?)),
        Command::Consent(Consent::Verify { .. }) => Ok(consent::verified(&read(answer)?)),
        Command::Emergency(of) => emergency::text(of, answer),
        Command::Card(of) => card::text(of, answer),
        Command::Held(Held::List { .. }) => Ok(held::list(&read::<Vec<_>>(answer)?)),
        Command::Held(Held::Admit { .. }) => Ok(held::admitted(&read::<Vec<_>>(answer)?)),
        Command::Sync(Sync::Now { .. }) => Ok(node::synced(&read(answer)?)),
        Command::Sync(Sync::Status) => Ok(node::sync_status(&read(answer)?)),
        Command::Sync(Sync::Export { .. }) => Ok(bundle::written(&read(answer)?)),
        Command::Sync(Sync::Import { .. }) => Ok(bundle::taken_in(&read(answer)?)),
        Command::Audit(Audit::List { .. }) => Ok(audit::list(&read::<Vec<_>>(answer)?)),
        // Written by `audit_events`.
        Command::Audit(Audit::Export { .. }) => Ok(String::new()),
        Command::Audit(Audit::Verify) => Ok(audit::checked(&read(answer)?)),
        Command::Status => Ok(node::status(&read(answer)?)),
        Command::Init(_)
        | Command::Run(_)
        | Command::Demo(_)
        | Command::Generate(_)
        | Command::Patient(Patient::Card { .. })
        | Command::Export(_)
        | Command::Doctor(_)
        | Command::Completions(_) => Ok(format!("{}\n", answer.value.get())),
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let read = serde_json::from_str(answer.value.get()).and_then(|mut value| {
        printable::make(&mut value);
        serde_json::from_value(value)
    });
    read.map_err(|error| {
        let text = format!("the running node answers in another version ({error}); restart it");
        Failure::new(Exit::Failed, text)
    })
}

/// Writes an export to its file or to standard output.
pub(super) fn export(export: &Export, answer: &Answer, json: bool) -> Result<(), Failure> {
    let text = match serde_json::from_str::<String>(answer.value.get()) {
        // NDJSON comes as one string.
        Ok(lines) if !json => lines,
        _ => format!("{}\n", answer.value.get()),
    };
    match &export.out {
        None => super::print(&text)?,
        Some(path) => {
            write_to(path, &text)?;
            if json {
                let report = serde_json::json!({ "written": path, "absent": answer.absent,
                    "held": answer.held });
                super::print(&format!("{report}\n"))?;
            }
        }
    }
    if !answer.absent.is_empty() {
        eprint!("{}", attachment::lacking(&answer.absent, &export.patient));
    }
    if answer.held > 0 {
        let records = match answer.held {
            1 => "1 record that does".to_owned(),
            held => format!("{held} records that do"),
        };
        eprintln!(
            "NOT WRITTEN: {records} not count. `chartmesh chart show {}` tells what is held, and \
             why.",
            export.patient
        );
    }
    Ok(())
}

/// Writes the audit log that was asked for as a file, or prints it.
pub(super) fn audit_events(out: Option<&Path>, answer: &Answer, json: bool) -> Result<(), Failure> {
    // As it stands: other programs read it.
    let lines = serde_json::from_str::<String>(answer.value.get());
    let lines = lines.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    match out {
        None if json => super::print(&format!("{}\n", answer.value.get())),
        None => super::print(&lines),
        Some(path) => {
            write_to(path, &lines)?;
            match json {
                true => super::print(&format!("{}\n", serde_json::json!({ "written": path }))),
                false => Ok(()),
            }
        }
    }
}

fn write_to(path: &Path, text: &str) -> Result<(), Failure> {
    crate::folder::write_whole(path, text.as_bytes()).map_err(|error| on(path, &error))?;
    eprintln!("Written to {}.", path.display());
    Ok(())
}

fn on(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}

/// What lets a relay carry anything.
fn relay_next(relay: &KnownPeer) -> String {
    format!(
        "It carries charts once it may:\n  chartmesh consent grant --patient all --to {} \
         --compartments all --rights relay\n",
        short(&relay.clinic)
    )
}

fn peer(peer: &Peer, answer: &Answer) -> Result<String, Failure> {
    Ok(match peer {
        Peer::Add { .. } => {
            let added: KnownPeer = read(answer)?;
            let (is_relay, next) = match added.is_relay() {
                true => (", a relay", relay_next(&added)),
                false => ("", String::new()),
            };
            format!(
                "Added {}{is_relay} ({}).\nCompare this id with them by telephone before you grant \
                 anything.\n{next}",
                added.name, added.clinic
            )
        }
        Peer::Remove { .. } => {
            let gone: KnownPeer = read(answer)?;
            format!(
                "{} is not talked to any more. Its grants stay until you revoke them.\n",
                gone.name
            )
        }
        Peer::List => {
            let peers: Vec<KnownPeer> = read(answer)?;
            if peers.is_empty() {
                return Ok(
                    "No other clinic is known here. `chartmesh peer add CARD` adds one.\n"
                        .to_owned(),
                );
            }
            let mut out = String::new();
            for peer in peers {
                let role = if peer.is_relay() { "  (relay)" } else { "" };
                let id = short(&peer.clinic);
                line(&mut out, &format!("{id}  {}{role}", peer.name));
                for address in peer.addresses {
                    line(&mut out, &format!("          {address}"));
                }
            }
            out
        }
    })
}

fn imported(imported: &Imported) -> String {
    let mut out = String::new();
    for file in &imported.files {
        if let Some(error) = &file.error {
            line(&mut out, &format!("failed  {error}"));
            continue;
        }
        let parts: Vec<String> = file
            .compartments
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let charts = file
            .patient
            .iter()
            .chain(&file.patients)
            .map(short)
            .collect::<Vec<_>>();
        line(
            &mut out,
            &format!(
                "ok      {}: {} resources ({}), {} new or changed, chart {}",
                file.file.display(),
                file.resources,
                parts.join(", "),
                file.changed,
                charts.join(", ")
            ),
        );
    }
    for file in imported.files.iter().filter(|file| file.moved > 0) {
        let (path, moved) = (file.file.display(), many(file.moved as u64, "resource"));
        let text = format!(
            "note    {path}: {moved} moved to another part of the chart, by label. Whoever could \
             read the earlier text still can"
        );
        line(&mut out, &text);
    }
    for file in imported
        .files
        .iter()
        .filter(|file| !file.left_out.is_empty())
    {
        let (path, count) = (file.file.display(), file.left_out.len());
        let text =
            format!("note    {path}: {count} resources belong to no patient and were left out");
        line(&mut out, &text);
    }
    let failed = imported
        .files
        .iter()
        .filter(|file| file.error.is_some())
        .count();
    let files = many(imported.files.len() as u64, "file");
    let failed = match failed {
        0 => "none".to_owned(),
        count => count.to_string(),
    };
    line(&mut out, &format!("{files}, {failed} failed."));
    out
}

/// The name of a clinic, or its id where it is not known here.
fn named(name: Option<&String>, clinic: &ClinicId) -> String {
    name.cloned().unwrap_or_else(|| short(clinic))
}

/// A number with its noun.
fn many(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Adds a line.
fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{text}");
}
