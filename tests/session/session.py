#!/usr/bin/env python3
"""Whatever was done before with Wireshark, a file is shown as if it had been opened at first.

    session.py [NAME...]      one line a test

build/session (session.c) is Wireshark without its window. A list of words that ends with some file,
preferences and protocols must print what a new program prints with these; what was open before, and
how it was dissected, must not be seen. Memory: opening, dissecting again and clicking many times over
may not cost more with wsx than with the built-in dissector.

With a plugin that was built with the sanitizers (WSX_BUILD=build-asan) the same is run under them, and
memory that nobody can free any more is a fault.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import shutil
import struct
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import judged  # noqa: E402
import wsxenv  # noqa: E402

SECONDS = 60
SAMPLES = TESTS.parent / "sample-captures"
FILES = {
    "plain": TESTS / "cases/hs_ok/hs_ok.pcap",
    "compressed": TESTS / "cases/pmd_fragmented/pmd_fragmented.pcap",
    "corrupt": TESTS / "cases/pmd_corrupt/pmd_corrupt.pcap",
    "lost": TESTS / "cases/loss_dropped_mid_frame/loss_dropped_mid_frame.pcap",
    "signalr": SAMPLES / "proto_signalr.pcapng",
    "mqtt": SAMPLES / "proto_mqtt.pcapng",
    "http2": SAMPLES / "h2c_python.pcapng",
    "streams": TESTS / "cases/h2_two_streams/h2_two_streams.pcap",
    "json": SAMPLES / "lib_wsnode_client.pcapng",
    "split": TESTS / "cases/hs_split/hs_split.pcap",
    "rules": TESTS / "cases/fr_unmasked_client/fr_unmasked_client.pcap",
    "left open": TESTS / "cases/cl_open_others_go_on/cl_open_others_go_on.pcap",
    "bomb": TESTS / "cases/pmd_bomb_16m/pmd_bomb_16m.pcap",
}
# Each preference with another value, its usual one, and a file that shows it.
PREFERENCES = {
    "websocket.enhanced": ("FALSE", "TRUE", "compressed"),
    "websocket.json_by_sight": ("FALSE", "TRUE", "json"),
    "websocket.limit_frame": ("0", "256", "signalr"),
    "websocket.limit_message": ("0", "256", "compressed"),
    "websocket.limit_inflated": ("1", "64", "bomb"),
    "websocket.limit_total": ("0", "1024", "lost"),
    "websocket.frames_drawn": ("0", "5000", "plain"),
    "websocket.check_frames": ("FALSE", "TRUE", "rules"),
    "websocket.check_deflate": ("FALSE", "TRUE", "corrupt"),
    "websocket.over_http2": ("TRUE", "FALSE", "http2"),
    "tcp.analyze_sequence_numbers": ("FALSE", "TRUE", "lost"),
    "tcp.desegment_tcp_streams": ("FALSE", "TRUE", "signalr"),
    "tcp.relative_sequence_numbers": ("FALSE", "TRUE", "lost"),
    "http.desegment_headers": ("FALSE", "TRUE", "split"),
}
# Protocols that are switched off, and a file that shows it.
PROTOCOLS = {"websocket": "compressed", "http": "plain", "tcp": "plain", "http2": "http2",
             "signalr": "signalr", "mqtt": "mqtt", "json": "signalr"}
HEAP_FILES = ("signalr", "mqtt", "compressed", "corrupt")
# TCP's own dissector of 4.6 crashes on a click between this change and dissecting again.
CRASHES_ITSELF, CRASHES_IN = ("tcp.analyze_sequence_numbers",), "4.6"
MARK = "-- session"
HEAP_ROUNDS, HEAP_WARM = 8, 4
HEAP_BYTES_MAX = 64 << 10  # the built-in's own cost differs by a few KiB from run to run


class SessionError(ValueError):
    """The program failed."""


def program(env):
    """A copy of build/session that the user who runs it can read."""
    source = wsxenv.build_dir() / "session"
    target = env.folder / "session"
    if not target.is_file() and source.is_file():
        shutil.copyfile(source, target)
        target.chmod(0o755)
    return target


def with_paths(env, words):
    """Behind "open" stands a key of FILES, or a path."""
    return [str(env.open_copy(FILES.get(word, word))) if before in ("open", "once") else word
            for before, word in zip(["", *words], words)]


def run(env, words, environ=()):
    """What is printed; SessionError for a crash, a complaint or a sanitizer's report."""
    words = with_paths(env, words)
    seconds = SECONDS * judged.patience(env)
    done = env.run(["env", *environ, str(program(env)), *words], seconds)
    found = judged.complaints(done, seconds)
    if found:
        raise SessionError("; ".join(found) + " | words: " + " ".join(words)[:600])
    return done.stdout.decode("utf-8", "replace")


def first_difference(got, due):
    lines, others = got.splitlines(), due.splitlines()
    for number, (one, other) in enumerate(zip(lines + ["(end)"], others + ["(end)"]), 1):
        if one != other:
            return f"line {number}: {one.strip()[:150]!r}, due is {other.strip()[:150]!r}"
    return f"{len(lines)} lines, due are {len(others)}"


def same(env, words, due, what):
    got = run(env, [*words, "print"])
    return [] if got == due else [f"{what}: {first_difference(got, due)}"]


def test_files(env):
    """Files opened one after the other, in any state of the one before."""
    problems = []
    fresh = {name: run(env, ["open", name, "print"]) for name in FILES}
    names = list(FILES)
    for number, name in enumerate(names):
        other = names[number - 1]
        problems += same(env, ["open", other, "open", name], fresh[name], f"{name} after {other}")
        problems += same(env, ["open", other, "click", "close", "open", name, "click"], fresh[name],
                         f"{name} after {other} was clicked and closed")
        problems += same(env, ["open", name, "click", "again", "again", "click"], fresh[name],
                         f"{name} dissected again")
    return problems


def test_change(env, name, change, back, clicks_between=True):
    """change, back: words that change something and take it back."""
    usual = run(env, ["open", name, "print"])
    changed = run(env, [*change, "open", name, "print"])
    problems = [] if changed != usual else ["the change is not seen: nothing was tested"]
    problems += same(env, ["open", name, *change, "again"], changed, "changed while open")
    problems += same(env, ["open", name, "click", *change, "again", "click"], changed,
                     "changed while open, clicked")
    problems += same(env, ["open", name, *change, "again", *back, "again"], usual,
                     "changed and taken back")
    problems += same(env, [*change, "open", name, "click", *back, "open", name], usual,
                     "taken back before the file was opened again")
    if not clicks_between:
        return problems
    # Clicks may come before Wireshark dissects again: they show what they like, and do no harm.
    problems += same(env, ["open", name, *change, "click", "retap", *back, "click", "again"], usual,
                     "clicked between a change and dissecting again")
    problems += same(env, [*change, "open", name, *back, "click", "retap", "again"], usual,
                     "opened changed, clicked unchanged")
    return problems


def test_preference(env, preference, changed, usual, name):
    return test_change(env, name, ["set", f"{preference}:{changed}"],
                       ["set", f"{preference}:{usual}"],
                       not (preference in CRASHES_ITSELF and env.version == CRASHES_IN))


def test_decode_as(env):
    """Handed to the built-in, with what TCP gives: 4.6 has another idea of it."""
    _, problems = judged.run(env, TESTS / "cases/fr_lengths/fr_lengths.pcap",
                             ["-d", "tcp.port==80,websocket", "-o", "websocket.enhanced:FALSE",
                              "-V"])
    return problems


def test_protocol(env, protocol, name):
    extra = ["set", "websocket.over_http2:TRUE"] if protocol == "http2" else []
    problems = test_change(env, name, ["off", protocol], ["on", protocol]) if not extra else []
    if extra:
        usual = run(env, [*extra, "open", name, "print"])
        problems = same(env, [*extra, "open", name, "off", protocol, "again", "click", "on",
                              protocol, "again"], usual, "switched off and on")
    return problems


def test_taps(env):
    """JSON Lines after all kinds of changes are those of a new program."""
    problems = []
    for name in FILES:
        begin = ["set", "websocket.over_http2:TRUE", "tap", "websocket,messages", "open", name]
        due = run(env, [*begin, "retap"])
        words = [*begin, "click", "again", "set",
                 "websocket.enhanced:FALSE", "again", "set", "websocket.enhanced:TRUE", "again",
                 "retap"]
        got = run(env, words)
        if got != due or not due:
            problems.append(f"{name}: {first_difference(got, due)}")
    return problems + [text for name in FILES for text in after_the_end(env, name)]


def after_the_end(env, name):
    """Taps that were told of the end of the file change nothing of what comes again."""
    words = ["set", "websocket.over_http2:TRUE", "tap", "websocket,messages", "once", name]
    due = run(env, words)
    problems = []
    got = run(env, [*words, "say", MARK, "retap"]).split(MARK + "\n")
    if got != [due, due] or not due:
        problems.append(f"{name}, run again: {first_difference(got[-1], due)}")
    got = run(env, [*words, "say", MARK, "print"]).split(MARK + "\n")[-1]
    due = run(env, [*words[:2], "open", name, "print"])
    if got != due:
        problems.append(f"{name}, shown behind taps: {first_difference(got, due)}")
    return problems


def with_strangers(path):
    """A capture file's bytes with a packet behind each that is not WebSocket's in any way."""
    data = path.read_bytes()
    stranger = bytes(12) + b"\x88\xb5" + bytes(46)  # Ethernet's type for experiments
    made, at = [data[:24]], 24
    while at < len(data):
        end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
        made += [data[at:end], data[at:at + 8], struct.pack("<II", len(stranger), len(stranger)),
                 stranger]
        at = end
    return b"".join(made)


def test_follow(env):
    """Follow takes the connection of a packet's first message, whatever was dissected since."""
    capture = env.new_path(".pcap")
    capture.write_bytes(with_strangers(FILES["streams"]))
    listed = env.tshark(["-o", "websocket.over_http2:TRUE", "-Y", "websocket.opcode", "-T", "fields",
                         "-E", "occurrence=f", "-e", "frame.number", "-e", "websocket.stream"], capture)
    due = {f"packet {number}: websocket.stream eq {stream}" for number, stream in
           (line.split("\t") for line in listed.stdout.decode().splitlines())}
    problems = [] if len({line[-1] for line in due}) == 2 else [f"two streams, not {sorted(due)}"]
    for behind in ("0", "1", "2", "3"):
        got = run(env, ["set", "websocket.over_http2:TRUE", "open", str(capture), "follow", behind])
        missed = due - set(got.splitlines())
        problems += [f"behind {behind}: not {line}" for line in sorted(missed)[:3]]
    return problems


def heap_growth(env, name, words):
    """Bytes by which the program grew in its later rounds."""
    rounds = ["open", name, "again", "click", "heap"] * HEAP_ROUNDS
    text = run(env, [*words, *rounds], ["WIRESHARK_DEBUG_WMEM_OVERRIDE=simple"])
    sizes = [int(line.split()[1]) for line in text.splitlines() if line.startswith("heap ")]
    if len(sizes) != HEAP_ROUNDS:
        raise SessionError(f"{len(sizes)} sizes of the heap")
    return sizes[-1] - sizes[HEAP_WARM]


def test_heap(env, name):
    """Wireshark itself keeps some MiB for each file that it opens: only what wsx adds counts."""
    ours = heap_growth(env, name, [])
    built_in = heap_growth(env, name, ["set", "websocket.enhanced:FALSE"])
    if ours - built_in > HEAP_BYTES_MAX:
        return [f"{ours - built_in} bytes more than the built-in after {HEAP_ROUNDS} rounds"]
    return []


def test_leaks(env, name):
    """Only with the sanitizers: nothing is left that nobody can free."""
    words = ["tap", "websocket,messages,/dev/null", "tap", "websocket,har,/dev/null"]
    for value in ("TRUE", "FALSE", "TRUE"):
        words += ["set", f"websocket.enhanced:{value}", "open", name, "click", "retap", "again"]
    done = env.run(["env", "ASAN_OPTIONS=detect_leaks=1:exitcode=99", str(program(env)),
                    *with_paths(env, words), "close", "leaks"], SECONDS * judged.patience(env))
    text = done.stderr.decode("utf-8", "replace")
    blocks = [block for block in text.split("\n\n") if "leak of" in block and "wsx.so" in block]
    return [block[:1500] for block in blocks[:4]]


def tests(env, quick=False):
    """(name, callable that gives the texts of what is wrong)."""
    made = [("files", test_files, ()), ("taps", test_taps, ()),
            ("follow", test_follow, ()),
            ("decode_as", test_decode_as, ())]
    made += [(preference, test_preference, (preference, *rest))
             for preference, rest in PREFERENCES.items()]
    made += [(f"off:{protocol}", test_protocol, (protocol, name))
             for protocol, name in PROTOCOLS.items()]
    if getattr(env, "sanitized", False):
        made += [(f"leaks:{name}", test_leaks, (name,)) for name in FILES]
    else:
        made += [(f"heap:{name}", test_heap, (name,)) for name in HEAP_FILES]
    return [(f"session:{name}", lambda function=function, args=args: function(env, *args))
            for name, function, args in (made[:4] if quick else made)]


def main():
    env = judged.JudgedEnv()
    wanted, failed = sys.argv[1:], 0
    for name, function in tests(env):
        if wanted and not any(part in name for part in wanted):
            continue
        try:
            problems = function()
        except SessionError as error:
            problems = [str(error)]
        failed += bool(problems)
        print("FAILED" if problems else "ok", name, flush=True)
        for problem in problems:
            print("    " + problem)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
