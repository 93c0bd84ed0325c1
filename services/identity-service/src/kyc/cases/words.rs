//! The words of a case: where it stands, why, and what is done to it. They are stored, answered and published as they are named here.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KycCaseStatus)]
pub(crate) enum Status {
    /// The rules look at it.
    Submitted,
    /// Reviewers do.
    InReview,
    /// The person has to send something.
    MoreNeeded,
    Approved,
    Rejected,
    /// The person has not sent it.
    Expired,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is not known here")]
pub(crate) struct Unknown(String);

impl Status {
    pub(crate) const ALL: [Self; 6] =
        [Self::Submitted, Self::InReview, Self::MoreNeeded, Self::Approved, Self::Rejected, Self::Expired];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::InReview => "in_review",
            Self::MoreNeeded => "more_needed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected | Self::Expired)
    }

    pub(super) fn may_become(self, next: Self) -> bool {
        use Status::{Approved, Expired, InReview, MoreNeeded, Rejected, Submitted};
        matches!(
            (self, next),
            (Submitted | InReview, InReview | MoreNeeded | Approved | Rejected)
                | (MoreNeeded, Submitted | Expired)
        )
    }
}

impl FromStr for Status {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

/// Why a case stands as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KycReason)]
pub(crate) enum Reason {
    /// The person has sent what they have to.
    Received,
    EvidenceMissing,
    /// All of it fits.
    RequirementsMet,
    /// The tier is never given by the rules alone.
    ReviewRequired,
    /// Some of it fits, or names are only alike.
    PartialMatch,
    /// The number is somebody else's.
    IdentityMismatch,
    NumberNotFound,
    /// Another account is verified with the number.
    NumberTaken,
    DocumentMismatch,
    /// The check could not be made for too long.
    ProviderUnavailable,
    /// The person has other names than those that were looked up.
    NamesChanged,
    /// The account was closed or suspended meanwhile.
    AccountInactive,
    /// What was asked for did not come.
    NotAnswered,
    DocumentUnreadable,
    DocumentOutdated,
    SuspectedFraud,
    /// Told in the note.
    Other,
}

impl Reason {
    pub(crate) const ALL: [Self; 17] = [
        Self::Received,
        Self::EvidenceMissing,
        Self::RequirementsMet,
        Self::ReviewRequired,
        Self::PartialMatch,
        Self::IdentityMismatch,
        Self::NumberNotFound,
        Self::NumberTaken,
        Self::DocumentMismatch,
        Self::ProviderUnavailable,
        Self::NamesChanged,
        Self::AccountInactive,
        Self::NotAnswered,
        Self::DocumentUnreadable,
        Self::DocumentOutdated,
        Self::SuspectedFraud,
        Self::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::EvidenceMissing => "evidence_missing",
            Self::RequirementsMet => "requirements_met",
            Self::ReviewRequired => "review_required",
            Self::PartialMatch => "partial_match",
            Self::IdentityMismatch => "identity_mismatch",
            Self::NumberNotFound => "number_not_found",
            Self::NumberTaken => "number_taken",
            Self::DocumentMismatch => "document_mismatch",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::NamesChanged => "names_changed",
            Self::AccountInactive => "account_inactive",
            Self::NotAnswered => "not_answered",
            Self::DocumentUnreadable => "document_unreadable",
            Self::DocumentOutdated => "document_outdated",
            Self::SuspectedFraud => "suspected_fraud",
            Self::Other => "other",
        }
    }
}

impl Reason {
    /// As the person is told it. That somebody suspects them of fraud they are not told (FATF Recommendation 21, tipping-off).
    pub(crate) fn for_the_person(self) -> Self {
        if self == Self::SuspectedFraud { Self::Other } else { self }
    }
}

impl FromStr for Reason {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|reason| reason.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

/// What is done to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KycAction)]
pub(crate) enum Action {
    Open,
    Resubmit,
    /// To the reviewers.
    Refer,
    /// The person for more.
    Ask,
    Approve,
    Reject,
    Expire,
}

impl Action {
    pub(crate) const ALL: [Self; 7] =
        [Self::Open, Self::Resubmit, Self::Refer, Self::Ask, Self::Approve, Self::Reject, Self::Expire];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resubmit => "resubmit",
            Self::Refer => "refer",
            Self::Ask => "ask",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Expire => "expire",
        }
    }
}

impl FromStr for Action {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|action| action.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert!(Status::ALL.iter().all(|status| status.name().parse::<Status>().unwrap() == *status));
        assert!(Reason::ALL.iter().all(|reason| reason.name().parse::<Reason>().unwrap() == *reason));
        assert!(Action::ALL.iter().all(|action| action.name().parse::<Action>().unwrap() == *action));
        assert!("other_status".parse::<Status>().is_err());
    }
}
