//! The file: read whole, written beside and put in place.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Config, Setting};

/// Why the settings are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// Neither a home folder nor another place is known.
    #[error("there is no place for settings: neither HOME nor XDG_CONFIG_HOME is set")]
    NoPlace,
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What it says makes no sense.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The settings in a file; none where there is no such file.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => {
            return Err(ConfigError::File {
                path: path.to_owned(),
                error,
            });
        }
    };
    let content = |reason: String| ConfigError::Content {
        path: path.to_owned(),
        reason,
    };
    let config: Config =
        toml::from_str(&text).map_err(|error| content(error.to_string().trim().to_owned()))?;
    config.check().map_err(content)?;
    Ok(config)
}

/// Writes the settings, readable by their owner alone. Comments on lines of their own are kept, at the top.
pub(crate) fn save(path: &Path, config: &Config) -> Result<(), ConfigError> {
    let failed = |error| ConfigError::File {
        path: path.to_owned(),
        error,
    };
    let mut text = String::new();
    if let Ok(before) = std::fs::read_to_string(path) {
        for line in before
            .lines()
            .filter(|line| line.trim_start().starts_with('#'))
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str(&config.to_toml());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    make_folder(folder).map_err(failed)?;
    // A temporary file is its owner's alone.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Whether no other user may read or change it; so it is where there is no such file.
#[cfg(unix)]
#[expect(
    clippy::verbose_bit_mask,
    reason = "permissions are read as octal digits"
)]
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 == 0)
        || !path.exists()
}

#[cfg(not(unix))]
pub(crate) fn is_private(_path: &Path) -> bool {
    true
}

impl Config {
    fn to_toml(&self) -> String {
        let mut out = String::new();
        for setting in Setting::ALL {
            if let Some(value) = setting.get(self) {
                let value = if setting.is_switch() {
                    value
                } else {
                    quoted(&value)
                };
                let _ = writeln!(out, "{setting} = {value}");
            }
        }
        for (name, context) in &self.contexts {
            let _ = write!(
                out,
                "\n[contexts.{}]\naddress = {}\n",
                quoted(name),
                quoted(&context.address)
            );
            if context.read_only {
                out.push_str("read_only = true\n");
            }
            if let Some(color) = context.color {
                let _ = writeln!(out, "color = {}", quoted(color.name()));
            }
        }
        if !self.queries.is_empty() {
            out.push_str("\n[queries]\n");
        }
        for (name, line) in &self.queries {
            let _ = writeln!(out, "{} = {}", quoted(name), quoted(line));
        }
        out
    }
}

/// A text as TOML: JSON's escapes are a part of TOML's.
fn quoted(text: &str) -> String {
    let text = serde_json::Value::String(text.to_owned()).to_string();
    // The one control character that JSON leaves as it is.
    text.replace('\u{7f}', "\\u007f")
}
