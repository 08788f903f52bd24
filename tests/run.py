#!/usr/bin/env python3
"""Run all tests of wsx; the last line alone says "N passed, M failed".

    run.py [--quick] [-k PATTERN] [-j JOBS] [--list]

unit:NAME           a program of build/unit
replay:NAME         a fuzz target over the inputs that once failed
case:NAME           a case of tests/cases: expectations, strings, findings, -2, other cuts
recut:NAME:MODE     the cutting tool itself: Wireshark's own TCP stream is the same after it
truth:NAME:MODE     a sample capture against what its endpoints logged: one pass, -2, other cuts
click:NAME          packets in random order through sharkd, against in order and against -2
settings:NAME:KIND  the same JSON Lines under TCP's own preferences
heads:NAME:KIND  the same JSON Lines, but for packets and times, when heads lie in several segments
off:NAME            with websocket.enhanced off, the very output that there is without wsx
and what the folders of MODULES offer: conformance:GROUP, impair:KIND, surfaces:NAME, har:NAME and so on

--quick: unit tests, replays, cases without other cuts, truth of the small samples in one pass, three click tests.
-k: only tests whose name holds PATTERN (or fits it, when it has * or ?).

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import concurrent.futures
import fnmatch
import importlib.util
import inspect
import os
import pathlib
import subprocess
import sys
import time
import traceback

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "lib"))
sys.path.insert(0, str(TESTS))
import click  # noqa: E402
import jsonlines  # noqa: E402
import run_cases  # noqa: E402
import truth  # noqa: E402
import wsxenv  # noqa: E402

UNIT_SECONDS = 300
CLICK_PACKETS_BYTES_MAX = 60_000   # a click test dissects every packet seven times
QUICK_SAMPLE_BYTES_MAX = 60_000
# The first two are made by a script, and large. In the third, HTTP itself (without wsx too) forgets in another order
# that a request was HEAD, whose answer has no body.
CLICK_NOT = {"load_big_frame_small_segs", "pmd_bomb_1g", "way_after_requests"}
QUICK_CLICKS = ("hs_ok", "pmd_fragmented", "msg_3frag_ping_one_seg")
# How a user may have set Wireshark's TCP, with no influence on what WebSocket shows.
SETTINGS = {
    "no-analysis": ["-o", "tcp.analyze_sequence_numbers:FALSE"],
    "absolute": ["-o", "tcp.relative_sequence_numbers:FALSE"],
    "heuristic-first": ["-o", "tcp.try_heuristic_first:TRUE", "--enable-heuristic", "websocket_tcp"],
}
SETTINGS_CASES = ("cl_by_client", "hs_101_with_partial_frame", "hs_client_pipelines",
                  "msg_frag_both_dirs", "pmd_fragmented", "fr_big_masked_300k")
# Who puts a head in several segments together: Wireshark, or wsx where Wireshark must not.
HEADS = {
    "default": [],
    "no-headers": ["-o", "http.desegment_headers:FALSE"],
    "no-streams": ["-o", "tcp.desegment_tcp_streams:FALSE"],
}
HEADS_SAMPLE = "ws_plain_close"  # with first lines longer than a segment, too
OFF_SAMPLES = ("ws_plain_frag", "ws_plain", "ws_pmd", "wss_tls13")
RECUT_SAMPLES = ("proto_graphql", "lws_server_wsclient")
SHOWN_PROBLEMS = 25

# Programs with tests of their own: tests(env) gives (name, function that returns texts of what is wrong)
# for the full run, tests(env, quick) for both; the quick run takes those of QUICK_MODULES.
MODULES = ("coverage.py", "conformance/run.py", "impair/measure.py", "impair/heuristic.py",
           "taps1/surfaces.py", "taps2/surfaces.py", "apps1/apps.py", "apps2/jsonapps.py",
           "rules/edges.py", "rules/streams.py", "rules/groups.py", "rules/loss.py",
           "carriers/carriers.py", "apps3/answers.py", "apps3/handover.py", "apps3/hostile.py",
           "session/session.py", "install/install.py", "mutate/mutate.py",
           "limits/limits.py", "docs/doctests.py", "golden/golden.py", "live/live.py",
           "growth/growth.py")
QUICK_MODULES = ("rules/edges.py", "session/session.py")


# --- tests: each returns the texts of what is wrong ---------------------------------------------


def unit_test(program):
    try:
        done = subprocess.run([str(program)], capture_output=True, text=True, errors="replace",
                              timeout=UNIT_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return [f"no end after {UNIT_SECONDS} s"]
    if done.returncode == 0:
        return []
    return [f"ended with {done.returncode}"] + (done.stdout + done.stderr).splitlines()[-20:]


def cut(env, capture, mode):
    """A capture with its bytes cut otherwise."""
    target = env.new_path(".cut")
    done = subprocess.run([sys.executable, "-B", str(TESTS / "recut.py"), str(capture), str(target),
                           mode], capture_output=True, text=True)
    if done.returncode:
        raise run_cases.CaseError(done.stderr.strip()[-300:] or "recut.py failed")
    return target


def truth_test(env, capture, mode):
    path, options = capture, sample_options(capture)
    if mode == "second-pass":
        options += ["-2"]
    elif mode != "one-pass":
        path = cut(env, capture, mode)
        options += run_cases.decode_as(jsonlines.run(env, capture, options))
    items = jsonlines.run(env, path, options)
    if path != capture:
        path.unlink()
    return truth.check(items, truth.default_truth(capture))[3]


def stream_bytes(env, capture):
    """The bytes of each direction of the first TCP streams, by Wireshark's own follow."""
    args = [w for n in range(4) for w in ("-z", f"follow,tcp,raw,{n}")]
    text = run_cases.checked(env.tshark(["-q", *args], capture), "follow")
    parts, bytes_of = text.split("Follow: tcp,raw\n")[1:], []
    for part in parts:
        lines = [line for line in part.splitlines()[3:] if not line.startswith("=")]
        bytes_of.append(("".join(x for x in lines if not x.startswith("\t")),
                         "".join(x.strip() for x in lines if x.startswith("\t"))))
    return bytes_of


def recut_test(env, capture, mode):
    before = stream_bytes(env, capture)
    target = cut(env, capture, mode)
    after = stream_bytes(env, target)
    count = [run_cases.checked(env.tshark([], path), "listing").count("\n")
             for path in (capture, target)]
    target.unlink()
    problems = []
    if not any(c and s for c, s in before):
        problems.append("no bytes in both directions")
    if before != after:
        problems.append("the byte streams are not the same")
    if (count[1] > count[0]) != (mode == "bytes"):
        problems.append(f"{count[0]} packets became {count[1]}")
    return problems


def click_test(env, path, preferences=()):
    options = [word for text in preferences for word in ("-o", text)]
    text = run_cases.checked(env.tshark(["-2", "-V", *options], path), "-2 -V")
    return click.compare(env, path, text, preferences)


def click_case(env, case):
    if run_cases.version_of(env.version) < run_cases.version_of(case.spec.get("wireshark", "0")):
        return []
    return click_test(env, case.capture(env), case.spec.get("prefs", ()))


def settings_test(env, path, options):
    usual, other = jsonlines.run(env, path, []), jsonlines.run(env, path, options)
    if not usual:
        return ["nothing to compare"]
    problems = [f"{a} became {b}" for a, b in zip(usual, other) if a != b]
    if len(usual) != len(other):
        problems.append(f"{len(usual)} lines became {len(other)}")
    return problems


def heads_test(env, path, options):
    target = cut(env, path, "pieces:100")
    due, got = (run_cases.cut_free(jsonlines.run(env, p, o))
                for p, o in ((path, []), (target, options)))
    target.unlink()
    problems = []
    for key in sorted(set(due) | set(got)):
        problems.extend(run_cases.difference("\n".join(due.get(key, [])),
                                             "\n".join(got.get(key, [])), str(key)))
    return problems if due else ["nothing to compare"]


# --- which tests there are ----------------------------------------------------------------------


def unit_tests():
    folder = wsxenv.build_dir() / "unit"
    sources = sorted(p.stem for p in (TESTS / "unit").glob("test_*.c"))
    for name in sources:
        yield f"unit:{name}", lambda name=name: unit_test(folder / name)


def replay_tests():
    folder = wsxenv.build_dir() / "unit"
    for source in sorted((TESTS / "fuzz").glob("fuzz_*.c")):
        program = folder / f"test_{source.stem}"
        # CMakeLists.txt says for which Wireshark these two are built.
        if source.stem not in ("fuzz_plugin", "fuzz_apps") or program.is_file():
            yield f"replay:{source.stem[5:]}", lambda program=program: unit_test(program)


def case_tests(env, quick):
    for name in run_cases.all_cases():
        yield f"case:{name}", lambda name=name: run_cases.run_case(env, name, quick)


def samples():
    return [p for p in sorted(run_cases.SAMPLES.glob("*.pcap*")) if truth.default_truth(p).is_file()]


def off_test(env, capture):
    """Large messages among them: the built-in asks TCP for more bytes."""
    problems = []
    for options in ([], ["-V"], ["-2"]):
        command = ["tshark", "-r", str(env.open_copy(capture)), *options]
        without = env.run(["env", f"WIRESHARK_PLUGIN_DIR={env.scratch / 'none'}", *command])
        off = env.run([*command, "-o", "websocket.enhanced:FALSE"])
        pairs = zip(without.stdout.decode(errors="replace").splitlines(),
                    off.stdout.decode(errors="replace").splitlines())
        if without.rc or off.rc or not without.stdout:
            problems.append(f"{options}: tshark ended with {without.rc} and {off.rc}")
        elif without.stdout != off.stdout:
            problems.append(f"{options}: another output: " + next(
                (f"{a[:80]!r}, expected {b[:80]!r}" for b, a in pairs if a != b), "another length"))
    return problems


def sample_options(capture):
    return ["-o", "websocket.over_http2:TRUE"] if capture.name.startswith(("h2", "h3")) else []


def sample_modes(env, path, quick):
    """How a sample is read. HTTP/3 is not TCP, and Wireshark 4.0 can't read it; HTTP/2 without TLS
    is known by its first segment."""
    if path.name.startswith("h3"):
        known = env is None or run_cases.version_of(env.version) >= [4, 4]
        return [m for m in ("one-pass", "second-pass") if known][:1 if quick else None]
    if quick:
        return ["one-pass"]
    small = "bytes" if path.stat().st_size <= run_cases.BYTES_MODE_MAX else "random:1"
    cuts = ["flight"] if path.name.startswith("h2c") else [small, "random:2", "flight"]
    return ["one-pass", "second-pass"] + cuts


def truth_tests(env, quick):
    for path in samples():
        size = path.stat().st_size
        if quick and size > QUICK_SAMPLE_BYTES_MAX:
            continue
        for mode in sample_modes(env, path, quick):
            yield (f"truth:{path.stem}:{mode}",
                   lambda path=path, mode=mode: truth_test(env, path, mode))


def recut_tests(env, quick):
    for name in RECUT_SAMPLES[:1] if quick else RECUT_SAMPLES:
        for mode in ("bytes", "flight", "random:1"):
            yield (f"recut:{name}:{mode}", lambda name=name, mode=mode:
                   recut_test(env, run_cases.SAMPLES / f"{name}.pcapng", mode))


SAMPLE_NAMES = {path.name for path in run_cases.SAMPLES.glob("*.pcap*")}   # tested as such


def click_tests(env, quick):
    for name in QUICK_CLICKS if quick else run_cases.all_cases():
        case = run_cases.Case(run_cases.CASES / name)
        path = case.folder / case.spec["capture"]
        if case.spec.get("decode_as") or name in CLICK_NOT or case.spec["capture"] in SAMPLE_NAMES or \
                path.is_file() and path.stat().st_size > CLICK_PACKETS_BYTES_MAX:
            continue
        yield f"click:{name}", lambda case=case: click_case(env, case)
    for path in [] if quick else samples():
        if path.stat().st_size <= CLICK_PACKETS_BYTES_MAX:
            preferences = sample_options(path)[1:]
            yield (f"click:{path.stem}",
                   lambda path=path, preferences=preferences: click_test(env, path, preferences))


def off_tests(env, quick):
    for path in samples():
        if path.stem in OFF_SAMPLES[:1 if quick else None]:
            yield f"off:{path.stem}", lambda path=path: off_test(env, path)


def settings_tests(env, quick):
    for name in SETTINGS_CASES[:2] if quick else SETTINGS_CASES:
        case = run_cases.Case(run_cases.CASES / name)
        path = case.folder / case.spec["capture"]
        for kind, options in SETTINGS.items():
            yield (f"settings:{name}:{kind}",
                   lambda path=path, options=options: settings_test(env, path, options))


def heads_tests(env, quick):
    path = run_cases.SAMPLES / f"{HEADS_SAMPLE}.pcapng"
    for kind, options in HEADS.items():
        yield f"heads:{HEADS_SAMPLE}:{kind}", lambda options=options: heads_test(env, path, options)


def load_module(path):
    """A program of MODULES. The files beside it are its own: another folder's may have their names."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("wsx_tests_" + path.parent.name + path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(path.parent))
    beside = [name for name, loaded in sys.modules.items() if path.parent != TESTS and
              pathlib.Path(getattr(loaded, "__file__", None) or "/").parent == path.parent]
    for name in beside:
        del sys.modules[name]
    return module


def module_tests(env, quick):
    for name in QUICK_MODULES if quick else MODULES:
        module = load_module(TESTS / name)
        if len(inspect.signature(module.tests).parameters) > 1:
            yield from module.tests(env, quick)
        elif not quick:
            yield from module.tests(env)


# --- running ------------------------------------------------------------------------------------


def run_one(function):
    began = time.monotonic()
    try:
        problems = function()
    except (run_cases.CaseError, jsonlines.BadOutput, click.ClickError, OSError, ValueError) as error:
        problems = [str(error)]
    except Exception:  # a test that ends so has failed, and the others go on
        problems = traceback.format_exc().splitlines()
    return problems, time.monotonic() - began


def fits(name, pattern):
    return pattern in name or fnmatch.fnmatch(name, pattern)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("-k", metavar="PATTERN", default="")
    parser.add_argument("-j", type=int, default=len(os.sched_getaffinity(0)), metavar="JOBS")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    env = wsxenv.shared()
    tests = [t for source in (unit_tests(), replay_tests(), recut_tests(env, args.quick),
                              truth_tests(env, args.quick), case_tests(env, args.quick),
                              click_tests(env, args.quick), settings_tests(env, args.quick),
                              off_tests(env, args.quick), heads_tests(env, args.quick),
                              module_tests(env, args.quick))
             for t in source if fits(t[0], args.k)]
    if args.list:
        print("\n".join(name for name, _ in tests))
        return 0
    print(f"{len(tests)} tests, {args.j} at a time, Wireshark {env.version}, {env.plugin}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        waiting = {pool.submit(run_one, function): name for name, function in tests}
        for done in concurrent.futures.as_completed(waiting):
            problems, seconds = done.result()
            failed += bool(problems)
            print(f"{'FAIL' if problems else 'ok  '} {waiting[done]} ({seconds:.1f} s)", flush=True)
            for text in problems[:SHOWN_PROBLEMS]:
                print("     " + text[:400])
    if not tests:
        print("no test was chosen")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (run_cases.CaseError, wsxenv.SetupError) as error:
        print(f"run: {error}")
        print("0 passed, 1 failed")
        sys.exit(1)
