/*
 * inflate.h - permessage-deflate, one direction (RFC 7692 7.2.2): a message's payload in, the plain
 * message out, with the negotiated window and context takeover kept to the byte. Uses zlib for the
 * inflating itself. Knows no Wireshark type. The context between two messages is exactly the last
 * 32 KiB of output (a message ends at a byte boundary), so that no zlib state need live between
 * messages; a few zlib streams that may still stand behind some direction's last message are kept
 * to save the copying. One thread only. Next: distance.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_INFLATE_H
#define WSX_CORE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSX_RATIO_FREE (64u << 20) /* bytes that any message may inflate to */
#define WSX_WINDOW_MAX 32768u      /* RFC 1951: no distance is larger */

enum wsx_inflate_result {
    WSX_INFLATE_OK,
    WSX_INFLATE_FAILED, /* bad data, or data that ends in the middle of a block: output has what
                           came out before */
    WSX_INFLATE_LIMIT,  /* larger than a limit: output has what fits */
};

struct wsx_inflate_limits {
    size_t output;        /* bytes given at most; more is counted, not kept; 0 = none */
    uint64_t hard_output; /* bytes inflated at most to go on counting and keep the context; >=
                             output; 0 = none */
    uint32_t ratio; /* hard stop when output is over WSX_RATIO_FREE and output / input over this;
                       0 = none */
};

/* One direction's context. Caller's memory; wsx_inflate_init first, wsx_inflate_clear last. */
struct wsx_inflate {
    unsigned window_bits;  /* negotiated, 8 to 15 */
    bool takeover;         /* false: this sender begins each message with an empty window */
    bool context_known;    /* false: earlier output is missing, see wsx_inflate_lose_context */
    uint8_t *history;      /* last bytes of output, as far as known; allocated on demand. Kept
                              without takeover too, to explain a violation */
    size_t history_length; /* valid bytes in history, at most WSX_WINDOW_MAX */
    size_t history_begin;  /* where the oldest of them lies: 0 unless there are WSX_WINDOW_MAX */
    size_t history_size;   /* allocated */
    uint8_t *earlier;      /* see wsx_inflate_earlier; NULL unless the last message needed it */
    size_t earlier_length; /* its bytes */
    uint64_t generation;   /* names the zlib stream that stands just behind the last message, if it
                              is still there; 0 = none */
    unsigned engine;       /* which of them that was; valid with generation */
};

struct wsx_inflate_output {
    uint8_t *bytes;       /* malloc'ed, the caller frees with free(); NULL when length is 0 */
    size_t length;        /* bytes given */
    uint64_t full_length; /* true length of the message as far as it was inflated */
    bool tail_kept;       /* payload still ended in 00 00 ff ff (RFC 7692 7.2.1); it was dropped */
    bool header_missing;  /* payload stops right at a block's end, so that the header bits of the
                             empty block, which 7.2.1 leaves in, are missing too (also: an empty
                             payload); nothing of the message is missing: given all the same */
    bool window_exceeded; /* a distance over the negotiated window: the message is given all the
                             same */
    bool takeover_violated; /* a distance into an earlier message in spite of no context takeover:
                               given all the same */
    bool hard_stopped; /* stopped at hard_output or ratio: full_length is a lower bound, context is
                          lost */
    uint32_t bad_distance; /* the largest such distance; valid with window_exceeded */
    size_t input_used;     /* payload bytes taken when it failed, for the finding's text */
    const char *reason;    /* static text of what failed; NULL when OK */
};

/* Window bits 8 to 15 (other values are taken as 15). No memory is taken yet. */
void wsx_inflate_init(struct wsx_inflate *inflate, unsigned window_bits, bool takeover);
void wsx_inflate_clear(struct wsx_inflate *inflate);

/* Earlier bytes of this direction are missing: with takeover, context_known turns false. Without
 * takeover it stays true, and only what might explain a violation is forgotten. */
void wsx_inflate_lose_context(struct wsx_inflate *inflate);

/* Mid-stream: forget everything and take the window to be empty and known. */
void wsx_inflate_restart(struct wsx_inflate *inflate);

/*
 * Inflates one whole message: payload is what all its frames carried, unmasked, without the 00 00
 * ff ff that the sender removed (a kept one is dropped). Blocks of every type, BFINAL blocks with
 * more blocks behind (7.2.3.4: what follows a final block is the next block at the next byte
 * boundary; trailing 0x00 is an empty block), and an empty payload (an empty message) are right.
 * Context (history) is updated on OK and LIMIT; with FAILED and hard_stopped the context is lost if
 * takeover is on. Must not be called when !context_known (it is FAILED then). Output length 0 is
 * legal. Sets every field of output.
 */
enum wsx_inflate_result wsx_inflate_message(struct wsx_inflate *inflate, const uint8_t *payload,
                                            size_t length, const struct wsx_inflate_limits *limits,
                                            struct wsx_inflate_output *output);

/*
 * What comes out of the beginning of a message of which only `length` bytes are known (lost bytes
 * follow). Leaves the context alone. Same limits. Returns OK where all of the input was taken
 * without a fault, even though no block ended. Does not look for a violation of no context
 * takeover: that is FAILED here.
 */
enum wsx_inflate_result wsx_inflate_partial(struct wsx_inflate *inflate, const uint8_t *payload,
                                            size_t length, const struct wsx_inflate_limits *limits,
                                            struct wsx_inflate_output *output);

/*
 * The window as the next message finds it: at most WSX_WINDOW_MAX bytes, valid until the next call
 * that changes the context. For saving it; wsx_inflate_again with this window gives the same output
 * as wsx_inflate_message gave. Empty without takeover, see wsx_inflate_earlier.
 */
const uint8_t *wsx_inflate_window(struct wsx_inflate *inflate, size_t *length);

/*
 * The window that the last message was inflated from, for wsx_inflate_again: kept when its output
 * is longer than WSX_WINDOW_MAX, so that the window has moved on, and when takeover_violated is
 * set, in the place of the empty one that wsx_inflate_window gave before it. Otherwise, and for an
 * empty window, NULL and length 0. Valid until the next call that changes the context.
 */
const uint8_t *wsx_inflate_earlier(const struct wsx_inflate *inflate, size_t *length);

/*
 * Inflates a message a second time from a saved window. Stateless. output_limit as limits.output;
 * it stops there (LIMIT, hard_stopped). For the same bytes as from a message that was hard_stopped,
 * give the length that came out then. window_exceeded and takeover_violated are not looked for.
 * What wsx_inflate_partial gave comes out too, with FAILED for the end that is missing.
 */
enum wsx_inflate_result wsx_inflate_again(const uint8_t *window, size_t window_length,
                                          const uint8_t *payload, size_t length,
                                          size_t output_limit, struct wsx_inflate_output *output);

/* A result is WSX_INFLATE_FAILED because of a distance before all that is known. */
bool wsx_inflate_is_too_far(const struct wsx_inflate_output *output);

/* Frees the zlib streams that all directions share; they come back when needed. At the end. */
void wsx_inflate_release(void);

#endif
