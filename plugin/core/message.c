/*
 * message.c - data frames to messages, one direction (RFC 6455 5.4, 5.6, 8.1; RFC 7692 6, 7.2.2):
 * gathers fragments, inflates, validates text. Part of connection.h; frames come from connection.c,
 * inflating itself is inflate.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "parts.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

void wsx_message_clear(struct wsx_assembly *assembly) {
    g_free(assembly->bytes);
    memset(assembly, 0, sizeof *assembly);
}

static void append(struct wsx_connection *connection, struct wsx_assembly *assembly,
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

/* ---- inflating ---- */

static void lose_context(const struct wsx_connection *connection, struct wsx_side *side) {
    wsx_inflate_lose_context(&side->inflate);
    side->context_partial = side->inflate.takeover;
    side->context_lost_packet = connection->packet;
}

static void report_context(struct wsx_connection *connection, const struct wsx_side *side,
                           const struct wsx_inflate_output *output) {
    /* beside an extension that is not known it may be no such compression at all */
    if (connection->agreement.known && !connection->agreement.deflate)
        return;
    if (side->context_lost_packet)
        FINDING(connection, WSX_RULE_DEFLATE_CONTEXT_LOST, side->context_lost_packet,
                "it refers to bytes before packet %u, where the context was lost; %zu bytes do not "
                "depend on them",
                side->context_lost_packet, output->length);
    else
        FINDING(connection, WSX_RULE_DEFLATE_CONTEXT_LOST, 0,
                "earlier messages were not captured; %zu bytes do not depend on them",
                output->length);
}

/* An extension that is not known may have changed the payload: it has where it sets reserved bits,
 * and may have where it does not. */
static void report_inflating(struct wsx_connection *connection, const struct wsx_side *side,
                             const struct wsx_message *message, enum wsx_inflate_result result,
                             const struct wsx_inflate_output *output) {
    bool too_far = result == WSX_INFLATE_FAILED && wsx_inflate_is_too_far(output);
    if (result == WSX_INFLATE_FAILED && side->context_partial &&
        (too_far || !connection->agreement.deflate))
        report_context(connection, side, output);
    else if (!message->incomplete && result == WSX_INFLATE_FAILED && !message->altered)
        FINDING_AS(connection, WSX_RULE_DEFLATE_FAILED,
                   connection->agreement.unknown_extension ? WSX_WARNING : WSX_ERROR, 0,
                   "%s after %zu of %zu bytes, %zu bytes came out",
                   output->reason ? output->reason : "bad data", output->input_used, message->have,
                   output->length);
    if (!message->incomplete && result == WSX_INFLATE_LIMIT)
        FINDING(connection, WSX_RULE_DEFLATE_LIMIT, 0,
                "%zu compressed bytes give %s%" G_GUINT64_FORMAT " bytes, %zu are kept",
                message->have, output->hard_stopped ? "more than " : "", output->full_length,
                output->length);
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

/* Inflates from the window that is known; only a part of the message when it is incomplete. */
static enum wsx_inflate_result inflate_once(struct wsx_connection *connection,
                                            struct wsx_side *side,
                                            const struct wsx_message *message,
                                            struct wsx_inflate_output *output) {
    const struct wsx_inflate_limits *limits = &connection->limits.inflate;
    if (message->incomplete)
        return wsx_inflate_partial(&side->inflate, message->bytes, message->have, limits, output);
    return wsx_inflate_message(&side->inflate, message->bytes, message->have, limits, output);
}

/*
 * Where earlier bytes of a direction are missing, the window is taken to be empty, and grows with
 * what comes out: a reference to what is not known is a fault then, never a wrong text. What comes
 * out before such a reference is certain.
 */
static enum wsx_inflate_result inflate_known(struct wsx_connection *connection,
                                             struct wsx_side *side,
                                             const struct wsx_message *message,
                                             struct wsx_inflate_output *output) {
    bool restarted = !side->inflate.context_known;
    if (restarted) {
        wsx_inflate_restart(&side->inflate);
        side->context_partial = true;
    }
    enum wsx_inflate_result result = inflate_once(connection, side, message, output);
    /* without an agreement there may be no context takeover */
    if (result == WSX_INFLATE_FAILED && !restarted && !connection->agreement.deflate) {
        free(output->bytes);
        wsx_inflate_restart(&side->inflate);
        side->context_partial = true;
        result = inflate_once(connection, side, message, output);
    }
    return result;
}

/* A compressed message: inflates what is there of its payload. *output owns what message->bytes
 * points to then. False when it can't be inflated: what came out is no text to be judged then. */
static bool inflate_whole(struct wsx_connection *connection, struct wsx_side *side,
                          struct wsx_message *message, struct wsx_inflate_output *output) {
    bool incomplete = message->incomplete;
    message->wire = message->bytes;
    message->wire_have = message->have;
    enum wsx_inflate_result result = inflate_known(connection, side, message, output);
    report_inflating(connection, side, message, result, output);
    message->guessed = !connection->agreement.deflate;
    message->window = wsx_inflate_earlier(&side->inflate, &message->window_length);
    message->length = output->full_length;
    message->length_known = !incomplete && result != WSX_INFLATE_FAILED && !output->hard_stopped;
    message->incomplete = incomplete || result != WSX_INFLATE_OK;
    if (incomplete || (side->inflate.takeover && !side->inflate.context_known))
        lose_context(connection, side);
    if (message->incomplete && !output->length) {
        message->raw = true;
        return false;
    }
    message->bytes = output->bytes;
    message->have = output->length;
    return result != WSX_INFLATE_FAILED;
}

/* ---- text ---- */

/* As for report_inflating. */
static void report_utf8(struct wsx_connection *connection, const struct wsx_message *message,
                        const struct wsx_utf8 *state) {
    const struct wsx_agreement *agreement = &connection->agreement;
    enum wsx_severity severity =
        agreement->known && !agreement->unknown_extension ? WSX_ERROR : WSX_WARNING;
    if (message->altered)
        return;
    if (state->bad)
        FINDING_AS(connection, WSX_RULE_MESSAGE_UTF8_INVALID, severity, 0,
                   "byte 0x%02x at offset %" G_GUINT64_FORMAT, state->bad_byte, state->bad_offset);
    else
        FINDING_AS(connection, WSX_RULE_MESSAGE_UTF8_INVALID, severity, 0,
                   "the message ends inside the character that begins at offset %" G_GUINT64_FORMAT,
                   state->char_offset);
}

static void judge_text(struct wsx_connection *connection, struct wsx_message *message,
                       struct wsx_utf8 *utf8, bool told) {
    if (!message->text || message->raw)
        return;
    if (utf8->bad || (!message->incomplete && !wsx_utf8_complete(utf8))) {
        if (!told)
            report_utf8(connection, message, utf8);
        return;
    }
    message->utf8 = true;
    if (message->incomplete) /* cut at a character */
        message->have = wsx_utf8_valid_prefix(message->bytes, message->have);
}

/* ---- messages ---- */

/* The last step of a message: inflating and the judgement of its text. *output owns what the
 * message points to. */
static void finish(struct wsx_connection *connection, struct wsx_side *side,
                   struct wsx_message *message, struct wsx_utf8 *utf8,
                   struct wsx_inflate_output *output) {
    memset(output, 0, sizeof *output);
    message->length = message->wire_length;
    message->length_known = !message->compressed;
    bool told = utf8->bad;
    if (message->compressed) {
        told = !inflate_whole(connection, side, message, output) || told;
        if (!message->raw)
            wsx_utf8_feed(utf8, message->bytes, message->have);
    }
    judge_text(connection, message, utf8, told);
}

void wsx_message_break(struct wsx_connection *connection, struct wsx_side *side, bool unfinished) {
    struct wsx_assembly *assembly = &side->assembly;
    struct wsx_inflate_output output;
    if (!assembly->open)
        return;
    assembly->message.incomplete = true;
    assembly->message.bytes = assembly->bytes;
    assembly->message.have = assembly->length;
    finish(connection, side, &assembly->message, &assembly->utf8, &output);
    assembly->message.length_known = false;
    if (unfinished)
        FINDING(connection, WSX_RULE_MESSAGE_UNFINISHED, assembly->message.first_packet,
                "message %u of the %s, begun in packet %u", assembly->message.index,
                wsx_side_name(assembly->message.direction), assembly->message.first_packet);
    connection->events->broken(connection->context, &assembly->message);
    free(output.bytes);
    wsx_message_clear(assembly);
}

static void begin(const struct wsx_connection *connection, struct wsx_side *side,
                  const struct wsx_frame_event *event, struct wsx_message *message) {
    const struct wsx_frame_header *header = &event->frame->header;
    const struct wsx_agreement *agreement = &connection->agreement;
    bool rsv1 = (wsx_header_rsv(header) & 4) != 0;
    *message = (struct wsx_message){
        .direction = event->direction,
        .index = ++side->messages,
        .text = wsx_header_opcode(header) == WSX_OPCODE_TEXT,
        .compressed = rsv1 && (agreement->deflate || !agreement->known ||
                               agreement->unknown_extension), /* inflating tells */
        .first_index = event->index,
        .first_packet = event->frame->begin_packet,
        .first_time = connection->time};
}

static void add(struct wsx_connection *connection, struct wsx_message *message,
                struct wsx_utf8 *utf8, const struct wsx_frame_event *event) {
    const struct wsx_frame *frame = event->frame;
    bool was_whole = !message->incomplete;
    const struct wsx_agreement *agreement = &connection->agreement;
    /* RSV1 is permessage-deflate's, or likely to be */
    unsigned foreign = agreement->deflate || !agreement->known ? 3u : 7u;
    bool judged = agreement->known && !agreement->unknown_extension;
    if (!judged && (wsx_header_rsv(&frame->header) & foreign))
        message->altered = true;
    message->frames++;
    message->wire_length += frame->header.payload_length;
    if (frame->have < frame->header.payload_length)
        message->incomplete = true;
    if (message->text && !message->compressed && was_whole && !utf8->bad &&
        !wsx_utf8_feed(utf8, event->payload, frame->have))
        report_utf8(connection, message, utf8);
}

/* A data frame that is a message by itself. */
static void single(struct wsx_connection *connection, struct wsx_side *side,
                   struct wsx_frame_event *event) {
    struct wsx_message message;
    struct wsx_utf8 utf8 = {0};
    struct wsx_inflate_output output;
    begin(connection, side, event, &message);
    add(connection, &message, &utf8, event);
    message.bytes = event->payload;
    message.have = event->frame->have;
    if (message.have > connection->limits.message) {
        FINDING(connection, WSX_RULE_MESSAGE_LIMIT, 0,
                "%zu bytes, only the first %zu bytes are kept", message.have,
                connection->limits.message);
        message.have = connection->limits.message;
        message.incomplete = true;
    }
    bool crossed = message.compressed && side->assembly.open && side->assembly.message.compressed;
    if (crossed) /* which of the two was compressed first is not known */
        lose_context(connection, side);
    finish(connection, side, &message, &utf8, &output);
    if (crossed) {
        lose_context(connection, side);
        side->assembly.crossed = true;
    }
    if (event->frame->unfinished && connection->ending && !side->tail_unknown)
        FINDING(connection, WSX_RULE_MESSAGE_UNFINISHED, event->frame->begin_packet,
                "message %u of the %s, begun in packet %u: %zu of %" G_GUINT64_FORMAT
                " bytes of its frame came",
                message.index, wsx_side_name(event->direction), event->frame->begin_packet,
                event->frame->have, event->frame->header.payload_length);
    event->kind = WSX_ITEM_MESSAGE;
    event->message = &message;
    event->message_index = message.index;
    connection->events->frame(connection->context, event);
    event->message = NULL; /* it ends here */
    free(output.bytes);
}

/* The older deflate-frame extensions compress each frame by itself and set RSV1 on each: between
 * two of them stands what their sender removed, as in RFC 7692 7.2.1. */
static void append_frame_tail(struct wsx_connection *connection, struct wsx_assembly *assembly,
                              const struct wsx_frame_event *event) {
    static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};
    const struct wsx_agreement *agreement = &connection->agreement;
    if (agreement->unknown_extension && !agreement->deflate && assembly->message.compressed &&
        assembly->message.frames > 1 && (wsx_header_rsv(&event->frame->header) & 4))
        append(connection, assembly, tail, sizeof tail);
}

static void fragment(struct wsx_connection *connection, struct wsx_side *side,
                     struct wsx_frame_event *event) {
    struct wsx_assembly *assembly = &side->assembly;
    add(connection, &assembly->message, &assembly->utf8, event);
    append_frame_tail(connection, assembly, event);
    append(connection, assembly, event->payload, event->frame->have);
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
    finish(connection, side, message, &assembly->utf8, &output);
    if (assembly->crossed)
        lose_context(connection, side);
    event->kind = WSX_ITEM_MESSAGE;
    event->message = message;
    connection->events->frame(connection->context, event);
    free(output.bytes);
    wsx_message_clear(assembly);
}

static void stray(struct wsx_connection *connection, struct wsx_frame_event *event) {
    event->kind = WSX_ITEM_STRAY;
    connection->events->frame(connection->context, event);
}

static void orphan(struct wsx_connection *connection, struct wsx_side *side,
                   struct wsx_frame_event *event) {
    /* A gap explains it: nothing is proved. Where no handshake was seen, it is likely. */
    if (!side->start_unknown || connection->midstream)
        FINDING_AS(connection, WSX_RULE_FRAME_CONTINUATION_ORPHAN,
                   side->start_unknown ? WSX_WARNING : WSX_ERROR, 0, "frame %u of the %s",
                   event->index, wsx_side_name(event->direction));
    if (wsx_header_fin(&event->frame->header))
        side->start_unknown = false;
    stray(connection, event);
}

void wsx_message_frame(struct wsx_connection *connection, struct wsx_side *side,
                       struct wsx_frame_event *event) {
    const struct wsx_frame_header *header = &event->frame->header;
    unsigned opcode = wsx_header_opcode(header);
    if (opcode == WSX_OPCODE_CONTINUATION) {
        if (side->assembly.open)
            fragment(connection, side, event);
        else
            orphan(connection, side, event);
        return;
    }
    if (opcode != WSX_OPCODE_TEXT && opcode != WSX_OPCODE_BINARY) {
        stray(connection, event);
        return;
    }
    side->start_unknown = false;
    if (wsx_header_fin(header)) {
        single(connection, side, event);
        return;
    }
    begin(connection, side, event, &side->assembly.message);
    side->assembly.open = true;
    fragment(connection, side, event);
}
