//! The events of an execution, as an engine gathers them to tell of it.

use serde_json::{Value, json};

use crate::execution::{StateEvent, StateEventKind};
use crate::json::JsonText;

/// How many events are told: as many as an execution of Step Functions can have.
const MAX_EVENTS: usize = 25_000;

/// After how many bytes of documents their values are left out. More than a function can answer with (6 MB).
const MAX_BYTES: usize = 8 * 1024 * 1024;

const CUT: &str = "flowgate_value_cut";

/// What is kept of an execution's events. Of a long one, more events than the first have no values: where its nodes stand is
/// known even if not all that went through them is.
#[derive(Default)]
pub(super) struct History {
    events: Vec<StateEvent>,
    bytes: usize,
}

impl History {
    /// Takes the next event, and returns whether there is room for another.
    pub(super) fn tell(&mut self, event: StateEvent) -> bool {
        let event = if self.bytes < MAX_BYTES { event } else { without_values(event) };
        self.bytes += event.kind.document().as_str().len();
        self.events.push(event);
        self.events.len() < MAX_EVENTS
    }

    /// Everything that was told, in the same order.
    pub(super) fn into_events(self) -> Vec<StateEvent> {
        self.events
    }
}

/// The event with the skeleton of its document.
fn without_values(event: StateEvent) -> StateEvent {
    let kind = match event.kind {
        StateEventKind::Entered(document) => StateEventKind::Entered(skeleton(&document)),
        StateEventKind::Left(document) => StateEventKind::Left(skeleton(&document)),
    };
    StateEvent { kind, ..event }
}

/// What remains of a document: what [`super::nodes()`] tells success from failure by, and how long the values were.
fn skeleton(document: &JsonText) -> JsonText {
    let (input, result) = (&document.value()["input"], &document.value()["result"]);
    let mut skeleton = json!({"input": cut(input)});
    if !result.is_null() {
        skeleton["result"] = json!({"output": cut(&result["output"]), "thrown": result["thrown"] == true});
    }
    JsonText::parse(&skeleton.to_string()).expect("what was just written is JSON")
}

/// What stands for a value that is left out: the form in which answers show values that are too long for them.
fn cut(value: &Value) -> Value {
    json!({CUT: {"bytes": value.to_string().len(), "beginning": ""}})
}

/// Whether a value was left out.
pub(super) fn is_cut(value: &Value) -> bool {
    value.get(CUT).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn left(state: &str, document: &serde_json::Value) -> StateEvent {
        let document = JsonText::parse(&document.to_string()).expect("JSON");
        StateEvent {
            at: Timestamp::from_millis(1),
            attempt: 2,
            state: state.into(),
            kind: StateEventKind::Left(document),
        }
    }

    #[test]
    fn values_are_left_out_when_there_are_too_many_of_them_and_events_are_not() {
        let mut history = History::default();
        let large = "x".repeat(MAX_BYTES / 4);
        let returned = left("call", &json!({"input": large, "result": {"output": large, "thrown": false}}));
        let thrown = left("call", &json!({"input": large, "result": {"output": large, "thrown": true}}));
        let nothing = left("pause", &json!({"input": large, "result": null}));
        let told = [&returned, &thrown, &returned, &thrown, &nothing];
        for event in told {
            assert!(history.tell(event.clone()));
        }
        let events = history.into_events();
        assert_eq!(events[..2], [returned.clone(), thrown.clone()]);
        let gone = json!({"flowgate_value_cut": {"bytes": large.len() + 2, "beginning": ""}});
        let bare = |thrown: bool| json!({"input": gone, "result": {"output": gone, "thrown": thrown}});
        assert_eq!(events[2], left("call", &bare(false)));
        assert_eq!(events[3], left("call", &bare(true)));
        assert_eq!(events[4], left("pause", &json!({"input": gone})));
    }

    #[test]
    fn events_end_where_they_are_too_many() {
        let mut history = History::default();
        let event = left("pause", &json!({}));
        let room = (1..MAX_EVENTS).all(|_| history.tell(event.clone()));
        assert!(room && !history.tell(event.clone()));
        assert_eq!(history.into_events().len(), MAX_EVENTS);
    }
}
