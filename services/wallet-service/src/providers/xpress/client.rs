//! The HTTP of Xpress Wallet: bearer key, JSON, and its way of saying no.
//!
//! An answer: status → what kind of error, if one → body up to a limit → `{"status":false}` under a 2xx is a
//! refusal too → shape. Addresses hold phone numbers and bodies hold names, so neither gets into an error.

use common_utils::http_client::{self, ClientConfig, ClientError};
use reqwest::{Response, StatusCode, Url};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Config, NAME};
use crate::providers::{ProviderError, text};

/// No answer that we ask for is larger.
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    http: ClientWithMiddleware,
    base_url: Url,
    api_key: SecretString,
}

/// What every answer may have.
#[derive(Deserialize)]
struct Envelope {
    status: Option<bool>,
    message: Option<String>,
}

impl Client {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let patience = ClientConfig { timeout: config.timeout, proxy: true, ..ClientConfig::default() };
        Ok(Self {
            http: http_client::build(crate::SERVICE, NAME, &patience)?,
            base_url: config.base_url.clone(),
            api_key: config.api_key.clone(),
        })
    }

    /// The address of these path segments, each of them escaped.
    pub(super) fn address(&self, segments: &[&str]) -> Url {
        let mut address = self.base_url.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        address
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, address: Url) -> Result<T, ProviderError> {
        self.send(self.http.get(address)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        address: Url,
        body: &impl Serialize,
    ) -> Result<T, ProviderError> {
        self.send(self.http.post(address).json(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let response = request.bearer_auth(self.api_key.expose_secret()).send().await.map_err(unreached)?;
        let status = response.status();
        let body = bounded_body(response).await;
        if status.is_success() { read(&body?) } else { Err(refusal(status, &body.unwrap_or_default())) }
    }
}

fn unreached(error: ClientError) -> ProviderError {
    ProviderError::Unavailable(match error {
        ClientError::Reqwest(error) => format!("{:#}", anyhow::Error::new(error.without_url())),
        ClientError::Middleware(error) => format!("{error:#}"),
    })
}

async fn bounded_body(mut response: Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreached(error.into()))? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(ProviderError::Unexpected(format!("more than {MOST_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    let envelope: Envelope = parse(body)?;
    if envelope.status == Some(false) {
        return Err(ProviderError::Refused(text::redacted(&envelope.message.unwrap_or_default())));
    }
    parse(body)
}

/// The message of a serde error may quote what it found; its place does not.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|error| {
        let (kind, column) = (error.classify(), error.column());
        ProviderError::Unexpected(format!("not the JSON of the contract ({kind:?}, column {column})"))
    })
}

/// What an answer other than 2xx means. A key that is not taken is our mistake, and no reason to give up a deposit.
fn refusal(status: StatusCode, body: &[u8]) -> ProviderError {
    let message = parse::<Envelope>(body).ok().and_then(|envelope| envelope.message).unwrap_or_default();
    let described = format!("{} {}", status.as_u16(), text::redacted(&message)).trim_end().to_owned();
    let later = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_server_error() || later {
        ProviderError::Unavailable(described)
    } else if status.is_client_error() {
        ProviderError::Refused(described)
    } else {
        ProviderError::Unexpected(described)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        Client::new(&Config {
            base_url: base.parse().unwrap(),
            api_key: "sk_sandbox_1".into(),
            webhook_secret: "s".into(),
            timeout: std::time::Duration::from_secs(1),
        })
        .unwrap()
    }

    #[test]
    fn segments_are_escaped_whatever_the_base_ends_with() {
        for base in ["http://bank.test/api/v1", "http://bank.test/api/v1/"] {
            let address = client(base).address(&["merchant", "transaction", "a/../b?c"]);
            assert_eq!(address.as_str(), "http://bank.test/api/v1/merchant/transaction/a%2F..%2Fb%3Fc");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let message = br#"{"status":false,"message":"Customer already exist."}"#;
        let kind = |status: u16| refusal(StatusCode::from_u16(status).unwrap(), message).outcome();
        assert_eq!([kind(400), kind(404), kind(422)], ["refused"; 3]);
        assert_eq!([kind(401), kind(403), kind(429), kind(500), kind(503)], ["unavailable"; 5]);
        assert_eq!([kind(302), kind(100)], ["unexpected"; 2]);
        assert_eq!(read::<Vec<u8>>(message).unwrap_err().outcome(), "refused");
        assert_eq!(read::<Vec<u8>>(b"<html>").unwrap_err().outcome(), "unexpected");
    }

    #[test]
    fn an_error_quotes_nothing_of_the_answer() {
        let error = read::<Envelope>(br#"{"status":"22222222221"}"#).err().unwrap();
        assert!(!error.to_string().contains("22222222221"), "{error}");
    }
}
