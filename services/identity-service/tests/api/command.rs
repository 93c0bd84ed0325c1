//! `identity-service users …`: the real binary on a database of the test.

use std::process::Stdio;

use common_db::testing::TestDb;
use identity_service::{SERVICE, migrations};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::support::{PASSWORD, Person, World, refusal};

/// A command of the binary, on this database and with no other environment.
pub(crate) fn binary(db: &TestDb) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_identity-service"));
    command
        .env_clear()
        .env("DB_HOST", &db.config.host)
        .env("DB_PORT", db.config.port.to_string())
        .env("DB_USER", &db.config.user)
        .env("DB_NAME", &db.config.name)
        .env("ARGON2_MEMORY_KIB", "1024")
        .env("ARGON2_PASSES", "1")
        .kill_on_drop(true);
    if let Some(password) = &db.config.password {
        use secrecy::ExposeSecret;
        command.env("DB_PASSWORD", password.expose_secret());
    }
    command
}

/// Exit status, and what was printed to both streams.
pub(crate) async fn run(world: &World, arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = binary(&world.db)
        .env("KEYS_DIR", world.keys.path())
        .arg("users")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its arguments does not read.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn staff<'a>(email: &'a str, phone: &'a str, role: &'a str) -> Vec<&'a str> {
    vec![
        "create-staff",
        "--email",
        email,
        "--phone",
        phone,
        "--name",
        "Ada Obi",
        "--role",
        role,
        "--password-stdin",
    ]
}

#[tokio::test]
async fn the_first_admin_is_made_and_logs_in() {
    let world = World::start().await;
    let create = staff("Admin@Example.com", "+2348000000001", "admin");
    let (status, text) = run(&world, &create, &format!("{PASSWORD}\n")).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("made admin account admin@example.com"), "{text}");
    let login = json!({ "identifier": "admin@example.com", "password": PASSWORD });
    let signed_in = world.post("/login", &login).await;
    assert_eq!(signed_in.status, 200);
    assert_eq!(signed_in.body["user"]["roles"], json!(["user", "admin"]));
    let events = world.events("identity.user.registered").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["roles"], json!(["user", "admin"]));
    assert_eq!(events[0]["actor"], "service:identity-service");

    let (status, text) = run(&world, &create, &format!("{PASSWORD}\n")).await;
    assert_eq!(status, 3, "{text}");
    assert!(text.contains("exists already"), "{text}");
    let (status, text) = run(&world, &staff("other@example.com", "08000000001", "admin"), PASSWORD).await;
    assert_eq!(status, 3, "{text}");
    assert_eq!(world.events("identity.user.registered").await.len(), 1);
}

#[tokio::test]
async fn wrong_input_is_told_and_changes_nothing() {
    let world = World::start().await;
    let phone = "+2348000000001";
    for (arguments, input, told) in [
        (staff("nobody", phone, "admin"), PASSWORD, "e-mail address"),
        (staff("a@example.com", "12", "admin"), PASSWORD, "phone number"),
        (staff("a@example.com", phone, "user"), PASSWORD, "must be one of"),
        (staff("a@example.com", phone, "root"), PASSWORD, "must be one of"),
        (staff("a@example.com", phone, "admin"), "", "at least 8 characters"),
        (staff("a@example.com", phone, "admin"), "password1\n", "guessed first"),
        (staff("a@example.com", phone, "admin"), "ada-obi-river\n", "must not contain your name"),
    ] {
        let (status, text) = run(&world, &arguments, input).await;
        assert_eq!(status, 2, "{text}");
        assert!(text.contains(told), "{told}: {text}");
    }
    let arguments = &staff("a@example.com", phone, "admin")[..9];
    let (status, text) = run(&world, arguments, PASSWORD).await;
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("--password-stdin"), "{text}");
    assert!(world.events("identity.user.registered").await.is_empty());
}

#[tokio::test]
async fn roles_are_granted_once() {
    let world = World::start().await;
    let person = world.register(1).await;
    let grant = |email| ["grant-role", "--email", email, "--role", "support"];
    let (status, text) = run(&world, &grant("PERSON1@example.com"), "").await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("is now support"), "{text}");
    let (status, text) = run(&world, &grant(&person.email), "").await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("already"), "{text}");
    let (status, text) = run(&world, &grant("nobody@example.com"), "").await;
    assert_eq!(status, 4, "{text}");
    assert!(text.contains("no account"), "{text}");

    let roles = |value: &Value| value["roles"].clone();
    let events = world.events("identity.user.updated").await;
    assert_eq!(events.len(), 1);
    assert_eq!(roles(&events[0]["data"]), json!(["user", "support"]));
    // The next access token carries the role.
    let refreshed = world.refresh(&person.refresh).await;
    let access = refreshed.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(roles(&world.me(access).await.body["user"]), json!(["user", "support"]));
}

/// From the command to the answer: the token that carries the role is worth nothing at once, and the next one is refused there.
#[tokio::test]
async fn a_role_that_is_taken_away_opens_nothing_any_more() {
    const QUEUE: &str = "/api/v1/identity/kyc/reviews";
    let world = World::start().await;
    let (status, text) =
        run(&world, &staff("rev@example.com", "+2348000000002", "compliance"), PASSWORD).await;
    assert_eq!(status, 0, "{text}");
    let reviewer = Person::of(&world.log_in("rev@example.com", PASSWORD).await);
    assert_eq!(world.get(QUEUE, Some(&reviewer.access)).await.status, 200);

    let revoke = |email| ["revoke-role", "--email", email, "--role", "compliance"];
    let (status, text) = run(&world, &revoke("rev@example.com"), "").await;
    assert!(status == 0 && text.contains("is no longer compliance"), "{text}");
    assert_eq!(world.get(QUEUE, Some(&reviewer.access)).await.code(), refusal(401, "token_expired"));
    let refreshed = world.refresh(&reviewer.refresh).await;
    let access = refreshed.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(world.get(QUEUE, Some(access)).await.code(), refusal(403, "forbidden"));
    assert_eq!(world.me(access).await.body["user"]["roles"], json!(["user"]));
    let events = world.events("identity.user.updated").await;
    assert_eq!((events.len(), &events[0]["data"]["roles"]), (1, &json!(["user"])));
    assert_eq!(events[0]["actor"], "service:identity-service");

    let (status, text) = run(&world, &revoke("rev@example.com"), "").await;
    assert!(status == 0 && text.contains("is not compliance"), "{text}");
    let (status, text) = run(&world, &revoke("nobody@example.com"), "").await;
    assert!(status == 4 && text.contains("no account"), "{text}");
    let (status, text) =
        run(&world, &["revoke-role", "--email", "rev@example.com", "--role", "user"], "").await;
    assert!(status == 2 && text.contains("must be one of"), "{text}");
    assert_eq!(world.events("identity.user.updated").await.len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let mut db = TestDb::create(SERVICE, &migrations()).await;
    db.config.port = 9;
    let output = binary(&db)
        .args(["users", "grant-role", "--email", "a@example.com", "--role", "admin"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the role could not be granted"));
}
