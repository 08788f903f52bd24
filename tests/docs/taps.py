"""docs/taps.md: what `tshark -z` and `--export-objects` get from wsx. The names come from tshark, with wsx less
without; one that has no text here, and a text without a name, is an error.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import re

# name as `tshark -z help` has it: (call, where in Wireshark, what it gives, a capture that has some)
TEXTS = {
    "websocket,messages": (
        "websocket,messages[,FILE[,FILTER]]", "", "Each connection, message and control frame as a JSON object on a line "
        "([schema](jsonlines.schema.json)), into FILE or, without one or with `-`, to standard output. FILE has no comma; "
        "everything behind its comma is a display filter that chooses packets; the lines of the kinds open and end "
        "come always for a connection that has others, what the end of the file leaves unfinished never with a filter",
        "proto_jsonrpc"),
    "websocket,check": (
        "websocket,check[,SEVERITY]", "", "A line a finding of at least this severity (chat, note, warning, error; warning "
        "without): packet, connection, [rule](rules.md) and text; the last line is the count, `wsx: N findings`",
        "proto_mqtt"),
    "websocket,connections": (
        "websocket,connections", "Statistics > WebSocket Connections", "A row a connection: ends, URI, subprotocol, "
        "packets, messages and bytes of each side, compression, Ping times, close code and who closed, duration, "
        "findings. Once in a call", "chromium_wss"),
    "websocket,tree": (
        "websocket,tree", "Statistics > WebSocket Overview", "Counts and sizes by direction, opcode, close code and rule; "
        "compression; Ping times. Behind 400 subprotocols, or close codes, the rest counts as others", "proto_graphql"),
    "websocket,srt": (
        "websocket,srt", "Statistics > Service Response Time", "Times of handshakes, Pings, Closes, and of requests of application "
        "protocols: how often, shortest, longest, mean. Behind 400 kinds of requests the rest has one row, others",
        "proto_graphql"),
    "websocket,har": (
        "websocket,har,FILE", "", "An HTTP Archive 1.2 for a browser's network panel, messages in `_webSocketMessages` "
        "([guide](har.md))", "proto_jsonrpc"),
    "follow,websocket": (
        "follow,websocket,MODE,N", "Analyze > Follow > WebSocket Stream (4.4 and later)", "The messages of connection N (`websocket.stream`), "
        "unmasked and decompressed, with control frames in brackets; MODE is ascii, hex, raw or yaml. raw and yaml "
        "have messages alone", "proto_jsonrpc"),
    "follow,websocket,utf-8": (
        "follow,websocket,utf-8,N", "", "The same with characters beyond ASCII as they are", "ws_plain_frag"),
    "conv,websocket": (
        "conv,websocket", "Statistics > Conversations", "A row a connection with messages and bytes of each side",
        "chromium_wss"),
    "endpoints,websocket": (
        "endpoints,websocket", "Statistics > Endpoints", "A row a client or server likewise", "chromium_wss"),
    "flow,websocket": (
        "flow,websocket,standard", "Statistics > Flow Graph", "A sequence diagram: an arrow a message or control frame",
        "proto_jsonrpc"),
    "--export-objects websocket": (
        "--export-objects websocket,DIR", "File > Export Objects > WebSocket", "A file a message, named by connection, "
        "direction, number and type", "proto_jsonrpc"),
}


def names_of(env, folder):
    """What tshark offers with the plugins of a folder (None: with wsx)."""
    prefix = [] if folder is None else ["env", f"WIRESHARK_PLUGIN_DIR={folder}"]
    found = set()
    for arguments, form in ((["-z", "help"], "{}"), (["--export-objects", "help"], "--export-objects {}")):
        done = env.run([*prefix, "tshark", *arguments])
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        found |= {form.format(name) for name in re.findall(r"^ +(\S+)$", text, re.M)}
    return found


def page(env, note, table):
    """The page; ValueError when tshark's names are not those of TEXTS."""
    added = names_of(env, None) - names_of(env, f"{env.folder}/none")
    # Without wsx, Wireshark has a `follow,websocket` of its own, which wsx takes over; releases after
    # 4.0 know its mode utf-8.
    wrong = (added | {"follow,websocket", "follow,websocket,utf-8"}) ^ set(TEXTS)
    if wrong:
        raise ValueError(f"taps without a text in tests/docs/taps.py, or texts without a tap: {wrong}")
    parts = ["# Statistics and exports\n", note, """Calls of tshark, `tshark -q -z NAME -r FILE` where nothing else is said, and the menus of Wireshark that
show the same. N is the number of the connection, `websocket.stream`. Several `-z` in one call read the
file once. tshark's exit status does not depend on what they find.
"""]
    rows = [(f"`{call}`", text + ".", menu) for call, menu, text, _ in TEXTS.values()]
    parts += [table(("call", "gives", "in Wireshark"), rows), """Analyze > Conversation Filter > WebSocket makes a filter of a packet's connection, and File > Export PDUs to
File offers the clear messages as a capture (`tshark -U WebSocket -w FILE` does so too), each in one packet: of those longer than 256 KiB the beginning. Tried on samples:
""", "```sh"]
    for name, (call, _, _, capture) in TEXTS.items():
        call = call.partition("[")[0].replace("MODE", "ascii").replace(",N", ",0")
        file = f"sample-captures/{capture}.pcapng"
        if name.startswith("--"):
            parts.append(f"tshark -r {file} -q {call.replace('DIR', 'objects')} && ls objects | head -n 3")
        elif call.endswith(",FILE"):
            parts.append(f"tshark -r {file} -q -z {call.replace('FILE', 'file.har')} && ls file.har")
        else:
            parts.append(f"tshark -r {file} -q -z {call} | head -n 20")
    return "\n".join(parts + ["```\n"])
