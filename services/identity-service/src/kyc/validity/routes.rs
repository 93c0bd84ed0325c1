//! `/api/v1/identity/kyc`: where somebody stands, and what each tier needs and allows.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::CurrentUser;
use common_limits::{Limits, TierLimits};
use common_utils::{
    http::{Problem, Refused, Routes, routes},
    money::Currency,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::repo;
use crate::{
    app::AppState,
    kyc::{cases::error::CaseError, evidence::EvidenceKind, policy::TierPolicy},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycStanding)]
struct StandingView {
    #[schema(minimum = 0, maximum = 3)]
    tier: i16,
    /// The tier is to be verified anew by then; null where it is not.
    valid_until: Option<DateTime<Utc>>,
    /// The country whose tiers these are.
    #[schema(example = "NG")]
    country: String,
    tiers: Vec<TierView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycTier)]
struct TierView {
    #[schema(minimum = 1, maximum = 3)]
    tier: i16,
    /// Of each group one.
    requires: Vec<Vec<EvidenceKind>>,
    /// Taken, where it is there.
    optional: Vec<EvidenceKind>,
    limits: LimitsView,
}

/// In minor units; null is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycLimits)]
struct LimitsView {
    #[schema(value_type = String, example = "NGN")]
    currency: Currency,
    single_deposit: Option<i64>,
    max_balance: Option<i64>,
    daily_outflow: Option<i64>,
}

impl TierView {
    fn of(tier: &TierPolicy, limits: &Limits) -> Self {
        let TierLimits { single_deposit, max_balance, daily_outflow } = limits.of(tier.tier);
        let currency = limits.currency();
        Self {
            tier: tier.tier,
            requires: tier.requires.clone(),
            optional: tier.optional.clone(),
            limits: LimitsView { currency, single_deposit, max_balance, daily_outflow },
        }
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(standing))
}

/// Where one stands, and what each tier needs and allows
#[utoipa::path(
    get, path = "/api/v1/identity/kyc", tag = "kyc", security(("bearer" = [])),
    responses((status = 200, body = StandingView), Refused<401>, Refused<503>)
)]
async fn standing(State(state): State<AppState>, caller: CurrentUser) -> Result<Json<StandingView>, Problem> {
    let user = state.users.get(caller.id).await?;
    let until = repo::valid_until(&state.cases.pool, user.id, user.kyc_tier).await;
    let policy = state.cases.policies.home();
    Ok(Json(StandingView {
        tier: user.kyc_tier,
        valid_until: until.map_err(CaseError::from)?,
        country: policy.country.clone(),
        tiers: policy.tiers.iter().map(|tier| TierView::of(tier, &state.limits)).collect(),
    }))
}
