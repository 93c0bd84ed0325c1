//! The effect of a batch of events, in one transaction:
//! 1. pass over those that Redis remembers and the inbox knows, if that is all of them;
//! 2. note the events in the inbox, which names those that it had not had;
//! 3. let the handler do its work for these, in the order in which they came;
//! 4. commit; remember them in Redis.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use common_utils::crash_point;
use uuid::Uuid;

use super::{
    Consumer, HandlerError,
    reading::{Offered, is_ahead},
};
use crate::{
    Event,
    dedup::Dedup,
    inbox::{self, Content},
};

/// What came of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It took effect now.
    Done,
    /// It took effect before.
    Repeated,
    /// Another event had its id.
    Conflict,
}

/// One for each event, or the error for which nothing took effect.
pub(super) async fn of(
    consumer: &Consumer,
    dedup: &Dedup,
    offered: &[&Offered],
) -> Result<Vec<Effect>, HandlerError> {
    if offered.is_empty() {
        return Ok(Vec::new());
    }
    let first = first_of_each_id(offered);
    let ids: Vec<Uuid> = first.keys().copied().collect();
    let mut had = HashMap::new();
    if dedup.all_seen(&ids).await {
        had = inbox::had(&consumer.pool, consumer.group, &ids).await?;
    }
    let mut fresh = HashSet::new();
    if had.len() < ids.len() {
        (fresh, had) = in_one_transaction(consumer, offered, &first).await?;
        dedup.mark(&ids).await;
    }
    Ok(effects(offered, fresh, &first, &had))
}

/// The content that an id stands for in this batch; a repetition may be in the same one.
fn first_of_each_id(offered: &[&Offered]) -> HashMap<Uuid, Content> {
    let mut first = HashMap::with_capacity(offered.len());
    for offered in offered {
        first.entry(offered.event.id).or_insert(offered.content);
    }
    first
}

type Had = HashMap<Uuid, Option<Vec<u8>>>;

async fn in_one_transaction(
    consumer: &Consumer,
    offered: &[&Offered],
    first: &HashMap<Uuid, Content>,
) -> Result<(HashSet<Uuid>, Had), HandlerError> {
    let started = Instant::now();
    let now = consumer.clock.now();
    let noted: Vec<(Uuid, Content)> = first.iter().map(|(id, content)| (*id, *content)).collect();
    let mut op = common_db::begin(&consumer.pool).await?;
    let fresh = inbox::accept_in_op(&mut op, consumer.group, &noted, now).await?;
    let mut had = Had::new();
    if fresh.len() < noted.len() {
        let known: Vec<Uuid> = first.keys().filter(|id| !fresh.contains(id)).copied().collect();
        had = inbox::had(&mut *op, consumer.group, &known).await?;
    }
    let mut left = fresh.clone();
    let events: Vec<&Event> =
        offered.iter().map(|offered| &offered.event).filter(|event| left.remove(&event.id)).collect();
    if !events.is_empty() {
        consumer.handler.handle_all_in_op(&mut op, &events).await?;
        crash_point!("consumer.before_commit");
    }
    op.commit().await?;
    crash_point!("consumer.after_commit");
    for event in &events {
        consumer.handler.committed(event).await;
    }
    let ahead = events.iter().filter(|event| is_ahead(event, now)).count();
    consumer.count_ahead(ahead as u64);
    consumer.time_batch(started.elapsed());
    Ok((fresh, had))
}

fn effects(
    offered: &[&Offered],
    mut fresh: HashSet<Uuid>,
    first: &HashMap<Uuid, Content>,
    had: &Had,
) -> Vec<Effect> {
    let effect = |offered: &&Offered| {
        let id = offered.event.id;
        if fresh.remove(&id) {
            return Effect::Done;
        }
        let before = match had.get(&id) {
            // From a time when content was not noted.
            Some(None) => return Effect::Repeated,
            Some(Some(content)) => content.as_slice(),
            None => first.get(&id).map(|content| &content[..]).unwrap_or_default(),
        };
        if before == offered.content { Effect::Repeated } else { Effect::Conflict }
    };
    offered.iter().map(effect).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Effect::{Conflict, Done, Repeated},
        *,
    };

    fn offered(id: u128, content: u8) -> Offered {
        let event = json!({
            "specversion": "1.0", "id": Uuid::from_u128(id), "source": "/test", "type": "test", "subject": "a/b",
            "time": "2026-11-01T10:00:00Z", "datacontenttype": "application/json", "dataschema": "", "correlationid": "c",
            "actor": "service:test", "data": {},
        });
        Offered { event: serde_json::from_value(event).unwrap(), content: [content; 32] }
    }

    #[test]
    fn an_id_takes_effect_once_and_other_content_is_told_apart() {
        let batch =
            [offered(1, 1), offered(1, 1), offered(1, 2), offered(2, 1), offered(3, 1), offered(4, 1)];
        let batch: Vec<&Offered> = batch.iter().collect();
        let had = Had::from([
            (Uuid::from_u128(2), Some(vec![1; 32])),
            (Uuid::from_u128(3), Some(vec![9; 32])),
            (Uuid::from_u128(4), None),
        ]);
        let fresh = HashSet::from([Uuid::from_u128(1)]);
        let found = effects(&batch, fresh, &first_of_each_id(&batch), &had);
        assert_eq!(found, [Done, Repeated, Conflict, Repeated, Conflict, Repeated]);
    }
}
