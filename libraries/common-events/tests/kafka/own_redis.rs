//! A Redis of one test's own, which may be flushed.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use common_events::dedup;
use common_utils::config::RedisConfig;
use redis::{FromRedisValue, aio::ConnectionManager};

use crate::world::until;

pub(crate) struct OwnRedis {
    server: Child,
    config: RedisConfig,
    client: ConnectionManager,
}

impl OwnRedis {
    /// Returns when it answers.
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = RedisConfig { host: "127.0.0.1".to_owned(), port, password: None };
        // The kernel ends it with the thread that started it, which is the test's.
        let server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "redis-server", "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = dedup::connect(&config).unwrap();
        let own = Self { server, config, client };
        let answers = async || redis::cmd("PING").exec_async(&mut own.client.clone()).await.is_ok();
        until("Redis", answers).await;
        own
    }

    pub(crate) fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// How much it has in mind.
    pub(crate) async fn keys(&self) -> usize {
        self.ask("DBSIZE").await
    }

    pub(crate) async fn flush(&self) {
        self.ask::<()>("FLUSHALL").await;
    }

    async fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        redis::cmd(command).query_async(&mut self.client.clone()).await.unwrap()
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
