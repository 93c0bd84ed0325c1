//! What a service does with events, and why that may fail.

use std::collections::HashSet;

use async_trait::async_trait;
use common_db::{Op, constraint};
use serde_json::error::Category;
use uuid::Uuid;

use crate::{Event, outbox::OutboxError};

/// Why a handler did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Something it needs is away: wait and try again, for as long as it takes.
    #[error("{0}")]
    Unavailable(anyhow::Error),
    /// The message or our code is at fault: try a few times, then set the message aside.
    #[error("{0}")]
    Failed(anyhow::Error),
}

impl HandlerError {
    /// What went wrong, and what was behind it, the outermost first.
    pub(crate) fn causes(&self) -> Vec<String> {
        let (Self::Unavailable(error) | Self::Failed(error)) = self;
        error.chain().map(ToString::to_string).collect()
    }
}

impl From<sqlx::Error> for HandlerError {
    fn from(error: sqlx::Error) -> Self {
        if constraint::is_transient(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<OutboxError> for HandlerError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => error.into(),
            other => Self::Failed(other.into()),
        }
    }
}

impl From<serde_json::Error> for HandlerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(anyhow::anyhow!("the data does not fit its type: {}", where_in(&error)))
    }
}

/// What is wrong with a JSON text, without the words of it: they may be somebody's name.
pub(super) fn where_in(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "it cannot be read",
        Category::Syntax => "it is no JSON",
        Category::Data => "something is missing or of another kind",
        Category::Eof => "it ends too early",
    };
    match error.line() {
        0 => what.to_owned(),
        line => format!("{what}, at line {line} and column {}", error.column()),
    }
}

/// The effect of events on one service's database.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Whether the event concerns it. Others are passed over: they are counted, and leave nothing behind.
    ///
    /// A handler that knows version 1 of a type does not take version 2, which is published beside the first until all
    /// readers know it: [`Event::is`] looks at both.
    fn takes(&self, event: &Event) -> bool;

    /// Those of the events that it takes and that concern nobody now, as the database says: they are passed over too. For a
    /// handler whose readers come and go. It is asked for each batch, before the inbox is written. After an error all are tried.
    async fn unwanted(&self, _events: &[&Event]) -> Result<HashSet<Uuid>, HandlerError> {
        Ok(HashSet::new())
    }

    /// Does its work in `op` and does not commit.
    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError>;

    /// Does its work for many events, which come in the order in which they have to take effect. Worth writing where many
    /// can be written by one statement.
    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        for event in events {
            event.scope(self.handle_in_op(op, event)).await?;
        }
        Ok(())
    }

    /// Called after the commit: wakes workers that wait for what the event brought.
    async fn committed(&self, _event: &Event) {}
}
