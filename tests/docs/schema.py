"""docs/jsonlines.schema.json against what wsx writes for every capture of the repository.

The checker knows the words of JSON Schema that this schema uses, and refuses others. Where Debian's
python3-jsonschema is installed, the schema itself is checked with it too.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
sys.path.insert(0, str(ROOT / "tests"))
import jsonlines  # noqa: E402
import run_cases  # noqa: E402

PATH = ROOT / "docs" / "jsonlines.schema.json"
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
NUMBERS = {"integer": int, "number": (int, float)}
PROBLEMS_MAX = 10
# A capture of megabytes says nothing more about keys.
CASE_BYTES_MAX = 300_000


def same(a, b):
    """JSON's equality: true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def problem(schema, value, root, where="line"):
    """What is wrong with the value, or None."""
    for word, rule in schema.items():
        text = WORDS[word](rule, value, schema, root, where)
        if text:
            return text
    return None


def type_(rule, value, _schema, _root, where):
    good = (isinstance(value, NUMBERS[rule]) and not isinstance(value, bool) if rule in NUMBERS
            else isinstance(value, TYPES[rule]))
    return None if good else f"{where} is no {rule}"


def properties(rule, value, _schema, root, where):
    found = (problem(rule[k], v, root, f"{where}.{k}") for k, v in value.items() if k in rule)
    return next((text for text in found if text), None)


def additional(rule, value, schema, _root, where):
    assert rule is False
    extra = set(value) - set(schema["properties"])
    return f"{where}: unknown {', '.join(sorted(extra))}" if extra else None


def required(rule, value, _schema, _root, where):
    lacking = set(rule) - set(value)
    return f"{where}: no {', '.join(sorted(lacking))}" if lacking else None


def items(rule, value, _schema, root, where):
    return next((t for v in value if (t := problem(rule, v, root, where + "[]"))), None)


def one_of(rule, value, _schema, root, where):
    texts = [problem(part, value, root, where) for part in rule]
    if texts.count(None) == 1:
        return None
    # What the part of this kind says is what a reader wants to know.
    fitting = [t for t in texts if t and not t.startswith(f"{where}.kind ")]
    return "; ".join(fitting) or f"{where}: of no known kind"


def say(bad, where, text):
    return f"{where} {text}" if bad else None


WORDS = {
    "$schema": lambda *_: None, "title": lambda *_: None, "description": lambda *_: None,
    "$defs": lambda *_: None,
    "$ref": lambda r, v, s, root, w: problem(root["$defs"][r.rpartition("/")[2]], v, root, w),
    "type": type_, "properties": properties, "required": required, "items": items,
    "additionalProperties": additional, "oneOf": one_of,
    "const": lambda r, v, s, root, w: say(not same(r, v), w, f"is not {r}"),
    "enum": lambda r, v, s, root, w: say(v not in r, w, f"is not one of {r}"),
    "minimum": lambda r, v, s, root, w: say(v < r, w, f"is below {r}"),
    "maximum": lambda r, v, s, root, w: say(v > r, w, f"is above {r}"),
    "minItems": lambda r, v, s, root, w: say(len(v) < r, w, f"has fewer than {r} items"),
    "uniqueItems": lambda r, v, s, root, w: say(len(set(v)) != len(v), w, "repeats an item"),
    "pattern": lambda r, v, s, root, w: say(not re.search(r, v), w, f"does not fit {r}"),
}


def load():
    return json.loads(PATH.read_text(encoding="utf-8"))


def capture_test(env, capture, options=()):
    schema, lines = load(), jsonlines.run(env, capture, options)
    texts = (f"{text}: {line.line[:200]}" for line in lines
             if (text := problem(schema, line, schema)))
    return [text for text, _ in zip(texts, range(PROBLEMS_MAX))]


def refusals_test():
    """What the schema must refuse; a checker that takes everything fails here."""
    good = {"kind": "ping", "stream": 0, "packet": 9, "time": 1.5, "dir": "c2s", "index": 1,
            "len": 0, "base64": ""}
    wrong = [{}, {"kind": "none"}, {**good, "dir": "up"}, {**good, "stream": True},
             {**good, "packet": 0}, {**good, "text": ""}, {**good, "rules": []},
             {**good, "rules": ["a-b", "a-b"]}, {**good, "base64": "?"}, {**good, "len": "0"},
             {k: v for k, v in good.items() if k != "time"}]
    schema = load()
    problems = [f"refused: {good}"] if problem(schema, good, schema) else []
    return problems + [f"taken: {value}" for value in wrong if not problem(schema, value, schema)]


def foreign_test():
    """The same by an independent implementation."""
    import jsonschema
    schema = load()
    jsonschema.Draft202012Validator.check_schema(schema)
    return refusals_test()


def sql_test():
    """docs/messages.sql has the schema's keys as columns."""
    text = (PATH.parent / "messages.sql").read_text(encoding="utf-8")
    columns = set(re.findall(r"(\w+): '", text))
    keys = {key for part in load()["$defs"].values() if "kind" in part.get("properties", {})
            for key in part["properties"]}
    return [f"only in one of both: {', '.join(sorted(columns ^ keys))}"] if columns != keys else []


def tests(env, quick=False):
    yield "docs:schema:sql", sql_test
    yield "docs:schema:refusals", refusals_test
    try:
        import jsonschema  # noqa: F401
        yield "docs:schema:foreign", foreign_test
    except ImportError:
        pass
    captures = sorted(run_cases.SAMPLES.glob("*.pcap*"))
    for path in captures[::5] if quick else captures:
        yield f"docs:schema:{path.stem}", lambda path=path: capture_test(env, path)
    for name in [] if quick else run_cases.all_cases():
        case = run_cases.Case(run_cases.CASES / name)
        path = case.folder / case.spec["capture"]
        if path.is_file() and path.stat().st_size <= CASE_BYTES_MAX:
            yield (f"docs:schema:case:{name}", lambda path=path, case=case:
                   capture_test(env, path, case.options()))
