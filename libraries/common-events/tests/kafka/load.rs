//! Business that goes on while something happens, and the comparison of what it wrote with what came of it.

use std::{collections::BTreeMap, time::Duration};

use common_db::PgPool;
use common_utils::ids;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, count, register_in_op, until};

const WRITERS: usize = 3;
const PEOPLE_OF_A_WRITER: usize = 9;
const PACE: Duration = Duration::from_millis(10);
const EFFECTS: &str = "SELECT count(*) FROM names";

/// Transactions, each of one person, some of which are rolled back.
pub(crate) struct Load {
    stop: CancellationToken,
    writers: JoinSet<()>,
}

impl Load {
    pub(crate) fn start(world: &World) -> Self {
        let stop = CancellationToken::new();
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(world.db.pool.clone(), stop.clone()));
        }
        Self { stop, writers }
    }

    pub(crate) async fn finish(self) {
        self.stop.cancel();
        self.writers.join_all().await;
    }
}

async fn write(pool: PgPool, stop: CancellationToken) {
    let people: Vec<Uuid> = (0..PEOPLE_OF_A_WRITER).map(|_| ids::new_id()).collect();
    for number in 0_usize.. {
        let names: Vec<String> = (0..=number % 3).map(|part| format!("{number}.{part}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut op = match common_db::begin(&pool).await {
            Ok(op) => op,
            // On a machine that is busy with other tests: a client would be told 503, and come again.
            Err(sqlx::Error::PoolTimedOut) => continue,
            Err(error) => panic!("{error}"),
        };
        register_in_op(&mut op, people[number % people.len()], &names).await;
        if number % 7 == 6 {
            drop(op);
        } else {
            op.commit().await.unwrap();
        }
        if stop.run_until_cancelled(tokio::time::sleep(PACE)).await.is_none() {
            return;
        }
    }
}

/// What was told of each person, in its order.
type Told = BTreeMap<String, Vec<String>>;

const BUSINESS: &str =
    "SELECT user_id::text, array_agg(name ORDER BY place) FROM registrations GROUP BY user_id";
const PUBLISHED: &str = "SELECT key, array_agg(payload::json -> 'data' ->> 'firstName' ORDER BY position) FROM outbox GROUP BY key";
const TAKEN_IN: &str = "SELECT user_id::text, array_agg(name ORDER BY place) FROM names GROUP BY user_id";
/// Events that are in one of the two and not in the other.
const BETWEEN: &str = "SELECT count(*) FROM outbox
    FULL JOIN (SELECT event_id FROM inbox WHERE consumer = 'names') AS had USING (event_id)
    WHERE outbox.position IS NULL OR had.event_id IS NULL";

impl World {
    /// Waits until this many more effects are there than now.
    pub(crate) async fn more_effects(&self, more: i64) {
        let wanted = count(&self.db.pool, EFFECTS).await + more;
        until("more effects", async || count(&self.db.pool, EFFECTS).await >= wanted).await;
    }

    /// Everything that the business wrote took effect, once and in the order of its person, and nothing else did: what its table
    /// says, what the outbox says, and what the consumer's tables say.
    pub(crate) async fn agrees(&self) {
        let people = sqlx::query_scalar("SELECT DISTINCT user_id FROM registrations");
        let people: Vec<Uuid> = people.fetch_all(&self.db.pool).await.unwrap();
        // Behind all that might come a second time.
        for person in people {
            self.register(person, &["last"]).await;
        }
        let wanted = count(&self.db.pool, "SELECT count(*) FROM registrations").await;
        until("all effects", async || count(&self.db.pool, EFFECTS).await >= wanted).await;
        until("all marked", async || self.unpublished().await == 0).await;
        let business = self.told(BUSINESS).await;
        for (what, query) in [("the outbox", PUBLISHED), ("the effects", TAKEN_IN)] {
            let told = self.told(query).await;
            for (person, names) in &business {
                assert_eq!(told.get(person), Some(names), "{what} of {person}");
            }
            assert_eq!(told.len(), business.len(), "{what} of people whom nobody knows");
        }
        assert_eq!(count(&self.db.pool, BETWEEN).await, 0, "the inbox is not the outbox");
    }

    async fn told(&self, query: &'static str) -> Told {
        let rows: Vec<(String, Vec<String>)> = sqlx::query_as(query).fetch_all(&self.db.pool).await.unwrap();
        rows.into_iter().collect()
    }
}
