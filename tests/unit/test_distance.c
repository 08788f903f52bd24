/*
 * test_distance.c - the deflate scanner: distances written by hand around the window's size, and
 * random streams, good and mutated, held against zlib with exactly that window and one byte of
 * output at a time, which is when zlib notices every distance over the window.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/distance.h"
#include "deflater.h"

/* Scans a copy before a guard page. */
static uint32_t scan(const uint8_t *bytes, size_t length, size_t history, uint32_t window) {
    uint8_t *copy = guard_copy(bytes, length);
    uint32_t worst = wsx_distance_over(copy, length, history, window);
    guard_free(copy, length);
    return worst;
}

static void test_exact(void) {
    for (unsigned bits = 8; bits < 15; bits++) {
        for (int over = -1; over <= 2; over++) {
            unsigned distance = (1u << bits) + (unsigned)over;
            struct symbols out = {0};
            symbols_begin_fixed(&out);
            symbols_literal(&out, 'x');
            symbols_literal(&out, 0xfe);
            symbols_match(&out, distance);
            symbols_match(&out, 1);
            symbols_end(&out);
            size_t length = symbols_finish(&out);
            g_assert_cmpuint(scan(out.bytes, length, 32768, 1u << bits), ==,
                             over > 0 ? distance : 0);
        }
    }
}

static void test_largest(void) {
    static const unsigned distances[] = {300, 32768, 700};
    struct symbols out = {0};
    symbols_begin_fixed(&out);
    for (size_t i = 0; i < G_N_ELEMENTS(distances); i++)
        symbols_match(&out, distances[i]);
    symbols_end(&out);
    size_t length = symbols_finish(&out);
    g_assert_cmpuint(scan(out.bytes, length, 32768, 256), ==, 32768);
    /* Where the second one reaches too far, it counts, and the scan ends. */
    g_assert_cmpuint(scan(out.bytes, length, 600, 256), ==, 32768);
    g_assert_cmpuint(scan(out.bytes, length, 299, 256), ==, 300);
    g_assert_cmpuint(scan(out.bytes, length, 300, 32768), ==, 0);
}

/* The distance counts once its last bit is there. */
static void test_cut(void) {
    struct symbols out = {0};
    symbols_begin_fixed(&out);
    symbols_match(&out, 20000);
    size_t needed = (out.bit + 7) / 8;
    for (size_t cut = 0; cut <= needed; cut++)
        g_assert_cmpuint(scan(out.bytes, cut, 32768, 256), ==, cut == needed ? 20000 : 0);
}

/* Behind a final block the next one begins at the next byte; stored blocks are skipped. */
static void test_blocks(void) {
    struct symbols out = {0};
    symbols_bits(&out, 3, 3); /* final, fixed */
    symbols_end(&out);
    out.bit = (out.bit + 7) / 8 * 8;
    symbols_bits(&out, 0, 8); /* stored, five bytes */
    symbols_bits(&out, 0xfffa0005, 32);
    for (int i = 0; i < 5; i++)
        symbols_bits(&out, 0xff, 8);
    symbols_begin_fixed(&out);
    symbols_match(&out, 1000);
    symbols_end(&out);
    size_t length = symbols_finish(&out);
    g_assert_cmpuint(scan(out.bytes, length, 1000, 256), ==, 1000);
    g_assert_cmpuint(scan(out.bytes, length, 995, 512), ==, 1000);
    g_assert_cmpuint(scan(out.bytes, length, 1000, 1024), ==, 0);
    out.bytes[3] ^= 1; /* the length no longer fits its complement */
    g_assert_cmpuint(scan(out.bytes, length, 1000, 256), ==, 0);
}

/* Symbols that nobody may use, though the fixed codes have them, end the scan. */
static void test_unused_symbols(void) {
    for (int length_symbol = 0; length_symbol < 2; length_symbol++) {
        struct symbols out = {0};
        symbols_begin_fixed(&out);
        if (length_symbol) {
            symbols_code(&out, 0xc6, 8); /* 286 */
        } else {
            symbols_code(&out, 1, 7);
            symbols_code(&out, 30, 5);
        }
        symbols_match(&out, 1000);
        symbols_end(&out);
        size_t length = symbols_finish(&out);
        g_assert_cmpuint(scan(out.bytes, length, 32768, 256), ==, 0);
    }
}

/* With this much history, zlib refuses a distance as too far back exactly when it is over the
 * window. */
static void compare(const GByteArray *payload, const GByteArray *history, int bits) {
    const char *reason;
    size_t size = (size_t)1 << bits;
    bool good = plain_inflate(payload->data, payload->len, history->data + history->len - size,
                              size, bits, 1, NULL, &reason);
    bool over = !good && strcmp(reason, "invalid distance too far back") == 0;
    uint32_t worst = scan(payload->data, payload->len, 32768, (uint32_t)size);
    g_assert_cmpint(worst > 0, ==, over);
    if (worst > 0) {
        g_assert_cmpuint(scan(payload->data, payload->len, 32768, worst), ==, 0);
        g_assert_cmpuint(scan(payload->data, payload->len, 32768, worst - 1), ==, worst);
    }
}

static void test_random(void) {
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
    GRand *random = g_rand_new_with_seed(1951);
    unsigned over = 0, rounds = 1500;
    for (unsigned round = 0; round < rounds; round++) {
        GByteArray *history = random_text(random, 32768);
        size_t length = (size_t)g_rand_int_range(random, 0, round % 8 ? 600 : 60000);
        GByteArray *text = random_text(random, length);
        z_stream stream;
        deflater_init(&stream, g_rand_int_range(random, 0, 10), g_rand_int_range(random, 9, 16),
                      strategies[g_rand_int_range(random, 0, 4)]);
        deflateSetDictionary(&stream, history->data, history->len);
        GByteArray *payload = g_byte_array_new();
        deflater_add(&stream, text->data, text->len / 2, round % 2 ? Z_SYNC_FLUSH : Z_NO_FLUSH,
                     payload);
        deflater_add(&stream, text->data + text->len / 2, text->len - text->len / 2, Z_SYNC_FLUSH,
                     payload);
        deflateEnd(&stream);
        int bits = g_rand_int_range(random, 8, 15);
        compare(payload, history, bits);
        over += scan(payload->data, payload->len, 32768, 1u << bits) > 0;
        for (int i = 0; i < 10; i++) {
            mutate(random, payload);
            compare(payload, history, bits);
        }
        g_byte_array_free(payload, TRUE);
        g_byte_array_free(text, TRUE);
        g_byte_array_free(history, TRUE);
    }
    g_rand_free(random);
    /* The comparison must have seen both answers often. */
    g_assert_cmpuint(over, >, rounds / 10);
    g_assert_cmpuint(over, <, rounds - rounds / 10);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/distance/exact", test_exact);
    g_test_add_func("/distance/largest", test_largest);
    g_test_add_func("/distance/cut", test_cut);
    g_test_add_func("/distance/blocks", test_blocks);
    g_test_add_func("/distance/unused-symbols", test_unused_symbols);
    g_test_add_func("/distance/random", test_random);
    return g_test_run();
}
