//! The states of an execution and the moves between them.

/// Where an execution stands. The wire names differ between the APIs and live in their folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Recorded, and not yet handed to the engine.
    Scheduled,
    /// Handed to the engine.
    Running,
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
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Cancelled];

    /// Whether nothing can change any more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Scheduled | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled => true,
        }
    }

    /// Whether an execution in this status may move to `next`: forward only, and never out of a final status.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Scheduled => next != Self::Scheduled,
            Self::Running => next.is_final(),
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled => false,
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
    fn a_final_status_never_changes() {
        for from in Status::ALL.into_iter().filter(|status| status.is_final()) {
            for next in Status::ALL {
                assert!(!from.may_become(next), "{from:?} to {next:?}");
            }
        }
    }

    #[test]
    fn an_execution_only_moves_forward() {
        assert_eq!(Status::sources_of(Status::Scheduled), []);
        assert_eq!(Status::sources_of(Status::Running), [Status::Scheduled]);
        assert_eq!(Status::sources_of(Status::Cancelled), [Status::Scheduled, Status::Running]);
    }
}
