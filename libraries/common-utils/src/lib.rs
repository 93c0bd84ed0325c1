//! What every service needs and no service owns: money, ids, the clock, configuration, secrets at rest, the shape of
//! HTTP answers, logs and metrics, and the client with which services call each other and the banks.

mod allocator;
pub mod clock;
pub mod config;
pub mod contact;
pub mod correlation;
pub mod crash;
pub mod crypto;
pub mod gather;
pub mod http;
pub mod http_client;
pub mod ids;
pub mod money;
pub mod secret_file;
pub mod shutdown;
pub mod telemetry;
pub mod work;
