//! Who is calling: access tokens of people (EdDSA, signed by identity-service alone), short-lived tokens of services
//! for `/internal/v1`, passwords, and the extractors by which a handler states who may call it.

pub mod claims;
pub mod extract;
pub mod jwks;
pub mod password;
pub mod roles;
pub mod service_token;
pub mod signing;
pub mod testing;
pub mod verify;

pub use claims::Claims;
pub use extract::{Authenticator, CurrentUser, Permission, ServiceCaller, Staff};
pub use roles::Role;
