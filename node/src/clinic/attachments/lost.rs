//! Attachments that were here whole and are not any more: a disk that forgets, or somebody who
//! tidies up. `doctor` finds them, and `doctor --repair` asks for them again.

use std::collections::BTreeMap;

use chartmesh_protocol::ChartId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use serde::{Deserialize, Serialize};

use super::givers::{Absent, Givers};
use super::wants::Wish;
use crate::blobs::BlobsChecked;
use crate::clinic::short::short;
use crate::clinic::{Clinic, ClinicError};
use crate::control::Progress;

/// What is not here any more of one patient's attachments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The patient.
    pub patient: ChartId,
    /// How many of the attachments.
    pub attachments: u64,
    /// Who could bring them.
    pub who: Absent,
}

/// What became of attachments that were damaged or gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mended {
    /// Those of which only the file's beginning was damaged: they are whole.
    pub in_place: u64,
    /// Those that are asked for again.
    pub asked: u64,
}

impl Lost {
    /// What is wrong, in words without anything of the patient.
    #[must_use]
    pub fn words(&self) -> String {
        let (attachments, are, them) = match self.attachments {
            1 => ("attachment", "is", "it"),
            _ => ("attachments", "are", "them"),
        };
        let (count, patient) = (self.attachments, short(&self.patient));
        let who = match self.who.waits_for.is_empty() {
            true => "nobody is known to have".to_owned(),
            false => format!("{} can bring", self.who.named()),
        };
        format!(
            "{count} {attachments} of patient {patient} {are} damaged or gone here; {who} {them}"
        )
    }
}

impl Clinic {
    /// Checks every attachment's file, with how far that is.
    pub(crate) fn check_blobs(
        &self,
        progress: &dyn Fn(Progress),
    ) -> Result<BlobsChecked, ClinicError> {
        let checked = self.blobs.check(&mut |done, total| {
            progress(Progress {
                what: "checking attachments".to_owned(),
                done,
                total,
            });
        });
        Ok(checked.map_err(crate::blobs::BlobError::from)?)
    }

    /// What was here whole and is not any more, by patients. What is wanted already is not among
    /// it, and what this clinic alone had is told apart.
    pub(crate) fn attachments_lost(
        &self,
        checked: &BlobsChecked,
    ) -> Result<Vec<Lost>, ClinicError> {
        let peers = self.peers()?;
        let mut givers = Givers::of(self, &peers, &[]);
        let mut lost: BTreeMap<ChartId, Lost> = BTreeMap::new();
        for (name, _) in self.not_whole_any_more(checked)? {
            let who = givers.absent(&name)?;
            if who.missing || self.wants().get(&name).is_some() {
                continue;
            }
            let patient = name.place.chart;
            let of_patient = lost.entry(patient).or_insert_with(|| Lost {
                patient,
                attachments: 0,
                who: Absent::default(),
            });
            of_patient.attachments += 1;
            of_patient.who = std::mem::take(&mut of_patient.who).and(who);
        }
        Ok(lost.into_values().collect())
    }

    /// Lets go of what is damaged, and asks for it again, and for what is gone. No node may run
    /// meanwhile.
    ///
    /// # Errors
    /// [`ClinicError::Folder`] when a file cannot be read or written.
    pub fn mend_attachments(&self, progress: &dyn Fn(Progress)) -> Result<Mended, ClinicError> {
        let checked = self.check_blobs(progress)?;
        let lost = self.not_whole_any_more(&checked)?;
        if lost.is_empty() && checked.health.is_sound() {
            return Ok(Mended::default());
        }
        let files = lost
            .iter()
            .map(|(name, shape)| (self.blob_name(name), name.id, *shape));
        self.blobs.mend(files, &mut |done, total| {
            progress(Progress {
                what: "letting go of what is damaged".to_owned(),
                done,
                total,
            });
        })?;
        let lost: Vec<(AttachmentName, Shape)> = lost.into_iter().collect();
        let all = lost.len();
        let asked = self.want(lost, Wish::Requested, None)?.len();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Mended {
            in_place: count(all.saturating_sub(asked)),
            asked: count(asked),
        })
    }

    /// What came here whole, or was saved at this node, and is not whole by a check.
    fn not_whole_any_more(
        &self,
        checked: &BlobsChecked,
    ) -> Result<BTreeMap<AttachmentName, Shape>, ClinicError> {
        let is_lost = |name: &AttachmentName, shape: Shape| {
            !checked.is_whole(&self.blob_name(name), &name.id, shape)
        };
        let come = self.attachments_come()?.into_iter();
        let mut lost: BTreeMap<AttachmentName, Shape> =
            come.filter(|(name, shape)| is_lost(name, *shape)).collect();
        let saved = self.attachments_saved().shapes.clone();
        let mut saved_here = BTreeMap::new();
        for (name, shape) in saved {
            if lost.contains_key(&name) || !is_lost(&name, shape) {
                continue;
            }
            // What another node of the clinic saved may never have come.
            let chart = name.place.chart;
            let of_chart = match saved_here.get(&chart) {
                Some(of_chart) => of_chart,
                None => {
                    let of_chart = self.saved_by(&chart, &self.node_id())?;
                    saved_here.entry(chart).or_insert(of_chart)
                }
            };
            if of_chart.contains(&name) {
                lost.insert(name, shape);
            }
        }
        Ok(lost)
    }
}
