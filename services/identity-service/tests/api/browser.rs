//! Chromium without a window, driven over DevTools: one page, with a virtual authenticator.

use std::{process::Stdio, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Of the page.
    session: Option<String>,
    authenticator: Option<String>,
    calls: u64,
    _process: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens the page, with an authenticator that is part of the device and verifies its user.
    pub(crate) async fn open(page: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (process, address) = start(&profile).await;
        let (socket, _) = timeout(DEADLINE, connect_async(address)).await.unwrap().unwrap();
        let mut browser = Self {
            socket,
            session: None,
            authenticator: None,
            calls: 0,
            _process: process,
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": page })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        browser.loaded(page).await;
        browser.call("WebAuthn.enable", json!({ "enableUI": false })).await;
        let options = json!({
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
        });
        let added = browser.call("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
        browser.authenticator = Some(added["authenticatorId"].as_str().unwrap().to_owned());
        browser
    }

    async fn loaded(&mut self, page: &str) {
        let here = format!("location.href === {page:?} && document.readyState === 'complete'");
        let waiting = async {
            while self.run(&here).await != Ok(json!(true)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{page} was not loaded"));
    }

    /// Whether the user shows the authenticator a finger from now on.
    pub(crate) async fn verify_user(&mut self, verified: bool) {
        let params = json!({ "authenticatorId": self.authenticator, "isUserVerified": verified });
        self.call("WebAuthn.setUserVerified", params).await;
    }

    /// How many passkeys the authenticator has.
    pub(crate) async fn passkeys(&mut self) -> usize {
        let params = json!({ "authenticatorId": self.authenticator });
        let found = self.call("WebAuthn.getCredentials", params).await;
        found["credentials"].as_array().unwrap().len()
    }

    /// Runs a script in the page, as if its user had asked for it; what it throws is the error.
    pub(crate) async fn run(&mut self, script: &str) -> Result<Value, String> {
        let params = json!({
            "expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let outcome = self.call("Runtime.evaluate", params).await;
        match outcome["exceptionDetails"]["exception"]["description"].as_str() {
            Some(thrown) => Err(thrown.lines().next().unwrap_or_default().to_owned()),
            None => Ok(outcome["result"]["value"].clone()),
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut request = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        let answer = timeout(DEADLINE, self.answer()).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer to {method}"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// To the last call; events are passed over.
    async fn answer(&mut self) -> Value {
        loop {
            let message = self.socket.next().await.expect("Chromium goes on").unwrap();
            let Message::Text(text) = message else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.calls {
                return answer;
            }
        }
    }
}

/// The process, which ends with the test, and where it listens.
async fn start(profile: &TempDir) -> (Child, String) {
    let program = std::env::var("TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let mut process = Command::new(&program)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error} (Debian's package is called chromium)"));
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                return address.to_owned();
            }
        }
        panic!("{program} ended before it listened");
    };
    let address = timeout(DEADLINE, listening).await.unwrap_or_else(|_| panic!("{program} does not listen"));
    // What else it says is read, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, address)
}
