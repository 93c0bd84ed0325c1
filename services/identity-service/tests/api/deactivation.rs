//! `POST /me/deactivate`, and opening the account again.

use serde_json::json;

use crate::{
    command::run,
    mailbox,
    support::{PASSWORD, World, invalid, refusal},
};

#[tokio::test]
async fn an_account_that_its_owner_closed_lets_nobody_in() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let deactivate = async |password: &str| {
        world.post_as(&person.access, "/me/deactivate", &json!({ "currentPassword": password })).await
    };
    assert_eq!(deactivate("wrong").await.problem(), invalid("currentPassword", "wrong_password"));
    assert_eq!(deactivate(PASSWORD).await.status, 204);
    assert_eq!(deactivate(PASSWORD).await.code(), refusal(401, "unauthenticated"), "the session has ended");
    let login = json!({ "identifier": person.email, "password": PASSWORD });
    assert_eq!(world.post("/login", &login).await.code(), refusal(403, "forbidden"));
    assert_eq!(world.refresh(&person.refresh).await.code(), refusal(401, "unauthenticated"));
    mailbox.told(&person.email, 2, "was deactivated").await;
    assert_eq!(world.events("identity.session.ended").await[0]["data"]["reason"], "deactivated");
    for kind in ["identity.user.deactivated", "identity.user.updated"] {
        let events = world.events(kind).await;
        assert_eq!((events.len(), &events[0]["data"]["status"]), (1, &json!("closed")), "{kind}");
    }

    let (status, text) = run(&world, &["reactivate", "--email", &person.email], "").await;
    assert!(status == 0 && text.contains("is active again"), "{text}");
    assert_eq!(world.post("/login", &login).await.status, 200);
    assert_eq!(
        world.refresh(&person.refresh).await.code(),
        refusal(401, "unauthenticated"),
        "sessions stay ended"
    );
    assert_eq!(world.events("identity.user.updated").await[1]["data"]["status"], "active");
    let (status, text) = run(&world, &["reactivate", "--email", &person.email], "").await;
    assert!(status == 0 && text.contains("already"), "{text}");
}

#[tokio::test]
async fn nobody_opens_what_somebody_else_has_closed() {
    let world = World::start().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    let body = json!({ "currentPassword": PASSWORD });
    let refused = world.post_as(&person.access, "/me/deactivate", &body).await;
    assert_eq!(refused.code(), refusal(403, "forbidden"));
    let (status, text) = run(&world, &["reactivate", "--email", &person.email], "").await;
    assert!(status == 2 && text.contains("suspended"), "{text}");
    let (status, text) = run(&world, &["reactivate", "--email", "nobody@example.com"], "").await;
    assert!(status == 4 && text.contains("no account"), "{text}");
}
