#!/usr/bin/env python3
"""Which lines and branches of wsx the tests reach: a table by file, and the sum of each folder.

    coverage_lines.py [ARGUMENT...]      arguments of tests/run.py; without any, all tests

The build goes to a new temporary folder that every user may write: tests run tshark as an ordinary
one, and each process adds its counts there. Of a file, a line counts once, whichever programs it is
compiled into. Fails when less than 95 % of the core's lines are reached.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parent
CORE_PERCENT = 95.0


def run(command, **more):
    return subprocess.run([str(word) for word in command], check=True, cwd=ROOT,
                          stdin=subprocess.DEVNULL, **more)


def build(folder):
    run(["cmake", "-S", ".", "-B", folder, "-G", "Ninja", "-DCMAKE_C_COMPILER=gcc",
         "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=--coverage -fprofile-update=atomic"],
        stdout=subprocess.DEVNULL)
    run(["cmake", "--build", folder], stdout=subprocess.DEVNULL)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o666))


def counts(folder):
    """{file: ({line: times}, {(line, number of the branch): times})} of plugin/."""
    lines = collections.defaultdict(collections.Counter)
    branches = collections.defaultdict(collections.Counter)
    for path in sorted(folder.rglob("*.gcno")):
        if "/plugin/" not in str(path):
            continue
        done = subprocess.run(["gcov", "-b", "-c", "--json-format", "--stdout", str(path)],
                              capture_output=True, cwd=folder)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                name = os.path.relpath(os.path.join(ROOT, file["file"]), ROOT)
                if not name.startswith("plugin/"):
                    continue
                for line in file["lines"]:
                    lines[name][line["line_number"]] += line["count"]
                    for number, branch in enumerate(line["branches"]):
                        branches[name][line["line_number"], number] += branch["count"]
    return {name: (lines[name], branches[name]) for name in sorted(lines)}


def share(table):
    """(reached, all, percent)."""
    reached = sum(times > 0 for times in table.values())
    return reached, len(table), 100.0 * reached / len(table) if table else 100.0


def row(name, lines, branches):
    line, branch = share(lines), share(branches)
    print(f"{name:36} {line[0]:6} of {line[1]:5} lines {line[2]:5.1f} %  "
          f"{branch[0]:6} of {branch[1]:5} branches {branch[2]:5.1f} %")
    return line[2]


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="wsx-coverage-"))
    try:
        build(folder)
        done = subprocess.run([sys.executable, "-B", str(TESTS / "run.py"), *sys.argv[1:]],
                              cwd=ROOT, env={**os.environ, "WSX_BUILD": str(folder)},
                              capture_output=True, text=True)
        print(done.stdout[-2000:].splitlines()[-1] if done.stdout else done.stderr[-500:])
        found = counts(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    core = 0.0
    for part in ("core", "epan", "apps", "taps"):
        lines, branches = {}, {}
        for name, (of_lines, of_branches) in found.items():
            if not name.startswith(f"plugin/{part}/"):
                continue
            row(name, of_lines, of_branches)
            lines.update({(name, key): value for key, value in of_lines.items()})
            branches.update({(name, key): value for key, value in of_branches.items()})
        percent = row(f"all of plugin/{part}", lines, branches)
        core = percent if part == "core" else core
    return 0 if core >= CORE_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
