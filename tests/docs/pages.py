#!/usr/bin/env python3
"""The reference pages of docs/, made from the code, so that they can't say anything else.

    pages.py            tell whether the pages are what the code says
    pages.py --write    write them again

    docs/rules.md        plugin/core/rules.def, with a case of tests/cases that shows the rule
    docs/fields.md       `tshark -G fields` with wsx, less those without
    docs/preferences.md  `tshark -G currentprefs` likewise
    docs/taps.md         `tshark -z help` likewise, with the texts of taps.py
    docs/elasticsearch.template.json   from the list of fields too, see elastic.py

A case named in rules.md stays as long as it shows the rule: a new case changes no page. In fields.md the version
that first had a field stays; a new field gets the version that CMakeLists.txt has.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(HERE))
import elastic  # noqa: E402
import run_cases  # noqa: E402
import taps  # noqa: E402
import wsxenv  # noqa: E402

DOCS = ROOT / "docs"
# The pages are written with this release of Wireshark; what is its own is only compared there.
WRITTEN_WITH = "4.0"
NOTE = "<!-- Made by tests/docs/pages.py --write; changes by hand are lost. -->\n"
ROW = re.compile(r'WSX_RULE\(\w+,\s*(\w+),\s*"([^"]+)",\s*(\w+),\s*"([^"]*)",\s*(\w+),\s*"([^"]*)"\)')
SCOPES = {
    "HANDSHAKE": ("Opening handshake", "websocket.check_handshake"),
    "FRAME": ("Frames", "websocket.check_frames"),
    "MESSAGE": ("Messages", "websocket.check_messages"),
    "CLOSE": ("Closing handshake", "websocket.check_close"),
    "CONTROL": ("Ping and Pong", "websocket.check_close"),
    "DEFLATE": ("permessage-deflate", "websocket.check_deflate"),
    "STREAM": ("The capture itself", None),
    "HTTP2": ("WebSocket over HTTP/2", "websocket.check_handshake"),
}
Field = collections.namedtuple("Field", "title name type protocol meaning base")
Preference = collections.namedtuple("Preference", "name default values meaning")


def cell(text):
    """Text for a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]) + "\n"


# --- rules --------------------------------------------------------------------------------------


def cases_by_rule():
    """{rule: names of the cases that say it must be found}."""
    found = collections.defaultdict(list)
    for name in run_cases.all_cases():
        spec = run_cases.Case(run_cases.CASES / name).spec
        for finding in spec.get("findings", []):
            if not finding.endswith("?") and spec.get("judge", True):
                found[finding.split("@")[0]].append(name)
    return found


def rule_page(old, fill):
    """old: the page as it is; fill: give rules without a case one."""
    cases = cases_by_rule()
    shown = dict(re.findall(r"^\| `([a-z0-9-]+)` .*\[([a-z0-9_]+)\]\([^)]*\) \|$", old, re.M))
    rows = collections.defaultdict(list)
    for field, rule, severity, reference, scope, text in ROW.findall(
            run_cases.RULES.read_text(encoding="utf-8")):
        case = shown.get(rule)
        if case not in cases[rule]:
            case = min(cases[rule], key=len) if fill and cases[rule] else None
        if field != rule.replace("-", "_"):
            raise ValueError(f"{rule}: its filter is {field}")
        rows[scope].append((f"`{rule}`", severity.lower(), text, reference,
                            f"[{case}](../tests/cases/{case})" if case else ""))
    parts = ["# Rules\n", NOTE, """What wsx checks. A finding is an expert item of the packet (Analyze > Expert Information),
a value of the field `websocket.rule`, and a member of `rules` in the JSON Lines:

    websocket.rule == "frame-mask-missing"
    websocket.expert.frame_mask_missing

The filter name of the expert item is `websocket.expert.` and the rule with `_` for `-`. The severity is
that of a breach that the capture proves; where bytes are missing from the capture it may be lower. The
last column links to a small capture that shows the rule, where there is one. Preferences switch groups of
rules; those with a reference to RFC 6455 section 10 are switched by `websocket.check_security` and by nothing
else.
"""]
    for scope, (title, preference) in SCOPES.items():
        parts.append(f"## {title}\n")
        if preference:
            parts.append(f"Preference `{preference}` switches them.\n")
        parts.append(table(("rule", "severity", "what is wrong", "reference", "case"),
                           rows.pop(scope, [])))
    if rows:
        raise ValueError(f"rules of unknown scopes: {', '.join(rows)}")
    return "\n".join(parts)


# --- fields -------------------------------------------------------------------------------------


def glossary(env, what, with_wsx=True):
    command = ["tshark", "-G", what]
    if not with_wsx:
        command = ["env", f"WIRESHARK_PLUGIN_DIR={env.folder}/none", *command]
    done = env.run(command)
    text = done.stdout.decode("utf-8", "replace")
    if done.rc != 0 or not text:
        raise ValueError(f"tshark -G {what} ended with {done.rc}")
    if not with_wsx and wsxenv.WITNESS_FIELD in text:
        raise ValueError("tshark loads wsx although it is told of no plugin")
    return text


def fields_of(text):
    """The fields, and the protocols' names, of a -G fields output."""
    fields, protocols = {}, {}
    for line in text.splitlines():
        part = line.split("\t")
        if part[0] == "P":
            protocols[part[2]] = part[1]
        elif part[0] == "F" and ".expert." not in part[2]:
            fields.setdefault(part[2], Field(part[1], part[2], part[3], part[4],
                                             part[7] if len(part) > 7 else "",
                                             part[5] if len(part) > 5 else ""))
    return fields, protocols


def version():
    return re.search(r"^set\(WSX_VERSION (\S+)\)$", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]


def since(old):
    """{field: version that first had it}, by the page as it is."""
    return dict(re.findall(r"^\| `([\w.-]+)` .* \| (\d+\.\d+\.\d+) \|$", old, re.M))


def explained(field):
    """A field of ours with its meaning: each tells one, but expert items, whose name is their text."""
    if field.meaning:
        return field
    if field.type != "FT_NONE":
        raise SystemExit(f"the field {field.name} does not say what it means")
    return field._replace(meaning="An expert item")


def field_page(env, old):
    ours, protocols = fields_of(glossary(env, "fields"))
    theirs, known = fields_of(glossary(env, "fields", with_wsx=False))
    groups = collections.defaultdict(list)
    for field in ours.values():
        if field.name not in theirs:
            groups[field.protocol].append(explained(field))
    parts = ["# Fields\n", NOTE, """For display filters, columns and `tshark -T fields -e NAME`. The fields of findings,
`websocket.expert.*`, are in [rules.md](rules.md). Fields of type FT_FRAMENUM are packet numbers and links.
The last column is the first version of wsx that has the field.
"""]
    first, now = since(old), version()
    head = ("field", "type", "name in the tree", "meaning")
    cells = lambda f: (f"`{f.name}`", f.type, f.title, f.meaning)
    rows = lambda fields: table(head + ("since",), [cells(f) + (first.get(f.name, now),)
                                                    for f in fields])
    parts += ["## Added to the protocol `websocket`\n", rows(groups.pop("websocket"))]
    parts += ["## Wireshark's own fields of `websocket`, with their meaning\n",
              table(head, [cells(f) for f in theirs.values() if f.name.startswith("websocket.")])]
    if groups:
        parts.append("# Protocols that wsx adds\n")
    for protocol in sorted(groups):
        parts += [f"## {protocols.get(protocol, protocol)} (`{protocol}`)\n", rows(groups[protocol])]
    return "\n".join(parts)


# --- preferences --------------------------------------------------------------------------------


def preferences_of(text):
    found = {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        setting = re.match(r"#?([a-z0-9_]+\.[a-z0-9_.]+): ?(.*)$", lines[-1])
        if setting:
            comment = [line.lstrip("# ") for line in lines[:-1]]
            meaning, values = comment[:1], [c for c in comment[1:] if not c.startswith("(case")]
            found[setting[1]] = Preference(setting[1], setting[2], " ".join(values),
                                           " ".join(meaning))
    return found


def preference_page(env):
    ours = preferences_of(glossary(env, "currentprefs"))
    theirs = preferences_of(glossary(env, "currentprefs", with_wsx=False))
    row = lambda p: (f"`{p.name}`", f"`{p.default}`" if p.default else "", p.meaning,
                     p.values.replace(" (case-insensitive)", "").rstrip(".")
                     .replace("true or false", "TRUE or FALSE"))
    head = ("preference", "default", "meaning", "values")
    kept = [p for name, p in theirs.items() if name.startswith("websocket.")]
    return "\n".join(["# Preferences\n", NOTE, """In Wireshark: Edit > Preferences > Protocols > WebSocket (and the names of other protocols
below). For one run: `tshark -o NAME:VALUE`. For good: a line `NAME: VALUE` in the file `preferences` of the
personal configuration (Help > About Wireshark > Folders).
""", "## Added by wsx\n", table(head, [row(p) for name, p in ours.items() if name not in theirs]),
                      "## Wireshark's own of the protocol `websocket`\n",
                      table(head, [row(p) for p in kept])])


# --- comparing ----------------------------------------------------------------------------------


def elastic_page(env):
    ours, _ = fields_of(glossary(env, "fields"))
    return elastic.template({f.name: (f.type, f.base) for f in ours.values()})


def pages(env, fill=False):
    def old(name):
        path = DOCS / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    yield "rules.md", lambda: rule_page(old("rules.md"), fill)
    yield "fields.md", lambda: field_page(env, old("fields.md"))
    yield "preferences.md", lambda: preference_page(env)
    yield "taps.md", lambda: taps.page(env, NOTE, table)
    # It holds Wireshark's own fields too, which differ between releases.
    if env.version == WRITTEN_WITH:
        yield elastic.NAME, lambda: elastic_page(env)


def own_part(page):
    """What does not depend on the release of Wireshark: without the tables of its own items."""
    return re.sub(r"\n## Wireshark's own .*?(?=\n#|\Z)", "", page, flags=re.S)


def drift(env, name, make):
    path = DOCS / name
    if not path.is_file():
        return [f"docs/{name} is not there: tests/docs/pages.py --write"]
    is_, due = path.read_text(encoding="utf-8"), make()
    if env.version != WRITTEN_WITH:
        is_, due = own_part(is_), own_part(due)
    if is_ == due:
        return []
    before, after = is_.splitlines(), due.splitlines()
    return ([f"docs/{name} is not what the code says: tests/docs/pages.py --write"]
            + [f"- {line}" for line in before if line not in after]
            + [f"+ {line}" for line in after if line not in before])


def tests(env, quick=False):
    del quick
    for name, make in pages(env):
        yield f"docs:{name}", lambda name=name, make=make: drift(env, name, make)


def main():
    env = wsxenv.shared()
    if sys.argv[1:] == ["--write"]:
        DOCS.mkdir(exist_ok=True)
        for name, make in pages(env, fill=True):
            (DOCS / name).write_text(make(), encoding="utf-8")
        return 0
    if sys.argv[1:]:
        sys.exit("usage: pages.py [--write]")
    problems = [text for name, make in pages(env) for text in drift(env, name, make)]
    print("\n".join(problems) or "the pages are what the code says")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
