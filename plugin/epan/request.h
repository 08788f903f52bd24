/*
 * request.h - the head of a request in several segments, put together. See request.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_REQUEST_H
#define WSX_EPAN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For each file. */
void wsx_request_init(void);
/*
 * A segment that holds no whole head: `flow` tells TCP's directions apart, `sequence` is TCP's.
 * The length of what begins a head and has the end of one in it now; 0 while there is none. *head
 * is valid until the next call.
 */
size_t wsx_request_piece(const void *flow, uint32_t sequence, const uint8_t *bytes, size_t length,
                         const uint8_t **head);

/* Whether any piece that comes now may be asked for. */
bool wsx_request_waits(void);
/* Whether a head of this flow is being put together. */
bool wsx_request_began(const void *flow);

#endif
