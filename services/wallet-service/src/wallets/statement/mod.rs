//! `GET /api/v1/wallet/wallets/{id}/statement`: what happened in a wallet in a period, page by page as JSON, or all of it as
//! CSV.
//!
//! `opening` and the entries, credits added and debits taken away, make `closing`. The ledger numbers entries without gaps
//! and their times never go back, so this holds for any period, wherever it cuts.

mod csv;

use std::ops::Range;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{PersonOrMachine, scopes::WalletsRead};
use common_utils::{
    http::{
        ApiPath, ApiQuery, FieldErrors, Problem, ProblemBody, Refused, Routes,
        paging::{self, Limit, Page},
        routes,
    },
    ids::WalletId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{Wallet, routes::EntryBody};
use crate::{
    app::AppState,
    ledger::{self, Direction, Entry, LedgerError, Statement},
};

const LONGEST_PERIOD: TimeDelta = TimeDelta::days(366);
/// A file is made in memory, and this many entries are some megabytes.
const MOST_IN_A_FILE: u16 = 10_000;

pub(super) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(get_statement))
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    /// When the period begins; what happened at this moment belongs to it.
    from: DateTime<Utc>,
    /// When it ends, at most 366 days later; what happened at this moment does not belong to it.
    to: DateTime<Utc>,
    /// `json`, if it is left out. `csv` is a file of the whole period, of at most 10,000 entries.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
    /// How many entries at the most; with `json`.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before; with `json`.
    cursor: Option<String>,
}

/// What happened in a wallet in a period, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Statement)]
struct StatementBody {
    wallet_id: Uuid,
    #[schema(example = "NGN")]
    currency: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// What the wallet held when the period began, in minor units.
    opening: i64,
    /// What it held when the period ended, or holds now if it has not ended yet.
    closing: i64,
    items: Vec<EntryBody>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// What happened in a wallet in a period: `opening`, the entries oldest first, `closing`.
#[utoipa::path(
    get, path = "/api/v1/wallet/wallets/{id}/statement", tag = "wallets",
    security(("bearer" = []), ("machine" = ["wallets:read"])),
    params(("id" = Uuid, Path), StatementQuery),
    responses(
        (status = 200, description = "As `format` says; CSV comes as a file, with amounts in major units.",
         content((StatementBody = "application/json"), (String = "text/csv"))),
        Refused<401>, Refused<403>, Refused<404>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`validation_failed`; `statement_too_long`: take a shorter period, or JSON."),
    )
)]
async fn get_statement(
    State(state): State<AppState>,
    user: PersonOrMachine<WalletsRead>,
    ApiPath(id): ApiPath<WalletId>,
    ApiQuery(query): ApiQuery<StatementQuery>,
) -> Result<Response, Problem> {
    let wallet = super::find_own(&state.pool, user.id, id).await?;
    query.check()?;
    match query.format {
        Format::Json => page(&state, &wallet, &query).await,
        Format::Csv => file(&state, &wallet, query.from..query.to).await,
    }
}

impl StatementQuery {
    fn check(&self) -> Result<(), Problem> {
        let mut errors = FieldErrors::new();
        let length = self.to.signed_duration_since(self.from);
        if length <= TimeDelta::zero() {
            errors.push("to", "out_of_range", "must be after from");
        } else if length > LONGEST_PERIOD {
            errors.push("to", "out_of_range", "must be at most 366 days after from");
        }
        if matches!(self.format, Format::Csv) {
            for (field, given) in [("limit", self.limit.is_some()), ("cursor", self.cursor.is_some())] {
                if given {
                    errors.push(field, "invalid", "goes with json: a file has the whole period");
                }
            }
        }
        errors.into_result()
    }
}

async fn page(state: &AppState, wallet: &Wallet, query: &StatementQuery) -> Result<Response, Problem> {
    let after: Option<i64> = paging::decode(query.cursor.as_deref())?;
    let limit = Limit::new(query.limit);
    let statement = read(state, wallet, query.from..query.to, after, limit).await?;
    let page = Page::from_rows(statement.entries, limit, |entry| entry.sequence);
    let ends = page.next_cursor.is_none();
    let (opening, closing) = agreed(statement.opening, statement.closing, &page.items, after, ends);
    let page = page.map(EntryBody::from);
    let body = StatementBody {
        wallet_id: wallet.id.uuid(),
        currency: statement.currency.code().to_owned(),
        from: query.from,
        to: query.to,
        opening,
        closing,
        items: page.items,
        next_cursor: page.next_cursor,
    };
    Ok(Json(body).into_response())
}

async fn file(state: &AppState, wallet: &Wallet, period: Range<DateTime<Utc>>) -> Result<Response, Problem> {
    let limit = Limit::new(Some(MOST_IN_A_FILE));
    let statement = read(state, wallet, period.clone(), None, limit).await?;
    if statement.entries.len() > usize::from(MOST_IN_A_FILE) {
        return Err(Problem::unprocessable(
            "statement_too_long",
            format!("The period has more than {MOST_IN_A_FILE} entries. Take a shorter one."),
        ));
    }
    let (opening, closing) = agreed(statement.opening, statement.closing, &statement.entries, None, true);
    let statement = Statement { opening, closing, ..statement };
    let (from, to) = (period.start.format("%Y%m%dT%H%M%SZ"), period.end.format("%Y%m%dT%H%M%SZ"));
    let name = format!("attachment; filename=\"statement-{}-{from}-{to}.csv\"", wallet.id);
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, csv::write(&statement, &period)).into_response())
}

/// Before a wallet was opened nothing happened in it. So no time goes to the database that it could not read.
async fn read(
    state: &AppState,
    wallet: &Wallet,
    period: Range<DateTime<Utc>>,
    after: Option<i64>,
    limit: Limit,
) -> Result<Statement, LedgerError> {
    let period = period.start.max(wallet.created_at)..period.end.max(wallet.created_at);
    ledger::statement(&state.pool, wallet.id.into(), wallet.currency, period, after, limit).await
}

/// Opening and closing as the entries have them, as far as these begin and end the period. A period that has not ended
/// goes on while it is read, balances before entries.
fn agreed(opening: i64, closing: i64, entries: &[Entry], after: Option<i64>, ends: bool) -> (i64, i64) {
    let begins = after.is_none();
    let opening = entries.first().filter(|_| begins).and_then(balance_before).unwrap_or(opening);
    let closing = match entries.last() {
        Some(last) if ends => last.balance_after,
        None if begins => opening,
        _ => closing,
    };
    (opening, closing)
}

/// It was a balance, so it fits.
fn balance_before(entry: &Entry) -> Option<i64> {
    match entry.direction {
        Direction::Credit => entry.balance_after.checked_sub(entry.amount.amount),
        Direction::Debit => entry.balance_after.checked_add(entry.amount.amount),
    }
}
