//! Why a case is not opened, not answered for, or not decided.

use common_db::{constraint, idempotency::KeyError};
use common_events::outbox::OutboxError;
use common_utils::http::Problem;

use super::{
    super::{claims::Unreadable, documents::content::Unfit, evidence::EvidenceKind},
    entity::{Action, NotPossible},
};
use crate::{
    allowances::TooOften, crypto::error::PiiError, notices::NoticeError, sessions::error::inactive,
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    #[error("there is no such case")]
    NotFound,
    #[error("there is no such document")]
    NoDocument,
    #[error("there is no policy of {0}")]
    UnknownCountry(String),
    #[error("the country has no tier {0}")]
    UnknownTier(i16),
    #[error("the person has the tier already")]
    TierReached,
    #[error("there is an open case of the tier")]
    OpenCase,
    #[error("{0} is needed for the tier")]
    ClaimMissing(&'static str),
    #[error("the person is verified with something else")]
    OtherThanVerified(&'static str),
    #[error("another person is verified with the number")]
    NumberTaken,
    #[error("cases of the tier take no {0}")]
    NotTaken(EvidenceKind),
    #[error("the case takes no more documents")]
    Full,
    #[error("the content {0}")]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    #[error("one reviewer cannot approve twice")]
    SameReviewer,
    #[error("nobody reviews their own case")]
    OwnCase,
    #[error("the person has other names than those that were looked up")]
    NamesChanged,
    #[error("the account is not active")]
    Inactive,
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error("an answer could not be written: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Pii(#[from] PiiError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("an event could not be written: {0}")]
    Event(#[from] OutboxError),
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<Unreadable> for CaseError {
    fn from(error: Unreadable) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<sqlx::Error> for CaseError {
    fn from(error: sqlx::Error) -> Self {
        if PiiError::is_erased(&error) {
            return Self::Pii(PiiError::Erased);
        }
        match constraint::violated(&error) {
            Some("kyc_cases_one_open_key") => Self::OpenCase,
            Some("kyc_decisions_one_approval_a_reviewer_key") => Self::SameReviewer,
            Some("bvn_verifications_bvn_key" | "nin_verifications_nin_key") => Self::NumberTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<CaseError> for Problem {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::NotFound => Self::not_found("case"),
            CaseError::NoDocument => Self::not_found("document"),
            CaseError::UnknownCountry(_) => {
                Self::invalid_field("country", "unknown", "is no country that people are verified for")
            }
            CaseError::UnknownTier(_) => {
                Self::invalid_field("tier", "out_of_range", "is no tier of the country")
            }
            CaseError::TierReached => Self::conflict("tier_reached", "You have this tier already."),
            CaseError::OpenCase => Self::conflict(
                "case_open",
                "You have applied for this tier already, and it is being decided.",
            ),
            CaseError::ClaimMissing(field) => {
                Self::invalid_field(field, "required", "is needed for this tier")
            }
            CaseError::OtherThanVerified(field) => {
                Self::conflict("conflict", format!("You are verified with another `{field}`."))
            }
            CaseError::NumberTaken => {
                Self::conflict("number_taken", "Another account is verified with this number.")
            }
            CaseError::NotTaken(_) => {
                Self::invalid_field("kind", "not_needed", "is not needed for the tier of this case")
            }
            CaseError::Full => {
                Self::conflict("too_many_documents", "This case has as many documents as a case takes.")
            }
            CaseError::Unfit(unfit) => Self::invalid_field("content", unfit.code(), unfit.to_string()),
            CaseError::NotPossible(NotPossible(status, action)) => Self::conflict(
                "case_status",
                format!("A case that is {} {}.", status.name(), refused(action)),
            ),
            CaseError::SameReviewer => Self::conflict(
                "second_reviewer_required",
                "You approved this case; the next one has to be somebody else.",
            ),
            CaseError::OwnCase => Self::forbidden("Nobody decides about themselves."),
            CaseError::NamesChanged => Self::conflict(
                "conflict",
                "The person has other names than those that were looked up; reject the case.",
            ),
            CaseError::Inactive => inactive(),
            CaseError::TooOften(often) => too_often(often),
            CaseError::Key(error) => error.into(),
            CaseError::Pii(error) => error.into(),
            CaseError::Notice(error) => error.into(),
            CaseError::User(error) => error.into(),
            CaseError::Database(error) | CaseError::Event(OutboxError::Database(error)) => {
                constraint::problem(error)
            }
            CaseError::Encoding(_) | CaseError::Corrupt(_) | CaseError::Event(_) => Self::internal(error),
        }
    }
}

fn refused(action: Action) -> &'static str {
    match action {
        Action::Resubmit => "takes no documents",
        Action::Open | Action::Refer | Action::Ask | Action::Approve | Action::Reject | Action::Expire => {
            "is not with the reviewers"
        }
    }
}

fn too_often(often: TooOften) -> Problem {
    Problem::new(
        axum::http::StatusCode::TOO_MANY_REQUESTS,
        "too_many_attempts",
        "You have applied too often for now. Try again later.",
    )
    .retry_after(often.wait())
}
