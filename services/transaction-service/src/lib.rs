//! transaction-service
