//! The gateway for where Kong is not: it reads the same `kong.yml` and answers as Kong does for what the file uses.
//!
//! A call is handed to a service in this process (`standalone`) or over HTTP. What the file may say, and in which
//! order things happen, is in `config` and `plugins`; the words of refusals are in `answers`; `gateway` is the way
//! of one call from beginning to end.

mod answers;
mod balancer;
mod builder;
mod call;
pub mod config;
mod finish;
mod gateway;
mod metrics;
mod path;
mod plugins;
mod proxy;
pub mod render;
mod routing;
mod server;

pub use self::{
    builder::{BuildError, Builder, Upstream},
    config::{Config, ConfigError},
    gateway::Gateway,
    server::serve,
};
