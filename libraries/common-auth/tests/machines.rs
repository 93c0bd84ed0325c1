//! Tokens of machines: they reach what is open to them by scope, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    routing::get,
};
use common_auth::{
    Claims, CurrentUser, LeavingUser, PersonOrMachine, Role, Scopes,
    claims::{AUDIENCE, MACHINE_AUDIENCE},
    scopes::{TransfersWrite, WalletsRead},
    signing::TokenSigner,
    testing::{self, Callers},
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    ids::{self, UserId},
};
use serde_json::Value;
use tower::ServiceExt;

struct World {
    clock: Arc<ManualClock>,
    signer: TokenSigner,
    router: Router,
    _keys: tempfile::TempDir,
}

fn world() -> World {
    let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
    let shared: SharedClock = Arc::clone(&clock) as SharedClock;
    let (signer, keys) = (TokenSigner::ephemeral().unwrap(), tempfile::tempdir().unwrap());
    let services = Callers::of("wallet-service", keys.path(), &shared).tokens().unwrap();
    let router = Router::new()
        .route("/read", get(async |user: PersonOrMachine<WalletsRead>| user.id.to_string()))
        .route("/write", get(async |user: PersonOrMachine<TransfersWrite>| user.id.to_string()))
        .route("/person", get(async |user: CurrentUser| user.id.to_string()))
        .route("/leave", get(async |user: LeavingUser| user.0.id.to_string()))
        .with_state(testing::authenticator(&signer, services, &shared));
    World { clock, signer, router, _keys: keys }
}

impl World {
    fn machine(&self, user: UserId, scopes: &str) -> Claims {
        testing::machine_claims(user, scopes.parse::<Scopes>().unwrap(), self.clock.now())
    }

    async fn status(&self, path: &str, claims: &Claims) -> StatusCode {
        let token = self.signer.sign(claims).unwrap();
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
    }
}

#[tokio::test]
async fn a_machine_reaches_what_its_scopes_name_and_nothing_else() {
    let world = world();
    let machine = world.machine(UserId::new(), "wallets:read");
    for (path, expected) in [("/read", 200), ("/write", 403), ("/person", 403), ("/leave", 403)] {
        assert_eq!(world.status(path, &machine).await, expected, "{path}");
    }
    let without = world.machine(UserId::new(), "");
    assert_eq!(world.status("/read", &without).await, 403);
    let person = testing::claims(UserId::new(), world.clock.now());
    for path in ["/read", "/write", "/person", "/leave"] {
        assert_eq!(world.status(path, &person).await, 200, "{path}");
    }
}

/// The audience decides what a token is. One that says both, or half of it, is none: an older service, which knows the
/// audience alone, and this one never see different things in it.
#[tokio::test]
async fn a_token_that_is_half_a_machines_is_none() {
    let world = world();
    let machine = world.machine(UserId::new(), "wallets:read");
    let person = testing::claims(UserId::new(), world.clock.now());
    for claims in [
        Claims { aud: AUDIENCE.to_owned(), ..machine.clone() },
        Claims { aud: AUDIENCE.to_owned(), scope: None, ..machine.clone() },
        Claims { aud: AUDIENCE.to_owned(), client_id: None, ..machine.clone() },
        Claims { client_id: None, ..machine.clone() },
        Claims { scope: None, ..machine.clone() },
        Claims { roles: vec![Role::Admin], ..machine.clone() },
        Claims { aud: MACHINE_AUDIENCE.to_owned(), ..person.clone() },
        Claims { client_id: Some(ids::new_id()), ..person.clone() },
    ] {
        for path in ["/read", "/write", "/person", "/leave"] {
            assert_eq!(world.status(path, &claims).await, 401, "{path} {claims:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_scope() {
    let world = world();
    let router = common_utils::http::with_context(world.router.clone());
    let token = world.signer.sign(&world.machine(UserId::new(), "wallets:read")).unwrap();
    for (path, challenge) in [
        ("/write", r#"Bearer error="insufficient_scope", scope="transfers:write""#),
        ("/person", r#"Bearer error="insufficient_scope""#),
    ] {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], challenge);
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["code"], "insufficient_scope");
    }
}
