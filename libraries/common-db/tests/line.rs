//! A line beside the pool that its connection is of.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use common_db::{Line, migrate::Migrations, testing::TestDb};

#[tokio::test]
async fn those_who_use_a_line_at_the_same_time_give_the_pool_back_what_is_its_own() {
    let db = TestDb::create("common", &Migrations::common()).await;
    let line = Line::new(db.pool.clone());
    let most = db.pool.options().get_max_connections();
    let mut lent = Vec::new();
    for _ in 0..most {
        lent.push(line.take().await.unwrap());
    }
    for one in lent {
        line.keep(one);
    }
    let mut acquired = Vec::new();
    for _ in 1..most {
        acquired.push(db.pool.acquire().await.unwrap());
    }
    // The last one is the line's.
    line.take().await.unwrap();
}
