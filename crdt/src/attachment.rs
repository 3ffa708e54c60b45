//! Large content out of a resource's text, and back into it.
//!
//! FHIR keeps a scan as base64 in a member called `data`: of an Attachment (R4 2.24.0.11), of a
//! Binary, of a Signature. A long one is taken out, and a [mark](MARK) stands in its place: a text
//! that says where the content is. What it says is the node's; here it is text. `data` stands for
//! content at any depth, also of resources that are contained in others.
//!
//! A mark is no base64, for it has a `:`, so nothing that FHIR allows looks like one. What comes
//! from outside must not have one ([`Resource::has_marks`]), and nothing that leaves must:
//! [`Resource::put_back`] puts the content back, or leaves the member out and says how large the
//! content is, as FHIR does where content lies elsewhere.

use std::ops::Range;

use crate::document::WHOLE;
use crate::json::push_string;
use crate::resource::Resource;
use crate::span;

/// How the text begins that stands for content which was taken out.
pub const MARK: &str = "chartmesh-attachment:";

/// The member that holds content (FHIR R4, `Attachment.data`, `Binary.data`, `Signature.data`).
const DATA: &str = "data";

/// What stands in the place of a mark for who reads the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The text that was taken out, without its quotes.
    Here(String),
    /// It is not here.
    Absent {
        /// Its size in bytes (`Attachment.size`), where that is known.
        size: Option<u64>,
        /// Its SHA-1 in base64 (`Attachment.hash`), where that is known.
        hash: Option<String>,
    },
}

/// A text that stands as `data` in an element.
struct Literal {
    /// Where it stands in the element's text, without its quotes.
    range: Range<usize>,
    /// The object that it is a member of; none where it is the element itself.
    object: Option<Range<usize>>,
}

/// The texts that stand as `data` in the element `name`, in their order.
fn literals(name: &str, text: &str) -> Vec<Literal> {
    if name == DATA && text.starts_with('"') {
        let range = 1..text.len().saturating_sub(1).max(1);
        return vec![Literal {
            range,
            object: None,
        }];
    }
    let found = span::named_strings(text, DATA).into_iter();
    found
        .map(|one| Literal {
            range: one.range,
            object: Some(one.object),
        })
        .collect()
}

/// Whether a literal is one that this node put in the place of content.
fn is_mark(literal: &str) -> bool {
    literal.starts_with(MARK)
}

/// The marks in the element `name`, in their order.
pub(crate) fn marks_in<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    let found = literals(name, text).into_iter();
    let found = found.filter_map(|literal| text.get(literal.range));
    found.filter(|literal| is_mark(literal)).collect()
}

impl Resource {
    /// Replaces each `data` of at least `least` characters by the text that `keep` returns for it;
    /// what it returns `None` for stays. Returns how many were replaced.
    ///
    /// # Errors
    /// What `keep` returns; the resource may then have changed in part.
    pub fn take_out<E>(
        &mut self,
        least: usize,
        keep: &mut dyn FnMut(&str) -> Result<Option<String>, E>,
    ) -> Result<usize, E> {
        let mut taken = 0;
        let long = self.elements().filter(|(_, text)| text.len() >= least);
        let names: Vec<String> = long.map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let text = self.element(&name).unwrap_or_default();
            let mut new = String::new();
            let mut upto = 0;
            for literal in literals(&name, text) {
                let content = text.get(literal.range.clone()).unwrap_or_default();
                if content.len() < least {
                    continue;
                }
                if let Some(mark) = keep(content)? {
                    new.push_str(text.get(upto..literal.range.start).unwrap_or_default());
                    new.push_str(&mark);
                    upto = literal.range.end;
                    taken += 1;
                }
            }
            if upto > 0 {
                new.push_str(text.get(upto..).unwrap_or_default());
                self.set_minified(&name, new);
            }
        }
        Ok(taken)
    }

    /// Whether a mark stands where content does. A file that has one was not made by any system
    /// that a clinic gets files from.
    pub fn has_marks(&self) -> bool {
        !self.marks().is_empty()
    }

    /// The marks, in the order of the elements and of their texts.
    pub fn marks(&self) -> Vec<&str> {
        let elements = self.elements();
        elements
            .flat_map(|(name, text)| marks_in(name, text))
            .collect()
    }

    /// Replaces each mark by what it stands for.
    ///
    /// # Errors
    /// What `content` returns.
    pub fn put_back<E>(
        mut self,
        content: &mut dyn FnMut(&str) -> Result<Content, E>,
    ) -> Result<Self, E> {
        let marked = self.elements().filter(|(_, text)| text.contains(MARK));
        let names: Vec<String> = marked.map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let text = self.element(&name).unwrap_or_default();
            match put_back(&name, text, content)? {
                Some(text) => self.set_minified(&name, text),
                None => self = self.without_element(&name),
            }
        }
        Ok(self)
    }

    /// Puts the marks of an earlier version back where this one has the same object without its
    /// content, as [`put_back`](Self::put_back) leaves it where content is not here: who edits an
    /// export must not lose what was not in it.
    pub fn keep_absent(&mut self, earlier: &Self, absent: &dyn Fn(&str) -> Content) {
        for (name, text) in earlier.elements().filter(|(_, text)| text.contains(MARK)) {
            for literal in literals(name, text) {
                let mark = text.get(literal.range.clone()).unwrap_or_default();
                if !is_mark(mark) {
                    continue;
                }
                let Some(object) = literal.object else {
                    if self.element(name).is_none() {
                        self.set_minified(name, text.to_owned());
                    }
                    continue;
                };
                let whole = text.get(object.clone()).unwrap_or_default();
                let inner = literal.range.start.saturating_sub(object.start)
                    ..literal.range.end.saturating_sub(object.start);
                let bare = left_out(whole, &inner, &absent(mark));
                if let Some(mine) = self.element(name)
                    && mine.contains(&bare)
                {
                    let kept = mine.replace(&bare, whole);
                    self.set_minified(name, kept);
                }
            }
        }
    }
}

/// What was changed in a text from where on.
struct Edit {
    at: usize,
    shrunk: usize,
    grown: usize,
}

/// The text of one element, or of a whole resource under the name `*`, with each mark replaced by
/// what it stands for; `None` where the element is a mark whose content is not here.
///
/// # Errors
/// What `content` returns.
pub fn put_back<E>(
    name: &str,
    text: &str,
    content: &mut dyn FnMut(&str) -> Result<Content, E>,
) -> Result<Option<String>, E> {
    let name = if name == WHOLE { "" } else { name };
    // From the end, so that what stands before keeps its place.
    let mut new = text.to_owned();
    let mut edits: Vec<Edit> = Vec::new();
    for literal in literals(name, text).into_iter().rev() {
        let mark = text.get(literal.range.clone()).unwrap_or_default();
        if !is_mark(mark) {
            continue;
        }
        let at = literal.range.start;
        let before = new.len();
        match (content(mark)?, literal.object) {
            (Content::Here(content), _) => new.replace_range(literal.range, &content),
            (_, None) => return Ok(None),
            (absent, Some(object)) => {
                let within = edits.iter().rev().take_while(|edit| edit.at < object.end);
                let (shrunk, grown) = within.fold((0_usize, 0_usize), |(shrunk, grown), edit| {
                    (
                        shrunk.saturating_add(edit.shrunk),
                        grown.saturating_add(edit.grown),
                    )
                });
                let end = object.end.saturating_add(grown).saturating_sub(shrunk);
                let Some(whole) = new.get(object.start..end) else {
                    continue;
                };
                let inner =
                    at.saturating_sub(object.start)..literal.range.end.saturating_sub(object.start);
                let bare = left_out(whole, &inner, &absent);
                new.replace_range(object.start..end, &bare);
            }
        }
        edits.push(Edit {
            at,
            shrunk: before.saturating_sub(new.len()),
            grown: new.len().saturating_sub(before),
        });
    }
    Ok(Some(new))
}

/// An object without the `data` whose literal stands at `range`, and with the size and the hash of
/// the content where they are not there and belong there.
fn left_out(object: &str, range: &Range<usize>, absent: &Content) -> String {
    // `"data":"` stands before it, and `"` behind.
    let mut start = range.start.saturating_sub(DATA.len() + 4);
    let mut end = range.end.saturating_add(1);
    match (object.as_bytes().get(end), start.checked_sub(1)) {
        (Some(b','), _) => end = end.saturating_add(1),
        (_, Some(before)) if object.as_bytes().get(before) == Some(&b',') => start = before,
        _ => {}
    }
    let mut bare = object.get(..start).unwrap_or_default().to_owned();
    bare.push_str(object.get(end..).unwrap_or_default());
    let Content::Absent { size, hash } = absent else {
        return bare;
    };
    let names = span::members(object);
    let has = |wanted: &str| names.iter().any(|(name, _)| name == wanted);
    // A Binary and a Signature have no such members (R4 2.41.4, 2.24.0.14).
    if has("resourceType") || has("who") || has("sigFormat") {
        return bare;
    }
    if let Some(size) = size.filter(|_| !has("size")) {
        push_last(&mut bare, "size", &size.to_string());
    }
    if let Some(hash) = hash.as_ref().filter(|_| !has("hash")) {
        let mut text = String::new();
        push_string(&mut text, hash);
        push_last(&mut bare, "hash", &text);
    }
    bare
}

/// Adds a member at the end of an object.
fn push_last(object: &mut String, name: &str, value: &str) {
    if object.pop().is_none() {
        return;
    }
    if object.len() > 1 {
        object.push(',');
    }
    push_string(object, name);
    object.push(':');
    object.push_str(value);
    object.push('}');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Takes out all of ten characters and more, and numbers it.
    fn taken(resource: &mut Resource) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        let mut keep = |text: &str| -> Result<_, Infallible> {
            let mark = format!("{MARK}{}", kept.len());
            kept.insert(mark.clone(), text.to_owned());
            Ok(Some(mark))
        };
        resource.take_out(10, &mut keep).unwrap();
        kept
    }

    fn back(resource: Resource, kept: &BTreeMap<String, String>) -> Resource {
        let mut content = |mark: &str| -> Result<_, Infallible> {
            let absent = Content::Absent {
                size: Some(7),
                hash: Some("aGFzaA==".to_owned()),
            };
            Ok(kept.get(mark).cloned().map_or(absent, Content::Here))
        };
        resource.put_back(&mut content).unwrap()
    }

    fn parse(text: &str) -> Resource {
        Resource::parse(text).unwrap()
    }

    const SCAN: &str = r#"{"resourceType":"DocumentReference","id":"d","content":[
        {"attachment":{"contentType":"image/png","data":"AAAAAAAAAAAAAAAA","title":"data"}},
        {"attachment":{"data":"short"}},{"attachment":{"data":"BBBBBBBBBBBBBBBB","size":3}}],
        "contained":[{"resourceType":"Binary","id":"b","data":"CCCCCCCCCCCCCCCC"}]}"#;

    #[test]
    fn long_content_is_taken_out_at_any_depth_and_comes_back_as_it_was() {
        let whole = parse(SCAN);
        let mut resource = whole.clone();
        let kept = taken(&mut resource);
        assert_eq!(kept.len(), 3);
        assert_eq!(resource.marks().len(), 3);
        assert!(!resource.to_json().contains("AAAAAAAAAA"));
        assert!(resource.to_json().contains("short"));
        assert_eq!(back(resource, &kept), whole);
        assert!(!whole.has_marks());
    }

    #[test]
    fn a_binary_is_content_itself() {
        let whole = parse(r#"{"resourceType":"Binary","id":"b","data":"CCCCCCCCCCCCCCCC"}"#);
        let mut resource = whole.clone();
        let kept = taken(&mut resource);
        assert_eq!(resource.element("data"), Some("\"chartmesh-attachment:0\""));
        assert_eq!(back(resource.clone(), &kept), whole);
        let absent = back(resource.clone(), &BTreeMap::new());
        assert_eq!(absent.to_json(), r#"{"resourceType":"Binary","id":"b"}"#);
        let mut again = absent;
        again.keep_absent(&resource, &|_| unreachable!("it is no member of an object"));
        assert_eq!(again, resource);
    }

    #[test]
    fn what_is_not_here_is_left_out_with_its_size_and_no_mark_is_left() {
        let mut resource = parse(SCAN);
        let kept = taken(&mut resource);
        let absent = back(resource.clone(), &BTreeMap::new());
        assert_eq!(
            absent.element("content"),
            Some(concat!(
                r#"[{"attachment":{"contentType":"image/png","title":"data","size":7,"#,
                r#""hash":"aGFzaA=="}},{"attachment":{"data":"short"}},"#,
                r#"{"attachment":{"size":3,"hash":"aGFzaA=="}}]"#
            ))
        );
        let contained = absent.element("contained");
        assert_eq!(contained, Some(r#"[{"resourceType":"Binary","id":"b"}]"#));
        assert!(!absent.to_json().contains(MARK));
        // Who edits the export and takes it in again loses nothing.
        let mut edited = absent.with_element("status", "\"current\"").unwrap();
        let size = |_: &str| Content::Absent {
            size: Some(7),
            hash: Some("aGFzaA==".to_owned()),
        };
        edited.keep_absent(&resource, &size);
        assert_eq!(edited.element("content"), resource.element("content"));
        assert_eq!(edited.element("contained"), resource.element("contained"));
        assert!(kept.len() == 3 && edited.element("status").is_some());
    }

    #[test]
    fn a_whole_resource_is_a_text_like_any_other() {
        let text = r#"{"resourceType":"Binary","data":"chartmesh-attachment:0"}"#;
        let put = |found: Option<&str>| {
            let mut content = |_: &str| -> Result<_, Infallible> {
                let absent = Content::Absent {
                    size: None,
                    hash: None,
                };
                Ok(found.map_or(absent, |text| Content::Here(text.to_owned())))
            };
            put_back("*", text, &mut content).unwrap().unwrap()
        };
        assert_eq!(put(Some("AB")), r#"{"resourceType":"Binary","data":"AB"}"#);
        assert_eq!(put(None), r#"{"resourceType":"Binary"}"#);
    }

    /// JSON objects with members called `data` here and there, minified.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            "[A-Za-z0-9+/=:\\\\\" ]{0,40}".prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<u32>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 48, 4, |inner| {
            let names = prop_oneof![Just("data".to_owned()), "[a-z]{1,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(names, inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn taking_out_and_putting_back_changes_nothing(value in json(), data in json()) {
            let text = serde_json::json!({
                "resourceType": "Media", "id": "m", "content": value, "data": data,
            });
            let whole = parse(&text.to_string());
            let mut resource = whole.clone();
            let kept = taken(&mut resource);
            prop_assert_eq!(resource.marks().len(), kept.len());
            let absent = back(resource.clone(), &BTreeMap::new()).to_json();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&absent).is_ok(), "{}", absent);
            prop_assert!(!absent.contains(MARK));
            prop_assert_eq!(back(resource, &kept), whole);
        }

        #[test]
        fn any_text_is_put_back_without_a_panic(text in "[\\[\\]{}\",:a-z\\\\]{0,80}") {
            let text = text.replace("dd", "\"data\":\"chartmesh-attachment:");
            let mut content = |_: &str| -> Result<_, Infallible> {
                Ok(Content::Absent { size: Some(1), hash: None })
            };
            let _ = put_back("content", &text, &mut content);
        }
    }
}
