//! E-mail by SMTP, encrypted by STARTTLS or from the first byte. A server's words may repeat the recipient, so only its status
//! is told.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{Error, PoolConfig, authentication::Credentials},
};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{
    config::{SmtpConfig, SmtpEncryption},
    entity::Content,
    transport::{NotSent, Transport},
};

const CONNECTIONS: u32 = 4;
/// What RFC 5321 says of a mailbox that is none, moved, full or misspelt. Other refusals may be of us, and pass.
const OF_THE_RECIPIENT: [&str; 4] = ["550", "551", "552", "553"];

#[derive(Debug)]
pub(crate) struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl SmtpMailer {
    pub(crate) fn new(config: &SmtpConfig, timeout: Duration) -> anyhow::Result<Self> {
        type Smtp = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match config.encryption {
            SmtpEncryption::StartTls => Smtp::starttls_relay(&config.host).context("SMTP_HOST")?,
            SmtpEncryption::Tls => Smtp::relay(&config.host).context("SMTP_HOST")?,
            SmtpEncryption::Off => Smtp::builder_dangerous(&config.host),
        };
        let pool = PoolConfig::new().max_size(CONNECTIONS);
        let mut builder = builder.port(config.port).timeout(Some(timeout)).pool_config(pool);
        if let Some((username, password)) = &config.credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self { transport: builder.build(), from: config.from.clone(), timeout })
    }

    fn letter(&self, id: Uuid, content: &Content) -> anyhow::Result<Message> {
        let to = content.to.parse().context("a recipient that is no address")?;
        let message_id = format!("<{id}@{}>", self.from.email.domain());
        let builder = Message::builder().from(self.from.clone()).to(Mailbox::new(None, to));
        let builder = builder.message_id(Some(message_id)).header(ContentType::TEXT_PLAIN);
        builder.subject(content.subject.clone()).body(content.text.clone()).context("a message that is none")
    }
}

#[async_trait]
impl Transport for SmtpMailer {
    async fn send(&self, id: Uuid, content: &Content) -> Result<(), NotSent> {
        let letter = self.letter(id, content)?;
        // The library's limit is that of each step.
        match tokio::time::timeout(self.timeout, self.transport.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(not_sent(error)),
            Err(_) => Err(NotSent::Failed(anyhow::anyhow!("the mail server did not answer in time"))),
        }
    }
}

fn not_sent(error: Error) -> NotSent {
    if let Some(code) = error.status() {
        let answered = format!("the mail server answered {code}");
        return if OF_THE_RECIPIENT.contains(&code.to_string().as_str()) {
            NotSent::Refused(answered)
        } else {
            NotSent::Failed(anyhow::anyhow!(answered))
        };
    }
    if error.is_response() {
        return NotSent::Failed(anyhow::anyhow!("the mail server's answer cannot be read"));
    }
    NotSent::Failed(error.into())
}
