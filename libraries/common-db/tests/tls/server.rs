//! A Postgres of one test's own, made with the server's own programs and removed with the test. It speaks TLS and
//! takes nothing else, with a certificate of its own for `localhost` and 127.0.0.1; or it speaks none.
//!
//! Postgres refuses to run as root, so root runs it as the user `postgres`, or `nobody`.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub(crate) struct Server {
    folder: TempDir,
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bin, at) = (programs(), folder.path());
        if let Some(owner) = owner() {
            run(Command::new("chown").arg(owner).arg(at));
        }
        run(user(&bin.join("initdb"), at).args(["-D", "data", "-U", "wallet", "--auth=trust", "--no-sync"]));
        let mut server = user(&bin.join("postgres"), at);
        // A name lookup has to end somewhere else than in the certificate, hence two addresses.
        let port = free_port();
        server.args(["-D", "data", "-c", "fsync=off", "-c", "unix_socket_directories="]);
        server.args(["-c", "listen_addresses=127.0.0.1,127.0.0.2", "-c", &format!("port={port}")]);
        if tls {
            run(user(Path::new("openssl"), at)
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=localhost",
                ])
                .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
                .args(["-keyout", "server.key", "-out", "server.crt"]));
            std::fs::write(at.join("data/pg_hba.conf"), "hostssl all all all trust\n").unwrap();
            server.args([
                "-c",
                "ssl=on",
                "-c",
                "ssl_cert_file=../server.crt",
                "-c",
                "ssl_key_file=../server.key",
            ]);
        }
        let process = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { folder, process, port };
        server.wait(&bin);
        server
    }

    /// Its certificate, which is its own root.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    fn wait(&self, bin: &Path) {
        let (port, since) = (self.port.to_string(), Instant::now());
        let mut ask = Command::new(bin.join("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port]);
        while !ask.status().unwrap().success() {
            assert!(since.elapsed() < Duration::from_secs(30), "Postgres does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown: what is open is broken off.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// Debian keeps the server's programs out of the path, by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    newest
        .or_else(on_path)
        .expect("this test starts a Postgres of its own and needs its programs (initdb, postgres)")
}

/// Who runs it, where we are root.
fn owner() -> Option<&'static str> {
    let is = |arguments: &[&str]| Command::new("id").args(arguments).output().unwrap();
    if is(&["-u"]).stdout.trim_ascii() != b"0" {
        return None;
    }
    Some(if is(&["-u", "postgres"]).status.success() { "postgres" } else { "nobody" })
}

/// A program of that user, in `folder`; it ends with us.
fn user(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some(owner) = owner() {
        let group = Command::new("id").args(["-gn", owner]).output().unwrap().stdout;
        let group = String::from_utf8(group).unwrap();
        command.args(["--reuid", owner, "--regid", group.trim(), "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir(folder);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
