#!/usr/bin/env python3
"""Let every tool that looks for errors look at wsx; the last line counts the findings.

    run.py [--quick] [STEP...]      all steps, or those named; --quick: fewer captures in the last four

gcc         gcc -fanalyzer over the plugin
clang       clang --analyze
tidy        clang-tidy, with what .clang-tidy names
cppcheck    cppcheck
format      clang-format, with the settings of .clang-format
unit        unit tests and the replay of fuzz inputs, with ASan, UBSan and the search for leaks
captures    ASan and UBSan over every capture of the tests: tshark in one pass with all taps; build-asan's
            session with the trees, several captures in one process, with Wireshark's pools as malloc
            ("simple") and checked ("strict"); tshark in two passes with a tree over each eighth
session     tests/session with ASan, UBSan and the search for leaks
valgrind    tshark in valgrind's memcheck over a few captures

A tool that is not installed is a finding. Builds go to build-asan and build-analyzer; clang's tools read
what build-clang says of the compiler's arguments.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path.insert(0, str(TESTS / "mutate"))
sys.path.insert(0, str(TESTS / "lib"))
import judged  # noqa: E402
import within  # noqa: E402
import wsxenv  # noqa: E402

SHOWN = 20
CAPTURE_BYTES_MAX = 1_500_000
SECONDS = 120
IN_ONE_PROCESS = 15
TSHARK_TWICE = 8  # of so many captures tshark itself reads one in two passes
VALGRIND_SECONDS = 900
VALGRIND = ("tests/cases/pmd_fragmented/pmd_fragmented.pcap",
            "tests/cases/loss_dropped_mid_frame/loss_dropped_mid_frame.pcap",
            "tests/cases/pmd_corrupt/pmd_corrupt.pcap",
            "sample-captures/proto_stomp.pcapng")
WARNING = re.compile(r"^([^\s:]+):\d+(?::\d+)?: (?:warning|error|style|performance|portability)")
# What is no error: tool, file, text, and why.
NO_ERROR = (
    ("gcc", "plugin/core/message.c", "uninitialized-value",
     "gcc 12 loses a structure's bit fields when another member is assigned as a whole; the memory "
     "comes from g_new0"),
    ("clang", "plugin/taps/objects.c", "add_entry",
     "a list is always given; clang infers from a comparison that it may be NULL"),
    ("tidy", "plugin/taps/objects.c", "add_entry", "the same"),
    ("tidy", "plugin/apps/apps.c", "sizeof-expression",
     "the elements of the array are pointers: wmem_array_append_one takes one, unit_kept reads one"),
    ("tidy", "plugin/taps/connections.c", "sizeof-expression",
     "the rows of a table are pointers, and pointers are sorted"),
)


def sources():
    return sorted(ROOT.glob("plugin/*/*.c"))


def run(command, seconds=3600, **more):
    return subprocess.run(command, capture_output=True, text=True, errors="replace",
                          timeout=seconds, stdin=subprocess.DEVNULL, cwd=ROOT, **more)


def relative(line):
    return line.replace(str(ROOT) + "/", "")


def findings_of(tool, text):
    """Lines of a compiler-like output that are findings in our own files."""
    found = []
    for line in dict.fromkeys(relative(line) for line in text.splitlines()):
        match = WARNING.match(line)
        if not match or not match[1].startswith("plugin/"):
            continue
        if any(tool == name and match[1] == file and part in line
               for name, file, part, _ in NO_ERROR):
            continue
        found.append(line)
    return found


def missing(*tools):
    return [f"{tool} is not installed" for tool in tools if not shutil.which(tool)]


def build(folder, *options, target="all"):
    done = run(["cmake", "-S", ".", "-B", folder, "-G", "Ninja", *options])
    if done.returncode == 0:
        done = run(["cmake", "--build", folder, "--target", target])
    return done


def build_asan():
    done = build("build-asan", "-DWSX_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Debug")
    os.environ["WSX_BUILD"] = str(ROOT / "build-asan")
    return [] if done.returncode == 0 else [done.stdout[-1500:] + done.stderr[-500:]]


def looked(number, what):
    print(f"       looked at {number} {what}", flush=True)


# --- analysers ----------------------------------------------------------------------------------


def step_gcc(_):
    # -O1: without it, and with -O2, gcc 12 takes memcpy into a local variable for no initialisation
    shutil.rmtree(ROOT / "build-analyzer", ignore_errors=True)
    done = build("build-analyzer", "-DCMAKE_C_COMPILER=gcc", "-DCMAKE_BUILD_TYPE=None",
                 "-DCMAKE_C_FLAGS=-fanalyzer -O1", target="wsx")
    failed = [] if done.returncode == 0 else [done.stdout[-1500:]]
    looked(len(sources()), "files")
    return failed + findings_of("gcc", done.stdout + done.stderr)


def clang_folder():
    """A build that is only configured: without what clang of Debian 12 doesn't know (-flto=auto)."""
    run(["cmake", "-S", ".", "-B", "build-clang", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None",
         "-DCMAKE_C_FLAGS=-O2 -DNDEBUG"])
    return ROOT / "build-clang"


def commands():
    """{file: its compiler's arguments without output}."""
    folder = clang_folder()
    made = {}
    for entry in json.loads((folder / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if "-o" in words and entry["file"].startswith(str(ROOT / "plugin")):
            at = words.index("-o")
            made[entry["file"]] = [w for w in words[1:at] + words[at + 2:]
                                   if w not in ("-Werror", "-c") and not w.startswith("-M")
                                   and not w.endswith(".o.d") and not w.endswith(".o")]
    return made


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(function, items))


def step_clang(_):
    def one(item):
        source, words = item
        done = run(["clang", "--analyze", "--analyzer-output", "text", "-Wno-everything", *words])
        failed = f"{source}:1: error: ended with {done.returncode}\n" if done.returncode else ""
        return failed + done.stderr + done.stdout
    looked(len(commands()), "files")
    return missing("clang") or findings_of("clang", "".join(in_parallel(one, commands().items())))


def step_tidy(_):
    folder = clang_folder()

    def one(source):
        done = run(["clang-tidy", "-p", str(folder), "--quiet", source])
        return done.stdout if done.returncode == 0 or "warning:" in done.stdout else \
            f"{source}:1: error: clang-tidy: {done.stderr.strip()[-300:]}\n"
    looked(len(commands()), "files")
    return missing("clang-tidy") or findings_of("tidy", "".join(in_parallel(one, commands())))


def step_cppcheck(_):
    if missing("cppcheck"):
        return missing("cppcheck")
    done = run(["cppcheck", "--enable=warning,performance,portability", "--inline-suppr",
                "--std=c11", "--quiet", "-Iplugin", "-Iplugin/core", "-Iplugin/epan",
                "-DUAT_VS_DEF(a,b,c,d,e,f)=", "-DUAT_CSTRING_CB_DEF(a,b,c)=",
                "--template={file}:{line}: {severity}: {id}: {message}", "plugin"])
    looked(len(sources()), "files")
    failed = [f"ended with {done.returncode}: {done.stderr[-500:]}"] if done.returncode else []
    return failed + findings_of("cppcheck", done.stdout + done.stderr)


def step_format(_):
    """As clang-format 14 (Debian 12) lays it out; later ones differ in details."""
    folders = ("plugin/*", "tests/unit", "tests/fuzz", "tests/session")
    files = [str(path.relative_to(ROOT)) for folder in folders
             for path in sorted(ROOT.glob(f"{folder}/*.[ch]"))]
    looked(len(files), "files")
    if missing("clang-format"):
        return missing("clang-format")
    done = run(["clang-format", "--dry-run", "--ferror-limit=1", *files])
    return list(dict.fromkeys(relative(line) for line in done.stderr.splitlines()
                              if ": warning:" in line))


# --- running under sanitizers -------------------------------------------------------------------


def step_unit(_):
    problems = build_asan()
    programs = sorted((ROOT / "build-asan/unit").glob("test_*"))
    looked(len(programs), "programs")
    for program in programs:
        inside = program.name in ("test_fuzz_plugin", "test_fuzz_apps")
        # Wireshark's own tables stay allocated at the end
        environ = {**os.environ, "ASAN_OPTIONS": f"detect_leaks={0 if inside else 1}",
                   "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
        done = run([str(program)], env=environ)
        if done.returncode:
            problems.append(f"{program.name}: {(done.stdout + done.stderr)[-800:]}")
    return problems


def captures(quick):
    folders = (TESTS / "cases", ROOT / "sample-captures", TESTS / "apps2" / "captures")
    found = [path for folder in folders for path in sorted(folder.rglob("*.pcap*"))
             if path.stat().st_size <= CAPTURE_BYTES_MAX]
    return found[::8] if quick else found


TAPS = ["-q", "-z", "websocket,messages", "-z", "websocket,tree", "-z", "websocket,connections",
        "-z", "websocket,srt", "-z", "websocket,check", "-z", "conv,websocket", "-z",
        "endpoints,websocket", "-z", "follow,websocket,utf-8,0", "-z", "expert"]


OVER_HTTP2 = "websocket.over_http2:TRUE"
DONE = "-- all are read"


def with_pools(pools, command):
    return ["env", f"WIRESHARK_DEBUG_WMEM_OVERRIDE={pools}", *command]


def tshark_problems(env, path, pools, args):
    done = env.run(with_pools(pools, ["tshark", "-n", "-r", str(env.open_copy(path)), *args]),
                   SECONDS * judged.patience(env))
    return [f"{path.name} {pools}: {text}" for text in judged.complaints(done, SECONDS, cut=True)]


def session_problems(env, paths, pools):
    """In one process; one that fails is begun again for each of its captures."""
    words = ["tap", "websocket,messages", "set", OVER_HTTP2]
    for path in paths:
        words += ["once", str(env.open_copy(path)), "retap", "click", "again", "click"]
    done = env.run(with_pools(pools, [str(within.program(env)), *words, "close", "say", DONE]),
                   SECONDS * judged.patience(env))
    found = judged.complaints(done, SECONDS)
    if not found and DONE.encode() not in done.stdout:
        found = ["ended before its end"]
    alone = [text for path in paths for text in session_problems(env, [path], pools)] \
        if found and len(paths) > 1 else []
    return alone or [f"{paths[0].name} to {paths[-1].name} {pools}: {text}" for text in found]


def step_captures(quick):
    problems = build_asan()
    if problems:
        return problems
    env = judged.JudgedEnv()
    paths = captures(quick)
    batches = [paths[at:at + IN_ONE_PROCESS] for at in range(0, len(paths), IN_ONE_PROCESS)]
    twice = ["-2", "-V", "-o", OVER_HTTP2]
    jobs = [lambda path=path: tshark_problems(env, path, "simple", TAPS) for path in paths]
    jobs += [lambda path=path: tshark_problems(env, path, "strict", twice)
             for path in paths[::TSHARK_TWICE]]
    jobs += [lambda batch=batch, pools=pools: session_problems(env, batch, pools)
             for batch in batches for pools in ("simple", "strict")]
    found = [text for found in in_parallel(lambda job: job(), jobs) for text in found]
    looked(len(paths), f"captures, in {len(jobs)} processes")
    return found


def step_session(quick):
    problems = build_asan()
    if problems:
        return problems
    words = ["files", "leaks"] if quick else []
    done = run([sys.executable, "-B", str(TESTS / "session/session.py"), *words])
    return [] if done.returncode == 0 else [line for line in done.stdout.splitlines()
                                            if not line.startswith("ok ")] + [done.stderr[-500:]]


# --- valgrind -----------------------------------------------------------------------------------


def step_valgrind(quick):
    """Errors in whose stack there is our library; Wireshark's own are not ours to mend."""
    if missing("valgrind"):
        return missing("valgrind")
    os.environ.pop("WSX_BUILD", None)
    done = build("build", target="wsx")
    if done.returncode:
        return [done.stdout[-1000:]]
    env = wsxenv.Env(ROOT / "build/wsx.so")
    env.prefix = [word for word in env.prefix if not word.startswith("--as=")]
    env.environ["WIRESHARK_DEBUG_WMEM_OVERRIDE"] = "simple"
    problems = []
    for name in VALGRIND[:1 if quick else None]:
        done = env.run(["valgrind", "--error-exitcode=0", "--num-callers=30", "--leak-check=full",
                        "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
                        "--keep-debuginfo=yes",
                        "tshark", "-n", "-2", "-r", str(env.open_copy(ROOT / name)), "-V",
                        "-z", "websocket,messages"], VALGRIND_SECONDS)
        text = done.stderr.decode("utf-8", "replace")
        if done.rc is None or "ERROR SUMMARY" not in text:
            problems.append(f"{name}: ended with {done.rc}: {text[-300:]}")
        blocks = re.split(r"\n==\d+== \n", text)
        problems += [f"{name}: {block[:1200]}" for block in blocks
                     if "wsx.so" in block or "/plugin/" in block]
    looked(len(VALGRIND[:1 if quick else None]), "captures")
    return problems


STEPS = {"gcc": step_gcc, "clang": step_clang, "tidy": step_tidy, "cppcheck": step_cppcheck,
         "format": step_format, "unit": step_unit, "captures": step_captures, "session": step_session,
         "valgrind": step_valgrind}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=" ".join(STEPS))
    args = parser.parse_args()
    total = 0
    for name in args.steps or STEPS:
        problems = STEPS[name](args.quick)
        total += len(problems)
        print(f"{'FAILED' if problems else 'ok    '} {name}", flush=True)
        for problem in problems[:SHOWN]:
            print("    " + problem.replace("\n", "\n    "))
    for tool, file, text, why in NO_ERROR:
        print(f"not counted: {tool}, {file}, {text}: {why}")
    print(f"{total} findings")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
