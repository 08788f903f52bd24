/*
 * test_search.c - the evidence for frames: what can't be a header, what is worth how much, that
 * zeros, random bytes and plain text give no frame, and that real chains are found. Every input
 * ends at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/search.h"

#include <glib.h>

static const struct wsx_expectation server = {WSX_UNMASKED, false, false};
static const struct wsx_expectation client = {WSX_MASKED, false, false};
static const struct wsx_expectation any = {WSX_MASKING_UNKNOWN, true, true};

static int header_bits(unsigned first, bool masked, unsigned form, uint64_t length,
                       const struct wsx_expectation *expectation) {
    struct wsx_frame_header header = {.payload_length = length,
                                      .first = (uint8_t)first,
                                      .length_form = (uint8_t)form,
                                      .masked = masked};
    return wsx_evidence_header(&header, NULL, expectation);
}

static void test_headers(void) {
    g_assert_cmpint(header_bits(0x81, false, 0, 5, &server), >, 0);
    g_assert_cmpint(header_bits(0x81, true, 0, 5, &client), >, 0);
    g_assert_cmpint(header_bits(0x81, true, 0, 5, &server), ==, -1); /* masking */
    g_assert_cmpint(header_bits(0x81, false, 0, 5, &client), ==, -1);
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        bool reserved = (opcode > 2 && opcode < 8) || opcode > 10;
        g_assert_cmpint(header_bits(0x80 | opcode, false, 0, 5, &server) < 0, ==, reserved);
    }
    g_assert_cmpint(header_bits(0xc1, false, 0, 5, &server), ==, -1);   /* RSV1 */
    g_assert_cmpint(header_bits(0x09, false, 0, 5, &server), ==, -1);   /* a Ping without FIN */
    g_assert_cmpint(header_bits(0x89, false, 2, 126, &server), ==, -1); /* a long Ping */
    g_assert_cmpint(header_bits(0x81, false, 2, 125, &server), ==, -1); /* not the shortest form */
    g_assert_cmpint(header_bits(0x81, false, 2, 126, &server), >, 0);
    g_assert_cmpint(header_bits(0x81, false, 8, 65535, &server), ==, -1);
    g_assert_cmpint(header_bits(0x81, false, 8, 65536, &server), >, 0);
    g_assert_cmpint(header_bits(0x82, false, 8, WSX_SEARCH_LENGTH_MAX + 1, &server), ==, -1);
    g_assert_cmpint(header_bits(0x00, false, 0, 0, &any), ==, -1); /* zeros */
}

static void test_order(void) {
    struct wsx_frame_header last = {.first = 0x81, .payload_length = 1};
    struct wsx_frame_header begun = {.first = 0x01, .payload_length = 1};
    struct wsx_frame_header continued = {.first = 0x80, .payload_length = 1};
    struct wsx_frame_header ping = {.first = 0x89, .payload_length = 1};
    g_assert_cmpint(wsx_evidence_header(&last, &last, &server), >, 0);
    g_assert_cmpint(wsx_evidence_header(&continued, &begun, &server), >, 0);
    g_assert_cmpint(wsx_evidence_header(&continued, &last, &server), ==, -1);
    g_assert_cmpint(wsx_evidence_header(&last, &begun, &server), ==, -1);
    g_assert_cmpint(wsx_evidence_header(&ping, &begun, &server), >, 0);
}

static int payload_bits(unsigned first, const char *bytes, size_t have, size_t length) {
    struct wsx_frame_header header = {.first = (uint8_t)first, .payload_length = length};
    uint8_t *copy = guard_copy(bytes, have);
    int bits = wsx_evidence_payload(&header, copy, have);
    guard_free(copy, have);
    return bits;
}

static void test_payloads(void) {
    g_assert_cmpint(payload_bits(0x81, "text", 4, 4), >, 0);
    g_assert_cmpint(payload_bits(0x81, "te\xff", 3, 3), ==, -1);
    g_assert_cmpint(payload_bits(0x81, "te\xe2", 3, 3), ==, -1); /* half a character */
    g_assert_cmpint(payload_bits(0x81, "te\xe2", 3, 4), >=, 0);  /* the rest may come */
    g_assert_cmpint(payload_bits(0x01, "te\xe2", 3, 3), >=, 0);  /* in the next fragment */
    g_assert_cmpint(payload_bits(0x82, "\xff", 1, 1), ==, 0);
    g_assert_cmpint(payload_bits(0x88, "\x03\xe8", 2, 2), >, 0);
    g_assert_cmpint(payload_bits(0x88, "\x03\xe7", 2, 2), ==, -1); /* code 999 */
    g_assert_cmpint(payload_bits(0x88, "\x03", 1, 1), ==, -1);
    g_assert_cmpint(payload_bits(0x88, "\x03\xe8\xff", 3, 3), ==, -1);
    g_assert_cmpint(payload_bits(0x88, "", 0, 0), ==, 0);
}

/* Looks in the bytes as one segment of a direction. */
static bool found_in(const uint8_t *bytes, size_t length, const struct wsx_expectation *expectation,
                     struct wsx_found *found) {
    struct wsx_search *search = wsx_search_new(expectation);
    uint8_t *copy = guard_copy(bytes, length);
    wsx_search_add(search, 1000, copy, length, 1, WSX_EVIDENCE_SEGMENT_START, true);
    guard_free(copy, length);
    bool is = wsx_search_find(search, found);
    g_assert_cmpuint(wsx_search_bytes(search), ==, length);
    wsx_search_free(search);
    return is;
}

static void test_nothing(void) {
    struct wsx_found found;
    uint8_t bytes[2000] = {0};
    const struct wsx_expectation *const expectations[] = {&server, &client};
    for (size_t e = 0; e < 2; e++) {
        memset(bytes, 0, sizeof bytes);
        g_assert_false(found_in(bytes, sizeof bytes, expectations[e], &found));
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t) "The quick brown fox jumps over the lazy dog. "[i % 45];
        g_assert_false(found_in(bytes, sizeof bytes, expectations[e], &found));
    }
    /* the evidence asked for allows one false start in thousands of searches of this size */
    GRand *random = g_rand_new_with_seed(1);
    unsigned wrong = 0;
    for (unsigned round = 0; round < 400; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)g_rand_int_range(random, 0, 256);
        wrong += found_in(bytes, sizeof bytes, round % 2 ? &server : &client, &found);
    }
    g_rand_free(random);
    g_assert_cmpuint(wrong, <=, 1);
}

/* A payload of equal bytes, masked: every 72 bytes of it look like the same Ping, also in segments
 * of a multiple of that. */
static void test_repeated(void) {
    static const uint8_t piece[] = {0x89, 0xC2, 0x35, 0x12};
    struct wsx_search *search = wsx_search_new(&client);
    uint8_t bytes[1152];
    struct wsx_found found;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = piece[i % sizeof piece];
    for (unsigned segment = 0; segment < 8; segment++) {
        wsx_search_add(search, segment * sizeof bytes, bytes, sizeof bytes, segment,
                       segment ? WSX_EVIDENCE_SEGMENT_START : WSX_EVIDENCE_HOLE_END, false);
        g_assert_false(wsx_search_find(search, &found));
    }
    wsx_search_free(search);
}

#define LONG "a text that is long enough to be believed where it stands, on its own"

/* Behind random bytes stands a real chain: it is found there, and not before. */
static void test_chains(void) {
    GRand *random = g_rand_new_with_seed(2);
    unsigned right = 0;
    for (unsigned round = 0; round < 100; round++) {
        GByteArray *bytes = g_byte_array_new();
        guint junk = round % 50;
        for (guint i = 0; i < junk; i++) {
            guint8 byte = (guint8)g_rand_int_range(random, 0, 256);
            g_byte_array_append(bytes, &byte, 1);
        }
        for (unsigned frame = 0; frame < 4; frame++) {
            const guint8 head[] = {0x81, (guint8)strlen(LONG)};
            g_byte_array_append(bytes, head, 2);
            g_byte_array_append(bytes, (const guint8 *)LONG, (guint)strlen(LONG));
        }
        struct wsx_found found;
        if (found_in(bytes->data, bytes->len, &server, &found))
            right += found.offset == 1000 + junk;
        g_byte_array_free(bytes, TRUE);
    }
    g_rand_free(random);
    g_assert_cmpuint(right, >=, 95);
}

/* Frames of equal bytes say nothing, until one is different: found in pieces of any size. */
static void test_pieces(void) {
    static const uint8_t equal[] = {0x82, 4, 'a', 'b', 'c', 'd'};
    for (unsigned frames = 0; frames < 60; frames += 7) {
        GByteArray *bytes = g_byte_array_new();
        for (unsigned i = 0; i < frames; i++)
            g_byte_array_append(bytes, equal, sizeof equal);
        for (unsigned i = 0; i < 3; i++) {
            const guint8 head[] = {0x81, (guint8)(strlen(LONG) - i)};
            g_byte_array_append(bytes, head, 2);
            g_byte_array_append(bytes, (const guint8 *)LONG, (guint)strlen(LONG) - i);
        }
        for (size_t piece = 1; piece < 20; piece++) {
            struct wsx_search *search = wsx_search_new(&server);
            struct wsx_found found = {0};
            bool is = false;
            for (size_t at = 0; at < bytes->len && !is; at += piece) {
                wsx_search_add(search, at, bytes->data + at, MIN(piece, bytes->len - at), 1, 0,
                               false);
                is = wsx_search_find(search, &found);
            }
            g_assert_true(is);
            g_assert_cmpuint(found.offset % sizeof equal, ==, 0);
            g_assert_cmpuint(found.offset, <=, frames * sizeof equal);
            g_assert_cmpuint(found.frames, >, frames - found.offset / sizeof equal);
            wsx_search_free(search);
        }
        g_byte_array_free(bytes, TRUE);
    }
}

/* Cut behind a header, a chain is worth as much: the payload that came later counts, for it or
 * against it. */
static void test_cut(void) {
    for (unsigned bad = 0; bad < 2; bad++) {
        GByteArray *bytes = g_byte_array_new();
        size_t cut = 0;
        for (guint8 i = 0; i < 12; i++) {
            guint8 frame[40] = {0x81, (guint8)(20 + i)};
            for (unsigned j = 0; j < frame[1]; j++)
                frame[2 + j] = bad && i == 9 ? 0xFF : (guint8)('a' + (j * 7 + i) % 26);
            cut = i == 9 ? bytes->len + 2 : cut;
            g_byte_array_append(bytes, frame, 2 + frame[1]);
        }
        struct wsx_best best[2];
        for (int way = 0; way < 2; way++) {
            size_t first = way ? cut : 0;
            struct wsx_search *search = wsx_search_new(&server);
            wsx_search_add(search, 0, bytes->data, first, 1, 0, false);
            wsx_search_best(search);
            wsx_search_add(search, first, bytes->data + first, bytes->len - first, 1, 0, true);
            best[way] = wsx_search_best(search);
            wsx_search_free(search);
        }
        g_assert_cmpint(best[1].bits, ==, best[0].bits);
        g_assert_cmpuint(best[1].frames, ==, best[0].frames);
        g_assert_cmpuint(best[0].frames, ==, bad ? 2 : 12);
        g_byte_array_free(bytes, TRUE);
    }
}

static struct wsx_chain chain_of(const char *bytes, size_t length) {
    uint8_t *copy = guard_copy(bytes, length);
    struct wsx_chain chain = wsx_chain_read(copy, length, &any);
    guard_free(copy, length);
    return chain;
}

static void test_chain_read(void) {
    static const char two[] = "\x81\x05hello\x82\x03"
                              "bye";
    for (size_t length = 0; length <= 12; length++) {
        struct wsx_chain chain = chain_of(two, length);
        g_assert_cmpint(chain.bits, >=, 0);
        g_assert_cmpuint(chain.frames, ==, length < 2 ? 0 : length < 9 ? 1 : 2);
        g_assert_cmpint(chain.ends_exactly, ==, length == 7 || length == 12);
        g_assert_cmpint(chain.masked, ==, 0);
    }
    g_assert_cmpint(chain_of("\x81\x05hello\x83\x00", 9).bits, ==, -1);
    g_assert_cmpint(chain_of("\x81\x85\x01\x02\x03\x04", 6).masked, ==, 1);
    /* masking does not change on the way */
    g_assert_cmpint(chain_of("\x82\x00\x82\x80\x01\x02\x03\x04", 8).bits, ==, -1);
    g_assert_cmpint(chain_of("GET / HTTP/1.1\r\n", 16).bits, ==, -1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/search/headers", test_headers);
    g_test_add_func("/search/order", test_order);
    g_test_add_func("/search/payloads", test_payloads);
    g_test_add_func("/search/nothing", test_nothing);
    g_test_add_func("/search/repeated", test_repeated);
    g_test_add_func("/search/chains", test_chains);
    g_test_add_func("/search/pieces", test_pieces);
    g_test_add_func("/search/cut", test_cut);
    g_test_add_func("/search/chain-read", test_chain_read);
    return g_test_run();
}
