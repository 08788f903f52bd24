"""Conversations of application protocols, made by hand, in the ways in which they come over WebSocket.

A script is a list of Message: who sends, the payload, and what the dissector has to say of it. write()
makes a capture of it: plain, compressed, in fragments, or without its handshake. Every message has a
packet of its own.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import collections
import pathlib
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import craft  # noqa: E402

MODES = ("plain", "deflate", "fragments", "midstream")
KEY = b"\x37\xfa\x21\x3d"

# units: what the message holds, a list of (type, name, id, answers); answers is the number of the
# message in the script that the unit answers, None for none. A name of None: none is shown.
Message = collections.namedtuple("Message", "side payload units problem")


def client(payload, *units, problem=None):
    return Message(craft.CLIENT, payload, list(units), problem)


def server(payload, *units, problem=None):
    return Message(craft.SERVER, payload, list(units), problem)


class Deflater:
    """permessage-deflate of one direction, with context takeover."""

    def __init__(self):
        self.stream = zlib.compressobj(9, zlib.DEFLATED, -15)

    def __call__(self, payload):
        return (self.stream.compress(payload) + self.stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frames(payload, text, key, mode, deflate):
    """The frames of one message, a list of bytes."""
    opcode = 1 if text else 2
    if mode == "deflate":
        return [craft.frame(opcode, deflate(payload), key, rsv=4)]
    if mode == "fragments" and len(payload) > 2:
        third = len(payload) // 3
        parts = [payload[:third], payload[third:2 * third], payload[2 * third:]]
        return [craft.frame(opcode if i == 0 else 0, part, key, fin=i == 2)
                for i, part in enumerate(parts)]
    return [craft.frame(opcode, payload, key)]


def open_connection(talk, uri, lines):
    """Both handshakes; the server accepts what the client asks for."""
    talk.packet(craft.CLIENT, craft.SYN)
    talk.packet(craft.SERVER, craft.SYN | craft.ACK)
    talk.packet(craft.CLIENT, craft.ACK)
    talk.client(b"\r\n".join([
        b"GET " + uri.encode() + b" HTTP/1.1", b"Host: server.example.com:8765",
        b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Key: " + craft.KEY,
        b"Sec-WebSocket-Version: 13", *lines, b"", b""]))
    talk.server(b"\r\n".join([
        b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + craft.accept(), *lines, b"", b""]))


def write(path, script, mode, token=None, uri="/chat"):
    talk = craft.Conversation(mss=60000)
    talk.port[1] = 8765
    request = [b"Sec-WebSocket-Protocol: " + token.encode()] if token else []
    if mode == "deflate":
        request.append(b"Sec-WebSocket-Extensions: permessage-deflate")
    open_connection(talk, uri, request)
    handshake = len(talk.packets)
    deflate = (Deflater(), Deflater())
    for message in script:
        payload, text = message.payload, isinstance(message.payload, str)
        raw = payload.encode() if text else payload
        key = KEY if message.side == craft.CLIENT else None
        for data in frames(raw, text, key, mode, deflate[message.side]):
            talk.send(message.side, data)
    if mode == "midstream":
        del talk.packets[:handshake]
    talk.close()
    talk.save(path)
