//! The whole platform in one process: four services, the gateway, and the bank's twin in development. Also the main
//! job, played against a running platform.

pub mod contract;
pub mod demo;
pub mod platform;
