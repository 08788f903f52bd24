#!/usr/bin/env python3
"""The sealed environment in which every test runs Wireshark's programs.

tshark started by root ignores plugins without a word, a user's own preferences change what is shown,
and a folder that only root may enter hides the captures from anyone else. So: plugin and captures are
copied to a folder that everyone can read, privileges are dropped when there are any, the environment
holds nothing but what is set here, and the first thing done is to make sure that wsx is the dissector
that is judged.

As a program:  wsxenv.py TSHARK-ARGUMENT...  runs tshark so; the file behind -r is copied first.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import atexit
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOBODY = 65534
TIMEOUT_SECONDS = 120
# tshark needs 400 MB of addresses to start; what it prints is at most a few times the capture.
MEMORY_BYTES_MAX = 2 << 30
OUTPUT_BYTES_MAX = 256 << 20
# A field that no built-in dissector registers.
WITNESS_FIELD = "websocket.message.text"

Result = collections.namedtuple("Result", "stdout stderr rc")


class SetupError(Exception):
    """The environment can't be made; nothing that runs in it would mean anything."""


def build_dir():
    return pathlib.Path(os.environ.get("WSX_BUILD") or ROOT / "build")


class Env:
    """One sealed environment. Threads may share it. The folder goes when the program ends."""

    def __init__(self, plugin=None, check=True):
        self.plugin = pathlib.Path(plugin or build_dir() / "wsx.so")
        if not self.plugin.is_file():
            raise SetupError(f"{self.plugin} is not there: build it first")
        for tool in ("tshark", "sharkd", "prlimit", "setpriv"):
            if not shutil.which(tool):
                raise SetupError(f"{tool} is not installed")
        self.root = os.geteuid() == 0
        self.prefix = (["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
                     if self.root else [])
        # A program that runs wild fails its test and leaves the machine alone. The sanitizers
        # reserve terabytes of addresses.
        limits = ["prlimit", "--core=0", f"--fsize={OUTPUT_BYTES_MAX}"]
        if "WSX_SANITIZE" not in os.environ:
            limits.append(f"--as={MEMORY_BYTES_MAX}")
        self.prefix = limits + self.prefix
        self.folder = self._open_folder()
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.scratch = self.folder / "scratch"
        for name in ("home", "scratch"):
            (self.folder / name).mkdir()
            if self.root:
                os.chown(self.folder / name, NOBODY, NOBODY)
        (self.folder / "captures").mkdir(mode=0o755)
        self._lock = threading.Lock()
        self._copies = {}
        self.version = self._tshark_version()
        self.environ = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.scratch),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "WIRESHARK_PLUGIN_DIR": str(self.folder / "plugins"),
        }
        target = self.folder / "plugins" / self.version / "epan"
        target.mkdir(parents=True)
        shutil.copyfile(self.plugin, target / "wsx.so")
        for path in (target / "wsx.so", target, target.parent, target.parent.parent):
            path.chmod(0o755)
        self.plugin_copy = target / "wsx.so"
        if check:
            self.assert_wsx_is_judged()

    def _open_folder(self):
        """A new folder that the user who runs tshark can enter."""
        for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
            try:
                folder = pathlib.Path(tempfile.mkdtemp(prefix="wsx-test-", dir=base))
            except OSError:
                continue
            folder.chmod(0o755)
            if subprocess.run(self.prefix + ["test", "-x", str(folder)]).returncode == 0:
                return folder
            folder.rmdir()
        raise SetupError("no temporary folder that an ordinary user can enter")

    @staticmethod
    def _tshark_version():
        text = subprocess.run(["tshark", "--version"], capture_output=True, text=True).stdout
        found = re.search(r"\b(\d+)\.(\d+)\.\d+", text)
        if not found:
            raise SetupError("tshark does not tell its version")
        return f"{found[1]}.{found[2]}"

    def assert_wsx_is_judged(self):
        plugins = self.run(["tshark", "-G", "plugins"])
        if not any(str(self.plugin_copy) in line for line in plugins.stdout.decode().splitlines()):
            raise SetupError("tshark does not load wsx.so: "
                             + (plugins.stderr.decode().strip() or "it is not in -G plugins"))
        fields = self.run(["tshark", "-G", "fields"])
        if f"\t{WITNESS_FIELD}\t".encode() not in fields.stdout:
            raise SetupError(f"wsx.so is loaded, but there is no field {WITNESS_FIELD}")

    def open_copy(self, path):
        """The path of a copy of a capture that the user who runs tshark can read."""
        path = pathlib.Path(path).resolve()
        if self.folder in path.parents:
            path.chmod(0o644)
            return path
        with self._lock:
            if path not in self._copies:
                copy = self.folder / "captures" / f"{len(self._copies)}-{path.name}"
                shutil.copyfile(path, copy)
                copy.chmod(0o644)
                self._copies[path] = copy
            return self._copies[path]

    def new_path(self, suffix):
        """A name for a file that does not exist yet, in a folder that both we and tshark can write."""
        handle, name = tempfile.mkstemp(suffix=suffix, dir=self.scratch)
        os.close(handle)
        os.unlink(name)
        return pathlib.Path(name)

    def run(self, command, timeout=TIMEOUT_SECONDS):
        """Any program in the sealed environment. rc is None after a timeout, negative for a signal."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                rc = subprocess.run(self.prefix + command, env=self.environ, cwd=self.scratch,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                    timeout=timeout).returncode
            except subprocess.TimeoutExpired:
                rc = None
                err.write(f"\nno end after {timeout} s".encode())
            out.seek(0)
            err.seek(0)
            return Result(out.read(), err.read(), rc)

    def popen(self, command):
        """A program to talk to through pipes."""
        return subprocess.Popen(self.prefix + command, env=self.environ, cwd=self.scratch,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def tshark(self, args, capture, timeout=TIMEOUT_SECONDS):
        """tshark over a capture, name resolution off."""
        return self.run(["tshark", "-n", "-r", str(self.open_copy(capture))] + list(args), timeout)


_shared = None


def shared():
    """The environment that one program uses for everything."""
    global _shared
    if _shared is None:
        _shared = Env()
    return _shared


def run_tshark(args, capture, timeout=TIMEOUT_SECONDS):
    """tshark over a capture in the sealed environment: stdout and stderr as bytes, and rc."""
    return shared().tshark(args, capture, timeout)


def main():
    args = sys.argv[1:]
    env = shared()
    if "-r" in args and args.index("-r") + 1 < len(args):
        args[args.index("-r") + 1] = str(env.open_copy(args[args.index("-r") + 1]))
    done = env.run(["tshark", "-n"] + args)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(done.stderr)
    return 1 if done.rc is None or done.rc < 0 else done.rc


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        sys.exit(f"wsxenv: {error}")
