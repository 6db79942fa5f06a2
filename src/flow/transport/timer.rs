//! The one timer of a connection. Deadlines mostly move later, so it is armed once and, when it fires
//! early, armed again: a request costs no timer operation.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::Sleep;

use crate::state::clock::Moment;

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// A timer, armed at most once at a time. It belongs to one task: once armed it wakes the task that armed it.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it goes off, while it is armed.
    armed: Option<Moment>,
}

impl Timer {
    /// Waits for a future until `deadline` at most; for ever if there is none.
    pub async fn limit<F: Future>(
        &mut self,
        deadline: Option<Moment>,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll_elapsed(deadline, cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Waits for a future for at most `timeout` from now. The clock is read only if it has to wait.
    pub async fn within<F: Future>(
        &mut self,
        timeout: Option<Duration>,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut deadline = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let Some(timeout) = timeout else { return Poll::Pending };
            let deadline = *deadline.get_or_insert_with(|| Moment::now() + timeout);
            self.poll_elapsed(Some(deadline), cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Ready when the deadline has passed; the task is woken then.
    pub fn poll_elapsed(&mut self, deadline: Option<Moment>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let waiting = self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed());
        if waiting && self.armed.is_some_and(|armed| armed <= deadline) {
            return Poll::Pending;
        }
        let mut gone_off = self.sleep.is_some() && !waiting;
        // The real time: a standing clock would let this go round for ever.
        while !gone_off || Moment::read() < deadline {
            if self.poll_sleep(deadline, cx).is_pending() {
                return Poll::Pending;
            }
            gone_off = true;
        }
        Poll::Ready(())
    }

    /// Arms the timer; ready if it goes off at once.
    fn poll_sleep(&mut self, deadline: Moment, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = tokio::time::Instant::from_std(deadline.instant());
        self.armed = Some(deadline);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().reset(wanted);
                sleep
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(wanted))),
        };
        // It must note the waker even if the task has used up its turn.
        pin!(unconstrained(sleep.as_mut())).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_deadline_that_moves_is_respected() {
        run(async {
            let mut timer = Timer::default();
            let start = Moment::now();
            let never = || std::future::pending::<()>();
            let first = timer.within(Some(Duration::from_millis(10)), never()).await;
            assert_eq!(first, Err(Elapsed));
            // Armed for 10 ms, asked for 30: fires early and is armed again.
            assert_eq!(timer.within(Some(Duration::from_millis(30)), never()).await, Err(Elapsed));
            assert!(start.elapsed() >= Duration::from_millis(40));
            assert_eq!(timer.within(None, async { 7 }).await, Ok(7));
        });
    }
}
