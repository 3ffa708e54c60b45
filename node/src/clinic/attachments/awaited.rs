//! What is waited for of attachments, and what nobody is known to have.

use std::collections::BTreeMap;

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use serde::{Deserialize, Serialize};

use super::givers::{Absent, Givers};
use super::lock;
use crate::blobs::BlobsChecked;
use crate::clinic::{Clinic, ClinicError};
use crate::net::PeerStatus;

/// What is waited for of attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Attachments that are wanted and not here whole, but for those that nobody can bring.
    pub attachments: u64,
    /// Their bytes that are still to come, about.
    pub bytes: u64,
    /// Who could bring them, while none of those is connected.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub absent: Option<Absent>,
    /// Attachments that this clinic saved, that are not here and that nobody is known to hold.
    #[serde(skip_serializing_if = "NotHad::is_nothing", default)]
    pub own_missing: NotHad,
    /// Attachments of others that are wanted, and that everybody who was asked lacks.
    #[serde(skip_serializing_if = "NotHad::is_nothing", default)]
    pub nowhere: NotHad,
}

/// Attachments that nobody is known to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotHad {
    /// How many.
    pub attachments: u64,
    /// Who may have them, and who was asked and does not.
    pub who: Absent,
}

impl NotHad {
    /// Whether there is none.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.attachments == 0
    }

    fn add(&mut self, one: Absent) {
        self.attachments += 1;
        self.who = std::mem::take(&mut self.who).and(one);
    }
}

impl Clinic {
    /// What is waited for of attachments, as the links stand.
    ///
    /// # Errors
    /// [`ClinicError::Folder`] when a file of them cannot be read.
    pub fn awaited(&self, links: &[PeerStatus]) -> Result<Awaited, ClinicError> {
        let wanted: BTreeMap<AttachmentName, Shape> = {
            let wants = self.wants();
            let all = wants.all();
            all.filter_map(|(name, want)| Some((*name, want.shape()?)))
                .collect()
        };
        let mut awaited = Awaited::default();
        let peers = self.peers()?;
        let mut givers = Givers::of(self, &peers, links);
        // None where somebody brings something.
        let mut absent = Some(Vec::new());
        for (name, shape) in &wanted {
            let who = match givers.is_brought(name)? {
                true => None,
                false => Some(givers.absent(name)?),
            };
            match who {
                Some(who) if who.missing => awaited.own_missing.add(who),
                Some(who) if who.is_nowhere() => awaited.nowhere.add(who),
                who => {
                    awaited.attachments += 1;
                    awaited.bytes += self.bytes_to_come(name, *shape)?;
                    match (who, &mut absent) {
                        (Some(who), Some(all)) => all.push(who),
                        (_, absent) => *absent = None,
                    }
                }
            }
        }
        awaited.absent = absent.and_then(|all| all.into_iter().reduce(Absent::and));
        for name in self.saved_and_not_here()? {
            if !wanted.contains_key(&name) {
                let who = givers.absent(&name)?;
                if who.missing {
                    awaited.own_missing.add(who);
                }
            }
        }
        Ok(awaited)
    }

    /// The bytes of an attachment that are still to come, about.
    fn bytes_to_come(&self, name: &AttachmentName, shape: Shape) -> Result<u64, ClinicError> {
        let here = lock(&*self.blob(name, shape)?).here().count();
        let missing = u64::from(shape.pieces().saturating_sub(here));
        Ok(shape.length().saturating_mul(missing) / u64::from(shape.pieces().max(1)))
    }

    /// What this clinic saved and nobody is known to hold, after every file was read: what is
    /// damaged is not here whole, either.
    pub(crate) fn missing_by_reading(&self, checked: &BlobsChecked) -> Result<NotHad, ClinicError> {
        let all = self.attachments_saved().shapes.clone();
        let lacking = all.into_iter().filter(|(name, shape)| {
            let file = self.blob_name(name);
            !checked.is_whole(&file, &name.id, *shape)
        });
        let lacking = lacking.map(|(name, _)| name).collect();
        self.attachments_saved().not_whole = Some(lacking);
        Ok(self.awaited(&[])?.own_missing)
    }

    /// What this clinic saved and that is not here whole. A file in which a piece is damaged is
    /// found by `doctor`: reading all of them takes too long here.
    fn saved_and_not_here(&self) -> Result<Vec<AttachmentName>, ClinicError> {
        let candidates: Vec<(AttachmentName, Shape)> = {
            let mut saved = self.attachments_saved();
            let all = std::mem::take(&mut saved.not_whole);
            let all = all.unwrap_or_else(|| {
                let all = saved.shapes.iter();
                let lacking = all.filter(|(name, shape)| !self.seems_here(name, **shape));
                lacking.map(|(name, _)| *name).collect()
            });
            let shaped = all.iter().filter_map(|name| {
                let shape = saved.shapes.get(name)?;
                Some((*name, *shape))
            });
            let candidates = shaped.collect();
            saved.not_whole = Some(all);
            candidates
        };
        let mut lacking = Vec::new();
        for (name, shape) in candidates {
            if !self.is_here(&name, shape)? {
                lacking.push(name);
            } else if let Some(not_whole) = &mut self.attachments_saved().not_whole {
                not_whole.remove(&name);
            }
        }
        Ok(lacking)
    }
}
