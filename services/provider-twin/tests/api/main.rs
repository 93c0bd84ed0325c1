//! The twin as its callers see it, over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first surprise")]

mod bank;
mod control;
mod evidence;
mod kyc;
mod persistence;
mod support;
mod transit;
mod webhooks;
