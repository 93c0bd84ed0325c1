//! A stand-in for the internal contracts of identity-, wallet- and transaction-service: one server that plays all
//! three, knows what a test tells it, and can be away.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common_auth::{service_token::ServiceTokens, testing::Callers};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) users: HashSet<Uuid>,
    /// Wallet and owner.
    pub(crate) wallets: HashMap<Uuid, Uuid>,
    pub(crate) closed: HashSet<Uuid>,
    /// Transaction, sender and recipient.
    pub(crate) transactions: HashMap<Uuid, (Uuid, Uuid)>,
    /// What was asked of wallet-service: wallet, verb, body.
    pub(crate) freezes: Vec<(Uuid, String, Value)>,
    pub(crate) away: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Neighbours {
    pub(crate) known: Arc<Mutex<Known>>,
    /// It plays all three, and is called as any.
    tokens: [ServiceTokens; 3],
}

impl Neighbours {
    /// Serves on a free port; the address.
    pub(crate) async fn start(services: &Callers) -> (Self, String) {
        let tokens = ["identity-service", "wallet-service", "transaction-service"]
            .map(|name| services.calling(name).tokens().unwrap());
        let neighbours = Self { known: Arc::default(), tokens };
        let router = Router::new()
            .route("/internal/v1/users/{id}", get(user))
            .route("/internal/v1/wallets/{id}", get(wallet))
            .route("/internal/v1/wallets/{id}/{verb}", post(freeze))
            .route("/internal/v1/transactions/{id}", get(transaction))
            .layer(middleware::from_fn_with_state(neighbours.clone(), admit))
            .with_state(neighbours.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (neighbours, address)
    }

    pub(crate) fn tell<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap())
    }
}

/// Only with the service token of admin-service, and only when not away.
async fn admit(
    State(neighbours): State<Neighbours>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.strip_prefix("Bearer ").unwrap_or_default();
    let caller = neighbours.tokens.iter().find_map(|called| called.verify(token));
    if caller.as_deref() != Some("admin-service") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if neighbours.tell(|known| known.away) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

fn answer(body: Option<Value>) -> Response {
    body.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |body| Json(body).into_response())
}

async fn user(State(neighbours): State<Neighbours>, Path(id): Path<Uuid>) -> Response {
    let known = neighbours.tell(|known| known.users.contains(&id));
    answer(known.then(|| {
        json!({ "userId": id, "email": "ada@example.com", "phoneNumber": "+2348030000001", "firstName": "Ada",
                "lastName": "Obi", "kycTier": 1, "status": "active" })
    }))
}

async fn wallet(State(neighbours): State<Neighbours>, Path(id): Path<Uuid>) -> Response {
    let owner = neighbours.tell(|known| known.wallets.get(&id).copied());
    answer(owner.map(|owner| {
        json!({ "walletId": id, "userId": owner, "currency": "NGN", "name": null, "status": "active",
                "isDefault": true, "createdAt": "2026-11-01T10:00:00Z", "accountNumbers": [] })
    }))
}

async fn transaction(State(neighbours): State<Neighbours>, Path(id): Path<Uuid>) -> Response {
    let parties = neighbours.tell(|known| known.transactions.get(&id).copied());
    answer(parties.map(|(from, to)| {
        json!({ "id": id, "type": "transfer", "status": "completed", "fromUserId": from, "toUserId": to })
    }))
}

async fn freeze(
    State(neighbours): State<Neighbours>,
    Path((id, verb)): Path<(Uuid, String)>,
    Json(body): Json<Value>,
) -> Response {
    neighbours.tell(|known| {
        if known.closed.contains(&id) {
            let body = json!({ "code": "wallet_closed", "status": 422 });
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
        }
        let Some(owner) = known.wallets.get(&id) else { return StatusCode::NOT_FOUND.into_response() };
        if body["actorId"] == json!(owner) {
            let body = json!({ "code": "own_wallet", "status": 422 });
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
        }
        known.freezes.push((id, verb.clone(), body));
        answer(Some(json!({ "walletId": id, "status": if verb == "freeze" { "frozen" } else { "active" } })))
    })
}
