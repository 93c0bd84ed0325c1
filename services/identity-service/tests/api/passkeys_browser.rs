//! Passkeys in Chromium, with the script that pages use (`passkeys.js`).

use serde_json::{Value, json};

use crate::{
    browser::Browser,
    factors::claims,
    passkeys::renew,
    support::{PASSWORD, Person, World},
};

const SCRIPT: &str = include_str!("passkeys.js");

/// A service whose passkeys are used on its own pages, and a browser on one of them.
async fn open() -> (World, Browser) {
    let world = World::configured(false, |config| {
        let page = format!("http://localhost:{}", config.listen.port);
        config.passkeys.origins = vec![page.parse().unwrap()];
    })
    .await;
    let page = world.address.replace("127.0.0.1", "localhost") + "/health/live";
    let mut browser = Browser::open(&page).await;
    browser.run(SCRIPT).await.unwrap();
    (world, browser)
}

fn token(answer: &Value) -> &str {
    answer["tokens"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// Makes the first passkey of somebody.
fn with_password(token: &str) -> String {
    format!("registerPasskey({token:?}, 'Laptop', {PASSWORD:?})")
}

#[tokio::test]
async fn a_browser_makes_a_passkey_signs_in_with_it_and_proves_anew_who_is_there() {
    let (world, mut browser) = open().await;
    let person = world.register(1).await;
    let mut elsewhere = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let register = |token: &str| format!("registerPasskey({token:?}, 'Laptop')");
    let refused = browser.run(&register(&person.access)).await.unwrap_err();
    assert_eq!(refused, "Error: 422 validation_failed", "the password is missing");
    let made = browser.run(&with_password(&person.access)).await.unwrap();
    assert_eq!((&made["passkey"]["name"], browser.passkeys().await), (&json!("Laptop"), 1), "{made}");

    let signed_in = browser.run("usePasskey('sign-in')").await.unwrap();
    assert_eq!(signed_in["user"]["id"], person.id);
    assert_eq!(claims(token(&signed_in))["amr"], json!(["hwk"]));

    // The session of the password is asked for more before it may make another passkey.
    renew(&world, &mut elsewhere).await;
    let weak = elsewhere.access;
    let refused = browser.run(&register(&weak)).await.unwrap_err();
    assert_eq!(refused, "Error: 403 step_up_required");
    let proved = browser.run(&format!("usePasskey('step-up', {weak:?})")).await.unwrap();
    assert_eq!(claims(token(&proved))["acr"], "aal2");
    // By then it is the authenticator that makes no second one.
    let refused = browser.run(&register(token(&proved))).await.unwrap_err();
    assert!(refused.starts_with("InvalidStateError"), "{refused}");
    assert_eq!(browser.passkeys().await, 1);
}

#[tokio::test]
async fn a_browser_signs_nobody_in_who_does_not_show_a_finger_or_has_no_passkey() {
    let (world, mut browser) = open().await;
    let person = world.register(1).await;
    browser.run(&with_password(&person.access)).await.unwrap();
    browser.verify_user(false).await;
    let refused = browser.run("usePasskey('sign-in')").await.unwrap_err();
    assert!(refused.starts_with("NotAllowedError"), "{refused}");
    browser.verify_user(true).await;
    assert_eq!(browser.run("usePasskey('sign-in')").await.unwrap()["user"]["id"], person.id);
    // A passkey that the service does not know any more.
    sqlx::query("DELETE FROM passkeys").execute(&world.db.pool).await.unwrap();
    let refused = browser.run("usePasskey('sign-in')").await.unwrap_err();
    assert_eq!(refused, "Error: 401 passkey_rejected");
}
