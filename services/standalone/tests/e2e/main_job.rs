//! The main job, as `scripts/run.sh` plays it, in one process and in several.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::deployment::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn goes_through_in_one_process_again_and_after_a_restart() {
    let platform = Deployment::standalone().await;
    play(&platform);
    play(&platform);
    let stopped = platform.terminate("standalone");
    assert!(stopped.success(), "asked to stop, it ended with {stopped}");
    platform.start("standalone");
    platform.ready().await;
    play(&platform);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_through_in_processes_of_their_own() {
    let platform = Deployment::apart().await;
    play(&platform);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_through_on_the_embedded_broker_and_after_a_restart() {
    let mut platform = Deployment::prepare();
    platform.set("EVENT_BROKER", "embedded");
    platform.set("KAFKA_PREFIX", "");
    platform.start("standalone");
    platform.ready().await;
    play(&platform);
    platform.kill("standalone");
    platform.start("standalone");
    platform.ready().await;
    play(&platform);
}

pub(crate) fn play(platform: &Deployment) {
    let mut demo = platform.command("standalone");
    demo.args(["demo", "--gateway", &platform.gateway()]);
    for role in ["support", "compliance"] {
        create_staff(platform, role);
        let name = role.to_uppercase();
        demo.env(format!("DEMO_{name}_EMAIL"), email(role))
            .env(format!("DEMO_{name}_PASSWORD"), password(role));
    }
    let output = demo.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("The main job went through"), "{shown}");
    assert!(!shown.contains("eyJ"), "a token is shown");
}

pub(crate) fn email(role: &str) -> String {
    format!("{role}@staff.example")
}

pub(crate) fn password(role: &str) -> String {
    format!("a secret of {} letters in the night", role.len())
}

/// Also fine when the agent is there from an earlier start.
pub(crate) fn create_staff(platform: &Deployment, role: &str) {
    let phone = match role {
        "support" => "+2348000000001",
        "compliance" => "+2348000000002",
        _ => "+2348000000003",
    };
    let mut command: Command = platform.command("identity-service");
    let arguments = ["users", "create-staff", "--email", &email(role), "--phone", phone];
    command.args(arguments).args(["--name", "Test Agent", "--role", role, "--password-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password(role).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let known = output.status.code() == Some(3);
    assert!(output.status.success() || known, "{}", String::from_utf8_lossy(&output.stderr));
}
