#!/usr/bin/env python3
"""A plugin that can't be used is refused with a message, and Wireshark goes on without it.

    install.py      one line a situation

For another Wireshark, twice under two names, twice under one name in two folders, damaged, and beside
a plugin that has one of its names. In each situation tshark must read a capture to its end, say what
it does not use, and dissect WebSocket: with wsx where one copy was taken, else by itself.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import re
import shutil
import struct
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import wsxenv  # noqa: E402

CAPTURE = TESTS / "cases" / "hs_ok" / "hs_ok.pcap"
ARGS = ["-T", "fields", "-e", "websocket.opcode", "-e", "frame.protocols"]
# Who is at work: wsx lets TCP call it, and http is no longer among the protocols of later packets.
OURS, BUILT_IN = "eth:ethertype:ip:tcp:websocket", "eth:ethertype:ip:tcp:http:websocket"


class Folder:
    """Plugin folders of their own, in the sealed environment."""

    def __init__(self, env):
        self.env = env
        self.top = env.new_path(".plugins")
        self.home = env.new_path(".home")
        self.used = self.top / env.version / "epan"
        self.personal = self.home / ".local/lib/wireshark/plugins" / env.version / "epan"
        for folder in (self.used, self.personal):
            folder.mkdir(parents=True)

    def put(self, name, data, personal=False):
        (self.personal if personal else self.used).joinpath(name).write_bytes(data)

    def run(self):
        """(stdout, stderr, status) of tshark over the capture."""
        for path in [*self.top.rglob("*"), *self.home.rglob("*"), self.top, self.home]:
            path.chmod(0o755)
        done = self.env.run(["env", f"WIRESHARK_PLUGIN_DIR={self.top}", f"HOME={self.home}", "tshark",
                             "-n", "-r", str(self.env.open_copy(CAPTURE)), *ARGS])
        shutil.rmtree(self.top)
        shutil.rmtree(self.home)
        return done.stdout.decode(), done.stderr.decode(), done.rc


def judge(folder, message, who):
    """Texts of what is wrong with a run: message is what must be said, who must have dissected."""
    out, err, status = folder.run()
    problems = []
    if status != 0:
        problems.append(f"ended with {status}: {err[-300:]}")
    if not re.search(message, err) if message else err:
        problems.append(f"said {err[-300:]!r}, due is {message!r}")
    shown = [line.split("\t")[1] for line in out.splitlines() if line.split("\t")[0]]
    if not shown or not all(layers.startswith(who) for layers in shown):
        problems.append(f"dissected as {sorted(set(shown))}, due is {who}")
    return problems


def with_number(plugin, name, value):
    """The plugin's file with another value of one of its exported numbers."""
    listed = subprocess.run(["readelf", "--dyn-syms", "-W", str(plugin)], capture_output=True,
                            text=True, check=True).stdout
    address = int(re.search(rf"^\s*\d+: ([0-9a-f]+) .* {name}$", listed, re.M)[1], 16)
    sections = subprocess.run(["readelf", "-S", "-W", str(plugin)], capture_output=True, text=True,
                              check=True).stdout
    start, offset = (int(text, 16) for text in
                     re.search(r"\.rodata\s+PROGBITS\s+([0-9a-f]+) ([0-9a-f]+)", sections).groups())
    data = bytearray(plugin.read_bytes())
    struct.pack_into("<i", data, address - start + offset, value)
    return bytes(data)


def alone(env):
    folder = Folder(env)
    folder.put("wsx.so", env.plugin.read_bytes())
    return judge(folder, "", OURS)


def absent(env):
    return judge(Folder(env), "", BUILT_IN)


def other_version(env, number, value):
    folder = Folder(env)
    folder.put("wsx.so", with_number(env.plugin, number, value))
    return judge(folder, r"wsx\.so.* version", BUILT_IN)


def two_names(env):
    folder = Folder(env)
    folder.put("wsx.so", env.plugin.read_bytes())
    folder.put("wsx-old.so", env.plugin.read_bytes())
    return judge(folder, "One copy of wsx is not used", OURS)


def two_folders(env):
    folder = Folder(env)
    folder.put("wsx.so", env.plugin.read_bytes())
    folder.put("wsx.so", env.plugin.read_bytes(), personal=True)
    return judge(folder, r"wsx\.so.* multiple directories", OURS)


def two_names_two_folders(env):
    folder = Folder(env)
    folder.put("wsx.so", env.plugin.read_bytes())
    folder.put("websocket-extended.so", env.plugin.read_bytes(), personal=True)
    return judge(folder, "One copy of wsx is not used", OURS)


def damaged(env, data):
    folder = Folder(env)
    folder.put("wsx.so", data)
    return judge(folder, r"wsx\.so", BUILT_IN)


def names_are_listed(env):
    """All that the plugin registers is in the list that plugin.c looks through before."""
    source = (TESTS.parent / "plugin" / "epan" / "plugin.c").read_text()
    body = source[source.index("static bool can_register"):source.index("static void register_all")]
    listed = set(re.findall(r'"([a-z.]+)"', body)) - {"websocket"}

    def filter_names(environ):
        done = env.run(["env", *environ, "tshark", "-G", "protocols"])
        return {line.split("\t")[2] for line in done.stdout.decode().splitlines()}

    added = filter_names([]) - filter_names(["WIRESHARK_PLUGIN_DIR=/nonexistent"])
    if not added:
        return ["the plugin adds no protocol"]
    return [f"listed: {sorted(listed)}, registered: {sorted(added)}"] if listed != added else []


def tests(env, quick=False):
    """(name, callable that gives the texts of what is wrong)."""
    made = [("alone", alone), ("absent", absent), ("two_names", two_names),
            ("two_folders", two_folders), ("two_names_two_folders", two_names_two_folders),
            ("other_minor", lambda env: other_version(env, "plugin_want_minor", 99)),
            ("other_major", lambda env: other_version(env, "plugin_want_major", 9)),
            ("empty", lambda env: damaged(env, b"")),
            ("no_library", lambda env: damaged(env, b"no library\n" * 1000)),
            ("names_are_listed", names_are_listed)]
    return [(f"install:{name}", lambda function=function: function(env)) for name, function in made]


def main():
    env = wsxenv.shared()
    failed = 0
    for name, function in tests(env):
        problems = function()
        failed += bool(problems)
        print("FAILED" if problems else "ok", name)
        for problem in problems:
            print("    " + problem)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
