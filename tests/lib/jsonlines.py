"""The JSON Lines of `-z websocket,messages` for the tests: getting them and reading them.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import json
import struct

TAP = "websocket,messages"
KINDS = {"open", "text", "binary", "frame", "ping", "pong", "close", "note", "end"}


class Item(dict):
    """One object; line is what was written, since a number read and written again loses digits."""

    line = ""


class BadOutput(Exception):
    """tshark failed, or what it wrote is not JSON Lines."""


def parse(data):
    """Bytes to a list of objects; every line must be one object of a known kind."""
    items = []
    for number, line in enumerate(data.decode("utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            item = json.loads(line, object_hook=Item)
        except ValueError as error:
            raise BadOutput(f"line {number} is not JSON ({error}): {line[:120]}") from None
        if not isinstance(item, dict) or item.get("kind") not in KINDS:
            raise BadOutput(f"line {number} is of no known kind: {line[:120]}")
        if not isinstance(item.get("stream"), int):
            raise BadOutput(f"line {number} names no stream: {line[:120]}")
        item.line = line
        items.append(item)
    return items


def run(env, capture, options=(), timeout=300):
    """The JSON Lines of a capture from one run of tshark without a tree."""
    done = env.tshark(["-q", *options, "-z", TAP], capture, timeout)
    if done.rc != 0:
        raise BadOutput(f"tshark ended with {done.rc}: {done.stderr.decode(errors='replace').strip()[:300]}")
    return parse(done.stdout)


def body(item):
    """The bytes of a message or a control frame; of a Close, its whole body."""
    if "text" in item:
        return item["text"].encode("utf-8", "surrogatepass")
    if "base64" in item:
        return base64.b64decode(item["base64"], validate=True)
    if item["kind"] == "close" and item.get("code") is not None:
        return struct.pack(">H", item["code"]) + item.get("reason", "").encode("utf-8")
    return b""
