//! Signals become values that the main thread waits for (management.txt 4).
//!
//! In: the signals a process wants to hear of. Out: one after the other, in the order of their numbers when
//! several are pending.

use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;

/// The signals of this process, as a stream.
#[derive(Debug)]
pub struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    wake: tokio::net::UnixStream,
    pending: VecDeque<i32>,
}

impl Signals {
    /// Takes over these signals. Must be called inside a runtime.
    pub fn of(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let wake = tokio::net::UnixStream::from_std(read.try_clone()?)?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        Ok(Self { delivery, wake, pending: VecDeque::new() })
    }

    /// The next signal. Dropping the future loses nothing.
    pub async fn next(&mut self) -> i32 {
        loop {
            if let Some(signal) = self.pending.pop_front() {
                return signal;
            }
            if self.wake.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
            let mut bytes = [0; 64];
            let _ = self.wake.try_read(&mut bytes);
            self.pending.extend(self.delivery.pending());
        }
    }
}
