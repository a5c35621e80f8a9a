"""Compiles crates and runs their own tests, once as they are and once switched to `fdspawn`."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import sources
import switch

TIMEOUT = 1200

# Version, and cargo's options for the tests: with the parts that start processes, without those for tokio's type of its own.
CRATES = {
    "shared_child": ("1.1.2", []),
    "duct": ("1.1.2", []),
    "os_pipe": ("1.2.3", []),
    "xshell": ("0.2.7", []),
    "cc": ("1.11.3", ["--features", "parallel"]),
    "assert_cmd": ("2.2.2", []),
    "snapbox": ("1.2.2", ["--features", "cmd,dir,json,regex,examples"]),
    "cargo_metadata": ("0.23.1", []),
    "command-fds": ("0.3.3", []),
    "open": ("5.4.5", []),
    "command-group": ("5.0.1", []),
}

# Crates that those use, and whose functions take or return std's types. They are switched, too, so that the others can run.
DEPENDENCIES = {"wait-timeout": "0.2.1", "escargot": "0.5.15", "jobserver": "0.1.35", "find-msvc-tools": "0.1.15"}

# Features that name tokio's own types: they are compiled alone, so that their errors are listed.
TOKIO = {"command-fds": ["--features", "tokio"], "command-group": ["--features", "with-tokio"]}

# Crates whose tests change the descriptors of their own process, and need one for each test.
ISOLATED = {"command-fds"}

# Tests that do not pass with fdspawn, with the reason.
LISTED = {}


@dataclass
class Row:
    crate: str
    version: str
    edits: int
    files: int
    before: dict
    after: dict
    alone: list = field(default_factory=list)
    tokio: list = field(default_factory=list)

    def worse(self):
        """The tests that pass with std only."""
        return sorted(name for name, passed in self.before.items() if passed and not self.after.get(name))

    def only_std(self):
        worse = self.worse()
        return ", ".join(worse) if 0 < len(worse) < 10 else str(len(worse) or "none")

    def is_fault(self):
        return any(f"{self.crate}: {name}" not in LISTED for name in self.worse()) or not self.before


def prepare(packages, folder, repository, switched, patch):
    """Copies all packages; returns the lines changed and the files changed of each."""
    edits = {}
    for name, package in packages.items():
        target = folder / name
        sources.copy(package, target)
        # Some tests start programs of their package as `target/debug/NAME`.
        (target / "target").symlink_to(os.environ["CARGO_TARGET_DIR"])
        if not switched:
            continue
        count, files = 0, 0
        manifest = target / "Cargo.toml"
        edition = re.search(r'^edition = "(\d+)"', manifest.read_text(), re.MULTILINE)
        for path in sorted(target.rglob("*.rs")):
            # The tests of xshell compile this program by rustc, without other crates.
            if "tests/data" in str(path):
                continue
            old = path.read_text()
            new = switch.switch(old)
            # In the edition 2015 each crate's root has to declare the other crate.
            if not edition and new != old and (path.name == "lib.rs" or path.parent.name in ("bin", "tests")):
                new = switch.with_extern_crate(new)
            if new != old:
                path.write_text(new)
                files += 1
                count += switch.changed_lines(old, new)
        text = manifest.read_text() + f'\n[dependencies.fdspawn]\npath = "{repository}"\n'
        if patch:
            others = "".join(f'{other} = {{ path = "../{other}" }}\n' for other in packages if other != name)
            text += f"\n[patch.crates-io]\n{others}"
        manifest.write_text(text)
        edits[name] = (count, files)
    return edits


def cargo(toolchain, folder, *arguments):
    """Runs cargo and returns all output. Some tests leave processes behind, which hold the output open: they are ended with the group.

    Lints are capped as they are for any dependency: the packages stand at a path here.
    """
    settings = {"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0", "RUSTFLAGS": "--cap-lints=warn"}
    environment = {**os.environ, **settings}
    with tempfile.TemporaryFile() as file:
        command = ["cargo", f"+{toolchain}", *arguments]
        child = subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            end = time.monotonic() + TIMEOUT
            # Not reaped before its group is ended, so that the group's number stays its own.
            while time.monotonic() < end and not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                time.sleep(0.1)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        file.seek(0)
        return file.read().decode(errors="replace")


def tests(toolchain, folder, options, log):
    """The crate's own tests by name, and whether each passed."""
    output = cargo(toolchain, folder, "test", "--no-fail-fast", *options)
    if folder.name in ISOLATED:
        listed = cargo(toolchain, folder, "test", "--lib", *options, "--", "--list")
        output = cargo(toolchain, folder, "test", "--doc", *options)
        for name in re.findall(r"^(\S+): test$", listed, re.MULTILINE):
            output += cargo(toolchain, folder, "test", "--lib", *options, "--", "--exact", name)
    log.write_text(output)
    results, target = {}, ""
    for line in output.splitlines():
        if match := re.match(r"\s+(?:Running (.*?)(?: \(|$)|Doc-tests (\S+))", line):
            target = match[1] or "doc"
        elif match := re.match(r"test (.+?)(?: \(line \d+\))?(?: - should panic)?(?: - compile(?: fail)?)? \.\.\. (ok|FAILED)", line):
            name = f"{target}: {match[1]}"
            # An item may have several examples, which differ in their line only: they are counted.
            number = sum(other.split(" #")[0] == name for other in results)
            results[f"{name} #{number + 1}" if number else name] = match[2] == "ok"
    return results


def errors(toolchain, folder, options):
    """What does not compile if only this crate is switched: the places and the first line of each error."""
    done = cargo(toolchain, folder, "check", "--all-targets", "--keep-going", "--message-format=json", *options)
    found = {}
    for line in done.splitlines():
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        if message["reason"] != "compiler-message" or message["message"]["level"] != "error":
            continue
        for span in message["message"]["spans"]:
            if span["is_primary"]:
                found[f"{span['file_name']}:{span['line_start']}"] = message["message"]["message"]
    return [f"`{place}` {text}" for place, text in found.items()]


def run(repository, given, work, toolchain, only):
    pins = {name: version for name, (version, _) in CRATES.items()} | DEPENDENCIES
    packages = sources.packages(work, pins, given)
    prepare(packages, work / "before", repository, switched=False, patch=False)
    prepare(packages, work / "alone", repository, switched=True, patch=False)
    edits = prepare(packages, work / "after", repository, switched=True, patch=True)
    rows = []
    for name, (version, options) in CRATES.items():
        if only and only not in name:
            continue
        before = tests(toolchain, work / "before" / name, options, work / f"{name}-before.log")
        after = tests(toolchain, work / "after" / name, options, work / f"{name}-after.log")
        alone = errors(toolchain, work / "alone" / name, options)
        tokio = errors(toolchain, work / "alone" / name, TOKIO[name]) if name in TOKIO else []
        row = Row(name, version, *edits[name], before, after, alone, tokio)
        rows.append(row)
        print(f"  {name}: {counted(before)} before, {counted(after)} after; {len(alone)} errors alone", flush=True)
    return rows


def counted(results):
    return f"{sum(results.values())} of {len(results)}"


def table(rows):
    """A line for each crate, and the errors that are left if only that crate is switched."""
    titles = ["crate", "version", "lines changed", "errors if switched alone", "pass with std", "pass with fdspawn", "pass with std only"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows:
        counts = [counted(row.before), counted(row.after)]
        alone = len(row.alone) or "none"
        lines.append(f"| {row.crate} | {row.version} | {row.edits} in {row.files} files | {alone} | {counts[0]} | {counts[1]} | {row.only_std()} |")
    for row in rows:
        for title, found in (("alone", row.alone), ("with tokio", row.tokio)):
            if found:
                lines.append(f"\n{row.crate} {title}:\n")
                lines += [f"- {error}" for error in found]
    return "\n".join(lines)
