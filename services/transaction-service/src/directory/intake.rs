//! What the directory learns from events.

use common_db::Op;
use common_events::{
    Event, HandlerError,
    contracts::{
        UserRegistered, UserSnapshot, UserUpdated, UserVerified, VirtualAccountIssued,
        VirtualAccountSnapshot, WalletCreated, WalletSnapshot,
    },
};
use common_utils::ids::{UserId, WalletId};

use super::{
    ContactKind, Directory, Wallet, display_name,
    repo::{self, NewUser},
};

impl Directory {
    /// Whether the event concerns the directory.
    pub(crate) fn learns_from(event: &Event) -> bool {
        event.is::<UserRegistered>()
            || event.is::<UserVerified>()
            || event.is::<UserUpdated>()
            || event.is::<WalletCreated>()
            || event.is::<VirtualAccountIssued>()
    }

    /// Takes in what concerns the directory; other events are left alone.
    pub(crate) async fn learn_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        if let Some(user) = user_of(event)? {
            repo::upsert_user_in_op(op, &self.new_user(&user, event)).await?;
        } else if let Some(WalletCreated(wallet)) = event.data().transpose()? {
            repo::remember_wallets(&mut **op, &[wallet_of(&wallet)?]).await?;
        } else if let Some(VirtualAccountIssued(account)) = event.data().transpose()? {
            self.learn_number_in_op(op, &account).await?;
        }
        Ok(())
    }

    fn new_user(&self, user: &UserSnapshot, event: &Event) -> NewUser {
        NewUser {
            id: UserId::from(user.user_id),
            // identity-service keeps both in the one spelling that a look-up uses.
            email_hash: self.hasher.hash(ContactKind::Email, &user.email.to_lowercase()),
            phone_hash: self.hasher.hash(ContactKind::Phone, &user.phone_number),
            display_name: display_name(&user.first_name, &user.last_name),
            kyc_tier: user.kyc_tier,
            status: user.status.clone(),
            changed_at: event.time,
        }
    }

    async fn learn_number_in_op(
        &self,
        op: &mut Op,
        account: &VirtualAccountSnapshot,
    ) -> Result<(), HandlerError> {
        let hash = self.hasher.hash(ContactKind::AccountNumber, &account.account_number);
        Ok(repo::remember_number_in_op(op, &hash, WalletId::from(account.wallet_id)).await?)
    }
}

fn user_of(event: &Event) -> Result<Option<UserSnapshot>, HandlerError> {
    if let Some(UserRegistered(user)) = event.data().transpose()? {
        return Ok(Some(user));
    }
    if let Some(UserVerified(user)) = event.data().transpose()? {
        return Ok(Some(user));
    }
    Ok(event.data().transpose()?.map(|UserUpdated(user)| user))
}

fn wallet_of(wallet: &WalletSnapshot) -> Result<Wallet, HandlerError> {
    let currency =
        wallet.currency.parse().map_err(|error| HandlerError::Failed(anyhow::Error::new(error)))?;
    Ok(Wallet {
        id: WalletId::from(wallet.wallet_id),
        user: UserId::from(wallet.user_id),
        currency,
        created_at: wallet.created_at,
    })
}
