//! The history of an execution in the domain's words.

use aws_sdk_sfn::types::HistoryEvent;

use super::calls::timestamp;
use crate::execution::{StateEvent, StateEventKind};
use crate::json::{self, JsonText};

/// What an event of Step Functions says of a state; `None` where it says something else. Every `...StateEntered` and
/// `...StateExited` event has its details in the same place, whatever the state's type.
pub(super) fn state_event(event: &HistoryEvent, attempt: u32) -> Option<StateEvent> {
    let (state, kind) = if let Some(entered) = event.state_entered_event_details() {
        (entered.name(), StateEventKind::Entered(document(entered.input())))
    } else {
        let exited = event.state_exited_event_details()?;
        (exited.name(), StateEventKind::Left(document(exited.output())))
    };
    Some(StateEvent { at: timestamp(event.timestamp()), attempt, state: state.to_owned(), kind })
}

/// The node of the flow that an event is the beginning of, with the text of its input.
pub(super) fn entered_node(event: &HistoryEvent, is_node: impl Fn(&str) -> bool) -> Option<(&str, String)> {
    let entered = event.state_entered_event_details().filter(|entered| is_node(entered.name()))?;
    let mut document = json::members(entered.input()?.as_bytes()).ok()?;
    Some((entered.name(), document.remove("input")?.get().to_owned()))
}

/// A text of Step Functions, which is JSON. What nests more deeply than this program reads is kept as a string.
pub(super) fn document(text: Option<&str>) -> JsonText {
    let text = text.unwrap_or("null");
    JsonText::parse(text).unwrap_or_else(|_| {
        let quoted = serde_json::Value::from(text).to_string();
        JsonText::parse(&quoted).expect("a string is JSON and does not nest")
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::{HistoryEventType, StateEnteredEventDetails, StateExitedEventDetails};

    use super::*;
    use crate::clock::Timestamp;

    fn event(kind: HistoryEventType) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder().timestamp(DateTime::from_millis(1_500)).r#type(kind).id(1)
    }

    fn entered(name: &str, input: &str) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder().name(name).input(input).build().expect("details");
        event(HistoryEventType::PassStateEntered).state_entered_event_details(details).build().expect("an event")
    }

    #[test]
    fn entering_and_leaving_are_told_and_the_rest_is_not() {
        let told = state_event(&entered("probe", "{\"input\":1.50,\"merge\":false}"), 2).expect("an event");
        assert_eq!((told.at, told.attempt, told.state.as_str()), (Timestamp::from_millis(1_500), 2, "probe"));
        let StateEventKind::Entered(document) = told.kind else { panic!("{told:?}") };
        assert_eq!(document.as_str(), "{\"input\":1.50,\"merge\":false}");

        let details = StateExitedEventDetails::builder().name("probe").output("[]").build().expect("details");
        let left = event(HistoryEventType::TaskStateExited).state_exited_event_details(details).build();
        let told = state_event(&left.expect("an event"), 1).expect("an event");
        assert_eq!(told.kind, StateEventKind::Left(JsonText::parse("[]").expect("valid JSON")));

        assert_eq!(state_event(&event(HistoryEventType::TaskScheduled).build().expect("an event"), 1), None);
    }

    #[test]
    fn a_node_begins_where_the_state_of_its_name_is_entered() {
        let is_node = |name: &str| name == "probe";
        let begun = entered("probe", "{\"merge\": false, \"input\": {\"n\": 1.50}}");
        assert_eq!(entered_node(&begun, is_node), Some(("probe", "{\"n\": 1.50}".to_owned())));
        assert_eq!(entered_node(&entered("probe.call", "{\"input\":1}"), is_node), None);
        assert_eq!(entered_node(&entered("probe", "[1]"), is_node), None);
    }

    #[test]
    fn what_nests_too_deeply_is_kept_as_a_string() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert_eq!(document(Some(&deep)).value().as_str(), Some(deep.as_str()));
        assert_eq!(document(None).as_str(), "null");
    }
}
