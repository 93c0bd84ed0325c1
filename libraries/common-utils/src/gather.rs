//! Gathering: what arrives while a batch is being carried out is the next batch.
//!
//! One batch is in flight at a time, and there is no timer: a lone call is carried out at once, and under load the cost
//! of a batch (a durable commit, a call over the network) is shared by all who waited for it. The queue is bounded; a call that
//! finds it full is refused before anything was done for it.

use std::{future::Future, sync::Arc};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

const WAITING: &str = "wallet_gather_waiting";
const BATCH: &str = "wallet_gather_batch_size";
const REFUSED: &str = "wallet_gather_refused_total";

/// Which gatherer it is, in metrics.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub service: &'static str,
    pub stage: &'static str,
}

/// Bounds, in weight: that of a call says how much work it brings.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A batch grows up to this; a heavier call is a batch of its own.
    pub batch: u32,
    /// What may wait or be in flight.
    pub waiting: u32,
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ungathered {
    /// Nothing was done for it.
    #[error("too much is waiting")]
    Full,
    /// The batch ended without an answer to it: whether it was carried out is not known.
    #[error("the batch broke off")]
    Broken,
}

/// Hands calls over to the task that carries them out. That task ends when the last clone is dropped.
#[derive(Debug)]
pub struct Gatherer<In, Out> {
    queue: mpsc::UnboundedSender<Waiting<In, Out>>,
    room: Arc<Semaphore>,
    stage: Stage,
}

#[derive(Debug)]
struct Waiting<In, Out> {
    call: In,
    weight: u32,
    answer: oneshot::Sender<Out>,
    /// Given back when the call is answered.
    room: OwnedSemaphorePermit,
}

impl<In, Out> Clone for Gatherer<In, Out> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), room: Arc::clone(&self.room), stage: self.stage }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Gatherer<In, Out> {
    /// Starts the task. `carry_out` gets the calls in the order in which they came and answers them in that order.
    pub fn start<F, Fut>(stage: Stage, limits: Limits, carry_out: F) -> Self
    where
        F: Fn(Vec<In>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<Out>> + Send + 'static,
    {
        describe();
        let Stage { service, stage: name } = stage;
        counter!(REFUSED, "service" => service, "stage" => name).increment(0);
        let _ = histogram!(BATCH, "service" => service, "stage" => name);
        gauge!(WAITING, "service" => service, "stage" => name).set(0.0);
        // Bounded by the semaphore, by weight.
        let (queue, calls) = mpsc::unbounded_channel();
        tokio::spawn(run(stage, limits.batch, calls, carry_out));
        let room = Arc::new(Semaphore::new(limits.waiting as usize));
        Self { queue, room, stage }
    }

    /// Waits for the answer.
    pub async fn call(&self, call: In, weight: u32) -> Result<Out, Ungathered> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(weight) else {
            self.refused();
            return Err(Ungathered::Full);
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { call, weight, answer, room };
        self.queue.send(waiting).map_err(|_| Ungathered::Broken)?;
        answered.await.map_err(|_| Ungathered::Broken)
    }

    /// Counts a call that was refused before it came here.
    pub fn refused(&self) {
        counter!(REFUSED, "service" => self.stage.service, "stage" => self.stage.stage).increment(1);
    }
}

async fn run<In, Out, F, Fut>(
    Stage { service, stage }: Stage,
    most: u32,
    mut calls: mpsc::UnboundedReceiver<Waiting<In, Out>>,
    carry_out: F,
) where
    In: Send + 'static,
    Out: Send + 'static,
    F: Fn(Vec<In>) -> Fut + Send + 'static,
    Fut: Future<Output = Vec<Out>> + Send + 'static,
{
    let size = histogram!(BATCH, "service" => service, "stage" => stage);
    let behind = gauge!(WAITING, "service" => service, "stage" => stage);
    let mut next = None;
    loop {
        let Some(first) = (match next.take() {
            Some(first) => Some(first),
            None => calls.recv().await,
        }) else {
            return;
        };
        let batch = fill(first, most, &mut calls, &mut next);
        size.record(f64::from(batch.iter().map(|waiting| waiting.weight).sum::<u32>()));
        behind.set(f64::from(u32::try_from(calls.len()).unwrap_or(u32::MAX)));
        let (batch, waiting): (Vec<In>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.call, (waiting.answer, waiting.room))).unzip();
        // A task of its own, so that a panic ends this batch only.
        let Ok(answers) = tokio::spawn(carry_out(batch)).await else { continue };
        for ((answer, _room), result) in waiting.into_iter().zip(answers) {
            // Who has gone away needs no answer.
            let _ = answer.send(result);
        }
    }
}

/// Takes what is waiting, up to `most`. The call that does not fit any more is left in `next`.
fn fill<In, Out>(
    first: Waiting<In, Out>,
    most: u32,
    calls: &mut mpsc::UnboundedReceiver<Waiting<In, Out>>,
    next: &mut Option<Waiting<In, Out>>,
) -> Vec<Waiting<In, Out>> {
    let mut weight = first.weight;
    let mut batch = vec![first];
    while let Ok(waiting) = calls.try_recv() {
        weight = weight.saturating_add(waiting.weight);
        if weight > most {
            *next = Some(waiting);
            break;
        }
        batch.push(waiting);
    }
    batch
}

fn describe() {
    describe_gauge!(WAITING, "Calls that wait for the next batch, by stage.");
    describe_histogram!(BATCH, "How much one batch carried out, by stage.");
    describe_counter!(REFUSED, "Calls refused because too much was waiting, by stage.");
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::join_all;

    use super::*;

    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    const STAGE: Stage = Stage { service: "test", stage: "test" };

    /// A stage that answers with double the number, notes its batches, and carries out one for each permit of `go`.
    fn doubling(limits: Limits) -> (Gatherer<u32, u32>, Arc<Semaphore>, Batches) {
        let (go, batches) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (gate, noted) = (Arc::clone(&go), Arc::clone(&batches));
        let gatherer = Gatherer::start(STAGE, limits, move |calls: Vec<u32>| {
            let gate = Arc::clone(&gate);
            noted.lock().unwrap().push(calls.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                assert!(!calls.contains(&13), "an unlucky batch");
                calls.into_iter().map(|call| call * 2).collect()
            }
        });
        (gatherer, go, batches)
    }

    #[tokio::test]
    async fn what_arrives_meanwhile_is_the_next_batch() {
        let (gatherer, go, batches) = doubling(Limits { batch: 3, waiting: 100 });
        let calls = join_all((1..=6).map(|call| gatherer.call(call, 1)));
        let first = async {
            // The first batch is on its way, or there would be no second.
            while batches.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            go.add_permits(10);
        };
        let (answers, ()) = tokio::join!(calls, first);
        assert_eq!(answers, (1..=6).map(|call| Ok(call * 2)).collect::<Vec<_>>());
        let batches = batches.lock().unwrap();
        assert_eq!(batches.concat(), [1, 2, 3, 4, 5, 6]);
        assert!(batches.iter().all(|batch| batch.len() <= 3), "{batches:?}");
        assert!(batches.len() < 6, "{batches:?}");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let (gatherer, go, _) = doubling(Limits { batch: 10, waiting: 5 });
        let held = tokio::spawn({
            let gatherer = gatherer.clone();
            async move { gatherer.call(1, 4).await }
        });
        while gatherer.room.available_permits() == 5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gatherer.call(2, 2).await, Err(Ungathered::Full));
        go.add_permits(2);
        assert_eq!(held.await.unwrap(), Ok(2));
        assert_eq!(gatherer.call(2, 2).await, Ok(4));
        assert_eq!(gatherer.room.available_permits(), 5);
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_the_only_one_without_an_answer() {
        let (gatherer, go, _) = doubling(Limits { batch: 10, waiting: 10 });
        go.add_permits(2);
        assert_eq!(gatherer.call(13, 1).await, Err(Ungathered::Broken));
        assert_eq!(gatherer.call(14, 1).await, Ok(28));
        assert_eq!(gatherer.room.available_permits(), 10);
    }
}
