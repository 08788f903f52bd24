#!/usr/bin/env python3
"""Run the cases: one folder of tests/cases a situation, with what must come out beside the capture.

    run_cases.py [NAME...]            run all cases, or those named (shell patterns)
    run_cases.py --update NAME...     write the expected outputs of these cases: read them against the RFC

case.toml    purpose      what is right here, in words
             origin       where the capture comes from
             reference    RFC section
             capture      a file in the folder, or in sample-captures; where a make.py stands in the
                          folder it writes the capture
             prefs        Wireshark preferences, as "websocket.enhanced:FALSE"
             decode_as    Decode As rules, as "tcp.port==80,websocket"
             expect       expected outputs that stand beside it, any of
                          messages   messages.jsonl: `-z websocket,messages`, long values as SHA-256
                          tree       tree.txt: what wsx draws in the second pass, handshake included
                          fields     fields.tsv: `-T fields` of the list `fields`
                          findings   findings.txt: `-z websocket,check,chat` without the words
             fields       field names for fields.tsv
             strings      each must be shown, in the tree or in a message of the JSON Lines
             findings     rules that must be reported, "rule@c2s", "rule@s2c" or "rule"; with ? at the
                          end either outcome is right
             near_miss    rules that the capture just does not break: none may be reported, whatever its
                          severity
             judge        false: do not judge the findings
             recut        false: the capture can't be cut otherwise (loss, snaplen); that it can't is
                          checked too. "flight": only into longer pieces. Else the mode of recut.py
                          that takes the place of one byte a segment
             wireshark    "4.4": older versions can't do it and leave the case out

Every case runs in one pass and with -2, which must give the same lines, and with its bytes cut otherwise,
which must give the same apart from packet numbers and times.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import difflib
import fnmatch
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "lib"))
import jsonlines  # noqa: E402
import tree  # noqa: E402
import wsxenv  # noqa: E402

CASES = TESTS / "cases"
SAMPLES = wsxenv.ROOT / "sample-captures"
RULES = wsxenv.ROOT / "plugin" / "core" / "rules.def"

FILES = {"messages": "messages.jsonl", "tree": "tree.txt", "fields": "fields.tsv",
         "findings": "findings.txt"}
KEYS = {"purpose", "origin", "reference", "capture", "prefs", "decode_as", "expect", "fields",
        "strings", "findings", "judge", "near_miss", "recut", "wireshark"}
REQUIRED_KEYS = {"purpose", "origin", "reference", "capture", "expect"}

# What a new cut may change: where and when things were seen, and so what waited for what.
CUT_DEPENDENT = ("packet", "first_packet", "time", "rtt")
# One byte a segment makes a file about sixty times as large; above this many bytes the pieces are random.
BYTES_MODE_MAX = 100_000
LONG_VALUE = 1000
# Possessive: no way back into a string of many megabytes.
LONG_STRING = re.compile(r'"(text|base64)": ?("(?:[^"\\]++|\\.)*+")')
SHOWN_LINES = 30
DIFF_LINES = 200


class CaseError(Exception):
    """The case itself is wrong."""


def rule_severities():
    """{id: severity} from rules.def."""
    text = RULES.read_text(encoding="utf-8")
    found = dict(re.findall(r'WSX_RULE\(\w+,\s*\w+,\s*"([^"]+)",\s*(\w+)', text))
    if not found:
        raise CaseError(f"no rules in {RULES.name}")
    return found


class Case:
    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        try:
            self.spec = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise CaseError(f"{self.name}/case.toml: {error}") from None
        wrong = (set(self.spec) - KEYS) | (REQUIRED_KEYS - set(self.spec))
        if wrong:
            raise CaseError(f"{self.name}/case.toml: unknown or missing: {', '.join(sorted(wrong))}")
        for kind in self.spec["expect"]:
            if kind not in FILES:
                raise CaseError(f"{self.name}/case.toml: no kind {kind}")
        strays = {p.name for p in folder.iterdir()} & set(FILES.values())
        strays -= {FILES[kind] for kind in self.spec["expect"]}
        if strays:
            raise CaseError(f"{self.name}: {', '.join(strays)} is not in expect")

    def options(self):
        return [word for key, option in (("prefs", "-o"), ("decode_as", "-d"))
                for value in self.spec.get(key, []) for word in (option, value)]

    def stored(self):
        """The capture where it is a file; None where it is to be made."""
        paths = (self.folder / self.spec["capture"], SAMPLES / self.spec["capture"])
        return next(filter(pathlib.Path.is_file, paths), None)

    def capture(self, env):
        if self.stored():
            return self.stored()
        script = self.folder / "make.py"
        if not script.is_file():
            raise CaseError(f"{self.name}: no capture {self.spec['capture']}")
        made = env.new_path("-" + self.spec["capture"])
        done = subprocess.run([sys.executable, "-B", str(script), str(made)], capture_output=True,
                              text=True, env=dict(os.environ, PYTHONPATH=str(TESTS / "lib")))
        if done.returncode:
            raise CaseError(f"{self.name}/make.py: {done.stderr[-400:]}")
        return made


def all_cases(patterns=()):
    """Cases by name; a folder without case.toml is an error that shows up when it is read."""
    names = sorted(p.name for p in CASES.iterdir() if p.is_dir())
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise CaseError(f"no case {pattern}")
    return [n for n in names if not patterns or any(fnmatch.fnmatch(n, p) for p in patterns)]


# --- what tshark says ---------------------------------------------------------------------------


def checked(done, what):
    if done.rc != 0:
        raise jsonlines.BadOutput(f"{what}: tshark ended with {done.rc}: "
                                  f"{done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout.decode("utf-8", "replace")


class Run:
    """Everything tshark tells about one case; each part is asked for once."""

    def __init__(self, env, case):
        self.env, self.case = env, case
        self.path = case.capture(env)
        self.messages = jsonlines.run(env, self.path, case.options())
        # The second pass with a tree, and the JSON Lines of the same run in a file.
        target = env.new_path(".jsonl")
        self.tree = checked(env.tshark(["-2", "-V", *case.options(), "-z",
                                        f"{jsonlines.TAP},{target}"], self.path), "-2 -V")
        self.second = jsonlines.parse(target.read_bytes())
        target.unlink()

    def output(self, kind):
        """The text of one kind of expectation."""
        if kind == "messages":
            return "".join(shortened(m.line) + "\n" for m in self.messages)
        if kind == "tree":
            return tree.websocket_parts(self.tree)
        if kind == "fields":
            names = [w for f in self.case.spec["fields"] for w in ("-e", f)]
            return checked(self.env.tshark(["-2", *self.case.options(), "-T", "fields", "-E",
                                            "header=y", *names], self.path), "fields")
        text = checked(self.env.tshark(["-q", *self.case.options(), "-z", "websocket,check,chat"],
                                       self.path), "findings")
        return "".join(line.split(":")[0] + "\n" for line in text.splitlines()
                       if re.match(r"\d+ ", line))


def shortened(line):
    """A line for people: a long value stands as its hash."""
    def as_hash(found):
        value = json.loads(found[2])
        if len(value) <= LONG_VALUE:
            return found[0]
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f'"{found[1]}":"sha256 {digest} of {len(value)} characters"'

    return LONG_STRING.sub(as_hash, line) if len(line) > LONG_VALUE else line


# --- judging ------------------------------------------------------------------------------------


def difference(expected, got, name):
    """Lines of a unified diff, bounded; empty when equal."""
    if expected == got:
        return []
    a, b = expected.split("\n"), got.split("\n")
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    # From the first difference, and not all of it: difflib's time grows with the square.
    a, b = a[same:same + DIFF_LINES], b[same:same + DIFF_LINES]
    lines = [f"from line {same + 1}:"] + [line[:240] for line in difflib.unified_diff(
        a, b, "expected " + name, "got", lineterm="", n=0)]
    more = len(lines) - SHOWN_LINES
    return lines[:SHOWN_LINES] + ([f"and {more} more lines"] if more > 0 else [])


def app_cut_free(app):
    """What rides on a message, without packet numbers and times."""
    if isinstance(app, list):
        return [app_cut_free(unit) for unit in app]
    if isinstance(app, dict):
        return {k: app_cut_free(v) for k, v in app.items() if k not in ("answers", "rtt", "packet")}
    return app


def cut_free(items):
    """What any cut of the same bytes must give: {(stream, dir): lines in order}."""
    lists = {}
    for item in items:
        kept = {k: v for k, v in item.items() if k not in CUT_DEPENDENT}
        if "app" in kept:
            kept["app"] = app_cut_free(kept["app"])
        lists.setdefault((item["stream"], item.get("dir", "")), []).append(
            shortened(json.dumps(kept, sort_keys=True, ensure_ascii=False)))
    return lists


def decode_as(messages):
    """Options that tell which protocol is on the servers' ports. Elsewhere than on well-known ports
    Wireshark guesses by the first segment, which after a cut may be a single byte."""
    kinds = {m["server"].rsplit(":", 1)[1]: "tls" if m.get("uri", "").startswith("wss:") else "http"
             for m in messages if m["kind"] == "open" and "server" in m}
    return [w for port, kind in sorted(kinds.items()) for w in ("-d", f"tcp.port=={port},{kind}")]


def judge_recut(env, run, problems):
    """The same bytes, one a segment (or in random pieces), and all of a flight in one."""
    small = run.path.stat().st_size <= BYTES_MODE_MAX
    if any(m.get("http") == "3" for m in run.messages):
        return  # no TCP
    ports = [] if "decode_as" in run.case.spec else decode_as(run.messages)
    modes = ["bytes" if small else "random:1", "flight"]
    # Wireshark knows HTTP/2 without TLS by its preface, which it wants in one segment.
    cleartext_h2 = any(m.get("http") == "2" and m.get("uri", "").startswith("ws:")
                       for m in run.messages)
    asked = run.case.spec.get("recut")
    if asked == "flight" or cleartext_h2:
        modes = modes[1:]
    elif isinstance(asked, str):
        modes[0] = asked
    for mode in modes:
        target = env.new_path(".cut")
        done = subprocess.run([sys.executable, "-B", str(TESTS / "recut.py"), str(run.path),
                               str(target), mode], capture_output=True, text=True)
        if not run.case.spec.get("recut", True):
            if done.returncode != 2:
                problems.append("recut = false, but the capture can be cut otherwise")
                target.unlink(missing_ok=True)
            return
        if done.returncode:
            problems.append(f"{mode}: {done.stderr.strip()[-300:]}")
            continue
        got = cut_free(jsonlines.run(env, target, run.case.options() + ports))
        target.unlink()
        due = cut_free(run.messages)
        for key in sorted(set(due) | set(got)):
            lines = difference("\n".join(due.get(key, [])), "\n".join(got.get(key, [])),
                               f"{mode}, stream {key[0]} {key[1]}".rstrip())
            problems.extend(lines)


def judge_strings(run, problems):
    shown = [run.tree] + [jsonlines.body(m).decode("utf-8", "replace") for m in run.messages]
    for text in run.case.spec.get("strings", []):
        if not any(text in s for s in shown):
            problems.append(f"not shown: {text}")


def judge_findings(run, problems):
    """The due rules are there, and no other error or warning."""
    severity = rule_severities()
    seen = {(rule, m.get("dir")) for m in run.messages for rule in m.get("rules", [])}
    allowed = set()
    for text in run.case.spec.get("findings", []):
        rule, _, direction = text.rstrip("?").partition("@")
        if rule not in severity:
            raise CaseError(f"{run.case.name}: no rule {rule}")
        # A handshake or the end of a connection has no direction in the JSON Lines.
        fits = {(r, d) for r, d in seen if r == rule and (not direction or d in (direction, None))}
        if not fits and not text.endswith("?"):
            problems.append(f"finding not reported: {text}")
        allowed |= fits
    for rule in run.case.spec.get("near_miss", []):
        if rule not in severity:
            raise CaseError(f"{run.case.name}: no rule {rule}")
        problems.extend(f"a near miss was reported: {rule}" for r, _ in seen if r == rule)
    for rule, direction in sorted(seen - allowed, key=str):
        if severity.get(rule) in ("ERROR", "WARNING", None):
            where = f"@{direction}" if direction else ""
            problems.append(f"finding not due: {rule}{where} "
                            f"({severity.get(rule, 'not in rules.def').lower()})")


def judge_expected(run, problems):
    for kind in run.case.spec["expect"]:
        path = run.case.folder / FILES[kind]
        if not path.is_file():
            problems.append(f"{FILES[kind]} is missing: run_cases.py --update {run.case.name}")
            continue
        problems.extend(difference(path.read_text(encoding="utf-8"), run.output(kind), path.name))


def version_of(text):
    return [int(part) for part in text.split(".")]


def run_case(env, name, quick=False):
    """Texts of what is wrong with one case; empty when all is right."""
    problems = []
    try:
        case = Case(CASES / name)
        if version_of(env.version) < version_of(case.spec.get("wireshark", "0")):
            return problems
        run = Run(env, case)
        judge_expected(run, problems)
        judge_strings(run, problems)
        if case.spec.get("judge", True):
            judge_findings(run, problems)
        as_text = ["\n".join(shortened(m.line) for m in items)
                   for items in (run.messages, run.second)]
        problems.extend(difference(*as_text, "one pass, against -2"))
        if not quick:
            judge_recut(env, run, problems)
    except (CaseError, jsonlines.BadOutput, OSError, ValueError) as error:
        problems.append(str(error))
    return problems


def update(env, name):
    case = Case(CASES / name)
    run = Run(env, case)
    for kind in case.spec["expect"]:
        path = case.folder / FILES[kind]
        text = run.output(kind)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            print(f"{name}/{path.name}: as it was")
            continue
        path.write_text(text, encoding="utf-8")
        print(f"{name}/{path.name}: written, {len(text.splitlines())} lines; read it against "
              f"{case.spec['reference']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--quick", action="store_true", help="without cutting the bytes otherwise")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.update and not args.names:
        parser.error("--update needs the names of the cases")
    names, env = all_cases(args.names), wsxenv.shared()
    if args.update:
        for name in names:
            update(env, name)
        return 0
    failed = 0
    for name in names:
        problems = run_case(env, name, args.quick)
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {name}", flush=True)
        for text in problems:
            print("     " + text)
    print(f"{'FAILED' if failed or not names else 'PASSED'}: {len(names) - failed} of {len(names)} cases")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CaseError, wsxenv.SetupError, jsonlines.BadOutput) as error:
        sys.exit(f"run_cases: {error}")
