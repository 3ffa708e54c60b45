//! Saving: content leaves the text of a resource before the record is made.
//!
//! The content is durable when the record that has its mark is: it is written first. What is
//! written and gets no record is of no harm, for nothing leads to it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartmesh_crdt::{Content, Readable, Resource};
use chartmesh_protocol::attachment::{
    AttachmentKey, AttachmentName, AttachmentPlace, Mark, Shape, Spelling, seal_content,
};
use sha1::{Digest, Sha1};

use super::put_back::absent;
use super::{INSIDE_BYTES, lock, mark_text, read_mark};
use crate::clinic::{Clinic, ClinicError};

/// The characters of base64 that content of more than [`INSIDE_BYTES`] has at least.
const LEAST_CHARACTERS: usize = INSIDE_BYTES / 3 * 4;

/// The marks of a compartment by the digests of their contents: what is there already is not taken
/// out a second time, so that taking in a file again changes nothing.
pub(crate) struct Known {
    place: AttachmentPlace,
    marks: Option<HashMap<[u8; 32], Mark>>,
    /// What was taken out.
    pub(crate) taken: Vec<(AttachmentName, Shape)>,
}

impl Known {
    /// Of a compartment in which nothing has been looked for.
    pub(crate) fn of(place: AttachmentPlace) -> Self {
        Self {
            place,
            marks: None,
            taken: Vec::new(),
        }
    }

    /// The marks, looked for in what stands in the compartment now.
    fn marks(&mut self, content: Option<&dyn Readable>) -> &mut HashMap<[u8; 32], Mark> {
        self.marks.get_or_insert_with(|| {
            let mut marks = HashMap::new();
            for resource in content.into_iter().flat_map(|content| content.resources()) {
                let found = resource.marks();
                let read = found.iter().filter_map(|mark| read_mark(mark).ok());
                marks.extend(read.map(|mark| (mark.digest, mark)));
            }
            marks
        })
    }
}

impl Clinic {
    /// Takes the large contents out of a resource that is about to be saved among `content`, and
    /// keeps them durably.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the disk is full, [`ClinicError::Usage`] for what is larger
    /// than an attachment may be.
    pub(crate) fn take_out(
        &self,
        mut resource: Resource,
        content: Option<&dyn Readable>,
        known: &mut Known,
    ) -> Result<Resource, ClinicError> {
        let mut keep = |literal: &str| -> Result<Option<String>, ClinicError> {
            let Some((bytes, spelling)) = decoded(literal) else {
                return Ok(None);
            };
            if bytes.len() <= INSIDE_BYTES {
                return Ok(None);
            }
            let digest = *blake3::hash(&bytes).as_bytes();
            let place = known.place;
            let earlier = known.marks(content).get(&digest).cloned();
            let mark = match earlier {
                Some(mark) if self.is_kept(&place, &mark, &bytes)? => mark,
                Some(_) | None => {
                    let mark = self.keep_content(&place, &bytes, digest)?;
                    let name = AttachmentName { place, id: mark.id };
                    known.taken.push((name, mark.shape));
                    mark
                }
            };
            let mark = Mark { spelling, ..mark };
            known.marks(content).insert(digest, mark.clone());
            Ok(Some(mark_text(&mark)))
        };
        resource.take_out(LEAST_CHARACTERS, &mut keep)?;
        if let (Ok(key), Some(content)) = (resource.key(), content)
            && let Some(earlier) = content.resource(&key)
            && earlier.has_marks()
        {
            let bare = |mark: &str| read_mark(mark).map_or_else(|_| unknown(), |it| absent(&it));
            resource.keep_absent(&earlier, &bare);
        }
        Ok(resource)
    }

    /// Whether a mark's content is here; written anew where it is not. A mark that another wrote
    /// may not be true: then it is of no use.
    fn is_kept(
        &self,
        place: &AttachmentPlace,
        mark: &Mark,
        content: &[u8],
    ) -> Result<bool, ClinicError> {
        let name = AttachmentName {
            place: *place,
            id: mark.id,
        };
        if lock(&*self.blob(&name, mark.shape)?).is_whole() {
            return Ok(true);
        }
        if mark.shape.length() != u64::try_from(content.len()).unwrap_or(u64::MAX) {
            return Ok(false);
        }
        let mut new = self.blobs.begin(mark.shape)?;
        let keep = |number: u32, bytes: &[u8]| -> Result<(), ClinicError> {
            Ok(new.write(number, bytes)?)
        };
        let id = seal_content(&mark.key, place, content, keep)?;
        if id != mark.id {
            return Ok(false);
        }
        self.blobs.keep(new, id, &self.blob_name(&name))?;
        self.is_fetched(&name, mark.shape)?;
        Ok(true)
    }

    /// Seals a content under a new key and keeps it.
    fn keep_content(
        &self,
        place: &AttachmentPlace,
        content: &[u8],
        digest: [u8; 32],
    ) -> Result<Mark, ClinicError> {
        let shape = Shape::new(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
        let key = AttachmentKey::generate(&mut self.chance());
        let mut new = self.blobs.begin(shape)?;
        let keep = |number: u32, bytes: &[u8]| -> Result<(), ClinicError> {
            Ok(new.write(number, bytes)?)
        };
        let id = seal_content(&key, place, content, keep)?;
        let name = AttachmentName { place: *place, id };
        self.blobs.keep(new, id, &self.blob_name(&name))?;
        Ok(Mark {
            shape,
            key,
            id,
            digest,
            sha1: Sha1::digest(content).into(),
            spelling: Spelling::Plain,
        })
    }
}

fn unknown() -> Content {
    Content::Absent {
        size: None,
        hash: None,
    }
}

/// The bytes of a literal that is base64 in its one form (RFC 4648 §4), so that it can be written
/// again as it was. Anything else stays where it is.
fn decoded(literal: &str) -> Option<(Vec<u8>, Spelling)> {
    if !literal.contains('\\') {
        return Some((STANDARD.decode(literal).ok()?, Spelling::Plain));
    }
    let plain = literal.replace("\\/", "/");
    let slashes = plain.bytes().filter(|byte| *byte == b'/').count();
    let all_escaped = literal.len().checked_sub(plain.len()) == Some(slashes);
    let bytes = STANDARD.decode(&plain).ok().filter(|_| all_escaped)?;
    Some((bytes, Spelling::SlashesEscaped))
}

/// What [`decoded`] read, written as it was.
pub(super) fn encoded(content: &[u8], spelling: Spelling) -> String {
    let plain = STANDARD.encode(content);
    match spelling {
        Spelling::Plain => plain,
        Spelling::SlashesEscaped => plain.replace('/', "\\/"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_can_be_written_again_as_it_was_is_taken() {
        for odd in [
            "QQ",
            "QR==",
            "QQ==\\n",
            "Q Q==",
            "_-__",
            "\\/\\/\\/\\u002f",
            "//\\/\\/",
        ] {
            assert_eq!(decoded(odd), None, "{odd}");
        }
        assert_eq!(decoded("////"), Some((vec![0xff; 3], Spelling::Plain)));
        let escaped = decoded("\\/\\/\\/\\/");
        assert_eq!(escaped, Some((vec![0xff; 3], Spelling::SlashesEscaped)));
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_encoded_as_it_was(literal in "([A-Za-z0-9+/=]|\\\\/){0,40}") {
            if let Some((content, spelling)) = decoded(&literal) {
                prop_assert_eq!(encoded(&content, spelling), literal);
            }
        }

        #[test]
        fn any_content_comes_back(content: Vec<u8>) {
            for spelling in [Spelling::Plain, Spelling::SlashesEscaped] {
                let literal = encoded(&content, spelling);
                let (back, _) = decoded(&literal).unwrap();
                prop_assert_eq!(&back, &content);
            }
        }
    }
}
