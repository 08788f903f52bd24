#!/usr/bin/env python3
"""Every command of the README and of the guides, executed.

    commands.py            run them all and compare
    commands.py --write    write what they print now into the pages: read the difference

In a block marked `console`, what follows a line "$ COMMAND" is what the command prints, word for word. In a
block marked `sh`, every line is a command that must succeed and print something. Commands run as an ordinary
user in a folder that holds copies of sample-captures and of the captures of tests/cases that they name.
What builds and installs runs where SPECIAL says.

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
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import wsxenv  # noqa: E402

PAGES = ("README.md", "CONTRIBUTING.md", "sample-captures/README.md", "docs/*.md")
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.M | re.S)
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


def install_test(_env, _command):
    """cmake --install into an empty tree: the plugin lies where Wireshark looks for it."""
    with tempfile.TemporaryDirectory() as tree:
        rc, text = run_here(["cmake", "--install", str(wsxenv.build_dir())], DESTDIR=tree)
        found = [str(p.relative_to(tree)) for p in pathlib.Path(tree).rglob("wsx.so")]
    if rc == 0 and len(found) == 1 and re.search(r"wireshark/plugins/\d+\.\d+/epan/wsx\.so$", found[0]):
        return []
    return [f"ended with {rc}; installed: {found}"] + text.splitlines()[-5:]


def covered(_env, _command):
    """The run of the tests, and the programs that it runs, are this command."""
    return None


SPECIAL = (
    (r"\./try( \S+)?", try_test),
    (r"(sudo )?cmake --install build", install_test),
    (r"\./check( --quick)?", covered),
    (r"cmake -S \. -B build.*|cmake --build build.*", covered),   # what ./check has just done
    (r"python3 -B tests/\S+\.py.*|tests/\S+\.(sh|py).*", covered),   # see tests/run.py; a picture needs a screen
    (r"sudo rm .*", covered),
)


def special(command):
    return next((function for pattern, function in SPECIAL if re.fullmatch(pattern, command)), None)


# --- the sealed folder --------------------------------------------------------------------------


class Folder:
    """Where commands run: captures, the built plugin and an empty home."""

    def __init__(self, env):
        self.env = env
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="docs-", dir=env.scratch))
        shutil.copytree(wsxenv.ROOT / "sample-captures", self.path / "sample-captures",
                        ignore=shutil.ignore_patterns("*.jsonl"))
        for name in ("build", "home"):
            (self.path / name).mkdir()
        shutil.copyfile(env.plugin, self.path / "build" / "wsx.so")
        self.open(self.path)

    def open(self, top):
        for path in (top, *top.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            if self.env.root:
                os.chown(path, wsxenv.NOBODY, wsxenv.NOBODY)

    def run(self, command):
        for name in set(re.findall(r"tests/cases/[\w.-]+/[\w.-]+", command)):
            target = self.path / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
                self.open(self.path / "tests")
        # A plugin in the personal folder is looked for where it was just put, and nowhere else.
        plugins = self.path / "none" if (self.path / "home" / ".local").exists() else None
        place = f"export WIRESHARK_PLUGIN_DIR={plugins}; " if plugins else ""
        return self.env.run(["bash", "-c", f"set -o pipefail; cd '{self.path}'; "
                             f"export HOME='{self.path}/home'; {place}{command}"])

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


def commands_of(kind, body):
    """[(command, lines that it prints or None)]."""
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
    """[(command, expected lines, got lines, problems)]; in a block, commands build on each other."""
    for command, expected in commands_of(kind, body):
        function = special(command)
        if function:
            yield command, expected, expected, function(folder.env, command) or []
            continue
        done = folder.run(command)
        got = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n")
        problems = []
        # head ends what writes to it: that is no failure of what is shown
        if done.rc not in (0, 141):
            problems = [f"ended with {done.rc}: " + done.stderr.decode(errors="replace")[-300:]]
        elif expected is not None and [e.rstrip() for e in expected] != [g.rstrip() for g in got]:
            problems = ["prints other lines than the page says (tests/docs/commands.py --write):"]
            problems += [f"- {e}" for e in expected if e not in got]
            problems += [f"+ {g}" for g in got if g not in expected]
        elif expected is None and not any(got) and re.match(r"tshark|\./", command):
            problems = ["prints nothing"]
        yield command, expected, got, problems


def blocks():
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            for number, match in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")), 1):
                yield path, number, match


def block_test(env, kind, body):
    folder = Folder(env)
    try:
        return [f"$ {command}: {text}" for command, _, _, problems in run_block(folder, kind, body)
                for text in problems[:SHOWN_LINES]]
    finally:
        folder.close()


def tests(env, quick=False):
    for path, number, match in blocks():
        name = path.relative_to(ROOT)
        if quick and not str(name).startswith("README"):
            continue
        yield (f"docs:commands:{name}:{number}",
               lambda match=match: block_test(env, match[1], match[2]))


def write(env):
    for path in sorted({path for path, _, _ in blocks()}):
        def fresh(match):
            if match[1] != "console":
                return match[0]
            folder = Folder(env)
            lines = []
            for command, _, got, problems in run_block(folder, match[1], match[2]):
                if problems and problems[0].startswith("ended"):
                    print(f"{path}: {command}: {problems[0]}")
                lines += [f"$ {command}"] + [line.rstrip() for line in got]
            folder.close()
            return "```console\n" + "\n".join(lines) + "\n```"
        path.write_text(BLOCK.sub(fresh, path.read_text(encoding="utf-8")), encoding="utf-8")


def main():
    env = wsxenv.shared()
    if sys.argv[1:] == ["--write"]:
        write(env)
        return 0
    if sys.argv[1:]:
        sys.exit("usage: commands.py [--write]")
    failed = 0
    for name, function in tests(env):
        problems = function()
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, *("\n     " + p for p in problems))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
