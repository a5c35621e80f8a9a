"""Changes the `use` lines and the paths of a Rust source from `std` to `fdspawn`, and nothing else."""

import difflib
import re

# The modules of std that `fdspawn` has too.
MODULES = ["process", "os::unix::process", "os::linux::process"]

PATH = re.compile(r"\bstd::(%s)\b" % "|".join(MODULES))
# With what stands before it on its line (a doc comment has slashes), and the attributes above, which belong to each of the two new lines.
GROUP = re.compile(r"(?P<attributes>(?:^[ \t]*#\[[^\n]*\]\n)*)(?P<before>^[^\n\w\"]*(?:pub(?:\([^)]*\))? )?)use (?P<root>(?:::)?std)::\{", re.MULTILINE)
# The glob has std's `CommandExt`. The other traits of the glob are the same in both.
PRELUDE = re.compile(r"\buse std::os::unix::prelude::\*;")
PRELUDE_AND_OURS = "use std::os::unix::prelude::*; use fdspawn::os::unix::process::CommandExt as _;"


def switch(text):
    """The switched source.

    >>> switch("use std::process::{self, Command};")
    'use fdspawn::process::{self, Command};'
    >>> switch("use std::{io, process::{self, Child as C}, os::unix::process::CommandExt};")
    'use std::{io}; use fdspawn::{process, process::Child as C, os::unix::process::CommandExt};'
    >>> switch("    #[cfg(unix)]\\n    use std::{env, process};")
    '    #[cfg(unix)]\\n    use std::{env};\\n    #[cfg(unix)]\\n    use fdspawn::{process};'
    >>> switch("use std::{io, fs};"), switch("use std::process_group;"), switch("my_std::process::x()")
    ('use std::{io, fs};', 'use std::process_group;', 'my_std::process::x()')
    >>> switch("/// use ::std::process::Stdio;")
    '/// use ::fdspawn::process::Stdio;'
    """
    text = switch_groups(text)
    text = PATH.sub(r"fdspawn::\1", text)
    return PRELUDE.sub(PRELUDE_AND_OURS, text)


def with_extern_crate(text):
    """The root file of a crate of the edition 2015, whose `use` lines find another crate only if it is declared.

    >>> with_extern_crate("//! Doc.\\n#![feature(a)]\\n\\nuse std::io;\\n")
    '//! Doc.\\n#![feature(a)]\\nextern crate fdspawn;\\n\\nuse std::io;\\n'
    """
    lines = text.splitlines(keepends=True)
    at = 0
    for number, line in enumerate(lines):
        if line.startswith(("#![", "//!")):
            at = number + 1
    # An attribute of several lines ends with its bracket.
    while at > 0 and not balanced("".join(lines[:at])):
        at += 1
    return "".join(lines[:at] + ["extern crate fdspawn;\n"] + lines[at:])


def changed_lines(old, new):
    """How many lines are changed or added: the larger count of each difference.

    >>> changed_lines("a\\nb\\nc\\n", "a\\nB\\nc\\nd\\n")
    2
    """
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    return sum(max(b - a, d - c) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal")


def switch_groups(text):
    result, at = [], 0
    for match in GROUP.finditer(text):
        end = closing_brace(text, match.end() - 1)
        leaves = list(leaves_of(text[match.end() : end]))
        ours = [leaf for leaf in leaves if is_ours(leaf)]
        if not ours or text[end + 1 : end + 2] != ";":
            continue
        theirs = [leaf for leaf in leaves if not is_ours(leaf)]
        result.append(text[at : match.start()])
        root = match["root"]
        # One line if nothing stands above it, so that line numbers stay.
        if match["attributes"]:
            head = match["attributes"] + match["before"]
            lines = [head + f"use {root}::{{{', '.join(theirs)}}};\n"] if theirs else []
            lines.append(head + f"use {root.replace('std', 'fdspawn')}::{{{', '.join(ours)}}};")
            result.append("".join(lines))
        else:
            visibility = match["before"].lstrip("/! \t#")
            parts = [f"use {root}::{{{', '.join(theirs)}}}; {visibility}"] if theirs else []
            parts.append(f"use {root.replace('std', 'fdspawn')}::{{{', '.join(ours)}}};")
            result.append(match["before"] + "".join(parts))
        at = end + 2
    return "".join(result) + text[at:]


def is_ours(leaf):
    path = leaf.split(" as ")[0]
    return any(path == module or path.startswith(module + "::") for module in MODULES)


def closing_brace(text, opening):
    depth = 0
    for at in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text)


def leaves_of(inner, prefix=""):
    """The paths of a group: `io, process::{self, Child}` has `io`, `process` and `process::Child`."""
    part, depth = "", 0
    for character in inner + ",":
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            # A doc comment's slashes may stand at the head of each line.
            part = re.sub(r"\s*(///|//!)\s*", " ", part).strip()
            if "{" in part:
                head, rest = part.split("{", 1)
                yield from leaves_of(rest.rsplit("}", 1)[0], prefix + head.strip())
            elif part == "self":
                yield prefix.removesuffix("::")
            elif part:
                yield prefix + part
            part = ""
        else:
            part += character


def balanced(text):
    return text.count("[") == text.count("]")
