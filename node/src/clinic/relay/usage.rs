//! How much lies at a relay, and whose it is.

use chartmesh_protocol::{ClinicId, MailboxId};
use serde::{Deserialize, Serialize};

use super::boxes::{Door, USED};
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::Space;

/// What lies at a relay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayUse {
    /// Boxes that somebody fetches from.
    pub mailboxes: u64,
    /// Pieces of mail.
    pub mail: u64,
    /// What one clinic may put, in bytes.
    pub quota_bytes: u64,
    /// What each clinic has put.
    pub clinics: Vec<ClinicUse>,
}

/// What a clinic has put at a relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClinicUse {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name, if its card is here.
    pub name: Option<String>,
    /// Bytes of mail.
    pub bytes: u64,
}

impl Clinic {
    /// What lies at this relay.
    pub(crate) fn relay_use(&self) -> Result<RelayUse, ClinicError> {
        let names = self.clinic_names()?;
        let mut found = RelayUse {
            quota_bytes: self.config.relay.quota_bytes(),
            ..RelayUse::default()
        };
        let mut last = None;
        for pair in self.store.scan_prefix(Space::Accesses, &[]) {
            let (key, value) = pair?;
            let door: Door = minicbor::decode(&value).map_err(ClinicError::fault)?;
            let mailbox = key.get(..MailboxId::LEN).map(<[u8]>::to_vec);
            if door.opens && mailbox != last {
                found.mailboxes += 1;
                last = mailbox;
            }
        }
        for key in self.store.keys(Space::Mailboxes, &[]) {
            key?;
            found.mail += 1;
        }
        for pair in self.store.scan_prefix(Space::Meta, USED) {
            let (key, value) = pair?;
            let clinic = key.get(USED.len()..).unwrap_or_default();
            let clinic = ClinicId::try_from(clinic).map_err(ClinicError::fault)?;
            found.clinics.push(ClinicUse {
                clinic,
                name: names.get(&clinic).cloned(),
                bytes: items::number(&value).unwrap_or(0),
            });
        }
        found
            .clinics
            .sort_by(|a, b| (&a.name, a.clinic).cmp(&(&b.name, b.clinic)));
        Ok(found)
    }
}
