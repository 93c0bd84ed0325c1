//! All SQL of the ledger.

mod accounts;
mod history;
mod posting;
mod verify;

pub use accounts::open_customer_account_in_op;
pub(super) use accounts::{lock_in_op, open_platform_accounts_in_op, set_status_in_op, status_in_op};
pub(super) use history::{balance_at, entries};
pub(super) use posting::{accounts_in_op, known_in_op, write_in_op};
pub(super) use verify::{begin_snapshot, counted_in_op, differences_in_op};
