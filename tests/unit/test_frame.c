/*
 * test_frame.c - frame headers and unmasking (RFC 6455 5.2, 5.3): every first and second byte,
 * every length form at its edges, every beginning that is too short, the RFC's own examples.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/frame.h"

#include <glib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static unsigned parse(const uint8_t *bytes, size_t length, struct wsx_frame_header *header) {
    uint8_t *copy = guard_copy(bytes, length);
    unsigned result = wsx_frame_header_parse(copy, length, header);
    guard_free(copy, length);
    return result;
}

static void assert_bytes(const void *got, const void *expected, size_t length) {
    g_assert_true(!length || memcmp(got, expected, length) == 0);
}

/* RFC 6455 5.7. */
static void test_examples(void) {
    struct wsx_frame_header header;
    const uint8_t hello[] = {0x81, 0x05, 'H', 'e', 'l', 'l', 'o'};
    g_assert_cmpuint(parse(hello, sizeof hello, &header), ==, 2);
    g_assert_true(wsx_header_fin(&header));
    g_assert_cmpuint(wsx_header_opcode(&header), ==, WSX_OPCODE_TEXT);
    g_assert_cmpuint(wsx_header_rsv(&header), ==, 0);
    g_assert_false(header.masked);
    g_assert_cmpuint(header.payload_length, ==, 5);
    const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
    uint8_t plain[5];
    g_assert_cmpuint(parse(masked, sizeof masked, &header), ==, 6);
    g_assert_true(header.masked);
    wsx_unmask(plain, masked + 6, 5, header.key, 0);
    assert_bytes(plain, "Hello", 5);
    const uint8_t binary_256[] = {0x82, 0x7e, 0x01, 0x00};
    g_assert_cmpuint(parse(binary_256, sizeof binary_256, &header), ==, 4);
    g_assert_cmpuint(header.payload_length, ==, 256);
    const uint8_t binary_64k[] = {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0};
    g_assert_cmpuint(parse(binary_64k, sizeof binary_64k, &header), ==, 10);
    g_assert_cmpuint(header.payload_length, ==, 65536);
}

static void test_every_first_two_bytes(void) {
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++) {
            uint8_t bytes[WSX_HEADER_MAX] = {
                (uint8_t)first, (uint8_t)second, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
            struct wsx_frame_header header;
            unsigned form = second & 0x7F;
            unsigned extended = form == 126 ? 2 : form == 127 ? 8 : 0;
            unsigned whole = 2 + extended + (second & 0x80 ? 4 : 0);
            g_assert_cmpuint(wsx_frame_header_length((uint8_t)second), ==, whole);
            for (size_t have = 0; have < whole; have++)
                g_assert_cmpuint(parse(bytes, have, &header), ==, 0);
            g_assert_cmpuint(parse(bytes, whole, &header), ==, whole);
            g_assert_cmpuint(header.length, ==, whole);
            g_assert_cmpuint(header.length_form, ==, extended);
            g_assert_cmpuint(wsx_header_opcode(&header), ==, first & 15);
            g_assert_cmpuint(wsx_header_rsv(&header), ==, first >> 4 & 7);
            g_assert_cmpint(wsx_header_fin(&header), ==, first >> 7);
            g_assert_cmpint(header.masked, ==, second >> 7);
            uint64_t length = extended == 2   ? 0x0102
                              : extended == 8 ? G_GUINT64_CONSTANT(0x0102030405060708)
                                              : form;
            g_assert_cmpuint(header.payload_length, ==, length);
            uint8_t key[4] = {0};
            if (header.masked)
                memcpy(key, bytes + whole - 4, 4);
            assert_bytes(header.key, key, 4);
            uint8_t written[WSX_HEADER_MAX];
            g_assert_cmpuint(wsx_frame_header_write(&header, written), ==, whole);
            assert_bytes(written, bytes, whole);
        }
}

static void test_lengths(void) {
    static const uint64_t lengths[] = {0,
                                       125,
                                       126,
                                       65535,
                                       65536,
                                       G_GUINT64_CONSTANT(0x7FFFFFFF),
                                       G_GUINT64_CONSTANT(0x80000000),
                                       G_GUINT64_CONSTANT(0xFFFFFFF6),
                                       G_GUINT64_CONSTANT(0x100000000),
                                       G_GUINT64_CONSTANT(0x7FFFFFFFFFFFFFFF),
                                       G_GUINT64_CONSTANT(0x8000000000000000),
                                       G_GUINT64_CONSTANT(0xFFFFFFFFFFFFFFFF)};
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (unsigned form = 0; form <= 8; form = form ? form * 4 : 2) {
            if ((!form && lengths[i] > 125) || (form == 2 && lengths[i] > 65535))
                continue;
            struct wsx_frame_header header = {
                .payload_length = lengths[i], .first = 0x82, .length_form = (uint8_t)form};
            struct wsx_frame_header read;
            uint8_t bytes[WSX_HEADER_MAX];
            unsigned length = wsx_frame_header_write(&header, bytes);
            g_assert_cmpuint(length, ==, 2 + form);
            g_assert_cmpuint(parse(bytes, length, &read), ==, length);
            g_assert_cmpuint(read.payload_length, ==, lengths[i]);
        }
}

static void test_unmask(void) {
    const uint8_t key[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t clear[70], masked[70], out[70];
    for (size_t i = 0; i < sizeof clear; i++) {
        clear[i] = (uint8_t)(i * 37);
        masked[i] = clear[i] ^ key[i % 4];
    }
    for (size_t length = 0; length <= sizeof clear; length++)
        for (size_t begin = 0; begin <= MIN(length, 9); begin++) {
            uint8_t *in = guard_copy(masked + begin, length - begin);
            uint8_t *to = guard_copy(out, length - begin);
            wsx_unmask(to, in, length - begin, key, begin);
            assert_bytes(to, clear + begin, length - begin);
            wsx_unmask(in, in, length - begin, key, begin); /* in place */
            assert_bytes(in, clear + begin, length - begin);
            guard_free(in, length - begin);
            guard_free(to, length - begin);
        }
    /* a phase behind 4 GiB */
    wsx_unmask(out, masked + 3, 9, key, (G_GUINT64_CONSTANT(1) << 40) + 3);
    assert_bytes(out, clear + 3, 9);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frame/examples", test_examples);
    g_test_add_func("/frame/every-first-two-bytes", test_every_first_two_bytes);
    g_test_add_func("/frame/lengths", test_lengths);
    g_test_add_func("/frame/unmask", test_unmask);
    return g_test_run();
}
