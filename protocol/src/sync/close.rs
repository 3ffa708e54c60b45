//! Close codes: what a peer is told at the end.

use core::fmt;

/// Why a session ended, as the peer is told: one byte, no detail. Codes that this program does
/// not know read as [`Unspecified`](Self::Unspecified).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum CloseCode {
    /// The other side ends the session and nothing is wrong.
    Finished = 0,
    /// No code that is known here.
    Unspecified = 1,
    /// A frame could not be read.
    Malformed = 2,
    /// A frame or an item was too large.
    TooLarge = 3,
    /// The version or a type of frame is unknown to the other side.
    Unsupported = 4,
    /// A frame came when it had no place.
    Unexpected = 5,
    /// The certificate is missing, forged, of another node or revoked.
    BadCertificate = 6,
    /// The clinic is not among those that the other side talks to.
    NotKnown = 7,
    /// An item was refused.
    ItemRefused = 8,
    /// Everything was exchanged and the digests still differ.
    Mismatch = 9,
    /// The other side waited in vain.
    Stalled = 10,
    /// The other side has a fault of its own.
    Fault = 11,
    /// The stores are equal, and one of the sides does not keep the link.
    VisitOver = 12,
    /// The other side is a relay, and our clinic has put as much there as it may.
    QuotaUsed = 13,
}

impl CloseCode {
    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The code with this byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Finished,
            2 => Self::Malformed,
            3 => Self::TooLarge,
            4 => Self::Unsupported,
            5 => Self::Unexpected,
            6 => Self::BadCertificate,
            7 => Self::NotKnown,
            8 => Self::ItemRefused,
            9 => Self::Mismatch,
            10 => Self::Stalled,
            11 => Self::Fault,
            12 => Self::VisitOver,
            13 => Self::QuotaUsed,
            _ => Self::Unspecified,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "the peer ended the session",
            Self::Unspecified => "the peer ended the session for a reason unknown here",
            Self::Malformed => "the peer could not read a frame of ours",
            Self::TooLarge => "a frame or item of ours was too large for the peer",
            Self::Unsupported => "the peer does not know our version of the protocol",
            Self::Unexpected => "a frame of ours came when the peer did not expect it",
            Self::BadCertificate => "the peer does not accept our certificate",
            Self::NotKnown => "the peer does not know our clinic",
            Self::ItemRefused => "the peer refused a statement or record of ours",
            Self::Mismatch => "the peer finds that both stores differ after everything was sent",
            Self::Stalled => "the peer waited for us in vain",
            Self::Fault => "the peer has a fault of its own",
            Self::VisitOver => "both stores are equal, and the link is not kept",
            Self::QuotaUsed => "the relay has no more room for this clinic: ask its operator",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_unknown_bytes_are_unspecified() {
        for byte in 0..=u8::MAX {
            let code = CloseCode::from_byte(byte);
            let known = byte <= CloseCode::QuotaUsed.byte();
            assert_eq!(code.byte(), if known { byte } else { 1 });
        }
    }
}
