#!/usr/bin/env python3
"""All tests of the documentation: tests(env, quick) for tests/run.py.

    doctests.py [PATTERN]    run those whose name holds PATTERN

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "lib"))
import commands  # noqa: E402
import contributing  # noqa: E402
import elastic  # noqa: E402
import install  # noqa: E402
import links  # noqa: E402
import pages  # noqa: E402
import schema  # noqa: E402

MODULES = (pages, links, schema, elastic, install, contributing, commands)


def tests(env, quick=False):
    """(name, function that returns the texts of what is wrong)"""
    for module in MODULES:
        yield from module.tests(env, quick)


def main():
    import wsxenv
    pattern = (sys.argv[1:] or [""])[0]
    failed = count = 0
    for name, function in tests(wsxenv.shared()):
        if pattern not in name:
            continue
        problems = function()
        count += 1
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, *("\n     " + p for p in problems[:20]), flush=True)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
