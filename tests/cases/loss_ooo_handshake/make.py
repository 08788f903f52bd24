"""Writes the capture of this case: four connections whose opening handshake lies in another order."""
import sys

from craft import ACK, CLIENT, PSH, SERVER, Conversation, frame, request, response

KEYS = iter(bytes([n, 0x3C, 0xA5, 0x5B ^ n]) for n in range(1, 100))
packets = []


def talk(number, order):
    """order: (side, what), as they lie in the capture. What a side sends is numbered through."""
    c = Conversation()
    c.port[0] = 50001 + number
    c.connect()
    ask, answer = request(number), response(number)
    parts = {(CLIENT, "ask"): ask, (SERVER, "answer"): answer, (SERVER, "answer 1"): answer[:50],
             (SERVER, "answer 2"): answer[50:51], (SERVER, "answer 3"): answer[51:]}
    for side, name in ((CLIENT, "C"), (SERVER, "S")):
        for n in range(3):
            key = next(KEYS) if side == CLIENT else None
            parts[side, n] = frame(1, f"HAND-{number}{name}{n}".encode(), key)
    at = {}
    for side, names in ((CLIENT, ["ask", 0, 1, 2]),
                        (SERVER, ["answer 1", "answer 2", "answer 3", 0, 1, 2])):
        seq = c.seq[side]
        for name in names:
            at[side, name] = seq
            seq += len(parts[side, name])
        c.seq[side] = seq
    at[SERVER, "answer"] = at[SERVER, "answer 1"]
    end = list(c.seq)
    for side, name in order:
        # what the sender had received by then
        c.seq[1 - side] = {CLIENT: at[SERVER, 0], SERVER: at[CLIENT, 0]}[side] if name != "ask" \
            else at[SERVER, "answer"]
        c.packet(side, PSH | ACK, parts[side, name], at[side, name])
    c.seq = end
    c.close()
    packets.extend(c.packets)


talk(0, [(CLIENT, "ask"), (SERVER, 0), (SERVER, "answer"), (CLIENT, 0), (SERVER, 1), (SERVER, 2),
         (CLIENT, 1), (CLIENT, 2)])
talk(1, [(CLIENT, "ask"), (SERVER, "answer 2"), (SERVER, "answer 3"), (SERVER, 0),
         (SERVER, "answer 1"), (CLIENT, 1), (CLIENT, 0), (SERVER, 2), (SERVER, 1), (CLIENT, 2)])
talk(2, [(CLIENT, "ask"), (CLIENT, 0), (SERVER, "answer 1"), (SERVER, "answer 3"), (SERVER, 0),
         (SERVER, "answer 2"), (SERVER, 1), (CLIENT, 1), (CLIENT, 2), (SERVER, 2)])
talk(3, [(SERVER, "answer"), (CLIENT, "ask"), (SERVER, 0), (CLIENT, 0), (SERVER, 1), (CLIENT, 1),
         (CLIENT, 2), (SERVER, 2)])
whole = Conversation()
whole.packets = packets
whole.save(sys.argv[1])
