//! A stand-in for the contracts of identity-service and wallet-service (`/internal/v1`), with faults. Its ledger keeps
//! to the real one's promise: a posting that it knows is answered as the first time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common_auth::{
    jwks::{JwkSet, PublicKey},
    service_token::ServiceTokens,
    testing::Callers,
};
use common_utils::ids;
use serde_json::{Value, json};
use uuid::Uuid;

/// What goes wrong with postings from now on.
#[derive(Debug, Clone, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Refuses to work and does nothing.
    Down,
    /// Does the work and never answers.
    LoseAnswer,
    /// Answers late.
    Slow(Duration),
    /// Refuses every new posting with this code, because of its debited wallet.
    Refuse(&'static str),
    /// Refuses every new posting to this wallet, which holds all that it may.
    Full(Uuid),
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) first: String,
    pub(crate) last: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) wallet: Uuid,
    pub(crate) user: Uuid,
    pub(crate) currency: &'static str,
    pub(crate) number: Option<String>,
    pub(crate) balance: i64,
    pub(crate) frozen: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) people: Vec<Person>,
    pub(crate) accounts: Vec<Account>,
    /// What was posted or refused, by posting.
    pub(crate) decided: HashMap<Uuid, (Value, Value)>,
    pub(crate) fault: Fault,
    /// Look-ups of people and wallets do not work.
    pub(crate) lookups_down: bool,
    pub(crate) lookups: u32,
}

impl Book {
    pub(crate) fn balance(&self, wallet: Uuid) -> i64 {
        self.accounts.iter().find(|account| account.wallet == wallet).unwrap().balance
    }

    fn decide(&mut self, posting: &Value) -> Value {
        let id: Uuid = posting["id"].as_str().unwrap().parse().unwrap();
        if let Some((content, result)) = self.decided.get(&id) {
            let mut result = result.clone();
            result["replayed"] = json!(true);
            if content != posting {
                result["outcome"] = json!("refused");
                result["refusal"] = json!({"code": "content_mismatch", "walletId": null, "missing": null});
            }
            return result;
        }
        let refusal = self.move_money(&posting["legs"][0]);
        let outcome = if refusal.is_some() { "refused" } else { "posted" };
        let result = json!({
            "id": id, "outcome": outcome, "replayed": false, "postedAt": "2026-03-01T12:00:00.5Z", "refusal": refusal
        });
        self.decided.insert(id, (posting.clone(), result.clone()));
        result
    }

    fn move_money(&mut self, leg: &Value) -> Option<Value> {
        let wallet = |side: &str| leg[side]["walletId"].as_str().unwrap().parse::<Uuid>().unwrap();
        let (debit, credit) = (wallet("debit"), wallet("credit"));
        let amount = leg["amount"]["amount"].as_i64().unwrap();
        let refusal =
            |code: &str, wallet: Uuid| Some(json!({"code": code, "walletId": wallet, "missing": null}));
        match self.fault {
            Fault::Refuse(code) => return refusal(code, debit),
            Fault::Full(wallet) if wallet == credit => return refusal("ceiling_exceeded", credit),
            _ => {}
        }
        for wallet in [debit, credit] {
            if self.accounts.iter().any(|account| account.wallet == wallet && account.frozen) {
                return refusal("wallet_frozen", wallet);
            }
        }
        if self.balance(debit) < amount {
            return refusal("insufficient_funds", debit);
        }
        for account in &mut self.accounts {
            if account.wallet == debit {
                account.balance -= amount;
            } else if account.wallet == credit {
                account.balance += amount;
            }
        }
        None
    }
}

/// Serves both contracts.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    book: Arc<Mutex<Book>>,
    /// It plays both and is called as either, in the test's time, and by a program in the real one.
    tokens: Arc<[ServiceTokens]>,
    pub(crate) url: String,
}

impl Peers {
    pub(crate) async fn start(services: [&Callers; 2], key: PublicKey) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let played = services.map(|times| {
            ["identity-service", "wallet-service"].map(|name| times.calling(name).tokens().unwrap())
        });
        let tokens = played.into_iter().flatten().collect();
        let peers = Self { book: Arc::default(), tokens, url };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(async move || Json(JwkSet::of([&key]))))
            .route("/internal/v1/users", get(find_user))
            .route("/internal/v1/users/{id}", get(user))
            .route("/internal/v1/wallets", get(find_wallets))
            .route("/internal/v1/wallets/{id}", get(wallet))
            .route("/internal/v1/postings", post(postings))
            .with_state(peers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        peers
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.book().fault = fault;
    }

    /// Refuses who brings no service token, as the real ones do.
    fn admit(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let caller = self.tokens.iter().find_map(|called| called.verify(token));
        if caller.as_deref() == Some("transaction-service") { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }

    fn look_up(&self, headers: &HeaderMap) -> Result<MutexGuard<'_, Book>, StatusCode> {
        self.admit(headers)?;
        let mut book = self.book();
        book.lookups += 1;
        if book.lookups_down { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(book) }
    }
}

fn person(person: Option<&Person>) -> Response {
    let Some(person) = person else { return StatusCode::NOT_FOUND.into_response() };
    let body = json!({
        "userId": person.id, "email": person.email, "phoneNumber": person.phone, "firstName": person.first,
        "lastName": person.last, "kycTier": 1, "status": "active"
    });
    Json(body).into_response()
}

async fn user(State(peers): State<Peers>, headers: HeaderMap, Path(id): Path<Uuid>) -> Response {
    match peers.look_up(&headers) {
        Ok(book) => person(book.people.iter().find(|person| person.id == id)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn find_user(
    State(peers): State<Peers>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let asked = |name: &str, value: &str| query.get(name).is_some_and(|asked| asked == value);
    match peers.look_up(&headers) {
        Ok(book) => person(
            book.people.iter().find(|one| asked("email", &one.email) || asked("phoneNumber", &one.phone)),
        ),
        Err(refusal) => refusal.into_response(),
    }
}

fn shape(account: &Account) -> Value {
    json!({
        "walletId": account.wallet, "userId": account.user, "currency": account.currency, "name": null,
        "status": "active", "isDefault": true, "createdAt": "2026-01-01T00:00:00Z",
        "accountNumbers": account.number.iter().collect::<Vec<_>>()
    })
}

async fn wallet(State(peers): State<Peers>, headers: HeaderMap, Path(id): Path<Uuid>) -> Response {
    match peers.look_up(&headers) {
        Ok(book) => match book.accounts.iter().find(|account| account.wallet == id) {
            Some(account) => Json(shape(account)).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Err(refusal) => refusal.into_response(),
    }
}

async fn find_wallets(
    State(peers): State<Peers>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let wanted = |account: &&Account| {
        query.get("accountNumber").is_none_or(|asked| account.number.as_ref() == Some(asked))
            && query.get("userId").is_none_or(|asked| *asked == account.user.to_string())
            && query.get("currency").is_none_or(|asked| asked == account.currency)
    };
    match peers.look_up(&headers) {
        Ok(book) => {
            let items: Vec<Value> = book.accounts.iter().filter(wanted).map(shape).collect();
            Json(json!({ "items": items })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn postings(State(peers): State<Peers>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Err(refusal) = peers.admit(&headers) {
        return refusal.into_response();
    }
    let fault = peers.book().fault.clone();
    match fault {
        Fault::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Slow(wait) => tokio::time::sleep(wait).await,
        Fault::None | Fault::LoseAnswer | Fault::Refuse(_) | Fault::Full(_) => {}
    }
    let results: Vec<Value> = {
        let mut book = peers.book();
        body["postings"].as_array().unwrap().iter().map(|posting| book.decide(posting)).collect()
    };
    if matches!(fault, Fault::LoseAnswer) {
        std::future::pending::<()>().await;
    }
    Json(json!({ "results": results })).into_response()
}

/// A person with a contact of their own.
pub(crate) fn new_person(first: &str, last: &str) -> Person {
    let id = ids::new_id();
    // The random end of the id tells people apart.
    let digits = id.as_u128() % 1_000_000;
    Person {
        id,
        email: format!("{}.{digits}@example.com", first.to_lowercase()),
        phone: format!("+2348031{digits:06}"),
        first: first.to_owned(),
        last: last.to_owned(),
    }
}
