//! What callers read when the storage throttles, fails, hangs, is gone or loses its answers, and what a start costs.

use std::sync::Arc;
use std::time::Duration;

use flowgate::clock::FixedClock;
use flowgate::execution::{ExecutionStore, Summary};
use flowgate::store::{DynamoStore, Patience};

use crate::support::{
    Answer, Api, Call, Emulator, Fault, PROJECT, Proxy, TestApp, TestClock, fixed_time, publish_samples, table,
    workflow_id,
};

/// What an API answers to each failure.
struct Dialect {
    api: Api,
    throttled: (u16, &'static str),
    unavailable: (u16, &'static str),
    internal: (u16, &'static str),
}

const DIALECTS: [Dialect; 3] = [
    Dialect { api: Api::V1, throttled: (429, "FSS.0429"), unavailable: (503, "FGS.0015"), internal: (500, "FGS.0007") },
    Dialect { api: Api::V2, throttled: (429, "FSS.0429"), unavailable: (503, "FSS.0503"), internal: (500, "FGS.3002") },
    Dialect {
        api: Api::Obs,
        throttled: (503, "SlowDown"),
        unavailable: (503, "ServiceUnavailable"),
        internal: (500, "InternalError"),
    },
];

impl Dialect {
    /// A start that can be repeated.
    fn start(&self, key: &str) -> Call {
        Call::start(self.api, key).signed()
    }

    /// Asserts a refusal that asks the client to come back.
    #[track_caller]
    fn expect_retry_later(&self, answer: &Answer, refusal: (u16, &str)) {
        answer.expect_error(self.api, refusal);
        assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
    }
}

/// A program behind a proxy, and a way around it.
struct Setup {
    proxy: Proxy,
    app: TestApp,
    straight: Arc<DynamoStore>,
    through: Arc<DynamoStore>,
}

impl Setup {
    async fn new(patience: Patience) -> Self {
        let emulator = Emulator::start();
        let proxy = Proxy::before(&emulator.url()).await;
        let straight = table(&emulator.url(), "flowgate", Patience::LOCAL).await;
        straight.create_table().await.expect("a table");
        publish_samples(straight.clone()).await;
        let through = table(proxy.url(), "flowgate", patience).await;
        Self { app: process(&through), proxy, straight, through }
    }

    /// Makes the program remember the sample workflow.
    async fn warm_up(&self) {
        self.app.send(&Call::start_v2("{}").signed()).await.expect_success();
        self.proxy.take_operations();
    }

    /// The executions of the sample workflow, newest first.
    async fn executions(&self) -> Vec<Summary> {
        let later = fixed_time().plus_seconds(1);
        self.straight.list(PROJECT, workflow_id(), None, 100, later).await.expect("a page").entries
    }
}

fn process(store: &Arc<DynamoStore>) -> TestApp {
    TestApp::process(store.clone(), store.clone(), Arc::new(FixedClock(fixed_time())))
}

#[tokio::test]
async fn a_throttled_start_is_told_to_come_back() {
    let setup = Setup::new(Patience::LOCAL).await;
    setup.proxy.always(Fault::Refuse("ThrottlingException"));
    for dialect in &DIALECTS {
        dialect.expect_retry_later(&setup.app.send(&dialect.start("cold")).await, dialect.throttled);
    }
    setup.proxy.heal();
    setup.warm_up().await;
    setup.proxy.always(Fault::Refuse("ProvisionedThroughputExceededException"));
    for dialect in &DIALECTS {
        dialect.expect_retry_later(&setup.app.send(&dialect.start("warm")).await, dialect.throttled);
    }
    assert_eq!(setup.executions().await.len(), 1, "the one that warmed up");
}

#[tokio::test]
async fn a_start_without_storage_is_told_to_come_back() {
    for (fault, patience) in [
        (Fault::Fail, Patience::LOCAL),
        (Fault::Hang, Patience { attempt: Duration::from_millis(20), ..Patience::LOCAL }),
    ] {
        let setup = Setup::new(patience).await;
        setup.proxy.always(fault);
        for dialect in &DIALECTS {
            dialect.expect_retry_later(&setup.app.send(&dialect.start("run")).await, dialect.unavailable);
        }
        assert_eq!(setup.executions().await.len(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn one_throttled_or_failed_attempt_is_not_noticed_by_callers() {
    let setup = Setup::new(Patience::LOCAL).await;
    setup.warm_up().await;
    for fault in [Fault::Refuse("ThrottlingException"), Fault::Fail, Fault::LoseAnswer] {
        for (api, dialect) in DIALECTS.iter().enumerate() {
            setup.proxy.once(fault);
            let key = format!("{api}-{}", setup.executions().await.len());
            setup.app.send(&dialect.start(&key)).await.expect_success();
            assert_eq!(setup.proxy.take_operations(), ["PutItem", "PutItem"], "{fault:?}, {api}");
        }
    }
    assert_eq!(setup.executions().await.len(), 1 + 9, "a lost answer leads to no second execution");
}

#[tokio::test]
async fn a_start_whose_every_answer_was_lost_can_be_repeated() {
    for dialect in &DIALECTS {
        let setup = Setup::new(Patience::LOCAL).await;
        let clock = Arc::new(TestClock::starting_at(fixed_time()));
        let app = TestApp::process(setup.through.clone(), setup.through.clone(), clock);
        app.send(&dialect.start("warms-up")).await.expect_success();
        let start = dialect.start("run");
        setup.proxy.always(Fault::LoseAnswer);
        dialect.expect_retry_later(&app.send(&start).await, dialect.unavailable);
        setup.proxy.heal();

        let recorded = setup.executions().await;
        assert_eq!(recorded.len(), 2, "it was recorded all the same");
        let answer = app.send(&start).await.expect_success();
        if let Some(started_at) = answer.get("started_at") {
            assert_eq!(*started_at, recorded[0].started_at.iso_millis());
        }
        assert_eq!(setup.executions().await, recorded);
    }
}

#[tokio::test]
async fn a_missing_table_is_our_fault_and_not_the_callers() {
    let emulator = Emulator::start();
    let app = process(&table(&emulator.url(), "missing", Patience::LOCAL).await);
    for dialect in &DIALECTS {
        let answer = app.send(&dialect.start("run")).await;
        answer.expect_error(dialect.api, dialect.internal);
        assert!(!answer.headers.contains_key("retry-after"), "repeating does not help");
        assert!(!answer.body.contains("missing") && !answer.body.contains("Exception"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_cold_start_costs_two_storage_calls_and_a_warm_one_exactly_one() {
    let setup = Setup::new(Patience::LOCAL).await;
    for dialect in &DIALECTS {
        let app = process(&setup.through);
        app.send(&dialect.start("cold")).await.expect_success();
        assert_eq!(setup.proxy.take_operations(), ["GetItem", "PutItem"]);
        app.send(&dialect.start("warm")).await.expect_success();
        assert_eq!(setup.proxy.take_operations(), ["PutItem"]);
        app.send(&dialect.start("warm")).await.expect_success();
        assert_eq!(setup.proxy.take_operations(), ["PutItem"], "a repeat");
        // Warm is warm: for the other APIs too, which name the workflow in another way.
        for other in &DIALECTS {
            app.send(&other.start("other")).await.expect_success();
        }
        assert_eq!(setup.proxy.take_operations(), ["PutItem"; 3]);
    }
}

#[tokio::test]
async fn what_is_refused_before_the_storage_is_asked_costs_nothing() {
    let setup = Setup::new(Patience::LOCAL).await;
    for dialect in &DIALECTS {
        let late = dialect.start("run").signed_at(fixed_time().plus_seconds(-3600));
        let answer = setup.app.send(&late).await;
        assert!([401, 403].contains(&answer.status), "{}", answer.body);
        let answer = setup.app.send(&dialect.start("run").body("{").signed()).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(setup.proxy.take_operations(), [""; 0]);
}
