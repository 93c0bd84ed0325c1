//! A twin on a port of its own, a receiver for its webhooks, and a client that reads numbers as text.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use bytes::Bytes;
use provider_twin::{Config, Redelivery};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const API_KEY: &str = "sk_sandbox_test";
pub(crate) const WEBHOOK_SECRET: &str = "webhook-secret-of-the-tests";
pub(crate) const KYC_KEY: &str = "kyc-key-of-the-tests";
pub(crate) const KMS_TOKEN: &str = "kms-token-of-the-tests";

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Exactly as it came.
    pub(crate) text: String,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct TestTwin {
    pub(crate) address: String,
    client: reqwest::Client,
    stop: CancellationToken,
    served: JoinHandle<anyhow::Result<()>>,
}

/// A configuration whose waits are short enough for tests.
pub(crate) fn config(webhook_url: &str, data_file: Option<&Path>) -> Config {
    Config {
        webhook_url: webhook_url.to_owned(),
        redelivery: Redelivery {
            attempts: 200,
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
            deadline: Duration::from_secs(5),
        },
        kyc_slow: Duration::from_millis(300),
        kms_token: Some(KMS_TOKEN.into()),
        data_file: data_file.map(Path::to_path_buf),
        ..Config::new(API_KEY, WEBHOOK_SECRET, KYC_KEY)
    }
}

/// Nobody listens here.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9/nowhere";

impl TestTwin {
    pub(crate) async fn start() -> Self {
        Self::with(config(NOWHERE, None)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let served = tokio::spawn(provider_twin::run(listener, config, stop.clone()));
        Self { address, client: reqwest::Client::builder().no_proxy().build().unwrap(), stop, served }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&str>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = match status {
            204 => Value::Null,
            _ => serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text:?}")),
        };
        Answer { status, text, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, &format!("/api/v1{path}"), Some(API_KEY), None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, &format!("/api/v1{path}"), Some(API_KEY), Some(&body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, &format!("/api/v1{path}"), Some(API_KEY), Some(&body.to_string())).await
    }

    pub(crate) async fn control(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, None, Some(&body.to_string())).await
    }

    pub(crate) async fn look(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None, None).await
    }

    /// Makes a customer; `index` tells it from others. Answers its id and account number.
    pub(crate) async fn customer(&self, index: u32) -> (String, String) {
        let made = self.post("/wallet", &new_wallet(index)).await;
        assert_eq!(made.status, 201, "{made:?}");
        (text(&made.body["customer"]["id"]), text(&made.body["wallet"]["accountNumber"]))
    }

    /// Makes money arrive, and nothing else.
    pub(crate) async fn fund(&self, account_number: &str, amount: &str) -> Answer {
        let body = json!({ "accountNumber": account_number, "amount": amount, "senderName": "BOLA" });
        let funded = self.control("/twin/inbound-transfers", &body).await;
        assert_eq!(funded.status, 201, "{funded:?}");
        funded
    }
}

pub(crate) fn new_wallet(index: u32) -> Value {
    json!({
        "bvn": format!("2222{index:06}1"),
        "firstName": "Ada",
        "lastName": format!("Number{index}"),
        "dateOfBirth": "1990-01-31",
        "phoneNumber": format!("+23480200{index:05}"),
        "email": format!("ada{index}@example.com"),
        "address": "1 Example Street",
        "metadata": { "our-reference": index },
    })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// One webhook as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

/// Takes webhooks, after it has refused the first few.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<ReceiverState>,
}

#[derive(Debug, Default)]
struct ReceiverState {
    refuse: AtomicU32,
    taken: Mutex<Vec<Received>>,
}

impl Receiver {
    pub(crate) async fn refusing(times: u32) -> Self {
        let state = Arc::new(ReceiverState { refuse: AtomicU32::new(times), ..ReceiverState::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&state));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, state }
    }

    /// Waits until this many webhooks were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        for _ in 0..500 {
            let taken = self.state.taken.lock().unwrap().clone();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} webhooks did not arrive: {:?}", self.state.taken.lock().unwrap());
    }
}

async fn take(State(state): State<Arc<ReceiverState>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refuse = state.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if refuse.is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let signature = headers[provider_twin::SIGNATURE_HEADER].to_str().unwrap().to_owned();
    state.taken.lock().unwrap().push(Received { signature, body });
    StatusCode::OK
}
