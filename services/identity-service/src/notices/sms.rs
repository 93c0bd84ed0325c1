//! SMS over HTTP: a POST of `{"to","from","text","reference"}` with a bearer key. 2xx: taken. 400 and 422: this message is
//! refused for good. Anything else is tried again, under the same reference.

use std::time::Duration;

use async_trait::async_trait;
use common_utils::http_client::{self, BreakerConfig, ClientConfig};
use reqwest::{StatusCode, Url};
use reqwest_middleware::ClientWithMiddleware;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{
    config::HttpSmsConfig,
    entity::Content,
    transport::{NotSent, Transport},
};

#[derive(Debug)]
pub(crate) struct HttpSms {
    client: ClientWithMiddleware,
    url: Url,
    api_key: SecretString,
    sender: String,
}

/// One attempt a call, with a deadline; after failures in a row the carrier is left alone for a while.
pub(super) fn client(remote: &'static str, timeout: Duration) -> anyhow::Result<ClientWithMiddleware> {
    let patience = ClientConfig { timeout, retries: 0, proxy: true, breaker: BreakerConfig::default() };
    http_client::build(crate::SERVICE, remote, &patience)
}

impl HttpSms {
    pub(crate) fn new(config: &HttpSmsConfig, timeout: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            client: client("sms", timeout)?,
            url: config.url.clone(),
            api_key: config.api_key.clone(),
            sender: config.sender.clone(),
        })
    }
}

#[async_trait]
impl Transport for HttpSms {
    async fn send(&self, id: Uuid, content: &Content) -> Result<(), NotSent> {
        let body = json!({ "to": content.to, "from": self.sender, "text": content.text, "reference": id });
        let request =
            self.client.post(self.url.clone()).bearer_auth(self.api_key.expose_secret()).json(&body);
        // The address may hold a key.
        let response = request.send().await.map_err(|error| anyhow::Error::from(error.without_url()))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status @ (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) => {
                Err(NotSent::Refused(format!("the SMS carrier answered {status}")))
            }
            status => Err(NotSent::Failed(anyhow::anyhow!("the SMS carrier answered {status}"))),
        }
    }
}
