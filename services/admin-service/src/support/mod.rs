//! What support sees of a customer: a read model of the events of the other services (`projection.rs`), shown with the
//! tickets that this service has itself.
//!
//! Contacts and account numbers are masked before they are written, so that no call can show more. It is as fresh as the
//! events that have arrived, and says of when. Made anew: `admin-service projection rebuild support`.

mod entity;
mod error;
mod facts;
mod projection;
mod repo;
pub(crate) mod routes;
mod view;

pub(crate) use self::projection::projection;

use common_db::PgPool;
use common_utils::{
    http::paging::{Limit, Page},
    ids::{TransactionId, UserId},
};
use uuid::Uuid;

use self::{
    error::SupportError,
    view::{PartiesView, PersonView, TransactionDetails, TransactionView, UserDetails, WalletView},
};
use crate::{app::AppState, tickets};

/// A person with what belongs to them.
async fn person(state: &AppState, id: UserId) -> Result<UserDetails, SupportError> {
    let user = known(&state.pool, id).await?;
    let wallets = repo::wallets_of(&state.pool, id).await?;
    let wallets = with_accounts(&state.pool, wallets).await?;
    let transactions = page_of(&state.pool, id, None, Limit::new(None)).await?;
    let tickets = tickets::of_requester(&state.pool, id).await?;
    Ok(UserDetails::new(user, wallets, transactions, tickets))
}

/// A page of the transactions that somebody sent or received.
async fn transactions(
    state: &AppState,
    id: UserId,
    before: Option<Uuid>,
    limit: Limit,
) -> Result<Page<TransactionView>, SupportError> {
    known(&state.pool, id).await?;
    Ok(page_of(&state.pool, id, before, limit).await?)
}

/// A transaction with the people and wallets on its two sides.
async fn transaction(state: &AppState, id: TransactionId) -> Result<TransactionDetails, SupportError> {
    let row = repo::transaction(&state.pool, id).await?.ok_or(SupportError::UnknownTransaction)?;
    let people: Vec<Uuid> = [row.from_user_id, row.to_user_id].into_iter().flatten().collect();
    let people = repo::users(&state.pool, &people).await?;
    let wallets: Vec<Uuid> = [row.from_wallet_id, row.to_wallet_id].into_iter().flatten().collect();
    let wallets = repo::wallets(&state.pool, &wallets).await?;
    let wallets = with_accounts(&state.pool, wallets).await?;
    let tickets = tickets::about_transaction(&state.pool, id).await?;
    let person =
        |id: Option<Uuid>| people.iter().find(|person| Some(person.user_id) == id).map(PersonView::from);
    let parties = PartiesView { from: person(row.from_user_id), to: person(row.to_user_id) };
    Ok(TransactionDetails::new(TransactionView::of(row), parties, wallets, tickets))
}

async fn known(pool: &PgPool, id: UserId) -> Result<PersonView, SupportError> {
    let found = repo::users(pool, &[id.uuid()]).await?;
    found.first().map(PersonView::from).ok_or(SupportError::UnknownUser)
}

async fn page_of(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Page<TransactionView>> {
    let rows = repo::transactions_of(pool, user, before, limit).await?;
    let page = Page::from_rows(rows, limit, |row| row.transaction_id);
    Ok(page.map(|row| TransactionView::seen_by(row, user)))
}

async fn with_accounts(pool: &PgPool, wallets: Vec<repo::WalletRow>) -> sqlx::Result<Vec<WalletView>> {
    let ids: Vec<Uuid> = wallets.iter().map(|wallet| wallet.wallet_id).collect();
    let accounts = repo::accounts(pool, &ids).await?;
    Ok(wallets.into_iter().map(|wallet| WalletView::new(wallet, &accounts)).collect())
}
