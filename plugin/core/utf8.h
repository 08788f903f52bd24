/*
 * utf8.h - strict, resumable UTF-8 validation (RFC 3629; RFC 6455 8.1): no overlong forms, no
 * surrogates, nothing over U+10FFFF. Knows no Wireshark type. Next: message.h, which feeds it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_UTF8_H
#define WSX_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Validator over a text that comes in pieces. All zero is the start state. Callers read `bad` and
 * the offsets only. */
struct wsx_utf8 {
    uint64_t offset;      /* bytes accepted or looked at so far */
    uint64_t char_offset; /* where the unfinished or the bad sequence begins */
    uint64_t bad_offset;  /* first byte that no valid text has there; valid when bad */
    uint8_t bad_byte;     /* that byte; valid when bad */
    uint8_t pending;      /* continuation bytes still due, 0 to 3 */
    uint8_t low, high;    /* range of the next continuation byte, when pending */
    bool bad;             /* sticky */
};

/*
 * Takes the next `length` bytes. Returns true while the text so far can be the beginning of a valid
 * one; false from the first byte on that can not (bad, bad_offset, char_offset say which). ASCII
 * runs eight bytes or more at a time.
 */
bool wsx_utf8_feed(struct wsx_utf8 *state, const uint8_t *bytes, size_t length);

/* True when the text fed so far is valid and does not stop inside a character. */
bool wsx_utf8_complete(const struct wsx_utf8 *state);

/* Number of bytes of the longest valid prefix that ends at a character, over a text given whole. */
size_t wsx_utf8_valid_prefix(const uint8_t *bytes, size_t length);

#endif
