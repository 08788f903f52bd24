#!/usr/bin/env python3
"""Damage a capture at random, the same way for the same seed.

    impair.py CAPTURE OUT --seed N [--skip F] [--cut-end F] [--one-direction c2s|s2c]
              [--drop RATE] [--swap RATE] [--dup RATE] [--snaplen N]

--skip F             leave out the first packets: F of all of them (0.3 is three tenths)
--cut-end F          leave out the last packets
--one-direction WAY  keep only what clients send (c2s) or what servers send (s2c)
--drop RATE          lose packets: each with this probability; 1 or more is a number of packets
--swap RATE          let a packet come up to SWAP_PACKETS_MAX packets too late
--dup RATE           let a packet come once more, up to SWAP_PACKETS_MAX packets later
--snaplen N          keep the first N bytes of each packet

The damage is done in this order. CAPTURE is pcap or pcapng; OUT is pcapng with nanoseconds and carries
the decryption secrets of CAPTURE. Times go up in OUT: a packet that comes late has the time of its new
place. The client of a TCP connection is who sent the SYN, and where that was not captured, who has the
higher port; of UDP, who spoke first.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import dataclasses
import pathlib
import random
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import recut  # noqa: E402

SWAP_PACKETS_MAX = 4     # more than three later segments make TCP itself think of a loss
UDP, TCP = 17, 6


@dataclasses.dataclass(frozen=True)
class Damage:
    """What is done to a capture. The default is nothing."""

    seed: int = 0
    skip: float = 0.0
    cut_end: float = 0.0
    one_direction: str = ""
    drop: float = 0.0
    swap: float = 0.0
    dup: float = 0.0
    snaplen: int = 0

    def words(self):
        parts = [f"{f.name.replace('_', '-')} {getattr(self, f.name)}"
                 for f in dataclasses.fields(self) if f.name != "seed" and getattr(self, f.name)]
        return " ".join(parts) or "nothing"


# --- files --------------------------------------------------------------------------------------


def write_pcapng(path, capture, packets):
    """Packets as (time in ns, bytes, original length), with the secrets of the capture in front."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    with open(path, "wb") as out:
        out.write(block(recut.BLOCK_SHB, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        nanoseconds = struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0)
        out.write(block(recut.BLOCK_IDB, struct.pack("<HHI", capture.link, 0, 262144) + nanoseconds))
        for kind, secret in capture.secrets:
            out.write(block(recut.BLOCK_DSB, struct.pack("<II", kind, len(secret)) + secret))
        out.writelines(block(recut.BLOCK_EPB, struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF,
                                                          len(data), length) + data)
                       for ns, data, length in packets)


# --- who is the client --------------------------------------------------------------------------


def endpoints(link, data):
    """(protocol, source, destination, TCP flags) of a packet; None for what is neither TCP nor UDP."""
    try:
        ip = recut.ip_offset(link, data)
        if ip is None or data[ip] >> 4 not in (4, 6):
            return None
        version = data[ip] >> 4
        transport = recut.transport_ipv4 if version == 4 else recut.transport_ipv6
        at, protocol, _ = transport(data, ip, 0)
        if protocol not in (TCP, UDP):
            return None
        sport, dport = struct.unpack_from(">HH", data, at)
        flags = data[at + 13] if protocol == TCP else 0
    except (struct.error, IndexError, recut.NotClean):
        return None
    addresses = data[ip + 12:ip + 20] if version == 4 else data[ip + 8:ip + 40]
    half = len(addresses) // 2
    return protocol, (addresses[:half], sport), (addresses[half:], dport), flags


def sent_by_clients(capture, packets):
    """For each packet True or False; None where it belongs to no connection."""
    known, client = [endpoints(capture.link, data) for _, data, _ in packets], {}
    for end in known:
        if end is None:
            continue
        protocol, source, target, flags = end
        pair = (protocol, frozenset((source, target)))
        if protocol == TCP and flags & recut.SYN:
            client[pair] = target if flags & 0x10 else source
        elif protocol == UDP:
            client.setdefault(pair, source)
    return [None if end is None else
            end[1] == client.get((end[0], frozenset(end[1:3])), max(end[1:3], key=lambda e: e[1]))
            for end in known]


# --- damage -------------------------------------------------------------------------------------


def dropped(packets, rate, rng):
    if rate >= 1:
        lost = set(rng.sample(range(len(packets)), min(int(rate), len(packets))))
        return [p for i, p in enumerate(packets) if i not in lost]
    return [p for p in packets if rng.random() >= rate]


def delayed(packets, swap, dup, rng):
    """Late packets and repeats, by sorting on places; times stay where they are."""
    places = []
    for number, packet in enumerate(packets):
        late = rng.randint(1, SWAP_PACKETS_MAX) + 0.5 if rng.random() < swap else 0
        places.append((number + late, number, packet))
        if rng.random() < dup:
            places.append((number + late + rng.randint(0, SWAP_PACKETS_MAX) + 0.6, number, packet))
    places.sort(key=lambda p: p[:2])
    times = [packets[min(int(place), len(packets) - 1)][0] for place, _, _ in places]
    return [(ns, data, length) for ns, (_, _, (_, data, length)) in zip(times, places)]


def damage(capture, what):
    """The packets of a recut.Capture as they are left."""
    rng = random.Random(what.seed)
    packets, count = capture.packets, len(capture.packets)
    by_client = sent_by_clients(capture, packets)
    chosen = range(int(count * what.skip), count - int(count * what.cut_end))
    if what.one_direction:
        wanted = what.one_direction == "c2s"
        chosen = [i for i in chosen if by_client[i] in (wanted, None)]
    packets = [packets[i] for i in chosen]
    if what.drop:
        packets = dropped(packets, what.drop, rng)
    if what.swap or what.dup:
        packets = delayed(packets, what.swap, what.dup, rng)
    if what.snaplen:
        packets = [(ns, data[:what.snaplen], length) for ns, data, length in packets]
    return packets


def fraction(text):
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("from 0 to less than 1")
    return value


def drop_rate(text):
    value = float(text)
    if value < 0 or (value >= 1 and value != int(value)):
        raise argparse.ArgumentTypeError("a probability below 1, or a whole number of packets")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, required=True)
    for name in ("skip", "cut-end", "swap", "dup"):
        parser.add_argument(f"--{name}", type=fraction, default=0.0)
    parser.add_argument("--drop", type=drop_rate, default=0.0)
    parser.add_argument("--one-direction", choices=("c2s", "s2c"), default="")
    parser.add_argument("--snaplen", type=int, default=0)
    args = vars(parser.parse_args())
    source, target = args.pop("capture"), args.pop("out")
    what = Damage(**args)
    capture = recut.Capture(source.read_bytes())
    packets = damage(capture, what)
    write_pcapng(target, capture, packets)
    print(f"impair: {what.words()}, seed {what.seed}: {len(capture.packets)} packets in, "
          f"{len(packets)} out")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (recut.NotClean, OSError) as error:
        sys.exit(f"impair: {error}")
