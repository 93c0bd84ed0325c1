//! The simulated bank and KYC provider: the only simulated part of the platform.
//!
//! It speaks the wire contract of Xpress Wallet (Providus Bank) over HTTP under `/api/v1`, checks of numbers and documents under `/kyc`, that of a
//! key management service under `/v1/transit`, and has control calls of its own under `/twin`, among them a mailbox for messages to people. Its book is in memory, and in a
//! file where one is named.
//!
//! A request: fault switch → key → handler → decision on the locked book → file → answer. Webhooks follow in the
//! background.

mod auth;
mod banks;
mod book;
mod config;
mod control;
mod customers;
mod error;
mod evidence;
mod extract;
mod faults;
mod kyc;
mod merchant;
mod merchant_moves;
mod messages;
mod money;
mod paging;
mod store;
mod transactions;
mod transfers;
mod transit;
mod twin;
mod wallets;
mod webhooks;

use std::{future::IntoFuture, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{Config, DEFAULT_PORT, Redelivery};
pub use webhooks::{SIGNATURE_HEADER, signature};

use error::Refusal;
use twin::Twin;

/// Requests that are still running when the twin is told to stop get this long.
const DRAIN: Duration = Duration::from_secs(10);
/// 10 MiB in base64, and what stands around it.
const DOCUMENT_LIMIT: usize = 15 * 1024 * 1024;

/// The twin's routes, to be served or called in a test. Call it inside a Tokio runtime, which its webhooks need.
pub fn app(config: Config) -> anyhow::Result<Router> {
    let twin = Twin::open(config, CancellationToken::new())?;
    webhooks::resume(&twin);
    Ok(router(&twin))
}

/// Serves the twin until `shutdown`, drains, and writes its book.
pub async fn run(listener: TcpListener, config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let twin = Twin::open(config, shutdown.child_token())?;
    webhooks::resume(&twin);
    tracing::info!(address = %listener.local_addr()?, "provider twin listens");
    let served = axum::serve(listener, router(&twin))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned())
        .into_future();
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        outcome = served => outcome?,
        () = drained => tracing::warn!("stopped with requests still running"),
    }
    twin.close().await
}

fn router(twin: &Arc<Twin>) -> Router {
    let bank = bank_routes()
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(twin), auth::bank_key))
        .layer(from_fn_with_state(Arc::clone(twin), faults::strike));
    let kyc = Router::new()
        .route("/bvn/verify", post(kyc::verify))
        .route("/nin/verify", post(evidence::verify_nin))
        .route("/documents/verify", post(evidence::verify_document))
        .layer(DefaultBodyLimit::max(DOCUMENT_LIMIT))
        .layer(from_fn_with_state(Arc::clone(twin), auth::kyc_key))
        .layer(from_fn_with_state(Arc::clone(twin), faults::strike));
    let transit = Router::new()
        .route("/encrypt/{key}", post(transit::encrypt))
        .route("/decrypt/{key}", post(transit::decrypt))
        .route("/keys/{key}", get(transit::describe))
        .route("/keys/{key}/rotate", post(transit::rotate))
        .layer(from_fn_with_state(Arc::clone(twin), transit::token))
        .layer(from_fn_with_state(Arc::clone(twin), faults::strike));
    let control = Router::new()
        .route("/inbound-transfers", post(control::inbound))
        .route("/book", get(control::book))
        .route("/messages", get(messages::list).post(messages::accept))
        .route("/mailbox", get(messages::page))
        .route("/bvn-records", post(kyc::tell))
        .route("/faults", post(faults::set));
    Router::new()
        .nest("/api/v1", bank)
        .nest("/kyc", kyc)
        .nest("/v1/transit", transit)
        .nest("/twin", control)
        .route("/health/live", get(live))
        .fallback(unknown)
        .layer(from_fn(log))
        .with_state(Arc::clone(twin))
}

fn bank_routes() -> Router<Arc<Twin>> {
    Router::new()
        .route("/wallet", get(wallets::list).post(wallets::create))
        .route("/wallet/customer", get(wallets::of_customer))
        .route("/wallet/close", post(wallets::close))
        .route("/wallet/enable", post(wallets::enable))
        .route("/wallet/credit", post(merchant_moves::credit))
        .route("/wallet/debit", post(merchant_moves::debit))
        .route("/customer/phone", get(customers::by_phone))
        .route("/customer/{id}", get(customers::by_id).put(customers::update))
        .route("/merchant/wallet", get(merchant::wallet))
        .route("/merchant/fund-wallet", post(merchant::fund))
        .route("/merchant/transactions", get(transactions::of_merchant))
        .route("/merchant/transaction/{reference}", get(transactions::by_reference))
        .route("/transaction/customer", get(transactions::of_customer))
        .route("/transfer/banks", get(banks::list))
        .route("/transfer/account/details", get(banks::account_details))
        .route("/transfer/bank", post(transfers::from_merchant))
        .route("/transfer/bank/customer", post(transfers::from_customer))
        .route("/transfer/wallet", post(transfers::between_wallets))
}

/// One line a request. Never the query or the body: they hold personal data.
async fn log(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::info!(%method, path, status = response.status().as_u16(), "request");
    response
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

async fn unknown() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Not found.")
}
