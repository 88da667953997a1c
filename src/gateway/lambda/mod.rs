//! The Lambda function: events of every HTTP front end in, their answers out; and the events that let started executions
//! run ([`Jobs`]).

mod answer;
mod event;
mod incoming;
mod jobs;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lambda_http::lambda_runtime::{self, Error, LambdaEvent, service_fn};

use crate::api::Apis;
use crate::clock::time_until;

pub use answer::{Answer, BatchAnswer};
pub use event::{Event, FrontEnd};
pub use incoming::Incoming;
pub use jobs::{Failed, Jobs};

/// The time before Lambda's deadline at which an answer has to be under way.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// How often it is looked whether running calls have ended.
const POLL: Duration = Duration::from_millis(20);

/// What the function needs to deal with an event.
#[derive(Clone)]
pub struct Function {
    apis: Apis,
    base_path: Arc<str>,
    jobs: Jobs,
}

impl Function {
    /// Serves `apis` and does `jobs`. `base_path` is what a custom domain's mapping puts before the APIs' paths: `/base`, or
    /// empty.
    pub fn new(apis: Apis, base_path: &str, jobs: Jobs) -> Self {
        Self { apis, base_path: base_path.into(), jobs }
    }

    /// Deals with one invocation.
    ///
    /// # Errors
    /// Never for a call: every failure of one is an answer in the caller's dialect. Other events, which nobody waits for,
    /// fail so that they are sent again.
    pub async fn invoke(&self, event: LambdaEvent<Incoming>) -> Result<Answer, Failed> {
        let LambdaEvent { payload, context, .. } = event;
        match payload {
            Incoming::Call(call) => {
                let front_end = call.front_end();
                let mut request =
                    call.into_request(&self.base_path, &context.request_id, context.xray_trace_id.as_deref());
                let left = time_until(context.deadline()).saturating_sub(TO_ANSWER);
                request.patience = request.patience.min(left);
                let response = self.apis.answer(request).await;
                Ok(Answer::new(front_end, response))
            }
            Incoming::Stream(records) => Ok(Answer::Batch(self.jobs.attend_all(&records, context.deadline).await)),
            Incoming::StatusChange(change) => self.jobs.note(&change).await.map(|()| Answer::Nothing),
            Incoming::Sweep => self.jobs.sweep(context.deadline).await.map(|()| Answer::Nothing),
        }
    }
}

/// Runs the function until the Runtime API goes away or the process is told to end; then running calls may finish.
///
/// # Errors
/// The Runtime API could not be reached.
pub async fn run(function: Function) -> Result<(), Error> {
    let running = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&running);
    let handler = service_fn(move |event: LambdaEvent<Incoming>| {
        let (function, counter) = (function.clone(), Arc::clone(&counter));
        async move {
            counter.fetch_add(1, Ordering::Relaxed);
            let answer = function.invoke(event).await;
            counter.fetch_sub(1, Ordering::Relaxed);
            answer
        }
    });
    let end = async {
        super::http::told_to_end().await;
        let calls_ended = async {
            while running.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(POLL).await;
            }
            // Time for the runtime to hand the last answer over.
            tokio::time::sleep(POLL).await;
        };
        let _ = tokio::time::timeout(super::http::GRACE, calls_ended).await;
    };
    tokio::select! {
        // The signals first: from the first call for an event on, the process can be told to end.
        biased;
        () = end => Ok(()),
        // On managed instances the same process takes several invocations at once; elsewhere this is one after the other.
        ended = lambda_runtime::run_concurrent(handler) => ended,
    }
}
