//! The attachments of a chart, for people: what is here, what is not, and getting it.

use std::collections::BTreeSet;

use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace, Shape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wants::{Found, found_in};
use super::{Absent, lock};
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
    /// Of one that is wanted: who could bring it, while none of them is connected.
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

/// What is waited for of attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Attachments that are wanted and not here whole.
    pub attachments: u64,
    /// Their bytes that are still to come, about.
    pub bytes: u64,
    /// Who could bring them, while none of those is connected.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub absent: Option<Absent>,
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
        let lines = self.with_chart(&chart, |open| {
            let found = found_in(open).into_iter();
            let line = |one: Found| Ok((one.place, self.attachment_line(&one)?));
            found.map(line).collect::<Result<Vec<_>, ClinicError>>()
        });
        let (mut lines, peers) = (lines?, self.peers()?);
        let wanted = |(_, one): &&mut (_, AttachmentLine)| one.state == AttachmentState::Wanted;
        for (place, line) in lines.iter_mut().filter(wanted) {
            line.absent = self.absent_givers(&peers, place, links)?;
        }
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        self.note(Action::Read, Some(chart))?;
        Ok(lines)
    }

    pub(crate) fn attachment_lines(
        &self,
        open: &OpenChart,
    ) -> Result<Vec<AttachmentLine>, ClinicError> {
        let found = found_in(open);
        found.iter().map(|one| self.attachment_line(one)).collect()
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
        let lacking = self.want(names, true, None)?;
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
        let (name, mark, place) = (found.name(), found.mark, found.place);
        let content = match (name, mark) {
            (Some((name, _)), Some(mark)) => self.content(&name, &mark)?,
            (None, _) | (_, None) => None,
        };
        let Some(content) = content else {
            let absent = self.absent_givers(&self.peers()?, &place, &[])?;
            let absent = absent.unwrap_or_default();
            let or_through = absent.through.as_ref();
            let or_through = or_through.map(|relay| format!(", or through {relay}"));
            return Err(ClinicError::NotHere {
                reason: format!(
                    "the content of this attachment is not here yet: `chartmesh attachment fetch \
                     --patient {chart}` gets it over a direct link to {}{}",
                    absent.named(),
                    or_through.unwrap_or_default()
                ),
            });
        };
        self.note(Action::Export, Some(chart))?;
        Ok(content)
    }

    /// What is waited for of attachments, as the links stand.
    ///
    /// # Errors
    /// [`ClinicError::Folder`] when a file of them cannot be read.
    pub fn awaited(&self, links: &[PeerStatus]) -> Result<Awaited, ClinicError> {
        let wanted: Vec<(AttachmentName, Shape)> = {
            let wants = self.wants();
            let all = wants.all();
            all.filter_map(|(name, want)| Some((*name, want.shape()?)))
                .collect()
        };
        let mut awaited = Awaited::default();
        let peers = self.peers()?;
        let places: BTreeSet<AttachmentPlace> = wanted.iter().map(|(name, _)| name.place).collect();
        let mut absent = Vec::new();
        for place in places {
            absent.push(self.absent_givers(&peers, &place, links)?);
        }
        // None where somebody brings something.
        let absent: Option<Vec<Absent>> = absent.into_iter().collect();
        awaited.absent = absent.and_then(|all| all.into_iter().reduce(Absent::and));
        for (name, shape) in wanted {
            let here = lock(&*self.blob(&name, shape)?).here().count();
            let missing = u64::from(shape.pieces().saturating_sub(here));
            let share = shape.length().saturating_mul(missing) / u64::from(shape.pieces().max(1));
            awaited.attachments += 1;
            awaited.bytes += share;
        }
        Ok(awaited)
    }
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
