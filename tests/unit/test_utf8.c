/*
 * test_utf8.c - the validator against an oracle that knows only what RFC 3629 section 3 says: every
 * scalar value is encoded, and a text is good as far as it can be made of these. Every text runs
 * whole, byte by byte and at every two-way split, before a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/utf8.h"

#include <glib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a beginning of an encoded character is. */
enum part { PART_BAD, PART_BEGIN, PART_WHOLE };

/* By the first one, two and three bytes of a character. Four need no table: their last byte is any
 * continuation byte. */
static uint8_t part_1[1 << 8], part_2[1 << 16], *part_3;

static void encode_all(void) {
    part_3 = g_malloc0(1 << 24);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        if (c < 0x80) {
            part_1[c] = PART_WHOLE;
        } else if (c < 0x800) {
            part_1[0xC0 | c >> 6] = PART_BEGIN;
            part_2[(0xC0 | c >> 6) << 8 | 0x80 | (c & 63)] = PART_WHOLE;
        } else if (c < 0x10000) {
            uint32_t two = (0xE0 | c >> 12) << 8 | 0x80 | (c >> 6 & 63);
            part_1[two >> 8] = part_2[two] = PART_BEGIN;
            part_3[two << 8 | 0x80 | (c & 63)] = PART_WHOLE;
        } else {
            uint32_t two = (0xF0 | c >> 18) << 8 | 0x80 | (c >> 12 & 63);
            part_1[two >> 8] = part_2[two] = PART_BEGIN;
            part_3[two << 8 | 0x80 | (c >> 6 & 63)] = PART_BEGIN;
        }
    }
}

static enum part part_of(const uint8_t *bytes, size_t length) {
    switch (length) {
    case 1:
        return part_1[bytes[0]];
    case 2:
        return part_2[bytes[0] << 8 | bytes[1]];
    case 3:
        return part_3[bytes[0] << 16 | bytes[1] << 8 | bytes[2]];
    default:
        return (bytes[3] & 0xC0) == 0x80 ? PART_WHOLE : PART_BAD;
    }
}

/* What the validator should say. */
struct verdict {
    bool bad, complete;
    size_t bad_offset, char_offset; /* bad_offset when bad, char_offset when not complete */
};

static struct verdict oracle(const uint8_t *bytes, size_t length) {
    size_t begin = 0;
    for (size_t i = 0; i < length; i++) {
        enum part part = part_of(bytes + begin, i + 1 - begin);
        if (part == PART_BAD)
            return (struct verdict){.bad = true, .bad_offset = i, .char_offset = begin};
        if (part == PART_WHOLE)
            begin = i + 1;
    }
    return (struct verdict){.complete = begin == length, .char_offset = begin};
}

/* Ends the run with the text in the message when the state is not as expected. */
static void compare(const struct wsx_utf8 *state, bool fed, const uint8_t *bytes, size_t length,
                    struct verdict want, size_t cut) {
    bool same =
        state->bad == want.bad && fed == !want.bad && wsx_utf8_complete(state) == want.complete;
    if (want.bad)
        same = same && state->bad_offset == want.bad_offset &&
               state->bad_byte == bytes[want.bad_offset] && state->offset == want.bad_offset + 1;
    else
        same = same && state->offset == length;
    if (!want.complete)
        same = same && state->char_offset == want.char_offset;
    if (same)
        return;
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < length && i < 64; i++)
        g_string_append_printf(text, " %02x", bytes[i]);
    g_error("wrong about%s (cut at %zu): bad %d at %zu, char %zu", text->str, cut, state->bad,
            (size_t)state->bad_offset, (size_t)state->char_offset);
}

static void check_whole(const uint8_t *bytes, size_t length) {
    struct verdict want = oracle(bytes, length);
    struct wsx_utf8 state = {0};
    bool fed = wsx_utf8_feed(&state, bytes, length);
    compare(&state, fed, bytes, length, want, length);
    g_assert_cmpuint(wsx_utf8_valid_prefix(bytes, length), ==, want.char_offset);
}

/* `bytes` end at a guard page. */
static void check_cuts(const uint8_t *bytes, size_t length) {
    struct verdict want = oracle(bytes, length);
    check_whole(bytes, length);

    struct wsx_utf8 state = {0};
    bool fed = true;
    for (size_t i = 0; i < length; i++)
        fed = wsx_utf8_feed(&state, bytes + i, 1);
    compare(&state, fed, bytes, length, want, 1);

    for (size_t cut = 0; cut <= length; cut++) {
        state = (struct wsx_utf8){0};
        wsx_utf8_feed(&state, bytes, cut);
        fed = wsx_utf8_feed(&state, bytes + cut, length - cut);
        compare(&state, fed, bytes, length, want, cut);
    }
}

static void check_text(const void *bytes, size_t length) {
    uint8_t *copy = guard_copy(bytes, length);
    check_cuts(copy, length);
    guard_free(copy, length);
}

static void test_short_exhaustive(void) {
    static const uint8_t zeros[3];
    uint8_t *text = guard_copy(zeros, sizeof zeros);
    for (unsigned i = 0; i < 1 << 8; i++) {
        text[2] = (uint8_t)i;
        check_cuts(text + 2, 1);
    }
    for (unsigned i = 0; i < 1 << 16; i++) {
        text[1] = (uint8_t)(i >> 8);
        text[2] = (uint8_t)i;
        check_cuts(text + 1, 2);
    }
    for (unsigned i = 0; i < 1 << 24; i++) {
        text[0] = (uint8_t)(i >> 16);
        text[1] = (uint8_t)(i >> 8);
        text[2] = (uint8_t)i;
        check_whole(text, 3);
    }
    guard_free(text, sizeof zeros);
}

/* All sequences of four and five bytes out of those at which anything may change. */
static void test_boundaries(void) {
    static const uint8_t edge[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
                                   0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1,
                                   0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};
    static const uint8_t zeros[5];
    uint8_t *text = guard_copy(zeros, sizeof zeros);
    for (size_t i = 0; i < COUNT(edge) * COUNT(edge) * COUNT(edge) * COUNT(edge); i++) {
        size_t rest = i;
        for (size_t at = 1; at < 5; at++, rest /= COUNT(edge))
            text[at] = edge[rest % COUNT(edge)];
        text[0] = edge[(i * 7 + i / 31) % COUNT(edge)];
        check_cuts(text + 1, 4);
        check_whole(text, 5);
    }
    guard_free(text, sizeof zeros);
}

/* The offsets of a few texts written out, as Autobahn's section 6 has them. */
static void test_named(void) {
    static const struct {
        const char *text;
        size_t length;
        int bad_offset; /* -1: none */
        size_t valid_prefix;
        bool complete;
    } rows[] = {
        {"", 0, -1, 0, true},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 11, -1, 11, true},
        {"\xce\xba\xe1\xbd\xb9\xed\xa0\x80", 8, 6, 5, false},
        {"a\xc0\xaf", 3, 1, 1, false},
        {"\xe0\x80\xaf", 3, 1, 0, false},
        {"\xf0\x80\x80\xaf", 4, 1, 0, false},
        {"\xf4\x8f\xbf\xbf", 4, -1, 4, true},
        {"\xf4\x90\x80\x80", 4, 1, 0, false},
        {"\xed\x9f\xbf\xee\x80\x80", 6, -1, 6, true},
        {"\xf8\x88\x80\x80\x80", 5, 0, 0, false},
        {"abc\xfe", 4, 3, 3, false},
        {"abc\xff", 4, 3, 3, false},
        {"abc\x80", 4, 3, 3, false},
        {"abcdefgh\xe2\x82", 10, -1, 8, false},
        {"abcdefghijklmnopq\xe2\x82x", 20, 19, 17, false},
        {"\xf0\x9f\x98", 3, -1, 0, false},
        {"\xf0\x9f\x98\x80", 4, -1, 4, true},
        {"\0\0\0\0\0\0\0\0\0", 9, -1, 9, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *text = (const uint8_t *)rows[i].text;
        struct wsx_utf8 state = {0};
        g_assert_cmpint(wsx_utf8_feed(&state, text, rows[i].length), ==, rows[i].bad_offset < 0);
        g_assert_cmpint(state.bad ? (int)state.bad_offset : -1, ==, rows[i].bad_offset);
        g_assert_cmpint(wsx_utf8_complete(&state), ==, rows[i].complete);
        g_assert_cmpuint(wsx_utf8_valid_prefix(text, rows[i].length), ==, rows[i].valid_prefix);
        check_text(text, rows[i].length);
    }
}

/* Once bad, a text stays bad, and the offsets stay where they are. */
static void test_sticky(void) {
    struct wsx_utf8 state = {0};
    g_assert_false(wsx_utf8_feed(&state, (const uint8_t *)"ab\xffgh", 5));
    struct wsx_utf8 before = state;
    g_assert_false(wsx_utf8_feed(&state, (const uint8_t *)"fine", 4));
    g_assert_false(wsx_utf8_feed(&state, NULL, 0));
    g_assert_cmpuint(state.offset, ==, before.offset);
    g_assert_cmpuint(state.bad_offset, ==, 2);
    g_assert_cmpuint(state.bad_byte, ==, 0xff);
    g_assert_false(wsx_utf8_complete(&state));
}

/* Long texts, mostly good: the fast ways meet faults at every place of a word. */
static void test_long(void) {
    static const char *const pieces[] = {"a",
                                         "abcdefgh",
                                         "0123456789abcdefghi",
                                         "\xc3\xa4",
                                         "\xe2\x82\xac",
                                         "\xed\x9f\xbf",
                                         "\xf0\x9f\x98\x80",
                                         "\xe3\x81\x82\xe3\x81\x84",
                                         "\x7f"};
    GRand *random = g_rand_new_with_seed(3629);
    for (int round = 0; round < 3000; round++) {
        GString *text = g_string_new(NULL);
        int count = g_rand_int_range(random, 0, 20);
        for (int i = 0; i < count; i++)
            g_string_append(text, pieces[g_rand_int_range(random, 0, COUNT(pieces))]);
        if (text->len > 0 && round % 2)
            text->str[g_rand_int_range(random, 0, (gint32)text->len)] =
                (char)g_rand_int_range(random, 0, 256);
        if (text->len > 0 && round % 3 == 0)
            g_string_truncate(text, text->len - 1);
        check_text(text->str, text->len);
        g_string_free(text, TRUE);
    }
    g_rand_free(random);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    encode_all();
    g_test_add_func("/utf8/named", test_named);
    g_test_add_func("/utf8/sticky", test_sticky);
    g_test_add_func("/utf8/short-exhaustive", test_short_exhaustive);
    g_test_add_func("/utf8/boundaries", test_boundaries);
    g_test_add_func("/utf8/long", test_long);
    int result = g_test_run();
    g_free(part_3);
    return result;
}
