//! The database goes away, is slow or full in the middle of a batch: everybody who waits for that batch is told so in the
//! words of the contract, and a later attempt succeeds once.

use std::{os::unix::fs::MetadataExt, process::Command, sync::Arc};

use common_db::Op;
use futures::future::join_all;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    PEOPLE,
    cluster::{Cluster, Shape},
    load::{Answer, Outcome, TOO_MUCH, Told, Wish},
};
use crate::customers::Customer;

const AMOUNT: i64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_in_the_middle_of_a_batch_is_503_and_a_retry_succeeds_once() {
    let cluster = Cluster::start(Shape::Apart).await;
    let people = cluster.people(PEOPLE).await;
    let faults = Faults { cluster, people };
    let mut told = faults.slow().await;
    told.extend(faults.gone().await);
    told.extend(faults.gone_at_the_commit().await);
    told.extend(faults.full().await);
    faults.cluster.settled(PEOPLE).await;
    faults.cluster.check(&faults.people, &told, &[]).await;
}

struct Faults {
    cluster: Arc<Cluster>,
    people: Arc<Vec<Customer>>,
}

impl Faults {
    /// Somebody holds all balances for longer than anybody has time.
    async fn slow(&self) -> Vec<Told> {
        let wishes = wishes("slow", 20);
        let lock = self.lock_balances().await;
        let answers = self.send(&wishes).await;
        lock.rollback().await.unwrap();
        all_put_off(&answers);
        self.insist(wishes).await
    }

    /// The server dies while a batch waits for a lock, and others for that batch.
    async fn gone(&self) -> Vec<Told> {
        let wishes = wishes("gone", 40);
        let lock = self.lock_balances().await;
        let crash = self.crash_when("wait_event_type = 'Lock'");
        let (answers, ()) = tokio::join!(self.send(&wishes), crash);
        drop(lock);
        all_put_off(&answers);
        self.cluster.postgres.start().await;
        self.cluster.ready().await;
        self.insist(wishes).await
    }

    /// The server dies when a batch is written and its commit is about to come, and is back at once: if the ledger took that
    /// commit for done, everybody else would have time to believe it.
    async fn gone_at_the_commit(&self) -> Vec<Told> {
        for wallet in self.cluster.of("wallet-service") {
            self.cluster.arm(wallet, "ledger.before_commit", 0, "sleep(1500)");
        }
        self.cluster.ready().await;
        // Some are refused, so that batches are decided under lock: only those have a moment between the writing and the
        // commit.
        let mut wishes = wishes("commit", 40);
        wishes.iter_mut().step_by(4).for_each(|wish| wish.amount = TOO_MUCH);
        let crash = async {
            let stands =
                "state = 'idle in transaction' AND state_change < clock_timestamp() - interval '300 ms'";
            self.crash_when(stands).await;
            self.cluster.postgres.start().await;
        };
        let (answers, ()) = tokio::join!(self.send(&wishes), crash);
        self.cluster.disarm();
        self.cluster.ready().await;
        let mut told = Vec::new();
        for (wish, answer) in wishes.into_iter().zip(answers) {
            match answer {
                Answer::Known(outcome) => told.push(Told { wish, outcome, was_in_doubt: false }),
                _ => told.extend(self.insist(vec![wish]).await),
            }
        }
        told
    }

    /// Crashes the server when a session on the ledger's database is as described.
    async fn crash_when(&self, described: &str) {
        let sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND";
        let query = format!("{sessions} {described}");
        let found = async || {
            let query = sqlx::query(sqlx::AssertSqlSafe(query.as_str()));
            query.fetch_optional(&self.cluster.wallets).await.unwrap().is_some()
        };
        self.cluster.platform.until("a batch that waits", found).await;
        self.cluster.crash_postgres();
    }

    /// No room for another page of entries, until there is.
    async fn full(&self) -> Vec<Told> {
        let Some(disk) = SmallDisk::mount(&self.cluster).await else { return Vec::new() };
        let room = disk.fill();
        let mut told = Vec::new();
        loop {
            let wish = Wish { key: format!("full-{}", told.len()), from: 0, to: 1, amount: AMOUNT };
            let answers = self.send(std::slice::from_ref(&wish)).await;
            let Answer::Known(outcome) = answers[0] else {
                all_put_off(&answers);
                std::fs::remove_file(room).unwrap();
                told.extend(self.insist(vec![wish]).await);
                break;
            };
            told.push(Told { wish, outcome, was_in_doubt: false });
        }
        disk.leave(&self.cluster).await;
        told
    }

    async fn lock_balances(&self) -> Op {
        let mut lock = self.cluster.wallets.begin().await.unwrap();
        sqlx::query("SELECT 1 FROM balances FOR UPDATE").execute(&mut *lock).await.unwrap();
        lock
    }

    /// Each once, all at the same time, to both instances by turns.
    async fn send(&self, wishes: &[Wish]) -> Vec<Answer> {
        let instances = self.cluster.of("transaction-service");
        let places = wishes.iter().zip(instances.into_iter().cycle());
        join_all(places.map(|(wish, instance)| wish.send(&self.cluster, instance, &self.people))).await
    }

    async fn insist(&self, wishes: Vec<Wish>) -> Vec<Told> {
        let insist = |wish: Wish| async move {
            let mut random = StdRng::seed_from_u64(0);
            wish.insist(&self.cluster, &self.people, &mut random).await
        };
        let told = join_all(wishes.into_iter().map(insist)).await;
        let as_expected = |told: &Told| (told.outcome == Outcome::Refused) == (told.wish.amount == TOO_MUCH);
        assert!(told.iter().all(as_expected), "{told:?}");
        told
    }
}

fn wishes(name: &str, count: usize) -> Vec<Wish> {
    let wish = |number| Wish {
        key: format!("{name}-{number}"),
        from: number % PEOPLE,
        to: (number + 1) % PEOPLE,
        amount: AMOUNT,
    };
    (0..count).map(wish).collect()
}

fn all_put_off(answers: &[Answer]) {
    let put_off = Answer::NotNow("dependency_unavailable");
    assert!(answers.iter().all(|answer| *answer == put_off), "{answers:?}");
}

/// Of a few MB, in memory, and the ledger's entries on it.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// None for those who may not mount.
    async fn mount(cluster: &Cluster) -> Option<Self> {
        let home = cluster.postgres.home();
        let (path, owner) = (home.join("small"), std::fs::metadata(home).unwrap().uid());
        std::fs::create_dir(&path).unwrap();
        let options = format!("size=4m,mode=700,uid={owner}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "small"]).arg(&path).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            println!("skipped: a full disk is tried only where this test may mount one");
            return None;
        }
        let disk = Self(path);
        for statement in [
            format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.display()),
            "ALTER TABLE entries SET TABLESPACE small".to_owned(),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&cluster.wallets).await.unwrap();
        }
        Some(disk)
    }

    /// Gives the file that takes all the room.
    fn fill(&self) -> std::path::PathBuf {
        let file = self.0.join("room");
        let mut room = std::fs::File::create(&file).unwrap();
        while std::io::Write::write_all(&mut room, &[0; 4096]).is_ok() {}
        file
    }

    async fn leave(self, cluster: &Cluster) {
        for statement in ["ALTER TABLE entries SET TABLESPACE pg_default", "DROP TABLESPACE small"] {
            sqlx::raw_sql(statement).execute(&cluster.wallets).await.unwrap();
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failure the server still has it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
