//! What staff may do, and which roles may do it.

use common_auth::{Permission, Role};

common_auth::permissions! {
    /// Works on tickets of all customers.
    WorkOnTickets = [Support, Admin];
    /// Looks at customers, their wallets and what they moved; contacts are masked.
    LookAtCustomers = [Support, Admin];
    /// Reads and verifies the audit log.
    ReadAuditLog = [Compliance, Admin];
    /// Freezes wallets and makes them work again.
    FreezeWallets = [Compliance, Admin];
    /// Looks at dead letters, puts them back and discards them. They hold what the events hold, personal data too.
    HandleDeadLetters = [Admin];
    /// Decides who gets webhooks, and with them what the events hold, personal data too.
    ManageWebhooks = [Admin];
}

/// Whether one of these roles may work on tickets.
pub(crate) fn works_on_tickets(roles: &[Role]) -> bool {
    roles.iter().any(|role| WorkOnTickets::ROLES.contains(role))
}
