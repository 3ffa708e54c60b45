//! A Bundle (FHIR R4 2.36) that is filled resource by resource.

use super::conditions::Label;
use super::fhir::coded;
use super::json::Json;

/// Where a `Type/id` bundle says its resources come from.
const BASE: &str = "https://records.example.org/fhir";

/// The two ways in which systems hand over charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A transaction whose entries refer to each other by `urn:uuid:`.
    Transaction,
    /// A collection whose entries refer to each other by `Type/id`.
    Collection,
}

/// A bundle in the making.
#[derive(Debug)]
pub(super) struct Bundle {
    style: Style,
    entries: Vec<Json>,
}

impl Bundle {
    /// A bundle without entries.
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            entries: Vec::new(),
        }
    }

    /// Adds a resource. `body` holds what follows its type, id and meta.
    pub(super) fn add(&mut self, kind: &'static str, id: &str, label: Option<&Label>, body: Json) {
        let head = Json::object()
            .with("resourceType", kind)
            .with("id", id)
            .with_some("meta", label.map(security));
        let resource = match (head, body) {
            (Json::Object(mut members), Json::Object(rest)) => {
                members.extend(rest);
                Json::Object(members)
            }
            (head, _) => head,
        };
        let entry = match self.style {
            Style::Transaction => Json::object()
                .with("fullUrl", format!("urn:uuid:{id}"))
                .with("resource", resource)
                .with(
                    "request",
                    Json::object().with("method", "POST").with("url", kind),
                ),
            Style::Collection => Json::object()
                .with("fullUrl", format!("{BASE}/{kind}/{id}"))
                .with("resource", resource),
        };
        self.entries.push(entry);
    }

    /// A reference to a resource of this bundle.
    pub(super) fn reference(&self, kind: &str, id: &str) -> Json {
        let target = match self.style {
            Style::Transaction => format!("urn:uuid:{id}"),
            Style::Collection => format!("{kind}/{id}"),
        };
        Json::object().with("reference", target)
    }

    /// How many resources it holds.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bundle as a text that ends in a line break.
    pub(super) fn into_text(self) -> String {
        let kind = match self.style {
            Style::Transaction => "transaction",
            Style::Collection => "collection",
        };
        let bundle = Json::object()
            .with("resourceType", "Bundle")
            .with("type", kind)
            .with("entry", Json::List(self.entries));
        let mut text = String::new();
        bundle.write(&mut text);
        text.push('\n');
        text
    }
}

/// The meta element of a resource that bears a sensitivity label.
fn security(label: &Label) -> Json {
    let level = Json::object()
        .with(
            "system",
            "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        )
        .with("code", "R")
        .with("display", "restricted");
    let topic = Json::object()
        .with("system", "http://terminology.hl7.org/CodeSystem/v3-ActCode")
        .with("code", label.code)
        .with("display", label.display);
    Json::object().with("security", [level, topic])
}

/// The category of an observation.
pub(super) fn observation_category(code: &str) -> Json {
    coded(
        "http://terminology.hl7.org/CodeSystem/observation-category",
        code,
    )
}
