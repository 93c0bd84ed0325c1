//! All SQL of the ledger.

mod accounts;
mod columns;
mod history;
mod holds;
mod known;
mod verify;
mod write;

pub(super) use accounts::{
    lock_in_op, open_platform_accounts_in_op, platform_accounts_in_op, read, set_bounds_in_op,
    set_status_in_op,
};
pub use accounts::{open_customer_account_in_op, set_intake_ceilings_in_op};
pub(super) use history::{balance_at, entries, numbered, period};
pub(super) use holds::{accounts_with_overdue, any_overdue};
pub(super) use known::{References, accounts_of_in_op, earlier_in_op, holds_in_op, known_in_op};
pub(super) use verify::{begin_snapshot, counted_in_op, differences_in_op, try_lead};
pub(super) use write::{write_at_once, write_in_op};
