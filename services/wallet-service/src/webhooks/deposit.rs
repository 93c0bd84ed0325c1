//! Crediting money that came in: the deposit, its posting and the end of its webhook in one database transaction, so
//! that it is credited once, however often and in however many webhooks the provider tells of it.

use common_events::Actor;
use common_utils::ids::TransactionId;
use uuid::Uuid;

use super::{
    entity::{Deposit, Ending},
    error::HandleError,
    repo,
    worker::Handling,
};
use crate::ledger::{AccountRef, Leg, Origin, Outcome, PlatformAccount, Posting, PostingType, RefusalCode};

/// What an attempt to post came to.
enum Attempt {
    Ended(Ending),
    /// The wallet may not take it; nothing was written.
    Refused(RefusalCode),
}

/// Credits the wallet, or the suspense account where the wallet may not take the money: it is at the bank, so it must
/// be in the books.
pub(super) async fn credit(
    handling: &Handling,
    webhook: Uuid,
    deposit: &Deposit,
) -> Result<Ending, HandleError> {
    let refused = match attempt(handling, webhook, deposit, None).await? {
        Attempt::Ended(ending) => return Ok(ending),
        Attempt::Refused(code) => code,
    };
    match attempt(handling, webhook, deposit, Some(refused)).await? {
        Attempt::Ended(ending) => Ok(ending),
        Attempt::Refused(code) => Err(HandleError::SuspenseRefused(code)),
    }
}

/// Order of steps: the reference (where a second webhook of the same money waits, and then finds it) → the posting →
/// the end of the webhook → commit. Dropped before, it is as if it had never been.
async fn attempt(
    handling: &Handling,
    webhook: Uuid,
    deposit: &Deposit,
    refused: Option<RefusalCode>,
) -> Result<Attempt, HandleError> {
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
    op.commit().await?;
    Ok(Attempt::Ended(ending))
}

/// As other services read it, and as it is kept.
fn name(code: RefusalCode) -> String {
    let json = serde_json::to_value(code).unwrap_or_default();
    json.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

fn posting(id: TransactionId, deposit: &Deposit, suspended: bool) -> Result<Posting, HandleError> {
    let settlement = PlatformAccount::ProviderSettlement(deposit.provider.clone());
    let credit = if suspended {
        AccountRef::Platform(PlatformAccount::Suspense)
    } else {
        AccountRef::Wallet(deposit.wallet_id)
    };
    let description = match &deposit.sender_name {
        Some(sender) => format!("Deposit from {sender}"),
        None => "Deposit".to_owned(),
    };
    let leg = Leg { debit: AccountRef::Platform(settlement), credit, amount: deposit.amount };
    let origin = Origin {
        actor: Some(Actor::provider(&deposit.provider)),
        provider_reference: Some(deposit.reference.clone()),
        counterparty_name: deposit.sender_name.clone(),
    };
    Posting::new(id, PostingType::Deposit, description, vec![leg])
        .map(|posting| posting.with_origin(origin))
        .map_err(|errors| HandleError::NoPosting(format!("{errors:?}")))
}
