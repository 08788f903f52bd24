#!/usr/bin/env python3
"""Damage captures in every way and read them: nothing may crash, hang, or differ between passes.

    mutate.py [--seeds N] [--quick] [--tshark] [CAPTURE...]
                          all captures below tests/cases and sample-captures, or those named; folders
                          are searched

Ways: random bytes changed at several rates, by damage.py and by editcap -E, packets cut to some snap
lengths, packets removed, doubled and swapped. Seeds are fixed, so that a failure comes again. Each damaged file is read with the
preferences of its case, in one pass and in two, as JSON Lines, which must be the same, and valid; then
its packets are dissected with a tree, in order and in random order, which must be the same too.
build/session does all of it in one process for a capture's copies, which takes a tenth of the time;
with --tshark tshark does, in one pass and with -2, without the random order.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import collections
import concurrent.futures
import itertools
import json
import pathlib
import shutil
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import damage  # noqa: E402
import judged  # noqa: E402
import run_cases  # noqa: E402
import within  # noqa: E402

SECONDS = 60
SIZE_MAX = 3_000_000  # bytes of a capture: a tree of all of it is read twice
QUICK, CHOSEN = 3, 12  # captures that the quick tests and the tests take
CHOSEN_EVERY = 5      # of a capture's damaged copies the tests take one in so many
EDITCAP_SEED = 1      # of its first copy; it takes 0 as none
KEYS = run_cases.SAMPLES / "chromium_wss.pcapng"  # of TLS, in a block of the file
TLS_BUG = b'./packet-tls.c:1: failed assertion "a"'
CARRIED = ("websocket.over_http2:TRUE",)  # for captures without a case: what is off by default, too
TREE = ["-O", "websocket", "-z", "websocket,messages,%s"]


def by_editcap(env, path, seeds):
    """(what was done, bytes of a capture file): editcap chooses the bytes and what they become."""
    parts, given = damage.parts_of(path), env.new_path(path.suffix)
    given.write_bytes(damage.without_secrets(parts))
    given.chmod(0o644)
    for rate, seed in itertools.product(damage.RATES, range(seeds)):
        changed, first = env.new_path(path.suffix), damage.HEADERS_BYTES * (seed % 2)
        done = env.run(["editcap", "-E", str(rate), "--seed", str(EDITCAP_SEED + seed),
                        "-o", str(first), str(given), str(changed)])
        if done.rc != 0:
            raise judged.wsxenv.SetupError(f"editcap -E {rate} {path}: {done.stderr.decode()}")
        yield f"editcap -E {rate}, seed {seed}", damage.with_packets_of(parts, changed)
        changed.unlink()
    given.unlink()


def damaged(env, capture, seeds, only=1):
    """[(what was done, file)] of one in so many copies; the caller removes the files."""
    made = []
    for number, (what, data) in enumerate(itertools.chain(damage.copies(capture.path, seeds),
                                                          by_editcap(env, capture.path, seeds))):
        if number % only == 0:
            path = env.new_path(capture.path.suffix)
            path.write_bytes(data)
            path.chmod(0o644)
            made.append((what, path))
    return made


def check_lines(text):
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            if line:
                json.loads(line)
        except ValueError as error:
            return [f"line {number} is no JSON ({error}): {line[:200]!r}"]
    return []


def first_difference(one, other):
    for a, b in zip(one.split(b"\n") + [b""], other.split(b"\n") + [b""]):
        if a != b:
            return f"one pass: {a[:300]!r} two passes: {b[:300]!r}"
    return "one is longer"


def bugs_without(env, path, options):
    """The assertions that fail in tshark without wsx, too."""
    theirs = [word for name, value in zip(options, options[1:]) for word in (name, value)
              if name == "-o" and not value.startswith("websocket.")]
    passes = ["-2"] if "-2" in options else []
    done = env.run(["env", "-u", "WIRESHARK_PLUGIN_DIR", "tshark", *passes, *theirs, "-V", "-r",
                    str(path)], SECONDS * judged.patience(env))
    return set(map(within.name_of_bug, within.BUG.finditer(done.stdout + done.stderr)))


def read(env, path, options):
    """(JSON Lines, texts of what is wrong); the tree goes through every drawing function."""
    lines = env.new_path(".jsonl")
    args = [option % lines if "%s" in option else option for option in TREE]
    seconds = SECONDS * judged.patience(env)
    done = env.tshark([*options, *args], path, seconds)
    if within.BUG.search(done.stdout + done.stderr):
        done = within.judged_without(done, bugs_without(env, path, options))
    wrong = judged.complaints(done, seconds, cut=True)
    text = lines.read_bytes() if lines.exists() else b""
    if lines.exists():
        lines.unlink()
    return text, wrong + check_lines(text)


def test_file(env, path, prefs):
    options = [word for pref in prefs for word in ("-o", pref)]
    one, wrong = read(env, path, options)
    other, wrong_other = read(env, path, ["-2", *options])
    problems = [f"one pass: {text}" for text in wrong] + [f"-2: {text}" for text in wrong_other]
    if one != other:
        problems.append("one pass and -2 differ: " + first_difference(one, other))
    return problems


def complaints(env, paths, prefs, tshark, theirs=None):
    """For each file the texts of what is wrong."""
    if tshark:
        return [test_file(env, path, prefs) for path in paths]
    return within.test_files(env, paths, prefs, theirs)


def test(env, capture, seeds, keep=None, only=1, tshark=False, counts=None,
         theirs=None):
    """Texts of what is wrong with a capture's damaged copies. counts: of copies. theirs: of the
    assertions of others that failed, without wsx too."""
    made = damaged(env, capture, seeds, only)
    problems = []
    found = complaints(env, [path for _, path in made], capture.prefs, tshark, theirs)
    for (what, path), texts in zip(made, found):
        problems += [f"{what}: {text}" for text in texts]
        if texts and keep:
            shutil.copy(path, keep / f"{capture.path.stem}-{what.replace(' ', '_')}{path.suffix}")
        path.unlink()
    if counts is not None:
        counts.update(ok=sum(not texts for texts in found), failed=sum(map(bool, found)))
    return problems


def test_copies(env):
    """Of the damage itself: nothing is damaged that was not asked for, and keys open what is."""
    problems = []
    for capture in captures_of(env)[0]:
        if damage.written(damage.parts_of(capture.path)) != capture.path.read_bytes():
            problems.append(f"{capture.name} is not written as it was")
    whole = KEYS.read_bytes()
    for what, data in itertools.chain(damage.copies(KEYS, 1), by_editcap(env, KEYS, 1)):
        if (what == "as it is") != (data == whole):
            problems.append(f"{what}: as it was, or not")
        if what in ("packets: double, seed 0", "editcap -E 0.001, seed 0"):
            path = env.new_path(KEYS.suffix)
            path.write_bytes(data)
            if b'"kind":"text"' not in read(env, path, [])[0]:
                problems.append(f"{what}: nothing of the {KEYS.name} is read")
    return problems


def test_bugs():
    """Only what fails without wsx too is left out, wherever it is told."""
    texts = ["Dissector bug, protocol TLS, in packet 3: ./packet-tls.c:1: failed assertion \"a\"",
             "[./packet-tls.c:1: failed assertion \"a\"]",
             "Dissector bug, protocol WebSocket, in packet 4: ./carry.c:1: failed assertion \"a\"",
             "[./packet-tls.c:2: failed assertion \"a\"]"]
    problems = []
    for text, due in zip(texts, (False, False, True, True)):
        done = judged.wsxenv.Result(b"", text.encode(), 0)
        found = judged.complaints(within.judged_without(done, {TLS_BUG}), SECONDS)
        if bool(found) != due:
            problems.append(f"{text}: {found}")
    return problems


Capture = collections.namedtuple("Capture", "name path prefs")


def of_cases(env, make):
    """Each capture once for all cases that read it with the same preferences. make: those of a script,
    too, which takes a while."""
    found = {}
    for name in run_cases.all_cases():
        case = run_cases.Case(run_cases.CASES / name)
        path, prefs = case.capture(env) if make else case.stored(), tuple(case.spec.get("prefs", ()))
        if path:
            found.setdefault((path, prefs), Capture(name, path, prefs))
    return list(found.values())


def of_folder(folder, known=()):
    paths = sorted(folder.rglob("*.pcap*")) if folder.is_dir() else [folder]
    return [Capture(path.stem, path, CARRIED) for path in paths if path not in known]


def captures_of(env, paths=(), make=True):
    """Those of the paths, or all; names of those that are too large."""
    found = [capture for path in paths for capture in of_folder(path)]
    if not paths:
        found = of_cases(env, make)
        found += of_folder(run_cases.SAMPLES, [capture.path for capture in found])
    large = [capture.name for capture in found if capture.path.stat().st_size > SIZE_MAX]
    return [capture for capture in found if capture.name not in large], large


def tests(env, quick=False):
    """A small selection: (name, callable that gives the texts of what is wrong)."""
    captures, count = captures_of(env, make=False)[0], QUICK if quick else CHOSEN
    chosen = captures[::max(1, len(captures) // count)][:count]
    made = [("mutate:copies", lambda: test_copies(env)), ("mutate:bugs", test_bugs)]
    made += [(f"mutate:{capture.name}",
             lambda capture=capture: test(env, capture, 1, only=CHOSEN_EVERY, tshark=True))
            for capture in chosen]
    return made + [(f"mutate:mixed:{capture.name}", lambda capture=capture: test(env, capture, 1))
                   for capture in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="the selection that the tests run")
    parser.add_argument("--tshark", action="store_true", help="tshark reads them")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the files that failed")
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("captures", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    env = judged.JudgedEnv()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    captures, large = captures_of(env, args.captures)
    counts, theirs = collections.Counter(), collections.Counter()
    jobs = tests(env) if args.quick else [
        (capture.name, lambda capture=capture: test(env, capture, args.seeds, args.keep,
                                                    tshark=args.tshark, counts=counts,
                                                    theirs=theirs))
        for capture in captures]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        for (name, _), problems in zip(jobs, pool.map(lambda job: job[1](), jobs)):
            failed += bool(problems)
            print(f"{'FAILED' if problems else 'ok'} {name}", flush=True)
            for problem in problems[:8]:
                print(f"    {problem}")
    for text, count in sorted(theirs.items()):
        print(f"without wsx, too ({count}): {text}")
    print(f"{len(jobs) - failed} passed, {failed} failed; {counts['ok']} copies passed, "
          f"{counts['failed']} failed; left out as too large: {', '.join(large) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
