//! Locks in Redis: one owner at a time, and everybody where there is no Redis.

use common_events::{
    dedup,
    lock::Locks,
    testing::{no_redis, redis},
};
use common_utils::ids;

#[tokio::test]
async fn a_lock_has_one_owner_and_each_a_greater_token() {
    let locks = Locks::new(dedup::connect(&redis()).unwrap(), &format!("test-{}-", ids::new_id()));
    let first = locks.take("work").await.expect("nobody has it");
    assert!(locks.take("work").await.is_none());
    assert!(locks.take("other work").await.is_some());
    let token = first.fence();
    assert!(token.is_some());
    locks.release(first).await;
    let second = locks.take("work").await.expect("it was released");
    assert!(second.fence() > token);
}

#[tokio::test]
async fn who_has_lost_a_lock_does_not_take_it_away_from_the_next() {
    let prefix = format!("test-{}-", ids::new_id());
    let mut redis_itself = dedup::connect(&redis()).unwrap();
    let locks = Locks::new(redis_itself.clone(), &prefix);
    let late = locks.take("work").await.expect("nobody has it");
    // As if its time were over.
    let gone: i64 =
        redis::cmd("DEL").arg(format!("lock:{prefix}work")).query_async(&mut redis_itself).await.unwrap();
    assert_eq!(gone, 1);
    let next = locks.take("work").await.expect("its time was over");
    locks.release(late).await;
    assert!(locks.take("work").await.is_none());
    locks.release(next).await;
    assert!(locks.take("work").await.is_some());
}

#[tokio::test]
async fn without_redis_nobody_is_kept_from_working() {
    let locks = Locks::new(dedup::connect(&no_redis()).unwrap(), "");
    let lock = locks.take("work").await.expect("nobody can say no");
    assert_eq!(lock.fence(), None);
    assert!(locks.take("work").await.is_some());
    locks.release(lock).await;
}
