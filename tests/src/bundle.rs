//! What an import must keep of a FHIR bundle, worked out from the file alone.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::exact::Exact;

/// Resources by `Type/id`.
pub type Resources = BTreeMap<String, Exact>;

/// The text of a `.json` or `.json.gz` file.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn read_text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    text
}

/// The resources of a bundle as they stand.
///
/// # Panics
/// When two have the same `Type/id`, or one has none.
#[must_use]
pub fn resources(bundle: &str) -> Resources {
    by_key(
        entries(&Exact::read(bundle))
            .into_iter()
            .map(|(_, one)| one),
    )
}

/// The resources of a bundle as a chart must hold them: each with its id, and references to
/// entries of the same bundle by `urn:uuid:` as `Type/id`. Nothing else is changed.
///
/// # Panics
/// As [`resources`].
#[must_use]
pub fn kept(bundle: &str) -> Resources {
    let entries = entries(&Exact::read(bundle));
    let mut places = BTreeMap::new();
    for (url, resource) in &entries {
        if let Some(url) = url.as_ref().filter(|url| url.starts_with("urn:uuid:")) {
            places.insert(url.clone(), key(resource));
        }
    }
    by_key(
        entries
            .into_iter()
            .map(|(_, resource)| rewrite(resource, &places)),
    )
}

/// `fullUrl` and resource of every entry; a resource without an id takes that of its `fullUrl`.
fn entries(bundle: &Exact) -> Vec<(Option<String>, Exact)> {
    let list = bundle.member("entry").map_or(&[][..], Exact::items);
    let entry = |entry: &Exact| {
        let url = entry.text("fullUrl").map(str::to_owned);
        let mut resource = entry.member("resource").unwrap().clone();
        let uuid = url.as_deref().and_then(|url| url.strip_prefix("urn:uuid:"));
        if let (Exact::Object(members), Some(uuid)) = (&mut resource, uuid)
            && !members.contains_key("id")
        {
            members.insert("id".to_owned(), Exact::Text(uuid.to_owned()));
        }
        (url, resource)
    };
    list.iter().map(entry).collect()
}

fn rewrite(value: Exact, places: &BTreeMap<String, String>) -> Exact {
    match value {
        Exact::List(items) => Exact::List(
            items
                .into_iter()
                .map(|item| rewrite(item, places))
                .collect(),
        ),
        Exact::Object(members) => {
            let member = |(name, value): (String, Exact)| match (name.as_str(), value) {
                ("reference", Exact::Text(url)) => {
                    let place = places.get(&url).cloned().unwrap_or(url);
                    (name, Exact::Text(place))
                }
                (_, value) => (name, rewrite(value, places)),
            };
            Exact::Object(members.into_iter().map(member).collect())
        }
        other @ (Exact::Word(_) | Exact::Number(_) | Exact::Text(_)) => other,
    }
}

/// `Type/id` of a resource.
///
/// # Panics
/// When it has no type or no id.
#[must_use]
pub fn key(resource: &Exact) -> String {
    let text = |name: &str| resource.text(name).unwrap_or_else(|| panic!("no {name}"));
    format!("{}/{}", text("resourceType"), text("id"))
}

fn by_key(resources: impl Iterator<Item = Exact>) -> Resources {
    let mut found = BTreeMap::new();
    for resource in resources {
        let key = key(&resource);
        assert!(found.insert(key.clone(), resource).is_none(), "{key} twice");
    }
    found
}

/// A bundle of resources, as a clinic would import it.
#[must_use]
pub fn bundle_of<'a>(resources: impl IntoIterator<Item = &'a Exact>) -> String {
    let entries: Vec<String> = resources
        .into_iter()
        .map(|resource| format!(r#"{{"resource":{}}}"#, resource.write()))
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#,
        entries.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_within_the_bundle_become_type_and_id_and_no_others_do() {
        let bundle = r#"{"resourceType":"Bundle","entry":[
            {"fullUrl":"urn:uuid:a","resource":{"resourceType":"Patient","id":"p"}},
            {"fullUrl":"urn:uuid:b","resource":{"resourceType":"Observation","note":"urn:uuid:a",
             "subject":{"reference":"urn:uuid:a"},"focus":[{"reference":"urn:uuid:z"}]}}]}"#;
        let expected = r#"{"resourceType":"Observation","id":"b","note":"urn:uuid:a",
             "subject":{"reference":"Patient/p"},"focus":[{"reference":"urn:uuid:z"}]}"#;
        assert_eq!(kept(bundle)["Observation/b"], Exact::read(expected));
        assert_eq!(kept(&bundle_of(kept(bundle).values())), kept(bundle));
    }
}
