//! Processes on free ports with databases, topics and keys of their own, which can be killed and started again.

use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use common_events::{
    KafkaConfig,
    topics::{self, Partitions},
};
use common_utils::{config::Env, ids};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SERVICES: [&str; 4] = ["identity", "wallet", "transaction", "admin"];
const PATIENCE: Duration = Duration::from_secs(90);

/// A running platform. Everything ends with it.
pub(crate) struct Deployment {
    dir: TempDir,
    env: BTreeMap<String, String>,
    running: Mutex<BTreeMap<String, Child>>,
    pub(crate) client: reqwest::Client,
}

impl Deployment {
    /// Migrated, and nothing running yet.
    pub(crate) fn prepare() -> Self {
        Self::prepare_with(&[])
    }

    /// The same, where these settings differ.
    pub(crate) fn prepare_with(settings: &[(&str, String)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut env = environment(&dir);
        env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(40)).build().unwrap();
        let deployment = Self { dir, env, running: Mutex::default(), client };
        for service in SERVICES {
            let migrated = deployment.command(&format!("{service}-service")).arg("migrate").output().unwrap();
            assert!(migrated.status.success(), "{service}: {}", String::from_utf8_lossy(&migrated.stderr));
        }
        deployment
    }

    /// Everything in one process.
    pub(crate) async fn standalone() -> Self {
        let deployment = Self::prepare();
        deployment.start("standalone");
        deployment.ready().await;
        deployment
    }

    /// Every part a process of its own.
    pub(crate) async fn apart() -> Self {
        let deployment = Self::prepare();
        deployment.start_all_apart().await;
        deployment
    }

    pub(crate) async fn start_all_apart(&self) {
        self.create_topics().await;
        self.start("provider-twin");
        self.start("identity-service");
        // The gateway's file needs the public key, which identity-service makes on its first start.
        self.ready_service("identity").await;
        for program in ["wallet-service", "transaction-service", "admin-service", "gateway"] {
            self.start(program);
        }
        self.ready().await;
    }

    /// As `scripts/create-topics.sh` does; the services do not make topics.
    pub(crate) async fn create_topics(&self) {
        let values = self.env.clone().into_iter().collect();
        let kafka = KafkaConfig::from_env(&Env::from_values("test", values), "test").unwrap();
        topics::apply(&kafka, Partitions::AsTheyAre).await.unwrap();
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        &self.env[name]
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn start(&self, program: &str) {
        self.start_as(program, program, &[]);
    }

    /// A second one of a program, under a name and with settings of its own.
    pub(crate) fn start_as(&self, name: &str, program: &str, settings: &[(&str, &str)]) {
        let log = File::options().create(true).append(true).open(self.log(name)).unwrap();
        let mut command = self.command(program);
        command.envs(settings.iter().copied()).stdout(log.try_clone().unwrap()).stderr(log);
        let before = self.running.lock().unwrap().insert(name.to_owned(), command.spawn().unwrap());
        assert!(before.is_none(), "{name} runs already");
    }

    /// SIGKILL: no drain, no goodbye.
    pub(crate) fn kill(&self, program: &str) {
        let mut child = self.running.lock().unwrap().remove(program).expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// How it ended, if it did by itself; then it may be started again.
    pub(crate) fn ended(&self, name: &str) -> Option<std::process::ExitStatus> {
        let mut running = self.running.lock().unwrap();
        let status = running.get_mut(name)?.try_wait().unwrap()?;
        running.remove(name);
        Some(status)
    }

    pub(crate) fn runs(&self, name: &str) -> bool {
        self.running.lock().unwrap().contains_key(name)
    }

    /// SIGTERM; gives the exit status.
    pub(crate) fn terminate(&self, program: &str) -> std::process::ExitStatus {
        assert!(self.signal(program, "TERM"), "{program} does not run");
        let mut child = self.running.lock().unwrap().remove(program).expect("it runs");
        child.wait().unwrap()
    }

    /// False when it does not run.
    pub(crate) fn signal(&self, program: &str, signal: &str) -> bool {
        let running = self.running.lock().unwrap();
        // Not waited for yet, so the number is still its own.
        let Some(child) = running.get(program) else { return false };
        let pid = child.id().to_string();
        Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success()
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(binary(program));
        command.env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// The names of what was started and not ended.
    pub(crate) fn running(&self) -> Vec<String> {
        self.running.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn log(&self, program: &str) -> PathBuf {
        self.dir.path().join(format!("{program}.log"))
    }

    pub(crate) fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.env["GATEWAY_PORT"])
    }

    pub(crate) fn service(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.env[&format!("{}_PORT", service.to_uppercase())])
    }

    pub(crate) async fn ready(&self) {
        for service in SERVICES {
            self.ready_service(service).await;
        }
        let gateway = format!("{}/api/v1/identity/.well-known/jwks.json", self.gateway());
        self.until("the gateway", async || {
            self.client.get(&gateway).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    pub(crate) async fn ready_service(&self, service: &str) {
        let url = format!("{}/health/ready", self.service(service));
        self.until(service, async || {
            self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Asks until it is so. After the deadline it fails and shows the logs.
    pub(crate) async fn until(&self, what: &str, ask: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !ask().await {
            assert!(Instant::now() < deadline, "never came: {what}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The last lines that each program logged, without the requests that it answered.
    fn logs(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
        let tails: Vec<String> = logs
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let lines: Vec<&str> =
                    text.lines().rev().filter(|line| !line.contains(": answered ")).take(40).collect();
                let tail: Vec<&str> = lines.into_iter().rev().collect();
                format!("--- {}\n{}\n", path.display(), tail.join("\n"))
            })
            .collect();
        tails.concat()
    }

    pub(crate) async fn get(&self, url: &str, token: &str) -> (u16, Value) {
        let answer = self.client.get(url).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// What `… verify` of a program says about what it keeps, and whether it was content.
    pub(crate) fn verify(&self, program: &str, what: &str) -> (bool, String) {
        let output = self.command(program).args([what, "verify"]).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }
}

impl Drop for Deployment {
    #[expect(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    fn drop(&mut self) {
        for child in self.running.lock().unwrap().values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}

/// Beside the `standalone` binary that belongs to this test: the whole workspace is built into one folder.
fn binary(program: &str) -> PathBuf {
    let own = PathBuf::from(env!("CARGO_BIN_EXE_standalone"));
    let path = own.with_file_name(program);
    assert!(path.is_file(), "{} is missing: cargo build --workspace --bins", path.display());
    path
}

/// Below the range from which the kernel takes ports for outgoing connections, so that it is still free when a program is
/// started again.
pub(crate) fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(12_000..20_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}, or run scripts/test.sh"))
}

fn environment(dir: &TempDir) -> BTreeMap<String, String> {
    let tag = ids::new_id().simple().to_string();
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    let database = reqwest::Url::parse(&required("TEST_DATABASE_URL")).unwrap();
    set("DB_HOST", database.host_str().unwrap().to_owned());
    set("DB_PORT", database.port().unwrap_or(5432).to_string());
    set("DB_USER", database.username().to_owned());
    set("DB_PASSWORD", database.password().unwrap_or_default().to_owned());
    set("DB_MAX_CONNECTIONS", "6".to_owned());
    let redis = reqwest::Url::parse(&required("TEST_REDIS_URL")).unwrap();
    set("REDIS_HOST", redis.host_str().unwrap().to_owned());
    set("REDIS_PORT", redis.port().unwrap_or(6379).to_string());
    set("KAFKA_BROKERS", required("TEST_KAFKA_BROKERS"));
    set("KAFKA_PREFIX", format!("e2e-{tag}-"));
    set("KEYS_DIR", dir.path().join("keys").display().to_string());
    for service in SERVICES {
        set(&format!("{}_DB_NAME", service.to_uppercase()), format!("e2e_{tag}_{service}"));
        let port = free_port();
        set(&format!("{}_PORT", service.to_uppercase()), port.to_string());
        set(&format!("{}_URL", service.to_uppercase()), format!("http://127.0.0.1:{port}"));
    }
    let (gateway, twin) = (free_port(), free_port());
    set("GATEWAY_PORT", gateway.to_string());
    set("GATEWAY_STATUS_PORT", free_port().to_string());
    set("GATEWAY_DIR", format!("{}/../../gateway", env!("CARGO_MANIFEST_DIR")));
    set("TWIN_PORT", twin.to_string());
    set("TWIN_URL", format!("http://127.0.0.1:{twin}"));
    set("TWIN_WEBHOOK_URL", format!("http://127.0.0.1:{gateway}/api/v1/wallet/webhooks/providus"));
    set("TWIN_DATA_FILE", dir.path().join("book.json").display().to_string());
    set("PROVIDUS_BASE_URL", format!("http://127.0.0.1:{twin}/api/v1"));
    set("PROVIDUS_API_KEY", "sk_sandbox_test".to_owned());
    set("PROVIDUS_WEBHOOK_SECRET", "test".to_owned());
    set("KYC_BASE_URL", format!("http://127.0.0.1:{twin}"));
    set("MAILBOX_URL", format!("http://127.0.0.1:{twin}"));
    set("KYC_API_KEY", "test".to_owned());
    // Cheap hashes: what they cost is not looked at here.
    set("ARGON2_MEMORY_KIB", "256".to_owned());
    set("ARGON2_PASSES", "1".to_owned());
    set("LOG_FORMAT", "text".to_owned());
    set("NO_COLOR", "1".to_owned());
    set("PATH", std::env::var("PATH").unwrap_or_default());
    env
}
