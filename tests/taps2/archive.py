"""`-z websocket,har` against the JSON Lines of the same capture, and against the HAR schema of npm.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys

import captures
import exports
import jsonlines
import run_cases

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ("har-schema@2.0.0", "ajv@6.12.6")
NPM_SECONDS = 120
NAMES = ("many", "lost", "cut_off", "secrets", "proto_graphql", "ws_plain_close", "chromium_wss",
         "pmd_takeover", "proto_mqtt", "h2_two_streams_pmd")


def archive(env, path, options=()):
    """The archive as an object; numbers as they are written."""
    target = env.new_path(".har")
    run_cases.checked(env.tshark(["-q", *options, "-z", f"websocket,har,{target}"], path), "har")
    return json.loads(target.read_text(encoding="utf-8"), parse_float=str), target


def body(message):
    if message["opcode"] == 2 or message.get("_encoding"):
        return base64.b64decode(message["data"], validate=True)
    return message["data"].encode("utf-8")


def digits(item):
    """The time of a line, with the digits that are written."""
    return json.loads(item.line, parse_float=str)["time"]


def as_message(item):
    return ("send" if item["dir"] == "c2s" else "receive", digits(item),
            1 if item["kind"] == "text" else 2, jsonlines.body(item),
            bool(item.get("incomplete")), bool(item.get("raw")))


def compare_entry(entry, items):
    """One connection; items: its lines."""
    problems, own = [], entry["_wsx"]
    opened = items[0]
    expected = [as_message(i) for i in items if i["kind"] in ("text", "binary")]
    got = [(m["type"], m["time"], m["opcode"], body(m), m.get("_incomplete", False),
            m.get("_compressed", False)) for m in entry["_webSocketMessages"]]
    if got != expected:
        first = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), -1)
        problems.append(f"{len(got)} messages, {len(expected)} lines; first difference at {first}: "
                        f"{got[first] if got else None} and {expected[first] if expected else None}")
    if opened.get("uri") and entry["request"]["url"] != opened["uri"]:
        problems.append(f"url {entry['request']['url']}, line {opened['uri']}")
    if entry["response"]["status"] != opened.get("status", 0):
        problems.append(f"status {entry['response']['status']}")
    closes = [("send" if i["dir"] == "c2s" else "receive", i.get("code"))
              for i in items if i["kind"] == "close"]
    if [(c["type"], c.get("code")) for c in own["closes"]] != closes:
        problems.append(f"closes {own['closes']}, lines {closes}")
    for key, kind in (("pings", "ping"), ("pongs", "pong"), ("other_frames", "frame")):
        count = sum(i["kind"] == kind for i in items)
        if own[key] != count:
            problems.append(f"{own[key]} {key}, {count} lines")
    rules = collections.Counter(rule for i in items for rule in i.get("rules", ()))
    if own["rules"] != dict(rules):
        problems.append(f"rules {own['rules']}, lines {dict(rules)}")
    if own["end"] != items[-1]["cause"]:
        problems.append(f"end {own['end']}, line {items[-1]['cause']}")
    timings = entry["timings"]
    total = sum(float(timings[k]) for k in ("send", "wait", "receive"))
    if abs(total - float(entry["time"])) > 1e-6:
        problems.append(f"time {entry['time']} is not the sum of {timings}")
    return [f"stream {own['stream']}: {text}" for text in problems]


def har_test(env, path, options=()):
    har, _ = archive(env, path, options)
    streams = collections.defaultdict(list)
    for item in jsonlines.run(env, path):
        streams[item["stream"]].append(item)
    entries = har["log"]["entries"]
    if [e["_wsx"]["stream"] for e in entries] != sorted(streams) or not streams:
        return [f"{len(entries)} entries, {len(streams)} connections"]
    return [text for e in entries for text in compare_entry(e, streams[e["_wsx"]["stream"]])]


def headers_test(env, path):
    """What was sent is told; values that are never kept are marked."""
    entry = archive(env, path)[0]["log"]["entries"][0]
    sent = {h["name"]: h["value"] for h in entry["request"]["headers"]}
    expected = {"Host": "server.example.com", "User-Agent": "tester/1", "Cookie": "(hidden)",
                "Authorization": "(hidden)",
                "Sec-WebSocket-Protocol": "chat, " + captures.JWT.decode()}
    problems = [f"{name}: {sent.get(name)}, not {value}" for name, value in expected.items()
                if sent.get(name) != value]
    query = [(q["name"], q["value"]) for q in entry["request"]["queryString"]]
    if query != [("room", "1"), ("token", captures.SECRET.decode()), ("x", captures.JWT.decode())]:
        problems.append(f"query {query}")
    if entry["response"]["statusText"] != "Switching Protocols":
        problems.append(f"response {entry['response']}")
    wanted = {"_resourceType": "websocket", "serverIPAddress": "10.0.0.2", "connection": "80",
              "_connectionId": "0"}
    problems += [f"{key}: {entry.get(key)}, not {value}" for key, value in wanted.items()
                 if entry.get(key) != value]
    return problems


def redact_test(env, path):
    har, target = archive(env, path, ["-o", "websocket.redact:TRUE"])
    text = target.read_text(encoding="utf-8")
    problems = [f"{s} is in the archive" for s in exports.SECRETS if s in text]
    url = har["log"]["entries"][0]["request"]["url"]
    if url != "ws://server.example.com/feed?room=1&token=(hidden)&x=(hidden)":
        problems.append(f"url {url}")
    if [m["data"] for m in har["log"]["entries"][0]["_webSocketMessages"]] != ["hello"]:
        problems.append("the message is not there")
    return problems


def bad_argument_test(env, path):
    problems = []
    for argument in ("websocket,har", "websocket,har,", "websocket,har,/no-such-folder/x.har"):
        done = env.tshark(["-q", "-z", argument], path)
        if done.rc != 1 or b"-z websocket,har" not in done.stderr:
            problems.append(f"{argument}: {done.rc}, {done.stderr[:200]}")
    return problems


def skip(name, why):
    print(f"SKIP {name}: {why}", file=sys.stderr, flush=True)
    return []


def schema_test(env, made, name):
    """Every archive fits the schema; one that does not is seen as such."""
    if not shutil.which("npm") or not shutil.which("node"):
        return skip(name, "no npm and node here")
    folder = env.new_path("-npm")
    folder.mkdir()
    try:
        installed = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES],
            capture_output=True, text=True, timeout=NPM_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return skip(name, f"npm took more than {NPM_SECONDS} s")
    if installed.returncode:
        return skip(name, "npm can't be had: " + installed.stderr.strip()[-200:])

    def validate(path):
        return subprocess.run(["node", str(HERE / "har_schema.js"), str(path)], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, NODE_PATH=str(folder / "node_modules")))

    problems = []
    for capture in NAMES:
        har, target = archive(made.env_for(capture), made.path(capture))
        done = validate(target)
        wanted = f"valid: {len(har['log']['entries'])} entries"
        if done.returncode or done.stdout.strip() != wanted:
            problems.append(f"{capture}: {done.stdout[:300]} {done.stderr[-300:]}")
    bad = env.new_path(".har")
    del har["log"]["entries"][0]["request"]["url"]
    bad.write_text(json.dumps(har))
    if validate(bad).returncode != 1:
        problems.append("an entry without url is found valid")
    return problems


def tests(env):
    made = captures.Captures(env)
    for name in NAMES:
        yield f"har:{name}", lambda name=name: har_test(made.env_for(name), made.path(name))
    yield "har:second-pass", lambda: har_test(env, made.path("many"), ["-2"])
    yield "har:headers", lambda: headers_test(env, made.path("secrets"))
    yield "har:redact", lambda: redact_test(env, made.path("secrets"))
    yield "har:bad-argument", lambda: bad_argument_test(env, made.path("secrets"))
    yield "har:schema", lambda: schema_test(env, made, "har:schema")
