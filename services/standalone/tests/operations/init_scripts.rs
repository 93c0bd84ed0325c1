//! The scripts that run once in containers, run here with stand-ins for the programs that they call.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::files::path;

/// A program that writes down how it was called.
fn recorder(folder: &Path, name: &str) {
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", folder.join("calls").display()))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn all_databases_are_migrated_and_a_failure_stops() {
    let folder = tempfile::tempdir().unwrap();
    for service in ["identity", "wallet", "transaction", "admin"] {
        recorder(folder.path(), &format!("{service}-service"));
    }
    let run = |succeeds: bool| {
        let mut migrate = Command::new("/bin/sh");
        migrate.arg(path("docker/migrate.sh")).arg("--status").env("PATH", folder.path());
        assert_eq!(migrate.status().unwrap().success(), succeeds);
        calls(folder.path())
    };
    let expected =
        ["identity", "wallet", "transaction", "admin"].map(|name| format!("{name}-service migrate --status"));
    assert_eq!(run(true), expected);
    fs::write(folder.path().join("wallet-service"), "#!/bin/sh\nexit 1\n").unwrap();
    assert_eq!(run(false).len(), 5, "only identity was migrated again");
}
