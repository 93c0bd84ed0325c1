//! Bringing people in from another system, with the hashes of their passwords: a file of one JSON object a line.
//!
//! Each line is a person or a mistake, which is told by its number and does not hold up the others. They are written in batches,
//! each in one transaction with its events, so that wallets follow as they do for who registers. Who is there already, by address or
//! number, is left as they are: running the same file again finishes what was broken off. Nobody is written to.

mod command;
mod entity;
mod repo;

use std::io::{self, BufRead};

use anyhow::Context;
use common_db::PgPool;
use common_events::{Actor, EventContext, NewEvent, outbox};
use common_utils::clock::SharedClock;

use crate::{SERVICE_NAME, users};
pub(crate) use command::Import;
use entity::Imported;

/// People of one transaction.
const BATCH: usize = 500;
/// In bytes; a person and a hash fit in many times.
const LONGEST_LINE: u64 = 16_384;

#[derive(Debug)]
struct Importing {
    pool: PgPool,
    clock: SharedClock,
    /// Only looks whether the lines can be read.
    dry: bool,
}

/// How it went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    imported: usize,
    there_already: usize,
    wrong: usize,
}

impl Importing {
    /// `told` hears of each line that brought nobody in, by its number.
    async fn run(&self, mut input: impl BufRead, mut told: impl FnMut(usize, &str)) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut number = 0;
        while let Some(line) = next_line(&mut input).context("the file cannot be read")? {
            number += 1;
            let Ok(line) = String::from_utf8(line) else {
                tally.wrong += 1;
                told(number, "it is not UTF-8");
                continue;
            };
            if line.trim().is_empty() {
                continue;
            }
            match Imported::parse(&line, self.clock.now()) {
                Ok(person) => batch.push((number, person)),
                Err(reason) => {
                    tally.wrong += 1;
                    told(number, &reason);
                }
            }
            if batch.len() == BATCH {
                self.write(&mut batch, &mut tally, &mut told).await?;
            }
        }
        self.write(&mut batch, &mut tally, &mut told).await?;
        Ok(tally)
    }

    async fn write(
        &self,
        batch: &mut Vec<(usize, Imported)>,
        tally: &mut Tally,
        told: &mut impl FnMut(usize, &str),
    ) -> anyhow::Result<()> {
        let (lines, people): (Vec<usize>, Vec<Imported>) = std::mem::take(batch).into_iter().unzip();
        if self.dry || people.is_empty() {
            tally.imported += people.len();
            return Ok(());
        }
        let now = self.clock.now();
        let mut op = common_db::begin(&self.pool).await?;
        let new = repo::insert_in_op(&mut op, &people, now).await?;
        let imported: Vec<&Imported> = people.iter().filter(|person| new.contains(&person.user.id)).collect();
        repo::insert_credentials_in_op(&mut op, &imported, now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::service(SERVICE_NAME), now);
        let events = imported.iter().map(|person| NewEvent::new(&context, &users::registered(&person.user)));
        outbox::publish_in_op(&mut op, &events.collect::<Result<Vec<_>, _>>()?).await?;
        op.commit().await?;
        tally.imported += imported.len();
        tally.there_already += people.len() - imported.len();
        for (line, _) in lines.iter().zip(&people).filter(|(_, person)| !new.contains(&person.user.id)) {
            told(*line, "the address or the number is somebody's already");
        }
        Ok(())
    }
}

/// None at the end.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if io::Read::take(&mut *input, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("a line has more than {LONGEST_LINE} bytes")));
    }
    Ok(Some(line))
}
