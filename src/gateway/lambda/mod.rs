//! The Lambda function: events of every HTTP front end in, their answers out.

mod answer;
mod event;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lambda_http::lambda_runtime::{self, Error, LambdaEvent, service_fn};

use crate::api::Apis;
use crate::clock::time_until;

pub use answer::Answer;
pub use event::{Event, FrontEnd};

/// The time before Lambda's deadline at which an answer has to be under way.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// How often it is looked whether running calls have ended.
const POLL: Duration = Duration::from_millis(20);

/// What the function needs to turn an event into a call.
#[derive(Clone)]
pub struct Function {
    apis: Apis,
    base_path: Arc<str>,
}

impl Function {
    /// Serves `apis`. `base_path` is what a custom domain's mapping puts before the APIs' paths: `/base`, or empty.
    pub fn new(apis: Apis, base_path: &str) -> Self {
        Self { apis, base_path: base_path.into() }
    }

    /// Answers one invocation. It cannot fail: every failure is an answer in the caller's dialect.
    pub async fn invoke(&self, event: LambdaEvent<Event>) -> Result<Answer, Infallible> {
        let LambdaEvent { payload, context, .. } = event;
        let front_end = payload.front_end();
        let mut request = payload.into_request(&self.base_path, &context.request_id, context.xray_trace_id.as_deref());
        let left = time_until(context.deadline()).saturating_sub(TO_ANSWER);
        request.patience = request.patience.min(left);
        let response = self.apis.answer(request).await;
        Ok(Answer::new(front_end, response))
    }
}

/// Runs the function until the Runtime API goes away or the process is told to end; then running calls may finish.
///
/// # Errors
/// The Runtime API could not be reached.
pub async fn run(function: Function) -> Result<(), Error> {
    let running = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&running);
    let handler = service_fn(move |event: LambdaEvent<Event>| {
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
