//! Which Lambda function a function of a definition is.

use std::fmt;

use crate::workflow::flow::{Function, FunctionUrn};

/// The longest name or ARN that Lambda's Invoke takes, in characters.
const MAX_CHARACTERS: usize = 170;

/// The rule by which a function's URN becomes the name of a Lambda function: a template such as `{package}-{name}` or
/// `arn:aws:lambda:eu-west-1:123456789012:function:{name}`.
///
/// The placeholders are `{region}`, `{project}`, `{package}`, `{name}` and `{version}`; what a URN leaves out is `default`
/// and `latest`. The default is `{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionNames {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Region,
    Project,
    Package,
    Name,
    Version,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the template `{template}` must be text and any of {{region}}, {{project}}, {{package}}, {{name}} and {{version}}"
)]
pub struct TemplateError {
    template: String,
}

/// A name that Lambda does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{urn}` resolves to `{name}`, but the name of a Lambda function must be 1 to {MAX_CHARACTERS} letters, digits and `-_.:$`"
)]
pub struct NameError {
    urn: Box<FunctionUrn>,
    name: String,
}

impl FunctionNames {
    /// Reads a template.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let refused = || TemplateError { template: template.to_owned() };
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').ok_or_else(refused)?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Placeholder(match word {
                "region" => Placeholder::Region,
                "project" => Placeholder::Project,
                "package" => Placeholder::Package,
                "name" => Placeholder::Name,
                "version" => Placeholder::Version,
                _ => return Err(refused()),
            }));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if template.is_empty() || parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
            return Err(refused());
        }
        Ok(Self { parts })
    }

    /// What a Task's `FunctionName` is. An address stays what it is: only the embedded engine calls it.
    pub fn resolve(&self, function: &Function) -> Result<String, NameError> {
        match function {
            Function::Urn(urn) => self.name_of(urn),
            Function::Url(address) => Ok(address.clone()),
        }
    }

    fn name_of(&self, urn: &FunctionUrn) -> Result<String, NameError> {
        let name: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Placeholder(Placeholder::Region) => &urn.region,
                Part::Placeholder(Placeholder::Project) => &urn.project,
                Part::Placeholder(Placeholder::Package) => &urn.package,
                Part::Placeholder(Placeholder::Name) => &urn.name,
                Part::Placeholder(Placeholder::Version) => &urn.version,
            })
            .collect();
        let is_name = (1..=MAX_CHARACTERS).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:$".contains(c));
        if is_name { Ok(name) } else { Err(NameError { urn: Box::new(urn.clone()), name }) }
    }
}

impl Default for FunctionNames {
    fn default() -> Self {
        Self { parts: vec![Part::Placeholder(Placeholder::Name)] }
    }
}

impl fmt::Display for FunctionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| {
            f.write_str(match part {
                Part::Text(text) => text,
                Part::Placeholder(Placeholder::Region) => "{region}",
                Part::Placeholder(Placeholder::Project) => "{project}",
                Part::Placeholder(Placeholder::Package) => "{package}",
                Part::Placeholder(Placeholder::Name) => "{name}",
                Part::Placeholder(Placeholder::Version) => "{version}",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(template: &str, urn: &str) -> Result<String, String> {
        let names = FunctionNames::parse(template).map_err(|error| error.to_string())?;
        assert_eq!(names.to_string(), template);
        names.resolve(&Function::parse(urn).expect("a function")).map_err(|error| error.to_string())
    }

    #[test]
    fn every_placeholder_stands_for_its_part_of_the_urn() {
        let urn = "urn:fss:cn-north-4:p1:function:tools:work:v2";
        for (template, name) in [
            ("{name}", "work"),
            ("{region}-{project}-{package}-{name}-{version}", "cn-north-4-p1-tools-work-v2"),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:{name}",
                "arn:aws:lambda:eu-west-1:123456789012:function:work",
            ),
        ] {
            assert_eq!(resolved(template, urn).as_deref(), Ok(name));
        }
        assert_eq!(resolved("{package}-{name}-{version}", "urn:fss:r:p:work").as_deref(), Ok("default-work-latest"));
        let default = FunctionNames::default().resolve(&Function::parse(urn).expect("a function"));
        assert_eq!(default.as_deref(), Ok("work"));
    }

    #[test]
    fn what_is_no_template_or_makes_no_name_is_refused() {
        for template in ["", "{nam}", "{name", "name}", "{na{me}}"] {
            assert!(FunctionNames::parse(template).is_err(), "{template}");
        }
        assert_eq!(
            resolved("{region}", "urn:fss:{regin}:p:work").expect_err("no name of a function"),
            "`urn:fss:{regin}:p:function:default:work:latest` resolves to `{regin}`, but the name of a Lambda function must \
             be 1 to 170 letters, digits and `-_.:$`"
        );
    }

    #[test]
    fn an_address_is_not_resolved() {
        assert_eq!(resolved("{name}", "http://127.0.0.1:9000/x").as_deref(), Ok("http://127.0.0.1:9000/x"));
    }
}
