//! The vendor's names for workflows and executions.

use crate::execution::Summary;

/// The URN by which OBS and FunctionGraph v1 know an execution:
/// `urn:fgs:<region>:<project_id>:execution:<workflow name>:<execution name>:<domain_id>`.
pub(super) fn of_execution(execution: &Summary) -> String {
    let Summary { key, workflow_name, region, domain_id, .. } = execution;
    format!("urn:fgs:{region}:{}:execution:{workflow_name}:{}:{domain_id}", key.project_id, key.name)
}

/// The URN by which OBS and FunctionGraph v1 know the workflow of an execution, `urn:fgs:<region>:<project_id>:graph:<name>`.
pub(super) fn of_graph(execution: &Summary) -> String {
    let Summary { key, workflow_name, region, .. } = execution;
    format!("urn:fgs:{region}:{}:graph:{workflow_name}", key.project_id)
}

/// The URN by which FunctionGraph v2 knows the workflow of an execution,
/// `urn:fss:<region>:<project_id>:workflow:default:<name>:latest`.
pub(super) fn of_workflow(execution: &Summary) -> String {
    let Summary { key, workflow_name, region, .. } = execution;
    format!("urn:fss:{region}:{}:workflow:default:{workflow_name}:latest", key.project_id)
}

/// The project, workflow name and execution name in an execution's URN. Any region and domain are accepted, for they tell no
/// execution from another. `None` for a text of another form.
pub(super) fn parse_execution(urn: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<&str> = urn.split(':').collect();
    match parts.as_slice() {
        ["urn", "fgs", region, project_id, "execution", workflow, name, domain]
            if is_region(region) && is_region(domain) && is_graph_name(workflow) =>
        {
            Some((project_id, workflow, name))
        }
        _ => None,
    }
}

/// The project and workflow name in a FunctionGraph v1 graph URN, `urn:fgs:<region>:<project_id>:graph:<name>`. Any region
/// is accepted, because callers bring theirs along. `None` for a text of another form.
pub(super) fn parse_graph(urn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = urn.split(':').collect();
    match parts.as_slice() {
        ["urn", "fgs", region, project_id, "graph", name] if is_region(region) && is_graph_name(name) => {
            Some((project_id, name))
        }
        _ => None,
    }
}

/// The project and workflow name in a FunctionGraph v2 workflow URN,
/// `urn:fss:<region>:<project_id>:workflow:default:<name>:latest`. `None` for a text of another form.
pub(super) fn parse_workflow(urn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = urn.split(':').collect();
    match parts.as_slice() {
        ["urn", "fss", region, project_id, "workflow", "default", name, "latest"] if is_region(region) => {
            Some((project_id, name))
        }
        _ => None,
    }
}

/// The name rule of OBS and FunctionGraph v1: begins with a letter or digit; letters, digits, `_` and `-`; at most 64.
pub(super) fn is_graph_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn is_region(region: &str) -> bool {
    (1..=64).contains(&region.len()) && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_graph_urn_names_project_and_workflow() {
        assert_eq!(parse_graph("urn:fgs:cn-north-1:p1:graph:workflow-8f84"), Some(("p1", "workflow-8f84")));
        for bad in [
            "urn:fgs:cn-north-1:p1:graph:",
            "urn:fgs::p1:graph:a",
            "urn:fss:r:p1:graph:a",
            "urn:fgs:r:p1:function:a",
            "urn:fgs:r:p1:graph:a:latest",
            "urn:fgs:r:p1:graph:-a",
            "URN:fgs:r:p1:graph:a",
            "a",
            "",
        ] {
            assert_eq!(parse_graph(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_workflow_urn_has_the_one_package_and_version_there_are() {
        assert_eq!(parse_workflow("urn:fss:r:p:workflow:default:a.b:latest"), Some(("p", "a.b")));
        assert_eq!(parse_workflow("urn:fss:r:p:workflow:other:a:latest"), None);
        assert_eq!(parse_workflow("urn:fss:r:p:workflow:default:a:1"), None);
    }

    #[test]
    fn a_graph_name_has_at_most_64_characters_and_begins_with_a_letter_or_digit() {
        assert!(is_graph_name(&"a".repeat(64)) && !is_graph_name(&"a".repeat(65)) && !is_graph_name(""));
        assert!(is_graph_name("0") && is_graph_name("a_b-C") && !is_graph_name("_a") && !is_graph_name("-a"));
        assert!(!is_graph_name("a.b") && !is_graph_name("é") && !is_graph_name("a b") && !is_graph_name("a\n"));
    }

    #[test]
    fn an_execution_urn_names_project_workflow_and_execution() {
        let urn = "urn:fgs:cn-north-1:p1:execution:workflow-8f84:run@1:ae0d";
        assert_eq!(parse_execution(urn), Some(("p1", "workflow-8f84", "run@1")));
        for bad in ["urn:fgs:r:p:execution:w:run", "urn:fgs:r:p:graph:w:run:d", "urn:fgs:r:p:execution:.:run:d", ""] {
            assert_eq!(parse_execution(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_name_rule_is_the_vendors_sentence(text in any::<String>()) {
            let rule = regex_lite::Regex::new("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$").expect("a valid pattern");
            prop_assert_eq!(is_graph_name(&text), rule.is_match(&text) && !text.ends_with('\n'));
        }

        #[test]
        fn what_the_urn_says_is_what_was_put_in(project in "[A-Za-z0-9_-]{1,64}", name in "[A-Za-z0-9][A-Za-z0-9_-]{0,63}") {
            let urn = format!("urn:fgs:cn-north-4:{project}:graph:{name}");
            prop_assert_eq!(parse_graph(&urn), Some((project.as_str(), name.as_str())));
        }
    }
}
