"""Byte streams put in TLS, as a capture with its keys.

    packets, secret = tlswrap.wrap([(client port, server port, [("c2s" or "s2c", bytes)])])

Each connection gets a real handshake (OpenSSL on both sides, in memory) and one TLS record, or as many
as it takes, for each piece of bytes. TLS 1.2 with an anonymous key exchange: no certificate is needed.
So there can be TLS connections that Wireshark can decrypt and that have no HTTP request at their begin.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pathlib
import ssl
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import craft  # noqa: E402

SECRETS_TLS = 0x544C534B    # the pcapng type of a TLS key log
SIDE = {"c2s": craft.CLIENT, "s2c": craft.SERVER}
STEP_NS = 10**6


class Peer:
    def __init__(self, context, is_server):
        self.inbox, self.outbox = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inbox, self.outbox, server_side=is_server)

    def shake(self):
        """True when done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


def make_context(kind, key_log):
    context = ssl.SSLContext(kind)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    context.options |= ssl.OP_NO_TICKET
    if key_log:
        context.keylog_filename = key_log
    return context


def connection(contexts, client_port, server_port, pieces):
    c = craft.Conversation()
    c.port = [client_port, server_port]
    c.packet(craft.CLIENT, craft.SYN)
    c.packet(craft.SERVER, craft.SYN | craft.ACK)
    c.packet(craft.CLIENT, craft.ACK)
    peers = [Peer(contexts[0], False), Peer(contexts[1], True)]

    def carry(side):
        data = peers[side].outbox.read()
        if data:
            c.send(side, data)
            peers[1 - side].inbox.write(data)

    done = [False, False]
    while not all(done):
        for side in (craft.CLIENT, craft.SERVER):
            done[side] = done[side] or peers[side].shake()
            carry(side)
    for way, data in pieces:
        peers[SIDE[way]].tls.write(data)
        carry(SIDE[way])
    return c.packets


def wrap(connections):
    """Packets as (time in ns, bytes, length) on Ethernet, one connection after the other; the key log."""
    with tempfile.TemporaryDirectory() as folder:
        key_log = os.path.join(folder, "keys")
        contexts = (make_context(ssl.PROTOCOL_TLS_CLIENT, key_log),
                    make_context(ssl.PROTOCOL_TLS_SERVER, None))
        packets = [p for c in connections for p in connection(contexts, *c)]
        secret = pathlib.Path(key_log).read_bytes() if connections else b""
    return [(craft.FIRST_TIME_NS + n * STEP_NS, p, len(p)) for n, p in enumerate(packets)], secret
