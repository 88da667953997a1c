//! The states of an execution and the moves between them.

/// Where an execution stands. The wire names differ between the APIs and live in their folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Recorded, and not yet handed to the engine.
    Scheduled,
    /// Handed to the engine.
    Running,
    /// A caller wants it stopped, and the engine has not said yet that it is.
    Stopping,
    /// A caller wants what failed to be tried again, and it is not yet handed to the engine again.
    Retrying,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because its time was up.
    TimedOut,
    /// Ended because a caller stopped it.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Running,
        Self::Stopping,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// Whether nothing can change any more, unless a caller asks for another attempt.
    pub fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Running | Self::Stopping | Self::Retrying => false,
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled => true,
        }
    }

    /// Whether an execution in this status may move to `next`: forward only, and never out of a final status within one
    /// attempt. [`Status::Retrying`] begins the next attempt, and only where the last one did not succeed.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Scheduled | Self::Retrying => matches!(next, Self::Running | Self::Stopping) || next.is_final(),
            Self::Running => next == Self::Stopping || next.is_final(),
            // Whatever ends first counts: the stop may come too late.
            Self::Stopping => next.is_final(),
            Self::Failed | Self::TimedOut | Self::Cancelled => next == Self::Retrying,
            Self::Succeeded => false,
        }
    }

    /// The statuses from which `next` may be reached.
    pub fn sources_of(next: Self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|from| from.may_become(next)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_status_changes_only_into_another_attempt_and_success_never() {
        for from in Status::ALL.into_iter().filter(|status| status.is_final()) {
            for next in Status::ALL {
                let is_retry = next == Status::Retrying && from != Status::Succeeded;
                assert_eq!(from.may_become(next), is_retry, "{from:?} to {next:?}");
            }
        }
    }

    #[test]
    fn an_execution_only_moves_forward() {
        assert_eq!(Status::sources_of(Status::Scheduled), []);
        assert_eq!(Status::sources_of(Status::Running), [Status::Scheduled, Status::Retrying]);
        assert_eq!(Status::sources_of(Status::Stopping), [Status::Scheduled, Status::Running, Status::Retrying]);
        let unfinished = [Status::Scheduled, Status::Running, Status::Stopping, Status::Retrying];
        assert_eq!(Status::sources_of(Status::Cancelled), unfinished);
    }
}
