"""The profile in extras: it loads, its filters compile, and each rule and button finds what it is for.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import re
import shutil
import threading

import captures
import run_cases

PROFILE = captures.TESTS.parent / "extras" / "WebSocket"
RULE = re.compile(r"@([^@]+)@(.+)@\[\d+,\d+,\d+\]\[\d+,\d+,\d+\]$")
BUTTON = re.compile(r'"TRUE","([^"]+)","([^"]+)","([^"]+)"$')


def lines(name):
    text = (PROFILE / name).read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


def parsed(name, pattern):
    """(name, filter) of each line."""
    found = [pattern.match(line) for line in lines(name)]
    bad = [line for line, match in zip(lines(name), found) if not match]
    if bad or not found:
        raise run_cases.CaseError(f"{name}: not understood: {bad}")
    return [(match[1], match[2]) for match in found]


installing = threading.Lock()


def install(env):
    with installing:
        return install_once(env)


def install_once(env):
    folder = env.folder / "home" / ".config" / "wireshark" / "profiles" / "WebSocket"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(PROFILE, folder)
        for path in (folder, *folder.parents):
            if env.folder in path.parents:
                path.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
    return folder


def complaints(done):
    return [line for line in done.stderr.decode(errors="replace").split("\n")
            if line and "Running as user" not in line]


def colour_test(env, path):
    """Every rule colours a packet, each packet the first rule that fits."""
    install(env)
    rules = parsed("colorfilters", RULE)
    done = env.tshark(["-2", "-C", "WebSocket", "--color", "-T", "fields", "-e", "frame.number",
                       "-e", "frame.coloring_rule.name"], path)
    problems = complaints(done)
    colours = {}
    for line in run_cases.checked(done, "--color").split("\n"):
        if line:
            number, _, name = line.partition("\t")
            colours[int(number)] = name
    first = {}
    for name, text in rules:
        found = env.tshark(["-2", "-Y", text, "-T", "fields", "-e", "frame.number"], path)
        problems += complaints(found)
        for number in run_cases.checked(found, text).split():
            first.setdefault(int(number), name)
    problems += [f"packet {n}: {colours[n]!r}, not {first.get(n, '')!r}"
                 for n in colours if colours[n] != first.get(n, "")]
    problems += [f"no packet has the colour {name}" for name, _ in rules
                 if name not in colours.values()]
    return problems


def button_test(env, path):
    """The table loads, and each filter finds something and not everything."""
    install(env)
    loaded = env.tshark(["-C", "WebSocket", "-c", "1"], path)
    problems = complaints(loaded)
    total = len(run_cases.checked(env.tshark([], path), "listing").splitlines())
    for name, text in parsed("dfilter_buttons", BUTTON):
        found = env.tshark(["-2", "-Y", text], path)
        problems += complaints(found)
        count = len(run_cases.checked(found, text).splitlines())
        if not 0 < count < total:
            problems.append(f"{name} finds {count} of {total} packets")
    return problems


def bad_button_test(env, path):
    """A table that can't be read is complained about: the test above could see it."""
    folder = install(env).with_name("Bad")
    folder.mkdir(exist_ok=True)
    (folder / "dfilter_buttons").write_text('"PERHAPS","x"\n')
    for item in (folder, folder / "dfilter_buttons"):
        item.chmod(0o755)
    return [] if complaints(env.tshark(["-C", "Bad", "-c", "1"], path)) else ["no complaint"]


def tests(env):
    made = captures.Captures(env)
    for name, function in (("colours", colour_test), ("buttons", button_test),
                           ("bad-button", bad_button_test)):
        yield f"extras:{name}", lambda function=function: function(env, made.path("everything"))
