//! Webhooks of providers: stored as they came, then handled.
