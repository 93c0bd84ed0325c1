//! The mailbox of the provider twin, for development and tests: `POST /twin/messages`. Messages are kept there to be looked at,
//! and go nowhere.

use std::time::Duration;

use anyhow::ensure;
use async_trait::async_trait;
use common_utils::http_client;
use reqwest::Url;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::json;
use uuid::Uuid;

use super::{
    entity::{Channel, Content},
    sms::client,
    transport::{NotSent, Transport},
};

#[derive(Debug)]
pub(crate) struct Mailbox {
    client: ClientWithMiddleware,
    messages: Url,
    channel: Channel,
}

impl Mailbox {
    pub(crate) fn new(url: &str, channel: Channel, timeout: Duration) -> anyhow::Result<Self> {
        let remote = match channel {
            Channel::Email => "email",
            Channel::Sms => "sms",
        };
        Ok(Self {
            client: client(remote, timeout)?,
            messages: http_client::join(url, "/twin/messages")?,
            channel,
        })
    }
}

#[async_trait]
impl Transport for Mailbox {
    async fn send(&self, _id: Uuid, content: &Content) -> Result<(), NotSent> {
        let body = json!({
            "channel": self.channel.name(),
            "to": content.to,
            "subject": content.subject,
            "body": content.text,
        });
        let posted = async {
            let status = self.client.post(self.messages.clone()).json(&body).send().await?.status();
            ensure!(status.is_success(), "the mailbox answered {status}");
            Ok(())
        };
        Ok(posted.await?)
    }
}
