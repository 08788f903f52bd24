#!/usr/bin/env python3
"""Take pictures of Wireshark with wsx loaded, on a screen that nobody sees.

    pictures.py FOLDER [NAME...]   all of them, or those named, as FOLDER/NAME.png
    pictures.py --docs             the two that the README shows, into docs/

about        Help > About Wireshark > Plugins: wsx.so is listed
wireshark    the main window with a compressed message of a browser unfolded
menu         Statistics, where the two next ones are
overview     Statistics > WebSocket Overview: what `-z websocket,tree` prints
connections  Statistics > WebSocket Connections: what `-z websocket,connections` prints
conversations  Statistics > Conversations, tab WebSocket
flow         Statistics > Flow Graph, flow type WebSocket
objects      File > Export Objects > WebSocket
follow       Analyze > Follow > WebSocket Stream, where Wireshark has it (4.4 and later)

Needs Debian's packages wireshark xvfb openbox xdotool imagemagick fonts-dejavu-core, and the build.
A window that does not come ends the program with a message; whether a picture is good, a person sees:
look at each for text that is cut off, and hold it against what tshark prints.

Menus are walked with the keyboard, from their ends: they are those of Wireshark 4.0 in Debian 12.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import wsxenv  # noqa: E402

SAMPLES = wsxenv.ROOT / "sample-captures"
TOOLS = ("wireshark", "Xvfb", "openbox", "xdotool", "import")
SCREEN = (1920, 1600)
WAIT_SECONDS = 60      # for a window; loading all of Wireshark takes some
STILL_SECONDS = 1      # a screen that has not changed for so long shows all there is
COLOURS = "64"

# What is not about wsx is switched off.
PREFERENCES = """\
gui.qt.font_name: DejaVu Sans Mono,9,-1,5,50,0,0,0,0,0
gui.layout_type: 1
gui.update.enabled: FALSE
gui.ask_unsaved: FALSE
gui.column.format: "No.", "%m", "Time", "%t", "Protocol", "%p", "Length", "%L", "Info", "%i"
gui.packet_list_show_minimap: FALSE
gui.geometry.save.position: TRUE
"""
RECENT = """\
gui.toolbar_main_show: FALSE
gui.wireless_toolbar_show: FALSE
gui.geometry_main_x: 0
gui.geometry_main_y: 0
gui.geometry_main_width: 1100
gui.geometry_main_height: 1140
gui.geometry_main_maximized: FALSE
gui.geometry_main_upper_pane: 193
gui.geometry_main_lower_pane: 700
gui.conversation_tabs: WebSocket
column.width: %m, 60, %t, 110, %p, 130, %L, 70, %i, 690
"""
class NoPicture(Exception):
    """A window did not come."""


class Screen:
    """An X server, a window manager, and Wireshark on it."""

    def __init__(self, env, stack):
        self.env, self.stack = env, stack
        self.display = f":{random.randrange(70, 99)}"
        self.environ = {**env.environ, "DISPLAY": self.display, "QT_X11_NO_MITSHM": "1",
                        "XDG_RUNTIME_DIR": str(env.scratch)}
        config = env.folder / "home" / ".config" / "wireshark"
        config.mkdir(parents=True)
        (config / "preferences").write_text(PREFERENCES)
        (config / "recent").write_text(RECENT)
        env.scratch.chmod(0o700)
        if env.root:
            for path in (config.parent, config, *config.iterdir()):
                os.chown(path, wsxenv.NOBODY, wsxenv.NOBODY)
        self.start(["Xvfb", self.display, "-screen", "0", "x".join(map(str, (*SCREEN, 24))),
                    "-nolisten", "tcp"])
        self.until(lambda: self.ask("xdotool", "getdisplaygeometry"), "an X server")
        self.start(["openbox"])

    def start(self, command):
        process = subprocess.Popen(command, env={**os.environ, **self.environ},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(self.stop, process)
        return process

    @staticmethod
    def stop(process):
        process.kill()
        process.wait()

    def wireshark(self, capture, *args):
        """Wireshark with a capture; its main window's id."""
        copy = self.env.folder / "captures" / capture.name
        shutil.copyfile(capture, copy)
        copy.chmod(0o644)
        # no limit to its addresses: Qt and the X server share memory
        become = self.env.prefix[self.env.prefix.index("setpriv"):] if self.env.root else []
        self.start([*become, "env", "-i", *(f"{k}={v}" for k, v in self.environ.items()),
                    "wireshark", "-r", str(copy), *args])
        window = self.window(rf"^{capture.name}$")
        self.settle()
        return window

    def ask(self, *command):
        done = subprocess.run(command, env={**os.environ, **self.environ}, capture_output=True,
                              text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def until(self, function, what):
        ends = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < ends:
            found = function()
            if found:
                return found
            time.sleep(0.2)
        raise NoPicture(f"{what} did not come within {WAIT_SECONDS} s")

    def window(self, name):
        return self.until(lambda: self.ask("xdotool", "search", "--onlyvisible", "--name", name),
                          f"a window named {name}").split()[0]

    def settle(self):
        """Until nothing changes on the screen any more."""
        ends, before = time.monotonic() + WAIT_SECONDS, None
        while time.monotonic() < ends:
            now = self.shot("root")
            if now == before:
                return
            before = now
            time.sleep(STILL_SECONDS)

    def shot(self, window):
        return subprocess.run(["import", "-window", window, "rgb:-"], capture_output=True,
                              env={**os.environ, **self.environ}).stdout

    def do(self, *words):
        self.ask("xdotool", *map(str, words))

    def keys(self, window, *keys):
        self.do("windowactivate", "--sync", window)
        for key in keys:
            self.do("key", key)
            time.sleep(0.2)
        self.settle()

    def size(self, window, width, height):
        self.do("windowmove", window, 0, 30)
        self.do("windowsize", "--sync", window, width, height)
        self.settle()

    def save(self, window, path):
        self.do("mousemove", SCREEN[0] - 1, SCREEN[1] - 1)
        self.settle()
        subprocess.run(["import", "-window", window, "+dither", "-colors", COLOURS, f"PNG8:{path}"],
                       env={**os.environ, **self.environ}, check=True)


def ups(count):
    return ["Up"] * count


def about(screen, path):
    main = screen.wireshark(SAMPLES / "ws_pmd.pcapng")
    screen.keys(main, "alt+h", "Up", "Return")
    window = screen.window("About Wireshark")
    screen.size(window, 1000, 500)
    screen.keys(window, *["ctrl+Tab"] * 3)
    screen.save(window, path)


def wireshark(screen, path):
    main = screen.wireshark(SAMPLES / "chromium_wss.pcapng", "-Y", "websocket.stream == 3")
    # packet 202, the fifth; then from the list to the tree: the last tree but one is WebSocket's, its last line the message
    screen.do("mousemove", 400, 120, "click", 1)
    screen.keys(main, "Home", *["Down"] * 4, "Tab", "End", "Up", "shift+Right", "End", "Up")
    screen.save(main, path)


def menu(screen, path):
    main = screen.wireshark(SAMPLES / "chromium_wss.pcapng")
    screen.keys(main, "alt+s", "Up")
    screen.save("root", path)


def overview(screen, path):
    main = screen.wireshark(SAMPLES / "chromium_wss.pcapng")
    screen.keys(main, "alt+s", "Up", "Return")
    window = screen.window("WebSocket Overview")
    screen.size(window, 1100, 1540)
    screen.save(window, path)


def connections(screen, path):
    screen.wireshark(SAMPLES / "chromium_wss.pcapng", "-z", "websocket,connections")
    window = screen.window("WebSocket Connections")
    screen.size(window, SCREEN[0], 350)
    screen.save(window, path)


def conversations(screen, path):
    main = screen.wireshark(SAMPLES / "chromium_wss.pcapng")
    screen.keys(main, "alt+s", *ups(26), "Return")
    window = screen.window("Conversations")
    screen.size(window, 1750, 500)
    screen.save(window, path)


def flow(screen, path):
    # without the first message, which is longer than its arrow
    main = screen.wireshark(SAMPLES / "proto_engineio.pcapng", "-Y", "websocket && frame.number > 8")
    screen.keys(main, "alt+s", *ups(12), "Return")
    window = screen.window("Flow")
    screen.size(window, 1000, 660)
    # the list of flow types is next to the box "Limit to display filter"
    screen.keys(window, "Tab", "Tab")
    screen.do("type", "Web")
    screen.do("mousemove", "--window", window, 18, 660 - 55, "click", 1)
    screen.settle()
    screen.save(window, path)


def objects(screen, path):
    main = screen.wireshark(SAMPLES / "chromium_wss.pcapng")
    screen.keys(main, "alt+f", *ups(3), "Right", "Up", "Return")
    window = screen.window("WebSocket object list")
    screen.size(window, 800, 600)
    screen.save(window, path)


def follow(screen, path):
    main = screen.wireshark(SAMPLES / "proto_jsonrpc.pcapng", "-g", "8")
    screen.keys(main, "alt+a", "Up", "Up", "Right", "Up", "Return")
    window = screen.window("Follow WebSocket Stream")
    screen.size(window, 900, 700)
    screen.save(window, path)


PICTURES = {f.__name__: f for f in (about, wireshark, menu, overview, connections, conversations,
                                    flow, objects, follow)}
DOCS = ("wireshark", "flow")


def take(env, name, path):
    with contextlib.ExitStack() as stack:
        shutil.rmtree(env.folder / "home" / ".config", ignore_errors=True)
        PICTURES[name](Screen(env, stack), path)
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


def main():
    args = sys.argv[1:]
    docs = args[:1] == ["--docs"]
    if not args or (docs and len(args) > 1) or set(args[1:]) - set(PICTURES):
        sys.exit(__doc__)
    folder = wsxenv.ROOT / "docs" if docs else pathlib.Path(args[0])
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        sys.exit(f"pictures: not installed: {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    env, failed = wsxenv.shared(), 0
    for name in DOCS if docs else args[1:] or PICTURES:
        if name == "follow" and [int(n) for n in env.version.split(".")] < [4, 4]:
            print(f"follow: Wireshark {env.version} has no such menu for other protocols than its own")
            continue
        try:
            take(env, name, folder / f"{name}.png")
        except NoPicture as error:
            failed += 1
            print(f"{name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
