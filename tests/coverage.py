#!/usr/bin/env python3
"""Every rule of rules.def is seen to fire in some test, and to stay silent in a near miss.

Derived from the tests themselves, so that nothing needs to be kept up by hand:

fires       "rules" of a case's messages.jsonl; FIRES(WSX_RULE_X, ...) in a unit test; a row of a table of
            tests/unit/test_negotiate.c that names the rule, or `due` in tests/conformance/cases.py
near miss   `near_miss` of a case.toml; SILENT(WSX_RULE_X, ...) in a unit test; the other rows of the table of
            test_negotiate.c, which are compared with all that was reported

    coverage.py          one line a rule: where it fires, where it has its near miss

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import json
import pathlib
import re
import sys
import tomllib

TESTS = pathlib.Path(__file__).resolve().parent
RULES = TESTS.parent / "plugin" / "core" / "rules.def"
# Tables of expected rules that are compared as sets, named by their ids.
TABLES = (TESTS / "unit" / "test_negotiate.c", TESTS / "conformance" / "cases.py")


def read(path):
    return path.read_text(encoding="utf-8")


def rules():
    """{symbol: id} of all rules."""
    return dict(re.findall(r'^WSX_RULE\((\w+),\s*\w+,\s*"([^"]+)"', read(RULES), re.M))


def in_cases(fires, near):
    for folder in sorted((TESTS / "cases").iterdir()):
        lines = folder / "messages.jsonl"
        for line in read(lines).splitlines() if lines.is_file() else []:
            for rule in json.loads(line).get("rules", []):
                fires[rule].add(f"case {folder.name}")
        spec = folder / "case.toml"
        for rule in tomllib.loads(read(spec)).get("near_miss", []) if spec.is_file() else []:
            near[rule].add(f"case {folder.name}")


def in_unit_tests(ids, fires, near):
    for path in sorted((TESTS / "unit").glob("*.c")):
        for word, symbol in re.findall(r"\b(FIRES|SILENT)(?:_AMONG)?\(\s*WSX_RULE_(\w+)", read(path)):
            (fires if word == "FIRES" else near)[ids.get(symbol, symbol)].add(path.name)


def in_tables(ids, fires, near):
    for path in TABLES:
        words = {w for text in re.findall(r'"([a-z0-9 -]+)"', read(path)) for w in text.split()}
        for rule in words & set(ids.values()):
            fires[rule].add(path.name)
            near[rule].add(path.name)


def coverage():
    """({id: where it fires}, {id: where its near miss is}, all ids)."""
    ids = rules()
    fires, near = collections.defaultdict(set), collections.defaultdict(set)
    in_cases(fires, near)
    in_unit_tests(ids, fires, near)
    in_tables(ids, fires, near)
    return fires, near, sorted(ids.values())


def problems():
    fires, near, known = coverage()
    texts = [] if known else [f"no rule in {RULES.name}"]
    texts += [f"{rule} fires in no test" for rule in known if not fires[rule]]
    texts += [f"{rule} has no near miss" for rule in known if not near[rule]]
    return texts + [f"a test names {rule}, which is no rule"
                    for rule in sorted((set(fires) | set(near)) - set(known))]


def tests(_env):
    yield "coverage:rules", problems


def main():
    fires, near, known = coverage()
    for rule in known:
        print(f"{rule}: {', '.join(sorted(fires[rule])[:3]) or '-'} | "
              f"{', '.join(sorted(near[rule])[:3]) or '-'}")
    texts = problems()
    print("\n".join(texts) or f"all {len(known)} rules")
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
