#!/usr/bin/env python3
"""Damage captures in every way and read them: nothing may crash, hang, or differ between passes.

    mutate.py [--seeds N] [--quick] [--tshark] [CAPTURE...]
                          all captures below tests/cases and sample-captures, or those named; folders
                          are searched

Ways: random bytes changed (editcap -E) at several rates, packets cut to some snap lengths, packets
removed, doubled and swapped. Seeds are fixed, so that a failure comes again. Each damaged file is read
in one pass and in two, as JSON Lines, which must be the same, and valid; then its packets are dissected
with a tree, in order and in random order, which must be the same too. build/session does all of it in
one process for a capture's copies, which takes a tenth of the time; with --tshark tshark does, in one
pass and with -2, without the random order.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import judged  # noqa: E402
import within  # noqa: E402

RATES = (0.001, 0.01, 0.05)
SNAP_LENGTHS = (40, 54, 60, 66, 70, 80, 100, 150, 200)
SHUFFLES = ("remove", "double", "swap", "all")
SECONDS = 60
SIZE_MAX = 3_000_000  # bytes of a capture: a tree of all of it is read twice
QUICK, CHOSEN = 3, 12  # captures that the quick tests and the tests take
CHOSEN_EVERY = 5      # of a capture's damaged copies the tests take one in so many
TREE = ["-O", "websocket", "-z", "websocket,messages,%s"]


def editcap(env, source, target, *options):
    subprocess.run(["editcap", *options, str(source), str(target)], check=True,
                   capture_output=True)
    target.chmod(0o644)
    return target


def can_be_written(env, capture):
    """editcap refuses a file with blocks that it knows how to read only."""
    target = env.new_path(".pcapng")
    done = subprocess.run(["editcap", str(capture), str(target)], capture_output=True)
    target.unlink(missing_ok=True)
    return done.returncode == 0


def classic_packets(path):
    """Header of a pcap file and its packets with their own headers."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    packets, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        packets.append(data[at:at + 16 + length])
        at += 16 + length
    return data[:24], packets


def shuffle(head, packets, how, rng, target):
    """Some packets removed, doubled or swapped with the next one."""
    packets = list(packets)
    for i in range(len(packets)):
        if packets[i] is None or rng.random() > 0.08:
            continue
        what = rng.choice(SHUFFLES[:3]) if how == "all" else how
        if what == "remove":
            packets[i] = b""
        elif what == "double":
            packets[i] += packets[i]
        elif i + 1 < len(packets):
            packets[i], packets[i + 1] = packets[i + 1], packets[i]
    target.write_bytes(head + b"".join(packets))
    target.chmod(0o644)
    return target


def damaged(env, capture, seeds):
    """(what was done, file) one after the other; the caller removes the file."""
    whole = env.new_path(capture.suffix)
    shutil.copyfile(capture, whole)
    yield "as it is", whole
    if not can_be_written(env, capture):
        return
    for rate in RATES:
        for seed in range(seeds):
            yield (f"bytes changed at {rate}, seed {seed}",
                   editcap(env, capture, env.new_path(".pcapng"), "-E", str(rate),
                           "--seed", str(seed)))
    for length in SNAP_LENGTHS:
        yield (f"cut to {length}",
               editcap(env, capture, env.new_path(".pcapng"), "-s", str(length)))
    classic = editcap(env, capture, env.new_path(".pcap"), "-F", "pcap")
    head, packets = classic_packets(classic)
    classic.unlink()
    for how in SHUFFLES:
        for seed in range(seeds):
            yield (f"packets: {how}, seed {seed}",
                   shuffle(head, packets, how, random.Random(f"{how}{seed}"),
                           env.new_path(".pcap")))


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


def read(env, path, options):
    """(JSON Lines, texts of what is wrong); the tree goes through every drawing function."""
    lines = env.new_path(".jsonl")
    args = [option % lines if "%s" in option else option for option in TREE]
    _, wrong = judged.run(env, path, [*options, *args], SECONDS, cut=True)
    text = lines.read_bytes() if lines.exists() else b""
    if lines.exists():
        lines.unlink()
    return text, wrong + check_lines(text)


def test_file(env, path):
    one, wrong = read(env, path, [])
    other, wrong_other = read(env, path, ["-2"])
    problems = [f"one pass: {text}" for text in wrong] + [f"-2: {text}" for text in wrong_other]
    if one != other:
        problems.append("one pass and -2 differ: " + first_difference(one, other))
    return problems


def complaints(env, made, tshark):
    """Of (what was done, file), one after the other: (what, file, texts of what is wrong)."""
    if tshark:
        for what, path in made:
            yield what, path, test_file(env, path)
        return
    made = list(made)
    for (what, path), problems in zip(made, within.test_files(env, [path for _, path in made])):
        yield what, path, problems


def test(env, capture, seeds, keep=None, only=1, tshark=False):
    """Texts of what is wrong with a capture's damaged copies."""
    made = []
    for number, (what, path) in enumerate(damaged(env, capture, seeds)):
        if number % only:
            path.unlink()
        else:
            made.append((what, path))
    problems = []
    for what, path, found in complaints(env, made, tshark):
        problems += [f"{what}: {text}" for text in found]
        if found and keep:
            shutil.copy(path, keep / f"{capture.stem}-{what.replace(' ', '_')}{path.suffix}")
    for _, path in made:
        path.unlink()
    return problems


def captures_of(paths):
    found = []
    for path in paths:
        below = sorted(path.rglob("*.pcap*")) if path.is_dir() else [path]
        found += [capture for capture in below if capture.stat().st_size <= SIZE_MAX]
    return found


def all_captures():
    root = TESTS.parent
    return captures_of([folder for folder in (TESTS / "cases", root / "sample-captures")
                        if folder.is_dir()])


def tests(env, quick=False):
    """A small selection: (name, callable that gives the texts of what is wrong)."""
    captures, count = all_captures(), QUICK if quick else CHOSEN
    chosen = captures[::max(1, len(captures) // count)][:count]
    made = [(f"mutate:{capture.stem}",
             lambda capture=capture: test(env, capture, 1, only=CHOSEN_EVERY, tshark=True))
            for capture in chosen]
    return made + [(f"mutate:mixed:{capture.stem}", lambda capture=capture: test(env, capture, 1))
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
    captures = captures_of(args.captures) if args.captures else all_captures()
    jobs = ([run for _, run in tests(env)] if args.quick else
            [lambda capture=capture: test(env, capture, args.seeds, args.keep,
                                          tshark=args.tshark)
             for capture in captures])
    names = [name for name, _ in tests(env)] if args.quick else [str(path) for path in captures]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        for name, problems in zip(names, pool.map(lambda job: job(), jobs)):
            failed += bool(problems)
            print(f"{'FAILED' if problems else 'ok'} {name}", flush=True)
            for problem in problems[:8]:
                print(f"    {problem}")
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
