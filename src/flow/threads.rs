//! The threads that run traffic: each has its own runtime, buffers and view of the `World`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;

use crate::state::counters::ProcessCounters;
use crate::state::world::World;

/// What all threads share.
#[derive(Debug)]
pub struct Shared {
    /// The running configuration.
    pub world: ArcSwap<World>,
    /// Numbers of the whole process.
    pub counters: ProcessCounters,
    /// The number of the next session or stream.
    pub next_number: AtomicU64,
}

/// One thread.
#[derive(Debug)]
pub struct Thread {
    /// 0 for the first.
    pub index: usize,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// This thread's view of the `World`: cloned without touching a shared counter.
    world: RefCell<Rc<Arc<World>>>,
}

impl Thread {
    /// A thread's state, made on that thread.
    pub fn new(index: usize, shared: Arc<Shared>) -> Thread {
        let world = RefCell::new(Rc::new(shared.world.load_full()));
        Thread { index, shared, world }
    }

    /// The running configuration.
    pub fn world(&self) -> Rc<Arc<World>> {
        let current = self.shared.world.load();
        let mut seen = self.world.borrow_mut();
        if !Arc::ptr_eq(&current, &seen) {
            *seen = Rc::new(Arc::clone(&current));
        }
        seen.clone()
    }
}
