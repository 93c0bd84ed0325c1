//! common-auth
