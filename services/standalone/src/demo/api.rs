//! A client that shows what it does, and never shows a secret.
#![expect(clippy::print_stdout, reason = "showing is what it is for")]

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::PATIENCE;

const LONGEST_LINE: usize = 220;
const SECRETS: [&str; 6] = ["accessToken", "refreshToken", "password", "bvn", "hash", "previousHash"];

pub(super) struct Api {
    client: reqwest::Client,
    base: String,
}

/// A call that is put together.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) body: Option<Value>,
    pub(super) idempotency_key: Option<&'a str>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) replayed: bool,
    pub(super) body: Value,
}

pub(super) fn heading(text: &str) {
    println!("\n== {text}");
}

impl Api {
    pub(super) fn new(base: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> anyhow::Result<Value> {
        let call = Call { method: Method::GET, path, token: Some(token), body: None, idempotency_key: None };
        self.expect(call, StatusCode::OK).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: Value,
        status: StatusCode,
    ) -> anyhow::Result<Value> {
        let call = Call { method: Method::POST, path, token, body: Some(body), idempotency_key: None };
        self.expect(call, status).await
    }

    async fn expect(&self, call: Call<'_>, status: StatusCode) -> anyhow::Result<Value> {
        let (method, path) = (call.method.clone(), call.path.to_owned());
        let answer = self.call(call).await?;
        ensure!(answer.status == status, "{method} {path} answered {}, not {status}", answer.status);
        Ok(answer.body)
    }

    /// Makes the call and shows it.
    pub(super) async fn call(&self, call: Call<'_>) -> anyhow::Result<Answer> {
        let answer = self.send(&call).await?;
        show(&call, &answer);
        Ok(answer)
    }

    /// Asks until `found` is content, and shows the last answer only.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        path: &str,
        token: &str,
        found: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        let call = Call { method: Method::GET, path, token: Some(token), body: None, idempotency_key: None };
        loop {
            let answer = self.send(&call).await?;
            if let Some(found) = found(&answer.body) {
                show(&call, &answer);
                return Ok(found);
            }
            if Instant::now() >= deadline {
                show(&call, &answer);
                bail!("{what} did not come within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    }

    /// Over the rate limit it waits as it is told; that is what a good client does.
    async fn send(&self, call: &Call<'_>) -> anyhow::Result<Answer> {
        loop {
            let mut request = self.client.request(call.method.clone(), format!("{}{}", self.base, call.path));
            if let Some(token) = call.token {
                request = request.bearer_auth(token);
            }
            if let Some(key) = call.idempotency_key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            let response = request.send().await.with_context(|| format!("{} {}", call.method, call.path))?;
            let status = response.status();
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            if status == StatusCode::TOO_MANY_REQUESTS {
                let seconds = header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(5);
                println!("   429 too many calls: waiting {seconds} s, as told");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                continue;
            }
            let replayed = header("idempotent-replayed") == Some("true");
            let text = response.text().await?;
            let body = if text.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(&text).with_context(|| format!("{} is no JSON: {text}", call.path))?
            };
            return Ok(Answer { status, replayed, body });
        }
    }
}

fn show(call: &Call<'_>, answer: &Answer) {
    let mut body = answer.body.clone();
    mask(&mut body);
    let mut line = body.to_string();
    if line.chars().count() > LONGEST_LINE {
        line = line.chars().take(LONGEST_LINE).chain(['…']).collect();
    }
    let key = call.idempotency_key.map(|key| format!("  (Idempotency-Key: {key})")).unwrap_or_default();
    let replayed = if answer.replayed { "  (Idempotent-Replayed: true)" } else { "" };
    println!(
        "{:4} {}{key} → {}{replayed}\n     {line}",
        call.method.as_str(),
        call.path,
        answer.status.as_u16()
    );
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if SECRETS.contains(&name.as_str()) && field.is_string() {
                    *field = Value::String("…".to_owned());
                } else {
                    mask(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}
