#!/usr/bin/env python3
"""Judge wsx by the conformance cases: each side of each case is valid or broken as the suite says.

    run.py [GROUP ...]    groups 1 to 7, 9, 10, 12, 13; all without an argument

Rules of severity error and warning must be those expected, no more and no fewer; notes and chats are not
looked at. Where nothing is wrong, the messages of both sides must be what was sent. What the end of a
connection proves is one set a connection, on whichever line it stands. One line a mismatch, then a count;
the exit status is 1 when there is one.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "lib")]
import jsonlines  # noqa: E402
import make  # noqa: E402
import run_cases  # noqa: E402
import wsxenv  # noqa: E402

GROUPS = ("1", "2", "3", "4", "5", "6", "7", "9", "10", "12", "13")
END_RULES = {"close-missing", "close-unanswered", "message-unfinished", "ping-unanswered"}
JUDGED = ("ERROR", "WARNING")
PLACES = ("open", "c2s", "s2c", "end")
SHOWN_BYTES = 24


def place(item, rule):
    """Where a finding counts: of a direction, of the handshake, or of the connection's end."""
    if rule in END_RULES or item["kind"] == "end":
        return "end"
    return "open" if item["kind"] == "open" else item["dir"]


def found_rules(items, severities):
    found = {where: set() for where in PLACES}
    for item in items:
        for rule in item.get("rules", ()):
            if severities.get(rule, "ERROR") in JUDGED:
                found[place(item, rule)].add(rule)
    return found


def rule_problems(expected, items, severities):
    found = found_rules(items, severities)
    for where in PLACES:
        missing = expected.due[where] - found[where]
        extra = found[where] - expected.due[where] - expected.may
        for rule in sorted(missing):
            yield f"{where}: no {rule}"
        for rule in sorted(extra if where != expected.loose else ()):
            yield f"{where}: {rule} is not due"


def message_problems(expected, items):
    for direction, sent in expected.messages.items():
        got = [(i["kind"], jsonlines.body(i)) for i in items if i.get("dir") == direction]
        if got == sent:
            continue
        if len(got) != len(sent):
            yield f"{direction}: {len(got)} messages and control frames, {len(sent)} were sent"
        for number, (have, want) in enumerate(zip(got, sent), 1):
            if have != want:
                yield (f"{direction}: number {number} is {have[0]} of {len(have[1])} bytes "
                       f"{have[1][:SHOWN_BYTES].hex()}, sent was {want[0]} of {len(want[1])} bytes "
                       f"{want[1][:SHOWN_BYTES].hex()}")
                break


def frame_problems(expected, items):
    """The connection's first and last line."""
    kinds = [item["kind"] for item in items]
    if kinds[:1] != ["open"] or kinds.count("open") != 1:
        yield f"the lines begin with {kinds[:1]}"
    if kinds[-1:] != ["end"] or kinds.count("end") != 1:
        yield f"the lines end with {kinds[-1:]}"
    elif items[-1].get("cause") != expected.cause:
        yield f"end: the cause is {items[-1].get('cause')}, not {expected.cause}"


def judge(env, group, role, manner, severities):
    """(connections, problems) of one capture."""
    path = env.new_path(f"-{group}-{role}-{manner}.pcap")
    cases = make.build(path, group, role, manner)
    if not cases:
        return 0, []
    items = jsonlines.run(env, path)
    path.unlink()
    problems, streams = [], {}
    for item in items:
        streams.setdefault(item["stream"], []).append(item)
    if sorted(streams) != list(range(len(cases))):
        problems.append(f"group {group}, suite as {role}, {manner}: {len(streams)} connections, not {len(cases)}")
    for number, expected in enumerate(cases):
        own = streams.get(number, [])
        texts = list(frame_problems(expected, own)) + list(rule_problems(expected, own, severities))
        if expected.messages is not None:
            texts += message_problems(expected, own)
        problems += [f"{expected.id} suite as {role}, {manner}: {text}" for text in texts]
    return len(cases), problems


def judge_group(env, group):
    severities = run_cases.rule_severities()
    count, problems = 0, []
    for role in make.ROLES:
        for manner in make.MANNERS:
            judged, texts = judge(env, group, role, manner, severities)
            count += judged
            problems += texts
    return count, problems


def tests(env):
    """(name, function that returns the texts of what is wrong) of each group, for tests/run.py."""
    for group in GROUPS:
        yield f"conformance:{group}", lambda group=group: judge_group(env, group)[1]


def main():
    groups = sys.argv[1:] or GROUPS
    unknown = set(groups) - set(GROUPS)
    if unknown:
        sys.exit(f"no group {', '.join(sorted(unknown))}: there are {', '.join(GROUPS)}")
    env = wsxenv.shared()
    connections = mismatches = 0
    for group in groups:
        count, problems = judge_group(env, group)
        connections += count
        mismatches += len(problems)
        print("\n".join(problems), end="\n" if problems else "", flush=True)
    print(f"{connections} connections, {mismatches} mismatches")
    return 1 if mismatches or not connections else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (wsxenv.SetupError, jsonlines.BadOutput, run_cases.CaseError) as error:
        sys.exit(f"run: {error}")
