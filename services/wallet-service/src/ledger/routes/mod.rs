//! `POST /internal/v1/postings`: what other services ask of the ledger.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use common_auth::ServiceCaller;
use common_events::Actor;
use common_utils::{
    http::{ApiJson, FieldErrors, Problem, ProblemBody},
    ids::{TransactionId, WalletId},
    money::Money,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use validator::Validate;

use super::{AccountRef, Leg, Origin, PlatformAccount, Posting, PostingResult, PostingType, Refusal};
use crate::app::AppState;

/// How many postings one call may bring.
const MAX_POSTINGS: usize = 1000;
const MAX_ORIGIN: usize = 200;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(post_postings))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PostPostings {
    /// Written in one database transaction; each is posted or refused on its own.
    #[schema(min_items = 1, max_items = 1000)]
    postings: Vec<PostingBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PostingBody {
    /// The caller's own: the same id with the same content is answered as the first time.
    id: Uuid,
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "transfer")]
    kind: PostingType,
    description: String,
    legs: Vec<LegBody>,
    provider_reference: Option<String>,
    counterparty_name: Option<String>,
}

/// Money goes from the debited account to the credited one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LegBody {
    debit: AccountBody,
    credit: AccountBody,
    amount: Money,
}

/// Either a wallet or an account of the platform.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountBody {
    #[schema(value_type = Option<Uuid>)]
    wallet_id: Option<WalletId>,
    #[schema(value_type = Option<String>, example = "provider_settlement:providus")]
    platform: Option<PlatformAccount>,
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
    /// `posted` or `refused`.
    outcome: &'static str,
    replayed: bool,
    posted_at: DateTime<Utc>,
    #[schema(value_type = Option<Object>)]
    refusal: Option<Refusal>,
}

impl From<PostingResult> for ResultBody {
    fn from(result: PostingResult) -> Self {
        Self {
            id: result.id.uuid(),
            outcome: result.outcome.name(),
            replayed: result.replayed,
            posted_at: result.posted_at,
            refusal: result.outcome.refusal(),
        }
    }
}

/// Moves money.
#[utoipa::path(
    post, path = "/internal/v1/postings", tag = "internal", security(("bearer" = [])),
    request_body = PostPostings,
    responses(
        (status = 200, body = Results),
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "A posting is malformed; nothing was written."),
        (status = 503, body = ProblemBody, content_type = "application/problem+json",
         description = "Nothing was written, or it is not known whether it was: send the same again."),
    )
)]
async fn post_postings(
    State(state): State<AppState>,
    caller: ServiceCaller,
    ApiJson(body): ApiJson<PostPostings>,
) -> Result<(StatusCode, Json<Results>), Problem> {
    let postings = parse(body.postings, &caller)?;
    let results = state.ledger.post(postings).await?;
    Ok((StatusCode::OK, Json(Results { results: results.into_iter().map(Into::into).collect() })))
}

/// Everything that is malformed in any of the postings, at once.
fn parse(bodies: Vec<PostingBody>, caller: &ServiceCaller) -> Result<Vec<Posting>, Problem> {
    if bodies.is_empty() || bodies.len() > MAX_POSTINGS {
        let message = format!("must be 1 to {MAX_POSTINGS} postings");
        return Err(Problem::invalid_field("postings", "out_of_range", message));
    }
    let mut errors = FieldErrors::new();
    let mut postings = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.into_iter().enumerate() {
        let path = format!("postings[{index}]");
        postings.extend(parse_one(body, &path, caller, &mut errors));
    }
    errors.into_result()?;
    Ok(postings)
}

fn parse_one(
    body: PostingBody,
    path: &str,
    caller: &ServiceCaller,
    errors: &mut FieldErrors,
) -> Option<Posting> {
    let origin = Origin {
        actor: Some(Actor::service(&caller.name)),
        provider_reference: told(path, "providerReference", body.provider_reference, errors),
        counterparty_name: told(path, "counterpartyName", body.counterparty_name, errors),
        request: None,
    };
    let legs = parse_legs(body.legs, path, errors)?;
    match Posting::new(TransactionId::from(body.id), body.kind, body.description, legs) {
        Ok(posting) => Some(posting.with_origin(origin)),
        Err(misfits) => {
            for misfit in misfits {
                errors.push(format!("{path}.{}", misfit.field), misfit.code, misfit.message);
            }
            None
        }
    }
}

fn parse_legs(bodies: Vec<LegBody>, path: &str, errors: &mut FieldErrors) -> Option<Vec<Leg>> {
    let count = bodies.len();
    let mut legs = Vec::with_capacity(count);
    for (index, body) in bodies.into_iter().enumerate() {
        let debit = account(body.debit, || format!("{path}.legs[{index}].debit"), errors);
        let credit = account(body.credit, || format!("{path}.legs[{index}].credit"), errors);
        legs.extend(debit.zip(credit).map(|(debit, credit)| Leg { debit, credit, amount: body.amount }));
    }
    (legs.len() == count).then_some(legs)
}

fn account(
    body: AccountBody,
    field: impl FnOnce() -> String,
    errors: &mut FieldErrors,
) -> Option<AccountRef> {
    match (body.wallet_id, body.platform) {
        (Some(id), None) => Some(AccountRef::Wallet(id)),
        (None, Some(code)) => Some(AccountRef::Platform(code)),
        _ => {
            errors.push(field(), "invalid", "must name either walletId or platform");
            None
        }
    }
}

fn told(path: &str, field: &str, text: Option<String>, errors: &mut FieldErrors) -> Option<String> {
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_ORIGIN) {
        let message = format!("must be at most {MAX_ORIGIN} characters");
        errors.push(format!("{path}.{field}"), "out_of_range", message);
    }
    text
}
