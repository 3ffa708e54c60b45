//! Exporting: content comes back into the text of a resource, or is said not to be here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartmesh_crdt::{Content, Resource};
use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace, Mark};
use serde::{Deserialize, Serialize};

use super::read_mark;
use super::take_out::encoded;
use crate::clinic::{Clinic, ClinicError};

/// A chart that was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// A `collection` Bundle, or one resource a line.
    pub text: String,
    /// What it lacks: the content of these is not here.
    pub absent: Vec<AbsentAttachment>,
    /// Records that it leaves out: they do not count.
    pub held: u64,
}

/// An attachment whose content is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentAttachment {
    /// The resource, as Type/id.
    pub resource: String,
    /// Its size in bytes, where that is known.
    pub bytes: Option<u64>,
}

/// What stands in the place of content that is not here.
pub(crate) fn absent(mark: &Mark) -> Content {
    Content::Absent {
        size: Some(mark.shape.length()),
        hash: Some(STANDARD.encode(mark.sha1)),
    }
}

impl Clinic {
    /// A resource as other systems read it; what it lacks is added to `lacking`. Without a place
    /// nothing is here of it.
    pub(crate) fn put_back(
        &self,
        place: Option<AttachmentPlace>,
        resource: Resource,
        lacking: &mut Vec<AbsentAttachment>,
    ) -> Result<Resource, ClinicError> {
        let key = resource.key().map(|key| key.to_string());
        let key = key.unwrap_or_default();
        let mut content = |literal: &str| -> Result<Content, ClinicError> {
            let mark = read_mark(literal).ok();
            if let (Some(mark), Some(place)) = (&mark, place) {
                let name = AttachmentName { place, id: mark.id };
                if let Some(content) = self.content(&name, mark)? {
                    return Ok(Content::Here(encoded(&content, mark.spelling)));
                }
            }
            lacking.push(AbsentAttachment {
                resource: key.clone(),
                bytes: mark.as_ref().map(|mark| mark.shape.length()),
            });
            Ok(without(mark.as_ref()))
        };
        resource.put_back(&mut content)
    }
}

/// One element as it is shown where its content would be out of place, such as among the versions
/// of a conflict.
pub(crate) fn shown(element: &str, text: &str) -> Option<String> {
    let mut content = |literal: &str| -> Result<Content, std::convert::Infallible> {
        Ok(without(read_mark(literal).ok().as_ref()))
    };
    chartmesh_crdt::put_back(element, text, &mut content).unwrap_or(None)
}

fn without(mark: Option<&Mark>) -> Content {
    mark.map_or(
        Content::Absent {
            size: None,
            hash: None,
        },
        absent,
    )
}
