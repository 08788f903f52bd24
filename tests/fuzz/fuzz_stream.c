/*
 * fuzz_stream.c - both directions of a connection, cut, late, doubled, lost and ended as the input
 * says, under any agreement: what comes out must be readable memory, in order, and the same for
 * every cut of the same bytes.
 *
 * The first eight bytes choose the agreement and the limits. Then steps: a byte that says what
 * happens and in which direction, a length, and as many bytes of the connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include "connection.h"

#include <glib.h>
#include <stdio.h>

#define LATE_MAX 8u
#define PIECE_MAX 2048u

/* What one run of the connection gave, as a sum over everything that does not depend on the cut. */
struct seen {
    uint64_t sum;
    uint32_t frames[2], messages[2];
    uint64_t bytes; /* of messages */
};

static void add(struct seen *seen, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        seen->sum = (seen->sum ^ at[i]) * UINT64_C(0x100000001b3);
}

static void add_number(struct seen *seen, uint64_t number) { add(seen, &number, sizeof number); }

static void add_message(struct seen *seen, const struct wsx_message *message) {
    FUZZ_CHECK(message->index > seen->messages[message->direction] || message->frames > 1 ||
               message->incomplete || message->first_index);
    add_number(seen, message->index);
    add_number(seen, message->length_known ? message->length : 0);
    add_number(seen, message->wire_length);
    add_number(seen, message->frames);
    add_number(seen, (uint64_t)message->text << 5 | (uint64_t)message->compressed << 4 |
                         (uint64_t)message->incomplete << 3 | (uint64_t)message->raw << 2 |
                         (uint64_t)message->utf8 << 1 | message->guessed);
    add_number(seen, message->have);
    add(seen, message->bytes, message->have);
    if (message->compressed && !message->raw) {
        struct seen unused = {0};
        add(&unused, message->wire, message->wire_have);
        add(&unused, message->window, message->window_length);
    }
    if (message->utf8) {
        struct wsx_utf8 state = {0};
        FUZZ_CHECK(wsx_utf8_feed(&state, message->bytes, message->have));
        FUZZ_CHECK(wsx_utf8_complete(&state));
    }
    if (message->length_known && !message->incomplete)
        FUZZ_CHECK(message->have == message->length);
    seen->messages[message->direction] = MAX(seen->messages[message->direction], message->index);
    seen->bytes += message->have;
}

static void on_frame(void *context, const struct wsx_frame_event *event) {
    struct seen *seen = context;
    const struct wsx_frame *frame = event->frame;
    FUZZ_CHECK(event->index == seen->frames[event->direction] + 1);
    FUZZ_CHECK(frame->have <= frame->header.payload_length);
    FUZZ_CHECK(!frame->whole || frame->have == frame->header.payload_length);
    seen->frames[event->direction]++;
    add_number(seen, event->kind);
    add_number(seen, frame->header.payload_length);
    add_number(seen, frame->have);
    add_number(seen, frame->missing);
    add_number(seen, frame->begin);
    add_number(seen, event->answers_packet);
    add(seen, event->payload, frame->have);
    if (event->mark)
        *event->mark = seen;
    if (event->message)
        add_message(seen, event->message);
}

static void on_broken(void *context, const struct wsx_message *message) {
    add_message(context, message);
}

static void on_note(void *context, const struct wsx_note *note) {
    add_number(context, note->missing);
}

static void on_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                       uint32_t packet, const char *detail) {
    FUZZ_CHECK(rule < WSX_RULE_COUNT && severity <= WSX_ERROR);
    add_number(context, rule);
    add_number(context, packet);
    add(context, detail, strlen(detail));
}

static const struct wsx_connection_events events = {on_frame, on_broken, on_note, on_finding};

static struct wsx_connection *connection_of(const uint8_t *head) {
    struct wsx_agreement agreement;
    wsx_agreement_init(&agreement);
    agreement.known = head[0] & 1;
    agreement.deflate = agreement.known && (head[0] & 2);
    agreement.unknown_extension = agreement.known && (head[0] & 12) == 12;
    agreement.client_takeover = head[0] & 16;
    agreement.server_takeover = head[0] & 32;
    agreement.client_bits = (uint8_t)(8 + head[1] % 8);
    agreement.server_bits = (uint8_t)(8 + (head[1] >> 4) % 8);
    /* small ones, so that they are met */
    struct wsx_limits limits = {.frame = head[2] & 1 ? 40 : 1 << 20,
                                .message = head[2] & 2 ? 60 : 1 << 20};
    limits.inflate.output = head[2] & 4 ? 80 : 1 << 20;
    limits.inflate.hard_output = head[2] & 8 ? 4096 : 4 << 20;
    limits.inflate.ratio = head[3];
    return wsx_connection_new(&events, &limits, &agreement, head[0] & 64);
}

/* ---- the same bytes, cut otherwise ---- */

/* Each step's bytes in one piece, or cut and out of order; nothing is lost. */
static struct seen run_whole(const uint8_t *head, struct fuzz_input input, bool cut) {
    struct seen seen = {0};
    struct wsx_connection *connection = connection_of(head);
    uint64_t offset[2] = {0, 0};
    uint32_t packet = 1, turn = head[5];
    while (input.left > 2) {
        unsigned d = fuzz_byte(&input) & 1;
        size_t length = fuzz_byte(&input);
        const uint8_t *bytes = fuzz_take(&input, &length);
        size_t first = 0;
        if (cut && length > 2) { /* the second half before the first one */
            first = 1 + (turn = turn * 1103515245u + 12345u) % (length - 1);
            wsx_connection_push(connection, d, offset[d] + first, bytes + first, length - first,
                                length - first, packet, packet, packet, &seen);
            for (size_t at = 0; at < first; at++)
                wsx_connection_push(connection, d, offset[d] + at, bytes + at, 1, 1, packet, packet,
                                    packet, &seen);
        } else {
            wsx_connection_push(connection, d, offset[d], bytes, length, length, packet, packet,
                                packet, &seen);
        }
        offset[d] += length;
        packet++;
    }
    for (unsigned d = 0; d < 2; d++)
        wsx_connection_finish(connection, d, 0, head[4] & 1, packet, packet, &seen);
    wsx_connection_judge_end(connection, packet, &seen);
    wsx_connection_free(connection);
    return seen;
}

static void compare_cuts(const uint8_t *head, struct fuzz_input input) {
    struct seen one = run_whole(head, input, false), other = run_whole(head, input, true);
    FUZZ_CHECK(one.frames[0] == other.frames[0] && one.frames[1] == other.frames[1]);
    FUZZ_CHECK(one.messages[0] == other.messages[0] && one.messages[1] == other.messages[1]);
    FUZZ_CHECK(one.bytes == other.bytes);
    FUZZ_CHECK(one.sum == other.sum);
}

/* ---- damaged ---- */

struct piece {
    uint64_t offset;
    const uint8_t *bytes;
    size_t captured, length;
};

/* Steps of a damaged direction; `d` is bit 0 of the step. */
enum step {
    STEP_PUSH,
    STEP_PUSH_MORE,
    STEP_LOSE,    /* the bytes never come, a length of more than a byte may be told */
    STEP_LATE,    /* they come later */
    STEP_CUT,     /* the packet was captured in part only */
    STEP_AGAIN,   /* bytes before, once more and other ones */
    STEP_GIVE_UP, /* what is missing won't come */
    STEP_RELEASE, /* what was late comes */
};

struct damaged {
    struct wsx_connection *connection;
    struct seen seen;
    uint64_t offset[2];
    struct piece late[2][LATE_MAX];
    unsigned late_count[2];
    uint32_t packet;
    bool ended[2];
};

static void push(struct damaged *damaged, unsigned d, const struct piece *piece) {
    wsx_connection_push(damaged->connection, d, piece->offset, piece->bytes, piece->captured,
                        piece->length, damaged->packet, damaged->packet, damaged->packet,
                        &damaged->seen);
}

static void release(struct damaged *damaged, unsigned d, unsigned from_end) {
    unsigned count = damaged->late_count[d];
    if (!count)
        return;
    unsigned i = from_end % count;
    push(damaged, d, &damaged->late[d][i]);
    damaged->late[d][i] = damaged->late[d][count - 1];
    damaged->late_count[d]--;
}

static void take_step(struct damaged *damaged, unsigned what, unsigned extra,
                      struct fuzz_input *input) {
    unsigned d = what & 1;
    size_t length = extra;
    struct piece piece = {.offset = damaged->offset[d]};
    switch ((enum step)(what >> 1 & 7)) {
    case STEP_PUSH:
    case STEP_PUSH_MORE:
        piece.bytes = fuzz_take(input, &length);
        piece.captured = piece.length = length;
        damaged->offset[d] += length;
        push(damaged, d, &piece);
        break;
    case STEP_LOSE:
        damaged->offset[d] += what & 128 ? (uint64_t)extra << (extra & 31) : extra;
        break;
    case STEP_LATE:
        piece.bytes = fuzz_take(input, &length);
        piece.captured = piece.length = length;
        damaged->offset[d] += length;
        if (damaged->late_count[d] < LATE_MAX)
            damaged->late[d][damaged->late_count[d]++] = piece;
        break;
    case STEP_CUT:
        piece.bytes = fuzz_take(input, &length);
        piece.captured = length / 2;
        piece.length = length;
        damaged->offset[d] += length;
        push(damaged, d, &piece);
        break;
    case STEP_AGAIN:
        piece.bytes = fuzz_take(input, &length);
        piece.captured = piece.length = length;
        piece.offset -= MIN(piece.offset, extra & 63);
        push(damaged, d, &piece);
        break;
    case STEP_GIVE_UP:
        wsx_connection_give_up(damaged->connection, d,
                               extra & 1 ? UINT64_MAX : damaged->offset[d] - extra / 2,
                               damaged->packet, damaged->packet, &damaged->seen);
        break;
    case STEP_RELEASE:
        release(damaged, d, extra);
        break;
    }
    if ((what & 0x70) == 0x70 && extra == 0xFF) {
        wsx_connection_finish(damaged->connection, d, what & 128 ? damaged->offset[d] + 5 : 0, true,
                              damaged->packet, damaged->packet, &damaged->seen);
        damaged->ended[d] = true;
    }
}

static void run_damaged(const uint8_t *head, struct fuzz_input input) {
    struct damaged damaged = {.connection = connection_of(head), .packet = 1};
    for (unsigned d = 0; d < 2; d++)
        if (head[4] & 2u << d)
            wsx_connection_start_unknown(damaged.connection, d);
    while (input.left > 2) {
        unsigned what = fuzz_byte(&input), extra = fuzz_byte(&input);
        take_step(&damaged, what, extra, &input);
        uint64_t done, whole;
        for (unsigned d = 0; d < 2; d++)
            if (wsx_stream_pending(&damaged.connection->side[d].stream, &done, &whole) && whole)
                FUZZ_CHECK(done < whole);
        damaged.packet++;
    }
    for (unsigned d = 0; d < 2; d++)
        wsx_connection_finish(damaged.connection, d, head[4] & 8 ? damaged.offset[d] : 0,
                              head[4] & 1, damaged.packet, damaged.packet, &damaged.seen);
    wsx_connection_judge_end(damaged.connection, damaged.packet, &damaged.seen);
    wsx_connection_free(damaged.connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    if (length < 8 || length > PIECE_MAX * 8)
        return 0;
    struct fuzz_input input = {bytes + 8, length - 8};
    if (bytes[7] & 1)
        compare_cuts(bytes, input);
    else
        run_damaged(bytes, input);
    return 0;
}
