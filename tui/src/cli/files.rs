//! Reading small files, or standard input in their place.

use std::io::Read;
use std::path::Path;

use super::exit::CliError;

/// Largest file read as a whole, in bytes.
const TEXT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The text of a file; of standard input for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(TEXT_BYTES_MAX + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .map_err(failed)?
            .take(TEXT_BYTES_MAX + 1)
            .read_to_string(&mut text)
    };
    let read = read.map_err(failed)?;
    if read as u64 > TEXT_BYTES_MAX {
        return Err(CliError::usage(
            format!("`{}` is larger than {TEXT_BYTES_MAX} bytes", path.display()),
            "is it the right file?",
        ));
    }
    Ok(text)
}

/// The bytes of a file, at most so many; of standard input for `-`.
pub(crate) fn read_bytes(path: &Path, max: u64) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(max + 1)
            .read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(max + 1).read_to_end(&mut bytes)
    };
    let read = read.map_err(failed)?;
    if read as u64 > max {
        return Err(CliError::usage(
            format!("`{}` is larger than {max} bytes", path.display()),
            "is it the right file?",
        ));
    }
    Ok(bytes)
}
