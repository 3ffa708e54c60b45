//! From what was typed to a request: files are read here, paths made whole, secrets asked for.

mod card;
mod pins;

use std::io::{IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chartmesh_protocol::identity::Card;
use zeroize::Zeroizing;

use super::args::{
    Attachment, Audit, Chart, Command, Consent, Emergency, ExportFormat, Global, Held, Node,
    Patient, Peer, PinArg, Sex, Sync,
};
use crate::clinic::Labels;
use crate::control::{
    BundleOrder, EmergencyOrder, EmergencyRequest, Exit, Failure, GrantRequest, NodeRequest,
    Registration, Request, Resolution,
};
use crate::keys::{
    Enrolment, EnrolmentCode, EnrolmentError, MAX_ENROLMENT_BYTES, MIN_PASSPHRASE_BYTES, Passphrase,
};
pub(super) use pins::with_pin;
use pins::{given_pin, read_pin, type_new_pin};

/// Where systemd puts credentials for a service (systemd.exec(5)).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The name of the passphrase among them.
const CREDENTIAL: &str = "chartmesh-passphrase";
/// The bits of a file's mode that let everybody but its owner and group read or write it.
const OTHERS: u32 = 0o006;
/// How long a card's file may be.
const MAX_CARD_FILE: u64 = 16 * 1024;

/// The request of a command that needs the store.
pub(super) fn request(global: &Global, command: &Command) -> Result<Request, Failure> {
    Ok(match command {
        Command::Id(_) => Request::Id,
        Command::Peer(Peer::Add { card }) => Request::PeerAdd {
            card: card_line(card)?,
        },
        Command::Peer(Peer::List) => Request::PeerList,
        Command::Peer(Peer::Remove { id, anyway }) => Request::PeerRemove {
            id: id.clone(),
            anyway: *anyway,
        },
        Command::Node(node) => Request::Node(node_request(node)?),
        Command::Patient(patient) => patient_request(patient)?,
        Command::Import(import) => Request::Import {
            paths: all_absolute(&import.paths)?,
            labels: match import.lift_labels {
                true => Labels::Lifted,
                false => Labels::Kept,
            },
        },
        Command::Export(export) => Request::Export {
            patient: export.patient.clone(),
            ndjson: export.format == ExportFormat::Ndjson,
        },
        Command::Chart(chart) => chart_request(chart),
        Command::Attachment(attachment) => attachment_request(attachment),
        Command::Consent(consent) => consent_request(consent)?,
        Command::Emergency(emergency) => Request::Emergency(emergency_request(emergency)?),
        Command::Card(card) => card::request(card)?,
        Command::Held(Held::List { patient }) => Request::HeldList {
            patient: patient.clone(),
        },
        Command::Held(Held::Admit { ids, reason }) => Request::HeldAdmit {
            ids: ids.clone(),
            reason: reason.clone(),
        },
        Command::Sync(Sync::Now { peer }) => Request::SyncNow { peer: peer.clone() },
        Command::Sync(Sync::Status) => Request::SyncStatus,
        Command::Sync(Sync::Export {
            peer,
            out,
            max_size,
            everything,
        }) => Request::SyncExport(BundleOrder {
            peer: peer.clone(),
            out: absolute(out)?,
            max_size: *max_size,
            everything: *everything,
        }),
        Command::Sync(Sync::Import { paths }) => Request::SyncImport {
            paths: all_absolute(paths)?,
        },
        Command::Audit(audit) => audit_request(audit),
        Command::Status => Request::Status,
        Command::Init(_)
        | Command::Run(_)
        | Command::Demo(_)
        | Command::Generate(_)
        | Command::Doctor(_)
        | Command::Completions(_) => {
            let dir = global.dir.display();
            return Err(Failure::new(
                Exit::Failed,
                format!("not a command of the node in {dir}"),
            ));
        }
    })
}

fn attachment_request(attachment: &Attachment) -> Request {
    match attachment {
        Attachment::List { patient } => Request::AttachmentList {
            patient: patient.clone(),
        },
        Attachment::Fetch { patient, resource } => Request::AttachmentFetch {
            patient: patient.clone(),
            resource: resource.clone(),
        },
        Attachment::Save {
            patient,
            resource,
            number,
            ..
        } => Request::AttachmentSave {
            patient: patient.clone(),
            resource: resource.clone(),
            number: *number,
        },
    }
}

fn node_request(node: &Node) -> Result<NodeRequest, Failure> {
    Ok(match node {
        Node::Enroll { name, out, hours } => NodeRequest::Enroll {
            name: name.clone(),
            out: absolute(out)?,
            hours: *hours,
        },
        Node::List => NodeRequest::List,
        Node::Revoke { node, reason } => NodeRequest::Revoke {
            node: node.clone(),
            reason: reason.clone(),
        },
    })
}

/// A path for a daemon that has another working folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))
}

fn all_absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    paths.iter().map(|path| absolute(path)).collect()
}

fn audit_request(audit: &Audit) -> Request {
    match audit {
        Audit::List { patient, most } => Request::AuditList {
            patient: patient.clone(),
            most: *most,
        },
        Audit::Export { patient, .. } => Request::AuditExport {
            patient: patient.clone(),
        },
        Audit::Verify => Request::AuditVerify,
    }
}

fn patient_request(patient: &Patient) -> Result<Request, Failure> {
    Ok(match patient {
        Patient::Register {
            given,
            family,
            birth_date,
            sex,
            identifier,
            even_if_alike,
        } => Request::PatientRegister(Registration {
            given: given.clone(),
            family: family.clone(),
            birth_date: birth_date.clone(),
            sex: sex_code(*sex).to_owned(),
            identifiers: identifier.clone(),
            even_if_alike: *even_if_alike,
        }),
        Patient::Search { words } => Request::PatientSearch {
            words: words.clone(),
        },
        Patient::Show { id } => Request::PatientShow { id: id.clone() },
        Patient::Pin {
            id,
            new_pin_file,
            pin,
        } => {
            let new_pin = match new_pin_file {
                Some(file) => read_pin(file)?,
                None => type_new_pin()?,
            };
            Request::PatientPin {
                id: id.clone(),
                new_pin,
                pin: given_pin(pin)?,
            }
        }
        Patient::Card { id, out, pin } => card::made(id, out, pin)?,
    })
}

fn chart_request(chart: &Chart) -> Request {
    match chart {
        Chart::Show { id } => Request::ChartShow { id: id.clone() },
        Chart::History { id } => Request::ChartHistory { id: id.clone() },
        Chart::Conflicts { id } => Request::ChartConflicts { id: id.clone() },
        Chart::Resolve {
            id,
            resource,
            element,
            version,
        } => Request::ChartResolve(Resolution {
            id: id.clone(),
            resource: resource.clone(),
            element: element.clone(),
            version: *version,
        }),
    }
}

fn consent_request(consent: &Consent) -> Result<Request, Failure> {
    Ok(match consent {
        Consent::Grant {
            patient,
            to,
            compartments,
            rights,
            purpose,
            until,
            days,
            parent,
            from_now_on,
            pin,
        } => Request::ConsentGrant(GrantRequest {
            patient: patient.clone(),
            to: clinic_named(to)?,
            compartments: compartments.clone(),
            rights: rights.clone(),
            purpose: purpose.clone(),
            until: until.clone(),
            days: *days,
            parent: parent.clone(),
            from_now_on: *from_now_on,
            pin: given_pin(pin)?,
        }),
        Consent::SecondOpinion {
            patient,
            to,
            compartments,
            days,
            pin,
        } => Request::ConsentGrant(GrantRequest {
            patient: patient.clone(),
            compartments: compartments.clone(),
            rights: vec!["read".to_owned()],
            days: Some(*days),
            pin: given_pin(pin)?,
            ..GrantRequest::of_everything(clinic_named(to)?)
        }),
        Consent::Revoke { grant, reason, pin } => Request::ConsentRevoke {
            grant: grant.clone(),
            reason: reason.clone(),
            pin: given_pin(pin)?,
        },
        Consent::List { patient } => Request::ConsentList {
            patient: patient.clone(),
        },
        Consent::Show { grant } => Request::ConsentShow {
            grant: grant.clone(),
        },
        Consent::Verify { patient } => Request::ConsentVerify {
            patient: patient.clone(),
        },
    })
}

fn emergency_request(emergency: &Emergency) -> Result<EmergencyRequest, Failure> {
    let rule = |patient: &str, allowed: bool, pin: &PinArg| -> Result<_, Failure> {
        Ok(EmergencyRequest::Rule {
            patient: patient.to_owned(),
            allowed,
            pin: given_pin(pin)?,
        })
    };
    Ok(match emergency {
        Emergency::Open {
            patient,
            clinician,
            reason,
            code,
        } => EmergencyRequest::Open(EmergencyOrder {
            patient: patient.clone(),
            clinician: clinician.clone(),
            reason: reason.clone(),
            code: code.clone(),
        }),
        Emergency::List { patient } => EmergencyRequest::List {
            patient: patient.clone(),
        },
        Emergency::Review {
            id,
            unjustified,
            note,
        } => EmergencyRequest::Review {
            id: id.clone(),
            justified: !unjustified,
            note: note.clone(),
        },
        Emergency::Forbid { patient, pin } => rule(patient, false, pin)?,
        Emergency::Allow { patient, pin } => rule(patient, true, pin)?,
        Emergency::Code { patient } => EmergencyRequest::Code {
            patient: patient.clone(),
        },
    })
}

fn sex_code(sex: Sex) -> &'static str {
    match sex {
        Sex::Male => "male",
        Sex::Female => "female",
        Sex::Other => "other",
        Sex::Unknown => "unknown",
    }
}

/// A card's line, as typed or out of a file.
fn card_line(typed: &str) -> Result<String, Failure> {
    let path = Path::new(typed);
    if typed.starts_with("chartmesh:") || !path.exists() {
        return Ok(typed.to_owned());
    }
    let unreadable = |reason: String| Failure::new(Exit::Failed, format!("{typed}: {reason}"));
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > MAX_CARD_FILE {
        return Err(unreadable("this file is too large for a card".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

/// The clinic that was named by its id, a beginning of it, or its card.
fn clinic_named(typed: &str) -> Result<String, Failure> {
    let line = card_line(typed)?;
    if !line.starts_with("chartmesh:") {
        return Ok(typed.to_owned());
    }
    let card = Card::parse(&line).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(card.clinic().to_string())
}

/// The passphrase: from the file that was named, a systemd credential, or a person. A `new` one is
/// typed twice, and what makes it weak is spoken of.
pub(super) fn passphrase(global: &Global, new: bool) -> Result<Passphrase, Failure> {
    let failed = |reason: String| Failure::new(Exit::Usage, reason);
    let credential = std::env::var_os(CREDENTIALS).map(|dir| Path::new(&dir).join(CREDENTIAL));
    let file = global
        .passphrase_file
        .clone()
        .or_else(|| credential.filter(|path| path.exists()));
    if let Some(file) = file {
        let passphrase = Passphrase::from_file(&file).map_err(|error| failed(error.to_string()))?;
        if new {
            warn_of(&file, &passphrase);
        }
        return Ok(passphrase);
    }
    if !std::io::stdin().is_terminal() {
        return Err(failed(
            "a passphrase is needed: give --passphrase-file, or set CHARTMESH_PASSPHRASE_FILE"
                .to_owned(),
        ));
    }
    let typed = type_secret("Passphrase: ")?;
    if new && type_secret("Passphrase again: ")? != typed {
        return Err(failed("the two passphrases differ".to_owned()));
    }
    Passphrase::new(Zeroizing::new(typed.into_bytes())).map_err(|error| failed(error.to_string()))
}

/// Says what makes a new passphrase in a file weaker than it need be.
fn warn_of(file: &Path, passphrase: &Passphrase) {
    let shown = file.display();
    if passphrase.is_short() {
        eprintln!(
            "chartmesh: the passphrase in {shown} is short: whoever has the disk can guess it; \
             {MIN_PASSPHRASE_BYTES} characters or more are safer"
        );
    }
    let mode = std::fs::metadata(file).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & OTHERS != 0) {
        eprintln!(
            "chartmesh: others on this computer can read the passphrase in {shown}: \
             `chmod 600 {shown}`"
        );
    }
}

/// Opens an enrolment file with its code: from the file that was named, or from a person.
pub(super) fn enrolment(file: &Path, code_file: Option<&Path>) -> Result<Enrolment, Failure> {
    let on = |path: &Path, reason: String| {
        Failure::new(Exit::Failed, format!("{}: {reason}", path.display()))
    };
    let read = |path: &Path| -> Result<Vec<u8>, Failure> {
        let opened = std::fs::File::open(path).map_err(|error| on(path, error.to_string()))?;
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_ENROLMENT_BYTES).unwrap_or(u64::MAX);
        opened
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| on(path, error.to_string()))?;
        Ok(bytes)
    };
    let bytes = read(file)?;
    let typed = match code_file {
        Some(path) => Zeroizing::new(String::from_utf8_lossy(&read(path)?).into_owned()),
        None if std::io::stdin().is_terminal() => Zeroizing::new(type_secret("Code: ")?),
        None => {
            let text = "the code of the enrolment file is needed: give --code-file";
            return Err(Failure::new(Exit::Usage, text));
        }
    };
    let opened = EnrolmentCode::parse(&typed)
        .and_then(|code| Enrolment::open(&bytes, &code, crate::clock::now_ms()));
    opened.map_err(|error| {
        let exit = match error {
            EnrolmentError::NotACode => Exit::Usage,
            EnrolmentError::WrongCode | EnrolmentError::Expired => Exit::Refused,
            EnrolmentError::NotAnEnrolment
            | EnrolmentError::Version(_)
            | EnrolmentError::Damaged
            | EnrolmentError::Excessive
            | EnrolmentError::Content => Exit::Failed,
        };
        Failure::new(exit, format!("{}: {error}", file.display()))
    })
}

fn type_secret(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot read from the terminal: {error}"),
        )
    })
}
