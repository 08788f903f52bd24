/*
 * answer.c - the server's bytes while an answer is due, put together by their sequence numbers.
 * HTTP is not handed late segments (or all of them, much later), and never finds the head of an
 * answer that came in another order. upgrade.c reads the head from here; nothing else does. First
 * pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "answer.h"

#include <string.h>

/* Pieces that do not touch each other. */
#define ANSWER_PIECES 32u

struct wsx_answer {
    unsigned count;
    struct {
        uint32_t from, to;
    } piece[ANSWER_PIECES];
    uint8_t bytes[WSX_ANSWER_BYTES];
};

static void piece_remove(struct wsx_answer *answer, unsigned at) {
    answer->piece[at] = answer->piece[--answer->count];
}

void wsx_answer_add(struct wsx_answer **place, uint64_t offset, const uint8_t *bytes,
                    size_t length) {
    if (!length || offset >= WSX_ANSWER_BYTES)
        return;
    if (!*place)
        *place = g_new0(struct wsx_answer, 1);
    struct wsx_answer *answer = *place;
    uint32_t from = (uint32_t)offset, to = from + (uint32_t)MIN(length, WSX_ANSWER_BYTES - offset);
    memcpy(answer->bytes + from, bytes, to - from);
    for (unsigned i = 0; i < answer->count;) {
        if (answer->piece[i].from > to || answer->piece[i].to < from) {
            i++;
            continue;
        }
        from = MIN(from, answer->piece[i].from);
        to = MAX(to, answer->piece[i].to);
        piece_remove(answer, i);
        i = 0;
    }
    if (answer->count == ANSWER_PIECES)
        piece_remove(answer, ANSWER_PIECES - 1);
    answer->piece[answer->count].from = from;
    answer->piece[answer->count++].to = to;
}

size_t wsx_answer_next(const struct wsx_answer *answer, uint64_t from, uint64_t *offset,
                       const uint8_t **bytes) {
    uint32_t best = UINT32_MAX, end = 0;
    for (unsigned i = 0; answer && i < answer->count; i++) {
        uint32_t begins = MAX(answer->piece[i].from, (uint32_t)MIN(from, WSX_ANSWER_BYTES));
        if (begins < answer->piece[i].to && begins < best) {
            best = begins;
            end = answer->piece[i].to;
        }
    }
    if (best == UINT32_MAX)
        return 0;
    *offset = best;
    *bytes = answer->bytes + best;
    return end - best;
}
