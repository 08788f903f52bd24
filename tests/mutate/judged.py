"""Run tshark over a capture so that nothing bad can go unseen: a crash, a sanitizer's report, a
dissector bug, a critical warning of GLib, a run without end, memory over a bound.

A plugin that was built with -DWSX_SANITIZE=ON is recognised, and the sanitizers are loaded into tshark
with it; Wireshark's pools then take each block from malloc, so that errors in them are found too.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import re
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import wsxenv  # noqa: E402

BAD = re.compile(
    rb"Dissector bug|AddressSanitizer|runtime error:|\(process:\d+\): [^\n]*(?:CRITICAL|WARNING)"
    rb"|(?<!\w)GLib[^\n]*CRITICAL|assertion|Err  file |stack smashing|double free|corrupted|"
    rb"malloc\(\)|free\(\)")
SANITIZER_TIMES = 4  # a run under the sanitizers takes so much longer
SHOWN = 12


def is_sanitized(plugin):
    listed = subprocess.run(["ldd", str(plugin)], capture_output=True, text=True).stdout
    return "libasan" in listed or "libclang_rt.asan" in listed


def library(name):
    return subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                          check=True).stdout.strip()


class JudgedEnv(wsxenv.Env):
    """The sealed environment, with the sanitizers when the plugin was built with them."""

    def __init__(self, plugin=None):
        plugin = plugin or wsxenv.build_dir() / "wsx.so"
        self.sanitized = pathlib.Path(plugin).is_file() and is_sanitized(plugin)
        super().__init__(plugin, check=False)
        self.patience = 1
        if self.sanitized:
            self.patience = SANITIZER_TIMES
            # the sanitizers reserve terabytes of addresses
            self.prefix = [part for part in self.prefix if not part.startswith("--as=")]
            self.environ.update({
                "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
                "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99",
                "UBSAN_OPTIONS": "print_stacktrace=1",
                "WIRESHARK_DEBUG_WMEM_OVERRIDE": "simple"})
            fields = self.run(["tshark", "-G", "fields"])
            if f"\t{wsxenv.WITNESS_FIELD}\t".encode() not in fields.stdout:
                raise wsxenv.SetupError("tshark does not load wsx.so with the sanitizers")
        else:
            self.assert_wsx_is_judged()


def complaints(result, seconds, cut=False):
    """What is wrong with a finished run. cut: the file may end within a packet."""
    found = []
    if result.rc is None:
        return [f"no end after {seconds} s"]
    allowed = (0, 2) if cut else (0,)
    if result.rc not in allowed:
        found.append(f"ended with {result.rc}: " + result.stderr.decode("utf-8", "replace")[-400:])
    for text in (result.stdout, result.stderr):
        for match in list(BAD.finditer(text))[:3]:
            begin = text.rfind(b"\n", 0, match.start()) + 1
            found.append(text[begin:match.end() + 600].decode("utf-8", "replace"))
    return found[:SHOWN]


def patience(env):
    """By how much longer than usual a run may take; any sealed environment will do."""
    return getattr(env, "patience", 1)


def run(env, capture, args, seconds=60, cut=False):
    """(stdout, complaints) of tshark over a capture."""
    seconds *= patience(env)
    result = env.tshark(args, capture, seconds)
    return result.stdout, complaints(result, seconds, cut)
