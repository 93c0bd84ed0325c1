//! The edge that all services share: how a request is read, how a refusal looks, how a list is paged, that every
//! route says who may call it, and the layers that every router wears.

mod access;
mod client_address;
mod context;
pub mod docs;
pub mod health;
mod json;
mod measure;
pub mod paging;
mod problem;
mod routing;
pub mod server;
mod strict;
mod validation;

pub use access::{Access, Arguments, Caller, Input};
pub use client_address::{ClientAddress, TrustedProxies};
pub use context::with_context;
pub use json::{ApiBytes, ApiJson, ApiPath, ApiQuery};
pub use measure::measured;
pub use problem::{FieldError, Problem, ProblemBody, Refused};
pub use routing::{Endpoint, RouteInfo, Routes};
pub use validation::FieldErrors;

pub use crate::routes;

/// For `routes!`.
#[doc(hidden)]
pub use utoipa_axum;
