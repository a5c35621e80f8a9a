"""Where the sources of others come from. They go into a temporary directory, never into the repository."""

import json
import re
import shutil
import subprocess
from pathlib import Path

# The newest source package of the compiler that Debian has under one of these names is taken.
PACKAGES = ["rustc-web", "rustc"]


def output(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def rustc_source(work):
    """Downloads the compiler's source package by apt, and unpacks its tests and its library."""
    options = apt_options(work)
    subprocess.run(["apt-get", *options, "update", "-qq"], check=True)
    for package in PACKAGES:
        found = output("apt-cache", *options, "showsrc", package)
        versions = sorted(set(re.findall(r"^Version: (\S+)", found, re.MULTILINE)), key=lambda v: [int(n) for n in re.findall(r"\d+", v)])
        # The index may name a version that is no longer, or not yet, to be had.
        for version in reversed(versions):
            archive = download(work, options, f"{package}={version}")
            if archive:
                members = ["*/tests/ui/*.rs", "*/library/std/*", "*/version"]
                subprocess.run(["tar", "-xJf", archive, "-C", work, "--wildcards", *members], stderr=subprocess.DEVNULL)
                archive.unlink()
                return next(path.parent for path in work.glob("*/library"))
    raise SystemExit("apt has no source package of rustc here: give --source")


def apt_options(work):
    """This machine's own package sources, with the entries for source packages beside those for programs."""
    lists = work / "apt"
    (lists / "partial").mkdir(parents=True)
    entries, lines = "", ""
    for path in Path("/etc/apt/sources.list.d").glob("*.sources"):
        entries += re.sub(r"^Types:.*$", "Types: deb-src", path.read_text(), flags=re.MULTILINE) + "\n"
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.list")]:
        if path.exists():
            lines += re.sub(r"^deb ", "deb-src ", path.read_text(), flags=re.MULTILINE)
    parts = work / "apt-sources"
    parts.mkdir()
    (parts / "all.sources").write_text(entries)
    (parts / "all.list").write_text(lines)
    settings = ["Dir::Etc::sourcelist=-", f"Dir::Etc::sourceparts={parts}", f"Dir::State::lists={lists}", "APT::Sandbox::User=root"]
    return [word for setting in settings for word in ("-o", setting)]


def download(work, options, package):
    """The archive of the source itself: the package's other archives are large, and have no tests."""
    for line in output("apt-get", *options, "source", "--print-uris", "--tar-only", "-qq", package).splitlines():
        uri, name, _, *hashes = line.split()
        if re.search(r"\.orig\.tar\.xz$", name):
            target = work / name
            command = ["/usr/lib/apt/apt-helper", *options, "download-file", uri.strip("'"), target, *hashes[:1]]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return target if done.returncode == 0 else None
    return None


def rust_src(toolchain):
    source = Path(output("rustc", f"+{toolchain}", "--print", "sysroot").strip()) / "lib/rustlib/src/rust"
    if not (source / "library/std").exists():
        raise SystemExit(f"the toolchain {toolchain} has no rust-src: add it, or give --library")
    return source


def rustc_version(toolchain):
    return output("rustc", f"+{toolchain}", "--version").strip()


def version_of(source):
    file = source / "version"
    return file.read_text().split()[0] if file.exists() else source.name


def packages(work, pins, given):
    """The directory of each pinned package: the given one, or one that cargo downloads."""
    if given:
        return {name: given / f"{name}-{version}" for name, version in pins.items()}
    package = work / "fetch"
    (package / "src").mkdir(parents=True)
    (package / "src/lib.rs").touch()
    pinned = "".join(f'{name} = "={version}"\n' for name, version in pins.items())
    (package / "Cargo.toml").write_text(f'[workspace]\n[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{pinned}')
    metadata = output("cargo", "metadata", "--format-version", "1", cwd=package, stderr=subprocess.DEVNULL)
    found = {p["name"]: Path(p["manifest_path"]).parent for p in json.loads(metadata)["packages"] if pins.get(p["name"]) == p["version"]}
    return {name: found[name] for name in pins}


def copy(source, target):
    """Copies a package without what cargo adds. The versions of its dependencies are cargo's choice, the same for all packages."""
    ignored = {"target", "Cargo.lock", ".cargo-ok", ".cargo_vcs_info.json", "Cargo.toml.orig"}

    def ignore(folder, names):
        return ignored & set(names) if Path(folder) == source else []

    # The files are as new as the copy: else cargo might take what it has built of another copy.
    shutil.copytree(source, target, ignore=ignore, copy_function=shutil.copy)
