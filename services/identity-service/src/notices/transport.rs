//! The port to whoever carries messages, and which carrier serves which channel.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    config::{EmailConfig, NoticeConfig, SmsConfig},
    entity::{Channel, Content},
    mailbox::Mailbox,
    sms::HttpSms,
    smtp::SmtpMailer,
};

/// It was not sent, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// This recipient or this message is refused: trying again does not help.
    #[error("refused: {0}")]
    Refused(String),
    #[error("not sent: {0:#}")]
    Failed(#[from] anyhow::Error),
}

#[async_trait]
pub(crate) trait Transport: Debug + Send + Sync {
    /// One attempt, with a deadline. `id` is the same in each attempt for a message, for carriers that drop what they had.
    /// The error names neither the recipient nor the text.
    async fn send(&self, id: Uuid, content: &Content) -> Result<(), NotSent>;
}

#[derive(Debug, Clone)]
pub(crate) struct Transports {
    pub(crate) email: Arc<dyn Transport>,
    pub(crate) sms: Arc<dyn Transport>,
}

impl Transports {
    pub(crate) fn new(config: &NoticeConfig) -> anyhow::Result<Self> {
        let NoticeConfig { email, sms, timeout, .. } = config;
        if matches!(email, EmailConfig::Mailbox { .. }) || matches!(sms, SmsConfig::Mailbox { .. }) {
            tracing::warn!(
                "SMTP_HOST or SMS_URL is not set: messages go to a mailbox for development, which anybody can read"
            );
        }
        Ok(Self {
            email: match email {
                EmailConfig::Smtp(smtp) => Arc::new(SmtpMailer::new(smtp, *timeout)?),
                EmailConfig::Mailbox { url } => Arc::new(Mailbox::new(url, Channel::Email, *timeout)?),
            },
            sms: match sms {
                SmsConfig::Http(http) => Arc::new(HttpSms::new(http, *timeout)?),
                SmsConfig::Mailbox { url } => Arc::new(Mailbox::new(url, Channel::Sms, *timeout)?),
            },
        })
    }
}
