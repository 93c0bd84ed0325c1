//! `/internal/v1/wallets`: what other services ask about wallets. `orders` has what they order.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::{ServiceCaller, permissions::FindWallets};
use common_utils::{
    http::{ApiPath, ApiQuery, Problem, Routes, routes},
    ids::{UserId, WalletId},
    money::Currency,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{Wallet, WalletError, orders};
use crate::{
    app::AppState,
    ledger::{Freeze, PublicStatus},
};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(get_wallet)).routes(routes!(find_wallets)).merge(orders::router())
}

/// A wallet as other services see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WalletFacts {
    wallet_id: Uuid,
    user_id: Uuid,
    currency: String,
    name: Option<String>,
    status: PublicStatus,
    /// While it is frozen: which direction is shut.
    freeze: Option<Freeze>,
    /// What is available never falls below it.
    floor: Option<i64>,
    /// What is posted never rises above it.
    ceiling: Option<i64>,
    /// What comes in never takes what is posted above it, by the tier of the owner; what is given back may.
    intake_ceiling: Option<i64>,
    is_default: bool,
    created_at: DateTime<Utc>,
    account_numbers: Vec<String>,
}

impl From<Wallet> for WalletFacts {
    fn from(wallet: Wallet) -> Self {
        Self {
            wallet_id: wallet.id.uuid(),
            user_id: wallet.user_id.uuid(),
            currency: wallet.currency.code().to_owned(),
            name: wallet.name.map(|name| name.as_str().to_owned()),
            status: wallet.status.into(),
            freeze: wallet.status.freeze(),
            floor: wallet.bounds.floor,
            ceiling: wallet.bounds.ceiling,
            intake_ceiling: wallet.bounds.intake_ceiling,
            is_default: wallet.is_default,
            created_at: wallet.created_at,
            account_numbers: wallet.account_numbers.into_iter().map(|account| account.number).collect(),
        }
    }
}

#[utoipa::path(get, path = "/internal/v1/wallets/{id}", tag = "internal", security(("bearer" = [])), params(("id" = Uuid, Path)),
               responses((status = 200, body = WalletFacts)))]
async fn get_wallet(
    State(state): State<AppState>,
    _: ServiceCaller<FindWallets>,
    ApiPath(id): ApiPath<WalletId>,
) -> Result<Json<WalletFacts>, Problem> {
    let wallet = super::find(&state.pool, id).await?.ok_or(WalletError::NotFound)?;
    Ok(Json(wallet.into()))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindQuery {
    account_number: Option<String>,
    #[param(value_type = Option<Uuid>)]
    user_id: Option<UserId>,
    /// Narrows down a person's wallets.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
}

/// Never more than a person may have, so it is not paged.
#[derive(Debug, Serialize, ToSchema)]
struct Found {
    items: Vec<WalletFacts>,
}

#[utoipa::path(get, path = "/internal/v1/wallets", tag = "internal", security(("bearer" = [])), params(FindQuery),
               responses((status = 200, body = Found)))]
async fn find_wallets(
    State(state): State<AppState>,
    _: ServiceCaller<FindWallets>,
    ApiQuery(query): ApiQuery<FindQuery>,
) -> Result<Json<Found>, Problem> {
    let wallets = match (query.account_number, query.user_id) {
        (Some(number), None) => super::list_by_account_number(&state.pool, &number).await?,
        (None, Some(user)) => super::list_by_user(&state.pool, user).await?,
        _ => {
            return Err(Problem::invalid_field(
                "accountNumber",
                "required",
                "or userId must be given, and not both",
            ));
        }
    };
    let wanted = |wallet: &Wallet| query.currency.is_none_or(|currency| wallet.currency == currency);
    Ok(Json(Found { items: wallets.into_iter().filter(wanted).map(Into::into).collect() }))
}
