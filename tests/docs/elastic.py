"""docs/elasticsearch.template.json: the index template for `tshark -T ek -e FIELD...`, made from tshark's list of fields,
and tested against what tshark writes: every key has a type, and every value is one of that type.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "elasticsearch.template.json"
# Fields beside websocket's own that tell a packet from others.
BESIDE = {"frame.number": "FT_UINT32", "frame.time_epoch": "FT_DOUBLE", "ip.src": "FT_IPv4",
          "ip.dst": "FT_IPv4", "ipv6.src": "FT_IPv6", "ipv6.dst": "FT_IPv6",
          "tcp.srcport": "FT_UINT16", "tcp.dstport": "FT_UINT16", "tcp.stream": "FT_UINT32"}
SAMPLES = ("ws_plain_close", "ws_pmd", "proto_mqtt", "chromium_wss")


def type_of(kind, base):
    """Elasticsearch's type for what tshark writes of a field of Wireshark's type and base of display."""
    if "HEX" in base:
        return {"type": "keyword"}
    if kind == "FT_UINT64":
        return {"type": "unsigned_long"}
    if re.match(r"FT_U?INT|FT_FRAMENUM", kind):
        return {"type": "long"}
    if kind in ("FT_RELATIVE_TIME", "FT_DOUBLE"):
        return {"type": "double"}
    if kind.startswith("FT_IPv"):
        return {"type": "ip"}
    if kind == "FT_STRING":
        return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 1024}}}
    if kind == "FT_BYTES":
        return {"type": "keyword", "index": False, "doc_values": False}
    # A flag is 1 in one release of Wireshark and True in another, neither of which is Elasticsearch's true.
    return {"type": "keyword"}


def template(fields):
    """The text of the template. fields: {name: (type, base)} of the protocol websocket, in Wireshark's order."""
    kinds = {name: (kind, "") for name, kind in BESIDE.items()}
    kinds.update({name: pair for name, pair in fields.items() if name.startswith("websocket.")})
    layers = {name.replace(".", "_"): type_of(*pair) for name, pair in kinds.items()}
    lines = ",\n".join(f"          {json.dumps(k)}: {json.dumps(v)}" for k, v in layers.items())
    return f'''{{
  "index_patterns": ["packets-*"],
  "template": {{
    "settings": {{"index.mapping.total_fields.limit": 2000}},
    "mappings": {{
      "dynamic": false,
      "properties": {{
        "timestamp": {{"type": "date", "format": "epoch_millis"}},
        "layers": {{"properties": {{
{lines}
        }}}}
      }}
    }}
  }}
}}
'''


FORMS = {"long": r"-?\d+", "unsigned_long": r"\d+", "double": r"-?\d+(\.\d+)?([eE][-+]?\d+)?",
         "ip": r"[\d.]+|[0-9a-f:.]+", "text": r"(?s).*", "keyword": r"(?s).*"}


def unique(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key is there twice")
    return dict(pairs)


def sample_test(env, name):
    layers = json.loads((ROOT / "docs" / NAME).read_text())["template"]["mappings"]["properties"]
    types = layers["layers"]["properties"]
    # tshark writes _ for the dots of a name; its list of fields has them.
    known = {line.split("\t")[2].replace(".", "_"): line.split("\t")[2]
             for line in env.run(["tshark", "-G", "fields"]).stdout.decode().splitlines()
             if line.startswith("F\t")}
    fields = [word for key in types if key in known for word in ("-e", known[key])]
    done = env.tshark(["-T", "ek", *fields, "-Y", "websocket.stream"], ROOT / "sample-captures" / f"{name}.pcapng")
    lines = done.stdout.decode("utf-8").splitlines()
    if done.rc or len(lines) < 10:
        return [f"tshark ended with {done.rc} and {len(lines)} lines: {done.stderr.decode()[-200:]}"]
    problems, seen = [], set()
    for line in lines[1::2]:
        for key, values in json.loads(line, object_pairs_hook=unique)["layers"].items():
            seen.add(key)
            form = FORMS[types[key]["type"]] if key in types else None
            problems += [f"{key}: {value!r} is no {types.get(key, 'known key')}" for value in values
                         if form is None or not re.fullmatch(form, value or "")][:3]
    if "websocket_stream" not in seen or "websocket_message_length" not in seen:
        problems.append(f"keys seen: {sorted(seen)}")
    return problems


def tests(env, quick=False):
    for name in SAMPLES[:1] if quick else SAMPLES:
        yield f"docs:elastic:{name}", lambda name=name: sample_test(env, name)
