/*
 * test_stream.c - one direction's bytes to frames (RFC 6455 5.2): cut anywhere, late, repeated,
 * overlapping, lost in a payload or over a header, cut by the capture, longer than what is kept.
 * Every piece ends at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/stream.h"

#include <glib.h>

struct tested {
    struct wsx_stream stream;
    GString *log;
};

static void on_frame(void *context, const struct wsx_frame *frame) {
    GString *log = context;
    g_string_append_printf(log, "%" G_GUINT64_FORMAT ":%x '", frame->begin, frame->header.first);
    for (size_t i = 0; i < frame->have; i++)
        g_string_append_c(log, (char)frame->payload[i]);
    g_string_append_printf(log, "' of %" G_GUINT64_FORMAT, frame->header.payload_length);
    if (frame->missing)
        g_string_append_printf(log, " missing %" G_GUINT64_FORMAT, frame->missing);
    if (frame->over_limit)
        g_string_append(log, " over-limit");
    if (frame->unfinished)
        g_string_append(log, " unfinished");
    g_string_append_c(log, '\n');
}

static void on_gap(void *context, uint64_t offset, uint64_t missing, bool followed, bool cut) {
    g_string_append_printf(context, "gap %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT "%s%s\n", offset,
                           missing, followed ? " followed" : "", cut ? " cut" : "");
}

static void on_resync(void *context, uint64_t offset, uint64_t skipped, unsigned frames) {
    g_assert_cmpuint(frames, >, 0);
    g_string_append_printf(context, "resync %" G_GUINT64_FORMAT " skipped %" G_GUINT64_FORMAT "\n",
                           offset, skipped);
}

static void on_msb(void *context, const struct wsx_frame *frame) {
    g_string_append_printf(context, "msb %" G_GUINT64_FORMAT "\n", frame->begin);
}

static const struct wsx_stream_events events = {on_frame, on_gap, on_resync, on_msb};

static void begin(struct tested *t, size_t limit) {
    wsx_stream_init(&t->stream, &events, limit);
    t->stream.expectation = (struct wsx_expectation){WSX_UNMASKED, false, false};
    t->log = g_string_new(NULL);
}

/* `length` bytes at `offset`, of which `captured` are there. */
static void push(struct tested *t, uint64_t offset, const char *bytes, size_t captured,
                 uint64_t length) {
    uint8_t *piece = guard_copy(bytes, captured);
    wsx_stream_push(&t->stream, offset, piece, captured, length, 1, t->log);
    guard_free(piece, captured);
}

static void end(struct tested *t, const char *expected, const char *name) {
    if (strcmp(t->log->str, expected) != 0)
        g_error("%s: expected\n%sgot\n%s", name, expected, t->log->str);
    wsx_stream_clear(&t->stream);
    g_string_free(t->log, TRUE);
}

/* Three frames: 0 "hello", 7 "", 9 "bye". */
static const char three[] = "\x81\x05hello\x89\x00\x82\x03"
                            "bye";
#define THREE 14u
#define THREE_FRAMES "0:81 'hello' of 5\n7:89 '' of 0\n9:82 'bye' of 3\n"

static void test_cuts(void) {
    struct tested t;
    for (size_t a = 0; a <= THREE; a++)
        for (size_t b = a; b <= THREE; b++) {
            begin(&t, 100);
            push(&t, 0, three, a, a);
            push(&t, a, three + a, b - a, b - a);
            push(&t, b, three + b, THREE - b, THREE - b);
            end(&t, THREE_FRAMES, "three pieces");
        }
    begin(&t, 100);
    for (size_t i = 0; i < THREE; i++)
        push(&t, i, three + i, 1, 1);
    end(&t, THREE_FRAMES, "byte by byte");
}

static void test_order(void) {
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t o = 0; o < 6; o++)
        for (size_t a = 1; a < THREE - 1; a++)
            for (size_t b = a + 1; b < THREE; b++) {
                const size_t cuts[] = {0, a, b, THREE};
                struct tested t;
                begin(&t, 100);
                for (size_t i = 0; i < 3; i++) {
                    unsigned n = orders[o][i];
                    push(&t, cuts[n], three + cuts[n], cuts[n + 1] - cuts[n],
                         cuts[n + 1] - cuts[n]);
                }
                end(&t, THREE_FRAMES, "in any order");
            }
}

static void test_repeats(void) {
    struct tested t;
    for (size_t from = 0; from < THREE; from++)
        for (size_t to = from + 1; to <= THREE; to++)
            for (size_t cut = 0; cut <= THREE; cut++) {
                begin(&t, 100);
                push(&t, 0, three, cut, cut);
                push(&t, from, three + from, to - from, to - from);
                push(&t, 0, three, THREE, THREE);
                push(&t, from, "????????????????", to - from, to - from); /* known: dropped */
                end(&t, THREE_FRAMES, "pieces that overlap");
            }
}

static void test_gaps(void) {
    struct tested t;
    begin(&t, 100);
    push(&t, 0, three, 4, 4);
    push(&t, 6, three + 6, 8, 8);
    g_assert_cmpstr(t.log->str, ==, ""); /* waits: the bytes may be late */
    wsx_stream_give_up(&t.stream, t.log);
    end(&t, "gap 4+2 followed\n0:81 'he' of 5 missing 2\n7:89 '' of 0\n9:82 'bye' of 3\n",
        "in a payload");
    begin(&t, 100);
    push(&t, 0, three, 4, 4);
    push(&t, 7, three + 7, 7, 7);
    wsx_stream_give_up(&t.stream, t.log);
    wsx_stream_give_up(&t.stream, t.log); /* nothing waits: does nothing */
    end(&t, "gap 4+3 followed\n0:81 'he' of 5 missing 3\n7:89 '' of 0\n9:82 'bye' of 3\n",
        "up to the payload's end");
    begin(&t, 100);
    push(&t, 0, three, 4, 4);
    push(&t, 8, three + 8, 6, 6);
    wsx_stream_give_up(&t.stream, t.log);
    end(&t, "0:81 'he' of 5 missing 3\ngap 4+4\n", "over a header: nothing is made up");
    begin(&t, 100);
    push(&t, 0, three, 4, 4);
    wsx_stream_finish(&t.stream, 6, t.log);
    end(&t, "gap 4+2 followed\n0:81 'he' of 5 missing 3 unfinished\n", "lost at the end");
}

#define LONG "behind a hole there is a text that is long enough to be believed"

static void test_resync(void) {
    struct tested t;
    GString *text = g_string_new("junk\x81");
    g_string_append_c(text, (char)strlen(LONG));
    g_string_append(text, LONG);
    for (size_t skip = 0; skip <= 4; skip++) {
        begin(&t, 100);
        push(&t, 0, three, 1, 1);
        push(&t, 100 + skip, text->str + skip, text->len - skip, text->len - skip);
        push(&t, 100 + text->len, three, THREE, THREE);
        wsx_stream_give_up(&t.stream, t.log);
        char *expected = g_strdup_printf("gap 1+%zu\nresync 104 skipped %zu\n104:81 '" LONG
                                         "' of 64\n170:81 'hello' of 5\n177:89 '' of 0\n"
                                         "179:82 'bye' of 3\n",
                                         99 + skip, 4 - skip);
        end(&t, expected, "found again");
        g_free(expected);
    }
    g_string_free(text, TRUE);
}

/* A lone small frame between two holes: read where the sender begins its segments with frames, not
 * where it cuts anywhere. */
static void test_habit(void) {
    struct tested t;
    for (int aligned = 0; aligned < 2; aligned++) {
        begin(&t, 100);
        for (size_t i = 0; i < 10 * THREE; i += THREE / 2)
            push(&t, i, three + (i % THREE ? 7 : 0), 7, 7);
        g_string_truncate(t.log, 0);
        size_t at = 10 * THREE;
        for (size_t i = 0; !aligned && i < 8 * 7; i += 4, at += 4)
            push(&t, at, "\x82\x05hello\x82\x05hello\x82\x05hello\x82\x05hello" + i % 7, 4, 4);
        g_string_truncate(t.log, 0);
        push(&t, at + 5, "\x82\x02\xff\xfe", 4, 4);
        wsx_stream_give_up(&t.stream, t.log);
        char *expected = g_strdup_printf("gap %zu+5\n%s", at,
                                         aligned ? "resync 145 skipped 0\n"
                                                   "145:82 '\xff\xfe' of 2\n"
                                                 : "");
        end(&t, expected, aligned ? "segments begin with frames" : "segments begin anywhere");
        g_free(expected);
    }
}

/* What was found by search turns out to be none: it is searched again. */
static void test_doubt(void) {
    struct tested t;
    static const char text[] = "\x81\x40" LONG;
    g_assert_cmpuint(strlen(LONG), ==, 0x40);
    for (size_t cut = 0; cut <= 2; cut++) {
        begin(&t, 100);
        push(&t, 0, "\x82\x01", 2, 2);
        push(&t, 10, text, 66, 66);
        wsx_stream_give_up(&t.stream, t.log);
        push(&t, 76, "\x8f\x02zz", cut, cut); /* an opcode that there is not */
        push(&t, 76 + cut, "\x8f\x02zz" + cut, 4 - cut, 4 - cut);
        push(&t, 80, text, 66, 66);
        end(&t,
            "0:82 '' of 1 missing 1\ngap 2+8\nresync 10 skipped 0\n10:81 '" LONG "' of 64\n"
            "gap 76+0 cut\nresync 80 skipped 4\n80:81 '" LONG "' of 64\n",
            "no frame behind it");
    }
}

static void test_snaplen(void) {
    struct tested t;
    begin(&t, 100);
    push(&t, 0,
         "\x82\x09"
         "abc",
         5, 11);
    push(&t, 11, three, THREE, THREE);
    end(&t, "0:82 'abc' of 9 missing 6\n11:81 'hello' of 5\n18:89 '' of 0\n20:82 'bye' of 3\n",
        "cut by the capture in a payload: no gap");
    begin(&t, 100);
    push(&t, 0, three, 1, 7);
    end(&t, "gap 1+6 cut\n", "cut by the capture in a header");
}

static void test_limits(void) {
    struct tested t;
    begin(&t, 4);
    push(&t, 0, three, THREE, THREE);
    end(&t, "0:81 'hell' of 5 over-limit\n7:89 '' of 0\n9:82 'bye' of 3\n", "more than is kept");
    begin(&t, 4);
    push(&t, 0,
         "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"
         "abc",
         13, 13);
    uint64_t done, whole;
    g_assert_true(wsx_stream_pending(&t.stream, &done, &whole));
    g_assert_cmpuint(done, ==, 13);
    g_assert_cmpuint(whole, ==, G_GUINT64_CONSTANT(0x7fffffffffffffff) + 10);
    wsx_stream_finish(&t.stream, 0, t.log);
    end(&t, "0:82 'abc' of 9223372036854775807 missing 9223372036854775804 unfinished\n",
        "the longest frame there is");
    begin(&t, 4);
    push(&t, 0, "\x82\x7f\x80\0\0\0\0\0\0\0\x81\x01x", 13, 13);
    push(&t, 13, three, THREE, THREE);
    wsx_stream_finish(&t.stream, 0, t.log);
    end(&t, "msb 0\n", "the length that can't be");
}

static void test_pending(void) {
    struct tested t;
    uint64_t done, whole;
    begin(&t, 100);
    g_assert_false(wsx_stream_pending(&t.stream, &done, &whole));
    push(&t, 0, three, 1, 1);
    g_assert_true(wsx_stream_pending(&t.stream, &done, &whole));
    g_assert_cmpuint(done, ==, 1);
    g_assert_cmpuint(whole, ==, 0);
    push(&t, 1, three + 1, 3, 3);
    g_assert_true(wsx_stream_pending(&t.stream, &done, &whole));
    g_assert_cmpuint(done, ==, 4);
    g_assert_cmpuint(whole, ==, 7);
    push(&t, 4, three + 4, 3, 3);
    g_assert_false(wsx_stream_pending(&t.stream, &done, &whole));
    end(&t, "0:81 'hello' of 5\n", "pending");
}

/* What waits is bounded: over that, the bytes before it count as lost. */
static void test_queue(void) {
    struct tested t;
    begin(&t, 100);
    push(&t, 0, "\x82\x7f\0\0\0\0\0\x01\0\0", 10, 10); /* 65,536 bytes */
    for (uint64_t i = 0; i < 5000; i++)
        push(&t, 12 + 2 * i, "x", 1, 1);
    g_assert_cmpint(strncmp(t.log->str, "gap 10+2 followed\n", 18), ==, 0);
    wsx_stream_clear(&t.stream);
    g_string_free(t.log, TRUE);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/cuts", test_cuts);
    g_test_add_func("/stream/order", test_order);
    g_test_add_func("/stream/repeats", test_repeats);
    g_test_add_func("/stream/gaps", test_gaps);
    g_test_add_func("/stream/resync", test_resync);
    g_test_add_func("/stream/habit", test_habit);
    g_test_add_func("/stream/doubt", test_doubt);
    g_test_add_func("/stream/snaplen", test_snaplen);
    g_test_add_func("/stream/limits", test_limits);
    g_test_add_func("/stream/pending", test_pending);
    g_test_add_func("/stream/queue", test_queue);
    return g_test_run();
}
