//! Threads that hash: as many as there are cores, at the lowest priority. So a flood of sign-ins gets whatever the machine has left,
//! and everything else comes first; no core is idle while somebody waits for a hash.
//!
//! Nobody waits for long: beyond a number of people, or a time, they are refused. What nobody waits for any more is not hashed.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use super::PasswordError;

/// Beyond this many waiting, or this long, callers are refused.
pub(super) const LONGEST_QUEUE: usize = 256;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Of `nice`: a thread of the normal priority weighs as much as 68 of these.
const NICENESS: i32 = 19;
/// Jobs for each thread: one that it works at, and one that it finds when it has done it.
const JOBS_A_THREAD: usize = 2;

#[derive(Clone)]
pub(super) struct HashingThreads {
    pool: Arc<ThreadPool>,
    /// Of who has been handed to the threads.
    pub(super) turns: Arc<Semaphore>,
    /// Of everybody who is here.
    pub(super) queue: Arc<Semaphore>,
}

impl HashingThreads {
    pub(super) fn start() -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let pool = ThreadPoolBuilder::new()
            .num_threads(cores)
            .thread_name(|index| format!("hashing-{index}"))
            .start_handler(|_| yield_to_others())
            // Who waited for it is told: their end of the channel is closed.
            .panic_handler(|_| tracing::error!("hashing a password panicked"))
            .build()
            .context("threads that hash passwords")?;
        Ok(Self {
            pool: Arc::new(pool),
            turns: Arc::new(Semaphore::new(cores * JOBS_A_THREAD)),
            queue: Arc::new(Semaphore::new(LONGEST_QUEUE)),
        })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.queue.try_acquire().map_err(|_| PasswordError::Overloaded)?;
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(PasswordError::Overloaded) };
        let (done, result) = oneshot::channel();
        self.pool.spawn_fifo(move || {
            // Held until the job has ended, in whatever way.
            let _turn = turn;
            if !done.is_closed() {
                // Who has gone away since needs no answer.
                done.send(job()).ok();
            }
        });
        result.await.map_err(|_| PasswordError::Failed("the job did not end".to_owned()))?
    }
}

/// On Linux each thread has a priority of its own; elsewhere it would be that of the process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "passwords are hashed at the priority of everything else");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError, mpsc};

    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_told_and_takes_no_thread_with_it() {
        let threads = HashingThreads::start().unwrap();
        for _ in 0..64 {
            let broken = threads.run::<()>(|| panic!("what a hash may do")).await;
            assert!(matches!(broken, Err(PasswordError::Failed(_))));
        }
        assert_eq!(threads.run(|| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_done() {
        let threads = HashingThreads::start().unwrap();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let busy = threads.pool.current_num_threads();
        let begun = Arc::new(Semaphore::new(0));
        let mut jobs = Vec::new();
        for _ in 0..busy {
            let (threads, gate, begun) = (threads.clone(), Arc::clone(&gate), Arc::clone(&begun));
            jobs.push(tokio::spawn(async move {
                let job = move || {
                    begun.add_permits(1);
                    // Until the other end is gone.
                    Ok(gate.lock().unwrap_or_else(PoisonError::into_inner).recv().is_err())
                };
                threads.run(job).await
            }));
        }
        begun.acquire_many(u32::try_from(busy).unwrap()).await.unwrap().forget();
        let (told, done) = mpsc::channel();
        let left = threads.run(move || Ok(told.send(()).is_ok()));
        tokio::select! {
            biased;
            _ = left => panic!("no thread was free"),
            () = tokio::task::yield_now() => {}
        }
        drop(go);
        for job in jobs {
            assert!(job.await.unwrap().unwrap());
        }
        assert_eq!(threads.run(|| Ok(7)).await.unwrap(), 7);
        assert!(done.recv().is_err(), "the job went without being done");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn everything_else_comes_first() {
        let threads = HashingThreads::start().unwrap();
        let niceness = || rustix::process::nice(0).map_err(|error| PasswordError::Failed(error.to_string()));
        assert_eq!(threads.run(niceness).await.unwrap(), NICENESS);
        assert!(niceness().unwrap() < NICENESS, "the rest of the process is as it was");
    }
}
