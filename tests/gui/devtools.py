#!/usr/bin/env python3
"""Import HAR file of a real browser: does Chromium's network panel show what the JSON Lines have?

    devtools.py CAPTURE [PICTURE]   in a window that nobody sees; PICTURE: a PNG of it

The archive of `-z websocket,har` goes through the import of the developer tools themselves. What they then
hold of each connection and message (URL, status, direction, opcode, data) is held against the JSON Lines.
Status 1, and a line each, where they differ.

Needs Debian's packages chromium xvfb, for a picture also imagemagick, and the build.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import jsonlines  # noqa: E402
import wsxenv  # noqa: E402

OPTIONS = ["-o", "websocket.over_http2:TRUE"]
WAIT_SECONDS = 120
DRAWN_SECONDS = 4   # a panel says nowhere that it is drawn
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--window-size=1600,1000", "--window-position=0,0",
         "--auto-open-devtools-for-tabs", "--remote-debugging-pipe")

IMPORT = """(async () => {
    const ui = await import('./ui/legacy/legacy.js');
    await ui.ViewManager.ViewManager.instance().showView('network');
    const network = await import('./panels/network/network.js');
    const panel = network.NetworkPanel.NetworkPanel.instance();
    await panel.networkLogView.onLoadFromFile(new File([%s], 'wsx.har', {type: 'application/json'}));
    const logs = await import('./models/logs/logs.js');
    const requests = logs.NetworkLog.NetworkLog.instance().requests();
    if (requests.length)
        panel.selectAndActivateRequest(requests[0], 'web-socket-frames');
    return requests.map(r => ({url: r.url(), status: r.statusCode, type: r.resourceType().name(),
        messages: r.frames().map(f => [f.type, f.opCode, String(f.text)])}));
})()"""


class Browser:
    """Chromium, spoken to through its pipe: one JSON object a message, each ended by a zero."""

    def __init__(self, stack, display):
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        theirs_in, self.out = os.pipe()
        self.incoming, theirs_out = os.pipe()

        def as_three_and_four():
            high = [os.dup(theirs_in), os.dup(theirs_out)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=as_three_and_four,
            close_fds=False, env={**os.environ, "DISPLAY": display}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        stack.callback(self.stop)
        os.close(theirs_in)
        os.close(theirs_out)
        self.asked, self.rest = 0, b""

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, session=None, **params):
        self.asked += 1
        request = {"id": self.asked, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        text = memoryview(json.dumps(request).encode() + b"\0")
        while text:
            text = text[os.write(self.out, text):]
        while True:
            while b"\0" not in self.rest:
                got = os.read(self.incoming, 1 << 16)
                if not got:
                    sys.exit("devtools: chromium ended")
                self.rest += got
            line, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self.asked:
                if "error" in answer:
                    sys.exit(f"devtools: {method}: {answer['error']}")
                return answer["result"]

    def tools(self):
        """A session with the developer tools of the first tab."""
        ends = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < ends:
            for target in self.ask("Target.getTargets", filter=[{}])["targetInfos"]:
                if target["url"].startswith("devtools://"):
                    return self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
            time.sleep(0.5)
        sys.exit(f"devtools: no developer tools within {WAIT_SECONDS} s")

    def run(self, session, script):
        """Its value; again while it fails, since the tools are still being set up at first."""
        ends = time.monotonic() + WAIT_SECONDS
        while True:
            done = self.ask("Runtime.evaluate", session, expression=script, awaitPromise=True, returnByValue=True)
            if "exceptionDetails" not in done:
                return done["result"]["value"]
            if time.monotonic() > ends:
                sys.exit(f"devtools: {json.dumps(done['exceptionDetails'])[:600]}")
            time.sleep(0.5)


def due(items):
    """What the network panel must hold, from the JSON Lines: an entry a connection with its messages."""
    entries = {}
    for item in items:
        entry = entries.setdefault(item["stream"], {"messages": []})
        if item["kind"] == "open":
            entry["url"] = item.get("uri")
        elif item["kind"] in ("text", "binary") and not item.get("incomplete"):
            text = item["kind"] == "text"
            data = item["text"] if text else base64.b64encode(jsonlines.body(item)).decode()
            entry["messages"].append(["send" if item["dir"] == "c2s" else "receive", 1 if text else 2, data])
    return list(entries.values())


def differences(shown, expected):
    if len(shown) != len(expected):
        yield f"{len(shown)} connections are shown, {len(expected)} are due"
    for number, (one, other) in enumerate(zip(shown, expected)):
        if one["url"] != other["url"] or one["type"] != "websocket":
            yield f"connection {number}: {one['url']}, {one['type']}; due is {other['url']}"
        if len(one["messages"]) != len(other["messages"]):
            yield f"connection {number}: {len(one['messages'])} messages, {len(other['messages'])} are due"
        for index, (got, wanted) in enumerate(zip(one["messages"], other["messages"])):
            if got != wanted:
                yield f"connection {number}, message {index}: {str(got)[:80]}; due is {str(wanted)[:80]}"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    missing = [tool for tool in ("chromium", "Xvfb") if not shutil.which(tool)]
    if missing:
        sys.exit(f"devtools: not installed: {', '.join(missing)}")
    env, capture = wsxenv.shared(), pathlib.Path(sys.argv[1])
    archive = env.new_path(".har")
    done = env.tshark([*OPTIONS, "-q", "-z", f"websocket,har,{archive}"], capture)
    if done.rc:
        sys.exit(f"devtools: {done.stderr.decode('utf-8', 'replace')}")
    with contextlib.ExitStack() as stack:
        display = f":{random.randrange(70, 99)}"
        server = subprocess.Popen(["Xvfb", display, "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(server.wait)
        stack.callback(server.kill)
        browser = Browser(stack, display)
        tools = browser.tools()
        print(browser.ask("Browser.getVersion")["product"])
        shown = browser.run(tools, IMPORT % json.dumps(archive.read_text(encoding="utf-8")))
        if len(sys.argv) == 3:
            time.sleep(DRAWN_SECONDS)
            subprocess.run(["import", "-display", display, "-window", "root", sys.argv[2]], check=True)
    problems = list(differences(shown, due(jsonlines.run(env, capture, OPTIONS))))
    if not shown:
        problems.append("no connection is shown")
    print("\n".join(problems) or f"{len(shown)} connections with {sum(len(e['messages']) for e in shown)} messages: "
          "the network panel has them as they are in the capture")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
