//! Who is calling: access tokens of people (EdDSA, signed by identity-service alone), what is taken back of them before they
//! expire, short-lived tokens of services for `/internal/v1`, passwords, how people
//! proved who they are, and the extractors by which a handler states who may call it.

pub mod claims;
pub mod extract;
pub mod jwks;
pub mod key_ring;
mod keys;
pub mod password;
pub mod proof;
pub mod revocation;
pub mod roles;
pub mod secret;
pub mod service_token;
pub mod signing;
pub mod step_up;
pub mod testing;
pub mod verify;

pub use claims::Claims;
pub use extract::{Authenticator, CurrentUser, LeavingUser, Permission, ServiceCaller, Staff};
pub use proof::{Assurance, Method};
pub use roles::Role;
pub use step_up::StepUp;
