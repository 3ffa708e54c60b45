//! The clinics sync, and the chart is read at the second one.

use serde_json::json;

use super::Screen;
use super::member::Member;
use super::stage::Stage;
use super::told::{Told, claim, needed, quoted};
use crate::clinic::AccessState;
use crate::control::{Failure, Progress};

/// Connects the clinics, syncs, and compares what each has.
pub(super) fn sync(stage: &mut Stage, screen: &Screen<'_>) -> Result<Told, Failure> {
    stage.connect()?;
    let wanted = charts_of(&stage.hill)?;
    let bar = (screen.bar)();
    let report = stage.sync(&|| {
        // A look that fails shows nothing; the sync itself reports what is wrong.
        if let Ok(done) = charts_of(&stage.river) {
            bar(&Progress {
                what: "syncing charts".to_owned(),
                done,
                total: wanted,
            });
        }
    })?;
    drop(bar);
    let over = stage.hill.transport(&stage.river);
    let (records, bytes) = (report.records_sent, report.bytes_sent);
    let arrived = charts_of(&stage.river)?;
    claim(arrived == wanted, "River Hospital has every chart")?;
    for patient in stage.hill.clinic.find_patients(&[])?.0 {
        same_at_both(stage, &patient.id.to_string())?;
    }
    nothing_at(&stage.far)?;
    Ok(Told::new(
        vec![
            format!("River Hospital  {arrived} of {wanted} charts, the same to the byte"),
            "Far Clinic      0 charts, 0 records, though it talked with both".to_owned(),
            format!(
                "From Hill Clinic to River Hospital went {records} records in {} KB over {over}, \
                 in {} ms.",
                bytes / 1024,
                report.duration_ms
            ),
        ],
        json!({
            "charts": { "Hill Clinic": wanted, "River Hospital": arrived, "Far Clinic": 0 },
            "records_sent": records,
            "bytes_sent": bytes,
            "duration_ms": report.duration_ms,
            "transport": over,
        }),
        "A chart goes where a patient's grant says, and nowhere else. Being known is not enough.",
    ))
}

/// Reads the chart at River Hospital.
pub(super) fn chart(stage: &mut Stage, screen: &Screen<'_>) -> Result<Told, Failure> {
    let id = needed(stage.patient, "patient")?.to_string();
    let view = stage.river.clinic.chart_view(&id)?;
    claim(
        view.access.state == AccessState::Granted
            && view.sealed == 0
            && view.name.contains("Nakato"),
        "River Hospital can read the chart",
    )?;
    let readings = stage.river.clinic.audit_lines(Some(&id), usize::MAX)?.len();
    claim(
        readings > 0,
        "reading the chart left an entry in the audit log",
    )?;
    Ok(Told::new(
        quoted(&(screen.chart)(&view)),
        json!({ "chart": view }),
        "This is what `chartmesh chart show` prints there. Reading left an entry in the audit log.",
    ))
}

/// How many charts a clinic has anything of.
fn charts_of(member: &Member) -> Result<u64, Failure> {
    let charts = member.clinic.all_charts()?.len();
    Ok(u64::try_from(charts).unwrap_or(u64::MAX))
}

/// Checks that a chart reads the same at both clinics, and returns how many resources it has.
pub(super) fn same_at_both(stage: &Stage, id: &str) -> Result<usize, Failure> {
    let at_hill = stage.hill.clinic.export(id, true)?;
    let at_river = stage.river.clinic.export(id, true)?;
    claim(at_hill == at_river, "a chart is the same at both clinics")?;
    Ok(at_hill.lines().count())
}

/// Checks that a clinic has no chart, no statement and no record.
pub(super) fn nothing_at(member: &Member) -> Result<(), Failure> {
    let status = member.clinic.status(false, Vec::new())?;
    let found = member.clinic.find_patients(&[])?.0.len();
    claim(
        status.charts == 0 && status.items == 0 && found == 0,
        &format!("{} has nothing", member.name),
    )
}
