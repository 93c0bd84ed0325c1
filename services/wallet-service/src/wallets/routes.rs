//! `/api/v1/wallet/wallets`: a person's own wallets. Somebody else's is as if it were not there.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use common_auth::{CurrentUser, PersonOrMachine, scopes::WalletsRead};
use common_db::idempotency::{self, RepeatableCall};
use common_utils::{
    http::{
        ApiJson, ApiPath, ApiQuery, Problem, ProblemBody, Refused, Routes,
        paging::{self, Limit, Page, PageQuery},
        routes,
    },
    ids::WalletId,
    money::{Currency, Money},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{AccountNumber, Answer, Wallet, WalletName, statement};
use crate::{
    app::AppState,
    ledger::{self, Direction, Entry, Freeze, Order, PublicStatus},
};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(list_wallets, open_wallet))
        .routes(routes!(get_wallet))
        .routes(routes!(get_balance))
        .routes(routes!(list_entries))
        .merge(statement::router())
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpenWallet {
    #[schema(value_type = String, example = "NGN", pattern = "^[A-Z]{3}$")]
    currency: Currency,
    /// What you call it.
    #[schema(max_length = 60, example = "Rent")]
    name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Wallet)]
pub(super) struct WalletBody {
    id: Uuid,
    user_id: Uuid,
    #[schema(example = "NGN")]
    currency: String,
    name: Option<String>,
    status: PublicStatus,
    /// While it is frozen: which direction is shut.
    freeze: Option<Freeze>,
    /// The one that everybody gets when they register.
    is_default: bool,
    balance: BalanceBody,
    /// Money sent to one of these arrives in the wallet.
    virtual_accounts: Vec<VirtualAccountBody>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balance)]
pub(super) struct BalanceBody {
    #[schema(example = "NGN")]
    currency: String,
    /// Minor units.
    posted: i64,
    /// The part of it that is set aside.
    held: i64,
    /// What can be spent: posted less held.
    available: i64,
    as_of: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VirtualAccount)]
struct VirtualAccountBody {
    account_number: String,
    account_name: String,
    bank_name: String,
    bank_code: String,
    provider: String,
    #[schema(example = "active")]
    status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Entry)]
pub(super) struct EntryBody {
    id: Uuid,
    sequence: i64,
    direction: Direction,
    amount: Money,
    balance_after: i64,
    transaction_id: Uuid,
    description: String,
    created_at: DateTime<Utc>,
}

impl WalletBody {
    pub(super) fn new(wallet: Wallet, as_of: DateTime<Utc>) -> Self {
        Self {
            id: wallet.id.uuid(),
            user_id: wallet.user_id.uuid(),
            currency: wallet.currency.code().to_owned(),
            balance: BalanceBody::new(wallet.currency, wallet.posted, wallet.held, as_of),
            name: wallet.name.map(|name| name.as_str().to_owned()),
            status: wallet.status.into(),
            freeze: wallet.status.freeze(),
            is_default: wallet.is_default,
            virtual_accounts: wallet.account_numbers.into_iter().map(Into::into).collect(),
            created_at: wallet.created_at,
        }
    }
}

impl BalanceBody {
    fn new(currency: Currency, posted: i64, held: i64, as_of: DateTime<Utc>) -> Self {
        // Held is part of posted, so the difference fits; were it not so, nothing would be there to spend.
        let available = posted.saturating_sub(held);
        Self { currency: currency.code().to_owned(), posted, held, available, as_of }
    }
}

impl From<AccountNumber> for VirtualAccountBody {
    fn from(account: AccountNumber) -> Self {
        Self {
            account_number: account.number,
            account_name: account.name,
            bank_name: account.bank_name,
            bank_code: account.bank_code,
            provider: account.provider,
            status: "active",
        }
    }
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            sequence: entry.sequence,
            direction: entry.direction,
            amount: entry.amount,
            balance_after: entry.balance_after,
            transaction_id: entry.posting_id.uuid(),
            description: entry.description,
            created_at: entry.posted_at,
        }
    }
}

/// Your wallets, newest first.
#[utoipa::path(
    get, path = "/api/v1/wallet/wallets", tag = "wallets", params(PageQuery),
    security(("bearer" = []), ("machine" = ["wallets:read"])),
    responses(
        (status = 200, body = Page<WalletBody>),
        Refused<401>, Refused<403>, Refused<422>,
    )
)]
async fn list_wallets(
    State(state): State<AppState>,
    user: PersonOrMachine<WalletsRead>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<WalletBody>>, Problem> {
    let after: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let page = super::page(&state.pool, user.id, after, Limit::new(query.limit)).await?;
    let now = state.clock.now();
    Ok(Json(page.map(|wallet| WalletBody::new(wallet, now))))
}

/// Opens a wallet. You may have ten.
#[utoipa::path(
    post, path = "/api/v1/wallet/wallets", tag = "wallets", request_body = OpenWallet, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header,
            description = "Your own; with it the call can be repeated and opens one wallet.")),
    responses(
        (status = 201, body = WalletBody),
        Refused<400>, Refused<401>, Refused<415>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`unsupported_currency`, `limit_exceeded`, `idempotency_key_reused` or `validation_failed`."),
    )
)]
async fn open_wallet(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    ApiJson(request): ApiJson<OpenWallet>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, user.id, "open wallet", &request)?;
    let name = request
        .name
        .as_deref()
        .map(WalletName::parse)
        .transpose()
        .map_err(|error| Problem::invalid_field("name", "out_of_range", error.to_string()))?;
    let Answer { outcome, replayed } = super::open(&state, user.id, request.currency, name, &call).await?;
    let response = match outcome {
        Ok(body) => (StatusCode::CREATED, Json(body)).into_response(),
        Err(refusal) => Problem::from(refusal).into_response(),
    };
    Ok(if replayed { idempotency::replayed(response) } else { response })
}

/// One of your wallets.
#[utoipa::path(
    get, path = "/api/v1/wallet/wallets/{id}", tag = "wallets",
    security(("bearer" = []), ("machine" = ["wallets:read"])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = WalletBody),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_wallet(
    State(state): State<AppState>,
    user: PersonOrMachine<WalletsRead>,
    ApiPath(id): ApiPath<WalletId>,
) -> Result<Json<WalletBody>, Problem> {
    let wallet = super::find_own(&state.pool, user.id, id).await?;
    Ok(Json(WalletBody::new(wallet, state.clock.now())))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BalanceQuery {
    /// As it was at this time; now, if it is left out.
    at: Option<DateTime<Utc>>,
}

/// What a wallet holds, or held at a time.
#[utoipa::path(
    get, path = "/api/v1/wallet/wallets/{id}/balance", tag = "wallets",
    security(("bearer" = []), ("machine" = ["wallets:read"])),
    params(("id" = Uuid, Path), BalanceQuery),
    responses(
        (status = 200, body = BalanceBody),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>,
    )
)]
async fn get_balance(
    State(state): State<AppState>,
    user: PersonOrMachine<WalletsRead>,
    ApiPath(id): ApiPath<WalletId>,
    ApiQuery(query): ApiQuery<BalanceQuery>,
) -> Result<Json<BalanceBody>, Problem> {
    let wallet = super::find_own(&state.pool, user.id, id).await?;
    let now = state.clock.now();
    let (posted, held, as_of) = match query.at {
        None => (wallet.posted, wallet.held, now),
        Some(at) if at > now => {
            return Err(Problem::invalid_field("at", "out_of_range", "must not be in the future"));
        }
        Some(at) if at < wallet.created_at => (0, 0, at),
        Some(at) => {
            let past = ledger::balance_at(&state.pool, id.into(), at).await?;
            (past.posted, past.held, at)
        }
    };
    Ok(Json(BalanceBody::new(wallet.currency, posted, held, as_of)))
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OrderParameter {
    Asc,
    Desc,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EntriesQuery {
    /// How many entries at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `asc` is oldest first; newest first, if it is left out.
    #[param(inline)]
    order: Option<OrderParameter>,
}

/// What moved in a wallet, each entry with the balance after it.
#[utoipa::path(
    get, path = "/api/v1/wallet/wallets/{id}/entries", tag = "wallets",
    security(("bearer" = []), ("machine" = ["wallets:read"])),
    params(("id" = Uuid, Path), EntriesQuery),
    responses(
        (status = 200, body = Page<EntryBody>),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>,
    )
)]
async fn list_entries(
    State(state): State<AppState>,
    user: PersonOrMachine<WalletsRead>,
    ApiPath(id): ApiPath<WalletId>,
    ApiQuery(query): ApiQuery<EntriesQuery>,
) -> Result<Json<Page<EntryBody>>, Problem> {
    super::find_own(&state.pool, user.id, id).await?;
    let after: Option<i64> = paging::decode(query.cursor.as_deref())?;
    let order = match query.order {
        Some(OrderParameter::Asc) => Order::OldestFirst,
        Some(OrderParameter::Desc) | None => Order::NewestFirst,
    };
    let limit = Limit::new(query.limit);
    let entries = ledger::entries(&state.pool, id.into(), order, after, limit).await?;
    Ok(Json(Page::from_rows(entries, limit, |entry| entry.sequence).map(Into::into)))
}
