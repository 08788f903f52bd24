/*
 * fuzz_apps.c - the dissectors of application protocols, in the plugin inside Wireshark's library
 * (inside.h): an input is what both sides of one connection say to each other, message by message.
 *
 * The first byte chooses how packets are gone through, the second one the protocol (a row of
 * offers). Then messages: a byte (SAYS_*), two bytes of length, and the message's bytes. A program
 * for one protocol alone: FUZZ_APPS_OFFER=NUMBER in the environment.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"
#include "inside.h"

#include <glib.h>

/* Bytes of frames that wait for a segment. */
#define BATCH_MAX 1390u
#define MESSAGE_MAX 1300u

enum {
    SAYS_SERVER = 1,    /* the direction, else the client's */
    SAYS_BINARY = 2,    /* else text */
    SAYS_MORE = 4,      /* a fragment: the next one of this direction goes on */
    SAYS_WITH_NEXT = 8, /* in one segment with the next message, if that is of this direction too */
};

/* By which URI and subprotocol a dissector is chosen; the last ones by the bytes alone. seeds.py
 * knows the order. */
static const struct {
    const char *path, *token;
} offers[] = {
    {"/", "v12.stomp"},
    {"/socket.io/?EIO=4&transport=websocket", NULL},
    {"/engine.io/?EIO=3&transport=websocket", NULL},
    {"/hub?id=x", NULL},
    {"/echo/123/abcdefgh/websocket", NULL},
    {"/ocpp/CP1", "ocpp1.6"},
    {"/ocpp/CP1", "ocpp2.0.1"},
    {"/ws", "wamp.2.json"},
    {"/ws", "wamp.2.json.batched"},
    {"/ws", "wamp.2.msgpack"},
    {"/ws", "wamp.2.msgpack.batched"},
    {"/ws", "wamp.2.cbor"},
    {"/graphql", "graphql-transport-ws"},
    {"/graphql", "graphql-ws"},
    {"/rpc", "jsonrpc"},
    {"/api/kernels/x/channels", "v1.kernel.websocket.jupyter.org"},
    {"/api/kernels/x/channels", NULL},
    {"/api/v1/namespaces/default/pods/x/exec?command=ls", "v5.channel.k8s.io"},
    {"/api/v1/namespaces/default/pods/x/portforward?ports=80", "v4.channel.k8s.io"},
    {"/api/v1/namespaces/default/pods/x/log", "base64.channel.k8s.io"},
    {"/socket/websocket?vsn=2.0.0", NULL},
    {"/socket/websocket?vsn=1.0.0", "phoenix"},
    {"/cable", "actioncable-v1-json"},
    {"/cable", "actioncable-v1-msgpack"},
    {"/devtools/page/1", NULL},
    {"/mqtt", "mqtt"},
    {"/", "amqp"},
    {"/", "xmpp"},
    {"/", "sip"},
    {"/websockify", "binary"},
    {"/", NULL},
};

struct batch {
    uint8_t bytes[INSIDE_SEGMENT_MAX];
    unsigned length, direction;
};

static void flush(struct inside_flow *flow, struct batch *batch) {
    if (batch->length)
        inside_segment(flow, batch->direction, batch->bytes, batch->length);
    batch->length = 0;
}

static void add_frame(struct inside_flow *flow, struct batch *batch, unsigned says, bool goes_on,
                      const uint8_t *bytes, unsigned length) {
    unsigned direction = says & SAYS_SERVER ? 1 : 0;
    if (batch->length && (batch->direction != direction || batch->length + length + 8 > BATCH_MAX))
        flush(flow, batch);
    batch->direction = direction;
    uint8_t *at = batch->bytes + batch->length;
    unsigned opcode = goes_on ? 0 : says & SAYS_BINARY ? 2 : 1, size = 2;
    at[0] = (uint8_t)(opcode | (says & SAYS_MORE ? 0 : 0x80));
    at[1] =
        (uint8_t)(direction ? 0 : 0x80); /* the masking key is zero: the bytes stay as they are */
    if (length < 126) {
        at[1] = (uint8_t)(at[1] | length);
    } else {
        at[1] |= 126;
        at[2] = (uint8_t)(length >> 8);
        at[3] = (uint8_t)length;
        size = 4;
    }
    if (!direction) {
        memset(at + size, 0, 4);
        size += 4;
    }
    memcpy(at + size, bytes, length);
    batch->length += size + length;
    if (!(says & SAYS_WITH_NEXT))
        flush(flow, batch);
}

static void shake_hands(struct inside_flow *flow, unsigned number) {
    char line[200] = "", text[800];
    if (offers[number].token)
        g_snprintf(line, sizeof line, "Sec-WebSocket-Protocol: %s\r\n", offers[number].token);
    int length = g_snprintf(text, sizeof text,
                            "GET %s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            "Sec-WebSocket-Version: 13\r\n%s\r\n",
                            offers[number].path, line);
    inside_segment(flow, 0, (const uint8_t *)text, (unsigned)length);
    length = g_snprintf(text, sizeof text,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n%s\r\n",
                        line);
    inside_segment(flow, 1, (const uint8_t *)text, (unsigned)length);
}

static unsigned offer_number(unsigned chosen) {
    const char *only = g_getenv("FUZZ_APPS_OFFER");
    return (only ? (unsigned)atoi(only) : chosen) % (unsigned)G_N_ELEMENTS(offers);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct fuzz_input input = {bytes, length};
    struct inside_flow flow;
    struct batch batch = {.length = 0};
    bool goes_on[2] = {false, false};
    unsigned how = fuzz_byte(&input);
    inside_begin(&flow, how);
    shake_hands(&flow, offer_number(fuzz_byte(&input)));
    while (input.left > 3 && !inside_is_full()) {
        unsigned says = fuzz_byte(&input), direction = says & SAYS_SERVER ? 1 : 0;
        size_t size = (size_t)fuzz_byte(&input) << 8;
        size |= fuzz_byte(&input);
        size = size > MESSAGE_MAX ? MESSAGE_MAX : size;
        const uint8_t *message = fuzz_take(&input, &size);
        add_frame(&flow, &batch, says, goes_on[direction], message, (unsigned)size);
        goes_on[direction] = says & SAYS_MORE;
    }
    flush(&flow, &batch);
    inside_dissect(how);
    return 0;
}
