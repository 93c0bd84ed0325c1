//! `/health/live`: the process runs. `/health/ready`: it can do its work, or which dependency stops it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

const DEADLINE: Duration = Duration::from_secs(2);

/// Something the service depends on.
#[async_trait]
pub trait Check: Send + Sync {
    fn name(&self) -> &'static str;

    /// Without it the service cannot serve. A dependency that only delays work (Kafka, Redis, a provider) is
    /// reported, and the service stays ready.
    fn required(&self) -> bool;

    async fn check(&self) -> Result<(), String>;
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    dependencies: BTreeMap<&'static str, String>,
}

pub type Checks = Arc<Vec<Box<dyn Check>>>;

/// The two health routes.
pub fn router(checks: Checks) -> Router {
    Router::new()
        .route("/health/live", get(async || Json(serde_json::json!({ "status": "up" }))))
        .route("/health/ready", get(ready))
        .with_state(checks)
}

async fn ready(State(checks): State<Checks>) -> (StatusCode, Json<Health>) {
    let results = futures::future::join_all(checks.iter().map(async |check| {
        let result = tokio::time::timeout(DEADLINE, check.check())
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", DEADLINE.as_secs())));
        (check, result)
    }))
    .await;
    let broken =
        |required| results.iter().any(|(check, result)| result.is_err() && check.required() == required);
    let (code, status) = match (broken(true), broken(false)) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "down"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "up"),
    };
    let dependencies = results
        .iter()
        .map(|(check, result)| {
            (check.name(), result.as_ref().map_or_else(Clone::clone, |()| "up".to_owned()))
        })
        .collect();
    (code, Json(Health { status, dependencies }))
}
