/*
 * connection.c - one connection: takes the frames of both directions, judges each frame, and hands
 * it to message.c or control.c; see connection.h. Findings of a frame are reported right before it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "parts.h"

#include <glib.h>
#include <string.h>

/* An unmasked payload above this is given back after its frame: large frames are rare. */
#define SCRATCH_IDLE_MAX (1u << 16)

/* Who takes a buffer over keeps what it is too long, too: this part of what is in it at most. */
#define TAKEN_SLACK 8u

static void on_frame(void *context, const struct wsx_frame *frame);
static void on_gap(void *context, uint64_t offset, uint64_t missing, bool followed, bool cut);
static void on_resync(void *context, uint64_t offset, uint64_t skipped, unsigned frames);
static void on_msb(void *context, const struct wsx_frame *frame);

static const struct wsx_stream_events stream_events = {on_frame, on_gap, on_resync, on_msb};

/* The context of a stream's events: which side of which connection. */
struct pushing {
    struct wsx_connection *connection;
    enum wsx_direction direction;
};

struct wsx_connection *wsx_connection_new(const struct wsx_connection_events *events,
                                          const struct wsx_limits *limits,
                                          struct wsx_agreement *agreement, bool midstream) {
    struct wsx_connection *connection = g_new0(struct wsx_connection, 1);
    connection->events = events;
    connection->limits = *limits;
    connection->agreement = *agreement;
    memset(agreement, 0, sizeof *agreement);
    connection->midstream = midstream;
    const struct wsx_agreement *agreed = &connection->agreement;
    for (int d = 0; d < 2; d++) {
        struct wsx_side *side = &connection->side[d];
        bool client = d == WSX_CLIENT_TO_SERVER;
        wsx_stream_init(&side->stream, &stream_events, limits->frame);
        side->stream.expectation =
            (struct wsx_expectation){.masking = client ? WSX_MASKED : WSX_UNMASKED,
                                     .rsv1 = agreed->deflate || !agreed->known,
                                     .any_rsv = agreed->unknown_extension};
        wsx_inflate_init(&side->inflate, client ? agreed->client_bits : agreed->server_bits,
                         client ? agreed->client_takeover : agreed->server_takeover);
        if (!agreed->deflate)
            wsx_inflate_lose_context(&side->inflate);
    }
    return connection;
}

void wsx_connection_free(struct wsx_connection *connection) {
    if (!connection)
        return;
    for (int d = 0; d < 2; d++) {
        struct wsx_side *side = &connection->side[d];
        wsx_stream_clear(&side->stream);
        wsx_inflate_clear(&side->inflate);
        wsx_message_clear(&side->assembly);
        wsx_control_clear(side);
        g_free(side->scratch);
    }
    wsx_agreement_clear(&connection->agreement);
    g_free(connection);
}

void wsx_connection_start_unknown(struct wsx_connection *connection, enum wsx_direction direction) {
    struct wsx_side *side = &connection->side[direction];
    wsx_stream_start_unknown(&side->stream);
    side->start_unknown = side->tail_unknown = true;
}

/* ---- rules of one frame ---- */

static void judge_key(struct wsx_connection *connection, struct wsx_side *side,
                      const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    static const uint8_t zero[4];
    if (memcmp(header->key, zero, 4) == 0) {
        if (!side->zero_key_told)
            FINDING(connection, WSX_RULE_FRAME_MASK_KEY_ZERO, 0,
                    "the payload is readable on the wire");
        side->zero_key_told = true;
        side->key_known = side->key_repeating = false;
        return;
    }
    bool repeats = side->key_known && memcmp(side->key, header->key, 4) == 0;
    if (repeats && !side->key_repeating)
        FINDING(connection, WSX_RULE_FRAME_MASK_KEY_REUSED, side->key_packet,
                "key %02x%02x%02x%02x, as in frame %u, in packet %u", header->key[0],
                header->key[1], header->key[2], header->key[3], side->key_index, side->key_packet);
    side->key_repeating = repeats;
    side->key_known = true;
    side->key_index = event->index;
    side->key_packet = connection->packet;
    memcpy(side->key, header->key, 4);
}

static void judge_mask(struct wsx_connection *connection, struct wsx_side *side,
                       const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    bool client = event->direction == WSX_CLIENT_TO_SERVER;
    if (client && !header->masked)
        FINDING(connection, WSX_RULE_FRAME_MASK_MISSING, 0,
                "frame %u of the client: MASK is 0, expected 1", event->index);
    if (!client && header->masked)
        FINDING(connection, WSX_RULE_FRAME_MASK_UNEXPECTED, 0,
                "frame %u of the server: MASK is 1, expected 0", event->index);
    if (header->masked && header->payload_length)
        judge_key(connection, side, event);
}

static bool opcode_is_reserved_data(unsigned opcode) {
    return opcode > WSX_OPCODE_BINARY && opcode < WSX_OPCODE_CLOSE;
}

static bool opcode_is_reserved(unsigned opcode) {
    return opcode_is_reserved_data(opcode) || opcode > WSX_OPCODE_PONG;
}

/* An extension may define opcodes (RFC 6455 5.2, 5.8). */
static void judge_opcode(struct wsx_connection *connection, unsigned opcode) {
    const struct wsx_agreement *agreement = &connection->agreement;
    if (opcode_is_reserved(opcode) && !agreement->unknown_extension)
        FINDING_AS(connection, WSX_RULE_FRAME_OPCODE_RESERVED,
                   agreement->known ? WSX_ERROR : WSX_WARNING, 0,
                   "opcode %u, expected 0 to 2 or 8 to 10", opcode);
}

static void judge_rsv(struct wsx_connection *connection, const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    const struct wsx_agreement *agreement = &connection->agreement;
    unsigned opcode = wsx_header_opcode(header);
    unsigned bad = wsx_header_rsv(header);
    bool first_of_message = opcode == WSX_OPCODE_TEXT || opcode == WSX_OPCODE_BINARY;
    /* What the bits of a data frame of unknown kind mean is not known either. */
    if (!bad || opcode_is_reserved_data(opcode))
        return;
    if (agreement->deflate && (bad & 4)) {
        if (!first_of_message)
            FINDING(connection, WSX_RULE_DEFLATE_RSV1_MISPLACED, 0, "on a frame with opcode %u",
                    opcode);
        bad &= 3u;
    }
    if (!agreement->known && first_of_message)
        bad &= 3u; /* very likely permessage-deflate: inflating tells */
    if (!bad || agreement->unknown_extension)
        return;
    FINDING_AS(connection, WSX_RULE_FRAME_RSV_NONZERO, agreement->known ? WSX_ERROR : WSX_WARNING,
               0, "%s%s%sset, no extension uses it", bad & 4 ? "RSV1 " : "", bad & 2 ? "RSV2 " : "",
               bad & 1 ? "RSV3 " : "");
}

static void judge_frame(struct wsx_connection *connection, struct wsx_side *side,
                        const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    unsigned opcode = wsx_header_opcode(header);
    bool control = wsx_opcode_is_control(opcode);
    judge_mask(connection, side, event);
    judge_rsv(connection, event);
    judge_opcode(connection, opcode);
    if ((header->length_form == 2 && header->payload_length < 126) ||
        (header->length_form == 8 && header->payload_length < 65536))
        FINDING(connection, WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, 0,
                "%" G_GUINT64_FORMAT " in %u bytes, expected in %s", header->payload_length,
                header->length_form, header->payload_length < 126 ? "7 bits" : "2 bytes");
    if (control && header->payload_length > WSX_CONTROL_MAX)
        FINDING(connection, WSX_RULE_FRAME_CONTROL_TOO_LONG, 0,
                "%" G_GUINT64_FORMAT " bytes, expected at most %u", header->payload_length,
                WSX_CONTROL_MAX);
    if (control && !wsx_header_fin(header))
        FINDING(connection, WSX_RULE_FRAME_CONTROL_FRAGMENTED, 0, "FIN is 0, expected 1, opcode %u",
                opcode);
    if (event->frame->over_limit)
        FINDING(connection, WSX_RULE_FRAME_LIMIT, 0, "%zu of %" G_GUINT64_FORMAT " bytes are kept",
                event->frame->have, header->payload_length);
    if (side->close_seen)
        FINDING(connection, control ? WSX_RULE_CLOSE_CONTROL_AFTER : WSX_RULE_CLOSE_DATA_AFTER,
                side->close_packet, "the %s sent Close in packet %u",
                wsx_side_name(event->direction), side->close_packet);
}

/* ---- the stream's events ---- */

static const uint8_t *unmasked(struct wsx_side *side, const struct wsx_frame *frame) {
    if (!frame->header.masked || !frame->have)
        return frame->payload;
    if (frame->payload == side->stream.kept) { /* nobody asks for the masked bytes again */
        wsx_unmask(side->stream.kept, frame->payload, frame->have, frame->header.key, 0);
        return frame->payload;
    }
    if (side->scratch_size < frame->have) {
        g_free(side->scratch);
        side->scratch_size = frame->have;
        side->scratch = g_malloc(side->scratch_size);
    }
    wsx_unmask(side->scratch, frame->payload, frame->have, frame->header.key, 0);
    return side->scratch;
}

static uint8_t *buffer_take(uint8_t **buffer, size_t *size, size_t used) {
    uint8_t *bytes = *buffer;
    if (*size - used > used / TAKEN_SLACK)
        return NULL;
    *buffer = NULL;
    *size = 0;
    return bytes;
}

uint8_t *wsx_frame_event_take(const struct wsx_frame_event *event) {
    struct wsx_side *side = event->side;
    struct wsx_stream *stream = &side->stream;
    size_t have = event->frame->have;
    if (!have)
        return NULL;
    if (event->payload == side->scratch)
        return buffer_take(&side->scratch, &side->scratch_size, have);
    if (event->payload == stream->kept)
        return buffer_take(&stream->kept, &stream->kept_size, have);
    return NULL;
}

/* A message begins inside an unfinished one. Without FIN it ends that one. */
static void judge_interleaved(struct wsx_connection *connection, struct wsx_side *side,
                              const struct wsx_frame *frame) {
    unsigned opcode = wsx_header_opcode(&frame->header);
    if (!side->assembly.open || (opcode != WSX_OPCODE_TEXT && opcode != WSX_OPCODE_BINARY))
        return;
    uint32_t index = side->assembly.message.index, packet = side->assembly.message.first_packet;
    if (!wsx_header_fin(&frame->header))
        wsx_message_break(connection, side, false);
    FINDING(connection, WSX_RULE_FRAME_MESSAGE_INTERLEAVED, packet,
            "message %u, begun in packet %u, is not finished", index, packet);
}

static void on_frame(void *context, const struct wsx_frame *frame) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    struct wsx_side *side = &connection->side[pushing->direction];
    struct wsx_frame_event event = {
        .frame = frame,
        .direction = pushing->direction,
        .index = ++side->frames,
        .delta = connection->frame_seen ? wsx_apart(connection->time, connection->last_time) : -1,
        .payload = unmasked(side, frame),
        .side = side};
    bool control = wsx_opcode_is_control(wsx_header_opcode(&frame->header));
    if (!connection->frame_seen && connection->midstream)
        FINDING(connection, WSX_RULE_STREAM_MIDSTREAM, 0, "what was negotiated is not known");
    connection->frame_seen = true;
    connection->last_time = connection->time;
    side->stream.expectation.masking = frame->header.masked ? WSX_MASKED : WSX_UNMASKED;
    if (!control && !frame->unfinished)
        side->tail_unknown = false; /* no Close came before it, or this frame is judged for it */
    judge_interleaved(connection, side, frame);
    judge_frame(connection, side, &event);
    if (control)
        wsx_control_frame(connection, side, &event);
    else
        wsx_message_frame(connection, side, &event);
    if (side->scratch_size > SCRATCH_IDLE_MAX) {
        g_free(side->scratch);
        side->scratch = NULL;
        side->scratch_size = 0;
    }
}

static void note(struct wsx_connection *connection, enum wsx_direction direction,
                 uint64_t missing) {
    struct wsx_note told = {direction, missing};
    connection->events->note(connection->context, &told);
}

/* Framing is lost, and with it what the unseen bytes may have been. */
static void lose(struct wsx_connection *connection, struct wsx_side *side) {
    wsx_message_break(connection, side, false);
    wsx_inflate_lose_context(&side->inflate);
    side->context_partial = side->inflate.takeover;
    side->context_lost_packet = connection->packet;
    side->key_known = side->key_repeating = false;
    side->start_unknown = side->tail_unknown = true;
}

static void on_gap(void *context, uint64_t offset, uint64_t missing, bool followed, bool cut) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    struct wsx_side *side = &connection->side[pushing->direction];
    if (!followed)
        lose(connection, side);
    if (!cut)
        FINDING(connection, WSX_RULE_STREAM_GAP, 0,
                "%" G_GUINT64_FORMAT " bytes at offset %" G_GUINT64_FORMAT " of the %s: %s",
                missing, offset, wsx_side_name(pushing->direction),
                followed ? "they lay in a payload, framing goes on exactly"
                         : "a frame header may be among them, framing is searched for");
    if (missing)
        note(connection, pushing->direction, missing);
}

static void on_resync(void *context, uint64_t offset, uint64_t skipped, unsigned frames) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    struct wsx_side *side = &connection->side[pushing->direction];
    /* a capture that begins in the middle, exactly at a frame, has lost nothing that can be told */
    if (!skipped && !side->stream.gap_seen && connection->midstream)
        return;
    FINDING(connection, WSX_RULE_STREAM_RESYNC, 0,
            "at offset %" G_GUINT64_FORMAT " of the %s, by %u plausible frame%s; %" G_GUINT64_FORMAT
            " captured bytes before it are not read",
            offset, wsx_side_name(pushing->direction), frames, frames == 1 ? "" : "s in a row",
            skipped);
    note(connection, pushing->direction, 0);
}

static void on_msb(void *context, const struct wsx_frame *frame) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    lose(connection, &connection->side[pushing->direction]);
    FINDING(connection, WSX_RULE_FRAME_LENGTH_MSB, 0,
            "length 0x%016" G_GINT64_MODIFIER "x: nothing is shown of the %s from here on",
            frame->header.payload_length, wsx_side_name(pushing->direction));
    note(connection, pushing->direction, 0);
}

/* ---- what the owner calls ---- */

static struct pushing enter(struct wsx_connection *connection, enum wsx_direction direction,
                            uint32_t packet, int64_t time, void *context) {
    connection->packet = packet;
    connection->time = time;
    connection->context = context;
    return (struct pushing){connection, direction};
}

void wsx_connection_push(struct wsx_connection *connection, enum wsx_direction direction,
                         uint64_t offset, const uint8_t *bytes, size_t captured, uint64_t length,
                         uint32_t seen_in, uint32_t packet, int64_t time, void *context) {
    struct pushing pushing = enter(connection, direction, packet, time, context);
    wsx_stream_push(&connection->side[direction].stream, offset, bytes, captured, length, seen_in,
                    &pushing);
}

void wsx_connection_give_up(struct wsx_connection *connection, enum wsx_direction direction,
                            uint64_t offset, uint32_t packet, int64_t time, void *context) {
    struct wsx_stream *stream = &connection->side[direction].stream;
    while (stream->queue && offset > stream->next) {
        struct pushing pushing = enter(connection, direction, packet, time, context);
        wsx_stream_give_up(stream, &pushing);
    }
}

void wsx_connection_lose(struct wsx_connection *connection, enum wsx_direction direction,
                         uint32_t packet, int64_t time, void *context) {
    enter(connection, direction, packet, time, context);
    struct wsx_side *side = &connection->side[direction];
    lose(connection, side);
    wsx_stream_start_unknown(&side->stream);
    side->stream.gap_seen = true;
    FINDING(connection, WSX_RULE_STREAM_GAP, 0,
            "at offset %" G_GUINT64_FORMAT " of the %s, how many is not known", side->stream.next,
            wsx_side_name(direction));
    note(connection, direction, 0);
}

void wsx_connection_received(struct wsx_connection *connection, enum wsx_direction direction,
                             uint64_t offset, bool exact) {
    connection->side[direction].received = offset;
    connection->side[direction].received_exactly = exact;
}

void wsx_connection_finish(struct wsx_connection *connection, enum wsx_direction direction,
                           uint64_t end, bool proved, uint32_t packet, int64_t time,
                           void *context) {
    struct wsx_side *side = &connection->side[direction];
    if (side->ended)
        return;
    struct pushing pushing = enter(connection, direction, packet, time, context);
    connection->ending = proved;
    wsx_stream_finish(&side->stream, end, &pushing);
    wsx_message_break(connection, side, proved && !side->tail_unknown);
    connection->ending = false;
    side->ended = true;
}

void wsx_connection_judge_end(struct wsx_connection *connection, uint32_t packet, void *context) {
    connection->packet = packet;
    connection->context = context;
    wsx_control_end(connection);
}
