//! Those who are signed in while others sign in: what they call has to be answered as fast as ever.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Connection},
    load::Caller,
};

/// What they call: reading, writing, and what an application does by itself every few minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Profile,
    Sessions,
    Rename,
    Refresh,
}

impl Call {
    pub(crate) const ALL: [Self; 4] = [Self::Profile, Self::Sessions, Self::Rename, Self::Refresh];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Profile => "GET /me",
            Self::Sessions => "GET /sessions",
            Self::Rename => "PATCH /me",
            Self::Refresh => "POST /refresh",
        }
    }
}

/// What a person was given at registration.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    /// Out of an answer that opens or goes on with a session.
    pub(crate) fn of(said: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| said[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Self { access: text("accessToken")?, refresh: text("refreshToken")? })
    }
}

#[derive(Debug)]
pub(crate) struct SignedIn {
    connection: Connection,
    tokens: Tokens,
    call: Call,
    calls: u64,
}

impl SignedIn {
    pub(crate) async fn new(address: SocketAddr, tokens: Tokens, call: Call) -> anyhow::Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, tokens, call, calls: 0 })
    }

    async fn ask(&mut self) -> anyhow::Result<Answer> {
        let access = &self.tokens.access;
        match self.call {
            Call::Profile => self.connection.get("/api/v1/identity/me", access).await,
            Call::Sessions => self.connection.get("/api/v1/identity/sessions", access).await,
            Call::Rename => {
                // Another name each time: what changes nothing is not written.
                let name = ["Ada", "Ada Ngozi"][usize::from(self.calls.is_multiple_of(2))];
                let body = json!({ "firstName": name });
                self.connection.call(&request("PATCH", "me", Some(access), &body)).await
            }
            Call::Refresh => {
                let body = json!({ "refreshToken": self.tokens.refresh });
                let answer = self.connection.call(&request("POST", "refresh", None, &body)).await?;
                if answer.status == 200 {
                    let said: Value = serde_json::from_slice(&answer.body)?;
                    self.tokens = Tokens::of(&said["tokens"])?;
                }
                Ok(answer)
            }
        }
    }
}

impl Caller for SignedIn {
    async fn call(&mut self) -> anyhow::Result<u32> {
        self.calls += 1;
        let answer = self.ask().await?;
        ensure!(answer.status == 200, "{}: {}", self.call.name(), answer.told());
        Ok(1)
    }
}

/// A request with a body to identity-service.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} /api/v1/identity/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}
