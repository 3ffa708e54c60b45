//! Reading what a peer has sent on a stick.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::sync::bundle::BundleId;
use chartmesh_protocol::{ClinicId, NodeId};

use super::intake::Intake;
use super::report::BundlesRead;
use super::rest::Lacked;
use super::step::{OutOfStep, Step};
use super::unread::Unread;
use crate::clinic::peer_book::Word;
use crate::clinic::{Clinic, ClinicError};
use crate::control::Progress;

impl Clinic {
    /// Takes in bundle files, in any order; of folders, every file that lies in them.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store fails, [`ClinicError::Refused`] at a node that was cut
    /// off, [`ClinicError::NotHere`] where there is no file at all; what is wrong with a file is in
    /// its report.
    pub fn import_bundles(
        self: &Arc<Self>,
        paths: &[PathBuf],
        progress: &dyn Fn(Progress),
    ) -> Result<BundlesRead, ClinicError> {
        self.check_own_end()?;
        let files = files_of(paths);
        if files.is_empty() && !paths.is_empty() {
            return Err(ClinicError::NotHere {
                reason: "no file is there: is the stick plugged in and mounted, and is this its \
                         folder?"
                    .to_owned(),
            });
        }
        let total = u64::try_from(files.len()).unwrap_or(u64::MAX);
        let mut read = BundlesRead::default();
        let mut bundles: BTreeMap<(NodeId, BundleId), (ClinicId, String)> = BTreeMap::new();
        let mut steps: BTreeMap<NodeId, (ClinicId, String, Step)> = BTreeMap::new();
        let (mut charts, mut held) = (BTreeSet::new(), Vec::new());
        let mut lacking: BTreeMap<(NodeId, AttachmentName), Lacked> = BTreeMap::new();
        for file in files {
            let mut part = Intake::new(self);
            let outcome = part.read(&file);
            if let Some((head, opening)) = &part.from {
                let certificate = opening.certificate.payload();
                let name = part.report.name.clone().unwrap_or_default();
                if part.report.whole && part.word.is_some_and(Word::is_latest) {
                    steps.insert(
                        certificate.node,
                        (certificate.clinic, name.clone(), part.step),
                    );
                }
                bundles.insert((certificate.node, head.bundle), (certificate.clinic, name));
            }
            held.append(&mut part.held);
            lacking.append(&mut part.lacking);
            charts.append(&mut part.noted.charts);
            let unread = match outcome {
                Ok(()) => None,
                Err(Unread::Ours(error @ (ClinicError::Store(_) | ClinicError::Fault { .. }))) => {
                    return Err(error);
                }
                Err(unread) if unread.is_no_failure() => {
                    part.report.skipped = Some(unread.to_string());
                    None
                }
                Err(unread) => Some(unread.to_string()),
            };
            let reasons = match self.own_end() {
                // One of them may have told so.
                Some(end) => vec![end.words()],
                None => unread.into_iter().chain(part.reasons).collect(),
            };
            read.files.push(part.report.of(file, reasons));
            progress(Progress {
                what: "reading bundle files".to_owned(),
                done: u64::try_from(read.files.len()).unwrap_or(u64::MAX),
                total,
            });
        }
        self.pay_owing()?;
        read.not_here = self.look_through_all(&charts)?;
        // Behind the records: what this clinic saved is known now.
        for (node, names) in held {
            self.has_heard(&node, &names)?;
        }
        for ((node, name), lacked) in lacking {
            self.has_heard_lacking(&node, &name, &lacked)?;
        }
        for ((node, bundle), (clinic, name)) in bundles {
            read.missing
                .extend(self.missing_parts(&node, clinic, &name, &bundle)?);
        }
        read.out_of_step = out_of_step(steps);
        Ok(read)
    }
}

/// The last that each node has shown, where one of both lacks something.
fn out_of_step(steps: BTreeMap<NodeId, (ClinicId, String, Step)>) -> Vec<OutOfStep> {
    let all = steps.into_iter();
    let all = all.filter(|(_, (_, _, step))| *step != Step::default());
    all.map(|(node, (clinic, name, step))| OutOfStep {
        clinic,
        name,
        node,
        lacking_here: step.lacking_here,
        lacking_there: step.lacking_there,
    })
    .collect()
}

/// The files to read: those named, and those in the folders named, by name.
fn files_of(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::read_dir(path) {
            Ok(entries) => {
                let inside = entries.flatten().map(|entry| entry.path());
                let mut inside: Vec<PathBuf> = inside.filter(|path| path.is_file()).collect();
                inside.sort();
                files.append(&mut inside);
            }
            // Not a folder: whether it is a file shows when it is read.
            Err(_) => files.push(path.clone()),
        }
    }
    files
}
