//! Postgres as all services use it: the pool, transactions, migrations, constraints and repeated calls.

pub mod config;
pub mod constraint;
pub mod health;
pub mod idempotency;
pub mod line;
pub mod migrate;
pub mod op;
pub mod pool;
pub mod testing;
mod tls;

pub use config::DbConfig;
pub use line::Line;
pub use op::{Op, begin};
pub use sqlx::PgPool;
pub use tls::{SslConfig, SslMode};
