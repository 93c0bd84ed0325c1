//! How many tickets reached which status.

use ::metrics::{counter, describe_counter};

use super::entity::Status;

const TICKETS: &str = "wallet_tickets_total";

/// Shows every status from the start, at zero.
pub(crate) fn register() {
    describe_counter!(TICKETS, "Tickets that reached this status.");
    for status in Status::ALL {
        count(status, 0);
    }
}

pub(super) fn count(status: Status, tickets: u64) {
    counter!(TICKETS, "service" => crate::SERVICE, "status" => status.name()).increment(tickets);
}
