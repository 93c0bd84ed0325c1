//! A Postgres of one test's own, as safe as one in production, which can be crashed: the server and all its processes are
//! killed at once and flush nothing.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;

use crate::deployment::free_port;

const PATIENCE: Duration = Duration::from_mins(1);
/// What `scripts/lib/postgres.sh` knows: which programs, which user, which folder. The shell becomes the server, which ends
/// with the thread that started it.
const START: &str = r#"
    set -euo pipefail
    . "$0"
    data=$1 port=$2
    postgres_identity
    home=$(postgres_home "$data")
    [[ -d $home/cluster ]] || postgres_init "$home" crash
    rm -f "$home/cluster/postmaster.pid"
    cd "$home"
    exec "${as_postgres[@]}" setpriv --pdeathsig KILL -- "$(postgres_bin)/postgres" -D "$home/cluster" \
        -c listen_addresses=127.0.0.1 -c "port=$port" -c unix_socket_directories= -c max_connections=300 \
        -c recovery_init_sync_method=syncfs
"#;
const REMOVE: &str = r#". "$0"; postgres_remove "$1""#;

pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    server: Mutex<Option<Child>>,
}

impl Postgres {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Root runs it as another user, who has to get there.
        assert!(Command::new("chmod").arg("711").arg(folder.path()).status().unwrap().success());
        let postgres = Self { folder, port: free_port(), server: Mutex::default() };
        postgres.start().await;
        postgres
    }

    /// Always at the same address. Returns when it answers.
    pub(crate) async fn start(&self) {
        let log = std::fs::File::options().create(true).append(true).open(self.path().join("log")).unwrap();
        let mut shell = self.shell(START);
        shell.arg(self.port.to_string()).stdout(Stdio::null()).stderr(log);
        let before = self.server.lock().unwrap().replace(shell.spawn().unwrap());
        assert!(before.is_none(), "Postgres runs already");
        let since = Instant::now();
        while PgConnection::connect(&self.address("postgres")).await.is_err() {
            let log = || std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
            assert!(since.elapsed() < PATIENCE, "Postgres does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn crash(&self) {
        let Some(mut server) = self.server.lock().unwrap().take() else { return };
        // While its processes are counted it must not start another one, nor mend what the death of one has broken.
        let pid = server.id();
        signal("STOP", &[pid]);
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        signal("KILL", &children);
        server.kill().unwrap();
        server.wait().unwrap();
        // Another server must not meet them in the same folder.
        while children.iter().any(|pid| is_alive(*pid)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What a service's environment says of it.
    pub(crate) fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("DB_HOST", "127.0.0.1".to_owned()),
            ("DB_PORT", self.port.to_string()),
            ("DB_USER", "wallet".to_owned()),
            ("DB_PASSWORD", "crash".to_owned()),
        ]
    }

    pub(crate) fn pool(&self, database: &str) -> PgPool {
        PgPoolOptions::new().max_connections(4).connect_lazy(&self.address(database)).unwrap()
    }

    fn address(&self, database: &str) -> String {
        format!("postgres://wallet:crash@127.0.0.1:{}/{database}", self.port)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where its user may write.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("postgres").canonicalize().unwrap()
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("bash");
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lib/postgres.sh");
        shell.args(["-c", script, library]).arg(self.path()).stdin(Stdio::null());
        shell
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
        // Where it lies depends on who runs it.
        let _ = self.shell(REMOVE).status();
    }
}

fn signal(name: &str, pids: &[u32]) {
    // Who has ended by itself needs none.
    let _ = Command::new("kill").arg(format!("-{name}")).args(pids.iter().map(ToString::to_string)).output();
}

/// A zombie is not: it holds nothing any more.
fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
