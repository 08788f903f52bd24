/*
 * test_quic.c - the reader of QUIC frames: each kind of frame is passed over by its true length, a
 * STREAM frame tells where its bytes lie, an ACK frame its largest number, and no frame is read
 * that is not whole. Every input ends at a guard page, and is cut at every byte.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/quic.h"

#include <glib.h>

/* One frame a row, of RFC 9000 19; behind each, a PING shows that its length was right. */
static const struct {
    const char *name;
    uint8_t bytes[48];
    size_t length;
} others[] = {
    {"PADDING", {0x00}, 1},
    {"PING", {0x01}, 1},
    {"STOP_SENDING", {0x05, 0x04, 0x41, 0x0C}, 4},
    {"CRYPTO", {0x06, 0x00, 0x03, 'a', 'b', 'c'}, 6},
    {"NEW_TOKEN", {0x07, 0x02, 'a', 'b'}, 4},
    {"MAX_DATA", {0x10, 0x80, 0x01, 0x00, 0x00}, 5},
    {"MAX_STREAM_DATA", {0x11, 0x04, 0x40, 0xFF}, 4},
    {"MAX_STREAMS", {0x12, 0x09}, 2},
    {"STREAM_DATA_BLOCKED", {0x15, 0x04, 0x09}, 3},
    {"NEW_CONNECTION_ID",
     {0x18, 0x01, 0x00, 0x04, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
     24},
    {"RETIRE_CONNECTION_ID", {0x19, 0x01}, 2},
    {"PATH_CHALLENGE", {0x1A, 1, 2, 3, 4, 5, 6, 7, 8}, 9},
    {"HANDSHAKE_DONE", {0x1E}, 1},
    {"DATAGRAM with a length", {0x31, 0x02, 'a', 'b'}, 4},
    {"ACK_FREQUENCY", {0x40, 0xAF, 0x01, 0x02, 0x03, 0x04}, 6},
};

static void test_others(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        uint8_t bytes[64];
        memcpy(bytes, others[i].bytes, others[i].length);
        bytes[others[i].length] = 0x01;
        for (size_t cut = 0; cut <= others[i].length + 1; cut++) {
            uint8_t *copy = guard_copy(bytes, cut);
            struct wsx_quic_frame frame;
            size_t at = 0;
            bool whole = wsx_quic_next(copy, cut, &at, &frame);
            g_test_message("%s, %zu bytes", others[i].name, cut);
            g_assert_true(whole == (cut >= others[i].length));
            g_assert_cmpuint(at, ==, whole ? others[i].length : 0);
            if (whole)
                g_assert_true(frame.type == WSX_QUIC_OTHER);
            guard_free(copy, cut);
        }
    }
}

static void read_one(const uint8_t *bytes, size_t length, struct wsx_quic_frame *frame) {
    uint8_t *copy = guard_copy(bytes, length);
    size_t at = 0;
    g_assert_true(wsx_quic_next(copy, length, &at, frame));
    g_assert_cmpuint(at, ==, length);
    guard_free(copy, length);
}

static void test_stream(void) {
    static const uint8_t full[] = {0x0F, 0x04, 0x40, 0x66, 0x02, 'a', 'b'};
    static const uint8_t to_the_end[] = {0x08, 0x00, 'a', 'b', 'c'};
    static const uint8_t empty[] = {0x0B, 0x08, 0x00};
    struct wsx_quic_frame frame;
    read_one(full, sizeof full, &frame);
    g_assert_true(frame.type == WSX_QUIC_STREAM && frame.fin);
    g_assert_cmpuint(frame.stream_id, ==, 4);
    g_assert_cmpuint(frame.offset, ==, 0x66);
    g_assert_cmpuint(frame.data, ==, 5);
    g_assert_cmpuint(frame.length, ==, 2);
    read_one(to_the_end, sizeof to_the_end, &frame);
    g_assert_true(frame.type == WSX_QUIC_STREAM && !frame.fin);
    g_assert_cmpuint(frame.offset, ==, 0);
    g_assert_cmpuint(frame.data, ==, 2);
    g_assert_cmpuint(frame.length, ==, 3);
    read_one(empty, sizeof empty, &frame);
    g_assert_true(frame.fin);
    g_assert_cmpuint(frame.length, ==, 0);
    for (size_t cut = 0; cut < sizeof full; cut++) {
        uint8_t *copy = guard_copy(full, cut);
        size_t at = 0;
        g_assert_false(wsx_quic_next(copy, cut, &at, &frame));
        guard_free(copy, cut);
    }
}

/* The largest number of each, with ranges and counts behind it that must all be there. */
static const struct {
    const char *name;
    uint64_t largest;
    uint8_t bytes[32];
    size_t length;
} acks[] = {
    {"one range", 9, {0x02, 0x09, 0x00, 0x00, 0x09}, 5},
    {"two ranges", 0x80, {0x02, 0x40, 0x80, 0x05, 0x01, 0x02, 0x03, 0x04}, 8},
    {"with ECN", 9, {0x03, 0x09, 0x05, 0x00, 0x02, 0x01, 0x02, 0x03}, 8},
    {"type of two bytes", 0, {0x40, 0x02, 0x00, 0x00, 0x00, 0x00}, 6},
    {"the largest there is",
     UINT64_C(0x3FFFFFFFFFFFFFFF),
     {0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00},
     12},
};

static void test_acks(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(acks); i++) {
        uint8_t bytes[40];
        memcpy(bytes, acks[i].bytes, acks[i].length);
        bytes[acks[i].length] = 0x01;
        for (size_t cut = 0; cut <= acks[i].length + 1; cut++) {
            uint8_t *copy = guard_copy(bytes, cut);
            struct wsx_quic_frame frame;
            size_t at = 0;
            bool whole = wsx_quic_next(copy, cut, &at, &frame);
            g_test_message("%s, %zu bytes", acks[i].name, cut);
            g_assert_true(whole == (cut >= acks[i].length));
            g_assert_cmpuint(at, ==, whole ? acks[i].length : 0);
            if (whole) {
                g_assert_true(frame.type == WSX_QUIC_ACK);
                g_assert_cmpuint(frame.largest, ==, acks[i].largest);
            }
            guard_free(copy, cut);
        }
    }
}

/* More ranges than bytes: the reading ends with the bytes, whatever the count. */
static void test_ack_count(void) {
    static const uint8_t one_more[] = {0x02, 0x09, 0x00, 0x02, 0x01, 0x00, 0x01};
    static const uint8_t huge[] = {0x02, 0x09, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                   0xFF, 0xFF, 0xFF, 0x01, 0x00, 0x01, 0x00, 0x01};
    struct wsx_quic_frame frame;
    size_t at = 0;
    uint8_t *copy = guard_copy(one_more, sizeof one_more);
    g_assert_false(wsx_quic_next(copy, sizeof one_more, &at, &frame));
    guard_free(copy, sizeof one_more);
    copy = guard_copy(huge, sizeof huge);
    g_assert_false(wsx_quic_next(copy, sizeof huge, &at, &frame));
    g_assert_cmpuint(at, ==, 0);
    guard_free(copy, sizeof huge);
}

static void test_ends(void) {
    static const uint8_t reset[] = {0x04, 0x04, 0x41, 0x0C, 0x09};
    static const uint8_t closed[] = {0x1D, 0x41, 0x00, 0x02, 'o', 'k'};
    static const uint8_t failed[] = {0x1C, 0x0A, 0x08, 0x00};
    struct wsx_quic_frame frame;
    read_one(reset, sizeof reset, &frame);
    g_assert_true(frame.type == WSX_QUIC_RESET_STREAM);
    g_assert_cmpuint(frame.stream_id, ==, 4);
    g_assert_cmpuint(frame.code, ==, 0x10C);
    read_one(closed, sizeof closed, &frame);
    g_assert_true(frame.type == WSX_QUIC_CONNECTION_CLOSE);
    g_assert_cmpuint(frame.code, ==, 0x100);
    read_one(failed, sizeof failed, &frame);
    g_assert_true(frame.type == WSX_QUIC_CONNECTION_CLOSE);
    g_assert_cmpuint(frame.code, ==, 10);
}

/* What is not known, and lengths beyond the packet, end the reading. */
static void test_bad(void) {
    static const uint8_t bad[][6] = {{0x40, 0x40, 1, 1, 1, 1},
                                     {0x0A, 0x00, 0x3F, 1, 1, 1},
                                     {0x06, 0x00, 0xFF, 0xFF, 0xFF, 0xFF}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint8_t *copy = guard_copy(bad[i], sizeof bad[i]);
        struct wsx_quic_frame frame;
        size_t at = 0;
        g_assert_false(wsx_quic_next(copy, sizeof bad[i], &at, &frame));
        guard_free(copy, sizeof bad[i]);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quic/others", test_others);
    g_test_add_func("/quic/stream", test_stream);
    g_test_add_func("/quic/acks", test_acks);
    g_test_add_func("/quic/ack_count", test_ack_count);
    g_test_add_func("/quic/ends", test_ends);
    g_test_add_func("/quic/bad", test_bad);
    return g_test_run();
}
