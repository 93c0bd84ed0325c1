//! Crediting money that came in: the deposit, its posting and the end of its webhook in one database transaction, so
//! that it is credited once, however often and in however many webhooks the provider tells of it.

use common_events::Actor;
use common_utils::{crash_point, ids::TransactionId};
use uuid::Uuid;

use super::{
    entity::{Deposit, Ending, Failure},
    handle::Stop,
    repo,
    worker::Handling,
};
use crate::ledger::{
    AccountRef, Leg, MAX_DESCRIPTION, Origin, Outcome, PlatformAccount, Posting, PostingType, RefusalCode,
};

/// What an attempt to post came to.
enum Attempt {
    Ended(Ending),
    /// The wallet may not take it; nothing was written.
    Refused(RefusalCode),
}

/// Credits the wallet, or the suspense account where the wallet may not take the money: it is at the bank, so it must
/// be in the books.
pub(super) async fn credit(handling: &Handling, webhook: Uuid, deposit: &Deposit) -> Result<Ending, Stop> {
    let refused = match attempt(handling, webhook, deposit, None).await? {
        Attempt::Ended(ending) => return Ok(ending),
        Attempt::Refused(code) => code,
    };
    match attempt(handling, webhook, deposit, Some(refused)).await? {
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
    refused: Option<RefusalCode>,
) -> Result<Attempt, Stop> {
    let id = TransactionId::new();
    let posting = posting(id, deposit, refused.is_some())?;
    let now = handling.clock.now();
    let why = refused.map(name);
    let mut op = common_db::begin(&handling.pool).await?;
    let ending = if repo::record_in_op(&mut op, id, deposit, why.as_deref(), now).await? {
        let results = handling.ledger.post_in_op(&mut op, &[posting]).await?;
        if let Some(Outcome::Refused(refusal)) = results.first().map(|result| result.outcome) {
            return Ok(Attempt::Refused(refusal.code));
        }
        if refused.is_some() { Ending::Suspended } else { Ending::Credited }
    } else {
        Ending::AlreadyCredited
    };
    repo::end_in_op(&mut op, webhook, ending, now).await?;
    crash_point!("deposit.before_commit");
    op.commit().await?;
    crash_point!("deposit.after_commit");
    Ok(Attempt::Ended(ending))
}

/// As other services read it, and as it is kept.
fn name(code: RefusalCode) -> String {
    let json = serde_json::to_value(code).unwrap_or_default();
    json.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

fn posting(id: TransactionId, deposit: &Deposit, suspended: bool) -> Result<Posting, Failure> {
    let settlement = PlatformAccount::ProviderSettlement(deposit.provider.clone());
    let credit = if suspended {
        AccountRef::Platform(PlatformAccount::Suspense)
    } else {
        AccountRef::Wallet(deposit.wallet_id)
    };
    let leg = Leg { debit: AccountRef::Platform(settlement), credit, amount: deposit.amount };
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
        ids::WalletId,
        money::{Currency, Money},
    };

    use super::*;

    fn deposit(amount: i64, sender: &str) -> Deposit {
        Deposit {
            provider: "providus".to_owned(),
            reference: "R1".to_owned(),
            wallet_id: WalletId::new(),
            amount: Money::new(amount, Currency::NGN),
            sender_name: Some(sender.to_owned()),
        }
    }

    #[test]
    fn a_long_name_is_cut_by_characters() {
        let posted = posting(TransactionId::new(), &deposit(1, &"ọ".repeat(200)), false).unwrap();
        assert_eq!(posted.description(), format!("Deposit from {}", "ọ".repeat(187)));
        assert_eq!(posted.origin().counterparty_name, Some("ọ".repeat(200)));
        assert_eq!(
            (description(Some("Ada")), description(None)),
            ("Deposit from Ada".into(), "Deposit".into())
        );
    }

    #[test]
    fn what_is_no_posting_is_a_failure_and_not_tried_again() {
        let failure = posting(TransactionId::new(), &deposit(0, "Ada"), false).unwrap_err();
        assert_eq!(failure, Failure::NoPosting);
    }
}
