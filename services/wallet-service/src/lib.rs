//! wallet-service
