//! Bodies on their way through: they are streamed, counted, and may not stand still for ever.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How long a client may leave us waiting within its body; nginx's default.
pub(crate) const CLIENT_PAUSE: Duration = Duration::from_mins(1);

/// Bytes that have come in from the client.
#[derive(Debug, Default)]
pub(crate) struct Sent(AtomicU64);

impl Sent {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How the sending of a client's body goes. While it goes on, the service is not late.
#[derive(Debug, Default)]
pub(super) struct Activity {
    frames: AtomicU64,
    complete: AtomicBool,
    broken: AtomicBool,
}

impl Activity {
    /// The client broke off, or stood still: no fault of the service.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Waits for `work`: up to `write` between two pieces of the body, and up to `read` after the last.
    pub(super) async fn deadline<F: Future>(
        &self,
        write: Duration,
        read: Duration,
        work: F,
    ) -> Option<F::Output> {
        let mut work = std::pin::pin!(work);
        let look = || (self.frames.load(Ordering::Relaxed), self.complete.load(Ordering::Relaxed));
        let mut seen = look();
        loop {
            let limit = if seen.1 { read } else { write };
            if let Ok(output) = tokio::time::timeout(limit, &mut work).await {
                return Some(output);
            }
            let now = look();
            if now == seen {
                return None;
            }
            seen = now;
        }
    }

    /// The client's body, watched.
    pub(super) fn watch(self: &Arc<Self>, body: Body, sent: &Arc<Sent>) -> Body {
        let (activity, sent) = (Arc::clone(self), Arc::clone(sent));
        Body::new(Counted::new(body, CLIENT_PAUSE, move |event| match event {
            Event::Bytes(bytes) => {
                activity.frames.fetch_add(1, Ordering::Relaxed);
                sent.0.fetch_add(bytes as u64, Ordering::Relaxed);
            }
            Event::End => activity.complete(),
            Event::Broken => activity.broken.store(true, Ordering::Relaxed),
        }))
    }
}

/// What happens to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Bytes(usize),
    End,
    Broken,
}

#[derive(Debug, thiserror::Error)]
#[error("the body stood still for too long")]
struct StoodStill;

/// A body that tells what happens to it, and fails when nothing does for `pause`.
pub(crate) struct Counted<F> {
    body: Body,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    tell: F,
}

impl<F> std::fmt::Debug for Counted<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl<F> Counted<F> {
    pub(crate) fn new(body: Body, pause: Duration, tell: F) -> Self {
        Self { body, pause, waiting: None, tell }
    }
}

impl<F: FnMut(Event) + Send + Unpin + 'static> HttpBody for Counted<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            match &frame {
                Some(Ok(frame)) => {
                    (this.tell)(Event::Bytes(frame.data_ref().map_or(0, Bytes::len)));
                    // Nobody asks again once the announced length has come.
                    if this.body.is_end_stream() {
                        (this.tell)(Event::End);
                    }
                }
                Some(Err(_)) => (this.tell)(Event::Broken),
                None => (this.tell)(Event::End),
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(this.pause)));
        ready!(waiting.as_mut().poll(context));
        (this.tell)(Event::Broken);
        Poll::Ready(Some(Err(StoodStill.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
