//! The edge that all services share: how a request is read, how a refusal looks, how a list is paged, and the
//! layers that every router wears.

mod client_address;
mod context;
pub mod docs;
pub mod health;
mod json;
mod measure;
pub mod paging;
mod problem;
pub mod server;
mod strict;
mod validation;

pub use client_address::{ClientAddress, TrustedProxies};
pub use context::with_context;
pub use json::{ApiBytes, ApiJson, ApiPath, ApiQuery};
pub use measure::measured;
pub use problem::{FieldError, Problem, ProblemBody, Refused};
pub use validation::FieldErrors;
