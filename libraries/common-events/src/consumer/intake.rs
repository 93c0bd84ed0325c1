//! A batch of messages on its way in: read, tried together, else one by one, and in the end handled, known, passed
//! over, or set aside.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use rdkafka::{
    Message,
    message::BorrowedMessage,
    producer::{FutureProducer, Producer},
};
use tokio_util::sync::CancellationToken;

use super::{
    Consumer, HandlerError, Outcome, PAUSE,
    effect::{self, Effect},
    reading::{Broken, Offered, Reading},
};
use crate::{
    Event,
    dedup::Dedup,
    dlq::{self, Reason},
};

const ATTEMPTS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a running consumer has.
pub(super) struct Intake<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) dedup: Dedup,
    pub(super) dead_letters: FutureProducer,
    pub(super) shutdown: CancellationToken,
}

/// A batch that waits for something this often is tried one by one: what is away for all of it may be there for each.
const TOGETHER: u32 = 3;

/// What came of trying all of a batch in one transaction.
enum Together {
    Done(Vec<Effect>),
    /// One of them is at fault, or all of them are too much: they are tried one by one.
    Refused,
    /// The consumer was told to stop before.
    Stopped,
}

impl Intake<'_> {
    /// What became of the messages, in their order. Those at the end for which there is nothing were not done with when
    /// the consumer was told to stop.
    pub(super) async fn take_in(&self, messages: &[BorrowedMessage<'_>]) -> Vec<Outcome> {
        let handler = &*self.consumer.handler;
        let mut readings: Vec<Reading> =
            messages.iter().map(|message| Reading::of(message, handler)).collect();
        self.pass_over_unwanted(&mut readings).await;
        let ours: Vec<&Offered> = readings.iter().filter_map(offered).collect();
        let mut together = match self.together(&ours).await {
            Together::Done(effects) => Some(effects.into_iter()),
            Together::Refused => None,
            Together::Stopped => return Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(messages.len());
        for (message, reading) in messages.iter().zip(&readings) {
            let outcome = match reading {
                Reading::Passed(outcome) => Some(*outcome),
                Reading::Broken(broken) => self.set_aside_broken(message, broken).await,
                Reading::Ours(offered) => match together.as_mut().and_then(Iterator::next) {
                    Some(effect) => self.outcome(message, offered, effect).await,
                    None => self.alone(message, offered).await,
                },
            };
            let Some(outcome) = outcome else { break };
            outcomes.push(outcome);
        }
        outcomes
    }

    /// What cannot be told is tried, and what keeps it from being told is told of there.
    async fn pass_over_unwanted(&self, readings: &mut [Reading]) {
        let events: Vec<&Event> = readings.iter().filter_map(offered).map(|offered| &offered.event).collect();
        if events.is_empty() {
            return;
        }
        let asked = AssertUnwindSafe(self.consumer.handler.unwanted(&events)).catch_unwind().await;
        let Ok(Ok(unwanted)) = asked else { return };
        for reading in readings {
            if offered(reading).is_some_and(|offered| unwanted.contains(&offered.event.id)) {
                *reading = Reading::Passed(Outcome::Skipped);
            }
        }
    }

    /// Tries all in one transaction, and waits a while for what is away.
    async fn together(&self, offered: &[&Offered]) -> Together {
        let mut pause = PAUSE;
        for _ in 0..TOGETHER {
            let error = match self.attempt(offered).await {
                Ok(effects) => return Together::Done(effects),
                Err(error @ HandlerError::Unavailable(_)) => error,
                Err(HandlerError::Failed(_)) => return Together::Refused,
            };
            tracing::warn!(
                service = self.consumer.service,
                events = offered.len(),
                cause = error.causes().join(": "),
                "events could not be handled"
            );
            if !self.rest(&mut pause).await {
                return Together::Stopped;
            }
        }
        Together::Refused
    }

    /// Tries one in a transaction of its own, a bounded number of times.
    async fn alone(&self, message: &BorrowedMessage<'_>, offered: &Offered) -> Option<Outcome> {
        let (mut failures, mut pause) = (0, PAUSE);
        loop {
            let error = match self.attempt(&[offered]).await {
                Ok(effects) => {
                    let effect = effects.into_iter().next().unwrap_or(Effect::Repeated);
                    return self.outcome(message, offered, effect).await;
                }
                Err(error) => error,
            };
            if matches!(error, HandlerError::Failed(_)) {
                failures += 1;
            }
            self.tell(&offered.event, failures, &error);
            if failures >= ATTEMPTS {
                return self.set_aside(message, &error.causes(), failures).await;
            }
            if !self.rest(&mut pause).await {
                return None;
            }
        }
    }

    async fn attempt(&self, offered: &[&Offered]) -> Result<Vec<Effect>, HandlerError> {
        match AssertUnwindSafe(effect::of(self.consumer, &self.dedup, offered)).catch_unwind().await {
            Ok(result) => result,
            // The panic hook has logged where and why. The transaction was rolled back.
            Err(_) => Err(HandlerError::Failed(anyhow::anyhow!("the handler panicked"))),
        }
    }

    /// With the correlation id that all other lines about the event have.
    fn tell(&self, event: &Event, failures: u32, error: &HandlerError) {
        let (service, kind, id) = (self.consumer.service, &event.kind, event.id);
        let cause = error.causes().join(": ");
        event.in_span(|| {
            tracing::warn!(service, kind, %id, failures, cause, "an event could not be handled");
        });
    }

    /// False when the consumer was told to stop.
    async fn rest(&self, pause: &mut Duration) -> bool {
        self.consumer.count_retry();
        tokio::select! {
            () = self.shutdown.cancelled() => return false,
            () = tokio::time::sleep(jittered(*pause)) => {}
        }
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        true
    }

    async fn outcome(
        &self,
        message: &BorrowedMessage<'_>,
        offered: &Offered,
        effect: Effect,
    ) -> Option<Outcome> {
        match effect {
            Effect::Done => Some(Outcome::Handled),
            Effect::Repeated => Some(Outcome::Duplicate),
            Effect::Conflict => {
                self.consumer.count_conflict();
                let cause = format!("an event of other content had the id {} before", offered.event.id);
                self.set_aside(message, &[cause], 0).await
            }
        }
    }

    async fn set_aside_broken(&self, message: &BorrowedMessage<'_>, broken: &Broken) -> Option<Outcome> {
        self.set_aside(message, &[broken.to_string()], 0).await
    }

    /// Tries until the letter is written: what is neither handled nor kept would be lost. None when it was told to stop, or
    /// cannot write any more.
    async fn set_aside(
        &self,
        message: &BorrowedMessage<'_>,
        causes: &[String],
        attempts: u32,
    ) -> Option<Outcome> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let cause = causes.join(": ");
        let service = self.consumer.service;
        tracing::error!(service, topic, partition, offset, cause, "message set aside");
        let reason = Reason { group: self.consumer.group, causes, attempts, now: self.consumer.clock.now() };
        let mut pause = PAUSE;
        loop {
            let sent = tokio::select! {
                () = self.shutdown.cancelled() => return None,
                sent = dlq::set_aside(&self.dead_letters, &self.consumer.kafka, message, &reason) => sent,
            };
            match sent {
                Ok(()) => return Some(Outcome::SetAside),
                Err(error) => tracing::error!(service, topic, %error, "cannot write the dead letter yet"),
            }
            if self.dead_letters.client().fatal_error().is_some() {
                // It sends nothing any more. The consumer starts over with a new one.
                return None;
            }
            if !self.rest(&mut pause).await {
                return None;
            }
        }
    }
}

fn offered(reading: &Reading) -> Option<&Offered> {
    match reading {
        Reading::Ours(offered) => Some(offered),
        Reading::Passed(_) | Reading::Broken(_) => None,
    }
}

/// Between half and all of the pause, so that consumers do not knock in step.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(rand::random_range(0..=spread))
}
