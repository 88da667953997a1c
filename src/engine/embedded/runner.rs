//! Which executions run in this process, and when.
//!
//! A record is looked at because somebody says so ([`Engine::attend`]), because it wakes up, or because it is due in storage,
//! which is asked every second. It waits in a bounded queue for one of a bounded number of places: where the queue is full,
//! what comes is forgotten and found in storage again, so that no number of executions uses up memory. An execution that
//! sleeps has no place: only the time and its id are remembered.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, Semaphore};

use super::history;
use super::worker::{After, Worker};
use crate::clock::Timestamp;
use crate::errors;
use crate::execution::{Engine, EngineError, Execution, RecordId, StateEvent};
use crate::workflow::{StoreError, Workflow};

/// How many executions may wait for a place.
const QUEUE: usize = 1024;

/// How many sleeping executions are woken on time; more are found in storage up to a second late.
const SLEEPERS: usize = 100_000;

/// How often storage is asked what is due.
const POLL: Duration = Duration::from_secs(1);

/// The longest time between two looks at who wakes up.
const TICK: Duration = Duration::from_millis(50);

/// Runs executions in this process.
#[derive(Clone)]
pub struct EmbeddedEngine {
    worker: Arc<Worker>,
    board: Arc<Board>,
}

/// What is known of the executions of this process.
struct Board {
    queue: Sender<RecordId>,
    /// The executions that are in the queue or have a place.
    present: Mutex<HashMap<RecordId, Arc<Present>>>,
    sleepers: Mutex<BinaryHeap<Reverse<(Timestamp, RecordId)>>>,
}

/// An execution that waits for a place or has one.
#[derive(Default)]
pub(super) struct Present {
    /// Told when somebody wants the record to be looked at while it runs.
    pub(super) look: Notify,
    /// Whether that has happened.
    again: std::sync::atomic::AtomicBool,
}

impl EmbeddedEngine {
    /// Begins to run what is due in storage, at most `concurrency` executions at once, until the process ends.
    pub fn start(worker: Worker, concurrency: usize) -> Self {
        let (queue, waiting) = channel(QUEUE);
        let board = Board { queue, present: Mutex::default(), sleepers: Mutex::default() };
        let engine = Self { worker: Arc::new(worker), board: Arc::new(board) };
        tokio::spawn(engine.clone().give_places(waiting, concurrency));
        tokio::spawn(engine.clone().poll());
        tokio::spawn(engine.clone().wake());
        engine
    }

    async fn give_places(self, mut waiting: Receiver<RecordId>, concurrency: usize) {
        let places = Arc::new(Semaphore::new(concurrency));
        loop {
            let place = places.clone().acquire_owned().await.expect("the places are never closed");
            let Some(id) = waiting.recv().await else { return };
            let engine = self.clone();
            tokio::spawn(async move {
                engine.run(id).await;
                drop(place);
            });
        }
    }

    /// Runs an execution until it ends, sleeps, or is somebody else's.
    async fn run(&self, id: RecordId) {
        let Some(present) = self.board.present().get(&id).cloned() else { return };
        // What has been asked for up to now is seen by the claim.
        present.again.store(false, std::sync::atomic::Ordering::SeqCst);
        let carried = AssertUnwindSafe(self.worker.carry_on(&id, &present.look)).catch_unwind().await;
        match carried {
            Ok(Ok(After::Nothing)) => {}
            Ok(Ok(After::Wake(at))) => self.board.remember(at, &id),
            Ok(Err(error)) => {
                let error = errors::chain(&error);
                tracing::warn!(record = id.as_str(), %error, "an execution waits until its lease has ended");
            }
            Err(_) => tracing::error!(record = id.as_str(), "an execution waits until its lease has ended: a panic"),
        }
        self.board.present().remove(&id);
        if present.again.load(std::sync::atomic::Ordering::SeqCst) {
            self.board.invite(&id);
        }
    }

    async fn poll(self) {
        loop {
            match self.worker.find_due(QUEUE).await {
                Ok(due) => due.iter().for_each(|id| self.board.invite(id)),
                Err(error) => tracing::warn!(error = %errors::chain(&error), "storage does not say what is due"),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn wake(self) {
        loop {
            let now = self.worker.now();
            while let Some(id) = self.board.next_awake(now) {
                self.board.invite(&id);
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

impl Board {
    /// Has a record looked at, unless too many others wait for that.
    fn invite(&self, id: &RecordId) {
        let mut present = self.present();
        if let Some(present) = present.get(id) {
            present.again.store(true, std::sync::atomic::Ordering::SeqCst);
            present.look.notify_one();
        } else if self.queue.try_send(id.clone()).is_ok() {
            present.insert(id.clone(), Arc::default());
        }
    }

    fn remember(&self, at: Timestamp, id: &RecordId) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if sleepers.len() < SLEEPERS {
            sleepers.push(Reverse((at, id.clone())));
        }
    }

    fn next_awake(&self, now: Timestamp) -> Option<RecordId> {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let Reverse((at, _)) = sleepers.peek()?;
        if *at > now {
            return None;
        }
        sleepers.pop().map(|Reverse((_, id))| id)
    }

    fn present(&self) -> MutexGuard<'_, HashMap<RecordId, Arc<Present>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    /// The machine's text is in storage; there is nothing else to make ready.
    async fn publish(&self, _: &Workflow) -> Result<(), EngineError> {
        Ok(())
    }

    async fn attend(&self, id: &RecordId) -> Result<(), StoreError> {
        self.board.invite(id);
        Ok(())
    }

    async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        Ok(history::tell(&self.worker, execution).await?)
    }
}
