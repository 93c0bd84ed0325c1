//! Logs, metrics and traces, set up once a process.

mod logs;
pub mod metrics;
pub mod trace_context;

pub use logs::{Telemetry, init};
