#!/usr/bin/env python3
"""What attackers send must cost bounded time and memory, name its limit, and not touch what follows.

    limits.py [--full] [NAME...]      one line a capture and way to read it: seconds, MiB, findings

Each capture is read in one pass, with -2 and with a tree. The sizes of --full are those that wsx
promises to survive; without it they are small enough for every run of the tests.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import pathlib
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "limits"))
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import captures  # noqa: E402
import jsonlines  # noqa: E402
import judged  # noqa: E402

TAP = ["-q", "-z", "websocket,messages"]
WAYS = {
    "one pass": TAP,
    "two passes": ["-2", *TAP],
    "tree": ["-O", "websocket"],
}
LIMITS = ("limit_frame", "limit_message", "limit_inflated", "limit_total", "limit_ratio",
          "frames_drawn")
SMALLEST, LARGEST = 0, 4294967295
NO_LIMIT_AT_0 = ("limit_inflated", "limit_ratio")
# What names a limit at its smallest value: in all captures that are read with it, or in one.
NAMED_BY = {
    "limit_frame": ("frame-limit", None),
    "limit_message": ("message-limit", None),
    "limit_inflated": ("deflate-limit", "bomb"),
    "limit_total": ("message-limit", None),
    "limit_ratio": ("deflate-limit", "bomb"),
}
QUICK_SECONDS, FULL_SECONDS = 30, 300
# tshark alone has about 250 MiB after its start.
QUICK_MIB, FULL_MIB = 900, 3000
LAST = captures.LAST.decode()
# Of so many packets nothing is printed of the trees: it is over the sealed environment's bound.
UNPRINTED = {"connections": ["-Y", "frame.number == 1"]}
# What must be among the rules of the JSON Lines.
RULES = {
    "bomb": "deflate-limit",
    "length_msb": "frame-length-msb",
    "lines_repeated": "hs-key-repeated",
    "parameters_many": "deflate-param-repeated",
}
# And only in the full size.
RULES_FULL = {
    "findings_many": "message-limit",
}
# Captures whose last message never comes out: nothing follows in that direction.
NO_LAST = {"head_traps"}
# Captures in which each connection but the last has this text.
EACH_SAYS_HELLO = {"connections", "heads_unfinished", "header_lines_large", "lines_repeated"}
# How many requests are known in the end where HTTP does not put them together: what request.c keeps, and the last.
REQUESTS_KNOWN = {"heads_unfinished": 64 + 1}
OPTIONS = {"heads_unfinished": ["-o", "http.desegment_headers:FALSE"]}
# A finding that must not be there: a gap of more bytes than a capture can lack.
MISSING_MAX = 1 << 40


def peak_mib(env, args, capture, seconds):
    """(result, seconds, peak MiB) of tshark."""
    log = env.new_path(".peak")
    begun = time.monotonic()
    result = env.run(["/usr/bin/env", "python3", "-c",
                      "import resource,subprocess,sys\n"
                      "rc=subprocess.call(sys.argv[2:])\n"
                      "open(sys.argv[1],'w').write(str(resource.getrusage("
                      "resource.RUSAGE_CHILDREN).ru_maxrss))\n"
                      "sys.exit(rc if rc>=0 else 128-rc)",
                      str(log), "tshark", "-n", "-r", str(env.open_copy(capture)), *args], seconds)
    spent = time.monotonic() - begun
    peak = int(log.read_text()) // 1024 if log.exists() else 0
    return result, spent, peak


def check_items(name, items, full=False, passes=1):
    problems = []
    texts = [item for item in items if item.get("kind") == "text" and item.get("text") == LAST]
    if name not in NO_LAST and not texts:
        problems.append("the message behind it is not there")
    # one pass keeps nothing, and so is not limited
    opened = sum(item["kind"] == "open" for item in items)
    hellos = sum(item.get("text") == "hello" for item in items)
    if name in EACH_SAYS_HELLO and (hellos != opened - 1 or not hellos):
        problems.append(f"{opened} connections, and {hellos} messages of the first ones")
    known = sum(item["kind"] == "open" and "uri" in item for item in items)
    if known != REQUESTS_KNOWN.get(name, known):
        problems.append(f"{known} requests are known")
    rule = RULES.get(name) or (RULES_FULL.get(name) if full and passes == 2 else None)
    if rule and not any(rule in item.get("rules", ()) for item in items):
        problems.append(f"no finding {rule}")
    return problems + check_texts(items)


def check_texts(items):
    """What must hold whatever limit was hit."""
    problems = []
    if any(item.get("missing", 0) > MISSING_MAX for item in items):
        problems.append("a gap that can't be")
    for item in items:
        text = item.get("text")
        if text is None or text == LAST:
            continue
        if name_of_text(text) is None:
            problems.append(f"a text that nobody sent: {text[:80]!r}")
            break
    return problems


def name_of_text(text):
    """Which of the captures' texts this is the beginning of."""
    for name, unit in (("frames_split", captures.SPLIT_TEXT.decode()), ("fragments", "abc"),
                       ("connections", "hello")):
        if name == "fragments" and set(text) <= set(unit):
            return name
        if (unit * (len(text) // len(unit) + 1)).startswith(text):
            return name
    return None


def test(env, name, full=False, ways=tuple(WAYS), report=None):
    """Texts of what is wrong."""
    build, quick_size, full_size = captures.BUILDERS[name]
    path = env.new_path(".pcap")
    build(path, full_size if full else quick_size)
    problems, outputs = [], {}
    seconds = (FULL_SECONDS if full else QUICK_SECONDS) * judged.patience(env)
    for way in ways:
        args = OPTIONS.get(name, []) + WAYS[way] + (UNPRINTED.get(name, []) if way == "tree" else [])
        result, spent, peak = peak_mib(env, args, path, seconds)
        if report:
            report(f"{name:16} {way:10} {spent:7.2f} s {peak:6} MiB")
        for text in judged.complaints(result, seconds):
            problems.append(f"{way}: {text}")
        if not getattr(env, "sanitized", False) and peak > (FULL_MIB if full else QUICK_MIB):
            problems.append(f"{way}: {peak} MiB")
        if "-z" in WAYS[way] and result.rc == 0:
            outputs[way] = result.stdout
            try:
                problems += [f"{way}: {text}"
                             for text in check_items(name, jsonlines.parse(result.stdout), full,
                                                     2 if "-2" in WAYS[way] else 1)]
            except (jsonlines.BadOutput, UnicodeDecodeError) as error:
                problems.append(f"{way}: {error}")
    if len(set(outputs.values())) > 1 and not (full and name in RULES_FULL):
        problems.append("one pass and -2 differ")
    path.unlink()
    return problems


def values_of(preference):
    """0 may mean that there is no limit: then 1 is the smallest."""
    return (SMALLEST, *([1] if preference in NO_LIMIT_AT_0 else []), LARGEST)


def check_named(preference, value, name, way, items):
    """The limit is told of where it is the smallest, and what lies behind it is there."""
    problems = []
    rule, where = NAMED_BY.get(preference, (None, None))
    smallest = value == values_of(preference)[-2]
    # one pass keeps nothing, and so is not limited
    due = rule and smallest and where in (None, name) and (preference != "limit_total" or "-2" in way)
    if due and not any(rule in item.get("rules", ()) for item in items):
        problems.append(f"{name}: no finding {rule}")
    cuts_all = smallest and preference in ("limit_frame", "limit_message")
    last = [item for item in items if item["kind"] == "text" and item.get("len") == len(LAST) and
            (item.get("text") == ("" if cuts_all else LAST))]
    if not last:
        problems.append(f"{name}: the message behind it is not there")
    return problems


def test_preference(env, preference, value):
    """A limit at its smallest or largest value: no crash, and what it does not limit is right."""
    problems = []
    for name in ("bomb", "fragments", "length_huge", "frames_split"):
        path = env.new_path(".pcap")
        build, size, _ = captures.BUILDERS[name]
        build(path, min(size, 2000) if name != "bomb" else 70)
        option = ["-o", f"websocket.{preference}:{value}"]
        outputs = []
        for way in (TAP, ["-2", *TAP]):
            result, _, peak = peak_mib(env, [*option, *way], path, QUICK_SECONDS * judged.patience(env))
            problems += [f"{name}: {text}"
                         for text in judged.complaints(result, QUICK_SECONDS * judged.patience(env))]
            outputs.append(result.stdout)
            items = jsonlines.parse(result.stdout)
            problems += [f"{name}: {text}" for text in check_texts(items)]
            problems += check_named(preference, value, name, way, items)
            ends = [item for item in items if item["kind"] == "end"]
            if result.rc == 0 and (len(ends) != 1 or ends[0].get("cause") != "fin"):
                problems.append(f"{name}: the connection's end is not there")
        # what later passes may keep is a limit of its own
        if preference != "limit_total" and outputs[0] != outputs[1]:
            problems.append(f"{name}: one pass and -2 differ")
        path.unlink()
    return problems


def tests(env, quick=False):
    """The small sizes: (name, callable that gives the texts of what is wrong)."""
    made = [(f"limits:{name}", lambda name=name: test(env, name)) for name in captures.BUILDERS]
    made += [] if quick else [(f"limits:{preference}:{value}",
              lambda preference=preference, value=value: test_preference(env, preference, value))
             for preference in LIMITS for value in values_of(preference)]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help="captures or limit preferences")
    args = parser.parse_args()
    env = judged.JudgedEnv()
    failed = 0
    for name in args.names or [*captures.BUILDERS, *LIMITS]:
        if name in captures.BUILDERS:
            problems = test(env, name, args.full, report=lambda line: print(line, flush=True))
        else:
            problems = [text for value in values_of(name)
                        for text in test_preference(env, name, value)]
            print(f"{name} {'FAILED' if problems else 'ok'}", flush=True)
        failed += bool(problems)
        for problem in problems:
            print(f"    {name}: {problem}")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
