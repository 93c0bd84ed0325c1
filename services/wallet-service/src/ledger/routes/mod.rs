//! `POST /internal/v1/postings`: what other services ask of the ledger.

mod body;
mod parse;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::{ServiceCaller, permissions::PostToLedger};
use common_utils::{
    http::{ApiJson, Problem, ProblemBody, Routes, routes},
    ids::WalletId,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PostingResult, Refusal, RefusalCode};
use crate::app::AppState;
use body::PostPostings;

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(post_postings))
}

#[derive(Debug, Serialize, ToSchema)]
struct Results {
    /// In the order of the postings.
    results: Vec<ResultBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResultBody {
    id: Uuid,
    /// `posted` or `refused`. It is the posting's for ever.
    outcome: &'static str,
    /// Decided by an earlier call, or earlier in this one.
    replayed: bool,
    /// When it was decided.
    posted_at: DateTime<Utc>,
    /// Why it was refused.
    refusal: Option<RefusalBody>,
}

/// Why a posting was refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusalBody {
    #[schema(value_type = String, example = "insufficient_funds")]
    code: RefusalCode,
    /// The wallet that stood in the way; null when it was an account of the platform, or no account.
    #[schema(value_type = Option<Uuid>)]
    wallet_id: Option<WalletId>,
    /// Minor units, where an amount stood in the way. `insufficient_funds`: how much more the account needs for all of
    /// the posting. `ceiling_exceeded`, `hold_exceeded`, `refund_exceeded`, and `already_returned` of a refund: how much
    /// too much it is.
    missing: Option<i64>,
}

impl From<PostingResult> for ResultBody {
    fn from(result: PostingResult) -> Self {
        Self {
            id: result.id.uuid(),
            outcome: result.outcome.name(),
            replayed: result.replayed,
            posted_at: result.posted_at,
            refusal: result.outcome.refusal().map(Into::into),
        }
    }
}

impl From<Refusal> for RefusalBody {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code, wallet_id: refusal.wallet_id, missing: refusal.missing }
    }
}

/// Moves money, sets it aside, takes it back.
///
/// Postings are decided in the order of the list, each on what those before it left, and written in one database
/// transaction. A refusal is the outcome of one posting and does not touch its neighbours, unless the list is `atomic`:
/// then either all are posted or all are refused, one for its own reason and the others with `group_refused`.
///
/// An outcome is for ever: the same id with the same content is answered as the first time, with `replayed: true`; with
/// other content it is refused with `content_mismatch`, and the first outcome stands. A posting whose refusal may pass
/// (money may come in, a wallet be unfrozen) is tried again under a new id. `description` and the group are content;
/// `providerReference`, `counterpartyName`, `correlationId` and `traceparent` are not. The members of an atomic list are
/// sent again together, in the same group.
///
/// | refusal | when |
/// | --- | --- |
/// | `insufficient_funds` | what is available would fall below the account's floor, which is zero if nobody set it |
/// | `ceiling_exceeded` | more would be posted than the account's ceiling, or than the tier of the wallet's owner lets come in; what takes a posting back and an `adjustment` are not asked for the tier |
/// | `overflow` | a balance would not fit into 64 bits |
/// | `wallet_frozen` | the wallet is frozen in that direction; setting aside and capturing go out, releasing is always allowed |
/// | `wallet_closed` | the wallet is closed for good |
/// | `account_not_found` | there is no such wallet |
/// | `currency_mismatch` | the account has another currency |
/// | `same_account` | a capture or refund would pay the account that it comes from |
/// | `hold_not_found`, `hold_expired`, `hold_closed` | there is no such hold; its time is over (or was, when it was to be placed); nothing is left of it |
/// | `hold_exceeded` | the capture is more than what is left of the hold |
/// | `posting_not_found` | no posting of that id has moved money |
/// | `not_returnable` | it took something back itself, or for a refund, it took from several accounts |
/// | `already_returned` | it was reversed, or refunded in full, or for a reversal, in part |
/// | `refund_exceeded` | all refunds together would be more than it took |
/// | `content_mismatch` | the id was used for other content |
/// | `group_refused` | another posting of the atomic list was refused |
#[utoipa::path(
    post, path = "/internal/v1/postings", tag = "internal", security(("bearer" = [])),
    request_body = PostPostings,
    responses(
        (status = 200, body = Results, description = "Every posting was decided; each result says how."),
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "The list or a posting in it is malformed; nothing was written."),
        (status = 503, body = ProblemBody, content_type = "application/problem+json",
         description = "Nothing was written, or it is not known whether it was: send the same again."),
    )
)]
async fn post_postings(
    State(state): State<AppState>,
    caller: ServiceCaller<PostToLedger>,
    ApiJson(body): ApiJson<PostPostings>,
) -> Result<Json<Results>, Problem> {
    let postings = parse::postings(body, &caller.name)?;
    let results = state.ledger.post(postings).await?;
    Ok(Json(Results { results: results.into_iter().map(Into::into).collect() }))
}
