//! An integrator: a small HTTP server that writes down what it gets and answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode, Uri},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;

/// How it answers. What is not told is 204.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    /// With a header.
    Header(u16, &'static str, String),
    /// With a body.
    Body(u16, Vec<u8>),
    /// Begins a body and never ends it.
    Dripping,
    Never,
    /// When it is told to.
    Held(Arc<Notify>, u16),
}

/// What it got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// How many of its signatures are of this secret: written from the standard's words, not with our code.
    pub(crate) fn signed_by(&self, secret: &str) -> usize {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        for part in [self.header("webhook-id"), ".", self.header("webhook-timestamp"), ".", &self.body] {
            mac.update(part.as_bytes());
        }
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').filter(|signature| *signature == expected).count()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Receiver {
    got: Arc<Mutex<Vec<Request>>>,
    next: Arc<Mutex<VecDeque<Reply>>>,
    always: Arc<Mutex<Option<Reply>>>,
    pub(crate) port: u16,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// For the next request that nobody has told a reply for.
    pub(crate) fn replies(&self, reply: Reply) {
        self.next.lock().unwrap().push_back(reply);
    }

    /// The next one is answered when somebody says so.
    pub(crate) fn holds(&self, status: u16) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.replies(Reply::Held(Arc::clone(&gate), status));
        gate
    }

    /// From now on.
    pub(crate) fn always(&self, reply: Reply) {
        *self.always.lock().unwrap() = Some(reply);
    }

    pub(crate) fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    receiver.got.lock().unwrap().push(Request { path: uri.path().to_owned(), headers, body });
    let told = receiver.next.lock().unwrap().pop_front();
    let reply = told.or_else(|| receiver.always.lock().unwrap().clone()).unwrap_or(Reply::Status(204));
    let answer = |status: u16| Response::builder().status(StatusCode::from_u16(status).unwrap());
    match reply {
        Reply::Status(status) => answer(status).body(Body::empty()).unwrap(),
        Reply::Header(status, name, value) => answer(status).header(name, value).body(Body::empty()).unwrap(),
        Reply::Body(status, bytes) => answer(status).body(Body::from(bytes)).unwrap(),
        Reply::Dripping => {
            let stream = futures::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), ()))
            });
            answer(200).body(Body::from_stream(stream)).unwrap()
        }
        Reply::Never => std::future::pending().await,
        Reply::Held(gate, status) => {
            gate.notified().await;
            answer(status).body(Body::empty()).unwrap()
        }
    }
}
