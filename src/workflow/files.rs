//! Reads definitions from files.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::flow::Flow;
use super::{Definition, DefinitionError};

/// The largest file that is read, in bytes. It leaves a definition of the greatest size much room for white space.
const FILE_BYTES: usize = 1 << 20;

/// Reads the definition that a file holds.
pub fn read_definition(path: &Path) -> Result<Definition, DefinitionError> {
    Definition::parse(&read_text(path)?)
}

/// Reads the flow that a file holds, in any dialect.
pub fn read_flow(path: &Path) -> Result<Flow, DefinitionError> {
    Flow::parse(&read_text(path)?)
}

fn read_text(path: &Path) -> Result<String, DefinitionError> {
    let mut bytes = Vec::new();
    // One byte beyond the limit tells a file that is too large from one that just fits.
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(DefinitionError::Unreadable)?;
    if bytes.len() > FILE_BYTES {
        return Err(DefinitionError::FileTooLarge { limit: FILE_BYTES });
    }
    String::from_utf8(bytes).map_err(|error| DefinitionError::Unreadable(io::Error::new(ErrorKind::InvalidData, error)))
}

/// Reads every `*.json` of a directory, in the order of the file names, each with its definition or what is wrong with it.
///
/// A directory that does not exist holds no definitions. Of two files that define the same workflow the first wins. Fails
/// only if the directory itself cannot be read.
pub fn read_definitions(dir: &Path) -> io::Result<Vec<(PathBuf, Result<Definition, DefinitionError>)>> {
    let mut read: Vec<(PathBuf, Result<Definition, DefinitionError>)> = Vec::new();
    for path in json_files(dir)? {
        let definition = read_definition(&path).and_then(|definition| {
            let namesake = read
                .iter()
                .find(|(_, earlier)| earlier.as_ref().is_ok_and(|earlier| earlier.name() == definition.name()));
            match namesake {
                Some((path, _)) => {
                    Err(DefinitionError::NameTaken { name: definition.name().clone(), path: path.clone() })
                }
                None => Ok(definition),
            }
        });
        read.push((path, definition));
    }
    Ok(read)
}

fn json_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> String {
        format!(
            r#"{{"name": "{name}", "start": "end", "constants": {{}}, "functions": [], "retries": [], "states":
                [{{"id": "end", "name": "End", "type": "End", "end": true, "transition": "", "actions": []}}]}}"#
        )
    }

    /// A directory of files, and what reading it gives: of each file its name, and its workflow's name or the error.
    fn read(files: &[(&str, &[u8])]) -> Vec<(String, Result<String, String>)> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in files {
            fs::write(dir.path().join(name), content).expect("a written file");
        }
        let shown = |path: &Path| path.strip_prefix(dir.path()).expect("in the directory").display().to_string();
        read_definitions(dir.path())
            .expect("a readable directory")
            .into_iter()
            .map(|(path, outcome)| {
                let outcome = match outcome {
                    Ok(definition) => Ok(definition.name().to_string()),
                    Err(DefinitionError::NameTaken { name, path }) => {
                        Err(format!("{name} is taken by {}", shown(&path)))
                    }
                    Err(error) => Err(error.to_string()),
                };
                (shown(&path), outcome)
            })
            .collect()
    }

    #[test]
    fn every_json_file_is_read_in_the_order_of_names() {
        let (a, b) = (definition("alpha"), definition("beta"));
        assert_eq!(
            read(&[("2.json", a.as_bytes()), ("1.json", b.as_bytes()), ("README.md", b"no definition")]),
            [("1.json".to_owned(), Ok("beta".to_owned())), ("2.json".to_owned(), Ok("alpha".to_owned()))]
        );
    }

    #[test]
    fn a_broken_file_does_not_take_the_others_down() {
        let good = definition("good");
        assert_eq!(
            read(&[("a.json", b"{"), ("b.json", b"\xff"), ("c.json", b"{}"), ("d.json", good.as_bytes())])
                .into_iter()
                .map(|(_, outcome)| outcome)
                .collect::<Vec<_>>(),
            [
                Err("the definition is not JSON (line 1, column 1)".to_owned()),
                Err("the file cannot be read".to_owned()),
                Err("`name` is missing; `constants` is missing; `functions` is missing; `retries` is missing; \
                     `start` is missing; `states` is missing"
                    .to_owned()),
                Ok("good".to_owned()),
            ]
        );
    }

    #[test]
    fn of_two_files_with_the_same_name_the_first_wins() {
        let twin = definition("twin");
        assert_eq!(
            read(&[("a.json", twin.as_bytes()), ("b.json", twin.as_bytes()), ("c.json", twin.as_bytes())]),
            [
                ("a.json".to_owned(), Ok("twin".to_owned())),
                ("b.json".to_owned(), Err("twin is taken by a.json".to_owned())),
                ("c.json".to_owned(), Err("twin is taken by a.json".to_owned())),
            ]
        );
    }

    #[test]
    fn a_taken_name_is_reported_with_the_file_that_has_it() {
        let name = crate::workflow::WorkflowName::parse("twin").expect("a valid name");
        let error = DefinitionError::NameTaken { name, path: PathBuf::from("workflows/a.json") };
        assert_eq!(error.to_string(), "`name` is `twin`, which workflows/a.json defines already");
    }

    #[test]
    fn a_directory_that_does_not_exist_holds_no_definitions() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(read_definitions(&dir.path().join("none")).expect("no error").is_empty());
    }

    #[test]
    fn a_directory_that_is_called_like_a_file_is_passed_over() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(dir.path().join("old.json")).expect("a directory");
        assert!(read_definitions(dir.path()).expect("no error").is_empty());
    }

    #[test]
    fn a_file_of_a_mebibyte_is_read_and_a_larger_one_is_not() {
        let mut padded = definition("padded").into_bytes();
        padded.resize(FILE_BYTES, b' ');
        assert_eq!(read(&[("a.json", &padded)])[0].1, Ok("padded".to_owned()));

        padded.push(b' ');
        let message = "the file must be at most 1048576 bytes long".to_owned();
        assert_eq!(read(&[("a.json", &padded)])[0].1, Err(message));
    }

    #[test]
    fn a_single_file_that_is_missing_is_an_error() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = read_definition(&dir.path().join("none.json")).expect_err("there is no file");
        assert!(matches!(error, DefinitionError::Unreadable(_)), "{error}");
    }
}
