//! All SQL about webhooks: endpoints with what they want and their secrets, deliveries with their log, and the queue that
//! workers take from.

pub(super) mod deliveries;
pub(super) mod endpoints;
pub(super) mod queue;
pub(super) mod secrets;
