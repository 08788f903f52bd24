/*
 * connection.c - frames of both directions to messages, Pings and Closes; see connection.h. Which
 * rules a frame breaks is decided here and reported right before the frame.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "connection.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* Pings that may wait for a Pong; a sender of more is not answered anyway, and the oldest are given
 * up. */
#define WSX_PINGS_WAITING 1024u

struct wsx_ping {
    struct wsx_ping *next;
    uint32_t packet, index;
    int64_t time;
    size_t length;
    uint8_t payload[];
};

static void on_frame(void *context, const struct wsx_frame *frame);
static void on_gap(void *context, uint64_t offset, uint64_t missing, bool followed);
static void on_msb(void *context, const struct wsx_frame *frame);

static const struct wsx_stream_events stream_events = {on_frame, on_gap, on_msb};

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
    for (int d = 0; d < 2; d++) {
        const struct wsx_agreement *agreed = &connection->agreement;
        struct wsx_side *side = &connection->side[d];
        wsx_stream_init(&side->stream, &stream_events, limits->frame);
        bool client = d == WSX_CLIENT_TO_SERVER;
        wsx_inflate_init(&side->inflate, client ? agreed->client_bits : agreed->server_bits,
                         client ? agreed->client_takeover : agreed->server_takeover);
    }
    return connection;
}

static void ping_drop(struct wsx_side *side) {
    struct wsx_ping *first = side->pings;
    side->pings = first->next;
    if (!side->pings)
        side->pings_last = NULL;
    side->ping_count--;
    g_free(first);
}

void wsx_connection_free(struct wsx_connection *connection) {
    if (!connection)
        return;
    for (int d = 0; d < 2; d++) {
        struct wsx_side *side = &connection->side[d];
        wsx_stream_clear(&side->stream);
        wsx_inflate_clear(&side->inflate);
        g_free(side->assembly.bytes);
        g_free(side->scratch);
        while (side->pings)
            ping_drop(side);
    }
    wsx_agreement_clear(&connection->agreement);
    g_free(connection);
}

static struct wsx_finding_sink sink_of(struct wsx_connection *connection) {
    return (struct wsx_finding_sink){connection->events->finding, connection->context};
}

/* Reports one finding of the frame under way; the arguments are wsx_report's. */
#define FINDING(connection, rule, packet, ...)                                                     \
    do {                                                                                           \
        struct wsx_finding_sink sink_ = sink_of(connection);                                       \
        wsx_report(&sink_, rule, packet, __VA_ARGS__);                                             \
    } while (0)

static const char *side_name(enum wsx_direction direction) {
    return direction == WSX_CLIENT_TO_SERVER ? "client" : "server";
}

/* ---- messages ---- */

static void assembly_append(struct wsx_connection *connection, struct wsx_assembly *assembly,
                            const uint8_t *bytes, size_t length) {
    if (assembly->hole || assembly->limited)
        return;
    size_t room = connection->limits.message - assembly->length;
    if (length > room) {
        length = room;
        assembly->limited = true;
        FINDING(connection, WSX_RULE_MESSAGE_LIMIT, 0, "only the first %zu bytes are kept",
                connection->limits.message);
    }
    if (!length)
        return;
    if (assembly->size - assembly->length < length) {
        assembly->size = MAX(assembly->size * 2, assembly->length + length);
        assembly->bytes = g_realloc(assembly->bytes, assembly->size);
    }
    memcpy(assembly->bytes + assembly->length, bytes, length);
    assembly->length += length;
}

static void assembly_close(struct wsx_assembly *assembly) {
    g_free(assembly->bytes);
    memset(assembly, 0, sizeof *assembly);
}

/* A compressed message with all its payload: inflates it. *output owns what message->bytes points
 * to. */
static void inflate_whole(struct wsx_connection *connection, struct wsx_side *side,
                          struct wsx_message *message, struct wsx_inflate_output *output) {
    const uint8_t *wire = message->bytes;
    size_t wire_have = message->have;
    message->raw = false;
    if (!side->inflate.context_known) {
        FINDING(connection, WSX_RULE_DEFLATE_CONTEXT_LOST, side->context_lost_packet,
                "the context was lost in packet %u", side->context_lost_packet);
        message->raw = message->incomplete = true;
        return;
    }
    enum wsx_inflate_result result = message->incomplete
                                         ? wsx_inflate_partial(&side->inflate, wire, wire_have,
                                                               &connection->limits.inflate, output)
                                         : wsx_inflate_message(&side->inflate, wire, wire_have,
                                                               &connection->limits.inflate, output);
    message->bytes = output->bytes;
    message->have = output->length;
    message->length = output->full_length;
    message->length_known =
        !message->incomplete && result != WSX_INFLATE_FAILED && !output->hard_stopped;
    if (message->incomplete) {
        wsx_inflate_lose_context(&side->inflate);
    } else if (result == WSX_INFLATE_FAILED) {
        FINDING(connection, WSX_RULE_DEFLATE_FAILED, 0,
                "%s after %zu of %zu bytes, %zu bytes came out",
                output->reason ? output->reason : "bad data", output->input_used, wire_have,
                output->length);
        message->incomplete = true;
    } else if (result == WSX_INFLATE_LIMIT) {
        FINDING(connection, WSX_RULE_DEFLATE_LIMIT, 0, "%zu compressed bytes: %zu bytes are given",
                wire_have, output->length);
        message->incomplete = true;
    }
    if (!side->inflate.context_known)
        side->context_lost_packet = connection->packet;
    if (message->incomplete && !output->length) {
        message->raw = true;
        message->bytes = wire;
        message->have = wire_have;
    }
    if (output->window_exceeded)
        FINDING(connection, WSX_RULE_DEFLATE_WINDOW_EXCEEDED, 0,
                "distance %u, the window has %u bytes", output->bad_distance,
                1u << side->inflate.window_bits);
    if (output->takeover_violated)
        FINDING(connection, WSX_RULE_DEFLATE_TAKEOVER_VIOLATED, 0,
                "the message refers to bytes of an earlier message");
    if (output->tail_kept)
        FINDING(connection, WSX_RULE_DEFLATE_TAIL_KEPT, 0, "the last four bytes of the payload");
}

static void report_utf8(struct wsx_connection *connection, const struct wsx_utf8 *state) {
    if (state->bad)
        FINDING(connection, WSX_RULE_MESSAGE_UTF8_INVALID, 0,
                "byte 0x%02x at offset %" G_GUINT64_FORMAT, state->bad_byte, state->bad_offset);
    else
        FINDING(connection, WSX_RULE_MESSAGE_UTF8_INVALID, 0,
                "the message ends inside the character that begins at offset %" G_GUINT64_FORMAT,
                state->char_offset);
}

/* The last step of a message: inflating and the judgement of its text. */
static void message_finish(struct wsx_connection *connection, struct wsx_side *side,
                           struct wsx_message *message, struct wsx_utf8 *utf8,
                           struct wsx_inflate_output *output) {
    memset(output, 0, sizeof *output);
    message->length = message->wire_length;
    message->length_known = !message->compressed;
    bool told = utf8->bad;
    if (message->compressed) {
        inflate_whole(connection, side, message, output);
        if (!message->raw)
            wsx_utf8_feed(utf8, message->bytes, message->have);
    }
    if (!message->text || message->raw)
        return;
    if (utf8->bad || (!message->incomplete && !wsx_utf8_complete(utf8))) {
        if (!told)
            report_utf8(connection, utf8);
    } else {
        message->utf8 = true;
        if (message->incomplete && !wsx_utf8_complete(utf8)) /* cut at a character */
            message->have = wsx_utf8_valid_prefix(message->bytes, message->have);
    }
}

/* The message under way ends without its last frame. */
static void break_message(struct wsx_connection *connection, struct wsx_side *side) {
    struct wsx_assembly *assembly = &side->assembly;
    struct wsx_inflate_output output;
    assembly->message.incomplete = true;
    assembly->message.bytes = assembly->bytes;
    assembly->message.have = assembly->length;
    message_finish(connection, side, &assembly->message, &assembly->utf8, &output);
    assembly->message.length_known = false;
    connection->events->broken(connection->context, &assembly->message);
    free(output.bytes);
    assembly_close(assembly);
}

static void message_begin(struct wsx_connection *connection, struct wsx_side *side,
                          const struct wsx_frame_event *event, struct wsx_message *message) {
    *message = (struct wsx_message){
        .direction = event->direction,
        .index = ++side->messages,
        .text = wsx_header_opcode(&event->frame->header) == WSX_OPCODE_TEXT,
        .compressed = connection->agreement.deflate && (wsx_header_rsv(&event->frame->header) & 4),
        .first_index = event->index,
                                    .first_packet = event->frame->begin_packet,
        .first_time = connection->time};
}

static void message_add(struct wsx_connection *connection, struct wsx_message *message,
                        struct wsx_utf8 *utf8, const struct wsx_frame_event *event) {
    const struct wsx_frame *frame = event->frame;
    message->frames++;
    message->wire_length += frame->header.payload_length;
    if (frame->have < frame->header.payload_length)
        message->incomplete = true;
    if (message->text && !message->compressed && !utf8->bad && !frame->missing &&
        !frame->over_limit && !wsx_utf8_feed(utf8, event->payload, frame->have))
        report_utf8(connection, utf8);
}

/* A data frame that is a message by itself. */
static void single_message(struct wsx_connection *connection, struct wsx_side *side,
                           struct wsx_frame_event *event) {
    struct wsx_message message;
    struct wsx_utf8 utf8 = {0};
    struct wsx_inflate_output output;
    message_begin(connection, side, event, &message);
    message_add(connection, &message, &utf8, event);
    message.bytes = event->payload;
    message.have = event->frame->have;
    message_finish(connection, side, &message, &utf8, &output);
    event->kind = WSX_ITEM_MESSAGE;
    event->message = &message;
    event->message_index = message.index;
    connection->events->frame(connection->context, event);
    free(output.bytes);
}

static void fragment(struct wsx_connection *connection, struct wsx_side *side,
                     struct wsx_frame_event *event) {
    struct wsx_assembly *assembly = &side->assembly;
    message_add(connection, &assembly->message, &assembly->utf8, event);
    assembly_append(connection, assembly, event->payload, event->frame->have);
    if (event->frame->have < event->frame->header.payload_length)
        assembly->hole = true;
    event->message_index = assembly->message.index;
    if (!wsx_header_fin(&event->frame->header) || event->frame->unfinished) {
        event->kind = WSX_ITEM_FRAGMENT;
        connection->events->frame(connection->context, event);
        return;
    }
    struct wsx_inflate_output output;
    struct wsx_message *message = &assembly->message;
    message->bytes = assembly->bytes;
    message->have = assembly->length;
    message->incomplete = message->incomplete || assembly->limited;
    message_finish(connection, side, message, &assembly->utf8, &output);
    event->kind = WSX_ITEM_MESSAGE;
    event->message = message;
    connection->events->frame(connection->context, event);
    free(output.bytes);
    assembly_close(assembly);
}

static void stray(struct wsx_connection *connection, struct wsx_frame_event *event) {
    event->kind = WSX_ITEM_STRAY;
    connection->events->frame(connection->context, event);
}

static void data_frame(struct wsx_connection *connection, struct wsx_side *side,
                       struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    unsigned opcode = wsx_header_opcode(header);
    if (opcode == WSX_OPCODE_CONTINUATION) {
        if (side->assembly.open) {
            fragment(connection, side, event);
            return;
        }
        bool unseen = connection->midstream;
        struct wsx_finding_sink sink = sink_of(connection);
        wsx_report_as(&sink, WSX_RULE_FRAME_CONTINUATION_ORPHAN, unseen ? WSX_WARNING : WSX_ERROR,
                      0, "frame %u of the %s", event->index, side_name(event->direction));
        stray(connection, event);
        return;
    }
    if (opcode != WSX_OPCODE_TEXT && opcode != WSX_OPCODE_BINARY) {
        stray(connection, event);
        return;
    }
    if (side->assembly.open) {
        FINDING(connection, WSX_RULE_FRAME_MESSAGE_INTERLEAVED, side->assembly.message.first_packet,
                "message %u, begun in packet %u, is not finished", side->assembly.message.index,
                side->assembly.message.first_packet);
        if (!wsx_header_fin(header))
            break_message(connection, side);
    }
    if (wsx_header_fin(header)) {
        single_message(connection, side, event);
        return;
    }
    message_begin(connection, side, event, &side->assembly.message);
    side->assembly.open = true;
    fragment(connection, side, event);
}

/* ---- control frames ---- */

static void ping(struct wsx_connection *connection, struct wsx_side *side,
                 const struct wsx_frame_event *event) {
    if (side->ping_count >= WSX_PINGS_WAITING)
        ping_drop(side);
    size_t length = MIN(event->frame->have, WSX_CONTROL_MAX);
    struct wsx_ping *waiting = g_malloc(sizeof *waiting + length);
    *waiting = (struct wsx_ping){.packet = connection->packet,
                                 .index = event->index,
                                 .time = connection->time,
                                 .length = length};
    if (length)
        memcpy(waiting->payload, event->payload, length);
    if (side->pings_last)
        side->pings_last->next = waiting;
    else
        side->pings = waiting;
    side->pings_last = waiting;
    side->ping_count++;
}

/* The oldest waiting Ping of the other side with this payload; the ones before it are settled
 * (DESIGN 4.8). */
static void pong(struct wsx_connection *connection, struct wsx_frame_event *event) {
    struct wsx_side *other = &connection->side[!event->direction];
    struct wsx_ping *found = other->pings;
    while (found &&
           !(found->length == event->frame->have &&
             (!found->length || memcmp(found->payload, event->payload, found->length) == 0)))
        found = found->next;
    if (!found) {
        if (!event->frame->missing && !connection->midstream)
            FINDING(connection, WSX_RULE_PONG_UNSOLICITED, 0, "payload of %zu bytes",
                    event->frame->have);
        return;
    }
    while (other->pings != found)
        ping_drop(other);
    event->answers_packet = found->packet;
    event->answers_direction = !event->direction;
    event->answers_index = found->index;
    event->answer_time = connection->time - found->time;
    ping_drop(other);
}

static void close_frame(struct wsx_connection *connection, struct wsx_side *side,
                        struct wsx_frame_event *event) {
    const struct wsx_frame *frame = event->frame;
    struct wsx_side *other = &connection->side[!event->direction];
    unsigned code = frame->have >= 2 ? (unsigned)event->payload[0] << 8 | event->payload[1] : 0;
    event->first_close = !side->close_seen && !other->close_seen;
    if (other->close_seen && !side->close_seen) {
        event->answers_packet = other->close_packet;
        event->answers_direction = !event->direction;
        event->answers_index = other->close_frame;
        event->answer_time = connection->time - other->close_time;
    }
    if (frame->header.payload_length == 1)
        FINDING(connection, WSX_RULE_CLOSE_BODY_ONE_BYTE, 0,
                "a body has a code of two bytes or is empty");
    if (frame->have >= 2) {
        if (code < 1000 || code == 1004 || code == 1005 || code == 1006 ||
            (code >= 1015 && code < 3000) || code >= 5000)
            FINDING(connection, WSX_RULE_CLOSE_CODE_INVALID, 0, "code %u", code);
        struct wsx_utf8 utf8 = {0};
        if (!wsx_utf8_feed(&utf8, event->payload + 2, frame->have - 2) ||
            (!frame->missing && !wsx_utf8_complete(&utf8)))
            FINDING(connection, WSX_RULE_CLOSE_REASON_UTF8, 0,
                    "at offset %" G_GUINT64_FORMAT " of the reason",
                    utf8.bad ? utf8.bad_offset : utf8.char_offset);
    }
    if (!side->close_seen) {
        side->close_seen = true;
        side->close_packet = connection->packet;
        side->close_frame = event->index;
        side->close_time = connection->time;
        side->close_code = code;
    }
}

static void control_frame(struct wsx_connection *connection, struct wsx_side *side,
                          struct wsx_frame_event *event) {
    switch (wsx_header_opcode(&event->frame->header)) {
    case WSX_OPCODE_CLOSE:
        event->kind = WSX_ITEM_CLOSE;
        close_frame(connection, side, event);
        break;
    case WSX_OPCODE_PING:
        event->kind = WSX_ITEM_PING;
        if (!event->frame->unfinished)
            ping(connection, side, event);
        break;
    case WSX_OPCODE_PONG:
        event->kind = WSX_ITEM_PONG;
        pong(connection, event);
        break;
    default:
        event->kind = WSX_ITEM_STRAY;
    }
    connection->events->frame(connection->context, event);
}

/* ---- rules of one frame ---- */

static void judge_mask(struct wsx_connection *connection, struct wsx_side *side,
                       const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    bool client = event->direction == WSX_CLIENT_TO_SERVER;
    if (client && !header->masked)
        FINDING(connection, WSX_RULE_FRAME_MASK_MISSING, 0, "frame %u of the client", event->index);
    if (!client && header->masked)
        FINDING(connection, WSX_RULE_FRAME_MASK_UNEXPECTED, 0, "frame %u of the server",
                event->index);
    if (!header->masked || !header->payload_length)
        return;
    static const uint8_t zero[4];
    if (memcmp(header->key, zero, 4) == 0) {
        if (!side->zero_key_told)
            FINDING(connection, WSX_RULE_FRAME_MASK_KEY_ZERO, 0,
                    "the payload is readable on the wire");
        side->zero_key_told = true;
        return;
    }
    bool repeats = side->key_known && memcmp(side->key, header->key, 4) == 0;
    if (repeats && !side->key_repeating)
        FINDING(connection, WSX_RULE_FRAME_MASK_KEY_REUSED, 0,
                "key %02x%02x%02x%02x of the frame before", header->key[0], header->key[1],
                header->key[2], header->key[3]);
    side->key_repeating = repeats;
    side->key_known = true;
    memcpy(side->key, header->key, 4);
}

static void judge_rsv(struct wsx_connection *connection, const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    unsigned opcode = wsx_header_opcode(header);
    unsigned bad = wsx_header_rsv(header);
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
        return;
    if (connection->agreement.deflate && (bad & 4)) {
        if (opcode == WSX_OPCODE_CONTINUATION || wsx_opcode_is_control(opcode))
            FINDING(connection, WSX_RULE_DEFLATE_RSV1_MISPLACED, 0, "on a frame with opcode %u",
                    opcode);
        bad &= 3u;
    }
    if (!bad || connection->agreement.unknown_extension)
        return;
    struct wsx_finding_sink sink = sink_of(connection);
    wsx_report_as(&sink, WSX_RULE_FRAME_RSV_NONZERO,
                  connection->midstream ? WSX_WARNING : WSX_ERROR, 0, "%s%s%sset",
                  bad & 4 ? "RSV1 " : "", bad & 2 ? "RSV2 " : "", bad & 1 ? "RSV3 " : "");
}

static void judge_frame(struct wsx_connection *connection, struct wsx_side *side,
                        const struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    unsigned opcode = wsx_header_opcode(header);
    judge_mask(connection, side, event);
    judge_rsv(connection, event);
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
        FINDING(connection, WSX_RULE_FRAME_OPCODE_RESERVED, 0, "opcode %u", opcode);
    if ((header->length_form == 2 && header->payload_length < 126) ||
        (header->length_form == 8 && header->payload_length < 65536))
        FINDING(connection, WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, 0,
                "%" G_GUINT64_FORMAT " in %u bytes", header->payload_length, header->length_form);
    if (wsx_opcode_is_control(opcode)) {
        if (header->payload_length > WSX_CONTROL_MAX)
            FINDING(connection, WSX_RULE_FRAME_CONTROL_TOO_LONG, 0, "%" G_GUINT64_FORMAT " bytes",
                    header->payload_length);
        if (!wsx_header_fin(header))
            FINDING(connection, WSX_RULE_FRAME_CONTROL_FRAGMENTED, 0, "FIN is 0, opcode %u",
                    opcode);
    }
    if (event->frame->over_limit)
        FINDING(connection, WSX_RULE_FRAME_LIMIT, 0, "%zu of %" G_GUINT64_FORMAT " bytes are kept",
                event->frame->have, header->payload_length);
    if (side->close_seen)
        FINDING(connection,
                wsx_opcode_is_control(opcode) ? WSX_RULE_CLOSE_CONTROL_AFTER
                                              : WSX_RULE_CLOSE_DATA_AFTER,
                side->close_packet, "the %s sent Close in packet %u", side_name(event->direction),
                side->close_packet);
}

static const uint8_t *unmasked(struct wsx_side *side, const struct wsx_frame *frame) {
    if (!frame->header.masked || !frame->have)
        return frame->payload;
    if (side->scratch_size < frame->have) {
        g_free(side->scratch);
        side->scratch_size = frame->have;
        side->scratch = g_malloc(side->scratch_size);
    }
    wsx_unmask(side->scratch, frame->payload, frame->have, frame->header.key, 0);
    return side->scratch;
}

static void on_frame(void *context, const struct wsx_frame *frame) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    struct wsx_side *side = &connection->side[pushing->direction];
    struct wsx_frame_event event = {
        .frame = frame,
        .direction = pushing->direction,
        .index = ++side->frames,
        .delta = connection->frame_seen ? connection->time - connection->last_time : -1,
        .payload = unmasked(side, frame)};
    connection->frame_seen = true;
    connection->last_time = connection->time;
    judge_frame(connection, side, &event);
    if (wsx_opcode_is_control(wsx_header_opcode(&frame->header)))
        control_frame(connection, side, &event);
    else
        data_frame(connection, side, &event);
    if (side->scratch_size > (1u << 16)) {
        g_free(side->scratch);
        side->scratch = NULL;
        side->scratch_size = 0;
    }
}

static void on_gap(void *context, uint64_t offset, uint64_t missing, bool followed) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    struct wsx_side *side = &connection->side[pushing->direction];
    FINDING(connection, WSX_RULE_STREAM_GAP, 0,
            "%" G_GUINT64_FORMAT " bytes at offset %" G_GUINT64_FORMAT " of the %s: %s", missing,
            offset, side_name(pushing->direction),
            followed ? "they lay in a payload, framing goes on"
                     : "nothing is shown of this direction from here on");
    if (!followed) {
        wsx_inflate_lose_context(&side->inflate);
        side->context_lost_packet = connection->packet;
        if (side->assembly.open)
            break_message(connection, side);
    }
    struct wsx_note note = {pushing->direction, missing};
    connection->events->note(connection->context, &note);
}

static void on_msb(void *context, const struct wsx_frame *frame) {
    struct pushing *pushing = context;
    struct wsx_connection *connection = pushing->connection;
    FINDING(connection, WSX_RULE_FRAME_LENGTH_MSB, 0,
            "length 0x%016" G_GINT64_MODIFIER "x: nothing is shown of the %s from here on",
            frame->header.payload_length, side_name(pushing->direction));
    struct wsx_note note = {pushing->direction, 0};
    connection->events->note(connection->context, &note);
}

void wsx_connection_push(struct wsx_connection *connection, enum wsx_direction direction,
                         uint64_t offset, const uint8_t *bytes, size_t captured, uint64_t length,
                         uint32_t packet, int64_t time, void *context) {
    struct pushing pushing = {connection, direction};
    connection->packet = packet;
    connection->time = time;
    connection->context = context;
    wsx_stream_push(&connection->side[direction].stream, offset, bytes, captured, length, packet,
                    &pushing);
}

void wsx_connection_finish(struct wsx_connection *connection, enum wsx_direction direction,
                           uint32_t packet, int64_t time, void *context) {
    struct pushing pushing = {connection, direction};
    struct wsx_side *side = &connection->side[direction];
    connection->packet = packet;
    connection->time = time;
    connection->context = context;
    wsx_stream_finish(&side->stream, packet, &pushing);
    if (side->assembly.open)
        break_message(connection, side);
}
