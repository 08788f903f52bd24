#!/usr/bin/env python3
"""Runs every test of the project; the last line counts them.

usage: run.py [--quick] [-k PATTERN]

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent


def unit_tests():
    """Name and command of each unit test program; a source without a program is an error."""
    for source in sorted((TOP / "tests" / "unit").glob("test_*.c")):
        yield "unit/" + source.stem, [str(TOP / "build" / "unit" / source.stem)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-k", default="", metavar="PATTERN")
    args = parser.parse_args()
    passed = failed = 0
    for name, command in unit_tests():
        if not re.search(args.k, name):
            continue
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=600)
            good, output = run.returncode == 0, run.stdout + run.stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            good, output = False, str(error)
        print(("ok      " if good else "FAILED  ") + name)
        if good:
            passed += 1
        else:
            failed += 1
            print(output)
    print("verdict: " + ("every test passed" if not failed else "there are failures"))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
