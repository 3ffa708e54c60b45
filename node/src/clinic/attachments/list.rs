//! The attachments of a chart, for people: what is here, what is not, and getting it.

use chartmesh_protocol::ChartId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::givers::{Absent, Givers};
use super::lock;
use super::wants::{Found, Wish, found_in};
use crate::clinic::audit::Action;
use crate::clinic::open_chart::OpenChart;
use crate::clinic::{Clinic, ClinicError};
use crate::net::PeerStatus;

/// One attachment of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentLine {
    /// The resource that it stands in, as Type/id.
    pub resource: String,
    /// Its title.
    pub title: Option<String>,
    /// Its type, such as `image/png`.
    pub content_type: Option<String>,
    /// Its size in bytes; none where what the record says of it does not read.
    pub bytes: Option<u64>,
    /// Whether it is here.
    pub state: AttachmentState,
    /// The pieces of it that are here, in percent.
    pub percent_here: u32,
    /// Of one that is wanted: who could bring it, while none of them is connected. Of one that this
    /// clinic saved and that is not here: who has it, or may have it.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub absent: Option<Absent>,
}

/// Where the content of an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentState {
    /// All of it is here.
    Here,
    /// It is wanted, and comes when a clinic that has it is connected.
    Wanted,
    /// It is not here and was not asked for.
    NotHere,
    /// What the record says of it does not read.
    Unreadable,
}

/// How far the fetching of some attachments has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FetchProgress {
    /// Pieces that are here.
    pub(crate) here: u64,
    /// Pieces in all.
    pub(crate) pieces: u64,
    /// Whether a peer has been asked for any that has not come.
    pub(crate) is_asked: bool,
    /// Attachments that are not here whole.
    pub(crate) lacking: usize,
}

impl Clinic {
    /// The attachments of a chart, as the links stand.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn attachments(
        &self,
        id: &str,
        links: &[PeerStatus],
    ) -> Result<Vec<AttachmentLine>, ClinicError> {
        let chart = self.find_chart(id)?;
        let found = self.with_chart(&chart, |open| Ok(found_in(open)))?;
        let lines = self.lines_of(&found, Some(links))?;
        self.note(Action::Read, Some(chart))?;
        Ok(lines)
    }

    /// The attachments of a chart, whatever is connected.
    pub(crate) fn attachment_lines(
        &self,
        open: &OpenChart,
    ) -> Result<Vec<AttachmentLine>, ClinicError> {
        self.lines_of(&found_in(open), None)
    }

    fn lines_of(
        &self,
        found: &[Found],
        links: Option<&[PeerStatus]>,
    ) -> Result<Vec<AttachmentLine>, ClinicError> {
        let peers = self.peers()?;
        let mut givers = Givers::of(self, &peers, links.unwrap_or_default());
        let mut lines = Vec::new();
        for one in found {
            let mut line = self.attachment_line(one)?;
            if let Some((name, _)) = one.name() {
                line.absent = match line.state {
                    AttachmentState::Wanted if links.is_some() && givers.is_brought(&name)? => None,
                    AttachmentState::Wanted if links.is_some() => Some(givers.absent(&name)?),
                    AttachmentState::Wanted | AttachmentState::NotHere
                        if self.was_saved_here(&name) =>
                    {
                        Some(givers.absent(&name)?)
                    }
                    AttachmentState::Wanted
                    | AttachmentState::NotHere
                    | AttachmentState::Here
                    | AttachmentState::Unreadable => None,
                };
            }
            lines.push(line);
        }
        Ok(lines)
    }

    fn attachment_line(&self, found: &Found) -> Result<AttachmentLine, ClinicError> {
        let resource = found.resource.key().map(|key| key.to_string());
        let object = object_with(&found.resource.to_value(), &found.literal);
        let text = |name: &str| Some(object.as_ref()?.get(name)?.as_str()?.to_owned());
        let mut line = AttachmentLine {
            resource: resource.unwrap_or_default(),
            title: text("title"),
            content_type: text("contentType"),
            bytes: None,
            state: AttachmentState::Unreadable,
            percent_here: 0,
            absent: None,
        };
        if let Some((name, shape)) = found.name() {
            let blob = self.blob(&name, shape)?;
            let blob = lock(&blob);
            let (here, is_whole) = (blob.here().count(), blob.is_whole());
            drop(blob);
            line.bytes = Some(shape.length());
            line.percent_here = percent(here, shape);
            line.state = if is_whole {
                AttachmentState::Here
            } else if self.wants().get(&name).is_some() {
                AttachmentState::Wanted
            } else {
                AttachmentState::NotHere
            };
        }
        Ok(line)
    }

    /// Asks for the attachments of a chart, or of one of its resources, that are not here whole.
    /// Returns these.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] when there is no such resource with an attachment.
    pub(crate) fn request_attachments(
        &self,
        id: &str,
        resource: Option<&str>,
    ) -> Result<Vec<(AttachmentName, Shape)>, ClinicError> {
        let chart = self.find_chart(id)?;
        let found = self.with_chart(&chart, |open| Ok(found_in(open)))?;
        let is_meant = |one: &&Found| {
            let key = one.resource.key().map(|key| key.to_string());
            resource.is_none_or(|wanted| key.is_ok_and(|key| key == wanted))
        };
        let meant: Vec<&Found> = found.iter().filter(is_meant).collect();
        if meant.is_empty() && resource.is_some() {
            return Err(ClinicError::NotFound {
                what: "resource with an attachment",
                look: "attachment list",
            });
        }
        let names = meant.iter().filter_map(|one| one.name()).collect();
        let lacking = self.want(names, Wish::Requested, None)?;
        if !lacking.is_empty() {
            self.changed(&[], false);
        }
        Ok(lacking)
    }

    /// How far the fetching of attachments has come.
    pub(crate) fn fetch_progress(
        &self,
        lacking: &[(AttachmentName, Shape)],
    ) -> Result<FetchProgress, ClinicError> {
        let mut progress = FetchProgress::default();
        for (name, shape) in lacking {
            let here = lock(&*self.blob(name, *shape)?).here().count();
            progress.here += u64::from(here);
            progress.pieces += u64::from(shape.pieces());
            progress.lacking += usize::from(here < shape.pieces());
            progress.is_asked |= self.wants().is_asked(name);
        }
        Ok(progress)
    }

    /// The content of an attachment: the one with this number, from 1, of a resource.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] when there is no such attachment, and
    /// [`ClinicError::NotHere`] when its content is not here.
    pub fn attachment_content(
        &self,
        id: &str,
        resource: &str,
        number: usize,
    ) -> Result<Vec<u8>, ClinicError> {
        let chart = self.find_chart(id)?;
        let found = self.with_chart(&chart, |open| Ok(found_in(open)))?;
        let mut mine = found.into_iter().filter(|one| {
            let key = one.resource.key();
            key.is_ok_and(|key| key.as_str() == resource)
        });
        let nth = number.checked_sub(1).and_then(|index| mine.nth(index));
        let found = nth.ok_or(ClinicError::NotFound {
            what: "resource with an attachment",
            look: "attachment list",
        })?;
        let (name, mark) = (found.name(), found.mark);
        let content = match (&name, mark) {
            (Some((name, _)), Some(mark)) => self.content(name, &mark)?,
            (None, _) | (_, None) => None,
        };
        let Some(content) = content else {
            let peers = self.peers()?;
            let mut givers = Givers::of(self, &peers, &[]);
            let absent = name.map(|(name, _)| givers.absent(&name)).transpose()?;
            let reason = not_here(&chart, &absent.unwrap_or_default());
            return Err(ClinicError::NotHere { reason });
        };
        self.note(Action::Export, Some(chart))?;
        Ok(content)
    }
}

/// What is said to who asks for a content that is not here.
fn not_here(chart: &ChartId, absent: &Absent) -> String {
    let fetch = format!("`chartmesh attachment fetch --patient {chart}`");
    if absent.missing {
        let who = absent.who();
        return format!(
            "the content of this attachment, which this clinic saved, is MISSING here, and nobody \
             is known to have it{who}: {fetch} asks for it, and importing the file that it came \
             from brings it back"
        );
    }
    if absent.is_nowhere() {
        let who = absent.who();
        return format!("the content of this attachment is not here{who}: {fetch} asks again");
    }
    let or_through = absent.through.as_ref();
    let or_through = or_through.map(|relay| format!(", or through {relay}"));
    format!(
        "the content of this attachment is not here yet: {fetch} gets it over a direct link to \
         {}{}",
        absent.named(),
        or_through.unwrap_or_default()
    )
}

fn percent(here: u32, shape: Shape) -> u32 {
    let pieces = u64::from(shape.pieces().max(1));
    u32::try_from(u64::from(here).saturating_mul(100) / pieces).unwrap_or(100)
}

/// The object in which a text stands as `data`.
fn object_with(value: &Value, literal: &str) -> Option<Value> {
    match value {
        Value::Object(members) => {
            if members.get("data").and_then(Value::as_str) == Some(literal) {
                return Some(value.clone());
            }
            members.values().find_map(|one| object_with(one, literal))
        }
        Value::Array(items) => items.iter().find_map(|one| object_with(one, literal)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
