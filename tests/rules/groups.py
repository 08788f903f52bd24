#!/usr/bin/env python3
"""Each preference switches off exactly the rules of its group, in all captures of edges.py and streams.py.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "lib")]
import edges  # noqa: E402
import run_cases  # noqa: E402
import streams  # noqa: E402
import wsxenv  # noqa: E402

RULES = HERE.parents[1] / "plugin" / "core" / "rules.def"
# Scopes of rules.def; those of a capture itself have no preference. What RFC 6455 10 says is a group of its own.
PREFERENCE = {"HANDSHAKE": "check_handshake", "HTTP2": "check_handshake", "FRAME": "check_frames",
              "MESSAGE": "check_messages", "CLOSE": "check_close", "CONTROL": "check_close",
              "DEFLATE": "check_deflate", "STREAM": None}
SECURITY = "check_security"


def groups():
    """{preference: ids of its rules}"""
    rows = re.findall(r'WSX_RULE\(\w+,\s*\w+,\s*"([^"]+)",\s*\w+,\s*"([^"]*)",\s*(\w+)',
                      RULES.read_text(encoding="utf-8"))
    found = {}
    for rule, reference, scope in rows:
        preference = SECURITY if " 10." in reference else PREFERENCE[scope]
        found.setdefault(preference, set()).add(rule)
    return found


def findings(env, path, *options):
    text = run_cases.checked(env.tshark(["-q", *streams.OPTIONS, *options, "-z", "websocket,check,chat"], path),
                             "check")
    return [line for line in text.splitlines() if re.match(r"\d+ \d+ ", line)]


def rule_of(line):
    return re.match(r"\d+ \d+ ([a-z0-9-]+): ", line)[1]


def problems_of(env, preference, rules):
    problems = []
    for path in (edges.capture(env), streams.capture(env, 2)):
        everything = findings(env, path)
        due = [line for line in everything if rule_of(line) not in rules]
        got = findings(env, path, "-o", f"websocket.{preference}:FALSE")
        if got != due:
            problems += [f"{preference}: {line}" for line in sorted(set(got) ^ set(due))][:10]
        if path == edges.capture(env) and len(due) == len(everything):
            problems.append(f"{preference} switches nothing")
    return problems


def tests(env, _quick=False):
    for preference, rules in sorted((p, r) for p, r in groups().items() if p):
        yield (f"rules:{preference}",
               lambda preference=preference, rules=rules: problems_of(env, preference, rules))


def main():
    failed = 0
    for name, test in tests(wsxenv.shared()):
        problems = test()
        failed += len(problems)
        print(f"{name}: " + ("\n  ".join(["", *problems]) if problems else "as due"))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
