#!/usr/bin/env python3
"""Run the tests of the exports, the flow graph, the files in extras and the consumers of trees.

    surfaces.py [PATTERN]

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent, HERE.parent / "lib"):
    sys.path.insert(0, str(folder))
import archive  # noqa: E402
import consumers  # noqa: E402
import exports  # noqa: E402
import extras  # noqa: E402
import flow  # noqa: E402
import several  # noqa: E402

MODULES = (exports, archive, flow, extras, consumers, several)


def tests(env):
    """(name, function that returns the texts of what is wrong)"""
    for module in MODULES:
        yield from module.tests(env)


def main():
    import wsxenv
    env, pattern = wsxenv.shared(), (sys.argv[1:] or [""])[0]
    failed = count = 0
    for name, function in tests(env):
        if pattern not in name:
            continue
        try:
            problems = function()
        except Exception as error:  # a test that breaks has failed
            problems = [f"{type(error).__name__}: {error}"]
        count += 1
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, flush=True)
        for text in problems[:25]:
            print("     " + text[:400])
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
