/*
 * answer.h - the server's bytes while an answer is due, put together; see answer.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_ANSWER_H
#define WSX_EPAN_ANSWER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wsx_answer;

/* What is kept: a head of any usual length, and what came behind it. */
#define WSX_ANSWER_BYTES 16384u

/* Keeps bytes at an offset, 0 where the answer is due; those far behind are not kept. *place: NULL
 * at first; freed with g_free. */
void wsx_answer_add(struct wsx_answer **place, uint64_t offset, const uint8_t *bytes,
                    size_t length);
/* The first piece with bytes at `from` or behind: its offset, its bytes, their number; 0: none. */
size_t wsx_answer_next(const struct wsx_answer *answer, uint64_t from, uint64_t *offset,
                       const uint8_t **bytes);

#endif
