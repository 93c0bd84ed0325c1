//! The read model as events fill it.

use std::sync::Arc;

use async_trait::async_trait;
use common_db::Op;
use common_events::{Event, EventHandler, HandlerError, Projection, Topic};

use super::{
    facts::{self, Facts},
    repo,
};

/// `projection rebuild support`.
pub(crate) fn projection() -> Projection {
    Projection {
        name: "support",
        tables: &[
            "support_transactions",
            "support_users",
            "support_counterparties",
            "support_wallets",
            "support_balances",
            "support_accounts",
        ],
        topics: &[Topic::User, Topic::Wallet, Topic::Transaction],
        handler: Arc::new(Support),
    }
}

struct Support;

#[async_trait]
impl EventHandler for Support {
    fn takes(&self, event: &Event) -> bool {
        facts::concerns(event)
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    /// One statement a table, and none where a batch has nothing for it.
    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let facts = Facts::of(events)?;
        repo::keep_users_in_op(op, &facts.users).await?;
        repo::keep_wallets_in_op(op, &facts.wallets).await?;
        repo::keep_balances_in_op(op, &facts.balances).await?;
        repo::keep_accounts_in_op(op, &facts.accounts).await?;
        repo::keep_transactions_in_op(op, &facts.transactions).await?;
        repo::keep_counterparties_in_op(op, &facts.counterparties).await?;
        Ok(())
    }
}
