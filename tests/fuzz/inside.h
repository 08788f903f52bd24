/*
 * inside.h - the plugin inside Wireshark's library, for fuzz targets: a TCP connection of some
 * packets, dissected in a first pass and then again, in order and backwards, with a tree, columns
 * and the tap of JSON Lines. Every input is a file of its own for the plugin, with another client
 * address; Wireshark itself, where a new file takes a tenth of a second, begins a new one after
 * some thousands of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_FUZZ_INSIDE_H
#define WSX_TESTS_FUZZ_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

/* Steps of an input that make packets; some make two. */
#define INSIDE_PACKETS_MAX 40u
#define INSIDE_SEGMENT_MAX 1400u

/* What may happen to a segment, beside being sent. Bit 0 is its direction. */
enum {
    HAPPENS_LOST = 2,
    HAPPENS_CUT = 4,   /* captured in part only */
    HAPPENS_AGAIN = 8, /* sent twice, the second time one byte earlier */
    HAPPENS_SWAP = 16, /* comes before the one that it follows */
    HAPPENS_FIN = 32,
    HAPPENS_RST = 64,
    HAPPENS_BACK = 128, /* its time stamp lies before that of the segment before */
};

/* How packets are gone through. */
enum {
    WALK_COLUMNS = 1,    /* the first pass makes columns */
    WALK_TREE = 2,       /* and a tree */
    WALK_AGAIN = 4,      /* there are later passes */
    WALK_SAME_FRAME = 8, /* all frame_data at one address, as in a one-pass tshark */
    WALK_LIMITS = 16,    /* from this bit on: limit_total, _frame, _message, _inflated are 0 */
};

struct inside_flow {
    uint32_t next[2]; /* sequence numbers */
    uint32_t milliseconds;
};

/* A new input: SYN and its answer. */
void inside_begin(struct inside_flow *flow, unsigned how);
/* One segment of at most INSIDE_SEGMENT_MAX bytes; what: HAPPENS_*. */
void inside_segment(struct inside_flow *flow, unsigned what, const uint8_t *bytes, unsigned length);
bool inside_is_full(void);
/* Goes through the packets; how: WALK_*. */
void inside_dissect(unsigned how);

#endif
