//! Crediting money that came in: the deposit, its posting and the end of its webhook in one database transaction, so
//! that it is credited once, however often and in however many webhooks the provider tells of it.
//!
//! What the wallet may not take waits on the suspense account; `parked` brings there what was above a limit once it fits.

use common_events::{Actor, outbox};
use common_utils::{crash_point, ids::TransactionId};
use uuid::Uuid;

use super::{
    entity::{Deposit, Ending, Failure, Obstacle},
    events,
    handle::Stop,
    repo,
    worker::Handling,
};
use crate::ledger::{
    AccountRef, LedgerError, Leg, MAX_DESCRIPTION, Origin, Outcome, PlatformAccount, Posting, PostingType,
    RefusalCode,
};

/// What an attempt to post came to.
enum Attempt {
    Ended(Ending),
    /// The wallet may not take it; nothing was written.
    Refused(RefusalCode),
}

/// Credits the wallet, or the suspense account where the wallet may not take the money: it is at the bank, so it must
/// be in the books. `obstacle` is what is known before the ledger is asked.
pub(super) async fn credit(
    handling: &Handling,
    webhook: Uuid,
    deposit: &Deposit,
    obstacle: Option<Obstacle>,
) -> Result<Ending, Stop> {
    let obstacle = match obstacle {
        Some(obstacle) => obstacle,
        None => match attempt(handling, webhook, deposit, None).await? {
            Attempt::Ended(ending) => return Ok(ending),
            Attempt::Refused(code) => Obstacle::Refused(code),
        },
    };
    match attempt(handling, webhook, deposit, Some(obstacle)).await? {
        Attempt::Ended(ending) => Ok(ending),
        // It will be refused as often as it is tried.
        Attempt::Refused(code) => {
            tracing::error!(%webhook, %code, "the suspense account refused a deposit");
            Err(Failure::SuspenseRefused.into())
        }
    }
}

/// Order of steps: the reference (where a second webhook of the same money waits, and then finds it) → the posting →
/// the end of the webhook → commit. Dropped before, it is as if it had never been.
async fn attempt(
    handling: &Handling,
    webhook: Uuid,
    deposit: &Deposit,
    obstacle: Option<Obstacle>,
) -> Result<Attempt, Stop> {
    let id = TransactionId::new();
    let settlement = PlatformAccount::ProviderSettlement(deposit.provider.clone());
    let credit = match obstacle {
        Some(_) => AccountRef::Platform(PlatformAccount::Suspense),
        None => AccountRef::Wallet(deposit.wallet_id),
    };
    let posting = posting(id, deposit, settlement, credit)?;
    let now = handling.clock.now();
    let why = obstacle.map(Obstacle::name);
    let mut op = common_db::begin(&handling.pool).await?;
    let ending = if repo::record_in_op(&mut op, id, deposit, why.as_deref(), now).await? {
        let results = handling.ledger.post_in_op(&mut op, &[posting]).await?;
        if let Some(Outcome::Refused(refusal)) = results.first().map(|result| result.outcome) {
            return Ok(Attempt::Refused(refusal.code));
        }
        if let Some(obstacle) = obstacle {
            let event = events::parked(id, deposit, obstacle, now).map_err(LedgerError::from)?;
            outbox::publish_in_op(&mut op, &[event]).await.map_err(LedgerError::from)?;
        }
        obstacle.map_or(Ending::Credited, Obstacle::ending)
    } else {
        Ending::AlreadyCredited
    };
    repo::end_in_op(&mut op, webhook, ending, now).await?;
    crash_point!("deposit.before_commit");
    op.commit().await?;
    crash_point!("deposit.after_commit");
    Ok(Attempt::Ended(ending))
}

/// The deposit as a posting from one of the platform's accounts.
pub(super) fn posting(
    id: TransactionId,
    deposit: &Deposit,
    from: PlatformAccount,
    to: AccountRef,
) -> Result<Posting, Failure> {
    let leg = Leg { debit: AccountRef::Platform(from), credit: to, amount: deposit.amount };
    let origin = Origin {
        actor: Some(Actor::provider(&deposit.provider)),
        provider_reference: Some(deposit.reference.clone()),
        counterparty_name: deposit.sender_name.clone(),
        request: None,
    };
    Posting::new(id, PostingType::Deposit, description(deposit.sender_name.as_deref()), vec![leg])
        .map(|posting| posting.with_origin(origin))
        .map_err(|errors| {
            tracing::error!(reference = deposit.reference, ?errors, "a deposit that is no posting");
            Failure::NoPosting
        })
}

/// What the owner of the wallet reads. The whole name is kept with the deposit; here it may be cut.
fn description(sender: Option<&str>) -> String {
    let whole = sender.map_or_else(|| "Deposit".to_owned(), |sender| format!("Deposit from {sender}"));
    whole.chars().take(MAX_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use common_utils::{
        ids::{UserId, WalletId},
        money::{Currency, Money},
    };

    use super::*;

    fn deposit(amount: i64, sender: &str) -> Deposit {
        Deposit {
            provider: "providus".to_owned(),
            reference: "R1".to_owned(),
            user_id: UserId::new(),
            wallet_id: WalletId::new(),
            amount: Money::new(amount, Currency::NGN),
            sender_name: Some(sender.to_owned()),
        }
    }

    fn posted(deposit: &Deposit) -> Result<Posting, Failure> {
        let to = AccountRef::Wallet(deposit.wallet_id);
        posting(TransactionId::new(), deposit, PlatformAccount::Suspense, to)
    }

    #[test]
    fn a_long_name_is_cut_by_characters() {
        let posted = posted(&deposit(1, &"ọ".repeat(200))).unwrap();
        assert_eq!(posted.description(), format!("Deposit from {}", "ọ".repeat(187)));
        assert_eq!(posted.origin().counterparty_name, Some("ọ".repeat(200)));
        assert_eq!(
            (description(Some("Ada")), description(None)),
            ("Deposit from Ada".into(), "Deposit".into())
        );
    }

    #[test]
    fn what_is_no_posting_is_a_failure_and_not_tried_again() {
        let failure = posted(&deposit(0, "Ada")).unwrap_err();
        assert_eq!(failure, Failure::NoPosting);
    }
}
