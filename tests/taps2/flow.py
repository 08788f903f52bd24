"""The flow graph, as sharkd and tshark give it, against the JSON Lines and the Info column.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import re

import captures
import click
import jsonlines
import run_cases

NAMES = ("many", "lost", "proto_graphql", "pmd_takeover", "ws_plain_close")
COMMENT = re.compile(r"Stream (\d+): (.*)$", re.DOTALL)
ARROWS = {"text", "binary", "frame", "ping", "pong", "close"}


def columns(env, path):
    """{packet number: Info}"""
    text = run_cases.checked(
        env.tshark(["-2", "-o", 'gui.column.format:"No.","%m","Info","%i"'], path), "listing")
    return {int(line.split(None, 1)[0]): line.split(None, 1)[1]
            for line in text.split("\n") if len(line.split(None, 1)) == 2}


def expected_arrows(items):
    """(packet, stream) of each arrow, in order; what only the file's end breaks has none."""
    ends = {i["stream"]: i["packet"] for i in items if i["kind"] == "end" and i["cause"] == "eof"}
    return [(i["packet"], i["stream"]) for i in items if i["kind"] in ARROWS and not
            (i.get("incomplete") and ends.get(i["stream"]) == i["packet"])]


def sharkd_flow(env, path):
    sharkd = click.Sharkd(env, path)
    try:
        return sharkd.ask("tap", tap0="seqa:websocket")["taps"][0]
    finally:
        sharkd.close()


def graph_test(env, path):
    """As a web front end or the GUI gets it: ends, ports and words of each arrow."""
    items = jsonlines.run(env, path)
    opens = {i["stream"]: i for i in items if i["kind"] == "open"}
    ports = {s: [int(o[side].rsplit(":", 1)[1]) for side in ("client", "server")]
             for s, o in opens.items()}
    flow, info, problems = sharkd_flow(env, path), columns(env, path), []
    directions = collections.Counter()
    for arrow in flow["flows"]:
        found = COMMENT.match(arrow["c"])
        if not found or int(found[1]) not in opens:
            problems.append(f"comment {arrow['c']}")
            continue
        stream, label = int(found[1]), found[2]
        c2s = arrow["pn"] == ports[stream]
        directions[stream, "c2s" if c2s else "s2c"] += 1
        if arrow["pn"] != (ports[stream] if c2s else ports[stream][::-1]):
            problems.append(f"ports {arrow['pn']} of {label}")
        source, target = (flow["nodes"][n] for n in arrow["n"])
        client, server = (source, target) if c2s else (target, source)
        if opens[stream]["client"].rsplit(":", 1)[0] != client or \
                not opens[stream]["server"].startswith(server) or source == target:
            problems.append(f"from {source} to {target}: {label}")
        if not any(label in text for text in info.values()):
            problems.append(f"in no Info column: {label}")
    expected = collections.Counter(
        (s, i["dir"]) for i in items if i["kind"] in ARROWS
        for s in [i["stream"]] if (i["packet"], s) in set(expected_arrows(items)))
    if directions != expected or not expected:
        problems.append(f"arrows {dict(directions)}, lines {dict(expected)}")
    return problems


def text_test(env, path):
    """tshark draws as many arrows as there are lines."""
    count = len(expected_arrows(jsonlines.run(env, path)))
    text = run_cases.checked(env.tshark(["-q", "-z", "flow,websocket,standard"], path), "flow")
    arrows = re.findall(r"\(\d+\)\s+(?:<-+|-+>)\s+\(\d+\)", text)
    return [] if len(arrows) == count and count else [f"{len(arrows)} arrows, {count} lines"]


def tests(env):
    made = captures.Captures(env)
    for name in NAMES:
        yield f"flow:{name}", lambda name=name: graph_test(env, made.path(name))
    for name in ("many", "pmd_takeover", "h2_two_streams_pmd"):
        yield (f"flow:text:{name}", lambda name=name:
               text_test(made.env_for(name), made.path(name)))
