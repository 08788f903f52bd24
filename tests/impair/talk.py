#!/usr/bin/env python3
"""Clients and small servers for record-others.sh: protocols that need no program of their own.

    talk.py memcached|smtp|random|binary|tls-binary PORT COUNT      COUNT connections, one after the other
    talk.py serve PORT                                              answers pieces with pieces
    talk.py serve-tls PORT CERTIFICATE KEY                          the same in TLS

The pieces of "binary" follow the habits of binary protocols: lengths in front, MessagePack maps (whose
first byte looks like a WebSocket opcode), counters, ASN.1. The seed is fixed; times and ports are not.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import json
import os
import random
import smtplib
import socket
import socketserver
import ssl
import struct
import sys

HOST = "127.0.0.1"
PIECE_BYTES_MAX = 3000
EXCHANGES_MAX = 12


# --- pieces -------------------------------------------------------------------------------------


def pack(value):
    """MessagePack, as far as it is needed here."""
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value))
    if isinstance(value, str):
        data = value.encode()
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xda"
                + struct.pack(">H", len(data))) + data
    return bytes([value]) if value < 128 else b"\xce" + struct.pack(">I", value)


def message_pack(rng, n):
    return pack({"id": n, "method": rng.choice(("get", "put", "subscribe")),
                 "args": [rng.randrange(1 << 31), "x" * rng.randrange(60)]})


def small_map(rng, n):
    """Begins with 0x81 or 0x82 and a byte with its highest bit set."""
    return pack({"k" * rng.randrange(1, 9): n, "v": "y" * rng.randrange(31)} if n % 2
                else {"value of it": "z" * rng.randrange(31)})


def length_json(rng, n):
    data = json.dumps({"n": n, "text": "w" * rng.randrange(300)}).encode()
    return struct.pack(">I", len(data)) + data


def length_little(rng, n):
    data = rng.randbytes(rng.randrange(200))
    return struct.pack("<HBI", len(data), n, rng.randrange(1 << 32)) + data


def asn1(rng, n):
    value = b"\x02\x01" + bytes([n]) + b"\x04\x10" + rng.randbytes(16)
    return b"\x30\x81" + bytes([len(value)]) + value if n % 2 else b"\x30" + bytes([len(value)]) + value


def samples(rng, n):
    """Numbers that change slowly, as 16 bits each."""
    start = rng.randrange(1 << 16)
    return b"".join(struct.pack(">H", (start + 3 * i) & 0xFFFF) for i in range(100))


def repeated(rng, n):
    return bytes([rng.choice((0, 1, 0x81, 0x82, 0x88, 0xFF))]) * rng.randrange(1, 400)


def latin_text(rng, n):
    return bytes(rng.choice(b"\xe4\xf6\xfc abcdefgh\n") for _ in range(rng.randrange(1, 200)))


BINARY = (message_pack, small_map, length_json, length_little, asn1, samples, repeated, latin_text)


def random_piece(rng, n):
    return rng.randbytes(rng.choice((1, 2, 3, 6, 10, 60, 130, rng.randrange(1, PIECE_BYTES_MAX))))


# --- server: each piece has its length in front in the client's order of sending ------------------


class Handler(socketserver.BaseRequestHandler):
    """The client begins with a line "SEED KIND"; then each side sends pieces of that kind in turn."""

    def handle(self):
        line = b""
        while not line.endswith(b"\n"):
            piece = self.request.recv(1)
            if not piece:
                return
            line += piece
        seed, kind = line.split()
        rng, make = random.Random(int(seed) + 1), KINDS[kind.decode()]
        n = 0
        while self.request.recv(65536):
            n += 1
            self.request.sendall(make(rng, n & 127))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    context = None

    def get_request(self):
        link, address = self.socket.accept()
        if self.context:
            link = self.context.wrap_socket(link, server_side=True)
        return link, address


KINDS = {f.__name__: f for f in (*BINARY, random_piece)}


def serve(port, certificate=None, key=None):
    with Server((HOST, int(port)), Handler) as server:
        if certificate:
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(certificate, key)
            server.context.keylog_filename = os.environ.get("SSLKEYLOGFILE")
        server.serve_forever()


# --- clients ------------------------------------------------------------------------------------


def exchange(link, seed, make):
    rng = random.Random(seed)
    link.sendall(f"{seed} {make.__name__}\n".encode())
    for n in range(rng.randint(2, EXCHANGES_MAX)):
        link.sendall(make(rng, n))
        if not link.recv(65536):
            break


def connections(port, count, kinds, context=None):
    for seed in range(count):
        with socket.create_connection((HOST, port), timeout=5) as link:
            if context:
                with context.wrap_socket(link) as secure:
                    exchange(secure, seed, kinds[seed % len(kinds)])
            else:
                exchange(link, seed, kinds[seed % len(kinds)])


def tls_binary(port, count):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.keylog_filename = os.environ.get("SSLKEYLOGFILE")
    connections(port, count, (*BINARY, random_piece), context)


def memcached_ask(link, rng, binary):
    for n in range(rng.randint(2, 8)):
        key, value = b"key%d" % n, rng.randbytes(rng.randrange(200))
        if binary:
            link.sendall(struct.pack(">BBHBBHIIQ", 0x80, 1, len(key), 8, 0, 0,
                                     8 + len(key) + len(value), n, 0) + bytes(8) + key + value)
            link.recv(65536)
            link.sendall(struct.pack(">BBHBBHIIQ", 0x80, 0, len(key), 0, 0, 0, len(key), n, 0) + key)
        else:
            link.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
            link.recv(65536)
            link.sendall(b"get %s\r\n" % key)
        link.recv(65536)


def memcached(port, count):
    for seed in range(count):
        with socket.create_connection((HOST, port), timeout=5) as link:
            memcached_ask(link, random.Random(seed), seed % 2)


def smtp(port, count):
    for n in range(count):
        with smtplib.SMTP(HOST, port, timeout=5) as mail:
            for m in range(n % 3 + 1):
                mail.sendmail("a@example.com", ["b@example.com"],
                              f"Subject: mail {n}\r\n\r\n" + f"line {m} of the text\r\n" * (n * 2))


def main():
    job, port, *rest = sys.argv[1:]
    if job in ("serve", "serve-tls"):
        serve(port, *rest)
    clients = {"memcached": memcached, "smtp": smtp, "tls-binary": tls_binary,
               "random": lambda p, c: connections(p, c, (random_piece,)),
               "binary": lambda p, c: connections(p, c, BINARY)}
    clients[job](int(port), int(rest[0]))


if __name__ == "__main__":
    main()
