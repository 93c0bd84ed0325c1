//! provider-twin
