/*
 * test_h3data.c - DATA of an HTTP/3 stream: any order of pieces, repeated ones too, gives the same
 * bytes; holes inside a frame are counted, behind others frames are found again. Every piece ends
 * at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/h3data.h"

#include <glib.h>

struct given {
    char text[200];
    size_t length;
};

/* "<N>" for N bytes that are missing, "?" where it is not known how many. */
static void give(void *context, const uint8_t *bytes, size_t length, uint64_t missing,
                 bool unknown) {
    struct given *given = context;
    if (unknown)
        given->text[given->length++] = '?';
    if (missing)
        given->length +=
            (size_t)g_snprintf(given->text + given->length, 20, "<%u>", (unsigned)missing);
    memcpy(given->text + given->length, bytes, length);
    given->length += length;
}

/* HEADERS of 3 bytes, DATA of 5, a frame of an unknown kind, DATA of none, DATA of 70 with a length
 * of two bytes, DATA of 2. */
#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"
static const char stream[] = "\x01\x03"
                             "hhh\x00\x05"
                             "HELLO\x40\x21\x02"
                             "xx\x00\x00\x00\x40\x46" SEVENTY "\x00\x02"
                             "OK";
#define STREAM_LENGTH (sizeof stream - 1)

static void push(struct wsx_h3_data *data, size_t begin, size_t end, struct given *given) {
    uint8_t *copy = guard_copy((const uint8_t *)stream + begin, end - begin);
    wsx_h3_data_push(data, begin, copy, end - begin, 0, give, given);
    guard_free(copy, end - begin);
}

static void assert_given(const struct given *given, const char *expected) {
    g_assert_cmpuint(given->length, ==, strlen(expected));
    g_assert_true(memcmp(given->text, expected, given->length) == 0);
}

static void test_orders(void) {
    for (size_t size = 1; size <= STREAM_LENGTH; size++)
        for (unsigned order = 0; order < 20; order++) {
            struct given given = {.length = 0};
            struct wsx_h3_data *data = wsx_h3_data_new(0);
            GRand *random = g_rand_new_with_seed(order);
            size_t count = (STREAM_LENGTH + size - 1) / size, place[STREAM_LENGTH];
            for (size_t i = 0; i < count; i++)
                place[i] = i;
            for (size_t i = count; order && i > 1; i--) {
                size_t other = (size_t)g_rand_int_range(random, 0, (gint32)i), kept = place[i - 1];
                place[i - 1] = place[other];
                place[other] = kept;
            }
            for (size_t i = 0; i < count; i++) {
                size_t begin = place[i] * size, end = MIN(begin + size, STREAM_LENGTH);
                push(data, begin, end, &given);
                if (order % 2) /* again, and a byte more */
                    push(data, begin, MIN(end + 1, STREAM_LENGTH), &given);
            }
            g_rand_free(random);
            assert_given(&given, "HELLO" SEVENTY "OK");
            int64_t since;
            g_assert_cmpuint(wsx_h3_data_waiting(data, &since), ==, 0);
            wsx_h3_data_free(data);
        }
}

/* Pieces [from, to) are lost. */
static void lose(size_t from, size_t to, const char *expected) {
    struct given given = {.length = 0};
    struct wsx_h3_data *data = wsx_h3_data_new(0);
    int64_t since;
    push(data, 0, from, &given);
    push(data, to, STREAM_LENGTH, &given);
    g_assert_cmpuint(wsx_h3_data_waiting(data, &since), ==, 1);
    wsx_h3_data_give_up(data, give, &given);
    g_assert_cmpuint(wsx_h3_data_waiting(data, &since), ==, 0);
    wsx_h3_data_free(data);
    assert_given(&given, expected);
}

static void test_holes(void) {
    size_t hello = 7, last = STREAM_LENGTH - 4;
    lose(hello + 1, hello + 3, "H<2>LO" SEVENTY "OK");
    lose(hello + 1, hello + 5, "H<4>" SEVENTY "OK");
    lose(3, 5, "HELLO" SEVENTY "OK"); /* of HEADERS */
    lose(hello + 2, last, "HE?OK");
    lose(last - 1, last + 1,
         "HELLO0123456789012345678901234567890123456789012345678901234567890123456"
         "78"); /* what is behind begins like no frame */
}

static void test_middle(void) {
    struct given given = {.length = 0};
    struct wsx_h3_data *data = wsx_h3_data_new(5);
    push(data, 5, STREAM_LENGTH, &given);
    wsx_h3_data_free(data);
    g_assert_cmpuint(given.length, ==, 0); /* a frame of an unknown kind says that these are none */
    given = (struct given){.length = 0};
    data = wsx_h3_data_new(5);
    push(data, 5, 12, &given);
    push(data, 12, STREAM_LENGTH, &given);
    wsx_h3_data_free(data);
    assert_given(&given, "HELLO" SEVENTY "OK");
    wsx_h3_data_free(NULL);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/h3data/orders", test_orders);
    g_test_add_func("/h3data/holes", test_holes);
    g_test_add_func("/h3data/middle", test_middle);
    return g_test_run();
}
