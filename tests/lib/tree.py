"""What wsx drew, taken out of `tshark -V` text: the parts that are the same on every Wireshark version.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import re

FRAME_LINE = re.compile(r"^Frame (\d+):")
OURS = re.compile(r"^( *)\[?WebSocket\b")


def websocket_parts(text):
    """Per packet "Frame N" and every subtree whose head begins with WebSocket, wherever it hangs;
    packets without one are left out."""
    out, number, pending, depth = [], None, None, None
    for line in text.splitlines():
        found = FRAME_LINE.match(line)
        if found:
            number, pending, depth = found[1], f"Frame {found[1]}", None
            continue
        indent = len(line) - len(line.lstrip(" "))
        if depth is not None and line.strip() and indent > depth:
            out.append(line)
            continue
        depth = None
        if number is not None and OURS.match(line):
            if pending:
                out.append(pending)
                pending = None
            out.append(line)
            depth = indent
    return "".join(line.rstrip() + "\n" for line in out)
