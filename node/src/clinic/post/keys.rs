//! The boxes of attachments by their names.
//!
//! The key of a box follows from the mark that stands in a record, so that a chart is read the
//! first time that its box is looked for. Where several marks tell of one attachment, all but one
//! of them lie, and nobody can say which without its content: everyone takes the box with the
//! smallest id, whichever it is, and so all meet there.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::mail::MailboxKey;
use chartmesh_protocol::{ChartId, MailboxId};
use zeroize::Zeroizing;

use super::log::Post;
use crate::clinic::attachments::found_in;
use crate::clinic::{Clinic, ClinicError};

/// Keys of boxes that were looked for in charts.
#[derive(Default)]
pub(super) struct Keys {
    found: BTreeMap<AttachmentName, Zeroizing<[u8; 32]>>,
    ids: BTreeMap<AttachmentName, MailboxId>,
    looked: BTreeSet<ChartId>,
}

impl Keys {
    /// The box of an attachment; none where no record here tells of it.
    pub(super) fn box_of(
        &mut self,
        post: &Post,
        clinic: &Clinic,
        name: &AttachmentName,
    ) -> Result<Option<MailboxId>, ClinicError> {
        if let Some(id) = post.parcel_boxes.get(name) {
            return Ok(Some(*id));
        }
        if self.looked.insert(name.place.chart) {
            self.look(clinic, &name.place.chart)?;
        }
        Ok(self.ids.get(name).copied())
    }

    /// The key of a box that was found.
    pub(super) fn key(&self, post: &Post, name: &AttachmentName) -> Option<MailboxKey> {
        let id = post.parcel_boxes.get(name);
        let known = id.and_then(|id| post.boxes.get(id));
        let known = known.map(|one| one.key.to_bytes());
        let bytes = known.or_else(|| self.found.get(name).cloned())?;
        Some(MailboxKey::from_bytes(bytes))
    }

    fn look(&mut self, clinic: &Clinic, chart: &ChartId) -> Result<(), ClinicError> {
        let found = match clinic.with_chart(chart, |open| Ok(found_in(open))) {
            Ok(found) => found,
            Err(error @ (ClinicError::Unreadable { .. } | ClinicError::NotFound { .. })) => {
                tracing::warn!(%error, "its attachments do not go through a relay");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for one in found {
            let (Some((name, _)), Some(mark)) = (one.name(), &one.mark) else {
                continue;
            };
            let key = MailboxKey::of_attachment(&name, &mark.key);
            if self.ids.get(&name).is_none_or(|known| key.id() < *known) {
                self.ids.insert(name, key.id());
                self.found.insert(name, key.to_bytes());
            }
        }
        Ok(())
    }
}
