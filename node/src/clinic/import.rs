//! Taking in files: each whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chartmesh_crdt::{ParsedChart, Resource};
use chartmesh_protocol::ChartId;
use serde::{Deserialize, Serialize};

use super::audit::Action;
use super::draft::Draft;
use super::index_card::{IndexCard, Likeness};
use super::moves::Labels;
use super::open_chart::{OpenChart, Scope};
use super::save::{Edit, Saved};
use super::{Clinic, ClinicError, search};
use crate::control::Progress;
use crate::interop::{ImportError, InputFile, read_inputs};

/// What `import` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// One report a file.
    pub files: Vec<FileReport>,
}

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The file.
    pub file: PathBuf,
    /// The chart, where the file holds one patient.
    pub patient: Option<ChartId>,
    /// The charts, where it holds several.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub patients: Vec<ChartId>,
    /// Resources in the file.
    pub resources: usize,
    /// Resources that were new or differed from what was here.
    pub changed: usize,
    /// Resources that went from one compartment into another.
    #[serde(default)]
    pub moved: usize,
    /// Resources by compartment.
    pub compartments: BTreeMap<String, usize>,
    /// Resources of an NDJSON file that belong to no patient in it, and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<String>,
    /// Why nothing of the file was taken in.
    pub error: Option<String>,
}

impl Clinic {
    /// Takes in files and folders. A bad file does not stop the others; a store that fails does,
    /// and the report says so for each file.
    ///
    /// # Errors
    /// None at present: what is wrong with a file is in its report.
    pub fn import(
        &self,
        paths: &[PathBuf],
        progress: &dyn Fn(Progress),
    ) -> Result<Imported, ClinicError> {
        self.import_as(paths, Labels::Kept, progress)
    }

    /// The same, and says whether resources may leave restricted compartments.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn import_as(
        &self,
        paths: &[PathBuf],
        labels: Labels,
        progress: &dyn Fn(Progress),
    ) -> Result<Imported, ClinicError> {
        let mut inputs = read_inputs(paths);
        let total = u64::try_from(inputs.remaining()).unwrap_or(u64::MAX);
        let mut files = Vec::new();
        let mut stopped: Option<String> = None;
        for input in inputs.by_ref() {
            files.push(match (input, &stopped) {
                (Ok(file), Some(_)) => FileReport {
                    file: file.path().to_owned(),
                    error: Some("not tried: the import was stopped before".to_owned()),
                    ..FileReport::default()
                },
                (Ok(file), None) => {
                    self.import_file(&file, labels)
                        .unwrap_or_else(|error| FileReport {
                            file: file.path().to_owned(),
                            error: Some(stopped.insert(error.to_string()).clone()),
                            ..FileReport::default()
                        })
                }
                (Err(error), _) => failed(error.file.clone(), &error),
            });
            let done = u64::try_from(files.len()).unwrap_or(u64::MAX);
            progress(Progress {
                what: "importing files".to_owned(),
                done,
                total,
            });
        }
        Ok(Imported { files })
    }

    fn import_file(&self, file: &InputFile, labels: Labels) -> Result<FileReport, ClinicError> {
        let mut new_id = || self.new_resource_id();
        let charts = match file.charts(&mut new_id) {
            Ok(charts) => charts,
            Err(error) => return Ok(failed(file.path().to_owned(), &error)),
        };
        let left_out = charts.unclaimed.iter().map(ToString::to_string).collect();
        match self.import_charts(file.path(), charts.charts, labels) {
            Ok(report) => Ok(FileReport { left_out, ..report }),
            // The store's own trouble stops the whole import; anything else is the file's.
            Err(error @ (ClinicError::Store(_) | ClinicError::Fault { .. })) => Err(error),
            Err(error) => Ok(FileReport {
                file: file.path().to_owned(),
                error: Some(format!("{}: {error}", file.path().display())),
                ..FileReport::default()
            }),
        }
    }

    fn import_charts(
        &self,
        file: &Path,
        charts: Vec<ParsedChart>,
        labels: Labels,
    ) -> Result<FileReport, ClinicError> {
        let mut report = FileReport {
            file: file.to_owned(),
            ..FileReport::default()
        };
        for resource in charts.iter().flat_map(|chart| &chart.resources) {
            if resource.has_marks() {
                return Err(ClinicError::usage(
                    "a resource has a mark that only a node of Chartmesh puts into its own store: \
                     the file was not made by an export",
                ));
            }
            report.resources += 1;
            *report
                .compartments
                .entry(resource.compartment().to_string())
                .or_default() += 1;
        }
        let _writing = self.writing();
        let mut draft = Draft::of_a_file(labels);
        for chart in charts {
            let (open, saved) = self.import_chart(chart, &mut draft)?;
            report.changed += saved.resources;
            report.moved += saved.moved;
            report.patients.push(open.id());
            if saved.records > 0 {
                draft.note(Action::Write, Some(open.id()));
            }
            if saved.moved > 0 {
                draft.note(Action::Move, Some(open.id()));
            }
        }
        if report.changed > 0 {
            self.file(draft)?;
        }
        if let [one] = report.patients.as_slice() {
            report.patient = Some(*one);
            report.patients.clear();
        }
        Ok(report)
    }

    /// Puts a chart's resources into the patient's chart, or into a new one.
    fn import_chart(
        &self,
        chart: ParsedChart,
        draft: &mut Draft,
    ) -> Result<(OpenChart, Saved), ClinicError> {
        let known = self.chart_for(&chart.patient)?;
        let mut open = match known {
            Some(id) => self.open_chart(&id, Scope::Whole)?,
            None => self.begin_chart(draft)?,
        };
        let edits = chart.resources.into_iter().map(Edit::Put).collect();
        let saved = self.draft_edits(&mut open, edits, draft)?;
        Ok((open, saved))
    }
}

impl Clinic {
    /// The chart that a file's patient belongs to. FHIR ids are each clinic's own: a chart of this
    /// clinic comes first, and one that another clinic shares has to be of the same person, or
    /// what is written about one patient would go to a clinic that was granted another.
    fn chart_for(&self, patient: &Resource) -> Result<Option<ChartId>, ClinicError> {
        let Some(id) = patient.id() else {
            return Ok(None);
        };
        let mut shared = Vec::new();
        for chart in self.charts_of_patient(id)? {
            let ledger = self.ledger(&chart)?;
            let home = ledger.genesis().map(|(_, genesis)| genesis.custodian);
            if home == Some(self.clinic_id()) {
                return Ok(Some(chart));
            }
            shared.push(chart);
        }
        let card = IndexCard::of(patient);
        let mut same = Vec::new();
        let mut doubtful = false;
        for chart in shared {
            let other = search::read_card(&self.store, &chart)?;
            match other.map(|other| card.likeness(&other)) {
                Some(Likeness::Same) => same.push(chart),
                Some(Likeness::Doubtful) => doubtful = true,
                Some(Likeness::Other) | None => {}
            }
        }
        if same.is_empty() && doubtful {
            return Err(ClinicError::Conflict {
                reason: "another clinic shares a patient of this id whose name or identifier is \
                         the same and whose birth date is not: for the same person, keep both name \
                         and identifier as they are there; for another one, choose another id"
                    .to_owned(),
            });
        }
        match same.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(ClinicError::Conflict {
                reason: format!(
                    "{} clinics share charts of this patient under the same id: it is not known \
                     which one is meant",
                    several.len()
                ),
            }),
        }
    }
}

fn failed(file: PathBuf, error: &ImportError) -> FileReport {
    FileReport {
        file,
        error: Some(error.to_string()),
        ..FileReport::default()
    }
}
