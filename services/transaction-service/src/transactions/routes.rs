//! `GET /api/v1/transactions`, `GET /api/v1/transactions/{id}`, and what other services may ask.

use axum::{Json, extract::State};
use chrono::{DateTime, NaiveDate, Utc};
use common_auth::{PersonOrMachine, ServiceCaller, permissions::ReadTransactions, scopes::TransactionsRead};
use common_utils::{
    http::{
        ApiPath, ApiQuery, FieldErrors, Problem, ProblemBody, Refused, Routes,
        paging::{self, Limit, Page},
        routes,
    },
    ids::{TransactionId, UserId, WalletId},
    money::Money,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{Failure, Filter, Position, Status, Transaction, TransactionType};
use crate::app::AppState;

pub(crate) fn public() -> Routes<AppState> {
    Routes::new().routes(routes!(list)).routes(routes!(get))
}

pub(crate) fn internal() -> Routes<AppState> {
    Routes::new().routes(routes!(get_internal))
}

/// Who is on the other side.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counterparty {
    /// First name and initial; of money that came from a bank, the name that the bank gave.
    #[schema(example = "Ada O.")]
    name: String,
}

/// A movement of money, as one of its parties sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Transaction)]
pub(crate) struct TransactionBody {
    id: Uuid,
    #[serde(rename = "type")]
    kind: TransactionType,
    status: Status,
    amount: Money,
    fee: Money,
    /// Null when the money came from outside.
    from_wallet_id: Option<Uuid>,
    /// Null when the money went outside.
    to_wallet_id: Option<Uuid>,
    /// Null where no name is known.
    counterparty: Option<Counterparty>,
    narration: Option<String>,
    #[schema(example = "TRF-01KB3X5Q2M8J0V7T4S6R1N9PZC")]
    reference: String,
    failure: Option<Failure>,
    created_at: DateTime<Utc>,
    /// When the money moved.
    completed_at: Option<DateTime<Utc>>,
}

impl TransactionBody {
    pub(crate) fn for_viewer(transaction: Transaction, viewer: UserId) -> Self {
        let counterparty =
            transaction.counterparty_of(viewer).map(|name| Counterparty { name: name.to_owned() });
        Self {
            id: transaction.id.uuid(),
            kind: transaction.kind,
            status: transaction.status,
            amount: transaction.amount,
            fee: transaction.fee,
            from_wallet_id: transaction.from.map(|party| party.wallet.uuid()),
            to_wallet_id: transaction.to.map(|party| party.wallet.uuid()),
            counterparty,
            narration: transaction.narration,
            reference: transaction.reference,
            failure: transaction.failure,
            created_at: transaction.created_at,
            completed_at: transaction.completed_at,
        }
    }
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only what concerns this wallet of yours.
    wallet_id: Option<Uuid>,
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<TransactionType>,
    status: Option<Status>,
    /// Made at this time or later.
    from: Option<DateTime<Utc>>,
    /// Made before this time.
    to: Option<DateTime<Utc>>,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

impl ListQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let (earliest, latest) = recorded_times();
        let mut errors = FieldErrors::new();
        for (field, time) in [("from", self.from), ("to", self.to)] {
            if time.is_some_and(|time| !(earliest..=latest).contains(&time)) {
                errors.push(field, "out_of_range", "must be in the years 1970 to 9999");
            }
        }
        errors.into_result()?;
        let cursor = paging::decode::<Position>(self.cursor.as_deref())?;
        if cursor.is_some_and(|(time, _)| !(earliest..=latest).contains(&time)) {
            return Err(Problem::invalid_field(
                "cursor",
                "invalid",
                "must be the nextCursor of an earlier page",
            ));
        }
        Ok(Filter {
            kind: self.kind,
            status: self.status,
            from: self.from.unwrap_or(earliest),
            to: self.to.unwrap_or(latest),
            after: cursor.unwrap_or((latest, Uuid::max())),
        })
    }
}

/// Nothing was recorded outside of these; and Postgres can hold both.
fn recorded_times() -> (DateTime<Utc>, DateTime<Utc>) {
    let latest = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default();
    (DateTime::UNIX_EPOCH, latest.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// Your transactions, newest first. Of transfers to you those are listed whose money has arrived.
#[utoipa::path(
    get, path = "/api/v1/transactions", tag = "transactions", params(ListQuery),
    security(("bearer" = []), ("machine" = ["transactions:read"])),
    responses(
        (status = 200, description = "A page", body = Page<TransactionBody>),
        (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope` of an API key, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "You have no such wallet", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A parameter does not fit", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(state): State<AppState>,
    user: PersonOrMachine<TransactionsRead>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<TransactionBody>>, Problem> {
    let (filter, limit) = (query.filter()?, Limit::new(query.limit));
    let page = state.transactions.list(user.id, query.wallet_id.map(WalletId::from), &filter, limit).await?;
    Ok(Json(page.map(|transaction| TransactionBody::for_viewer(transaction, user.id))))
}

/// One transaction of yours.
#[utoipa::path(
    get, path = "/api/v1/transactions/{id}", tag = "transactions", params(("id" = Uuid, Path)),
    security(("bearer" = []), ("machine" = ["transactions:read"])),
    responses(
        (status = 200, description = "The transaction", body = TransactionBody),
        (status = 401, description = "Not signed in", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope` of an API key, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "You have no such transaction", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn get(
    State(state): State<AppState>,
    user: PersonOrMachine<TransactionsRead>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<TransactionBody>, Problem> {
    let transaction = state.transactions.get(user.id, TransactionId::from(id)).await?;
    Ok(Json(TransactionBody::for_viewer(transaction, user.id)))
}

/// A transaction for another service: as its sender sees it (a deposit as its recipient does), with both owners.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InternalBody {
    #[serde(flatten)]
    transaction: TransactionBody,
    #[schema(value_type = Option<Uuid>)]
    from_user_id: Option<UserId>,
    #[schema(value_type = Option<Uuid>)]
    to_user_id: Option<UserId>,
}

#[utoipa::path(
    get, path = "/internal/v1/transactions/{id}", tag = "internal", params(("id" = Uuid, Path)), security(("bearer" = [])),
    responses((status = 200, body = InternalBody), Refused<401>, Refused<403>, Refused<404>)
)]
async fn get_internal(
    State(state): State<AppState>,
    _: ServiceCaller<ReadTransactions>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<InternalBody>, Problem> {
    let transaction = state.transactions.any(TransactionId::from(id)).await?;
    let from_user_id = transaction.from.as_ref().map(|party| party.user);
    let to_user_id = transaction.to.as_ref().map(|party| party.user);
    let viewer = from_user_id.or(to_user_id).unwrap_or_else(|| UserId::from(Uuid::nil()));
    let transaction = TransactionBody::for_viewer(transaction, viewer);
    Ok(Json(InternalBody { transaction, from_user_id, to_user_id }))
}
