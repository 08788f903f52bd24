#!/usr/bin/env python3
"""What each surface prints, word for word, of four small captures.

    golden.py [PATTERN]           run the tests; tests(env) offers them to others
    golden.py --update NAME...    write the expectations of these captures for the Wireshark that runs:
                                  read them

plain, compressed, http2 and damaged are told in CAPTURES. NAME.txt has a section for each surface. Where
versions of Wireshark differ in what is theirs (the layout of tables, fields of other protocols), a section
stands there once for each: "=== conv,websocket (4.4)". A version without a section of its own has the one
without a version, which is 4.0's.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import difflib
import fnmatch
import json
import pathlib
import re
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
for folder in (TESTS, TESTS / "lib", TESTS / "taps2"):
    sys.path.insert(0, str(folder))
import captures  # noqa: E402
import click  # noqa: E402
import craft  # noqa: E402
import exports  # noqa: E402
import run_cases  # noqa: E402
import wsxenv  # noqa: E402

BASE_VERSION = "4.0"
KEYS = [struct.pack(">I", 0x9E3779B9 * n & 0xFFFFFFFF) for n in range(1, 20)]
SECTION = re.compile(r"^=== (.+?)(?: \((\d+\.\d+)\))?$", re.M)
SHOWN_LINES = 20


# --- captures -----------------------------------------------------------------------------------


class Client:
    """Frames of a client, each with a masking key of its own."""

    def __init__(self):
        self.keys = iter(KEYS)

    def frame(self, opcode, payload=b"", **more):
        return craft.frame(opcode, payload, key=next(self.keys), **more)


def plain(path):
    """Text, binary and fragments with a Ping between them, several frames in a packet, an orderly end, and
    a token in the address."""
    talk, client = captures.Talk(), Client()
    talk.open_at(b"/plain?room=1&token=secret", [b"Sec-WebSocket-Protocol: chat, other", b"Origin: http://page.example"],
                 [b"Sec-WebSocket-Protocol: chat"])
    talk.client(client.frame(1, "gr\u00fc\u00dfe".encode()))
    talk.server(craft.frame(1, b'{"a": [1, 2]}') + craft.frame(2, bytes(range(16))))
    talk.client(client.frame(1, b"one ", fin=False))
    talk.client(client.frame(9, b"are you there") + client.frame(0, b"two ", fin=False))
    talk.server(craft.frame(10, b"are you there"))
    talk.client(client.frame(0, b"three") + client.frame(2, b""))
    talk.server(craft.frame(9, b""))
    talk.client(client.frame(10, b""))
    talk.client(client.frame(8, struct.pack(">H", 1000) + b"done"))
    talk.server(craft.frame(8, struct.pack(">H", 1000)))
    talk.finish()
    talk.save(path)


def compressed(path):
    """permessage-deflate with context takeover, in several frames too, beside messages without it."""
    talk, client = captures.Talk(), Client()
    squeeze = {side: zlib.compressobj(9, zlib.DEFLATED, -15) for side in (craft.CLIENT, craft.SERVER)}

    def deflated(side, text):
        return (squeeze[side].compress(text) + squeeze[side].flush(zlib.Z_SYNC_FLUSH))[:-4]

    extension = [b"Sec-WebSocket-Extensions: permessage-deflate"]
    talk.open_at(b"/compressed", extension, extension)
    talk.client(client.frame(1, deflated(craft.CLIENT, b'{"tick": 1, "price": 100}'), rsv=4))
    talk.client(client.frame(1, deflated(craft.CLIENT, b'{"tick": 2, "price": 100}'), rsv=4))
    whole = deflated(craft.SERVER, b"the same words and the same words again, " * 5)
    talk.server(craft.frame(1, whole[:20], rsv=4, fin=False) + craft.frame(9, b"between"))
    talk.client(client.frame(10, b"between"))
    talk.server(craft.frame(0, whole[20:]) + craft.frame(2, deflated(craft.SERVER, bytes(200)), rsv=4))
    talk.server(craft.frame(1, b"not compressed") + craft.frame(1, deflated(craft.SERVER, b""), rsv=4))
    talk.server(craft.frame(8, struct.pack(">H", 4000) + b"enough"))
    talk.client(client.frame(8, struct.pack(">H", 4000)))
    talk.finish()
    talk.save(path)


def damaged(path):
    """A lost segment, what was compressed behind it, a frame without its mask, and the file's end in the
    middle of two messages."""
    talk, client = captures.Talk(), Client()
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    extension = [b"Sec-WebSocket-Extensions: permessage-deflate"]
    talk.open_at(b"/damaged", extension, extension)
    bodies = [(squeeze.compress(b"%d: the same words, the same words" % n)
               + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4] for n in range(3)]
    talk.server(craft.frame(1, bodies[0], rsv=4))
    lost = craft.frame(1, bodies[1], rsv=4)
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, lost[:6])
    talk.seq[craft.SERVER] += 4
    talk.packet(craft.SERVER, craft.PSH | craft.ACK, lost[10:])
    for number in range(14):
        talk.packet(craft.CLIENT, craft.ACK)
        talk.server(craft.frame(1, b"after %d" % number))
    talk.server(craft.frame(1, bodies[2], rsv=4))
    talk.client(craft.frame(1, b"not masked"))
    talk.client(client.frame(1, b"not utf-8 \xff"))
    talk.client(client.frame(9, b"never answered"))
    talk.server(craft.frame(1, b"begun, ", fin=False))
    talk.client(client.frame(2, bytes(range(40)))[:30])
    talk.save(path)


# name: what makes it, or the case that it is; the connections in it; the packets of which trees are kept
CAPTURES = {"plain": (plain, 1, "8,14,18"), "compressed": (compressed, 1, "10,16"),
            "http2": ("h2_two_streams_pmd", 2, "18,22"), "damaged": (damaged, 1, "10,54")}
HTTP2 = ["-o", "websocket.over_http2:TRUE"]


class Made(captures.Captures):
    def path(self, name):
        make = CAPTURES[name][0]
        if isinstance(make, str):
            return super().path(make)
        with self.lock:
            if name not in self.paths:
                self.paths[name] = self.env.new_path(f"-{name}.pcap")
                make(str(self.paths[name]))
        return self.paths[name]


# --- surfaces: each gives a text ----------------------------------------------------------------


def printed(value):
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=isinstance(value, list)) + "\n"


def ours(layers):
    """What is of WebSocket in a packet; frames are in its subtrees, the rest under headings of their own."""
    return {name: value for name, value in layers.items()
            if name.lower().startswith("websocket") and value != {"filtered": name}}


class Surfaces:
    TAB = re.compile(r"(Frame \d|Unmasked|Message|Decompressed message)")

    def __init__(self, env, name, path, options):
        self.env, self.path, self.options = env, path, options
        _, self.connections, self.packets = CAPTURES[name]

    def tshark(self, *args):
        done = self.env.tshark([*self.options, *args], self.path)
        return run_cases.checked(done, " ".join(args))

    def statistics(self, name):
        return self.tshark("-q", "-z", name)

    def follow(self, mode):
        return "".join(self.statistics(f"follow,websocket,{mode},{n}")
                       for n in range(self.connections))

    def har(self):
        return printed(json.loads(self.statistics("websocket,har,-")))

    def redact(self):
        lines = self.tshark("-q", "-z", "websocket,messages", "-o", "websocket.redact:TRUE")
        return "".join(line + "\n" for line in lines.split("\n") if '"kind":"open"' in line)

    def objects(self):
        found = exports.exported_objects(self.env, self.path, self.options)
        return "".join(f"{name}: {len(content)} bytes {content[:40]!r}\n"
                       for name, content in sorted(found.items()))

    def pdus(self):
        target = self.env.new_path(".pcapng")
        self.tshark("-q", "-U", "WebSocket", "-w", str(target))
        names = ("exported_pdu.ipv4_src", "exported_pdu.src_port", "exported_pdu.ipv4_dst",
                 "exported_pdu.dst_port", "exported_pdu.orig_fno", "_ws.col.Protocol", "frame.protocols",
                 "exported_pdu.exported_pdu")
        done = self.env.tshark(["-T", "fields", *(w for n in names for w in ("-e", n))], target)
        return run_cases.checked(done, "reading exported PDUs")

    def tabs(self):
        """Names and bytes of the byte pane's tabs, without those of other protocols."""
        parts = re.split(r"^(.+ \(\d+ bytes\)):\n", self.tshark("-2", "-x", "-Y", "websocket"), flags=re.M)
        return "".join(f"{title}\n{(chr(10) + body).split(chr(10) * 2)[0].strip()}\n"
                       for title, body in zip(parts[1::2], parts[2::2]) if self.TAB.match(title))

    def listing(self):
        return self.tshark("-o", 'gui.column.format:"No.","%m","Protocol","%p","Info","%i"',
                           "-Y", "websocket || websocket.handshake || websocket.frame.part")

    def trees(self, kind, *more):
        return self.tshark("-2", "-T", kind, "-J", "websocket", "-Y",
                           f"frame.number in {{{self.packets}}}", *more)

    def json(self):
        packets = json.loads(self.trees("json", "--no-duplicate-keys"))
        return printed([ours(packet["_source"]["layers"]) for packet in packets])

    def ek(self):
        lines = [json.loads(line) for line in self.trees("ek").split("\n") if line]
        return printed([ours(line["layers"]) for line in lines[1::2]])

    def pdml(self):
        protos = re.findall(r'^  <proto name="(?:websocket|fake-field-wrapper)".*?^  </proto>\n',
                            self.trees("pdml"), re.M | re.S)
        # before 4.4 a truth was a number
        return "".join(re.sub(r'show="(True|False)"', lambda m: f'show="{int(m[1] == "True")}"', proto)
                       for proto in protos)

    def fields(self):
        names = ("frame.number", "websocket.stream", "websocket.direction", "websocket.opcode",
                 "websocket.message.length", "websocket.message.ratio", "websocket.message.text",
                 "websocket.fragment", "websocket.pong.rtt", "websocket.payload.close.status_code",
                 "websocket.rule")
        return self.tshark("-2", "-Y", "websocket", "-T", "fields", *(w for n in names for w in ("-e", n)))

    def sharkd(self):
        """As web front ends ask for them."""
        sharkd = click.Sharkd(self.env, self.path)
        try:
            for option in self.options[1::2]:
                sharkd.ask("setconf", name=option.split(":")[0], value=option.split(":")[1])
                sharkd.ask("load", file=str(self.env.open_copy(self.path)))
            found = {"follow": sharkd.ask("follow", follow="WebSocket", filter="websocket.stream eq 0")}
            for tap in ("stat:websocket", "nstat:websocket,connections", "conv:WebSocket",
                        "endpt:WebSocket", "srt:websocket", "seqa:websocket", "eo:websocket"):
                taps = sharkd.ask("tap", tap0=tap)["taps"]
                found[tap] = taps[0] if taps else None
        finally:
            sharkd.close()
        for entry in found["eo:websocket"]["objects"]:
            entry.pop("sha1", None)  # since 4.4
        return printed(found)


SURFACES = {
    **{f"follow,websocket,{mode}": lambda s, mode=mode: s.follow(mode)
       for mode in ("ascii", "utf-8", "hex", "raw", "yaml")},
    **{name: lambda s, name=name: s.statistics(name)
       for name in ("websocket,tree", "websocket,connections", "conv,websocket", "endpoints,websocket",
                    "websocket,srt", "websocket,messages", "websocket,check,chat", "flow,websocket,standard")},
    "websocket,har": Surfaces.har, "export objects": Surfaces.objects, "export PDUs": Surfaces.pdus,
    "websocket.redact": Surfaces.redact, "byte tabs": Surfaces.tabs, "columns": Surfaces.listing,
    "-T fields": Surfaces.fields,
    "-T json": Surfaces.json, "-T ek": Surfaces.ek, "-T pdml": Surfaces.pdml, "sharkd": Surfaces.sharkd,
}


# --- expectations -------------------------------------------------------------------------------


def load(name):
    """{(surface, version or None): text}"""
    path = HERE / f"{name}.txt"
    if not path.is_file():
        return {}
    parts = SECTION.split(path.read_text(encoding="utf-8"))
    return {(surface, version): text[1:] for surface, version, text
            in zip(parts[1::3], parts[2::3], parts[3::3])}


def save(name, sections):
    order = list(SURFACES)
    with open(HERE / f"{name}.txt", "w", encoding="utf-8") as out:
        for surface, version in sorted(sections, key=lambda k: (order.index(k[0]), k[1] or "")):
            tag = f" ({version})" if version else ""
            out.write(f"=== {surface}{tag}\n{sections[surface, version]}")


def ended(text):
    return text if text.endswith("\n") or not text else text + "\n"


def print_of(made, env, name, surface):
    options = HTTP2 if name == "http2" else []
    text = SURFACES[surface](Surfaces(env, name, made.path(name), options))
    # the capture's name, and what must not end the section
    text = text.replace(str(made.path(name)), name).replace(made.path(name).name, name)
    text = re.sub(r"[^\x20-\uFFFF\n\t]", lambda m: f"\\x{ord(m[0]):02x}", text)
    return ended(re.sub(r"^===", " ===", text, flags=re.M))


def expected_of(sections, surface, version):
    return sections.get((surface, version), sections.get((surface, None)))


def golden_test(made, env, name, surface):
    expected = expected_of(load(name), surface, env.version)
    if expected is None:
        return ["no expectation"]
    got = print_of(made, env, name, surface)
    return list(difflib.unified_diff(expected.split("\n"), got.split("\n"), "expected", "got",
                                     lineterm="", n=0))[:SHOWN_LINES]


def update(env, name):
    sections, made = load(name), Made(env)
    for surface in SURFACES:
        got = print_of(made, env, name, surface)
        sections.pop((surface, env.version), None)
        if env.version == BASE_VERSION or sections.get((surface, None)) is None:
            sections[surface, None] = got
        elif sections[surface, None] != got:
            sections[surface, env.version] = got
    save(name, sections)


def tests(env):
    made = Made(env)
    for name in CAPTURES:
        for surface in SURFACES:
            yield (f"golden:{name}:{surface}", lambda name=name, surface=surface:
                   golden_test(made, env, name, surface))


def main():
    args, env = sys.argv[1:], wsxenv.shared()
    if args[:1] == ["--update"]:
        for name in args[1:]:
            update(env, name)
        return 0 if args[1:] else 1
    failed = count = 0
    for name, function in tests(env):
        if not fnmatch.fnmatch(name, f"*{(args or ['*'])[0]}*"):
            continue
        problems = function()
        count += 1
        failed += bool(problems)
        print("FAIL" if problems else "ok  ", name, flush=True)
        for text in problems:
            print("     " + text[:400])
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
