//! Why a person is not verified.

use axum::http::StatusCode;
use common_db::constraint;
use common_utils::http::Problem;

use super::{cases::error::CaseError, provider::NoFinding};
use crate::{
    allowances::TooOften, crypto::error::PiiError, sessions::error::inactive, users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum KycError {
    #[error("the number is somebody else's")]
    Mismatch,
    #[error("there is no such number")]
    NotFound,
    #[error("another person is verified with this number")]
    BvnTaken,
    #[error("the person is verified with another number")]
    OtherBvn,
    #[error("the names changed while they were verified")]
    NamesChanged,
    #[error("the account is not active")]
    Inactive,
    #[error("the person is not verified")]
    NotVerified,
    #[error(transparent)]
    NoFinding(#[from] NoFinding),
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error(transparent)]
    Pii(#[from] PiiError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Case(CaseError),
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for KycError {
    fn from(error: sqlx::Error) -> Self {
        match constraint::violated(&error) {
            Some("bvn_verifications_bvn_key") => Self::BvnTaken,
            _ if PiiError::is_erased(&error) => Self::Pii(PiiError::Erased),
            _ => Self::Database(error),
        }
    }
}

impl From<CaseError> for KycError {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::NumberTaken => Self::BvnTaken,
            other => Self::Case(other),
        }
    }
}

impl KycError {
    /// The label under which a check that ended like this is counted.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::NotFound => "not_found",
            Self::BvnTaken => "taken",
            Self::OtherBvn
            | Self::NamesChanged
            | Self::Inactive
            | Self::NotVerified
            | Self::TooOften(_)
            | Self::Case(
                CaseError::OtherThanVerified(_) | CaseError::OpenCase | CaseError::ClaimMissing(_),
            ) => "refused",
            Self::NoFinding(_) => "unavailable",
            Self::Pii(_) | Self::User(_) | Self::Case(_) | Self::Database(_) => "error",
        }
    }
}

impl From<KycError> for Problem {
    fn from(error: KycError) -> Self {
        match error {
            KycError::Mismatch => Self::unprocessable(
                "kyc_mismatch",
                "Your names or date of birth are not those that the bank verification number is registered with.",
            ),
            KycError::NotFound => {
                Self::unprocessable("kyc_not_found", "There is no such bank verification number.")
            }
            KycError::BvnTaken => {
                Self::conflict("bvn_taken", "Another account is verified with this bank verification number.")
            }
            KycError::OtherBvn => {
                Self::conflict("conflict", "You are verified with another bank verification number.")
            }
            KycError::NamesChanged => {
                Self::conflict("conflict", "Your names changed while they were being verified. Try again.")
            }
            KycError::Inactive => inactive(),
            KycError::NotVerified => Self::not_found("verification"),
            KycError::NoFinding(NoFinding(source)) => Self::unavailable(source),
            KycError::TooOften(often) => {
                let detail = "Too many checks today. Try again tomorrow, or apply with your documents.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(often.wait())
            }
            KycError::Pii(error) => error.into(),
            KycError::User(error) => error.into(),
            KycError::Case(error) => error.into(),
            KycError::Database(error) => constraint::problem(error),
        }
    }
}
