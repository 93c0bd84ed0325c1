//! Wallets: who has which, and whether it may be used. Each stands on a ledger account with the same id, which knows
//! its balance and its status.
//!
//! Whoever opens a wallet first takes the lock of the person it is for, so that the default one is made once and
//! nobody gets an eleventh (the schema would refuse both), and it gets the ceiling of the tier that they have (`owners/`).

mod consumer;
mod entity;
mod error;
mod events;
pub(crate) mod internal;
mod orders;
mod repo;
pub(crate) mod routes;
mod statement;

use common_db::{
    Op, PgPool,
    idempotency::{RepeatableCall, SavedResponse},
};
use common_events::{Actor, outbox};
use common_utils::{
    http::paging::{Limit, Page},
    ids::{UserId, WalletId},
    money::Currency,
};
use serde_json::{Value, json};
use uuid::Uuid;

pub use consumer::UserEvents;
pub use entity::{AccountNumber, MOST_WALLETS, NewWallet, Place, UnfitName, Wallet, WalletName};
pub use error::WalletError;

use crate::{
    app::AppState,
    ledger::{self, AccountStatus, Bounded, LedgerError, StatusChange},
    owners,
    webhooks::parked,
};
use routes::WalletBody;

/// The wallet, whoever's it is.
pub async fn find(pool: &PgPool, id: WalletId) -> Result<Option<Wallet>, LedgerError> {
    Ok(repo::by_ids(pool, &[id.uuid()]).await?.pop())
}

/// The wallet, if it is this person's.
pub async fn find_own(pool: &PgPool, user: UserId, id: WalletId) -> Result<Wallet, WalletError> {
    find(pool, id).await?.filter(|wallet| wallet.user_id == user).ok_or(WalletError::NotFound)
}

/// All of a person's wallets, oldest first.
pub async fn list_by_user(pool: &PgPool, user: UserId) -> Result<Vec<Wallet>, LedgerError> {
    let ids = repo::ids_of_user(pool, user).await?;
    oldest_first(pool, &ids).await
}

/// The wallets that an account number at a bank leads to, oldest first.
pub async fn list_by_account_number(pool: &PgPool, number: &str) -> Result<Vec<Wallet>, LedgerError> {
    let ids = repo::ids_of_account_number(pool, number).await?;
    oldest_first(pool, &ids).await
}

async fn oldest_first(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Wallet>, LedgerError> {
    let mut wallets = repo::by_ids(pool, ids).await?;
    wallets.reverse();
    Ok(wallets)
}

async fn page(
    pool: &PgPool,
    user: UserId,
    after: Option<Uuid>,
    limit: Limit,
) -> Result<Page<Wallet>, WalletError> {
    let ids = repo::page_of_user(pool, user, after, limit).await?;
    let wallets = repo::by_ids(pool, &ids).await?;
    Ok(Page::from_rows(wallets, limit, |wallet| wallet.id))
}

/// What a call to open a wallet gets, now or when it was first made.
#[derive(Debug)]
struct Answer {
    outcome: Result<Value, WalletError>,
    replayed: bool,
}

impl Answer {
    fn replayed(SavedResponse { status, body }: SavedResponse) -> Self {
        let refusal = body.get("code").and_then(Value::as_str).and_then(WalletError::of_code);
        let outcome = match refusal {
            Some(refusal) if status != CREATED => Err(refusal),
            _ => Ok(body),
        };
        Self { outcome, replayed: true }
    }
}

const CREATED: u16 = 201;
const REFUSED: u16 = 422;

/// Opens a wallet on a person's request: claim the key, lock the person, open, keep the answer, commit.
async fn open(
    state: &AppState,
    user: UserId,
    currency: Currency,
    name: Option<WalletName>,
    call: &RepeatableCall,
) -> Result<Answer, WalletError> {
    let mut op = common_db::begin(&state.pool).await?;
    if let Some(saved) = call.claim_in_op(&mut op, state.clock.now()).await? {
        return Ok(Answer::replayed(saved));
    }
    let opened = open_own_in_op(&mut op, state, user, currency, name).await;
    let (status, body, outcome) = match opened {
        Ok(wallet) => {
            let body = serde_json::to_value(WalletBody::new(wallet, state.clock.now()))?;
            (CREATED, body.clone(), Ok(body))
        }
        Err(error) => {
            let Some(code) = error.remembered() else { return Err(error) };
            (REFUSED, json!({ "code": code }), Err(error))
        }
    };
    call.save_in_op(&mut op, &SavedResponse { status, body }).await?;
    op.commit().await?;
    Ok(Answer { outcome, replayed: false })
}

async fn open_own_in_op(
    op: &mut Op,
    state: &AppState,
    user: UserId,
    currency: Currency,
    name: Option<WalletName>,
) -> Result<Wallet, WalletError> {
    if !state.config.open_currencies.contains(currency) {
        return Err(WalletError::UnsupportedCurrency);
    }
    owners::lock_in_op(op, &[user]).await?;
    let place = Place::after(repo::last_place_in_op(op, user).await?).ok_or(WalletError::LimitExceeded)?;
    let wallet = new_in_op(op, state, user, currency, place).await?;
    write_in_op(op, NewWallet { name, ..wallet }, Actor::user(user)).await
}

/// The wallet that everybody gets: made if it is not there yet.
async fn open_default_in_op(op: &mut Op, state: &AppState, user: UserId) -> Result<WalletId, WalletError> {
    owners::lock_in_op(op, &[user]).await?;
    if let Some(id) = repo::default_in_op(op, user).await? {
        return Ok(id);
    }
    let wallet = new_in_op(op, state, user, Currency::NGN, Place::DEFAULT).await?;
    Ok(write_in_op(op, wallet, Actor::service(crate::SERVICE_NAME)).await?.id)
}

/// After the person's lock.
async fn new_in_op(
    op: &mut Op,
    state: &AppState,
    user: UserId,
    currency: Currency,
    place: Place,
) -> Result<NewWallet, WalletError> {
    let intake_ceiling = owners::intake_ceiling_in_op(op, &state.config.limits, user, currency).await?;
    let created_at = state.clock.now();
    Ok(NewWallet {
        id: WalletId::new(),
        user_id: user,
        currency,
        name: None,
        place,
        intake_ceiling,
        created_at,
    })
}

async fn write_in_op(op: &mut Op, wallet: NewWallet, actor: Actor) -> Result<Wallet, WalletError> {
    let NewWallet { id, currency, intake_ceiling, created_at, .. } = wallet;
    ledger::open_customer_account_in_op(op, id.into(), currency, intake_ceiling, created_at).await?;
    repo::insert_in_op(op, &wallet).await?;
    let wallet = wallet.opened();
    outbox::publish_in_op(op, &[events::created(&wallet, actor)?]).await?;
    Ok(wallet)
}

/// Who of the staff ordered something, and why.
#[derive(Debug)]
struct StaffOrder {
    staff: Uuid,
    reason: String,
}

/// Staff have wallets, too, and decide about those of others alone: nobody unfreezes what was frozen because of them.
async fn another_persons(state: &AppState, id: WalletId, order: &StaffOrder) -> Result<Wallet, WalletError> {
    let wallet = find(&state.pool, id).await?.ok_or(WalletError::NotFound)?;
    if wallet.user_id.uuid() == order.staff { Err(WalletError::OwnWallet) } else { Ok(wallet) }
}

/// Freezes a wallet, lets it be used again, or closes it. Doing it twice is doing it once. Money that waits for a wallet is its
/// owner's, so the wallet is not empty until that is released or returned.
async fn set_status(
    state: &AppState,
    id: WalletId,
    status: AccountStatus,
    order: &StaffOrder,
) -> Result<(), WalletError> {
    let wallet = another_persons(state, id, order).await?;
    let mut op = common_db::begin(&state.pool).await?;
    match ledger::set_status_in_op(&mut op, id.into(), status, state.clock.now()).await? {
        StatusChange::AlreadyApplied => return Ok(()),
        StatusChange::Closed => return Err(WalletError::Closed),
        StatusChange::NotEmpty => return Err(WalletError::NotEmpty),
        StatusChange::NoSuchAccount => return Err(WalletError::NotFound),
        StatusChange::Executed => {}
    }
    if status == AccountStatus::Closed && parked::is_any_of_in_op(&mut op, id).await? {
        return Err(WalletError::NotEmpty);
    }
    let event = events::status_changed(&Wallet { status, ..wallet }, order, state.clock.now())?;
    outbox::publish_in_op(&mut op, &[event]).await?;
    op.commit().await?;
    // A security event: who did what, for the log that is watched.
    tracing::info!(wallet = %id, staff = %order.staff, status = status.name(), "the status of a wallet was changed");
    Ok(())
}

/// Says how far a wallet's balance may go; what the tier of its owner lets come in stays as it is. Doing it twice is doing it once: bounds that are in force when the order comes
/// are left alone.
async fn set_bounds(
    state: &AppState,
    id: WalletId,
    floor: i64,
    ceiling: Option<i64>,
    order: &StaffOrder,
) -> Result<(), WalletError> {
    let wallet = another_persons(state, id, order).await?;
    if wallet.status == AccountStatus::Closed {
        return Err(WalletError::Closed);
    }
    if (wallet.bounds.floor, wallet.bounds.ceiling) == (Some(floor), ceiling) {
        return Ok(());
    }
    let mut op = common_db::begin(&state.pool).await?;
    match ledger::set_bounds_in_op(&mut op, id.into(), floor, ceiling, state.clock.now()).await? {
        Bounded::Outside => return Err(WalletError::OutsideBounds),
        Bounded::NoSuchAccount => return Err(WalletError::NotFound),
        Bounded::Executed => {}
    }
    let event = events::bounds_changed(&wallet, floor, ceiling, order, state.clock.now())?;
    outbox::publish_in_op(&mut op, &[event]).await?;
    op.commit().await?;
    // A security event, as above.
    tracing::info!(wallet = %id, staff = %order.staff, floor, ceiling, "the bounds of a wallet were changed");
    Ok(())
}
