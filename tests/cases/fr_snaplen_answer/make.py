import struct
import sys

from craft import FIRST_TIME_NS, Conversation, frame

SNAP = 240  # within the answer's head

c = Conversation()
c.open((), [b"X-Padding: " + b"x" * 150])
for i in range(6):
    c.server(frame(1, b"SERVER-%d" % i))
    c.client(frame(1, b"CLIENT-%d" % i, bytes([7, i, 5, 3])))
c.close()
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP, 1))
    for number, packet in enumerate(c.packets):
        ns = FIRST_TIME_NS + number * 10**6
        out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, min(len(packet), SNAP),
                              len(packet)) + packet[:SNAP])
