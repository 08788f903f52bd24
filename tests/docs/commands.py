#!/usr/bin/env python3
"""Every command of the README and of the guides, executed.

    commands.py            run them all and compare
    commands.py --write [PAGE...]   write what they print now into the pages: read the difference

In a block marked `console`, what follows a line "$ COMMAND" is what the command prints, word for word. In a
block marked `sh`, every line is a command that must succeed, as a block marked `python`; a tshark command must print something. The blocks of
a page of docs share a folder and build on each other; elsewhere each has its own. Commands run as an ordinary
user in a folder that holds copies of sample-captures and of the captures of tests/cases that they name.
What builds and installs runs where SPECIAL says. With another release of Wireshark than the pages were
written with, commands must succeed, whatever they print.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "docs"))
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import pages as reference  # noqa: E402
import wsxenv  # noqa: E402

PAGES = ("README.md", "CONTRIBUTING.md", "sample-captures/README.md", "docs/*.md")
BLOCK = re.compile(r"^```(console|sh|python)\n(.*?)^```$", re.M | re.S)
SHOWN_LINES = 20
TRY_SECONDS = 300
# Two builds at a time in one folder would write over each other.
BUILDING = threading.Lock()


# --- commands that do not run in the sealed folder ----------------------------------------------


def run_here(command, **environ):
    with BUILDING:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                              timeout=TRY_SECONDS, stdin=subprocess.DEVNULL,
                              env={**os.environ, "WSX_BUILD": str(wsxenv.build_dir()), **environ})
    return done.returncode, done.stdout + done.stderr


def try_test(_env, command):
    rc, text = run_here(command.split())
    return [] if rc == 0 and "OK: wsx shows" in text else [f"ended with {rc}"] + text.splitlines()[-10:]


def covered(_env, _command):
    """The run of the tests, the programs that it runs, or tests/docs/install.py are this command."""
    return None


SPECIAL = (
    (r"\./try( \S+)?", try_test),
    (r"(sudo )?cmake --install build( --component user)?", covered),   # see install.py
    (r"cmake --build build --target package", covered),                # see install.py
    (r"sudo apt-get (install|remove) -y .*", covered),
    (r"\./check( --quick)?", covered),
    (r"cmake -S \. -B build.*|cmake --build build.*", covered),   # what ./check has just done
    (r"python3 -B tests/\S+\.py.*|tests/\S+\.(sh|py).*", covered),   # see tests/run.py; a picture needs a screen
    (r"sudo rm .*|rm ~/.*", covered),
)


def special(command):
    return next((function for pattern, function in SPECIAL if re.fullmatch(pattern, command)), None)


# Programs that a command may need and that not every system has: without them the command is left out, and
# so is what fails behind it in the same block, or on the same page of docs, for want of its files.
OPTIONAL = ("parallel", "jq", "duckdb")


def duckdb_folder():
    """The folder whose node_modules has @duckdb/node-api, or None."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = pathlib.Path(os.environ.get("WSX_DUCKDB") or cache / "wsx-duckdb")
    there = shutil.which("node") and (folder / "node_modules/@duckdb/node-api").is_dir()
    return folder if there else None


def is_there(name):
    if name == "duckdb":
        return duckdb_folder()
    return shutil.which(name) and (name != "parallel" or os.path.exists("/proc/self"))


def lacking(command):
    return [name for name in OPTIONAL if re.search(rf"(^|[|;&] ?){name} ", command) and not is_there(name)]


# --- the sealed folder --------------------------------------------------------------------------


class Folder:
    """Where commands run: captures, extras, the built plugin and an empty home."""

    def __init__(self, env):
        self.env, self.lacks = env, False
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="docs-", dir=env.scratch))
        shutil.copytree(wsxenv.ROOT / "sample-captures", self.path / "sample-captures",
                        ignore=shutil.ignore_patterns("*.jsonl"))
        shutil.copytree(wsxenv.ROOT / "extras", self.path / "extras")
        for name in ("build", "home"):
            (self.path / name).mkdir()
        shutil.copyfile(env.plugin, self.path / "build" / "wsx.so")
        (self.path / "docs").mkdir()
        for path in (ROOT / "docs").glob("*.*"):
            shutil.copyfile(path, self.path / "docs" / path.name)
        self.open(self.path)

    def open(self, top):
        for path in (top, *top.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            if self.env.root:
                os.chown(path, wsxenv.NOBODY, wsxenv.NOBODY)

    def duckdb(self):
        """A program `duckdb` in home/bin. What it runs may lie where only root may look."""
        folder, program = duckdb_folder(), self.path / "home" / "bin" / "duckdb"
        if program.exists():
            return
        shutil.copytree(folder / "node_modules", self.path / "duckdb" / "node_modules")
        shutil.copyfile(ROOT / "tests" / "docs" / "duckdb.mjs", self.path / "duckdb" / "duckdb.mjs")
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\nWSX_DUCKDB='{self.path}/duckdb' exec node "
                           f"'{self.path}/duckdb/duckdb.mjs' \"$@\"\n")
        program.chmod(0o755)
        self.open(self.path / "duckdb")
        self.open(program.parent)

    def run(self, command):
        for name in set(re.findall(r"tests/cases/[\w.-]+/[\w.-]+", command)):
            target = self.path / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
                self.open(self.path / "tests")
        if re.match("duckdb ", command):
            self.duckdb()
        # A plugin in the personal folder is looked for where it was just put, and nowhere else.
        plugins = self.path / "none" if (self.path / "home" / ".local").exists() else None
        place = f"export WIRESHARK_PLUGIN_DIR={plugins}; " if plugins else ""
        return self.env.run(["bash", "-c", f"set -o pipefail; cd '{self.path}'; "
                             f"export HOME='{self.path}/home' PATH='{self.path}/home/bin:'\"$PATH\"; "
                             f"{place}{command}"])

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


def commands_of(kind, body):
    """[(command, lines that it prints or None)]."""
    if kind == "python":
        return [(f"python3 - <<'END'\n{body}END", None)]
    body = body.replace("\\\n", "\\\0")
    found = []
    for line in body.splitlines():
        line = line.replace("\\\0", "\\\n")
        if kind == "console" and not line.startswith("$ "):
            if not found:
                raise ValueError(f"output before a command: {line}")
            found[-1][1].append(line)
        elif line and not line.startswith("#"):
            found.append((line.removeprefix("$ "), [] if kind == "console" else None))
    return found


def run_block(folder, kind, body):
    """[(command, expected lines, got lines, problems)]; in a folder, commands build on each other."""
    for command, expected in commands_of(kind, body):
        function = special(command)
        if function:
            yield command, expected, expected, function(folder.env, command) or []
            continue
        if lacking(command):
            print(f"left out, no {' and no '.join(lacking(command))}: $ {command[:100]}")
            folder.lacks = True
            yield command, expected, expected, []
            continue
        done = folder.run(command)
        got = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n")
        problems = []
        # head ends what writes to it: that is no failure of what is shown
        if done.rc not in (0, 141) and folder.lacks:
            print(f"left out behind what was left out: $ {command[:100]}")
            got = expected
        elif done.rc not in (0, 141):
            problems = [f"ended with {done.rc}: " + done.stderr.decode(errors="replace")[-300:]]
        elif (expected is not None and folder.env.version == reference.WRITTEN_WITH
              and [e.rstrip() for e in expected] != [g.rstrip() for g in got]):
            problems = ["prints other lines than the page says (tests/docs/commands.py --write):"]
            problems += [f"- {e}" for e in expected if e not in got]
            problems += [f"+ {g}" for g in got if g not in expected]
        elif (expected is None and not any(got) and re.match(r"tshark|\./", command)
              and not re.search(r">\S+$", command)):
            problems = ["prints nothing"]
        yield command, expected, got, problems


def blocks():
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            for number, match in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")), 1):
                yield path, number, match


def blocks_test(env, matches):
    folder = Folder(env)
    try:
        return [f"$ {command}: {text}" for match in matches
                for command, _, _, problems in run_block(folder, match[1], match[2])
                for text in problems[:SHOWN_LINES]]
    finally:
        folder.close()


def groups(path):
    """[(name, blocks that share a folder)]: those of a page of docs build on each other."""
    name = str(path.relative_to(ROOT))
    matches = list(BLOCK.finditer(path.read_text(encoding="utf-8")))
    if name.startswith("docs/"):
        return [(name, matches)] if matches else []
    return [(f"{name}:{number}", [match]) for number, match in enumerate(matches, 1)]


def pages():
    return [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]


def tests(env, quick=False):
    for path in pages():
        for name, matches in groups(path):
            if not quick or name.startswith("README"):
                yield f"docs:commands:{name}", lambda matches=matches: blocks_test(env, matches)


def fresh_block(folder, path, match):
    """The text of a block with what its commands print now."""
    lines = []
    for command, _, got, problems in run_block(folder, match[1], match[2]):
        if problems and problems[0].startswith("ended"):
            print(f"{path}: {command}: {problems[0]}")
        lines += [f"$ {command}"] + [line.rstrip() for line in got or ()]
    return match[0] if match[1] != "console" else "```console\n" + "\n".join(lines) + "\n```"


def write(env, names):
    for path in pages():
        if names and str(path.relative_to(ROOT)) not in names:
            continue
        text, parts, end = path.read_text(encoding="utf-8"), [], 0
        for _, matches in groups(path):
            folder = Folder(env)
            for match in matches:
                parts += [text[end:match.start()], fresh_block(folder, path, match)]
                end = match.end()
            folder.close()
        path.write_text("".join(parts) + text[end:], encoding="utf-8")


def main():
    env = wsxenv.shared()
    if sys.argv[1:2] == ["--write"]:
        write(env, sys.argv[2:])
        return 0
    if sys.argv[1:]:
        sys.exit("usage: commands.py [--write [PAGE...]]")
    failed = 0
    for name, function in tests(env):
        problems = function()
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, *("\n     " + p for p in problems))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
