//! Names for the states of a machine.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// The longest name of a state that Step Functions takes, in characters.
pub(super) const MAX_CHARACTERS: usize = 80;

/// Gives every state of a machine a name of its own, branches of Parallel states included: Step Functions wants names to be
/// unique over all of them.
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Keeps the ids of the flow's states for the states that they are entered by.
    pub(super) fn keeping<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        Self { taken: ids.map(str::to_owned).collect() }
    }

    /// A new name: `<base>.<role>`, with the base shortened where that is too long.
    pub(super) fn helper(&mut self, base: &str, role: &str) -> String {
        let mut attempt = 1;
        loop {
            let suffix = if attempt == 1 { format!(".{role}") } else { format!(".{role}~{attempt}") };
            let name = shortened(base, MAX_CHARACTERS - suffix.chars().count()) + &suffix;
            if self.taken.insert(name.clone()) {
                return name;
            }
            attempt += 1;
        }
    }
}

/// A name of at most that many characters. What is cut off leaves a hash, so that names that differ there stay apart.
fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let hash = hex::encode(Sha256::digest(name));
    name.chars().take(most - 9).chain("~".chars()).chain(hash.chars().take(8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_named_after_its_state_and_its_role() {
        let mut names = Names::keeping(["probe", "probe.call"].into_iter());
        assert_eq!(names.helper("probe", "done"), "probe.done");
        assert_eq!(names.helper("probe", "done"), "probe.done~2");
        assert_eq!(names.helper("probe", "call"), "probe.call~2", "the id of another state");
    }

    #[test]
    fn a_name_has_at_most_80_characters_and_long_ones_stay_apart() {
        let mut names = Names::keeping(std::iter::empty());
        let (one, other) = ("流".repeat(76) + "one", "流".repeat(76) + "two");
        let (one, other) = (names.helper(&one, "done"), names.helper(&other, "done"));
        assert_eq!(one.chars().count(), MAX_CHARACTERS);
        assert_eq!(other.chars().count(), MAX_CHARACTERS);
        assert_ne!(one, other);
    }
}
