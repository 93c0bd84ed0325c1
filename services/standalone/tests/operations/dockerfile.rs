//! The images: what the Dockerfile names exists, and each program runs without rights where it is expected.

use std::collections::BTreeMap;

use crate::files::{found, path, text};

/// One image, as far as compose relies on it.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) base: String,
    pub(crate) lines: Vec<String>,
}

impl Stage {
    fn value(&self, instruction: &str) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| line.strip_prefix(instruction)).map(str::trim)
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.value("EXPOSE ").map(|port| port.parse().unwrap())
    }

    pub(crate) fn has_health_check(&self) -> bool {
        self.value("HEALTHCHECK ").is_some()
    }
}

/// By the name of the stage.
pub(crate) fn stages() -> BTreeMap<String, Stage> {
    let joined = text("Dockerfile").replace("\\\n", " ");
    let mut stages = BTreeMap::new();
    let mut current = String::new();
    for line in joined.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if let Some(from) = line.strip_prefix("FROM ") {
            let (base, name) = from.split_once(" AS ").expect("each stage has a name");
            name.clone_into(&mut current);
            let stage = Stage { base: base.to_owned(), lines: Vec::new() };
            assert!(stages.insert(current.clone(), stage).is_none(), "{current} twice");
        } else {
            stages.get_mut(&current).expect("the first line is FROM").lines.push(line.to_owned());
        }
    }
    stages
}

#[test]
fn each_program_has_an_image() {
    let stages = stages();
    let programs = [
        "admin-service",
        "identity-service",
        "migrate",
        "provider-twin",
        "transaction-service",
        "wallet-service",
    ];
    let targets: Vec<&String> =
        stages.iter().filter(|(_, stage)| stage.base == "runtime").map(|(name, _)| name).collect();
    assert_eq!(targets, programs);
    for stage in stages.values().filter(|stage| !stages.contains_key(&stage.base)) {
        let tag = stage.base.split_once(':').expect("a tag").1;
        assert!(tag.contains("bookworm"), "{}: the tag names Debian's release", stage.base);
    }
    assert_eq!(stages["runtime"].value("USER "), Some("wallet"));
    for name in programs {
        assert!(stages[name].value("USER ").is_none(), "{name} keeps the user without rights");
    }
}

#[test]
fn the_build_makes_what_the_images_hold() {
    let stages = stages();
    let build = stages["build"].lines.join("\n");
    let packages = found(r"-p ([a-z-]+)", &build);
    for (name, stage) in stages.iter().filter(|(_, stage)| stage.base == "runtime") {
        for program in found(r"/out/([a-z-]+)", &stage.lines.join("\n")) {
            assert!(packages.contains(&program), "{name}: nobody builds {program}");
            assert!(build.contains(&format!(" {program} ")), "{name}: {program} is not copied out");
        }
    }
    for package in packages {
        let manifest = text(&format!("services/{package}/Cargo.toml"));
        assert!(manifest.contains(&format!("name = \"{package}\"")), "{package}");
    }
    let toolchain = found(r#"rust-version = "([0-9.]+)""#, &text("Cargo.toml"));
    let image = found(r"^rust:([0-9.]+)-", &stages["build"].base);
    assert_eq!(image, toolchain);
}

#[test]
fn ports_and_health_checks_agree() {
    for (name, stage) in stages().iter().filter(|(_, stage)| stage.port().is_some()) {
        let port = stage.port().unwrap();
        assert_eq!(stage.value("ENV PORT="), Some(port.to_string().as_str()), "{name}");
        let check = stage.value("HEALTHCHECK ").unwrap_or_else(|| panic!("{name} has no health check"));
        assert!(check.contains(&format!("http://127.0.0.1:{port}/health/")), "{name}: {check}");
        assert_eq!(stage.value("ENTRYPOINT "), Some(format!("[\"{name}\"]").as_str()), "{name}");
    }
}

#[test]
fn what_is_copied_exists_and_is_not_ignored() {
    let ignored: Vec<String> =
        text(".dockerignore").lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    for needed in [
        ".cargo",
        ".sqlx",
        "Cargo.lock",
        "Cargo.toml",
        "bench",
        "docker",
        "gateway",
        "libraries",
        "migrations",
        "services",
    ] {
        assert!(path(needed).exists(), "{needed}");
        assert!(!ignored.iter().any(|name| name == needed), "{needed} is needed to build");
    }
    for secret in [".data", ".git", "target"] {
        assert!(ignored.iter().any(|name| name == secret), "{secret} does not belong into an image");
    }
    for stage in stages().values() {
        for line in stage.lines.iter().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
            let source = line.split_whitespace().filter(|word| !word.starts_with("--")).nth(1).unwrap();
            assert!(path(source).exists(), "{line}");
        }
    }
}
