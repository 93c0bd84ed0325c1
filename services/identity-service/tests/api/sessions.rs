//! `POST /refresh` and `/logout`.

use std::collections::HashSet;

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, invalid, refusal};

const WEEK: i64 = 7 * 86_400;

#[tokio::test]
async fn each_refresh_gives_new_tokens() {
    let world = World::start().await;
    let person = world.register(1).await;
    let mut tokens = vec![person.refresh.clone()];
    for _ in 0..4 {
        world.advance(600);
        let refreshed = world.refresh(tokens.last().unwrap()).await;
        assert_eq!(refreshed.body["tokens"]["expiresIn"], 900);
        assert_eq!(world.me(refreshed.body["tokens"]["accessToken"].as_str().unwrap()).await.status, 200);
        tokens.push(refreshed.refresh_token());
    }
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 5);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() {
    let world = World::start().await;
    let first = world.register(1).await.refresh;
    let second = world.refresh(&first).await.refresh_token();
    world.advance(10);
    assert_eq!(world.refresh(&first).await.refresh_token(), second);
    let third = world.refresh(&second).await.refresh_token();
    assert_ne!(third, second);
}

#[tokio::test]
async fn later_the_used_token_ends_the_family() {
    let world = World::start().await;
    let person = world.register(1).await;
    let other_device = world
        .post("/login", &json!({ "identifier": person.email, "password": PASSWORD }))
        .await
        .refresh_token();
    let second = world.refresh(&person.refresh).await.refresh_token();
    world.advance(11);
    for token in [&person.refresh, &second, &person.refresh] {
        assert_eq!(world.refresh(token).await.code(), refusal(401, "unauthenticated"));
    }
    assert_eq!(world.refresh(&other_device).await.status, 200, "another session goes on");
    let reason: String = sqlx::query_scalar("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(reason, "reuse");
    let told = "SELECT count(*) FROM notices WHERE kind = 'session_copied'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(told, 1, "its owner is told once, however often the token comes");
}

#[tokio::test]
async fn an_older_token_ends_the_family_at_once() {
    let world = World::start().await;
    let first = world.register(1).await.refresh;
    let second = world.refresh(&first).await.refresh_token();
    let third = world.refresh(&second).await.refresh_token();
    assert_eq!(world.refresh(&first).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.refresh(&third).await.code(), refusal(401, "unauthenticated"));
}

#[tokio::test]
async fn a_session_ends_after_a_week_whatever_was_refreshed() {
    let world = World::start().await;
    let mut token = world.register(1).await.refresh;
    for _ in 0..6 {
        world.advance(86_400);
        token = world.refresh(&token).await.refresh_token();
    }
    world.advance(86_400 - 60);
    let last = world.refresh(&token).await;
    assert_eq!(last.body["tokens"]["expiresIn"], 60, "an access token does not outlive its session");
    world.advance(60);
    assert_eq!(world.refresh(&last.refresh_token()).await.code(), refusal(401, "token_expired"));
    assert_eq!(
        world.me(last.body["tokens"]["accessToken"].as_str().unwrap()).await.code(),
        refusal(401, "token_expired")
    );
}

#[tokio::test]
async fn many_at_the_same_moment_get_one_successor() {
    let world = World::start().await;
    let mut token = world.register(1).await.refresh;
    for _ in 0..5 {
        let answers = futures::future::join_all((0..8).map(|_| world.refresh(&token))).await;
        let successors: HashSet<_> = answers.iter().map(Answer::refresh_token).collect();
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().unwrap();
    }
    let tokens: i64 =
        sqlx::query_scalar("SELECT count(*) FROM refresh_tokens").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(tokens, 6);
    let sealed: i64 = sqlx::query_scalar("SELECT count(sealed_successor) FROM refresh_tokens")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(sealed, 1, "only the last but one can be answered again");
}

/// What a client may do next: wait, or present one of the tokens it has seen (counted from the newest).
fn steps() -> impl Strategy<Value = Vec<(i64, usize)>> {
    let wait = prop_oneof![4 => 0_i64..=10, 2 => 11_i64..600, 1 => Just(WEEK)];
    let which = prop_oneof![5 => Just(0_usize), 3 => Just(1_usize), 1 => 2_usize..4];
    prop::collection::vec((wait, which), 1..10)
}

/// The rule, in a few lines of its own: which answer each step must get.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    rotated_at: i64,
    tokens: usize,
    ended: bool,
}

impl Model {
    fn present(&mut self, wait: i64, back: usize) -> &'static str {
        self.now += wait;
        if self.ended {
            return "unauthenticated";
        }
        if self.now >= WEEK {
            return "token_expired";
        }
        match back {
            0 => {
                self.tokens += 1;
                self.rotated_at = self.now;
                "new"
            }
            1 if self.now - self.rotated_at <= 10 => "same",
            _ => {
                self.ended = true;
                "unauthenticated"
            }
        }
    }
}

#[test]
fn whatever_is_presented_when_follows_the_rule() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    let people = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() });
    runner
        .run(&steps(), |steps| {
            people.set(people.get() + 1);
            runtime.block_on(follow(&world, people.get(), &steps));
            Ok(())
        })
        .unwrap();
    // The database goes first, inside its runtime.
    runtime.block_on(async move { drop(world) });
}

async fn follow(world: &World, index: u32, steps: &[(i64, usize)]) {
    let mut tokens = vec![world.register(index).await.refresh];
    let mut model = Model { tokens: 1, ..Model::default() };
    for (wait, back) in steps {
        let back = (*back).min(tokens.len() - 1);
        world.advance(*wait);
        let expected = model.present(*wait, back);
        let answer = world.refresh(&tokens[tokens.len() - 1 - back]).await;
        match expected {
            "new" => tokens.push(answer.refresh_token()),
            "same" => assert_eq!(Some(&answer.refresh_token()), tokens.last()),
            code => assert_eq!(answer.code(), refusal(401, code)),
        }
        assert_eq!(tokens.len(), model.tokens);
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_refused() {
    let world = World::start().await;
    let person = world.register(1).await;
    let foreign = "A".repeat(43);
    for wrong in ["", "x", "\u{1}", &foreign, &person.access, &format!("{}=", person.refresh)] {
        assert_eq!(world.refresh(wrong).await.code(), refusal(401, "unauthenticated"), "{wrong:?}");
    }
    let problem = async |body: Value| world.post("/refresh", &body).await.problem();
    assert_eq!(problem(json!({})).await, invalid("refreshToken", "required"));
    assert_eq!(problem(json!({ "refreshToken": 7 })).await, invalid("refreshToken", "wrong_type"));
    assert_eq!(problem(json!({ "refreshToken": "x", "y": 1 })).await, invalid("y", "unknown_field"));
}

async fn log_out(world: &World, person: &Person, token: &str) -> u16 {
    world.post_as(&person.access, "/logout", &json!({ "refreshToken": token })).await.status
}

#[tokio::test]
async fn logging_out_ends_the_session_once_and_for_all() {
    let world = World::start().await;
    let person = world.register(1).await;
    let second = world.refresh(&person.refresh).await.refresh_token();
    assert_eq!(log_out(&world, &person, &second).await, 204);
    assert_eq!(log_out(&world, &person, &second).await, 204);
    for token in [&second, &person.refresh] {
        assert_eq!(world.refresh(token).await.code(), refusal(401, "unauthenticated"));
    }
    let reason: String =
        sqlx::query_scalar("SELECT end_reason FROM sessions").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(reason, "logout");
}

#[tokio::test]
async fn logging_out_reaches_no_stranger() {
    let world = World::start().await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    assert_eq!(log_out(&world, &person, &stranger.refresh).await, 204);
    assert_eq!(world.refresh(&stranger.refresh).await.status, 200);
    assert_eq!(world.refresh(&person.refresh).await.code(), refusal(401, "unauthenticated"));
    let nobody = world.post("/logout", &json!({ "refreshToken": stranger.refresh })).await;
    assert_eq!(nobody.code(), refusal(401, "unauthenticated"));
}
