"""Read many files in one process of build/session: as JSON Lines in one pass and in two, and as trees
in order and in random order.

A process that fails is begun again for each of its files, so that the file is known.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import pathlib
import re
import shutil
import signal
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import click  # noqa: E402
import judged  # noqa: E402
import wsxenv  # noqa: E402

SEED = "6455"
SECONDS = 60  # a file; all files of a process have as long as three
SHOWN = 4
TOO_MUCH = f"ended with {-signal.SIGXFSZ}:"  # all files together printed more than they may
MARK = "-- within: "
# An assertion that failed, with the place in the source: as a warning or column, and in the tree.
BUG = re.compile(rb"Dissector bug, protocol [^,:\n]+(?:, in packet \d+)?: ([^\]\n]+)"
                 rb"|((?<![^\s\[])[^\s\[]{1,200}\.c:\d+: failed assertion \"[^\"\n]+\")")
PACKET = re.compile(r"^packet (\d+): ")


def program(env):
    """A copy of build/session that the user who runs it can read."""
    target = env.folder / "session"
    if not target.is_file():
        fresh = env.new_path("")
        shutil.copyfile(wsxenv.build_dir() / "session", fresh)
        fresh.chmod(0o755)
        fresh.replace(target)
    return target


def words_of(path):
    return ["say", MARK + "one pass", "once", str(path), "say", MARK + "two passes", "retap",
            "say", MARK + "in order", "print", "say", MARK + "mixed", "mixed", SEED]


def start(env, paths, prefs, seconds):
    """(texts of the parts, one after the other, complaints, assertions of others' that failed)."""
    words = ["tap", "websocket,messages"] + [word for pref in prefs for word in ("set", pref)]
    for path in paths:
        path.chmod(0o644)
        words += words_of(path)
    done = env.run([str(program(env)), *words], seconds)
    theirs = set()
    if BUG.search(done.stdout + done.stderr):
        theirs = bugs_without(env, paths, prefs, seconds)
        done = judged_without(done, theirs)
    text = done.stdout.decode("utf-8", "replace")
    parts = re.split("^" + re.escape(MARK) + ".*\n", text, flags=re.M)[1:]
    return parts, judged.complaints(done, seconds), theirs


def bugs_without(env, paths, prefs, seconds):
    """The assertions that fail in Wireshark without wsx, too."""
    words = [word for pref in prefs if not pref.startswith("websocket.") for word in ("set", pref)]
    for path in paths:
        words += ["open", str(path), "print", "mixed", SEED]
    done = env.run(["env", "-u", "WIRESHARK_PLUGIN_DIR", str(program(env)), *words], seconds)
    return set(map(name_of_bug, BUG.finditer(done.stdout + done.stderr)))


def name_of_bug(match):
    return match[1] or match[2]


def judged_without(done, theirs):
    def one(match):
        return b"(a bug without wsx, too)" if name_of_bug(match) in theirs else match[0]
    return done._replace(stdout=BUG.sub(one, done.stdout), stderr=BUG.sub(one, done.stderr))


def lines_problems(one, two):
    if one != two:
        pairs = zip(one.split("\n") + ["(end)"], two.split("\n") + ["(end)"])
        first = next(((a, b) for a, b in pairs if a != b), ("", ""))
        return [f"one pass {first[0][:200]!r}, two passes {first[1][:200]!r}"]
    for line in filter(None, one.split("\n")):
        try:
            json.loads(line)
        except ValueError as error:
            return [f"no JSON ({error}): {line[:200]!r}"]
    return []


def packets_of(text):
    """[(columns, lines of the tree that are wsx's)]."""
    found = []
    for line in text.split("\n"):
        match = PACKET.match(line)
        if match:
            found.append((line, []))
        elif found:
            found[-1][1].append(line)
    return [(columns, click.only_ours(lines)) for columns, lines in found]


def trees_problems(in_order, mixed):
    """What Wireshark's own dissectors make of their memory is not compared."""
    problems = []
    one, other = packets_of(in_order), packets_of(mixed)
    if len(one) != len(other):
        problems.append(f"{len(one)} packets in order, {len(other)} mixed")
    for (columns, lines), (other_columns, other_lines) in zip(one, other):
        if lines != other_lines:
            first = next(((a, b) for a, b in zip(lines + ["(end)"], other_lines + ["(end)"])
                          if a != b), ("", ""))
            problems.append(f"{columns[:60]}: in order {first[0].strip()[:150]!r}, "
                            f"mixed {first[1].strip()[:150]!r}")
        elif " | WebSocket | " in columns and columns != other_columns:
            problems.append(f"in order {columns[:200]!r}, mixed {other_columns[:200]!r}")
    return problems[:SHOWN]


def problems_of(parts):
    one, two, in_order, mixed = parts
    return lines_problems(one, two) + trees_problems(in_order, mixed)


def test_files(env, paths, prefs=(), counts=None):
    """For each file the texts of what is wrong. counts: which of others' assertions failed how often."""
    parts, wrong, theirs = start(env, paths, prefs, 3 * SECONDS * judged.patience(env))
    if not wrong:
        tell(counts, theirs)
        return [problems_of(parts[i:i + 4]) for i in range(0, len(parts), 4)]
    found = []
    for path in paths:
        parts, alone, theirs = start(env, [path], prefs, SECONDS * judged.patience(env))
        tell(counts, theirs)
        found.append(alone or problems_of(parts))
    if any(found) or TOO_MUCH in wrong[0]:
        return found
    return [[f"only with other files before: {wrong[0]}"], *found[1:]]


def tell(counts, theirs):
    if counts is not None:
        counts.update(text.decode("utf-8", "replace") for text in theirs)
