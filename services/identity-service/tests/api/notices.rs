//! How messages are carried: carriers that fail, refuse or hang, a mail server, an SMS carrier.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use identity_service::notice_config::{
    EmailConfig, HttpSmsConfig, NoticeConfig, SmsConfig, SmtpConfig, SmtpEncryption,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    mailbox::until,
    support::{NOWHERE, World},
};

/// What a carrier was given, and how it answers.
#[derive(Debug)]
struct Carrier {
    address: String,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    answers: fn(u32) -> u16,
    calls: AtomicU32,
    bodies: Mutex<Vec<(Option<String>, Value)>>,
}

impl Carrier {
    /// `answers` says with which status, by how many calls there were before.
    async fn start(answers: fn(u32) -> u16) -> Self {
        let seen = Arc::new(Seen { answers, calls: AtomicU32::new(0), bodies: Mutex::default() });
        let router = Router::new().route("/{*path}", post(take)).with_state(Arc::clone(&seen));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, seen }
    }

    fn bodies(&self) -> Vec<(Option<String>, Value)> {
        self.seen.bodies.lock().unwrap().clone()
    }

    fn calls(&self) -> u32 {
        self.seen.calls.load(Ordering::SeqCst)
    }
}

async fn take(State(seen): State<Arc<Seen>>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let status = (seen.answers)(seen.calls.fetch_add(1, Ordering::SeqCst));
    let key = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    seen.bodies.lock().unwrap().push((key, body));
    StatusCode::from_u16(status).unwrap()
}

/// Status, attempts and whether the text is still there, by channel.
async fn rows(world: &World, channel: &str) -> Vec<(String, i32, bool)> {
    sqlx::query_as(
        "SELECT status, attempts, content IS NOT NULL FROM notices WHERE channel = $1 ORDER BY created_at, id",
    )
    .bind(channel)
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

/// Waits until all messages of the channel have ended, and moves the clock on meanwhile: retries become due.
async fn ended(world: &World, channel: &str, seconds_a_look: i64) -> Vec<(String, i32, bool)> {
    until("the end of all messages", async || {
        world.advance(seconds_a_look);
        let rows = rows(world, channel).await;
        rows.iter().all(|row| row.0 != "pending").then_some(rows)
    })
    .await
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_later_and_its_text_erased() {
    let carrier = Carrier::start(|before| if before < 3 { 503 } else { 201 }).await;
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig {
            email: EmailConfig::Mailbox { url: carrier.address.clone() },
            ..NoticeConfig::mailbox(NOWHERE, Duration::from_secs(5))
        };
    })
    .await;
    world.register(1).await;
    assert_eq!(ended(&world, "email", 1).await, [("sent".to_owned(), 4, false)]);
    let bodies = carrier.bodies();
    assert_eq!((bodies.len(), &bodies[0].1), (4, &bodies[3].1));
    assert_eq!(rows(&world, "sms").await[0].0, "pending", "one channel does not wait for the other");
}

#[tokio::test]
async fn what_has_expired_is_given_up_and_its_text_erased() {
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig::mailbox(NOWHERE, Duration::from_secs(1));
    })
    .await;
    world.register(1).await;
    let rows = ended(&world, "sms", 60).await;
    assert!(rows.len() == 1 && !rows[0].2 && ["failed", "expired"].contains(&rows[0].0.as_str()), "{rows:?}");
}

/// The carrier works again by then.
#[tokio::test]
async fn a_code_that_has_expired_is_not_sent() {
    let carrier = Carrier::start(|before| if before == 0 { 503 } else { 201 }).await;
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig {
            sms: SmsConfig::Mailbox { url: carrier.address.clone() },
            ..NoticeConfig::mailbox(NOWHERE, Duration::from_secs(1))
        };
    })
    .await;
    world.register(1).await;
    // While an attempt is under way, the next one is when its lease of a minute ends; once it has failed, sooner.
    let failed = "SELECT true FROM notices WHERE channel = 'sms' AND attempts = 1 AND next_attempt_at < created_at + interval '1 minute'";
    until("a failed attempt", async || {
        sqlx::query_scalar::<_, bool>(failed).fetch_optional(&world.db.pool).await.unwrap()
    })
    .await;
    world.advance(601);
    assert_eq!(ended(&world, "sms", 0).await[0].0, "expired");
    assert_eq!(carrier.calls(), 1);
}

#[tokio::test]
async fn more_sms_than_the_hour_allows_wait() {
    let carrier = Carrier::start(|_| 201).await;
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig::mailbox(&carrier.address, Duration::from_secs(5));
        config.notices.sms_an_hour = 2;
    })
    .await;
    for index in 1..=3 {
        world.register(index).await;
    }
    ended(&world, "email", 0).await;
    let sent = until("two messages", async || {
        let rows = rows(&world, "sms").await;
        let sent = rows.iter().filter(|row| row.0 == "sent").count();
        (sent == 2).then_some(rows)
    })
    .await;
    assert_eq!(sent.iter().filter(|row| row.0 == "pending").count(), 1, "{sent:?}");
    // A code would have expired by the end of the hour; what is worth reading for longer goes out.
    sqlx::query("UPDATE notices SET expires_at = expires_at + interval '1 day' WHERE status = 'pending'")
        .execute(&world.db.pool)
        .await
        .unwrap();
    world.advance(3601);
    assert!(ended(&world, "sms", 0).await.iter().all(|row| row.0 == "sent"));
}

#[tokio::test]
async fn two_instances_send_a_message_once() {
    let carrier = Carrier::start(|_| 201).await;
    let world = World::configured(true, |config| {
        config.notices = NoticeConfig::mailbox(&carrier.address, Duration::from_secs(5));
    })
    .await;
    world.second_instance().await;
    for person in 1..=10 {
        world.register(person).await;
    }
    ended(&world, "email", 0).await;
    ended(&world, "sms", 0).await;
    assert_eq!(carrier.calls(), 20);
}

#[tokio::test]
async fn an_sms_goes_to_the_carrier_with_our_key_and_a_refusal_ends_it() {
    let carrier = Carrier::start(|before| if before == 0 { 200 } else { 422 }).await;
    let world = World::configured(true, |config| {
        config.notices.sms = SmsConfig::Http(HttpSmsConfig {
            url: format!("{}/v1/messages", carrier.address).parse().unwrap(),
            api_key: "sms-key".into(),
            sender: "Wallet".to_owned(),
        });
    })
    .await;
    let person = world.register(1).await;
    assert_eq!(ended(&world, "sms", 0).await, [("sent".to_owned(), 1, false)]);
    let (key, body) = carrier.bodies().remove(0);
    assert_eq!(key.as_deref(), Some("Bearer sms-key"));
    assert_eq!((&body["to"], &body["from"]), (&json!(person.phone), &json!("Wallet")));
    assert!(body["text"].as_str().unwrap().contains("is your code"), "{body}");
    assert!(body["reference"].is_string() && body.as_object().unwrap().len() == 4, "{body}");
    world.register(2).await;
    let rows = ended(&world, "sms", 0).await;
    assert_eq!(rows[1], ("failed".to_owned(), 1, false), "trying again does not help");
}

/// A mail server as far as it is needed: answers `550` to recipients that begin with `person2`, and keeps the letters.
async fn mail_server(letters: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, Arc::clone(&letters)));
        }
    });
    port
}

async fn talk(mut stream: TcpStream, letters: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mail.example.com\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap().to_uppercase().as_str() {
            "EHLO" => "250-mail.example.com\r\n250 AUTH PLAIN",
            "AUTH" if line == "AUTH PLAIN AHVzZXIAczNjcmV0" => "235 welcome",
            "RCPT" if line.contains("<person2@") => "550 5.1.1 <person2@example.com> is nobody",
            "MAIL" | "RCPT" | "NOOP" | "RSET" => "250 ok",
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut letter = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.push_str(&line);
                    letter.push('\n');
                }
                letters.lock().unwrap().push(letter);
                "250 taken"
            }
            "QUIT" => return writer.write_all(b"221 bye\r\n").await,
            _ => "500 what?",
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_e_mail_goes_to_the_mail_server_and_a_refusal_ends_it() {
    let letters = Arc::new(Mutex::new(Vec::new()));
    let port = mail_server(Arc::clone(&letters)).await;
    let world = World::configured(true, |config| {
        config.notices.email = EmailConfig::Smtp(Box::new(SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: SmtpEncryption::Off,
            credentials: Some(("user".to_owned(), "s3cret".into())),
            from: "Wallet <no-reply@example.com>".parse().unwrap(),
        }));
        config.notices.timeout = Duration::from_secs(5);
    })
    .await;
    world.register(1).await;
    assert_eq!(ended(&world, "email", 0).await, [("sent".to_owned(), 1, false)]);
    let letter = letters.lock().unwrap()[0].clone();
    for line in ["From: Wallet <no-reply@example.com>", "To: person1@example.com", "Subject: Your code"] {
        assert!(letter.lines().any(|found| found == line), "{line}\n{letter}");
    }
    assert!(letter.contains("is your code") && letter.contains("Message-ID: <"), "{letter}");
    world.register(2).await;
    assert_eq!(ended(&world, "email", 0).await[1], ("failed".to_owned(), 1, false));
}

/// Without encryption nothing is said to a server elsewhere, and a server that cannot encrypt is not used.
#[tokio::test]
async fn a_mail_server_that_cannot_encrypt_gets_nothing() {
    let letters = Arc::new(Mutex::new(Vec::new()));
    let port = mail_server(Arc::clone(&letters)).await;
    let world = World::configured(true, |config| {
        config.notices.email = EmailConfig::Smtp(Box::new(SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: SmtpEncryption::StartTls,
            credentials: None,
            from: "Wallet <no-reply@example.com>".parse().unwrap(),
        }));
    })
    .await;
    world.register(1).await;
    until("an attempt", async || (rows(&world, "email").await[0].1 > 0).then_some(())).await;
    let rows = ended(&world, "email", 60).await;
    assert_ne!(rows[0].0, "sent");
    assert!(letters.lock().unwrap().is_empty());
}
