"""What wsx drew, taken out of `tshark -V` text: the parts that are the same on every Wireshark version.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import decimal
import re

FRAME_LINE = re.compile(r"^Frame (\d+):")
OURS = re.compile(r"^( *)\[?WebSocket\b")

# What versions write in different ways. Duration: 4.6 chooses a unit. Long bytes: 4.0 shows 36 of
# them. Floating point: 4.6 has more digits. A label that is too long: the mark, and so the room for
# the value, differs; the label is cut further, to what every version shows.
DURATION = re.compile(r"\b([\d.]+) (milliseconds|microseconds|nanoseconds)(?=\]?$)")
UNIT = {"milliseconds": "1e-3", "microseconds": "1e-6", "nanoseconds": "1e-9"}
LONG_BYTES = re.compile(r"\b([0-9a-f]{72})(?:[0-9a-f]+(?:…|$)|…)")
FLOAT = re.compile(r"\b\d+\.\d{10,}(?=\]?$)")
CUT_MARK = re.compile(r"^( *[^:]*) \[(?:truncated|…)\]: ")
CUT_BYTES = 200


def portable(line):
    """A line of a tree, written the same way for every version; 4.0's way, where there is a choice."""
    line = DURATION.sub(
        lambda found: f"{decimal.Decimal(found[1]) * decimal.Decimal(UNIT[found[2]]):.9f} seconds", line)
    line = FLOAT.sub(lambda found: f"{float(found[0]):.15g}", line)
    line = LONG_BYTES.sub(r"\1…", line)
    found = CUT_MARK.match(line)
    if found and line.endswith("…") and LONG_BYTES.search(line):
        line = f"{found[1]}: {line[found.end():]}"  # 4.0 marks bytes at their end only
    elif found:
        indent = len(line) - len(line.lstrip(" "))
        line = f"{found[1]} [truncated]: {line[found.end():]}"
        line = line.encode()[:indent + CUT_BYTES].decode(errors="ignore")
    return line


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
    return "".join(portable(line.rstrip()) + "\n" for line in out)
