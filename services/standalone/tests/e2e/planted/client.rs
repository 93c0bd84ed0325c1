//! A client that comes through the gateway, as everybody does, and waits when it is told to.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::deployment::Deployment;

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Person {
    pub(crate) fn of(signed_in: &Value) -> Self {
        Self {
            id: text(signed_in, "/user/id"),
            access: text(signed_in, "/tokens/accessToken"),
            refresh: text(signed_in, "/tokens/refreshToken"),
        }
    }
}

pub(crate) fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

impl Deployment {
    /// Whatever it is answered.
    pub(crate) async fn send(&self, request: RequestBuilder) -> (u16, Value) {
        loop {
            let answer = request.try_clone().unwrap().send().await.unwrap();
            let status = answer.status().as_u16();
            if status == 429 {
                let seconds = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                continue;
            }
            return (status, answer.json().await.unwrap_or_default());
        }
    }

    pub(crate) fn call(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.gateway()));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Fails unless it is done.
    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let request = self.call(Method::POST, path, token).header("Idempotency-Key", path);
        let (status, answer) = self.send(request.json(&body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Fails unless it is refused like that.
    pub(crate) async fn refused(&self, path: &str, token: &str, body: Value, expected: u16) {
        let (status, answer) = self.send(self.call(Method::POST, path, token).json(&body)).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }

    pub(crate) async fn log_in(&self, identifier: &str, password: &str) -> Value {
        let body = json!({ "identifier": identifier, "password": password });
        self.post("/identity/login", "", body).await
    }

    /// Asks until something is found in the answer.
    pub(crate) async fn wait<T>(&self, path: &str, token: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let ask = async || find(&self.send(self.call(Method::GET, path, token)).await.1);
        self.until(path, async || ask().await.is_some()).await;
        ask().await.expect("it was there a moment ago")
    }

    /// What follows `before` in a message that somebody was sent.
    pub(crate) async fn message(&self, to: &str, before: &str) -> String {
        let url = format!("{}/twin/messages", self.value("TWIN_URL"));
        let ask = async || {
            let answer = self.client.get(&url).query(&[("to", to)]).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            let mut texts = answer["items"].as_array().unwrap().iter().map(|item| text(item, "/body"));
            texts.find_map(|body| following(&body, before))
        };
        self.until(&format!("a message to {to}"), async || ask().await.is_some()).await;
        ask().await.unwrap()
    }
}

/// The word after `before`; where that is empty, a code with which the text begins.
fn following(body: &str, before: &str) -> Option<String> {
    let word = body.split_once(before)?.1.split_whitespace().next()?.to_owned();
    let is_code = word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    (!before.is_empty() || is_code).then_some(word)
}
