//! common-db
