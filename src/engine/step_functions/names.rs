//! What state machines and executions are called in Step Functions.

use uuid::Uuid;

use crate::execution::{Execution, RecordId};
use crate::workflow::WorkflowName;

/// How many characters of a workflow's name are in the name of its state machine, for people to read. With the longest
/// prefix (16) and the id (32) the name has the 80 characters that Step Functions takes.
const READABLE: usize = 30;

/// How many hex digits of a record's nonce are in the name of its executions: with the record's id (64) and an attempt of up
/// to three digits the name has 80 characters.
const NONCE_DIGITS: usize = 11;

/// The name of a workflow's state machine. The id keeps workflows apart; letters other than ASCII's would keep Step
/// Functions from writing a log.
pub(super) fn machine_name(prefix: &str, name: &WorkflowName, id: Uuid) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let readable: String = name.as_str().chars().take(READABLE).map(legal).collect();
    format!("{prefix}{readable}-{}", id.simple())
}

/// The ARN of a state machine; it lies in the account of its role. `None` if the role's ARN is none.
pub(super) fn machine_arn(role: &str, region: &str, name: &str) -> Option<String> {
    match role.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "iam", "", account, _] => {
            Some(format!("arn:{partition}:states:{region}:{account}:stateMachine:{name}"))
        }
        _ => None,
    }
}

/// The ARN of an execution of a state machine, given the ARN of the machine or of one of its versions: executions of all
/// versions share one space of names. `None` if the machine's ARN is none.
pub(super) fn execution_arn(machine: &str, name: &str) -> Option<String> {
    match machine.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "states", region, account, "stateMachine", machine]
        | ["arn", partition, "states", region, account, "stateMachine", machine, _] => {
            Some(format!("arn:{partition}:states:{region}:{account}:execution:{machine}:{name}"))
        }
        _ => None,
    }
}

/// What an execution of ours is called: it says whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExecutionName {
    /// The record.
    pub(super) id: RecordId,
    /// The beginning of the record's nonce, which tells the record from an earlier one of the same key that has expired.
    nonce: String,
    /// The attempt.
    pub(super) attempt: u32,
}

impl ExecutionName {
    /// The name of an attempt of an execution.
    pub(super) fn of(execution: &Execution, attempt: u32) -> Self {
        let mut nonce = execution.nonce.simple().to_string();
        nonce.truncate(NONCE_DIGITS);
        Self { id: execution.key.record_id(), nonce, attempt }
    }

    /// Reads a name; `None` for one that is not of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let name = Self {
            id: RecordId::parse(parts.next()?)?,
            nonce: parts.next()?.to_owned(),
            attempt: parts.next()?.parse().ok()?,
        };
        (name.to_string() == text && name.nonce.len() == NONCE_DIGITS).then_some(name)
    }

    /// Whether this is the name of an attempt of the execution, be it a past one.
    pub(super) fn belongs_to(&self, execution: &Execution) -> bool {
        *self == Self::of(execution, self.attempt)
    }
}

impl std::fmt::Display for ExecutionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.id.as_str(), self.nonce, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_of_a_state_machine_is_legal_however_the_workflow_is_called() {
        for name in ["order-fanout", "a.b(c)", &"流".repeat(64), &"x".repeat(64)] {
            let workflow = WorkflowName::parse(name).expect("a valid name");
            let name = machine_name("flowgate-0123456", &workflow, Uuid::max());
            assert!(name.len() <= 80, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
        }
        let workflow = WorkflowName::parse("order.fanout").expect("a valid name");
        assert_eq!(machine_name("f-", &workflow, Uuid::nil()), format!("f-order-fanout-{}", "0".repeat(32)));
    }

    #[test]
    fn arns_follow_from_each_other() {
        let role = "arn:aws-cn:iam::123456789012:role/path/flowgate";
        let machine = machine_arn(role, "cn-north-1", "m").expect("an ARN");
        assert_eq!(machine, "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:m");
        let execution = "arn:aws-cn:states:cn-north-1:123456789012:execution:m:e";
        assert_eq!(execution_arn(&machine, "e").as_deref(), Some(execution));
        assert_eq!(execution_arn(&format!("{machine}:7"), "e").as_deref(), Some(execution));
        for bad in ["", "m", execution, "arn:aws:states:r:1:stateMachine:m:7:8"] {
            assert_eq!(execution_arn(bad, "e"), None, "{bad}");
        }
        assert_eq!(machine_arn("flowgate", "r", "m"), None);
    }

    #[test]
    fn only_names_of_ours_are_read() {
        let id = "0123456789abcdef".repeat(4);
        let name = format!("{id}-0a1b2c3d4e5-12");
        let read = ExecutionName::parse(&name).expect("one of ours");
        assert_eq!((read.id.as_str(), read.attempt, read.to_string()), (id.as_str(), 12, name.clone()));
        assert_eq!(format!("{id}-0a1b2c3d4e5-999").len(), 80);
        for bad in [
            "",
            "by-hand",
            &id,
            &name[1..],
            &format!("{name}-1"),
            &format!("{id}-0a-1"),
            &format!("{id}-0a1b2c3d4e5-+1"),
        ] {
            assert_eq!(ExecutionName::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "([0-9a-f]{64}|[0-9a-f]{0,4})-([0-9a-f]{11}|.{0,12})-[0-9+]{0,4}") {
            if let Some(name) = ExecutionName::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
