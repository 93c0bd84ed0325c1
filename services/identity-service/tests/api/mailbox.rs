//! The provider's twin as the mailbox of a service whose workers run: what people are sent, and the codes in it.

use std::time::Duration;

use identity_service::notice_config::NoticeConfig;
use serde_json::Value;
use tokio_util::sync::DropGuard;

use crate::{kyc::twin, support::World};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Mailbox {
    address: String,
    client: reqwest::Client,
    _twin: DropGuard,
}

/// A world that sends.
pub(crate) async fn world() -> (World, Mailbox) {
    let (address, guard) = twin().await;
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig::mailbox(&address, Duration::from_secs(5));
    })
    .await;
    (world, Mailbox { address, client: reqwest::Client::new(), _twin: guard })
}

/// Waits until `found` finds something.
pub(crate) async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

impl Mailbox {
    /// What was sent to the contact, newest first.
    pub(crate) async fn messages(&self, to: &str) -> Vec<Value> {
        let url = format!("{}/twin/messages", self.address);
        let answer = self.client.get(url).query(&[("to", to)]).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["items"].as_array().unwrap().clone()
    }

    /// The newest text that says `part`, once there are so many messages. What is written in one moment is carried side by side, so
    /// it may arrive in any order.
    pub(crate) async fn told(&self, to: &str, count: usize, part: &str) -> String {
        self.find(to, count, |text| text.contains(part)).await
    }

    /// The newest code, once there are so many messages.
    pub(crate) async fn code(&self, to: &str, count: usize) -> String {
        self.find(to, count, |text| begins_with_code(text).is_some()).await[..6].to_owned()
    }

    /// The newest token of a forgotten password, once there are so many messages.
    pub(crate) async fn token(&self, to: &str, count: usize) -> String {
        let text = self.told(to, count, "set it with: ").await;
        text.split_once("set it with: ").unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    async fn find(&self, to: &str, count: usize, matches: impl Fn(&str) -> bool) -> String {
        let messages = until(&format!("message {count} to {to}"), async || {
            Some(self.messages(to).await).filter(|messages| messages.len() >= count)
        })
        .await;
        assert_eq!(messages.len(), count, "{messages:?}");
        let mut texts = messages.iter().map(|message| message["body"].as_str().unwrap());
        texts.find(|text| matches(text)).unwrap_or_else(|| panic!("not among {messages:?}")).to_owned()
    }
}

fn begins_with_code(text: &str) -> Option<&str> {
    text.split_whitespace()
        .next()
        .filter(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Another code of six digits.
pub(crate) fn other(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}
