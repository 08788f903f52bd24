/*
 * control.c - Ping, Pong and Close of both directions (RFC 6455 5.5, 7). Part of connection.h;
 * frames come from connection.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "parts.h"

#include <glib.h>
#include <string.h>

/* Pings that may wait for a Pong: who leaves more unanswered answers none, and the oldest are given
 * up. */
#define WSX_PINGS_WAITING 1024u
/* Waiting Pings that one Pong is compared with: a Pong out of order by more answers nothing. */
#define WSX_PINGS_COMPARED 64u

struct wsx_ping {
    struct wsx_ping *next;
    uint32_t packet;
    int64_t time;
    void *mark;
    bool excused;  /* a Close came after it: nobody need answer any more */
    size_t length; /* of its payload, of which at most WSX_CONTROL_MAX bytes are kept */
    uint8_t payload[];
};

static void ping_drop(struct wsx_side *side) {
    struct wsx_ping *first = side->pings;
    side->pings = first->next;
    if (!side->pings)
        side->pings_last = NULL;
    side->ping_count--;
    g_free(first);
}

void wsx_control_clear(struct wsx_side *side) {
    while (side->pings)
        ping_drop(side);
    g_free(side->pong_early);
    side->pong_early = NULL;
}

static struct wsx_ping *ping_new(const struct wsx_frame_event *event, uint32_t packet,
                                 int64_t time) {
    size_t length = MIN(event->frame->have, WSX_CONTROL_MAX);
    struct wsx_ping *ping = g_malloc(sizeof *ping + length);
    *ping = (struct wsx_ping){.packet = packet, .time = time, .length = event->frame->have};
    if (length)
        memcpy(ping->payload, event->payload, length);
    return ping;
}

static bool ping_fits(const struct wsx_ping *ping, const struct wsx_frame_event *event) {
    size_t kept = MIN(ping->length, WSX_CONTROL_MAX);
    return ping->length == event->frame->have &&
           (!kept || memcmp(ping->payload, event->payload, kept) == 0);
}

static void pings_excuse(struct wsx_side *side) {
    for (struct wsx_ping *ping = side->pings; ping; ping = ping->next)
        ping->excused = true;
}

/* A Pong that was captured before this Ping answered it, and with it those that wait. */
static bool is_answered_before(struct wsx_side *side, const struct wsx_frame_event *event) {
    if (!side->pong_early || !ping_fits(side->pong_early, event))
        return false;
    g_free(side->pong_early);
    side->pong_early = NULL;
    side->pings_given_up = 0;
    pings_excuse(side);
    return true;
}

/* Keeps it until its Pong comes; returns where the owner's mark goes. */
static void **ping_wait(struct wsx_connection *connection, struct wsx_side *side,
                        const struct wsx_frame_event *event) {
    if (side->ping_count >= WSX_PINGS_WAITING) {
        if (!side->pings->excused && !side->pings_given_up++)
            side->given_up_packet = side->pings->packet;
        ping_drop(side);
    }
    struct wsx_ping *waiting = ping_new(event, connection->packet, connection->time);
    waiting->excused = is_answered_before(side, event) || connection->side[0].close_seen ||
                       connection->side[1].close_seen;
    if (side->pings_last)
        side->pings_last->next = waiting;
    else
        side->pings = waiting;
    side->pings_last = waiting;
    side->ping_count++;
    return &waiting->mark;
}

/* The oldest waiting Ping with this payload, or the newest one if many wait; NULL if none fits. */
static struct wsx_ping *ping_find(const struct wsx_side *side,
                                  const struct wsx_frame_event *event) {
    unsigned compared = 0;
    for (struct wsx_ping *ping = side->pings; ping && compared < WSX_PINGS_COMPARED; compared++) {
        if (ping_fits(ping, event))
            return ping;
        ping = ping->next;
    }
    bool last = side->pings_last && ping_fits(side->pings_last, event);
    return last ? side->pings_last : NULL;
}

/* A Pong for none that waits: its Ping was lost, or will be seen late. */
static void pong_alone(struct wsx_connection *connection, struct wsx_side *other,
                       const struct wsx_frame_event *event) {
    bool late = other->stream.queue || other->received > other->stream.next;
    bool unseen = late || connection->midstream || other->stream.gap_seen || other->tail_unknown ||
                  event->frame->missing;
    if (late) {
        g_free(other->pong_early);
        other->pong_early = ping_new(event, connection->packet, connection->time);
    }
    if (!unseen)
        FINDING(connection, WSX_RULE_PONG_UNSOLICITED, 0, "payload of %zu bytes",
                event->frame->have);
}

/* The Ping that it answers; the ones before that are settled. */
static void pong(struct wsx_connection *connection, struct wsx_frame_event *event) {
    struct wsx_side *other = &connection->side[!event->direction];
    struct wsx_ping *found = ping_find(other, event);
    if (!found) {
        pong_alone(connection, other, event);
        return;
    }
    event->answers_packet = found->packet;
    event->answers_mark = found->mark;
    event->answer_time = wsx_apart(connection->time, found->time);
    while (other->pings != found)
        ping_drop(other);
    ping_drop(other);
    other->pings_given_up = 0;
}

/* ---- Close ---- */

/* By an extension that is not known: its payload has a meaning of its own. */
static bool is_altered(const struct wsx_connection *connection, const struct wsx_frame *frame) {
    return connection->agreement.unknown_extension && wsx_header_rsv(&frame->header);
}

static bool code_is_invalid(unsigned code) {
    return code < 1000 || code == 1004 || code == 1005 || code == 1006 ||
           (code >= 1015 && code < 3000) || code >= 5000;
}

/* IANA's WebSocket Close Code Number registry, its range for libraries and frameworks. */
static bool code_is_registered(unsigned code) {
    return code == 3000 || code == 3003 || code == 3008;
}

static void judge_code(struct wsx_connection *connection, const struct wsx_frame_event *event,
                       unsigned code) {
    bool client = event->direction == WSX_CLIENT_TO_SERVER;
    if (code_is_invalid(code))
        FINDING(connection, WSX_RULE_CLOSE_CODE_INVALID, 0,
                "code %u of the %s, expected 1000 to 1003, 1007 to 1014, or 3000 to 4999", code,
                wsx_side_name(event->direction));
    else if (code >= 3000 && code < 4000 && !code_is_registered(code))
        FINDING(connection, WSX_RULE_CLOSE_CODE_UNREGISTERED, 0, "code %u", code);
    if (client ? code >= 1011 && code <= 1014 : code == 1010)
        FINDING(connection, WSX_RULE_CLOSE_CODE_WRONG_ROLE, 0, "code %u is for the %s to send",
                code, client ? "server" : "client");
}

static void report_reason(struct wsx_connection *connection, const struct wsx_utf8 *utf8) {
    if (utf8->bad)
        FINDING(connection, WSX_RULE_CLOSE_REASON_UTF8, 0,
                "byte 0x%02x at offset %" G_GUINT64_FORMAT " of the reason", utf8->bad_byte,
                utf8->bad_offset);
    else
        FINDING(connection, WSX_RULE_CLOSE_REASON_UTF8, 0,
                "the reason ends inside the character that begins at offset %" G_GUINT64_FORMAT,
                utf8->char_offset);
}

static void judge_close(struct wsx_connection *connection, const struct wsx_frame_event *event,
                        const struct wsx_side *answered, unsigned code) {
    const struct wsx_frame *frame = event->frame;
    if (is_altered(connection, frame))
        return;
    if (frame->header.payload_length == 1)
        FINDING(connection, WSX_RULE_CLOSE_BODY_ONE_BYTE, 0,
                "the body of the %s's Close: a code has two bytes",
                wsx_side_name(event->direction));
    if (frame->have < 2)
        return;
    judge_code(connection, event, code);
    struct wsx_utf8 utf8 = {0};
    if (!wsx_utf8_feed(&utf8, event->payload + 2, frame->have - 2) ||
        (frame->have == frame->header.payload_length && !wsx_utf8_complete(&utf8)))
        report_reason(connection, &utf8);
    if (answered && answered->close_has_code && answered->close_code != code)
        FINDING(connection, WSX_RULE_CLOSE_ECHO_DIFFERS, answered->close_packet,
                "code %u answers code %u of packet %u", code, answered->close_code,
                answered->close_packet);
}

/* It had not received the other one's Close when it sent its own. */
static bool crosses(const struct wsx_side *other) {
    return other->received_exactly && other->received <= other->close_begin;
}

static void close_frame(struct wsx_connection *connection, struct wsx_side *side,
                        struct wsx_frame_event *event) {
    struct wsx_side *other = &connection->side[!event->direction];
    bool whole = !event->frame->unfinished; /* half a Close is none (RFC 6455 7.1.5) */
    bool answers = whole && other->close_seen && !side->close_seen;
    unsigned code =
        event->frame->have >= 2 ? (unsigned)event->payload[0] << 8 | event->payload[1] : 0;
    event->first_close = whole && !side->close_seen && !other->close_seen;
    if (answers) {
        event->answers_packet = other->close_packet;
        event->answers_mark = other->close_mark;
        event->answer_time = wsx_apart(connection->time, other->close_time);
    }
    judge_close(connection, event, answers && !crosses(other) ? other : NULL, code);
    for (int d = 0; d < 2 && event->first_close; d++)
        pings_excuse(&connection->side[d]);
    if (whole && !side->close_seen) {
        side->close_seen = true;
        side->close_packet = connection->packet;
        side->close_time = connection->time;
        side->close_begin = event->frame->begin;
        side->close_code = code;
        side->close_has_code = event->frame->have >= 2 && !is_altered(connection, event->frame);
        event->mark = &side->close_mark;
    }
}

void wsx_control_frame(struct wsx_connection *connection, struct wsx_side *side,
                       struct wsx_frame_event *event) {
    switch (wsx_header_opcode(&event->frame->header)) {
    case WSX_OPCODE_CLOSE:
        event->kind = WSX_ITEM_CLOSE;
        close_frame(connection, side, event);
        break;
    case WSX_OPCODE_PING:
        event->kind = WSX_ITEM_PING;
        if (event->frame->have == event->frame->header.payload_length)
            event->mark = ping_wait(connection, side, event);
        break;
    case WSX_OPCODE_PONG:
        event->kind = WSX_ITEM_PONG;
        if (event->frame->have == event->frame->header.payload_length)
            pong(connection, event);
        break;
    default:
        event->kind = WSX_ITEM_STRAY;
    }
    connection->events->frame(connection->context, event);
}

/* ---- the end ---- */

/* Nothing of what this side may have sent is unknown, up to its last byte. */
static bool tail_is_known(const struct wsx_side *side) {
    return side->ended && !side->tail_unknown;
}

static void judge_pings(struct wsx_connection *connection, enum wsx_direction direction) {
    const struct wsx_side *side = &connection->side[direction];
    const struct wsx_side *other = &connection->side[!direction];
    if (!tail_is_known(other) || other->stream.gap_seen)
        return;
    unsigned count = side->pings_given_up;
    uint32_t first = count ? side->given_up_packet : 0, last = first;
    for (const struct wsx_ping *ping = side->pings; ping; ping = ping->next) {
        if (ping->excused)
            continue;
        if (!count++)
            first = ping->packet;
        last = ping->packet;
    }
    if (count == 1)
        FINDING(connection, WSX_RULE_PING_UNANSWERED, first, "the %s's Ping in packet %u",
                wsx_side_name(direction), first);
    else if (count)
        FINDING(connection, WSX_RULE_PING_UNANSWERED, first,
                "%u Pings of the %s, in packets %u to %u", count, wsx_side_name(direction), first,
                last);
}

static void judge_closes(struct wsx_connection *connection) {
    const struct wsx_side *sides = connection->side;
    if (sides[0].close_seen && sides[1].close_seen)
        return;
    if (!sides[0].close_seen && !sides[1].close_seen) {
        if (tail_is_known(&sides[0]) && tail_is_known(&sides[1]))
            FINDING(connection, WSX_RULE_CLOSE_MISSING, 0, "neither side sent one");
        return;
    }
    enum wsx_direction silent = sides[0].close_seen ? WSX_SERVER_TO_CLIENT : WSX_CLIENT_TO_SERVER;
    uint32_t packet = sides[!silent].close_packet;
    if (tail_is_known(&sides[silent]))
        FINDING(connection, WSX_RULE_CLOSE_UNANSWERED, packet,
                "the %s's Close in packet %u, by the %s", wsx_side_name(!silent), packet,
                wsx_side_name(silent));
}

void wsx_control_end(struct wsx_connection *connection) {
    judge_pings(connection, WSX_CLIENT_TO_SERVER);
    judge_pings(connection, WSX_SERVER_TO_CLIENT);
    judge_closes(connection);
}
