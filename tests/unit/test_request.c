/*
 * test_request.c - heads of requests that come in pieces: put together from any order, 64 at once,
 * 16 KiB each; what is over a bound is forgotten, and what comes behind it is put together again.
 * Every piece ends at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/epan/request.h"

#include <glib.h>

#define AT_ONCE 64u
#define HEAD_MAX 16384u
#define FIRST 0xfffffff0u /* a sequence number that wraps inside the head */

static const char flows[1000]; /* their addresses tell them apart */
static const char small[] = "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n";
#define SMALL (sizeof small - 1)

static void assert_bytes(const uint8_t *bytes, size_t length, const char *expected,
                         size_t expected_length) {
    g_assert_cmpuint(length, ==, expected_length);
    g_assert_true(memcmp(bytes, expected, length) == 0);
}

static size_t piece(unsigned flow, const char *head, size_t from, size_t to, const uint8_t **out) {
    uint8_t *copy = guard_copy(head + from, to - from);
    size_t length = wsx_request_piece(&flows[flow], FIRST + (uint32_t)from, copy, to - from, out);
    guard_free(copy, to - from);
    return length;
}

static void begin(unsigned flow) {
    const uint8_t *out;
    g_assert_cmpuint(piece(flow, small, 0, 10, &out), ==, 0);
}

/* Whether the rest of what begin() began makes it whole. */
static bool end(unsigned flow) {
    const uint8_t *out = NULL;
    size_t length = piece(flow, small, 10, SMALL, &out);
    if (!length)
        return false;
    assert_bytes(out, length, small, SMALL);
    return true;
}

/* A head of this length; freed with g_free. */
static char *head_of(size_t length) {
    char *head = g_malloc(length);
    memset(head, 'x', length);
    memcpy(head, small, SMALL - 2);
    memcpy(head + length - 4, "\r\n\r\n", 4);
    return head;
}

static void test_splits(void) {
    const uint8_t *out;
    for (size_t a = 1; a < SMALL - 1; a++)
        for (size_t b = a + 1; b < SMALL; b++)
            for (unsigned late = 0; late < 2; late++) {
                wsx_request_init();
                g_assert_cmpuint(piece(0, small, 0, a, &out), ==, 0);
                g_assert_true(wsx_request_waits());
                size_t length =
                    late ? piece(0, small, b, SMALL, &out) : piece(0, small, a, b, &out);
                if (!length)
                    length = late ? piece(0, small, a, b, &out) : piece(0, small, b, SMALL, &out);
                assert_bytes(out, length, small, SMALL);
                g_assert_false(wsx_request_waits());
            }
}

static void test_others(void) {
    static const char post[] = "POST / HTTP/1.1\r\nHost: a\r\n\r\n";
    const uint8_t *out;
    wsx_request_init();
    g_assert_cmpuint(piece(0, small, 0, SMALL, &out), ==, 0); /* HTTP has it whole */
    g_assert_cmpuint(piece(0, small, 10, SMALL, &out), ==, 0);
    g_assert_cmpuint(piece(0, post, 0, 10, &out), ==, 0);
    g_assert_cmpuint(piece(0, post, 10, sizeof post - 1, &out), ==, 0);
    g_assert_cmpuint(piece(0, "G", 0, 1, &out), ==, 0);
    g_assert_cmpuint(piece(0, "GOT x\n\n", 1, 7, &out), ==, 0); /* it is no GET */
    g_assert_false(wsx_request_waits());
}

static void test_at_once(void) {
    unsigned over = 10;
    wsx_request_init();
    for (unsigned i = 0; i < AT_ONCE + over; i++)
        begin(i);
    for (unsigned i = 0; i < over; i++)
        g_assert_false(end(i)); /* the oldest are forgotten */
    for (unsigned i = over; i < AT_ONCE + over; i++)
        g_assert_true(end(i));
    g_assert_false(wsx_request_waits());
    begin(0);
    g_assert_true(end(0));
}

/* What comes and goes takes no place from one that waits. */
static void test_patient(void) {
    wsx_request_init();
    begin(0);
    for (unsigned i = 1; i < 5 * AT_ONCE; i++) {
        begin(i);
        g_assert_true(end(i));
    }
    g_assert_true(end(0));
    g_assert_false(wsx_request_waits());
}

/* A flow has one place, whatever it begins; behind a head's bound another one begins. */
static void test_again(void) {
    const uint8_t *out;
    wsx_request_init();
    for (unsigned i = 0; i < AT_ONCE; i++)
        begin(i);
    for (unsigned i = 0; i < 3 * AT_ONCE; i++)
        begin(0);
    char *behind = g_malloc0(2 * HEAD_MAX);
    memcpy(behind + HEAD_MAX, small, SMALL);
    g_assert_cmpuint(piece(0, behind, HEAD_MAX, HEAD_MAX + 10, &out), ==, 0);
    g_assert_cmpuint(piece(0, behind, HEAD_MAX + 10, HEAD_MAX + SMALL, &out), ==, SMALL);
    assert_bytes(out, SMALL, small, SMALL);
    g_free(behind);
    for (unsigned i = 1; i < AT_ONCE; i++)
        g_assert_true(end(i));
    g_assert_false(wsx_request_waits());
}

/* In pieces of 1000 bytes; what comes out at the end. */
static size_t give_long(size_t size, const uint8_t **out) {
    char *head = head_of(size);
    size_t length = 0;
    for (size_t at = 0; at < size; at += 1000) {
        g_assert_cmpuint(length, ==, 0);
        length = piece(0, head, at, MIN(at + 1000, size), out);
    }
    if (length)
        assert_bytes(*out, length, head, size);
    g_free(head);
    return length;
}

static void test_long(void) {
    const uint8_t *out = NULL;
    wsx_request_init();
    g_assert_cmpuint(give_long(HEAD_MAX, &out), ==, HEAD_MAX);
    g_assert_cmpuint(give_long(HEAD_MAX + 1, &out), ==, 0);
    g_assert_cmpuint(give_long(4 * HEAD_MAX, &out), ==, 0);
    begin(1);
    g_assert_true(end(1));
}

/* Pieces that can't be: nothing but the bounds counts. */
static void test_random(void) {
    GRand *random = g_rand_new_with_seed(1);
    char *head = head_of(HEAD_MAX + 3000);
    wsx_request_init();
    for (unsigned i = 0; i < 20000; i++) {
        const uint8_t *out = NULL;
        size_t from =
            g_rand_boolean(random) ? 0 : (size_t)g_rand_int_range(random, 0, HEAD_MAX + 1500);
        size_t to = from + (size_t)g_rand_int_range(random, 0, 1500);
        size_t length =
            piece((unsigned)g_rand_int_range(random, 0, 3 * (int)AT_ONCE), head, from, to, &out);
        g_assert_cmpuint(length, <=, HEAD_MAX);
        if (length)
            g_assert_true(memcmp(out, "GET ", 4) == 0);
    }
    g_free(head);
    g_rand_free(random);
    wsx_request_init();
    g_assert_false(wsx_request_waits());
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request/splits", test_splits);
    g_test_add_func("/request/others", test_others);
    g_test_add_func("/request/at-once", test_at_once);
    g_test_add_func("/request/patient", test_patient);
    g_test_add_func("/request/again", test_again);
    g_test_add_func("/request/long", test_long);
    g_test_add_func("/request/random", test_random);
    int failed = g_test_run();
    wsx_request_init();
    return failed;
}
