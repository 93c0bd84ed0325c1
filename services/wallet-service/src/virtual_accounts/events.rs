//! What others learn of an issued account number.

use chrono::{DateTime, Utc};
use common_events::contracts::{VirtualAccountIssued, VirtualAccountSnapshot};

use super::entity::Wanted;
use crate::providers::IssuedAccount;

pub(super) fn issued(wanted: &Wanted, account: &IssuedAccount, now: DateTime<Utc>) -> VirtualAccountIssued {
    VirtualAccountIssued(VirtualAccountSnapshot {
        wallet_id: wanted.wallet_id.uuid(),
        user_id: wanted.user_id.uuid(),
        account_number: account.account_number.clone(),
        account_name: account.account_name.clone(),
        bank_name: account.bank_name.clone(),
        bank_code: account.bank_code.clone(),
        provider: wanted.provider.clone(),
        issued_at: now,
    })
}
