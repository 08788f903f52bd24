/*
 * fuzz_utf8.c - texts whole and in pieces: both must agree with each other and with GLib.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include "utf8.h"

#include <glib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct wsx_utf8 whole = {0}, pieces = {0};
    bool fits = wsx_utf8_feed(&whole, bytes, size);
    for (size_t at = 0; at < size;) {
        size_t length = 1 + bytes[at] % 11;
        if (length > size - at)
            length = size - at;
        wsx_utf8_feed(&pieces, bytes + at, length);
        at += length;
    }
    FUZZ_CHECK(whole.bad == pieces.bad && fits == !whole.bad);
    FUZZ_CHECK(!whole.bad ||
               (whole.bad_offset == pieces.bad_offset && whole.bad_byte == pieces.bad_byte &&
                whole.char_offset == pieces.char_offset));
    FUZZ_CHECK(wsx_utf8_complete(&whole) == wsx_utf8_complete(&pieces));
    if (!memchr(bytes, 0, size)) {
        const char *end;
        bool valid = g_utf8_validate_len((const char *)bytes, size, &end);
        FUZZ_CHECK(valid == wsx_utf8_complete(&whole));
        FUZZ_CHECK(wsx_utf8_valid_prefix(bytes, size) == (size_t)(end - (const char *)bytes));
    }
    return 0;
}
