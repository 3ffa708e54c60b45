//! Attachments that came here whole from elsewhere: on a stick they are told of.
//!
//! ```text
//! Settings  "attachment come/" chart 16 | compartment 8 | id 32  -> length
//! ```

use chartmesh_protocol::attachment::{AttachmentName, Shape};

use super::wants::{key_of, name_of};
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Batch, Space};

const COME: &[u8] = b"attachment come/";

impl Clinic {
    /// Notes that an attachment came, unless that is noted already.
    pub(super) fn note_come(
        &self,
        batch: &mut Batch,
        name: &AttachmentName,
        shape: Shape,
    ) -> Result<(), ClinicError> {
        let key = [COME, &key_of(name)].concat();
        if self.store.get(Space::Settings, &key)?.is_none() {
            batch.put(Space::Settings, key, shape.length().to_be_bytes().to_vec());
        }
        Ok(())
    }

    /// What came here whole. It may have been damaged since.
    pub(crate) fn attachments_come(&self) -> Result<Vec<(AttachmentName, Shape)>, ClinicError> {
        let mut come = Vec::new();
        for pair in self.store.scan_prefix(Space::Settings, COME) {
            let (key, value) = pair?;
            let name = key.get(COME.len()..).and_then(name_of);
            let shape = items::number(&value).and_then(|length| Shape::new(length).ok());
            come.extend(name.zip(shape));
        }
        Ok(come)
    }
}
