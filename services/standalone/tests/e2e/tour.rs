//! The tour of the README, pasted into a shell.

use std::{fmt::Write, process::Command};

use super::deployment::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_works_as_it_stands() {
    let platform = Deployment::standalone().await;
    let folder = platform.dir().join(".data");
    std::fs::create_dir(&folder).unwrap();
    let mut environment = String::new();
    for name in ["GATEWAY_PORT", "TWIN_URL"] {
        writeln!(environment, "export {name}={}", platform.value(name)).unwrap();
    }
    std::fs::write(folder.join("env"), environment).unwrap();

    let output =
        Command::new("bash").args(["-e", "-c", &tour()]).current_dir(platform.dir()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        r#"{"emailVerified":true}"#,
        "500000\n",
        r#""direction":"debit","amount":150000,"balanceAfter":350000"#,
        r#""direction":"credit","amount":500000,"balanceAfter":500000"#,
        r#""code": "insufficient_funds""#,
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
    let transfers: Vec<&str> =
        shown.lines().filter(|line| line.contains(r#""status":"completed""#)).collect();
    assert!(transfers.len() == 2 && transfers[0] == transfers[1], "{shown}");
}

fn tour() -> String {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme.split_once("```sh tour\n").expect("the tour");
    after.split_once("\n```").expect("its end").0.to_owned()
}
