#!/usr/bin/env python3
"""The rules of HTTP/2 and HTTP/3, and those of frames on their streams: as edges.py, whose edges of frames are
taken once more, each on a connection of HTTP/2 and of HTTP/3 of its own.

    streams.py           runs all; prints what differs
    streams.py --write F2 F3

SPDX-License-Identifier: GPL-2.0-or-later
"""
import functools
import pathlib
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "lib")]
import craft_h2  # noqa: E402
import craft_h3  # noqa: E402
import edges  # noqa: E402
import wsxenv  # noqa: E402
from craft import ACK, CLIENT, FIN, RST, SERVER, frame  # noqa: E402

END = craft_h2.END_STREAM
ENABLED = ((8, 1),)
OPTIONS = ("-o", "websocket.over_http2:TRUE")
CASES = []  # (name, settings of the server, of the client, function, findings due; by version where they differ)


class Carrier:
    """A connection of HTTP/2 or HTTP/3, and its streams by number 0, 1, 2."""

    def __init__(self, version, packets, number, server_settings, client_settings):
        module = craft_h2 if version == 2 else craft_h3
        kind = module.Http2 if version == 2 else functools.partial(module.Http3, acks=True)
        self.version, self.common, self.keys = version, module.REQUEST, 0
        self.h = kind(server_settings, 20000 + number, client_settings, packets)

    def id(self, stream):
        return 2 * stream + 1 if self.version == 2 else 4 * stream

    def ask(self, stream=0, drop=(), add=()):
        fields = [f for f in self.common if f[0] not in drop]
        self.h.request(self.id(stream), fields + list(add))

    def answer(self, stream=0, status=b"200", add=(), flags=0):
        self.h.headers(SERVER, self.id(stream), ((b":status", status), *add), flags)

    def start(self, stream=0, drop=(), add=(), answered=()):
        self.ask(stream, drop, add)
        self.answer(stream, add=answered)

    def key(self):
        self.keys += 1
        return bytes([0x5A, 0x11, self.keys >> 8, self.keys & 0xFF])

    def up(self, opcode, payload=b"", stream=0, flags=0, **more):
        self.h.data(CLIENT, self.id(stream), frame(opcode, payload, self.key(), **more), flags)

    def down(self, opcode, payload=b"", stream=0, flags=0, **more):
        self.h.data(SERVER, self.id(stream), frame(opcode, payload, **more), flags)

    def end(self, stream=0):
        self.up(8, b"\x03\xe8", stream, END)
        self.down(8, b"\x03\xe8", stream, END)

    def reset(self, side=SERVER, stream=0):
        self.h.reset(side, self.id(stream))


def case(due="", server=ENABLED, client=(), only=(2, 3)):
    """`due` may be a dictionary by the version of HTTP; None: there is no WebSocket at all."""
    def put(function):
        CASES.append((function.__name__, server, client, function, due, only))
        return function
    return put


def whole(name, due, server=ENABLED, client=(), only=(2, 3), **more):
    def talk(c):
        c.start(**more)
        c.end()
    CASES.append((name, server, client, talk, due, only))


# ---- the setting ----

NOT_ENABLED, WITHDRAWN = "error h2-not-enabled", "error h2-setting-withdrawn"
whole("enabled", "")
whole("enabled_among_others", "", server=((1, 4096), (8, 1), (6, 9999)))
whole("not_enabled", NOT_ENABLED, server=())
whole("enabled_0", NOT_ENABLED, server=((8, 0),))
whole("enabled_2", WITHDRAWN, server=((8, 2),))
whole("client_enabled_2", WITHDRAWN, client=((8, 2),))
whole("client_enabled_0", "", client=((8, 0),))
whole("client_enabled_1", "", client=((8, 1),))


@case("")
def enabled_twice(c):
    c.h.settings(ENABLED)
    c.start()
    c.end()


@case("", server=((8, 0),))
def enabled_at_last(c):
    c.h.settings(ENABLED)
    c.start()
    c.end()


@case("")
def other_settings_later(c):
    c.start()
    c.h.settings(((6, 9999),))
    c.end()


@case(WITHDRAWN)
def withdrawn_before(c):
    c.h.settings(((8, 0),))
    c.start()
    c.end()


@case(WITHDRAWN)
def withdrawn_meanwhile(c):
    c.start()
    c.h.settings(((8, 0),))
    c.end()


@case(WITHDRAWN)
def withdrawn_by_client(c):
    c.h.settings(ENABLED, CLIENT)
    c.h.settings(((8, 0),), CLIENT)
    c.start()
    c.end()


@case({2: NOT_ENABLED, 3: ""}, server=None)
def enabled_too_late(c):
    """The client's acknowledgement shows that it had seen nothing of the server. QUIC tells no such thing."""
    c.ask()
    c.h.settings(ENABLED)
    c.answer()
    c.end()


@case("", only=(2,))
def settings_captured_late(c):
    """The packets lie in the capture in another order: the request acknowledges the SETTINGS."""
    settings = len(c.h.packets) - 4
    c.ask()
    c.h.packets.insert(len(c.h.packets) - 1, c.h.packets.pop(settings))
    c.answer()


@case(None, server=())
def connect_of_other_kind(c):
    c.ask(drop=(b":protocol",), add=((b":protocol", b"connect-udp"),))
    c.answer()


# ---- headers ----

whole("scheme_missing", "error h2-pseudo-header-missing", drop=(b":scheme",))
whole("path_missing", "error h2-pseudo-header-missing", drop=(b":path",))
whole("authority_missing", "error hs-host-missing", drop=(b":authority",))
whole("host_in_its_place", "", drop=(b":authority",), add=((b"host", b"server.example.com"),))
whole("connection_header", "error h2-header-forbidden", add=((b"connection", b"Upgrade"),))
whole("upgrade_header", "error h2-header-forbidden", add=((b"upgrade", b"websocket"),))
whole("upgrade_header_in_answer", "error h2-header-forbidden", answered=((b"upgrade", b"websocket"),))
whole("other_headers", "", add=((b"te", b"trailers"), (b"x-connection", b"upgrade")))
whole("key_header", "note h2-key-present", add=((b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),))
whole("accept_header", "note h2-key-present", answered=((b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),))
whole("version_missing", "error hs-version-missing", drop=(b"sec-websocket-version",))
whole("version_12", "warning hs-version-unsupported", drop=(b"sec-websocket-version",),
      add=((b"sec-websocket-version", b"12"),))
whole("subprotocol", "", add=((b"sec-websocket-protocol", b"a, b"),), answered=((b"sec-websocket-protocol", b"b"),))
whole("subprotocol_not_offered", "error hs-subprotocol-not-offered", add=((b"sec-websocket-protocol", b"a, b"),),
      answered=((b"sec-websocket-protocol", b"c"),))
whole("credential", {2: "note hs-cleartext-credentials", 3: ""}, add=((b"cookie", b"sid=" + edges.SECRET),))


@case("error h2-header-forbidden, note hs-refused")
def status_101(c):
    c.ask()
    c.answer(status=b"101")


@case("")
def interim_103(c):
    c.ask()
    c.answer(status=b"103")
    c.answer()
    c.end()


@case("")
def status_204(c):
    c.ask()
    c.answer(status=b"204")
    c.end()


@case("note hs-refused")
def refused(c):
    c.ask()
    c.answer(status=b"403", flags=END)
    c.reset(CLIENT)


@case("error hs-early-data")
def early(c):
    c.ask()
    c.up(1, b"early")
    c.answer()
    c.end()


# ---- headers in several frames ----

def continued(name, due, *parts, flags=0, apart=False):
    """`parts` of the answer; the request in two."""
    def talk(c):
        c.h.block(CLIENT, 1, (c.common[:-1], c.common[-1:]), apart=apart)
        c.h.block(SERVER, 1, parts, flags, apart)
        if not flags:
            c.end()
    CASES.append((name, ENABLED, (), talk, due, (2,)))


OK, REFUSED = ((b":status", b"200"),), ((b":status", b"403"),)
OTHER = ((b"server", b"x"),)
continued("continued", "", OK, OTHER)
continued("continued_apart", "", OK, OTHER, OTHER, apart=True)
continued("continued_forbidden", "error h2-header-forbidden", OK, OTHER, ((b"upgrade", b"websocket"),))
continued("continued_refused", "note hs-refused", REFUSED, OTHER, flags=END)
continued("continued_refused_apart", "note hs-refused", REFUSED, OTHER, flags=END, apart=True)


@case("error hs-version-missing", only=(2,))
def continued_version_missing(c):
    c.h.block(CLIENT, 1, (c.common[:-1], OTHER))
    c.answer()
    c.end()


@case("", only=(2,))
def continued_interim(c):
    c.ask()
    c.h.block(SERVER, 1, (((b":status", b"103"),), ((b"link", b"x"),)), apart=True)
    c.answer()
    c.end()


@case("warning close-missing", only=(2,))
def continued_trailers(c):
    """They end the server's direction, and are no answer."""
    c.start()
    c.h.block(SERVER, 1, (((b"x-a", b"1"),), ((b"x-b", b"2"),)), END, apart=True)
    c.up(1, b"x", flags=END)


@case("", only=(2,))
def continued_promise(c):
    """A request that the server makes for the client is none of WebSocket's."""
    c.start()
    promised = (c.common[0], (b":scheme", b"http")), (c.common[3], c.common[4])
    c.h.block(SERVER, 1, (b"\0\0\0\2" + b"".join(craft_h2.literal(*f) for f in promised[0]), promised[1]),
              kind=craft_h2.PUSH_PROMISE)
    c.end()


@case("error hs-early-data", only=(2,))
def continued_answer_and_data(c):
    """The client sends before the answer's end."""
    c.ask()
    c.h.send(SERVER, craft_h2.h2_frame(craft_h2.HEADERS, 1, craft_h2.literal(*OK[0])))
    c.up(1, b"early")
    c.h.send(SERVER, craft_h2.h2_frame(craft_h2.CONTINUATION, 1, craft_h2.literal(*OTHER[0]), 4))
    c.end()


@case("", only=(2,))
def continued_no_more(c):
    """The block's end is not there: what it lacks is not judged."""
    c.h.send(CLIENT, craft_h2.h2_frame(craft_h2.HEADERS, 1, b"".join(craft_h2.literal(*f) for f in c.common[:-1])))
    c.h.settings((), CLIENT)
    c.answer()
    c.end()


# ---- ends ----

@case("warning h2-reset, warning close-missing")
def reset_by_server(c):
    c.start()
    c.reset()


@case("warning h2-reset, warning close-missing")
def reset_by_client(c):
    c.start()
    c.reset(CLIENT)


@case("warning h2-reset, warning hs-unanswered")
def reset_unanswered(c):
    c.ask()
    c.reset()


@case("")
def reset_after_the_end(c):
    c.start()
    c.end()
    c.reset()


@case("warning h2-reset")
def reset_between_closes(c):
    """Both sent Close, one END_STREAM."""
    c.start()
    c.up(8, b"\x03\xe8")
    c.down(8, b"\x03\xe8", flags=END)
    c.reset(CLIENT)


@case("")
def reset_of_another(c):
    c.start()
    c.h.request(c.id(1), [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"a")])
    c.reset(SERVER, 1)
    c.end()


@case("warning close-missing")
def end_stream_without_close(c):
    c.start()
    c.up(1, b"x", flags=END)
    c.down(1, b"y", flags=END)


@case("")
def end_stream_of_one_side(c):
    c.start()
    c.up(1, b"x", flags=END)


@case("warning hs-unanswered")
def unanswered(c):
    c.ask()
    c.h.finish()


@case("warning close-missing")
def carrier_ended(c):
    c.start()
    c.h.finish()


# ---- packets that the capture lacks ----

@case("", only=(3,))
def answer_acknowledged(c):
    """The client's acknowledgement proves that the server had sent something before."""
    c.ask()
    c.answer()
    c.h.packets.pop()
    c.reset(CLIENT)


@case("warning h2-reset, warning hs-unanswered", only=(3,))
def nothing_acknowledged(c):
    c.ask()
    c.reset(CLIENT)


@case("", only=(3,))
def answer_not_acknowledged(c):
    """The client need not have said yet that it had the answer."""
    c.ask()
    c.answer()
    c.h.packets.pop()
    c.h.acks = False
    c.reset(CLIENT)


@case("warning h2-reset", only=(3,))
def close_acknowledged(c):
    c.start()
    c.up(8, b"\x03\xe8")
    c.h.packets.pop()
    c.reset()


@case("warning h2-reset", only=(3,))
def close_acknowledged_early(c):
    """In a packet before the one that ends the stream; with ECN's counts."""
    c.start()
    c.up(8, b"\x03\xe8")
    c.h.packets.pop()
    c.h.acks = False
    c.h.frames(SERVER, b"\3" + craft_h3.ack(c.h.numbers[CLIENT] - 1)[1:] + b"\1\1\1")
    size = craft_h3.varint(c.h.offsets[SERVER, 0])
    c.h.frames(SERVER, craft_h3.ack(0) + b"\4\0" + craft_h3.varint(craft_h3.CANCEL) + size)


@case("warning h2-reset", only=(3,))
def close_not_acknowledged(c):
    c.start()
    c.h.acks = False
    c.up(1, b"x")
    c.reset()


@case("warning h2-reset, warning close-missing", only=(3,))
def no_close_acknowledged(c):
    c.start()
    c.up(1, b"x")
    c.reset()


@case("chat pong-unsolicited", only=(3,))
def pong_with_acknowledgement(c):
    c.start()
    c.up(10, b"x")
    c.end()


@case("", only=(3,))
def pong_without_acknowledgement(c):
    """The Ping that it answers may be missing from the capture."""
    c.start()
    c.h.acks = False
    c.up(10, b"x")
    c.end()


@case("", only=(3,))
def connection_end_not_acknowledged(c):
    c.start()
    c.h.acks = False
    c.h.finish()


@case("warning h2-reset, warning close-missing", only=(3,))
def numbers_of_handshake(c):
    """A Handshake packet acknowledges numbers of its own."""
    c.start()
    handshake = craft_h3.Keys(c.h.secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"])
    c.h.datagram(SERVER, c.h.long_packet(SERVER, 2, handshake, craft_h3.ack(60), c.h.ids[CLIENT]))
    c.reset()


# ---- the edges of frames ----

class Talk:
    """What an edge of edges.py calls, on a stream."""

    def __init__(self, carrier):
        self.carrier = carrier

    def start(self, ask=lambda x: x, answer=lambda x: x):
        self.carrier.start(add=self.fields(ask), answered=self.fields(answer))

    @staticmethod
    def fields(edit):
        return [(name.lower(), value.strip()) for name, value in (line.split(b":", 1) for line in edit([]))]

    def key(self):
        return self.carrier.key()

    def client(self, data):
        self.carrier.h.data(CLIENT, self.carrier.id(0), data)

    def server(self, data):
        self.carrier.h.data(SERVER, self.carrier.id(0), data)

    def up(self, opcode, payload=b"", **more):
        self.carrier.up(opcode, payload, **more)

    def down(self, opcode, payload=b"", **more):
        self.carrier.down(opcode, payload, **more)

    def finish(self):
        for side in (CLIENT, SERVER):
            self.carrier.h.data(side, self.carrier.id(0), b"", END)

    end = edges.Talk.end


def of_frames():
    """The edges of edges.py that are about frames alone."""
    for name, talk, due in edges.EDGES:
        if name in edges.OF_FRAMES:
            yield (name, ENABLED, (), lambda c, talk=talk: talk(Talk(c)), due, (2, 3))


def all_cases(version):
    return [c for c in (*CASES, *of_frames()) if version in c[5]]


def due_in(case_due, version):
    return case_due[version] if isinstance(case_due, dict) else case_due


def write(path, version):
    packets, carriers = [], []
    for number, (_, server, client, function, _, _) in enumerate(all_cases(version)):
        carriers.append(Carrier(version, packets, number, server, client))
        function(carriers[-1])
    if version == 2:
        carriers[-1].h.save(path)
    else:
        carriers[0].h.save(path, [c.h for c in carriers[1:]])


def compare(env, path, version, *options):
    problems, stream = [], 0
    seen, text = edges.findings(env, path, *OPTIONS, *options)
    for name, _, _, _, due, _ in all_cases(version):
        if due is None:
            continue
        got, wanted = sorted(seen.get(stream, [])), edges.due_of(due_in(due, version))
        stream += 1
        if got != wanted:
            problems.append(f"{name}: due {', '.join(wanted) or 'nothing'}; got {', '.join(got) or 'nothing'}")
    if stream <= max(seen, default=-1):
        problems.append(f"{max(seen) + 1} streams, {stream} expected")
    if edges.SECRET.decode() in text:
        problems.append("a secret is printed")
    return problems


def capture(env, version, found={}):
    """The capture of all cases of a version, made once."""
    with edges.MAKING:
        if (env, version) not in found:
            path = env.new_path(".pcap" if version == 2 else ".pcapng")
            write(path, version)
            found[env, version] = path
    return found[env, version]


def run(env, version, *options):
    return compare(env, capture(env, version), version, *options)


def shows_http3(env):
    return not env.version.startswith("4.0")


def calls_for_http3(env):
    return tuple(map(int, env.version.split("."))) >= (4, 6)


def tests(env, _quick=False):
    for version in (2, 3) if shows_http3(env) else (2,):
        yield f"rules:http{version}", lambda version=version: run(env, version)
        yield f"rules:http{version}:second-pass", lambda version=version: run(env, version, "-2")


def main():
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], 2)
        write(sys.argv[3], 3)
        return 0
    failed = 0
    for name, test in tests(wsxenv.shared()):
        problems = test()
        failed += len(problems)
        print(f"{name}: " + ("\n  ".join(["", *problems]) if problems else "as due"))
    print(f"{len(all_cases(2))} and {len(all_cases(3))} connections, {failed} problems")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
