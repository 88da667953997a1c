//! What a definition calls: a function by its URN, or an HTTP address.

use std::fmt;

/// What an action calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Function {
    /// A function of the vendor's, which a deployment maps to one of its own.
    Urn(FunctionUrn),
    /// An `http://` or `https://` address. Ours: it lets a definition call what is no Lambda function.
    Url(String),
}

/// A function's URN: `urn:fss:<region>:<project>:function:<package>:<name>[:<version>]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrn {
    /// The region it was written for.
    pub region: String,
    /// The project it was written for.
    pub project: String,
    /// The package, also called application; `default` if the URN has none.
    pub package: String,
    /// The name.
    pub name: String,
    /// The version or alias; `latest` if the URN has none.
    pub version: String,
}

/// A text that names no function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a function URN such as `urn:fss:<region>:<project>:function:<package>:<name>:<version>`, or an http(s) URL"
)]
pub struct FunctionError;

impl Function {
    /// Reads a URN or an address.
    ///
    /// The vendor's own samples shorten URNs to `urn:fss:<region>:<project>:<name>[:<version>]`, and its newer pages write
    /// `fgs` for `fss`; both are taken.
    pub fn parse(text: &str) -> Result<Self, FunctionError> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(FunctionError);
        }
        if let Some(address) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            let has_host = !address.starts_with(['/', '?', '#']) && !address.is_empty();
            return if has_host { Ok(Self::Url(text.to_owned())) } else { Err(FunctionError) };
        }
        let parts: Vec<&str> = text.split(':').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(FunctionError);
        }
        let (region, project, package, name, version) = match parts[..] {
            ["urn", "fss" | "fgs", region, project, "function", package, name] => {
                (region, project, package, name, None)
            }
            ["urn", "fss" | "fgs", region, project, "function", package, name, version] => {
                (region, project, package, name, Some(version))
            }
            ["urn", "fss" | "fgs", region, project, name] => (region, project, "default", name, None),
            ["urn", "fss" | "fgs", region, project, name, version] if name != "function" => {
                (region, project, "default", name, Some(version))
            }
            _ => return Err(FunctionError),
        };
        Ok(Self::Urn(FunctionUrn {
            region: region.to_owned(),
            project: project.to_owned(),
            package: package.to_owned(),
            name: name.to_owned(),
            version: version.unwrap_or("latest").to_owned(),
        }))
    }
}

impl fmt::Display for FunctionUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, project, package, name, version } = self;
        write!(f, "urn:fss:{region}:{project}:function:{package}:{name}:{version}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Result<String, FunctionError> {
        Function::parse(text).map(|function| match function {
            Function::Urn(urn) => urn.to_string(),
            Function::Url(url) => url,
        })
    }

    #[test]
    fn every_form_of_urn_in_the_vendors_samples_is_read() {
        for (text, full) in [
            ("urn:fss:r:p:function:default:work:latest", "urn:fss:r:p:function:default:work:latest"),
            ("urn:fss:r:p:function:default:work", "urn:fss:r:p:function:default:work:latest"),
            ("urn:fgs:r:p:function:tools:work:v2", "urn:fss:r:p:function:tools:work:v2"),
            ("urn:fss:cn-north-7:*:test_workflow", "urn:fss:cn-north-7:*:function:default:test_workflow:latest"),
            ("urn:fss:{regin}:p:test:latest", "urn:fss:{regin}:p:function:default:test:latest"),
        ] {
            assert_eq!(written(text), Ok(full.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_address_is_kept_as_it_is() {
        for address in ["http://127.0.0.1:9000/work", "https://example.com"] {
            assert_eq!(Function::parse(address), Ok(Function::Url(address.to_owned())));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "work",
            "urn",
            "urn:fss:r:p",
            "urn:fss:r:p:function:work",
            "urn:fss:r::work",
            "http://",
            "ftp://a",
            "http://a b",
        ] {
            assert_eq!(Function::parse(text), Err(FunctionError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_a_urn_read_again(text in "(urn:f[sg]s(:[a-z]{0,3}|:function){0,7})|.{0,20}") {
            if let Ok(full) = written(&text) {
                prop_assert_eq!(written(&full), Ok(full));
            }
        }
    }
}
