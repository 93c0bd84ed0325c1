//! The platform as it is run: everything in one process, or each service and the gateway in a process of its own.

use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use common_events::{
    KafkaConfig,
    topics::{self, Partitions},
};
use common_utils::{config::Env, ids};
use tokio::process::{Child, Command};

use crate::{client::Connection, meter::Part};

pub(crate) const SERVICES: [&str; 4] = ["identity", "wallet", "transaction", "admin"];
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The gateway and all services; otherwise each in a process of its own.
    pub(crate) one_process: bool,
    pub(crate) events: Events,
}

/// What becomes of the events of a load meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// Kafka cannot be reached: they wait in the outbox.
    Kept,
    /// They are published, and admin-service, which takes all of them into its log, does not run. Only in processes of their own.
    Published,
    /// They are published and taken in by everybody.
    TakenIn,
}

/// Nobody listens there.
const NO_KAFKA: &str = "127.0.0.1:9";

/// Running processes; they are killed with it, if they were not stopped before.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) shape: Shape,
    env: Env,
    /// What the processes get beside this one's environment.
    settings: Vec<(String, String)>,
    logs: PathBuf,
    children: Vec<(&'static str, Child)>,
}

impl Platform {
    /// With databases of its own, migrated and empty of people, and topics of its own.
    pub(crate) async fn prepare(logs: PathBuf, shape: Shape) -> anyhow::Result<Self> {
        let env = Env::of_process("bench");
        let mut settings = vec![("KAFKA_PREFIX".to_owned(), format!("bench-{}-", ids::new_id().simple()))];
        for service in SERVICES {
            settings.push((format!("{}_DB_NAME", service.to_uppercase()), database(service)));
        }
        if shape.events == Events::Kept {
            settings.push(("KAFKA_BROKERS".to_owned(), NO_KAFKA.to_owned()));
        }
        let platform = Self { shape, env, settings, logs, children: Vec::new() };
        for service in SERVICES {
            let migrated = platform.command(program(service))?.arg("migrate").output().await?;
            let said = String::from_utf8_lossy(&migrated.stderr);
            ensure!(migrated.status.success(), "{service} is not migrated: {said}");
        }
        Ok(platform)
    }

    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        if self.shape.one_process {
            self.spawn("standalone")?;
        } else {
            if self.shape.events != Events::Kept {
                topics::apply(&self.kafka()?, Partitions::AsTheyAre).await?;
            }
            self.spawn("identity-service")?;
            // The gateway's file needs the public key, which identity-service makes on its first start.
            self.ready("identity").await?;
            for program in ["wallet-service", "transaction-service", "gateway"] {
                self.spawn(program)?;
            }
            if self.shape.events != Events::Published {
                self.spawn("admin-service")?;
            }
        }
        for service in SERVICES {
            if service != "admin" || self.shape.events != Events::Published {
                self.ready(service).await?;
            }
        }
        let gateway = self.gateway()?;
        self.until("the gateway", async || Connection::open(gateway).await.is_ok()).await
    }

    /// Asks every process to end, and waits for it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        for (name, child) in &mut self.children {
            let pid = child.id().with_context(|| format!("{name} has ended"))?;
            Command::new("kill").arg(pid.to_string()).status().await?;
        }
        for (name, child) in &mut self.children {
            let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
            ensure!(ended.is_ok(), "{name} does not end");
        }
        Ok(())
    }

    pub(crate) fn gateway(&self) -> anyhow::Result<SocketAddr> {
        self.port("GATEWAY_PORT", 8_000)
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        self.children.iter().filter_map(|(name, child)| Some((*name, child.id()?))).collect()
    }

    fn kafka(&self) -> anyhow::Result<KafkaConfig> {
        let env = self.settings.iter().fold(self.env.clone(), |env, (name, value)| env.with(name, value));
        Ok(KafkaConfig::from_env(&env, "bench")?)
    }

    fn port(&self, name: &str, default: u16) -> anyhow::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], self.env.parse(name, default)?)))
    }

    fn spawn(&mut self, program: &'static str) -> anyhow::Result<()> {
        let path = self.logs.join(format!("{program}.log"));
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        let child = self.command(program)?.stdout(log.try_clone()?).stderr(log).spawn()?;
        self.children.push((program, child));
        Ok(())
    }

    /// A program of this build.
    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let here = std::env::current_exe()?;
        let path = here.with_file_name(program);
        ensure!(path.exists(), "{} is not built", path.display());
        let mut command = Command::new(path);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    async fn ready(&self, service: &str) -> anyhow::Result<()> {
        let place = SERVICES.iter().position(|name| *name == service).unwrap_or_default();
        let port = 3_001 + u16::try_from(place)?;
        let address = self.port(&format!("{}_PORT", service.to_uppercase()), port)?;
        self.until(service, async || {
            let Ok(mut connection) = Connection::open(address).await else { return false };
            connection.get("/health/ready", "").await.is_ok_and(|answer| answer.status == 200)
        })
        .await
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_so().await {
            ensure!(began.elapsed() < PATIENCE, "{what} is not ready; its log is in {}", self.logs.display());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

pub(crate) fn database(service: &str) -> String {
    format!("bench_{service}")
}

fn program(service: &str) -> &'static str {
    match service {
        "identity" => "identity-service",
        "wallet" => "wallet-service",
        "transaction" => "transaction-service",
        _ => "admin-service",
    }
}
