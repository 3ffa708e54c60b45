//! Checking ledgers and records: every signature, every ground, every chain.

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::Statement;
use chartmesh_protocol::seal::VerifiedRecord;
use chartmesh_protocol::sync::ItemKind;
use serde::{Deserialize, Serialize};

use super::open_chart::Scope;
use super::{Clinic, ClinicError, items};
use crate::control::Progress;

/// The result of checking ledgers and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCheck {
    /// Whether every signature holds and every statement counts.
    pub ok: bool,
    /// Charts that were checked.
    pub charts: usize,
    /// Statements that were checked.
    pub statements: usize,
    /// Records that were checked.
    pub records: usize,
    /// Records that are kept and do not count: no fault, but something to know.
    pub held: usize,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Clinic {
    /// Checks one patient's ledger and records, or all.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient. What is wrong with a chart is in the
    /// answer.
    pub fn verify_ledgers(
        &self,
        patient: Option<&str>,
        progress: &dyn Fn(Progress),
    ) -> Result<LedgerCheck, ClinicError> {
        let charts: Vec<ChartId> = match patient {
            Some(id) => vec![self.find_chart(id)?],
            None => self.all_charts()?.into_iter().collect(),
        };
        let mut check = LedgerCheck {
            ok: true,
            charts: charts.len(),
            statements: 0,
            records: 0,
            held: 0,
            problems: Vec::new(),
        };
        let total = u64::try_from(charts.len()).unwrap_or(u64::MAX);
        for (done, chart) in (0..).zip(&charts) {
            progress(Progress {
                what: "checking charts".to_owned(),
                done,
                total,
            });
            if let Err(error) = self.verify_chart(chart, &mut check) {
                check.problems.push(error.to_string());
            }
        }
        check.ok = check.problems.is_empty();
        Ok(check)
    }

    fn verify_chart(&self, chart: &ChartId, check: &mut LedgerCheck) -> Result<(), ClinicError> {
        for item in items::of_chart(&self.store, chart, ItemKind::Statement)? {
            check.statements += 1;
            let bytes = items::bytes(&self.store, &item.id)?.unwrap_or_default();
            if let Err(error) = Verified::<Statement>::decode(&bytes) {
                check
                    .problems
                    .push(format!("chart {chart}: statement {}: {error}", item.id));
            }
        }
        for item in items::of_chart(&self.store, chart, ItemKind::Record)? {
            check.records += 1;
            let bytes = items::bytes(&self.store, &item.id)?.unwrap_or_default();
            if let Err(error) = VerifiedRecord::decode(&bytes) {
                check
                    .problems
                    .push(format!("chart {chart}: record {}: {error}", item.id));
            }
        }
        let open = self.open_chart(chart, Scope::Whole)?;
        check.held += open.held().count();
        for (id, reason) in open.decision().refused() {
            check.problems.push(format!(
                "chart {chart}: statement {id} does not count: {reason}"
            ));
        }
        Ok(())
    }
}
