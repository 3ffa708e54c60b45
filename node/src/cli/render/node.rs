//! The node, its peers and its store in words.

use std::path::Path;

use serde::Deserialize;

use super::{attachment, line, many, read, short};
use crate::clinic::{
    Awaited, DoctorReport, Doubled, Enrolled, HeldCharts, Mended, NodeLine, NodeRevoked, OwnCard,
    PassedOn, PeerLine, RelayUse, Served, Status,
};
use crate::control::{Answer, Failure};
use crate::net::SyncReport;
use crate::store::Report;

/// What `sync now` answers.
#[derive(Deserialize)]
pub(super) struct Synced {
    peers: Vec<SyncReport>,
}

/// What `sync status` answers.
#[derive(Deserialize)]
pub(super) struct SyncStatus {
    peers: Vec<PeerLine>,
    #[serde(default)]
    attachments: Awaited,
}

pub(in crate::cli) fn initialised(
    dir: &Path,
    name: &str,
    clinic: &impl ToString,
    enrolled: Option<&str>,
    is_relay: bool,
) -> String {
    let dir = dir.display();
    if let Some(label) = enrolled {
        return format!(
            "{label}, a node of {name}, has its data folder in {dir}.\n  clinic  {}\n\n\
             Keep the passphrase safe, and delete the enrolment file.\nNext:\n  \
             chartmesh --dir {dir} run   (it fetches every chart of the clinic)\n",
            clinic.to_string()
        );
    }
    let locked = if is_relay {
        "the node does not start"
    } else {
        "nobody can open the charts"
    };
    format!(
        "{name} has its data folder in {dir}.\n  clinic  {}\n\n\
         Keep the passphrase safe: without it {locked}.\nNext:\n  \
         chartmesh --dir {dir} run\n  chartmesh --dir {dir} id --card-only   (the card for other \
         clinics)\n",
        clinic.to_string()
    )
}

pub(super) fn own_card(card: &OwnCard) -> String {
    let mut out = String::new();
    line(&mut out, &card.name);
    line(&mut out, &format!("  clinic       {}", card.clinic_id));
    line(&mut out, &format!("  node         {}", card.node_id));
    line(&mut out, &format!("  sealing key  {}", card.sealing_key));
    for address in &card.addresses {
        line(&mut out, &format!("  address      {address}"));
    }
    if card.addresses.is_empty() {
        line(
            &mut out,
            "  address      none yet: start the node, or set external-addresses",
        );
    }
    line(
        &mut out,
        "Card, for `chartmesh peer add` at another clinic:",
    );
    line(&mut out, &card.card);
    out
}

pub(super) fn enrolled(enrolled: &Enrolled) -> String {
    let file = enrolled.file.display();
    format!(
        "{name} can become a node of this clinic until {expires}.\n  file  {file}\n  \
         code  {code}\n\nCarry the file on a stick and the code on paper or by telephone. On the \
         other computer:\n  chartmesh --dir DIR init --enroll FILE\n  chartmesh --dir DIR run\n\
         Then delete the file.\n",
        name = enrolled.name,
        expires = enrolled.expires,
        code = enrolled.code,
    )
}

pub(super) fn nodes(nodes: &[NodeLine]) -> String {
    let mut out = String::new();
    for node in nodes {
        let name = node.name.as_deref().unwrap_or("the first node");
        let this = if node.this { " (this one)" } else { "" };
        line(&mut out, &format!("{}  {name}{this}", short(&node.node)));
        if let Some(revoked) = &node.revoked {
            let reason = node.reason.as_deref().unwrap_or_default();
            line(&mut out, &format!("          cut off {revoked}: {reason}"));
        }
        if !node.doubles.is_empty() {
            let others = node.doubles.iter().map(short).collect::<Vec<_>>();
            let others = others.join(" and ");
            let text = format!(
                "          CAME FROM ONE ENROLMENT FILE WITH {others}: {}",
                CUT_OFF_UNKNOWN
            );
            line(&mut out, &text);
        }
    }
    out
}

/// What to do about two nodes of one enrolment file.
const CUT_OFF_UNKNOWN: &str = "somebody used the file a second time. Cut off the one that you \
     do not know: `chartmesh node revoke NODE --reason ..`";

fn two_of_one(doubled: &Doubled) -> String {
    let nodes = doubled.nodes.iter().map(short).collect::<Vec<_>>();
    let nodes = nodes.join(" and ");
    let name = doubled.name.as_deref().unwrap_or("a node");
    format!("{nodes} CAME FROM ONE ENROLMENT FILE ({name}): {CUT_OFF_UNKNOWN}")
}

pub(super) fn node_revoked(revoked: &NodeRevoked) -> String {
    let name = revoked.name.as_deref().unwrap_or("The node");
    format!(
        "{name} ({}) is cut off: {} marked.\nOther clinics hear of it at the next sync. What \
         lies on it cannot be called back.\n",
        short(&revoked.node),
        many(revoked.charts, "chart"),
    )
}

pub(super) fn synced(synced: &Synced) -> String {
    let mut out = String::new();
    for report in &synced.peers {
        let id = report.clinic.as_ref();
        let id = id.map_or_else(|| "unknown".to_owned(), short);
        let name = report.name.as_deref().unwrap_or("a clinic not known here");
        let name = labelled(name, report.label.as_deref());
        let how = match (&report.error, &report.passed_on) {
            (Some(_), Some(passed)) => format!("was not reached; {}", served(passed)),
            (Some(error), None) => format!("failed: {error}"),
            (None, _) => format!(
                "in sync after {} ms\n            \
                 {} sent, {} received; {} sent, {} received, {}",
                report.duration_ms,
                many(report.records_sent, "record"),
                report.records_received,
                size(report.bytes_sent),
                size(report.bytes_received),
                many(report.round_trips, "round trip"),
            ),
        };
        line(&mut out, &format!("  {id}  {name}: {how}"));
        if let Some(summary) = &report.summary {
            line(&mut out, &format!("            {summary}"));
        }
    }
    out
}

/// A clinic's name with what tells its nodes apart.
fn labelled(name: &str, label: Option<&str>) -> String {
    label.map_or_else(|| name.to_owned(), |label| format!("{name} ({label})"))
}

/// What relays do for a clinic that was not reached.
fn served(passed: &PassedOn) -> String {
    let relay = &passed.relay;
    match passed.served {
        Served::Lies => format!("what you saved lies at {relay} for it"),
        Served::Arrived => format!("it has all that is shared with it, as it told through {relay}"),
        Served::NothingWaits => format!("nothing waits for it; {relay} passes on what comes"),
    }
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

pub(super) fn sync_status(status: &SyncStatus) -> String {
    let mut out = peers(&status.peers);
    attachments(&mut out, &status.attachments);
    out
}

fn peers(peers: &[PeerLine]) -> String {
    let mut out = String::new();
    for peer in peers {
        line(
            &mut out,
            &format!(
                "  {}  {}: {}",
                short(&peer.clinic),
                labelled(&peer.name, peer.label.as_deref()),
                peer.summary
            ),
        );
        if let Some(error) = &peer.error {
            line(&mut out, &format!("            last link: {error}"));
        }
    }
    if peers.is_empty() {
        line(&mut out, "  none yet: `chartmesh peer add CARD` adds one");
    }
    out
}

pub(super) fn status(status: &Status) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &format!("{} (clinic {})", status.name, short(&status.clinic_id)),
    );
    line(
        &mut out,
        &format!(
            "  node     {}",
            if status.running {
                "running"
            } else {
                "not running"
            }
        ),
    );
    match &status.relay {
        Some(relay) => mail(&mut out, relay),
        None => line(&mut out, &format!("  charts   {}", status.charts)),
    }
    line(&mut out, &format!("  store    {}", status.store));
    attachments(&mut out, &status.attachments);
    if status.emergencies > 0 {
        let text = match status.emergencies {
            1 => "1 summary was asked for in an emergency".to_owned(),
            count => format!("{count} summaries were asked for in an emergency"),
        };
        line(
            &mut out,
            &format!("  REVIEW   {text}: look at it with `chartmesh emergency list`"),
        );
    }
    if !status.held.is_empty() {
        line(&mut out, &format!("  HELD     {}", held(&status.held)));
    }
    if let Some(end) = &status.cut_off {
        line(&mut out, &format!("  CUT OFF  {}", end.words()));
    }
    for doubled in &status.doubled {
        line(&mut out, &format!("  NODES    {}", two_of_one(doubled)));
    }
    line(&mut out, "Other clinics");
    out.push_str(&peers(&status.peers));
    out
}

/// That somebody has to look at records that do not count.
fn held(held: &HeldCharts) -> String {
    format!(
        "{} of {} {} not count: `chartmesh held list` tells which, and why",
        many(held.records, "record"),
        many(held.charts, "patient"),
        match held.records {
            1 => "does",
            _ => "do",
        }
    )
}

/// What is waited for of attachments, and what nobody is known to have.
fn attachments(out: &mut String, of: &Awaited) {
    let waiting = [attachment::awaited(of), attachment::nowhere(&of.nowhere)];
    for words in waiting.into_iter().flatten() {
        line(out, &format!("  waiting  {words}"));
    }
    if let Some(words) = attachment::missing(&of.own_missing) {
        line(out, &format!("  MISSING  {words}"));
    }
}

/// What lies at a relay.
fn mail(out: &mut String, relay: &RelayUse) {
    let mail = many(relay.mail, "piece");
    let boxes = if relay.mailboxes == 1 { "box" } else { "boxes" };
    line(
        out,
        &format!("  mail     {mail} in {} {boxes}", relay.mailboxes),
    );
    for clinic in &relay.clinics {
        let id = short(&clinic.clinic);
        let name = clinic.name.as_deref().map_or(id.as_str(), |name| name);
        let mebibytes = |bytes: u64| bytes.div_ceil(1024 * 1024);
        let (used, quota) = (mebibytes(clinic.bytes), mebibytes(relay.quota_bytes));
        line(out, &format!("    {name}: {used} of {quota} MiB"));
    }
}

pub(in crate::cli) fn doctor(answer: &Answer) -> Result<String, Failure> {
    let report: DoctorReport = read(answer)?;
    let mut out = String::new();
    let values: u64 = report.values.values().sum();
    line(
        &mut out,
        &format!(
            "Store: {values} values opened, {} journal entries checked ({} bytes).",
            report.journal_entries, report.journal_bytes
        ),
    );
    line(
        &mut out,
        &format!(
            "Ledgers: {}, {} statements, {} records; {} held.",
            many(report.ledgers.charts as u64, "chart"),
            report.ledgers.statements,
            report.ledgers.records,
            report.ledgers.held
        ),
    );
    line(
        &mut out,
        &format!("Audit log: {} entries.", report.audit.entries),
    );
    let health = &report.attachments;
    if health.attachments > 0 {
        let text = format!(
            "Attachments: {}, {} whole; {} pieces checked.",
            health.attachments, health.whole, health.pieces
        );
        line(&mut out, &text);
    }
    let missing = attachment::missing(&report.attachments_missing);
    if let Some(words) = &missing {
        line(&mut out, &format!("  MISSING {words}"));
    }
    let problems = report
        .problems
        .iter()
        .chain(&report.ledgers.problems)
        .chain(&report.audit.problems);
    for problem in problems {
        line(&mut out, &format!("  PROBLEM {problem}"));
    }
    line(
        &mut out,
        match (report.healthy, report.ledgers.held) {
            (true, 0) if missing.is_some() => {
                "The store is sound. `attachment list` of a patient says what is missing; \
                 importing the file that it came from brings it back."
            }
            (true, 0) => "Everything is as it should be.",
            (true, _) => {
                "The store is sound. Somebody has to look at the held records: `chart show` of \
                 their patients tells what they say."
            }
            (false, _) => "Stop the node, then run `chartmesh doctor --repair`.",
        },
    );
    Ok(out)
}

/// What became of attachments that were damaged or gone.
pub(in crate::cli) fn mended(mended: &Mended) -> String {
    let mut out = String::new();
    if mended.in_place > 0 {
        let (attachments, are) = match mended.in_place {
            1 => ("1 attachment".to_owned(), "is"),
            count => (format!("{count} attachments"), "are"),
        };
        line(&mut out, &format!("{attachments} {are} whole again."));
    }
    if mended.asked > 0 {
        let (attachments, come) = match mended.asked {
            1 => ("1 attachment is".to_owned(), "It comes"),
            count => (format!("{count} attachments are"), "They come"),
        };
        let text = format!(
            "{attachments} asked for again. {come} once a clinic that has the content is reached, \
             or with its next stick: start the node."
        );
        line(&mut out, &text);
    }
    out
}

pub(in crate::cli) fn repaired(report: &Report) -> String {
    let mut out = String::new();
    match (&report.database, &report.journal) {
        (None, None) => line(&mut out, "Nothing to repair."),
        (database, journal) => {
            for damage in database.iter().chain(journal) {
                line(&mut out, &format!("Damaged: {damage}"));
            }
            line(
                &mut out,
                &format!("Rebuilt from {} commits.", report.replayed),
            );
        }
    }
    for lost in &report.lost {
        line(
            &mut out,
            &format!(
                "Commits {} to {} are lost here: sync with a clinic that has them, or restore a \
                 backup.",
                lost.start(),
                lost.end()
            ),
        );
    }
    for path in &report.aside {
        line(
            &mut out,
            &format!("The damaged part is kept in {}.", path.display()),
        );
    }
    out.trim_end().to_owned()
}
