//! Reads definitions from files.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{Definition, DefinitionError};

/// The largest file that is read, in bytes. It leaves a definition of the greatest size much room for white space.
const FILE_BYTES: usize = 1 << 20;

/// Reads the definition that a file holds.
pub fn read_definition(path: &Path) -> Result<Definition, DefinitionError> {
    let mut bytes = Vec::new();
    // One byte beyond the limit tells a file that is too large from one that just fits.
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(DefinitionError::Unreadable)?;
    if bytes.len() > FILE_BYTES {
        return Err(DefinitionError::TooLarge { bytes: bytes.len(), limit: FILE_BYTES, measured: "file" });
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| DefinitionError::Unreadable(io::Error::new(ErrorKind::InvalidData, error)))?;
    Definition::parse(&text)
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
