//! The order of the rooms of `src`: which may import from which.
//!
//! The test reads the paths in the source text. An arrow upwards, or a circle among the files of a room, fails it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rooms from top to bottom. A room imports only from rooms below it. `docs/design.md` shows the same list.
const ROOMS: [&str; 21] = [
    "inspect", "os", "process", "graph", "exchange", "spawn", "launch", "child", "flow", "driven", "command", "cgroup",
    "group", "isolated", "environ", "fd", "error", "plan", "platform", "escape", "sys",
];

/// The rooms that may have `unsafe` code. Others may only declare functions that are unsafe to call.
const UNSAFE: [&str; 4] = ["launch", "isolated", "fd", "sys"];

/// The file that implements std's traits with unsafe methods, which have to be beside their types.
const UNSAFE_FILE: &str = "process::raw";

/// The rooms whose types have the names of std's, so that a program can be switched to them.
const NAMED_AS_STD: [&str; 2] = ["process", "os"];

/// The source files by module path: `plan::step` is `src/plan/step.rs`, `plan` is `src/plan/mod.rs`.
struct Sources(BTreeMap<String, String>);

impl Sources {
    fn read() -> Self {
        let mut sources = BTreeMap::new();
        read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
        Self(sources)
    }

    /// Every module that a file names, as it is written, with the name's last part: `(module that has the path, path)`.
    fn paths(&self, module: &str) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let text = &self.0[module];
        for start in ["crate::", "super::", "self::"] {
            for (index, _) in text.match_indices(start) {
                let before = text[..index].chars().next_back();
                let is_visibility = text[..index].ends_with("(in ");
                if is_visibility || before.is_some_and(|before| before.is_alphanumeric() || "_:".contains(before)) {
                    continue;
                }
                expand(&text[index..], &mut Vec::new(), &mut paths);
            }
        }
        paths.iter().filter_map(|path| self.absolute(module, path)).collect()
    }

    /// A path from the crate's root.
    fn absolute(&self, module: &str, path: &[String]) -> Option<Vec<String>> {
        let is_folder = self.is_folder(module);
        let mut place: Vec<String> = module.split("::").map(str::to_owned).collect();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => place.clear(),
            // In a file, `self` is an inline module or the file itself.
            "self" if !is_folder => return None,
            "self" => {}
            _ => {
                place.pop();
            }
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|first| first == "super") {
            place.pop();
            rest = &rest[1..];
        }
        place.extend(rest.iter().cloned());
        Some(place)
    }

    fn is_folder(&self, module: &str) -> bool {
        let inside = format!("{module}::");
        self.0.keys().any(|other| other.starts_with(&inside))
    }

    /// The files that define what an absolute path names: a re-export counts as an import of the file that it comes from.
    fn files(&self, path: &[String]) -> BTreeSet<String> {
        let length = (1..=path.len()).rev().find(|&length| self.0.contains_key(&path[..length].join("::")));
        let Some(length) = length else { return BTreeSet::new() };
        let module = path[..length].join("::");
        let Some(name) = path.get(length).filter(|_| self.is_folder(&module)) else {
            return BTreeSet::from([module]);
        };
        let mut files = BTreeSet::new();
        for import in self.paths(&module) {
            let last = import.last().map(String::as_str);
            if import.len() > length + 1
                && (last == Some(name) || last == Some("*"))
                && import[..length] == path[..length]
            {
                files.extend(self.files(&import));
            }
        }
        if files.is_empty() { BTreeSet::from([module]) } else { files }
    }
}

fn read_folder(folder: &Path, module: &str, sources: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        if path.is_dir() {
            if name != "tests" {
                read_folder(&path, &inner, sources);
            }
        } else {
            let module = if name == "mod" { module.to_owned() } else { inner };
            sources.insert(module, code(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The text without comments, and without the unit tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    for line in text.lines() {
        let comment = line.find("//").filter(|&index| !line[..index].contains('"'));
        code.push_str(&line[..comment.unwrap_or(line.len())]);
        code.push('\n');
    }
    code
}

/// Reads one path, and each one of a list in braces. Returns how many bytes it read.
fn expand(text: &str, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let depth = before.len();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut inside = at + 1;
            loop {
                let skipped = text[inside..].len() - text[inside..].trim_start_matches([' ', '\n', ',']).len();
                inside += skipped;
                if text[inside..].starts_with('}') || text[inside..].is_empty() {
                    break;
                }
                let read = expand(&text[inside..], before, paths);
                inside += read.max(1);
            }
            let _ = list;
            at = inside + 1;
            break;
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let word = if rest.starts_with('*') { "*" } else { &rest[..end] };
        if word.is_empty() {
            break;
        }
        before.push(word.to_owned());
        at += word.len();
        match text[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => {
                // `self` in a list is the module before it.
                let path = before.iter().enumerate().filter(|(index, word)| *index == 0 || *word != "self");
                paths.push(path.map(|(_, word)| word.clone()).collect());
                if let Some(alias) = text[at..].strip_prefix(" as ") {
                    let end = alias.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
                    at += " as ".len() + end.unwrap_or(alias.len());
                }
                break;
            }
        }
    }
    before.truncate(depth);
    at
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn rooms_import_only_from_rooms_below_them() {
    let sources = Sources::read();
    let place = |room: &str| {
        ROOMS.iter().position(|each| *each == room).unwrap_or_else(|| panic!("{room} is not in the list of rooms"))
    };
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for module in sources.0.keys().filter(|module| *module != "lib") {
        for path in sources.paths(module) {
            let Some(target) = path.first().filter(|first| sources.0.contains_key(*first)) else {
                wrong.push(format!("{module} imports {} by a name of the root", path.join("::")));
                continue;
            };
            arrows += 1;
            if place(target) < place(room(module)) {
                wrong.push(format!("{module} imports {}", path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows upwards:\n{}", wrong.join("\n"));
    assert!(arrows > 300, "only {arrows} imports were found");
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let sources = Sources::read();
    let mut graph: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for module in sources.0.keys().filter(|module| *module != "lib") {
        let files = sources.paths(module).into_iter().flat_map(|path| sources.files(&path));
        graph.insert(module, files.filter(|file| file != module && room(file) == room(module)).collect());
    }
    // Take away what imports nothing that is left, again and again: what remains is a circle, or imports one.
    while let Some(leaf) = graph.iter().find(|(_, files)| files.is_empty()).map(|(module, _)| (*module).to_owned()) {
        graph.remove(leaf.as_str());
        for files in graph.values_mut() {
            files.remove(&leaf);
        }
    }
    assert!(graph.is_empty(), "files in a circle, or that import one: {graph:#?}");
}

#[test]
fn unsafe_code_is_in_its_rooms() {
    for (module, text) in &Sources::read().0 {
        let is_allowed = UNSAFE.contains(&room(module)) || module == UNSAFE_FILE;
        assert!(is_allowed || !text.contains("unsafe {"), "{module} has an unsafe block");
        assert!(is_allowed || !text.contains("#![allow(unsafe_code"), "{module} allows unsafe code");
    }
}

#[test]
fn no_file_has_a_hash_table_of_std() {
    // Its first use makes a `getrandom(2)`, and panics if that is refused.
    for (module, text) in &Sources::read().0 {
        assert!(!text.contains("HashMap") && !text.contains("HashSet"), "{module}");
    }
}

#[test]
fn no_two_types_have_one_name() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (module, text) in &Sources::read().0 {
        // A file for systems that lack a feature has the names of the file that it stands for.
        let stands_for_another =
            ["unsupported", "no_proc", "release_pipe", "kqueue"].iter().any(|end| module.ends_with(end));
        let has_std_names = NAMED_AS_STD.contains(&room(module));
        if stands_for_another || has_std_names || module.starts_with("sys::unix") {
            continue;
        }
        for line in text.lines().filter(|line| !line.starts_with(' ')) {
            let words: Vec<&str> = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
            let keyword = words.iter().position(|word| ["struct", "enum", "trait", "type", "union"].contains(word));
            if let Some(name) = keyword.and_then(|keyword| words.get(keyword + 1)) {
                files.entry((*name).to_owned()).or_default().push(module.clone());
            }
        }
    }
    assert!(files.len() > 100, "only {} types were found", files.len());
    let twice: Vec<_> = files.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn design_page_shows_the_rooms_in_this_order() {
    let page = include_str!("../docs/design.md");
    let picture = page.split("## Rooms").nth(1).expect("the page has a chapter of the rooms");
    let mut last = 0;
    for room in ROOMS {
        let line = picture.lines().position(|line| line.trim_start().starts_with(room));
        let line = line.unwrap_or_else(|| panic!("the page does not show {room}"));
        assert!(line > last, "{room} is not below the room before it");
        last = line;
    }
}

#[test]
fn a_path_in_a_list_is_read_as_the_compiler_reads_it() {
    let mut paths = Vec::new();
    expand("crate::a::{self, B, c::{D, E as F}, g::*};", &mut Vec::new(), &mut paths);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["crate::a", "crate::a::B", "crate::a::c::D", "crate::a::c::E", "crate::a::g::*"]);
}
