//! Why statements do not count.

/// Why a statement does not count. It may count once more statements have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The chart's genesis is not here.
    #[error("the statement that begins the chart has not arrived")]
    NoGenesis,
    /// It is about another chart.
    #[error("it is about another chart")]
    OtherChart,
    /// A genesis that the patient's key did not sign.
    #[error("it begins the chart, and the patient's key did not sign it")]
    ForgedGenesis,
    /// Neither the patient nor the grantee of its parent signed the grant; or who signed the
    /// revocation is neither patient, nor issuer, nor custodian; or not the custodian the
    /// admission.
    #[error("who signed it had no right to")]
    WrongSigner,
    /// The grant or the parent that it names is not here.
    #[error("the grant that it stands on has not arrived")]
    MissingGrant,
    /// What it names as a grant is another kind of statement.
    #[error("what it stands on is not a grant")]
    NotAGrant,
    /// The grant or the parent that it names does not hold.
    #[error("the grant that it stands on does not hold")]
    InvalidGrant,
    /// The parent has no right to share.
    #[error("the grant that it stands on may not be passed on")]
    NotShared,
    /// It covers compartments, rights, a purpose or a history that its parent does not.
    #[error("it is wider than the grant that it stands on")]
    WiderThanParent,
    /// It begins before its parent, or ends after it.
    #[error("it lasts longer than the grant that it stands on")]
    LongerThanParent,
    /// Too many grants passed on from one another.
    #[error("it was passed on too many times")]
    TooDeep,
    /// The emergency that it names is not here.
    #[error("the emergency that it is about has not arrived")]
    MissingEmergency,
    /// What it names as an emergency is another kind of statement, or another chart's.
    #[error("what it is about is no emergency of this patient")]
    NotAnEmergency,
    /// It opens more, or for longer, or to another clinic than an emergency does.
    #[error("it opens more than an emergency does")]
    BeyondEmergency,
    /// The node that signed the epoch has no known certificate.
    #[error("the node that signed it is unknown")]
    UnknownNode,
    /// The clinic of the node that signed the epoch never had a right in the compartment.
    #[error("the clinic that signed it never had a right to the compartment")]
    NoRight,
}
