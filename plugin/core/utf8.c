/*
 * utf8.c - the strict UTF-8 validator of utf8.h (RFC 3629 section 4, RFC 6455 8.1). Long runs of
 * ASCII and of ordinary two- and three-byte characters go by without the state machine; everything
 * else, and every character that may be cut by the end of a piece, takes it byte by byte, so that
 * the offsets do not depend on how the text was cut.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "utf8.h"

#include <string.h>

#define ASCII_MASK UINT64_C(0x8080808080808080)

/* Start of the first eight bytes with one beyond ASCII in them, or of the last few bytes. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end) {
    while (end - at >= 16) {
        uint64_t words[2];
        memcpy(words, at, sizeof words);
        if ((words[0] | words[1]) & ASCII_MASK)
            break;
        at += sizeof words;
    }
    if (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        if (!(word & ASCII_MASK))
            at += sizeof word;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

static bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/*
 * Skips whole characters that need no special range: C2 to DF, and E1 to EF but ED (surrogates).
 * Stops at everything else, be it right or wrong, and before a character that is cut.
 */
static const uint8_t *skip_ordinary(const uint8_t *at, const uint8_t *end) {
    while (end - at >= 3) {
        if (at[0] >= 0xC2 && at[0] <= 0xDF && is_continuation(at[1]))
            at += 2;
        else if (at[0] >= 0xE1 && at[0] <= 0xEF && at[0] != 0xED && is_continuation(at[1]) &&
                 is_continuation(at[2]))
            at += 3;
        else
            break;
    }
    return at;
}

/* Begins the sequence of a byte from 80 on; false when no character begins with it. The table is
 * that of RFC 3629 section 4: only the second byte has special ranges. */
static bool begin_sequence(struct wsx_utf8 *state, uint8_t lead) {
    state->low = 0x80;
    state->high = 0xBF;
    if (lead < 0xC2 || lead > 0xF4)
        return false;
    if (lead < 0xE0) {
        state->pending = 1;
    } else if (lead < 0xF0) {
        state->pending = 2;
        if (lead == 0xE0)
            state->low = 0xA0;
        if (lead == 0xED)
            state->high = 0x9F;
    } else {
        state->pending = 3;
        if (lead == 0xF0)
            state->low = 0x90;
        if (lead == 0xF4)
            state->high = 0x8F;
    }
    return true;
}

/* Takes one byte at state->offset. */
static bool take_byte(struct wsx_utf8 *state, uint8_t byte) {
    bool fits = true;
    if (state->pending > 0) {
        fits = byte >= state->low && byte <= state->high;
        if (fits) {
            state->pending--;
            state->low = 0x80;
            state->high = 0xBF;
        }
    } else if (byte >= 0x80) {
        state->char_offset = state->offset;
        fits = begin_sequence(state, byte);
    }
    if (!fits) {
        state->bad = true;
        state->bad_offset = state->offset;
        state->bad_byte = byte;
    }
    state->offset++;
    return fits;
}

bool wsx_utf8_feed(struct wsx_utf8 *state, const uint8_t *bytes, size_t length) {
    if (state->bad)
        return false;
    if (length == 0)
        return true;

    const uint8_t *at = bytes;
    const uint8_t *end = bytes + length;
    while (at < end) {
        if (state->pending == 0) {
            const uint8_t *begin = at;
            at = skip_ordinary(skip_ascii(at, end), end);
            state->offset += (uint64_t)(at - begin);
            if (at == end)
                break;
        }
        if (!take_byte(state, *at++))
            return false;
    }
    return true;
}

bool wsx_utf8_complete(const struct wsx_utf8 *state) { return !state->bad && state->pending == 0; }

size_t wsx_utf8_valid_prefix(const uint8_t *bytes, size_t length) {
    struct wsx_utf8 state = {0};
    wsx_utf8_feed(&state, bytes, length);
    return wsx_utf8_complete(&state) ? length : (size_t)state.char_offset;
}
