//! Connections to a Postgres that takes TLS only, and to one that has none: migrations and the pool agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what helps a test fails as a test does; clippy knows the test functions only"
)]

mod server;

use std::collections::HashMap;

use common_db::{
    DbConfig,
    migrate::{self, Migrations, Mode},
    pool,
};
use common_utils::config::Env;

use crate::server::Server;

fn config(server: &Server, more: &[(&str, &str)]) -> DbConfig {
    let mut values: HashMap<_, _> =
        more.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    values.insert("DB_PORT".to_owned(), server.port.to_string());
    DbConfig::from_env(&Env::from_values("wallet", values), "tls_db").unwrap()
}

/// Whether the pool's connection is encrypted.
async fn encrypted(config: &DbConfig) -> Option<bool> {
    let pool = pool::connect("test", config);
    let query = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    query.fetch_one(&pool).await.ok()
}

async fn migrated(config: &DbConfig) -> bool {
    migrate::run(config, &Migrations::common(), Mode::Apply).await.is_ok()
}

#[tokio::test]
async fn what_needs_tls_is_migrated_and_used_with_it() {
    let server = Server::start(true);
    let config = config(&server, &[]);
    migrate::run(&config, &Migrations::common(), Mode::Apply).await.unwrap();
    migrate::require_current(&config, &Migrations::common(), "migrate").await.unwrap();
    assert_eq!(encrypted(&config).await, Some(true));
}

#[tokio::test]
async fn how_far_the_server_is_checked() {
    let server = Server::start(true);
    let certificate = server.certificate();
    let root = ("DB_SSL_ROOT_CERT", certificate.to_str().unwrap());
    let full = ("DB_SSL_MODE", "verify-full");
    // The certificate names 127.0.0.1 and not 127.0.0.2; without the root nobody vouches for it.
    for (variables, works) in [
        (&[("DB_SSL_MODE", "disable")][..], false),
        (&[("DB_SSL_MODE", "require"), ("DB_HOST", "127.0.0.2")], true),
        (&[full], false),
        (&[full, root], true),
        (&[full, root, ("DB_HOST", "127.0.0.2")], false),
    ] {
        let config = config(&server, variables);
        assert_eq!(migrated(&config).await, works, "{variables:?}");
        assert_eq!(encrypted(&config).await, works.then_some(true), "{variables:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_used_unless_it_is_required() {
    let server = Server::start(false);
    for (mode, works) in [("prefer", true), ("disable", true), ("require", false), ("verify-full", false)] {
        let config = config(&server, &[("DB_SSL_MODE", mode)]);
        assert_eq!(migrated(&config).await, works, "{mode}");
        assert_eq!(encrypted(&config).await, works.then_some(false), "{mode}");
    }
}
