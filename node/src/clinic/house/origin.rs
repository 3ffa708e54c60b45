//! Which enrolment file each node came from: a file that is used twice makes two nodes.
//!
//! Nothing can keep a second computer from it: whoever has the file and its code has the clinic's
//! keys, and certifies a node without asking. So each node tells the others which file it came
//! from, and two that name the same one are shown until one of them is cut off. A program that was
//! altered may leave that out; its node stands in `node list` all the same.

use std::collections::BTreeMap;

use chartmesh_protocol::NodeId;
use serde::{Deserialize, Serialize};

use super::notes::Told;
use crate::clinic::draft::Draft;
use crate::clinic::{Clinic, ClinicError};
use crate::keys::EnrolmentId;
use crate::store::{Batch, Space};

/// What the keys of nodes' files begin with.
const ORIGIN: &[u8] = b"node origin/";
/// There while this node has not told from which file it came.
const UNTOLD: &[u8] = b"node origin is untold";

/// Two nodes or more that came from one enrolment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubled {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// What the file called them.
    pub name: Option<String>,
}

/// A new node notes the file that it was made of.
pub(super) fn begin(batch: &mut Batch, node: &NodeId, file: &EnrolmentId) {
    note(batch, node, file);
    batch.put(Space::Settings, UNTOLD.to_vec(), Vec::new());
}

/// Notes which file a node came from.
pub(super) fn note(batch: &mut Batch, node: &NodeId, file: &EnrolmentId) {
    let key = [ORIGIN, node.as_bytes()].concat();
    batch.put(Space::Settings, key, file.as_bytes().to_vec());
}

impl Clinic {
    /// Tells the clinic's other nodes which file this one came from, once.
    pub(super) fn tell_origin(&self) -> Result<(), ClinicError> {
        if !self.store.contains(Space::Settings, UNTOLD)? {
            return Ok(());
        }
        let key = [ORIGIN, self.node_id().as_bytes()].concat();
        let file = self.store.get(Space::Settings, &key)?;
        let mut draft = Draft::default();
        if let Some(file) = file.and_then(|bytes| EnrolmentId::read(&bytes)) {
            self.note_for_house(&mut draft, &Told::Origin(file))?;
        }
        draft.batch.delete(Space::Settings, UNTOLD.to_vec());
        self.file(draft)?;
        Ok(())
    }

    /// The nodes that share an enrolment file with another one, by file; without those that were
    /// cut off.
    pub(super) fn doubles(&self) -> Result<Vec<Vec<NodeId>>, ClinicError> {
        let own = self.clinic_id();
        let mut by_file: BTreeMap<EnrolmentId, Vec<NodeId>> = BTreeMap::new();
        for pair in self.store.scan_prefix(Space::Settings, ORIGIN) {
            let (key, file) = pair?;
            let node = key.get(ORIGIN.len()..).and_then(<[u8]>::first_chunk);
            if let (Some(node), Some(file)) = (node, EnrolmentId::read(&file)) {
                let node = NodeId::new(*node);
                if !self.is_cut_off(&own, &node) {
                    by_file.entry(file).or_default().push(node);
                }
            }
        }
        by_file.retain(|_, nodes| nodes.len() > 1);
        Ok(by_file.into_values().collect())
    }

    /// Nodes of this clinic of which several came from one enrolment file.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub(crate) fn doubled(&self) -> Result<Vec<Doubled>, ClinicError> {
        let doubles = self.doubles()?.into_iter();
        doubles
            .map(|nodes| {
                let name = nodes.first().map(|node| self.label_of(node)).transpose()?;
                let name = name.flatten().filter(|name| !name.is_empty());
                Ok(Doubled { nodes, name })
            })
            .collect()
    }
}
