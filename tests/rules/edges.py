#!/usr/bin/env python3
"""Both sides of every rule: connections that break one just so, and ones that come close and do not.

Each edge is one connection of a capture and names all findings that are due in it, with their severity;
any other finding is wrong, and so is one that is missing. The same findings must come in the second pass
and when the bytes are cut otherwise.

    edges.py             runs all; prints what differs
    edges.py --write F   only writes the capture

SPDX-License-Identifier: GPL-2.0-or-later
"""
import base64
import collections
import pathlib
import re
import subprocess
import sys
import threading
import zlib

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "lib")]
import craft  # noqa: E402
import jsonlines  # noqa: E402
import run_cases  # noqa: E402
import wsxenv  # noqa: E402
from craft import ACK, CLIENT, FIN, PSH, RST, SERVER, adding, first_line, frame, without  # noqa: E402

SEVERITIES = ("chat", "note", "warning", "error")
NONE = ""
EDGES = []  # (name, function, findings that are due)
OF_FRAMES = set()  # names of those that need no TCP: they hold on a stream of HTTP/2 and HTTP/3 alike


def key_of(number):
    """A good Sec-WebSocket-Key that no other connection has."""
    return base64.b64encode(b"key of edge %04d" % number)


class Talk(craft.Conversation):
    """A connection of its own in the common capture."""

    def __init__(self, packets, number):
        super().__init__()
        self.packets, self.number, self.keys = packets, number, 0
        self.address = (bytes([10, 0, number // 200, 1 + number % 200]), bytes([10, 9, 0, 2]))

    def key(self):
        """A masking key that was not there before."""
        self.keys += 1
        return bytes([0x5A, self.number & 0xFF, self.keys >> 8, self.keys & 0xFF])

    def ask(self, edit=adding()):
        self.connect()
        self.repeat(edit)

    def repeat(self, edit=adding()):
        self.client(craft.request(edit=edit, key=key_of(self.number)))

    def answer(self, edit=adding()):
        self.server(craft.response(edit=edit, key=key_of(self.number)))

    def start(self, ask=adding(), answer=adding()):
        self.ask(ask)
        self.answer(answer)

    def up(self, opcode, payload=b"", **more):
        """A frame of the client."""
        self.client(frame(opcode, payload, self.key(), **more))

    def down(self, opcode, payload=b"", **more):
        self.server(frame(opcode, payload, **more))

    def swap(self):
        """The last two packets come in the other order."""
        self.packets[-2:] = self.packets[:-3:-1]

    def piece(self, side, opcode, payload):
        """A frame in a segment that is not acknowledged yet."""
        self.packet(side, PSH | ACK, frame(opcode, payload, self.key() if side == CLIENT else None))

    def end(self, code=b"\x03\xe8"):
        """A closing handshake without fault."""
        self.up(8, code)
        self.down(8, code)
        self.finish()


def edge(due=NONE, name=None):
    """Decorates a function that takes a Talk; `due` is "severity rule, severity rule"."""
    def put(function):
        EDGES.append((name or function.__name__, function, due))
        return function
    return put


def whole(name, due, ask=adding(), answer=adding()):
    """An edge of the opening handshake alone."""
    def talk(t):
        t.start(ask, answer)
        t.end()
    EDGES.append((name, talk, due))


def framed(name, due, *frames, ask=adding(), answer=adding()):
    """An edge of frames: (side, opcode, payload, options) in order, in a connection without other fault."""
    def talk(t):
        t.start(ask, answer)
        for side, opcode, payload, *more in frames:
            (t.up if side == "up" else t.down)(opcode, payload, **(more[0] if more else {}))
        t.end()
    EDGES.append((name, talk, due))
    OF_FRAMES.add(name)


def instead(name, *lines):
    return lambda all_lines: without(name)(all_lines) + list(lines)


def both(*edits):
    def edit(lines):
        for one in edits:
            lines = one(lines)
        return lines
    return edit


# ---- the key and the accept ----

def keyed(key):
    """A key, with the Accept that belongs to it."""
    return (instead(b"Sec-WebSocket-Key", b"Sec-WebSocket-Key: " + key),
            instead(b"Sec-WebSocket-Accept", b"Sec-WebSocket-Accept: " + craft.accept(key.strip())))


whole("key_of_15_bytes", "error hs-key-invalid", *keyed(b"MTIzNDU2Nzg5MDEyMzQ1"))
whole("key_of_17_bytes", "error hs-key-invalid", *keyed(b"MTIzNDU2Nzg5MDEyMzQ1Njc="))
whole("key_without_padding", "error hs-key-invalid", *keyed(b"MTIzNDU2Nzg5MDEyMzQ1Ng"))
whole("key_url_safe_alphabet", "error hs-key-invalid", *keyed(b"_-IzNDU2Nzg5MDEyMzQ1Ng=="))
whole("key_with_blank_inside", "error hs-key-invalid", *keyed(b"MTIzNDU2Nzg5 MDEyMzQ1Ng=="))
whole("key_with_blanks_around", NONE, *keyed(b"  \t MTIzNDU2Nzg5MDEyMzQ1Ng==  "))
whole("key_empty", "error hs-key-invalid", *keyed(b""))
whole("key_header_in_other_case", NONE,
      lambda lines: [x.replace(b"Sec-WebSocket-Key", b"SEC-websocket-KEY") for x in lines])
whole("key_twice_same", "error hs-key-repeated",
      lambda lines: lines + [x for x in lines if x.startswith(b"Sec-WebSocket-Key")])
whole("accept_in_other_case", "error hs-accept-wrong", adding(),
      lambda lines: [x.swapcase() if x.startswith(b"Sec-WebSocket-Accept") else x for x in lines])
whole("accept_with_blanks_around", NONE, adding(),
      lambda lines: [x + b" \t" if x.startswith(b"Sec-WebSocket-Accept") else x for x in lines])
whole("accept_twice_same", "error hs-accept-repeated", adding(),
      lambda lines: lines + [x for x in lines if x.startswith(b"Sec-WebSocket-Accept")])
whole("accept_empty", "error hs-accept-wrong", adding(),
      instead(b"Sec-WebSocket-Accept", b"Sec-WebSocket-Accept:"))

# ---- other lines of the handshake ----

whole("method_head", "error hs-method-not-get", first_line(b"HEAD /chat HTTP/1.1"))
whole("method_connect", "error hs-method-not-get", first_line(b"CONNECT /chat HTTP/1.1"))
whole("http_1_2", NONE, first_line(b"GET /chat HTTP/1.2"))
whole("upgrade_in_other_case", NONE, instead(b"Upgrade", b"Upgrade: WebSocket"),
      instead(b"Upgrade", b"Upgrade: WEBSOCKET"))
whole("upgrade_list", NONE, instead(b"Upgrade", b"Upgrade: foo, websocket"))
whole("upgrade_two_lines", NONE, instead(b"Upgrade", b"Upgrade: h2c", b"Upgrade: websocket"))
whole("upgrade_only_begins_so", "error hs-upgrade-missing", instead(b"Upgrade", b"Upgrade: websockets"))
whole("upgrade_missing_in_answer", "error hs-upgrade-missing", adding(), without(b"Upgrade"))
whole("connection_list", NONE, instead(b"Connection", b"Connection: keep-alive, upgrade"),
      instead(b"Connection", b"Connection: keep-alive, UPGRADE"))
whole("connection_two_lines", NONE,
      instead(b"Connection", b"Connection: keep-alive", b"Connection: Upgrade"))
whole("connection_other", "error hs-connection-missing", instead(b"Connection", b"Connection: keep-alive"))
whole("connection_missing_in_answer", "error hs-connection-missing", adding(), without(b"Connection"))
whole("version_14", "warning hs-version-unsupported",
      instead(b"Sec-WebSocket-Version", b"Sec-WebSocket-Version: 14"))
whole("version_list", "warning hs-version-unsupported",
      instead(b"Sec-WebSocket-Version", b"Sec-WebSocket-Version: 13, 8"))
whole("version_leading_zero", "warning hs-version-unsupported",
      instead(b"Sec-WebSocket-Version", b"Sec-WebSocket-Version: 013"))
whole("host_empty", NONE, instead(b"Host", b"Host:"))
whole("origin_of_no_browser", NONE, adding(b"User-Agent: curl/8"))
whole("origin_there", NONE, adding(b"User-Agent: Mozilla/5.0", b"Origin: null"))
whole("browser_without_origin", "note hs-origin-missing", adding(b"User-Agent: Mozilla/5.0 (X11)"))


@edge("note hs-refused")
def refused_426_with_versions(t):
    t.ask()
    t.server(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n"
             b"Sec-WebSocket-Version: 7\r\nContent-Length: 0\r\n\r\n")
    t.finish()


@edge("note hs-refused")
def refused_200(t):
    t.ask()
    t.server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    t.finish()


@edge(NONE)
def interim_before_101(t):
    t.ask()
    t.server(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    t.answer()
    t.end()


@edge("warning hs-unanswered")
def unanswered_fin(t):
    t.ask()
    t.finish()


@edge("warning hs-unanswered")
def unanswered_rst(t):
    t.ask()
    t.packet(SERVER, RST | ACK)


@edge(NONE)
def unanswered_file_ends(t):
    t.ask()


@edge(NONE)
def answer_lost(t):
    """The FIN's sequence number shows that the server had sent something."""
    t.ask()
    t.seq[SERVER] += 129
    t.finish()


@edge(NONE)
def answer_lost_then_rst(t):
    t.ask()
    t.seq[SERVER] += 129
    t.packet(SERVER, RST | ACK)


@edge(NONE)
def answer_lost_client_resets(t):
    """The client's acknowledgement shows it."""
    t.ask()
    t.seq[SERVER] += 129
    t.packet(CLIENT, RST | ACK)


# ---- subprotocols ----

def offers(text):
    return adding(b"Sec-WebSocket-Protocol: " + text)


whole("subprotocol_of_two_lines", NONE,
      adding(b"Sec-WebSocket-Protocol: chat", b"Sec-WebSocket-Protocol: superchat"), offers(b"superchat"))
whole("subprotocol_other_case", "error hs-subprotocol-not-offered", offers(b"chat"), offers(b"Chat"))
whole("subprotocol_nothing_offered", "error hs-subprotocol-not-offered", adding(), offers(b"chat"))
whole("subprotocol_declined", NONE, offers(b"chat"))
whole("subprotocol_two_chosen", "error hs-subprotocol-multiple", offers(b"a, b"), offers(b"a, b"))
whole("subprotocol_twice_chosen", "error hs-subprotocol-multiple", offers(b"a, b"),
      adding(b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: a"))
whole("subprotocol_no_token", "warning hs-subprotocol-offer-invalid", offers(b"chat room, b"))
whole("subprotocol_with_slash", "warning hs-subprotocol-offer-invalid", offers(b"chat/1"))
whole("subprotocol_token_marks", NONE, offers(b"v12.stomp, a!#$%&'*+-.^_`|~9"))
whole("subprotocol_same_but_case", NONE, offers(b"chat, Chat"), offers(b"Chat"))
whole("subprotocol_offered_empty", "warning hs-subprotocol-offer-invalid", offers(b""))

# ---- extensions ----

def extensions(text):
    return adding(b"Sec-WebSocket-Extensions: " + text)


PMD = b"permessage-deflate"
DEFLATE = {"ask": extensions(PMD), "answer": extensions(PMD)}

whole("extension_declined", NONE, extensions(PMD))
whole("extension_not_offered", "error hs-extension-not-offered", adding(), extensions(PMD))
whole("extension_unknown_offered", NONE, extensions(b"foo; bar=baz; \x71, x"))
whole("extension_unknown_agreed", "note hs-extension-unknown", extensions(b"foo"), extensions(b"foo; a"))
whole("extension_two_lines", NONE,
      adding(b"Sec-WebSocket-Extensions: foo", b"Sec-WebSocket-Extensions: " + PMD), extensions(PMD))
whole("extension_answer_fits_faulty_offer", "error deflate-param-value, error deflate-client-window-not-offered",
      extensions(PMD + b"; client_max_window_bits=99, " + PMD), extensions(PMD + b"; client_max_window_bits=10"))
whole("extension_answer_fits_good_offer", "error deflate-param-value",
      extensions(PMD + b"; client_max_window_bits=99, " + PMD), extensions(PMD))
whole("extension_quoted_value", NONE, extensions(PMD + b'; client_max_window_bits="1\\0"'))
whole("extension_quote_open", "error hs-extension-grammar", extensions(PMD + b'; a="1'))
whole("extension_quoted_no_token", "error hs-extension-grammar", extensions(b'foo; a="1 2"'))
whole("extension_empty_value", "error hs-extension-grammar", extensions(b"foo; a="))
whole("extension_trailing_semicolon", "error hs-extension-grammar", extensions(b"foo;"))
whole("extension_trailing_comma", NONE, extensions(b"foo,"))
whole("extension_empty_header", "error hs-extension-grammar", extensions(b""))
whole("extension_only_commas", "error hs-extension-grammar", extensions(b" , ,"))
whole("extension_no_separator", "error hs-extension-grammar", extensions(b"foo bar"))
whole("extension_blanks", NONE, extensions(b"foo ; a = 1 , " + PMD + b" ; client_max_window_bits"))
whole("extension_slash", "error hs-extension-grammar", extensions(b"foo/1"))
whole("extension_answer_faulty", "error hs-extension-grammar", extensions(PMD), extensions(PMD + b"; ="))

# ---- permessage-deflate, what is agreed ----

def deal(name, due, offer, answer=None):
    whole(name, due, extensions(PMD + offer), extensions(PMD + answer) if answer is not None else adding())


deal("pmd_unknown_in_offer", "error deflate-param-unknown", b"; max_window_bits=10")
deal("pmd_unknown_in_answer", "error deflate-param-unknown", b"", b"; foo")
deal("pmd_repeated_in_offer", "error deflate-param-repeated",
     b"; server_no_context_takeover; server_no_context_takeover")
deal("pmd_repeated_in_answer", "error deflate-param-repeated", b"",
     b"; server_no_context_takeover; SERVER_no_context_takeover")
deal("pmd_bits_8", NONE, b"; server_max_window_bits=8; client_max_window_bits=8",
     b"; server_max_window_bits=8; client_max_window_bits=8")
deal("pmd_bits_15", NONE, b"; client_max_window_bits=15", b"; client_max_window_bits=15")
deal("pmd_bits_16", "error deflate-param-value", b"; client_max_window_bits=16")
deal("pmd_bits_7_answer", "error deflate-param-value", b"", b"; server_max_window_bits=7")
deal("pmd_bits_08", "error deflate-param-value", b"; client_max_window_bits=08")
deal("pmd_bits_empty_text", "error deflate-param-value", b"; server_max_window_bits=a")
deal("pmd_server_bits_without_value", "error deflate-param-value", b"; server_max_window_bits")
deal("pmd_client_bits_without_value_in_answer", "error deflate-param-value", b"; client_max_window_bits",
     b"; client_max_window_bits")
deal("pmd_takeover_with_value", "error deflate-param-value", b"; server_no_context_takeover=1")
deal("pmd_bits_quoted", NONE, b'; server_max_window_bits="10"', b'; server_max_window_bits="10"')
deal("pmd_client_bits_not_offered", "error deflate-client-window-not-offered", b"", b"; client_max_window_bits=10")
deal("pmd_client_bits_smaller", NONE, b"; client_max_window_bits=12", b"; client_max_window_bits=10")
# RFC 7692 7.1.2.2: the value of an offer is a hint, which "the server may either ignore" or use.
deal("pmd_client_bits_larger", NONE, b"; client_max_window_bits=10", b"; client_max_window_bits=12")
deal("pmd_server_bits_refused", "error deflate-server-window-refused", b"; server_max_window_bits=10", b"")
deal("pmd_server_bits_larger", "error deflate-server-window-refused", b"; server_max_window_bits=10",
     b"; server_max_window_bits=11")
deal("pmd_server_bits_smaller", NONE, b"; server_max_window_bits=10", b"; server_max_window_bits=9")
deal("pmd_server_bits_unasked", NONE, b"", b"; server_max_window_bits=9")
deal("pmd_takeover_refused", "error deflate-takeover-refused", b"; server_no_context_takeover", b"")
deal("pmd_takeover_unasked", NONE, b"", b"; server_no_context_takeover; client_no_context_takeover")
deal("pmd_client_takeover_ignored", NONE, b"; client_no_context_takeover", b"")
deal("pmd_second_offer_fits", NONE, b"; server_max_window_bits=10, permessage-deflate", b"")
deal("pmd_faulty_offer_not_compared", "error deflate-param-value",
     b"; server_no_context_takeover=1; server_max_window_bits=9", b"")

# ---- frames ----

KEY0 = b"\0\0\0\0"


def raw(name, due, *pieces, ask=adding(), answer=adding(), end=True):
    """An edge of raw bytes: ("up" or "down", bytes)."""
    def talk(t):
        t.start(ask, answer)
        for side, data in pieces:
            (t.client if side == "up" else t.server)(data)
        if end:
            t.end()
    EDGES.append((name, talk, due))
    OF_FRAMES.add(name)


raw("mask_missing_empty", "error frame-mask-missing", ("up", frame(1)))
raw("mask_of_server_empty", "error frame-mask-unexpected", ("down", frame(1, b"", b"\1\2\3\4")))
raw("key_zero_twice", "note frame-mask-key-zero", ("up", frame(1, b"a", KEY0)), ("up", frame(1, b"b", KEY0)))
raw("key_zero_without_payload", NONE, ("up", frame(1, b"", KEY0)))
raw("key_reused_run", "warning frame-mask-key-reused", *[("up", frame(2, b"a", b"\1\2\3\4"))] * 4)
raw("key_reused_two_runs", "warning frame-mask-key-reused, warning frame-mask-key-reused",
    *[("up", frame(2, b"a", b"\1\2\3\4"))] * 2, ("up", frame(2, b"a", b"\1\2\3\5")),
    *[("up", frame(2, b"a", b"\1\2\3\4"))] * 2)
raw("key_reused_later", NONE, ("up", frame(2, b"a", b"\1\2\3\4")), ("up", frame(2, b"a", b"\1\2\3\5")),
    ("up", frame(2, b"a", b"\1\2\3\4")))
raw("key_reused_empty_frames", NONE, *[("up", frame(2, b"", b"\1\2\3\4"))] * 3)
raw("key_reused_around_empty", "warning frame-mask-key-reused", ("up", frame(2, b"a", b"\1\2\3\4")),
    ("up", frame(2, b"", b"\4\4\4\4")), ("up", frame(2, b"a", b"\1\2\3\4")))

for rsv in (1, 2, 4):
    framed(f"rsv_{rsv}", "error frame-rsv-nonzero", ("down", 2, b"x", {"rsv": rsv}))
    framed(f"rsv_{rsv}_unknown_extension", "note hs-extension-unknown", ("down", 2, b"x", {"rsv": rsv}),
           ask=extensions(b"foo"), answer=extensions(b"foo"))
framed("rsv2_with_pmd", "error frame-rsv-nonzero", ("down", 2, b"x", {"rsv": 2}), **DEFLATE)
framed("rsv1_ping_with_pmd", "error deflate-rsv1-misplaced", ("down", 9, b"", {"rsv": 4}), ("up", 10, b""),
       **DEFLATE)
framed("rsv1_rsv3_ping_with_pmd", "error deflate-rsv1-misplaced, error frame-rsv-nonzero",
       ("down", 9, b"", {"rsv": 5}), ("up", 10, b""), **DEFLATE)
framed("rsv1_continuation_with_pmd", "error deflate-rsv1-misplaced", ("down", 2, b"x", {"fin": False}),
       ("down", 0, b"y", {"rsv": 4}), **DEFLATE)
framed("rsv1_opcode3_with_pmd", "error frame-opcode-reserved", ("down", 3, b"x", {"rsv": 4}), **DEFLATE)
framed("rsv1_opcode3", "error frame-opcode-reserved", ("down", 3, b"x", {"rsv": 7}))
framed("rsv1_opcode11", "error frame-opcode-reserved, error frame-rsv-nonzero", ("down", 11, b"x", {"rsv": 4}))
framed("rsv1_opcode11_with_pmd", "error frame-opcode-reserved, error deflate-rsv1-misplaced",
       ("down", 11, b"x", {"rsv": 4}), **DEFLATE)
for opcode in (3, 7, 11, 15):
    framed(f"opcode_{opcode}", "error frame-opcode-reserved", ("up", opcode, b"x"))
# RFC 6455 5.2 and 5.8: an extension may define opcodes.
framed("opcode_unknown_extension", "note hs-extension-unknown", ("up", 3, b"x"), ("up", 11, b"x"),
       ask=extensions(b"foo"), answer=extensions(b"foo"))

raw("length_125_in_16_bits", "error frame-length-not-minimal", ("down", b"\x82\x7e\0\x7d" + b"x" * 125))
raw("length_126_in_16_bits", NONE, ("down", b"\x82\x7e\0\x7e" + b"x" * 126))
raw("length_0_in_16_bits", "error frame-length-not-minimal", ("down", b"\x82\x7e\0\0"))
raw("length_65535_in_64_bits", "error frame-length-not-minimal",
    ("down", b"\x82\x7f" + (65535).to_bytes(8, "big") + b"x" * 65535))
raw("length_65536_in_64_bits", NONE, ("down", b"\x82\x7f" + (65536).to_bytes(8, "big") + b"x" * 65536))
raw("length_msb", "error frame-length-msb", ("down", b"\x82\x7f\x80" + b"\0" * 6 + b"\x01x"))
framed("control_125", "chat pong-unsolicited", ("down", 10, b"x" * 125))
framed("control_126", "error frame-control-too-long, chat pong-unsolicited", ("down", 9, b"x" * 126),
       ("up", 10, b"x" * 125))
framed("control_126_answered_alike", "error frame-control-too-long, error frame-control-too-long",
       ("down", 9, b"x" * 126), ("up", 10, b"x" * 126))
framed("control_fragmented", "error frame-control-fragmented", ("down", 9, b"x", {"fin": False}), ("up", 10, b"x"))
framed("control_126_reserved", "error frame-control-too-long, error frame-opcode-reserved",
       ("down", 11, b"x" * 126))
raw("control_5_in_16_bits", "error frame-length-not-minimal", ("down", b"\x89\x7e\0\x05hello"),
    ("up", frame(10, b"hello", b"\1\1\1\1")))

framed("orphan", "error frame-continuation-orphan", ("down", 0, b"x"))
framed("orphan_after_message", "error frame-continuation-orphan", ("down", 1, b"x"), ("down", 0, b"y"))
framed("continued_around_ping", NONE, ("down", 1, b"x", {"fin": False}), ("down", 9, b"p"), ("up", 10, b"p"),
       ("down", 0, b"y"))
framed("interleaved_final", "error frame-message-interleaved", ("down", 1, b"x", {"fin": False}), ("down", 1, b"y"),
       ("down", 0, b"z"))
framed("interleaved_other_direction", NONE, ("down", 1, b"x", {"fin": False}), ("up", 1, b"y"), ("down", 0, b"z"))

# ---- text ----

BAD = "error message-utf8-invalid"
for name, text, due in (
        ("overlong_2", b"\xc0\xaf", BAD), ("overlong_3", b"\xe0\x9f\xbf", BAD), ("overlong_4", b"\xf0\x8f\xbf\xbf", BAD),
        ("surrogate", b"\xed\xa0\x80", BAD), ("below_surrogates", b"\xed\x9f\xbf", NONE), ("above_surrogates", b"\xee\x80\x80", NONE),
        ("highest", b"\xf4\x8f\xbf\xbf", NONE), ("over_highest", b"\xf4\x90\x80\x80", BAD), ("ff", b"\xff", BAD),
        ("alone", b"\x80", BAD), ("cut", b"\xe2\x82", BAD), ("noncharacter", b"\xef\xbf\xbf", NONE), ("nul", b"a\0b", NONE)):
    framed("utf8_" + name, due, ("down", 1, b"text " + text))
    framed("utf8_binary_" + name, NONE, ("down", 2, b"text " + text))
    framed("utf8_pieces_" + name, due, ("down", 1, b"text " + text[:1], {"fin": False}), ("down", 0, text[1:2], {"fin": False}),
           ("down", 0, text[2:3], {"fin": False}), ("down", 0, text[3:]))
framed("utf8_bad_in_two_fragments", BAD, ("down", 1, b"a\xff", {"fin": False}), ("down", 0, b"b\xff"))


def deflated(text):
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


framed("utf8_bad_compressed", BAD, ("down", 1, deflated(b"a\xff"), {"rsv": 4}), **DEFLATE)
framed("utf8_good_compressed", NONE, ("down", 1, deflated("a\u20ac".encode()), {"rsv": 4}), **DEFLATE)
framed("utf8_split_compressed", NONE, ("down", 1, deflated("a\u20ac".encode())[:3], {"rsv": 4, "fin": False}),
       ("down", 0, deflated("a\u20ac".encode())[3:]), **DEFLATE)
# What an extension that is not known makes of a payload is not known either.
framed("utf8_unknown_extension_rsv", "note hs-extension-unknown", ("down", 1, b"a\xff", {"rsv": 2}),
       ask=extensions(b"foo"), answer=extensions(b"foo"))
framed("utf8_unknown_extension", "note hs-extension-unknown, warning message-utf8-invalid", ("down", 1, b"a\xff"),
       ask=extensions(b"foo"), answer=extensions(b"foo"))


@edge("warning message-unfinished, warning close-missing")
def unfinished_fin(t):
    t.start()
    t.down(1, b"begun", fin=False)
    t.finish()


@edge("warning message-unfinished, warning close-missing")
def unfinished_inside_frame(t):
    t.start()
    t.server(frame(1, b"0123456789")[:7])
    t.finish()


@edge("warning message-unfinished")
def unfinished_but_closed(t):
    t.start()
    t.down(1, b"begun", fin=False)
    t.end()


@edge(NONE)
def unfinished_file_ends(t):
    t.start()
    t.down(1, b"begun", fin=False)


@edge("warning stream-gap")
def unfinished_tail_lost(t):
    """What would have finished it lies in the bytes that the capture lacks."""
    t.start()
    t.down(1, b"begun", fin=False)
    t.seq[SERVER] += 10
    t.finish()


@edge("warning stream-gap")
def unfinished_tail_lost_rst(t):
    t.start()
    t.down(1, b"begun", fin=False)
    t.seq[SERVER] += 10
    t.packet(SERVER, RST | ACK)


@edge("warning stream-gap")
def unfinished_tail_lost_client_resets(t):
    t.start()
    t.down(1, b"begun", fin=False)
    t.seq[SERVER] += 10
    t.packet(CLIENT, RST | ACK)


# ---- closing ----

def closed(name, due, body, **more):
    def talk(t):
        t.start()
        t.down(8, body, **more)
        t.up(8, b"\x03\xe8")
        t.finish()
    EDGES.append((name, talk, due))
    OF_FRAMES.add(name)


for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
    closed(f"code_{code}", "error close-code-invalid, chat close-echo-differs", code.to_bytes(2, "big"))
for code in (1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3003, 3008, 4000, 4999):
    closed(f"code_{code}", "chat close-echo-differs", code.to_bytes(2, "big"))
for code in (3001, 3999):
    closed(f"code_{code}", "note close-code-unregistered, chat close-echo-differs", code.to_bytes(2, "big"))
closed("code_1010_of_server", "note close-code-wrong-role, chat close-echo-differs", (1010).to_bytes(2, "big"))
closed("close_one_byte", "error close-body-one-byte", b"\x03")
closed("close_empty", NONE, b"")
closed("reason_bad", "error close-reason-utf8", b"\x03\xe8\xc0\x80")
closed("reason_cut", "error close-reason-utf8", b"\x03\xe8\xe2\x82")
closed("reason_good", NONE, b"\x03\xe8" + "\u20ac".encode())
closed("reason_123", NONE, b"\x03\xe8" + b"r" * 123)
closed("reason_124", "error frame-control-too-long", b"\x03\xe8" + b"r" * 124)


@edge("note close-code-wrong-role")
def code_1011_of_client(t):
    t.start()
    t.up(8, (1011).to_bytes(2, "big"))
    t.down(8)
    t.finish()


@edge("note close-code-wrong-role")
def code_1010_of_client(t):
    """The server's echo is the wrong one."""
    t.start()
    t.up(8, (1010).to_bytes(2, "big"))
    t.down(8, (1010).to_bytes(2, "big"))
    t.finish()


@edge("error close-data-after, warning close-control-after, warning close-control-after, chat pong-unsolicited")
def after_close(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.down(2, b"late")
    t.down(10, b"")
    t.down(8, b"\x03\xe8")
    t.up(8, b"\x03\xe8")
    t.finish()


@edge(NONE)
def data_of_other_side_after_close(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.up(2, b"on its way")
    t.up(8, b"\x03\xe8")
    t.finish()


@edge("warning close-unanswered")
def close_half(t):
    """Half a Close is none."""
    t.start()
    t.up(8, b"\x03\xe8")
    t.server(frame(8, b"\x03\xe8")[:2])
    t.finish()


@edge("warning close-missing")
def close_half_of_one_side(t):
    t.start()
    t.server(frame(8, b"\x03\xe8bye")[:4])
    t.finish()


@edge(NONE)
def closes_cross(t):
    """The server had not received the client's Close: its own is no answer to that."""
    t.start()
    before = t.seq[CLIENT]
    t.piece(CLIENT, 8, b"\x03\xe9")
    behind, t.seq[CLIENT] = t.seq[CLIENT], before
    t.piece(SERVER, 8, b"\x03\xe8")
    t.seq[CLIENT] = behind
    t.packet(CLIENT, ACK)
    t.packet(SERVER, ACK)
    t.finish()


@edge("warning close-unanswered")
def close_unanswered(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.finish()


@edge(NONE)
def close_unanswered_file_ends(t):
    t.start()
    t.down(8, b"\x03\xe8")


@edge("warning stream-gap")
def close_answer_lost(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.seq[CLIENT] += 8
    t.finish()


@edge("warning stream-gap")
def close_answer_lost_rst(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.seq[CLIENT] += 8
    t.packet(CLIENT, RST | ACK)


@edge("warning stream-gap")
def close_answer_lost_other_resets(t):
    t.start()
    t.down(8, b"\x03\xe8")
    t.seq[CLIENT] += 8
    t.packet(SERVER, RST | ACK)


@edge("warning close-missing")
def close_missing_fin(t):
    t.start()
    t.down(1, b"bye")
    t.finish()


@edge("warning close-missing")
def close_missing_rst(t):
    t.start()
    t.down(1, b"bye")
    t.packet(CLIENT, RST)


@edge(NONE)
def close_missing_one_fin_only(t):
    t.start()
    t.packet(SERVER, FIN | ACK)


@edge("warning stream-gap")
def close_in_lost_bytes(t):
    t.start()
    t.down(1, b"bye")
    t.seq[SERVER] += 4
    t.finish()


@edge("warning stream-gap")
def close_in_lost_bytes_rst(t):
    t.start()
    t.down(1, b"bye")
    t.seq[SERVER] += 4
    t.packet(SERVER, RST)


@edge("warning close-missing")
def rst_with_number_of_nothing(t):
    """A RST without ACK in answer to a late segment carries that segment's acknowledgement number."""
    t.start()
    t.down(1, b"bye")
    t.packet(CLIENT, RST)
    t.packet(SERVER, RST)


CAUSE = b"[0x2a5b4f8:1471] TCP retransmit timeout"  # what a load balancer puts into a RST (RFC 9293 3.5.3)


@edge(NONE)
def rst_with_text_behind_close(t):
    t.start()
    t.up(8, b"\x03\xe8")
    t.down(8, b"\x03\xe8")
    t.packet(SERVER, RST | ACK, CAUSE)


@edge("warning message-unfinished, warning close-missing")
def rst_with_text_in_frame(t):
    t.start()
    t.server(frame(1, b"0123456789" * 5)[:30])
    t.packet(SERVER, RST | ACK, CAUSE)


@edge("warning hs-unanswered")
def rst_with_text_before_answer(t):
    t.ask()
    t.packet(SERVER, RST | ACK, CAUSE)


@edge("error frame-mask-missing")
def rst_outside_window_late(t):
    """Its receiver has acknowledged bytes behind it: it ends nothing (RFC 9293 3.10.7.4)."""
    t.start()
    t.up(1, b"a")
    t.packet(CLIENT, RST, data_seq=t.seq[CLIENT] - 200000)
    t.client(frame(1, b"without a key"))
    t.end()


@edge("warning close-missing")
def rst_behind_by_a_fin_late(t):
    """It answers what was sent before the FIN had come."""
    t.start()
    t.packet(SERVER, FIN | ACK)
    t.packet(CLIENT, ACK)
    t.packet(SERVER, RST | ACK, data_seq=t.seq[SERVER] - 1)


@edge("note hs-refused")
def content_behind_refusal(t):
    t.ask(adding(b"Content-Length: 10"))
    t.server(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    t.client(b"helloworld")
    t.finish()


# ---- Ping and Pong ----

framed("ping_answered", NONE, ("down", 9, b"a"), ("up", 10, b"a"))
framed("ping_two_one_answer", NONE, ("down", 9, b"a"), ("down", 9, b"b"), ("up", 10, b"b"))
framed("pong_for_older", NONE, ("down", 9, b"a"), ("down", 9, b"b"), ("up", 10, b"a"), ("up", 10, b"b"))
framed("pong_other_payload", "chat pong-unsolicited", ("down", 9, b"a"), ("up", 10, b"x"))
framed("pong_unsolicited", "chat pong-unsolicited", ("up", 10, b"x"))
framed("ping_then_close", NONE, ("down", 9, b"a"))


@edge("note ping-unanswered, warning close-missing")
def ping_unanswered(t):
    t.start()
    t.down(9, b"a")
    t.finish()


@edge("note ping-unanswered, warning close-missing")
def ping_unanswered_after_answered(t):
    t.start()
    t.down(9, b"a")
    t.up(10, b"a")
    t.down(9, b"b")
    t.finish()


@edge("warning stream-gap")
def ping_answer_lost(t):
    t.start()
    t.down(9, b"a")
    t.seq[CLIENT] += 7
    t.finish()


@edge("warning close-missing")
def pong_before_late_ping(t):
    t.start()
    t.piece(CLIENT, 9, b"a")
    t.piece(SERVER, 10, b"a")
    t.swap()
    t.finish()


@edge("note ping-unanswered, warning close-missing")
def pong_before_late_ping_and_one_more(t):
    t.start()
    t.piece(CLIENT, 9, b"a")
    t.piece(SERVER, 10, b"a")
    t.swap()
    t.up(9, b"a")
    t.finish()


# ---- early data ----

@edge("error hs-early-data")
def early_whole_frame(t):
    t.ask()
    t.up(1, b"early")
    t.answer()
    t.end()


@edge("error hs-early-data")
def early_part_of_frame(t):
    t.ask()
    whole_frame = frame(1, b"early", t.key())
    t.client(whole_frame[:3])
    t.answer()
    t.client(whole_frame[3:])
    t.end()


REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@edge("note hs-refused, error hs-early-data")
def early_frame_refused(t):
    t.ask()
    t.up(1, b"early")
    t.server(REFUSAL)
    t.finish()


@edge("note hs-refused")
def early_request_refused(t):
    t.ask()
    t.client(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
    t.server(REFUSAL)
    t.finish()


# ---- what compression says ----

def offered(text):
    return {"ask": extensions(PMD + text), "answer": extensions(PMD + text)}


def referring(*texts):
    """Messages with references to those before."""
    packer = zlib.compressobj(wbits=-15)
    return [(packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]


def noise(count, seed=1):
    out = bytearray()
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(seed >> 16 & 0xFF)
    return bytes(out)


ONE, TWO = referring(noise(100), noise(100))
framed("takeover_used", NONE, ("down", 2, ONE, {"rsv": 4}), ("down", 2, TWO, {"rsv": 4}), **DEFLATE)
framed("takeover_violated", "error deflate-takeover-violated", ("down", 2, ONE, {"rsv": 4}), ("down", 2, TWO, {"rsv": 4}),
       **offered(b"; server_no_context_takeover"))
framed("takeover_of_other_side", NONE, ("down", 2, ONE, {"rsv": 4}), ("down", 2, TWO, {"rsv": 4}),
       **offered(b"; client_no_context_takeover"))
FAR = deflated(noise(300) + noise(300))
NEAR = deflated(noise(256) + noise(256))
framed("window_256_exceeded", "error deflate-window-exceeded", ("down", 2, FAR, {"rsv": 4}), **offered(b"; server_max_window_bits=8"))
framed("window_256_kept", NONE, ("down", 2, NEAR, {"rsv": 4}), **offered(b"; server_max_window_bits=8"))
framed("window_512_kept", NONE, ("down", 2, FAR, {"rsv": 4}), **offered(b"; server_max_window_bits=9"))
framed("window_of_other_side", NONE, ("down", 2, FAR, {"rsv": 4}), **offered(b"; client_max_window_bits=8"))
framed("tail_kept", "warning deflate-tail-kept", ("down", 2, deflated(b"abc") + b"\0\0\xff\xff", {"rsv": 4}), **DEFLATE)
framed("tail_of_data", NONE, ("down", 2, b"\0\4\0\xfb\xff\0\0\xff\xff\0", {"rsv": 4}), **DEFLATE)
framed("bfinal", NONE, ("down", 2, zlib.compress(b"abc", wbits=-15) + b"\0", {"rsv": 4}), **DEFLATE)
framed("empty_message", NONE, ("down", 2, b"\0", {"rsv": 4}), **DEFLATE)
framed("not_deflate", "error deflate-failed", ("down", 2, b"\x07abc", {"rsv": 4}), **DEFLATE)
framed("cut_deflate", "error deflate-failed", ("down", 2, deflated(noise(50))[:20], {"rsv": 4}), **DEFLATE)
framed("after_failure_context", "error deflate-failed, warning deflate-context-lost", ("down", 2, ONE, {"rsv": 4}),
       ("down", 2, b"\x07abc", {"rsv": 4}), ("down", 2, TWO, {"rsv": 4}), **DEFLATE)
framed("after_failure_no_takeover", "error deflate-failed", ("down", 2, b"\x07abc", {"rsv": 4}), ("down", 2, ONE, {"rsv": 4}),
       **offered(b"; server_no_context_takeover"))
framed("unknown_extension_noise", "note hs-extension-unknown", ("down", 1, b"\xaa\xbb\xcc", {"rsv": 4}),
       ask=extensions(b"foo"), answer=extensions(b"foo"))
framed("faulty_answer_rsv", "error hs-extension-grammar", ("down", 2, b"\xaa\xbb\xcc", {"rsv": 4}), ("down", 2, b"\xaa", {"rsv": 2}),
       ask=extensions(PMD), answer=extensions(b"@, " + PMD))


# Which of two was compressed first is not known where one is sent inside the other.
CROSSED = referring(*[noise(100)] * 4)
for takeover, due in ((b"", 3 * ", warning deflate-context-lost"), (b"; server_no_context_takeover", "")):
    texts = CROSSED if due else [deflated(noise(100))] * 4
    framed(f"interleaved_compressed{takeover.decode()}", "error frame-message-interleaved" + due,
           ("down", 2, texts[0], {"rsv": 4}), ("down", 2, texts[1][:4], {"rsv": 4, "fin": False}),
           ("down", 2, texts[2], {"rsv": 4}), ("down", 0, texts[1][4:]), ("down", 2, texts[3], {"rsv": 4}),
           **offered(takeover))
framed("interleaved_plain", "error frame-message-interleaved", ("down", 2, CROSSED[0], {"rsv": 4}),
       ("down", 2, CROSSED[1][:4], {"rsv": 4, "fin": False}), ("down", 2, b"plain"), ("down", 0, CROSSED[1][4:]),
       ("down", 2, CROSSED[2], {"rsv": 4}), **DEFLATE)
BESIDE = {"ask": extensions(PMD + b", foo"), "answer": extensions(PMD + b", foo")}
framed("altered_and_compressed", "note hs-extension-unknown", ("down", 1, b"\xaa\xbb\xcc\xdd", {"rsv": 6}), **BESIDE)
framed("perhaps_altered", "note hs-extension-unknown, warning deflate-failed", ("down", 1, b"\xaa\xbb\xcc\xdd", {"rsv": 4}),
       **BESIDE)


@edge("note hs-extension-unknown")
def close_altered(t):
    t.start(**BESIDE)
    t.down(8, b"\0\0\xff\xff", rsv=2)
    t.up(8, b"\x03\xe8")
    t.finish()


@edge("warning stream-gap, warning deflate-context-lost")
def context_lost_by_gap(t):
    t.start(**DEFLATE)
    t.down(2, ONE, rsv=4)
    data = frame(2, deflated(noise(300, 7)), rsv=4)
    t.server(data[:100])
    t.seq[SERVER] += 100
    t.server(data[200:])
    t.down(2, TWO, rsv=4)
    t.down(2, b"z")
    t.end()


# ---- keys ----

@edge(NONE)
def key_first_use(t):
    t.start(*keyed(b"cmVwZWF0ZWQga2V5IDAxIQ=="))
    t.end()


@edge("warning hs-key-reused")
def key_second_use(t):
    t.start(*keyed(b"cmVwZWF0ZWQga2V5IDAxIQ=="))
    t.end()


@edge("note hs-refused")
def key_same_connection(t):
    ask, answer = keyed(b"cmVwZWF0ZWQga2V5IDAyIQ==")
    t.ask(ask)
    t.server(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
    t.repeat(ask)
    t.answer(answer)
    t.end()


# ---- credentials ----

def target(path):
    return first_line(b"GET " + path + b" HTTP/1.1")


SECRET = b"S3CR3Tvalue"
CREDENTIALS = "note hs-cleartext-credentials"
for number, edit in enumerate((
        adding(b"Cookie: sid=" + SECRET), adding(b"Authorization: Basic " + SECRET),
        target(b"/?token=" + SECRET), target(b"/a?x=1&Access_Token=" + SECRET), target(b"/?api_key=" + SECRET),
        target(b"/?%74oken=" + SECRET), target(b"/?sessionid=" + SECRET), target(b"/?v=eyJhbGciOiJ9.eyJzdWIiOiJ9." + SECRET),
        offers(b"chat, bearer." + SECRET), offers(b"access_token, " + SECRET),
        offers(b"base64url.bearer.authorization.k8s.io." + SECRET + b", v4.channel.k8s.io"))):
    whole(f"credential_{number}", CREDENTIALS, edit)
whole("credential_in_wrong_choice", CREDENTIALS + ", error hs-subprotocol-not-offered",
      offers(b"base64url.bearer.authorization.k8s.io." + SECRET + b", v4.channel.k8s.io"), offers(b"v5.channel.k8s.io"))
whole("credential_name_is_no_beginning", NONE, target(b"/?mytoken=1&x_auth=2"))
whole("credential_name_in_path", NONE, target(b"/token=1"))
whole("credential_repeated", CREDENTIALS + ", warning hs-subprotocol-offer-invalid", offers(b"token." + SECRET + b", token." + SECRET))


OF_FRAMES |= {"unfinished_fin", "unfinished_inside_frame", "unfinished_but_closed", "unfinished_file_ends",
              "code_1011_of_client", "code_1010_of_client", "after_close", "data_of_other_side_after_close",
              "close_unanswered", "close_unanswered_file_ends", "close_missing_fin", "ping_unanswered",
              "ping_unanswered_after_answered"}


def write(path, edges=None):
    packets = []
    for number, (_, function, _) in enumerate(edges or EDGES):
        function(Talk(packets, number))
    last = Talk(packets, 0)
    last.save(path)


def due_of(text):
    return sorted(x.strip() for x in text.split(",") if x.strip())


def findings(env, path, *options):
    """{stream: ["severity rule"]} and all that was printed."""
    seen, least, text = collections.defaultdict(list), {}, ""
    for severity in SEVERITIES:
        text = run_cases.checked(env.tshark(["-q", *options, "-z", f"websocket,check,{severity}"], path), "check")
        for line in text.splitlines():
            found = re.match(r"(\d+) (\d+) ([a-z0-9-]+): ", line)
            if found:
                least[line] = severity
        if severity == "chat":
            everything = text
    for line in everything.splitlines():
        found = re.match(r"(\d+) (\d+) ([a-z0-9-]+): ", line)
        if found:
            seen[int(found[2])].append(f"{least[line]} {found[3]}")
    return seen, everything


def compare(env, path, *options, edges=EDGES):
    problems = []
    seen, text = findings(env, path, *options)
    stream = 0
    for name, _, due in edges:
        got = sorted(seen.get(stream, []))
        if name == "key_same_connection":  # two requests
            got = sorted(got + seen.get(stream + 1, []))
            stream += 1
        stream += 1
        if got != due_of(due):
            problems.append(f"{name}: due {', '.join(due_of(due)) or 'nothing'}; got {', '.join(got) or 'nothing'}")
    if stream <= max(seen):
        problems.append(f"{max(seen) + 1} streams, {stream} expected")
    if SECRET.decode() in text:
        problems.append("a secret is printed")
    return problems


MAKING = threading.Lock()


def capture(env, found={}):
    """The capture of all edges, made once."""
    with MAKING:
        if env not in found:
            path = env.new_path(".pcap")
            write(path)
            found[env] = path
    return found[env]


def other_cut(env, mode):
    """Edges with lost or late bytes can't be cut otherwise, nor those that name what was acknowledged, nor a RST's
    text. Wireshark 4.4 hands on a request in small pieces when its content is there, which is behind a refusal."""
    kept = [(name, function, due) for name, function, due in EDGES
            if not any(word in name for word in ("lost", "gap", "late", "cross", "rst_with_text", "behind_refusal"))]
    path, target = env.new_path(".pcap"), env.new_path(".cut")
    write(path, kept)
    done = subprocess.run([sys.executable, "-B", str(TESTS / "recut.py"), str(path), str(target), mode],
                          capture_output=True, text=True)
    if done.returncode:
        return [done.stderr.strip()[-300:]]
    problems = compare(env, target, "-d", "tcp.port==80,http", edges=kept)
    path.unlink()
    target.unlink()
    return problems


def by_packet(env, *options):
    """{packet: rules, sorted} as fields tell it, and as the filters of expert items do."""
    rules = run_cases.rule_severities()
    experts = {f"websocket.expert.{rule.replace('-', '_')}": rule for rule in rules}
    words = [w for field in ("frame.number", "websocket.rule", *experts) for w in ("-e", field)]
    text = run_cases.checked(env.tshark([*options, "-T", "fields", "-E", "separator=|", *words],
                                        capture(env)), "fields")
    listed, filtered = {}, {}
    for line in text.splitlines():
        packet, named, *present = line.split("|")
        if named:
            listed[int(packet)] = sorted(set(named.split(",")))
        marked = sorted(rule for rule, there in zip(experts.values(), present) if there)
        if marked:
            filtered[int(packet)] = marked
    return listed, filtered


def surfaces(env):
    """The check, the field, the filters of expert items, -z expert and the JSON Lines name the same."""
    _, text = findings(env, capture(env))
    due = collections.defaultdict(set)
    for found in re.finditer(r"^(\d+) \d+ ([a-z0-9-]+): ", text, re.M):
        due[int(found[1])].add(found[2])
    due = {packet: sorted(rules) for packet, rules in due.items()}
    problems = []
    for options in ((), ("-2",), ("-Y", "websocket.rule")):
        listed, filtered = by_packet(env, *options)
        for what, got in (("websocket.rule", listed), ("websocket.expert", filtered)):
            problems += [f"{what} {' '.join(options)}: packet {p}: {got.get(p)}, due {due.get(p)}"
                         for p in sorted(set(due) | set(got)) if got.get(p) != due.get(p)][:5]
    lines = collections.defaultdict(set)
    for item in jsonlines.run(env, capture(env)):
        for rule in item.get("rules", []):
            lines[rule].add(item["stream"])
    streams = collections.defaultdict(set)
    for found in re.finditer(r"^\d+ (\d+) ([a-z0-9-]+): ", text, re.M):
        streams[found[2]].add(int(found[1]))
    problems += [f"JSON Lines: {rule} in streams {sorted(lines[rule] ^ streams[rule])}"
                 for rule in sorted(set(lines) | set(streams)) if lines[rule] != streams[rule]]
    expert = run_cases.checked(env.tshark(["-q", "-z", "expert,chat"], capture(env)), "expert")
    counts = collections.Counter(re.sub(r"^\d+ \d+ [a-z0-9-]+: ", "", line) for line in text.splitlines())
    shown = sum(int(found[1]) for found in re.finditer(r"^ +(\d+) +Protocol +WebSocket ", expert, re.M))
    if shown != sum(counts.values()) - 1:
        problems.append(f"-z expert: {shown} findings, {sum(counts.values()) - 1} due")
    return problems


def secrets(env):
    """Findings never print a secret; with websocket.redact the exports of handshakes do not either."""
    problems, target = [], env.new_path(".har")
    expert = run_cases.checked(env.tshark(["-q", "-z", "expert,chat"], capture(env)), "expert")
    told = [line for line in expert.splitlines() if " WebSocket " in line and SECRET.decode() in line]
    problems += [f"-z expert: {line}" for line in told[:3]]
    redact = ["-o", "websocket.redact:TRUE"]
    for item in jsonlines.run(env, capture(env), redact):
        if SECRET.decode() in item.line:
            problems.append(f"JSON Lines: {item.line[:300]}")
    run_cases.checked(env.tshark(["-q", *redact, "-z", f"websocket,har,{target}"], capture(env)), "har")
    if SECRET in target.read_bytes():
        problems.append("the HTTP Archive holds a secret")
    if not any(SECRET.decode() in item.line for item in jsonlines.run(env, capture(env))):
        problems.append("without redacting there is no secret either")
    target.unlink()
    return problems


def tests(env, quick=False):
    yield "rules:edges", lambda: compare(env, capture(env))
    yield "rules:edges:second-pass", lambda: compare(env, capture(env), "-2")
    yield "rules:surfaces", lambda: surfaces(env)
    yield "rules:secrets", lambda: secrets(env)
    for mode in () if quick else ("bytes", "flight"):
        yield f"rules:edges:{mode}", lambda mode=mode: other_cut(env, mode)


def main():
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2])
        return 0
    env = wsxenv.shared()
    failed = 0
    for name, test in tests(env):
        problems = test()
        failed += len(problems)
        print(f"{name}: " + ("\n  ".join(["", *problems]) if problems else "as due"))
    print(f"{len(EDGES)} edges, {failed} problems")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
