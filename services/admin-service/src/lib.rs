//! admin-service
