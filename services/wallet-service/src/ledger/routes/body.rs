//! What a call brings, as it is written. `parse` makes postings of it.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::WalletId,
    money::{Currency, Money},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::ledger::{PlatformAccount, PostingType};

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PostPostings {
    /// Written in one database transaction; each is posted or refused on its own, unless `atomic`.
    #[schema(min_items = 1, max_items = 1000)]
    pub(super) postings: Vec<PostingBody>,
    /// All of them are posted, or all are refused. Their ids differ.
    #[serde(default)]
    pub(super) atomic: bool,
    /// The caller's own, and for this list alone; with `atomic`, and only then.
    pub(super) group_id: Option<Uuid>,
}

/// Exactly one of `legs`, `hold`, `capture`, `release`, `reverse` and `refund` says what it does.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PostingBody {
    /// The caller's own: the same id with the same content is answered as the first time.
    pub(super) id: Uuid,
    /// `transfer`, `deposit`, `withdrawal`, `fee` or `adjustment` with `legs` or `capture`; else `hold`, `release`,
    /// `reversal` or `refund`, after what it does.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "transfer")]
    pub(super) kind: PostingType,
    /// What the owners of the accounts read.
    #[schema(max_length = 200)]
    pub(super) description: String,
    /// Money moves, leg by leg.
    #[schema(min_items = 1, max_items = 500)]
    pub(super) legs: Option<Vec<LegBody>>,
    /// Money of a wallet is set aside. The hold has the posting's id.
    pub(super) hold: Option<HoldBody>,
    /// Money that was set aside goes out, at once or part by part.
    pub(super) capture: Option<CaptureBody>,
    /// What is left of a hold is available again.
    pub(super) release: Option<ReleaseBody>,
    /// A posting is undone as a whole, once.
    pub(super) reverse: Option<ReverseBody>,
    /// Some of what a posting took from its one payer goes back, all refunds together at most all of it.
    pub(super) refund: Option<RefundBody>,
    #[schema(max_length = 200)]
    pub(super) provider_reference: Option<String>,
    #[schema(max_length = 200)]
    pub(super) counterparty_name: Option<String>,
    /// Of the request that the posting came from, told in its events; that of this call, if it is left out.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub(super) correlation_id: Option<String>,
    /// The trace of the request that the posting came from.
    #[schema(min_length = 1, max_length = 100)]
    pub(super) traceparent: Option<String>,
}

/// Money goes from the debited account to the credited one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LegBody {
    pub(super) debit: AccountBody,
    pub(super) credit: AccountBody,
    pub(super) amount: Money,
}

/// Either a wallet or an account of the platform.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AccountBody {
    #[schema(value_type = Option<Uuid>)]
    pub(super) wallet_id: Option<WalletId>,
    #[schema(value_type = Option<String>, example = "provider_settlement:providus")]
    pub(super) platform: Option<PlatformAccount>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HoldBody {
    #[schema(value_type = Uuid)]
    pub(super) wallet_id: WalletId,
    pub(super) amount: Money,
    /// From this moment on what is left of it is available again, and nothing can be captured.
    pub(super) expires_at: DateTime<Utc>,
}

/// Exactly one of `all` and `to`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CaptureBody {
    pub(super) hold_id: Uuid,
    /// All that is left of the hold goes to this account.
    pub(super) all: Option<WholeBody>,
    /// As much as this goes out, each amount to its account.
    #[schema(min_items = 1, max_items = 500)]
    pub(super) to: Option<Vec<ShareBody>>,
    /// With `to`: what is not captured is available again. If it is left out, it stays on hold.
    pub(super) release_rest: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WholeBody {
    pub(super) account: AccountBody,
    /// That of the hold; which account of the platform is meant depends on it.
    #[schema(value_type = String, example = "NGN", pattern = "^[A-Z]{3}$")]
    pub(super) currency: Currency,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShareBody {
    pub(super) account: AccountBody,
    pub(super) amount: Money,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReleaseBody {
    pub(super) hold_id: Uuid,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReverseBody {
    pub(super) posting_id: Uuid,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefundBody {
    pub(super) posting_id: Uuid,
    /// Who gives back how much.
    #[schema(min_items = 1, max_items = 500)]
    pub(super) from: Vec<ShareBody>,
}
