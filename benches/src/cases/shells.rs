//! Shells. A case without its shell is left out.

use super::job::Spawn;
use super::library::succeeded;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// Runs a script in which `$0` is the program.
pub fn shell(name: &str, script: &str, program: &Path) -> io::Result<Spawn> {
    let mut command = Command::new(find(name)?);
    command.arg("-c").arg(script).arg(program);
    Ok(Box::new(move || succeeded(command.status()?)))
}

/// The command of a stage in a script. The arguments have no characters that a shell reads in another way.
pub fn quoted(arguments: &[String]) -> String {
    [String::from("\"$0\"")].iter().chain(arguments).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn find(name: &str) -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, format!("{name} is not installed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_shell_is_named_and_leaves_its_case_out() {
        let error = shell("no-such-shell", "", Path::new("/")).err().unwrap();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::Unsupported, "no-such-shell is not installed")
        );
    }

    #[test]
    fn program_is_the_first_word_of_a_stage() {
        assert_eq!(quoted(&["copy".to_owned(), "1".to_owned()]), "\"$0\" copy 1");
    }
}
