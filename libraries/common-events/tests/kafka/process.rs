//! Relays and consumers in processes of their own, which die at a crash point (`common_utils::crash`): at once, without a goodbye to
//! Kafka or Postgres.

use std::{
    io::Read,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use common_db::DbConfig;
use common_events::{KafkaConfig, embedded_broker::EmbeddedBroker, workers::Workers};
use common_utils::{
    config::{Env, RedisConfig},
    crash,
};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::world::{World, consumer, embedded, relay};

const ABORTED: i32 = 6;
/// Not `test`: settings of the tests begin with that.
const SERVICE: &str = "proof";
const PART: &str = "PROOF_PART";

pub(crate) struct Process(Mutex<Child>);

impl Process {
    /// Does at a crash point what `failpoint` says, such as `relay.after_publish=return`, which is to die.
    pub(crate) fn relay(world: &World, failpoint: &str) -> Self {
        Self::start(world, "relay", failpoint, &[])
    }

    pub(crate) fn consumer(world: &World, redis: &RedisConfig, failpoint: &str) -> Self {
        Self::start(world, "consumer", failpoint, &redis_settings(redis))
    }

    /// A broker, a relay and a consumer in one.
    pub(crate) fn with_embedded_broker(world: &World, redis: &RedisConfig, failpoint: &str) -> Self {
        Self::start(world, "platform", failpoint, &redis_settings(redis))
    }

    fn start(world: &World, part: &str, failpoint: &str, settings: &[(&str, String)]) -> Self {
        let (database, kafka) = (&world.db.config, &world.kafka);
        let password = database.password.as_ref().map_or("", |password| password.expose_secret());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "process::a_part_that_may_die", "--nocapture"])
            .env(PART, part)
            .env("FAILPOINTS", failpoint)
            .env("DB_HOST", &database.host)
            .env("DB_PORT", database.port.to_string())
            .env("DB_NAME", &database.name)
            .env("DB_USER", &database.user)
            .env("DB_PASSWORD", password)
            .env("KAFKA_BROKERS", &kafka.brokers)
            .env("KAFKA_PREFIX", &kafka.prefix)
            .envs(settings.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(Mutex::new(child.unwrap()))
    }

    /// SIGKILL, wherever it stands.
    pub(crate) fn kill(&self) {
        let mut child = self.0.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// It has died at its crash point. That it ends otherwise is a failure.
    pub(crate) fn crashed(&self) -> bool {
        let Some(ended) = self.0.lock().unwrap().try_wait().unwrap() else { return false };
        assert_eq!(ended.signal(), Some(ABORTED), "{ended}");
        true
    }
}

fn redis_settings(redis: &RedisConfig) -> [(&'static str, String); 2] {
    [("REDIS_HOST", redis.host.clone()), ("REDIS_PORT", redis.port.to_string())]
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap();
        // Who is dead already stays so.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// No test: what the processes run. They end with who started them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "tests start it as a process of its own"]
async fn a_part_that_may_die() {
    let env = Env::of_process(SERVICE);
    let Some(part) = env.get(PART) else { return };
    crash::arm(&env).unwrap();
    let database = DbConfig::from_env(&env, "").unwrap();
    let mut kafka = KafkaConfig::from_env(&env, "test").unwrap();
    let pool = common_db::pool::connect(SERVICE, &database);
    let workers = Workers::new(&CancellationToken::new());
    let own = (part == "platform").then(|| EmbeddedBroker::start().unwrap());
    if let Some(broker) = &own {
        kafka = embedded(broker);
    }
    if part != "consumer" {
        workers.relay(relay(&pool, &database, &kafka));
    }
    if part != "relay" {
        let redis = RedisConfig::from_env(&env).unwrap();
        workers.consumer(consumer(&pool, &kafka, &redis, &Arc::default()));
    }
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    closed.await.unwrap().unwrap();
    workers.drained().await;
}
