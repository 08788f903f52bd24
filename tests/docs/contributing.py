"""CONTRIBUTING.md, followed: the recipe for a case word for word in a copy of the tree, and the example of an application
protocol compiled as the plugin's own files are.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import wsxenv  # noqa: E402

SECONDS = 300


def page():
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def commands_of(title):
    """The commands of a recipe: what is indented in its section, as one script."""
    part = re.search(rf"^## {title}\n(.*?)(?=^## )", page(), re.M | re.S)[1]
    return "\n".join(line[7:] for line in part.splitlines() if line.startswith(" " * 7))


def case_test():
    """In a copy, with NAME=tried: what it says is there and passes."""
    with tempfile.TemporaryDirectory(prefix="wsx-recipe-") as folder:
        tree = pathlib.Path(folder) / "wsx"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build*", ".git", "*.pcapng",
                                                                  "__pycache__", "corpus*"))
        done = subprocess.run(["bash", "-e", "-c", commands_of("Add a case").replace("NAME", "tried")],
                              cwd=tree, capture_output=True, text=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "WSX_BUILD": str(wsxenv.build_dir().resolve())})
        lines = (done.stdout + done.stderr).splitlines()
        made = sorted(p.name for p in (tree / "tests/cases/tried").glob("*"))
    problems = [] if done.returncode == 0 and "ok   case:tried" in "\n".join(lines) else lines[-20:]
    due = ["case.toml", "findings.txt", "make.py", "messages.jsonl", "tried.pcap"]
    return problems + ([f"made {made}, due {due}"] if made != due else [])


def compile_test():
    """The C file of the recipe, with the flags of plugin/apps/stomp.c and every warning an error."""
    commands = json.loads((wsxenv.build_dir() / "compile_commands.json").read_text(encoding="utf-8"))
    words = next(shlex.split(c["command"]) for c in commands
                 if c["file"].endswith("plugin/apps/stomp.c") and "wsx.dir" in c["command"])
    source = re.search(r"^```c\n(.*?)^```$", page(), re.M | re.S)[1]
    # Declared in apps.h by the reader, who is told so.
    declaration = re.search(r"^ +(extern const struct wsx_app_protocol wsx_question_app;)$", page(), re.M)[1]
    source = source.replace('#include "apps/apps.h"\n', f'#include "apps/apps.h"\n{declaration}\n')
    flags = [w for n, w in enumerate(words) if w not in ("-c", "-MD") and words[n - 1] not in ("-o", "-MT", "-MF")
             and w not in ("-o", "-MT", "-MF") and not w.endswith("stomp.c")]
    with tempfile.TemporaryDirectory(prefix="wsx-recipe-") as folder:  # --coverage leaves a file where it runs
        done = subprocess.run([*flags, "-Werror", "-fsyntax-only", "-x", "c", "-"], input=source,
                              cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    return done.stderr.splitlines()[:20] if done.returncode else []


def tests(env, quick=False):
    del env
    yield "docs:contributing:compile", compile_test
    if not quick:
        yield "docs:contributing:case", case_test
