"""What the pages point at is there: files, headings; every capture has its row, with a filter that finds
something; the picture is small.

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
    filters = re.findall(r"^\| `(\w+)` \|.*\| `[^`]+` \|$", text, re.M)
    problems += [f"{name}: no filter" for name in rows if name not in filters]
    return problems + [f"{name}: {rows.count(name)} rows" for name in set(rows) if rows.count(name) > 1]


def filter_test(env, name, text):
    """The filter of a row finds a packet, and leaves some out."""
    found = [env.tshark(args, ROOT / "sample-captures" / f"{name}.pcapng")
             for args in (["-2", "-o", "websocket.over_http2:TRUE", "-Y", text], [])]
    if any(done.rc for done in found):
        return [f"{text}: ended with {found[0].rc}: {found[0].stderr.decode()[:200]}"]
    count, total = (done.stdout.count(b"\n") for done in found)
    return [] if 0 < count < total else [f"{text}: {count} of {total} packets"]


def look_test(env, name, packet, text):
    """The packet that the gallery points at is one that its filter finds."""
    done = env.tshark(["-2", "-o", "websocket.over_http2:TRUE", "-Y",
                       f"frame.number == {packet} && ({text})"],
                      ROOT / "sample-captures" / f"{name}.pcapng")
    return [] if done.stdout.count(b"\n") == 1 else [f"packet {packet} is not found by {text}"]


def picture_test():
    size = (ROOT / "docs" / "wireshark.png").stat().st_size
    return [] if size <= PICTURE_BYTES_MAX else [f"docs/wireshark.png has {size} bytes"]


def versions_test():
    """docs/versions.md has the versions that tests/matrix/run knows, and tells of what later ones alone can."""
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    known = re.findall(r"^    (\d\.\d)\) releases", (ROOT / "tests/matrix/run").read_text(), re.M)
    told = re.findall(r"^\| (\d\.\d) \| Debian", page, re.M)
    return [] if known == told and known else [f"tests/matrix/run knows {known}, docs/versions.md {told}"]


class Words:
    """What the pages may name: fields, protocols, preferences, rules."""

    def __init__(self, env):
        run = lambda what: env.run(["tshark", "-G", what]).stdout.decode("utf-8", "replace")
        self.fields = {line.split("\t")[2] for line in run("fields").splitlines() if "\t" in line}
        self.preferences = set(re.findall(r"^#?([\w.]+):", run("currentprefs"), re.M))
        self.rules = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"',
                                    (ROOT / "plugin/core/rules.def").read_text(encoding="utf-8")))


def words_test(env, path):
    """Each field, preference and rule in a code span is there, and each filter can be compiled."""
    words, problems = Words(env), []
    spans = set(re.findall(r"`(!?websocket\.[^`\n]*)`", path.read_text(encoding="utf-8")))
    for span in sorted(spans):
        name = re.match(r"!?([\w.]*[\w])", span)[1]
        if re.fullmatch(r"[\w.]+[.*]+", span):
            continue   # a group of fields
        if re.fullmatch(r"[\w.]+(:[A-Z]+)?", span):
            if name not in words.fields | words.preferences:
                problems.append(f"no field or preference {name}")
            continue
        problems += [f"no rule {rule}" for rule in re.findall(r'websocket\.rule == "([^"]*)"', span)
                     if rule not in words.rules]
        done = env.tshark(["-c", "1", "-Y", span], ROOT / "tests/cases/hs_ok/hs_ok.pcap")
        if done.rc:
            problems.append(f"{span}: {done.stderr.decode()[:200]}")
    return problems


def tests(env, quick=False):
    yield "docs:links:versions", versions_test
    rows = re.findall(r"^\| `(\w+)` \|.*\| `([^`]+)` \|$",
                      (ROOT / "sample-captures" / "README.md").read_text(encoding="utf-8"), re.M)
    # Wireshark 4.0 gives no plugin what HTTP/3 carries.
    rows = [row for row in rows if not (row[0].startswith("h3_") and env.version == "4.0")]
    gallery = (ROOT / "sample-captures" / "README.md").read_text(encoding="utf-8")
    for name, packet, text in [] if quick else re.findall(
            r"^\| `(\w+)` \|.*\| packet (\d+): [^|]* \| `([^`]+)` \|$", gallery, re.M):
        yield (f"docs:look:{name}",
               lambda name=name, packet=packet, text=text: look_test(env, name, packet, text))
    for name, text in rows[::5] if quick else rows:
        yield f"docs:filter:{name}", lambda name=name, text=text: filter_test(env, name, text)
    questions = re.findall(r"^\|[^|]*\| `([^`]+)`[^|]*\| `(\w+)` \|$",
                           (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    for text, name in questions:
        yield f"docs:question:{text}", lambda name=name, text=text: filter_test(env, name, text)
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            yield f"docs:links:{path.relative_to(ROOT)}", lambda path=path: page_test(path)
            # The tables of these are made from the same lists.
            if path.name not in ("rules.md", "fields.md", "preferences.md", "CHANGELOG.md"):
                yield (f"docs:words:{path.relative_to(ROOT)}",
                       lambda path=path: words_test(env, path))
    yield "docs:links:captures", captures_test
    yield "docs:links:picture", picture_test
