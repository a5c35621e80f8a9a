"""Compiles and runs std's own process tests, once as they are and once switched to `fdspawn`."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import switch

TIMEOUT = 300

# Tests that pass with std only, with the reason.
PANIC = "a hook panics: std has `panic::always_abort` after the fork, which only nightly Rust offers to others. Here the spawn fails"
LISTED = {
    "tests/ui/process/process-panic-after-fork.rs": PANIC,
    "library/std/src/sys/process/unix/unix/tests.rs: test_command_fork_no_unwind": PANIC,
    "examples of library/std/src/process.rs: ExitStatusError": "the type is unstable in std, so that it cannot be re-exported",
}

# The lines of the short table.
GROUPS = [
    ("`tests/ui/process`, `tests/ui/command`", r"tests/ui/(process|command)/"),
    ("others of `tests/ui` that start processes", r"tests/ui/(?!process/|command/)"),
    ("`library/std/tests`", r"library/std/tests/"),
    ("unit tests in `library/std/src`", r"library/std/src/"),
    ("examples in the documentation of std's three modules", r"examples of"),
]

# What a test that is not run needs.
ELSEWHERE = [("only-windows", "for Windows"), ("only-apple", "for macOS"), ("aux-build", "needs crates beside it"), ("aux-bin", "needs programs beside it"), ("revisions", "has several revisions")]


@dataclass
class Row:
    test: str
    edits: int = 0
    # Each function of the file, or the file itself, and whether it passes. Nothing if the file does not compile.
    std: dict = field(default_factory=dict)
    ours: dict = field(default_factory=dict)
    reason: str = ""

    def worse(self):
        """What passes with std only."""
        return [name for name, passed in self.std.items() if passed and not self.ours.get(name)]

    def is_fault(self):
        return any(name not in LISTED for name in self.worse())

    def note(self):
        reasons = [f"`{name.split(': ')[-1].split('/')[-1]}`: {LISTED.get(name, 'a fault')}" for name in self.worse()]
        if self.edits and not any(self.std.values()):
            reasons.append("the same with std")
        return "; ".join([self.reason] * bool(self.reason) + reasons)


@dataclass
class Test:
    name: str
    text: str
    switched: str
    edition: str = "2015"
    harness: bool = False
    flags: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    fails: bool = False
    beside: list = field(default_factory=list)
    documentation: bool = False


def ui_tests(source):
    """The tests of the compiler's suite that start processes, and all others of the two folders about processes."""
    ui = source / "tests/ui"
    for path in sorted(ui.rglob("*.rs")):
        inside = path.parent.name in ("process", "command") and path.parent.parent == ui
        text = path.read_text(errors="replace")
        lines = re.findall(r"^//@ ?([\w-]+):?[ \t]*(.*)$", text, re.MULTILINE)
        directives = dict(lines)
        flags = " ".join(value for key, value in lines if key == "compile-flags").split()
        runs = "run-pass" in directives or "run-fail" in directives or "--test" in flags
        switched = switch.switch(text)
        if not (inside or (runs and switched != text and re.search(r"\bCommand\b", text))):
            continue
        name = str(path.relative_to(source))
        reason = next((reason for key, reason in ELSEWHERE if key in directives), None)
        reason = reason or ("" if runs else "is not run by the compiler's suite either")
        reason = reason or ("" if switched != text else "does not name std's process module")
        if reason:
            yield Row(name, reason=reason)
            continue
        edition = directives.get("edition", "2015").strip()
        if edition == "2015":
            switched = switch.with_extern_crate(switched)
        environment = dict(value.strip().split("=", 1) for key, value in lines if key == "exec-env")
        harness = "--test" in flags
        flags = [flag for flag in flags if flag != "--test"]
        beside = [other for other in path.parent.glob(f"{path.stem}-*.rs")]
        yield Test(name, text, switched, edition, harness, flags, environment, "run-fail" in directives, beside)


def library_tests(source):
    """The tests of std itself: those with a file of their own, and the unit tests of the modules about processes."""
    std = source / "library/std"
    for path in sorted((std / "tests").glob("*.rs")):
        text = path.read_text()
        if re.search(r"\bCommand\b", text):
            yield Test(str(path.relative_to(source)), text, switch.switch(text), "2024", "fn main()" not in text, beside=[std / "tests/common"])
    for path in sorted(std.glob("src/**/tests.rs")):
        text = path.read_text()
        name = str(path.relative_to(source))
        if "/windows/" in name or not re.search(r"/process/|/pidfd/", name) or not re.search(r"\bCommand\b", text):
            continue
        text = from_outside(text)
        yield Test(name, text, switch.switch(text), "2024", True)
    for name in ("src/process.rs", "src/os/unix/process.rs", "src/os/linux/process.rs"):
        text = examples((std / name).read_text())
        yield Test(f"examples of library/std/{name}", text, switch.switch(text), "2024", documentation=True)


def examples(text):
    """The documentation of a module without its code: each comment, in its place, over an empty module with the name of its item."""
    lines, inside, attribute = [], False, ""
    for number, line in enumerate(text.splitlines()):
        comment = re.match(r"\s*//[/!](?!/)(.*)", line)
        item = re.search(r"\b(?:fn|struct|enum|trait|impl|type|const|mod|macro_rules!) ?(\w+)?|^\s*(\w+)[,;:]", line)
        if comment:
            lines.append("///" + comment[1])
            inside = True
        elif attribute or re.match(r"\s*#!?\[", line):
            attribute = attribute + line if (attribute + line).count("[") != (attribute + line).count("]") else ""
            lines.append("")
        elif inside and item and not line.strip().startswith("//"):
            lines.append(f"pub mod {item[1] or item[2] or 'module'}_{number} {{}}")
            inside = False
        elif inside and line.strip() and not line.strip().startswith("//"):
            lines.append(f"pub mod module_{number} {{}}")
            inside = False
        else:
            # A plain comment may stand in the middle of an example.
            lines.append("")
    return "\n".join(lines) + "\n"


def from_outside(text):
    """A unit test of std as a crate of its own: `crate` is std. The private builder is in `private.rs`."""
    items = re.split(r"(?<=\n)(?=#\[test\])", text)
    # One test is about a private type that the public builder does not show.
    text = "".join(item for item in items if "ProgramKind::new" not in item)
    private = re.search(r"use crate::sys::|use super::\*|use super::PidFd", text)
    if private:
        text = text.replace("crate::sys::", "private::").replace("super::", "private::")
    text = re.sub(r"\buse super::", "use std::process::", text)
    text = re.sub(r"\bcrate::", "std::", text)
    if private:
        text = (Path(__file__).parent / "private.rs").read_text() + text
    if "libc::" in text:
        text = "#![feature(rustc_private)]\nextern crate libc;\n" + text
    return text


class Compiler:
    def __init__(self, repository, work, toolchain):
        self.work = work
        self.rustc = ["rustc", f"+{toolchain}"]
        self.externs, self.libc = self.build(repository, toolchain)
        self.library_path = Path(self.libc).parent

    def build(self, repository, toolchain):
        """Builds `fdspawn` and the crates that std's tests use, and returns their files."""
        package = self.work / "libraries"
        (package / "src").mkdir(parents=True, exist_ok=True)
        (package / "src/lib.rs").touch()
        (package / "Cargo.toml").write_text(
            '[workspace]\n[package]\nname = "libraries"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n'
            'rand = { version = "0.9", default-features = false, features = ["alloc"] }\nrand_xorshift = "0.4"\n'
            f'libc = "0.2"\nfdspawn = {{ path = "{repository}" }}\n'
        )
        command = ["cargo", f"+{toolchain}", "build", "-q", "--message-format=json", "--manifest-path", package / "Cargo.toml"]
        # Two tests link with LTO.
        environment = {**os.environ, "RUSTFLAGS": "-C embed-bitcode=yes"}
        messages = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
        externs = {}
        for message in map(json.loads, messages.splitlines()):
            if message["reason"] == "compiler-artifact":
                externs[message["target"]["name"]] = next((file for file in message["filenames"] if file.endswith(".rlib")), None)
        return {name: externs[name] for name in ("fdspawn", "rand", "rand_xorshift")}, externs["libc"]

    def compile(self, test, text, folder):
        """Compiles a source; returns the program, or the errors."""
        folder.mkdir(parents=True)
        # Some tests look for the name of their crate, which is that of the file.
        source, program = folder / Path(test.name).name, folder / "a"
        for path in test.beside:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
        arguments = [*self.rustc, source, "-o", program, "-A", "warnings", *self.options(test)]
        arguments += test.flags + (["--test"] if test.harness else [])
        # std's own sources need no feature attributes: the compiler says which ones a test of std needs outside.
        for _ in range(6):
            source.write_text(text)
            done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
            missing = set(re.findall(r"add `#!\[feature\((\w+)\)\]`", done.stdout))
            if done.returncode == 0:
                return program, ""
            if not missing or not test.name.startswith("library"):
                break
            text = f"#![feature({', '.join(sorted(missing))})]\n" + text
        return None, done.stdout

    def options(self, test):
        externs = [f"--extern={name}={file}" for name, file in self.externs.items()]
        return ["--edition", test.edition, "-L", f"dependency={self.library_path}", *externs]

    def documented(self, test, text, folder):
        """Whether each example of a documentation passes."""
        folder.mkdir(parents=True)
        source = folder / "examples.rs"
        source.write_text(text)
        done = subprocess.run(
            ["rustdoc", *self.rustc[1:], "--test", source, "--test-args=--test-threads=2", f"--extern=libc={self.libc}", *self.options(test)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        found = re.findall(r"^test \S+ - (\w+)_\d+ \(line (\d+)\).* \.\.\. (ok|FAILED)$", done.stdout, re.MULTILINE)
        # An item may have several examples: they are counted.
        results = {}
        for item, _, word in sorted(found, key=lambda example: int(example[1])):
            name = f"{test.name}: {item}"
            number = sum(other.split(" ")[-1] == item or f": {item} " in other for other in results)
            results[f"{name} {number + 1}" if number else name] = word == "ok"
        return results, done.stdout

    def results(self, test, text, folder):
        """Whether each function of the test passes, and all output."""
        if test.documentation:
            return self.documented(test, text, folder)
        program, output = self.compile(test, text, folder)
        if program is None:
            return {}, output
        environment = {**os.environ, **test.environment, "RUST_TEST_THREADS": "2", "TMPDIR": str(folder), "RUST_TEST_TMPDIR": str(folder)}
        environment.pop("RUST_BACKTRACE", None)
        try:
            done = subprocess.run(
                [program], cwd=folder, env=environment, timeout=TIMEOUT,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            )
        except subprocess.TimeoutExpired:
            return {test.name: False}, f"does not end within {TIMEOUT} s"
        if test.harness:
            # What a child prints may stand in the middle of a result's line, so the list of failures counts.
            listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True).stdout
            failed = set(re.findall(r"^    (\S+)$", done.stdout.rsplit("\nfailures:\n", 1)[-1], re.MULTILINE))
            whole = done.returncode == 0 or (done.returncode == 101 and failed)
            names = re.findall(r"^(\S+): test$", listed, re.MULTILINE)
            return {f"{test.name}: {name}": bool(whole) and (done.returncode == 0 or name not in failed) for name in names}, done.stdout
        return {test.name: done.returncode == (101 if test.fails else 0)}, done.stdout


def run(repository, source, library, work, toolchain, only):
    compiler = Compiler(repository, work, toolchain)
    rows = []
    for number, test in enumerate([*ui_tests(source), *library_tests(library)]):
        if isinstance(test, Row):
            rows += [test] if not only or only in test.test else []
            continue
        if only and only not in test.name:
            continue
        row = Row(test.name, switch.changed_lines(test.text, test.switched))
        row.std, _ = compiler.results(test, test.text, work / f"std-{number}")
        row.ours, output = compiler.results(test, test.switched, work / f"fdspawn-{number}")
        if not row.ours or not all(row.ours.values()):
            (work / f"{number}-{Path(test.name).stem}.log").write_text(output)
        rows.append(row)
        print(f"  {test.name}: std {counted(row.std)}, fdspawn {counted(row.ours)}", flush=True)
    return rows


def counted(results):
    return f"{sum(results.values())} of {len(results)}" if results else "does not compile"


def table(rows):
    """A line for each file, and the sums."""
    lines = ["| test | lines changed | pass with std | pass with fdspawn | note |", "|---|---|---|---|---|"]
    for row in rows:
        results = [counted(row.std), counted(row.ours)] if row.edits else ["", ""]
        lines.append(f"| {row.test} | {row.edits or ''} | {results[0]} | {results[1]} | {row.note()} |")
    lines += ["", "| tests | files | lines changed | pass with std | of these with fdspawn |", "|---|---|---|---|---|"]
    for title, pattern in GROUPS:
        group = [row for row in rows if re.match(pattern, row.test) and any(row.std.values())]
        std, worse = sum(sum(row.std.values()) for row in group), sum(len(row.worse()) for row in group)
        lines.append(f"| {title} | {len(group)} | {sum(row.edits for row in group)} | {std} | {std - worse} |")
    lines.append("")
    unlisted = [name for row in rows for name in row.worse() if name not in LISTED]
    lines.append(f"Not listed: {', '.join(unlisted) or 'none'}.")
    same = [row.test for row in rows if row.edits and not any(row.std.values())]
    lines.append(f"{len(same)} files do not pass with std here either ({', '.join(same)}), {sum(not row.edits for row in rows)} are not run.")
    return "\n".join(lines)
