"""What the pages point at is there: files, headings; every capture has its row; the picture is small.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "sample-captures/README.md", "docs/*.md")
PICTURE_BYTES_MAX = 300_000
# In a code span: a file or folder of the repository.
SPAN = re.compile(r"`((?:plugin|tests|docs|sample-captures)/[\w./-]+)`")


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def page_test(path):
    text = path.read_text(encoding="utf-8")
    problems = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file) if file else path
        if not there.exists():
            problems.append(f"no {target}")
        elif anchor and anchor not in anchors(there):
            problems.append(f"no heading for {target}")
    return problems + [f"no {name}" for name in SPAN.findall(text) if "NAME" not in name
                       and not (ROOT / name).exists() and not list(ROOT.glob(name + ".*"))]


def captures_test():
    """Each capture has a row in sample-captures/README.md, each row a capture and its truth file."""
    text = (ROOT / "sample-captures" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text.partition("## The captures")[2], re.M)
    files = [p.stem for p in (ROOT / "sample-captures").glob("*.pcap*")]
    problems = [f"{name}: no row" for name in files if name not in rows]
    problems += [f"{name}: no capture" for name in rows if name not in files]
    return problems + [f"{name}: {rows.count(name)} rows" for name in set(rows) if rows.count(name) > 1]


def picture_test():
    size = (ROOT / "docs" / "wireshark.png").stat().st_size
    return [] if size <= PICTURE_BYTES_MAX else [f"docs/wireshark.png has {size} bytes"]


def tests(_env, quick=False):
    del quick
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            yield f"docs:links:{path.relative_to(ROOT)}", lambda path=path: page_test(path)
    yield "docs:links:captures", captures_test
    yield "docs:links:picture", picture_test
