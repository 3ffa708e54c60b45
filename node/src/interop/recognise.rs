//! What a file holds: FHIR by its name, and what else it could be by its first bytes.

use std::fmt;
use std::path::Path;

/// How the resources stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One bundle or one resource.
    Json,
    /// One resource a line.
    Ndjson,
}

/// What a name says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) format: Format,
    pub(super) is_packed: bool,
}

/// What a name says: `.json` or `.ndjson`, perhaps with `.gz`, in any case of letters.
pub(super) fn by_name(path: &Path) -> Option<Named> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let (stem, is_packed) = match name.strip_suffix(".gz") {
        Some(stem) => (stem, true),
        None => (name.as_str(), false),
    };
    let format = if stem.ends_with(".ndjson") {
        Format::Ndjson
    } else if stem.ends_with(".json") {
        Format::Json
    } else {
        return None;
    };
    Some(Named { format, is_packed })
}

/// A kind of file that is given by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// An HL7 version 2 message.
    Hl7V2,
    /// A CDA document.
    Cda,
    /// FHIR in XML.
    FhirXml,
    /// Another XML document.
    Xml,
    /// A web page.
    Html,
    /// A PDF document.
    Pdf,
    /// A ZIP archive, or an office document, which is one.
    Zip,
    /// An X12 interchange.
    X12,
    /// An image.
    Image,
    /// A DICOM object.
    Dicom,
}

impl Lookalike {
    /// What to do instead, as a sentence.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Zip => "Unpack it and import the folder.",
            Self::FhirXml => "Export it as FHIR JSON.",
            Self::Html => "Download the file itself: this is a web page, perhaps one to log in.",
            Self::Hl7V2
            | Self::Cda
            | Self::Xml
            | Self::Pdf
            | Self::X12
            | Self::Image
            | Self::Dicom => "Export the chart as FHIR R4 JSON.",
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hl7V2 => "an HL7 v2 message",
            Self::Cda => "a CDA document",
            Self::FhirXml => "FHIR in XML",
            Self::Xml => "an XML document",
            Self::Html => "a web page",
            Self::Pdf => "a PDF document",
            Self::Zip => "a ZIP archive or an office document",
            Self::X12 => "an X12 interchange",
            Self::Image => "an image",
            Self::Dicom => "a DICOM object",
        })
    }
}

/// What a file that is not JSON looks like, by its first bytes; `None` for what could be JSON
/// and for what nobody knows.
pub(super) fn by_content(head: &[u8]) -> Option<Lookalike> {
    let magics: [(&[u8], Lookalike); 7] = [
        (b"%PDF", Lookalike::Pdf),
        (b"PK\x03\x04", Lookalike::Zip),
        (b"\x89PNG", Lookalike::Image),
        (b"\xff\xd8\xff", Lookalike::Image),
        (b"GIF8", Lookalike::Image),
        (b"II*\0", Lookalike::Image),
        (b"MM\0*", Lookalike::Image),
    ];
    if let Some((_, kind)) = magics.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    if head.get(128..132) == Some(b"DICM") {
        return Some(Lookalike::Dicom);
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // 0x0b begins a message on the wire (MLLP), and some save it with the message.
    let text = head.trim_ascii_start();
    let message = text.strip_prefix(b"\x0b").unwrap_or(text);
    let begins = |name: &[u8]| {
        message.starts_with(name)
            && message
                .get(name.len())
                .is_some_and(|c| c.is_ascii_punctuation())
    };
    if begins(b"MSH") || begins(b"FHS") || begins(b"BHS") {
        return Some(Lookalike::Hl7V2);
    }
    if begins(b"ISA") {
        return Some(Lookalike::X12);
    }
    text.starts_with(b"<").then(|| xml(text))
}

/// Which kind of document a text in angle brackets is.
fn xml(text: &[u8]) -> Lookalike {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    if text.contains("clinicaldocument") || text.contains("urn:hl7-org:v3") {
        Lookalike::Cda
    } else if text.contains("http://hl7.org/fhir") {
        Lookalike::FhirXml
    } else if text.starts_with("<!doctype html") || text.contains("<html") {
        Lookalike::Html
    } else {
        Lookalike::Xml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format_in_any_case_of_letters() {
        let named = |format, is_packed| Some(Named { format, is_packed });
        assert_eq!(by_name(Path::new("a/b.json")), named(Format::Json, false));
        assert_eq!(
            by_name(Path::new("b.bundle.JSON.gz")),
            named(Format::Json, true)
        );
        assert_eq!(
            by_name(Path::new("Patient.ndjson")),
            named(Format::Ndjson, false)
        );
        assert_eq!(
            by_name(Path::new("Patient.ndjson.GZ")),
            named(Format::Ndjson, true)
        );
        for name in [
            "json",
            "a.jsn",
            "a.gz",
            "a.json.zip",
            "a.hl7",
            "",
            "ndjson.gz",
            "/",
        ] {
            assert_eq!(by_name(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn what_is_given_by_mistake_is_named() {
        for (head, kind) in [
            (&b"MSH|^~\\&|LAB"[..], Some(Lookalike::Hl7V2)),
            (b"\r\n\x0bMSH$%~\\&", Some(Lookalike::Hl7V2)),
            (b"FHS|^~\\&|", Some(Lookalike::Hl7V2)),
            (b"MSHAPE", None),
            (b"ISA*00*", Some(Lookalike::X12)),
            (
                b"<?xml?><ClinicalDocument xmlns='urn:hl7-org:v3'>",
                Some(Lookalike::Cda),
            ),
            (
                b"\xef\xbb\xbf<Bundle xmlns=\"http://hl7.org/fhir\">",
                Some(Lookalike::FhirXml),
            ),
            (b"<!DOCTYPE html><html>", Some(Lookalike::Html)),
            (b"<note/>", Some(Lookalike::Xml)),
            (b"%PDF-1.7", Some(Lookalike::Pdf)),
            (b"PK\x03\x04docx", Some(Lookalike::Zip)),
            (b"\xff\xd8\xff\xe0", Some(Lookalike::Image)),
            (
                &[[0; 128].as_slice(), b"DICM"].concat(),
                Some(Lookalike::Dicom),
            ),
            (b"  {\"resourceType\":\"Patient\"}", None),
            (b"[]", None),
            (b"given,family\n", None),
            (b"", None),
        ] {
            assert_eq!(by_content(head), kind, "{}", String::from_utf8_lossy(head));
        }
    }
}
