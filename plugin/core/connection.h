/*
 * connection.h - one WebSocket connection: both directions' frames to messages (RFC 6455 5.4, RFC
 * 7692 6), Ping and Pong, the closing handshake, and the rules of frames, messages and closes.
 * Knows no Wireshark type. Fed by state.c; stream.h cuts the bytes into frames before. Read
 * connection.c, then message.c and control.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_CONNECTION_H
#define WSX_CORE_CONNECTION_H

#include "handshake.h"
#include "inflate.h"
#include "stream.h"
#include "utf8.h"

enum wsx_direction { WSX_CLIENT_TO_SERVER, WSX_SERVER_TO_CLIENT };

enum wsx_item_kind {
    WSX_ITEM_FRAGMENT, /* a data frame that ends no message */
    WSX_ITEM_MESSAGE,  /* a data frame that ends a message */
    WSX_ITEM_STRAY,    /* a frame that belongs to no message */
    WSX_ITEM_PING,
    WSX_ITEM_PONG,
    WSX_ITEM_CLOSE,
};

/* A message, complete or as far as it is known. Pointers are valid during the call only. */
struct wsx_message {
    enum wsx_direction direction;
    uint32_t index; /* in its direction, from 1 */
    bool text;      /* begun by a text frame */
    bool compressed;
    bool incomplete;   /* only a part is there */
    bool raw;          /* nothing could be inflated: bytes are compressed */
    bool utf8;         /* the bytes given are a text message and valid UTF-8 */
    bool length_known; /* length is the true one */
    bool guessed;      /* inflated without knowing what was negotiated */
    bool altered;      /* its reserved bits are of an extension that is not known */
    uint32_t frames;
    uint32_t first_index; /* frame index of its first frame */
    uint32_t first_packet;
    int64_t first_time;   /* ns since the epoch */
    uint64_t wire_length; /* payload bytes of its frames as the headers say */
    uint64_t length;      /* after inflating */
    const uint8_t *bytes; /* `have` bytes, unmasked and inflated */
    size_t have;
    /* For whoever inflates it again, with `compressed` and not raw: */
    const uint8_t *wire; /* unmasked payload of all frames, wire_have bytes */
    size_t wire_have;
    const uint8_t *window; /* see wsx_inflate_earlier */
    size_t window_length;
};

struct wsx_frame_event {
    const struct wsx_frame *frame;
    enum wsx_direction direction;
    enum wsx_item_kind kind;
    uint32_t index;         /* in its direction, from 1 */
    int64_t delta;          /* ns since the connection's frame before, -1 for the first */
    const uint8_t *payload; /* unmasked, frame->have bytes */
    uint32_t message_index; /* of the message that it is a part of, 0 = none */
    const struct wsx_message *message; /* with WSX_ITEM_MESSAGE */
    uint32_t answers_packet; /* Pong: its Ping's packet; Close: the other side's Close; 0 = none */
    void *answers_mark;      /* what the owner left with that Ping or Close, see mark */
    int64_t answer_time;     /* ns, with answers_packet */
    bool first_close;        /* Close: no Close came before */
    void **mark; /* Ping, Close: the owner may leave a pointer, for the answer; else NULL */
    struct wsx_side *side; /* that sent it, see wsx_frame_event_take */
};

/*
 * The buffer that holds the payload of a frame that came in pieces, for whoever keeps it: the
 * caller's now, to be freed by g_free, and event->payload points into it still. NULL when there is
 * none of its own, or one much longer than the payload; then it is to be copied.
 */
uint8_t *wsx_frame_event_take(const struct wsx_frame_event *event);

struct wsx_note {
    enum wsx_direction direction;
    uint64_t missing;
};

/* What a connection reports, all with the context of the call. Findings of an item come right
 * before the item. */
struct wsx_connection_events {
    void (*frame)(void *context, const struct wsx_frame_event *event);
    /* A message that ended without its last frame. */
    void (*broken)(void *context, const struct wsx_message *message);
    void (*note)(void *context, const struct wsx_note *note);
    void (*finding)(void *context, enum wsx_rule rule, enum wsx_severity severity, uint32_t packet,
                    const char *detail);
};

struct wsx_limits {
    size_t frame;   /* payload bytes kept of one frame */
    size_t message; /* bytes kept of one message, compressed or not */
    struct wsx_inflate_limits inflate;
};

struct wsx_ping;

/* A message under way. */
struct wsx_assembly {
    bool open;
    struct wsx_message message;
    uint8_t *bytes; /* unmasked payload so far, up to the first hole or limit */
    size_t length, size;
    bool hole, limited, crossed;
    struct wsx_utf8 utf8;
};

struct wsx_side {
    struct wsx_stream stream;
    struct wsx_assembly assembly;
    struct wsx_inflate inflate;
    uint8_t *scratch; /* an unmasked payload */
    size_t scratch_size;
    uint32_t frames, messages;
    uint32_t context_lost_packet; /* where the compression context was lost last, 0 = never */
    bool context_partial;         /* the window holds only what came after that */
    bool start_unknown;           /* a message may have begun in bytes that were not seen */
    bool tail_unknown;            /* a Close may have been in bytes that were not seen */
    bool ended;                   /* its last byte has been seen */
    bool received_exactly;
    uint64_t received; /* offset up to which the other side has its bytes; 0 if not known */
    bool close_seen;
    uint32_t close_packet;
    void *close_mark;
    int64_t close_time;
    uint64_t close_begin; /* its offset */
    unsigned close_code;
    bool close_has_code;
    bool key_known, key_repeating, zero_key_told;
    uint8_t key[4];
    uint32_t key_index, key_packet;      /* of the frame that it was in last */
    struct wsx_ping *pings, *pings_last; /* waiting for their Pong, oldest first */
    struct wsx_ping *pong_early; /* the last Pong of the other side that came before its Ping */
    unsigned ping_count;
    unsigned pings_given_up;  /* unanswered ones that are not kept any more */
    uint32_t given_up_packet; /* the first of them */
};

struct wsx_connection {
    const struct wsx_connection_events *events;
    struct wsx_limits limits;
    struct wsx_agreement agreement;
    bool midstream; /* no handshake was captured */
    bool ending;    /* a direction ends, as its transport says */
    struct wsx_side side[2];
    bool frame_seen;
    int64_t last_time;
    /* of the call under way */
    uint32_t packet;
    int64_t time;
    void *context;
};

/* Time stamps are a capture's, and may be anything: the difference wraps. */
static inline int64_t wsx_apart(int64_t later, int64_t earlier) {
    return (int64_t)((uint64_t)later - (uint64_t)earlier);
}

/* `agreement` is taken over (its strings too). midstream: no handshake was captured. */
struct wsx_connection *wsx_connection_new(const struct wsx_connection_events *events,
                                          const struct wsx_limits *limits,
                                          struct wsx_agreement *agreement, bool midstream);
void wsx_connection_free(struct wsx_connection *connection);

/* The direction's first frame does not begin with its first byte, or may not: it is searched for.
 * Before its first bytes. */
void wsx_connection_start_unknown(struct wsx_connection *connection, enum wsx_direction direction);

/* Bytes of one direction, see wsx_stream_push. They were in packet seen_in, and are processed in
 * `packet` (the same one, unless they had to wait). time: of `packet`, ns since the epoch. */
void wsx_connection_push(struct wsx_connection *connection, enum wsx_direction direction,
                         uint64_t offset, const uint8_t *bytes, size_t captured, uint64_t length,
                         uint32_t seen_in, uint32_t packet, int64_t time, void *context);

/* Bytes before `offset` that are still missing won't come: the other side has acknowledged them. */
void wsx_connection_give_up(struct wsx_connection *connection, enum wsx_direction direction,
                            uint64_t offset, uint32_t packet, int64_t time, void *context);

/* Between frames: bytes are missing, it is not known how many. Frames are searched for. */
void wsx_connection_lose(struct wsx_connection *connection, enum wsx_direction direction,
                         uint32_t packet, int64_t time, void *context);

/* The other side has received the direction's bytes before `offset`, whether they were seen or not.
 * exact: and no others. */
void wsx_connection_received(struct wsx_connection *connection, enum wsx_direction direction,
                             uint64_t offset, bool exact);

/* A direction ended at offset `end` (0: not known). What is unfinished is reported. proved: its
 * transport ended it; false: only the capture ended. */
void wsx_connection_finish(struct wsx_connection *connection, enum wsx_direction direction,
                           uint64_t end, bool proved, uint32_t packet, int64_t time, void *context);

/* The connection ended: reports what only its end proves. Behind both wsx_connection_finish. */
void wsx_connection_judge_end(struct wsx_connection *connection, uint32_t packet, void *context);

#endif
