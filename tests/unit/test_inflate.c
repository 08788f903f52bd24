/*
 * test_inflate.c - permessage-deflate, one direction: the examples of RFC 7692 7.2.3, ends of
 * messages right and wrong, windows, violations, limits, the context over many messages, and a
 * random comparison with zlib alone. Payloads end at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "guard.h"

#include "../../plugin/core/inflate.h"
#include "deflater.h"

#define MEBIBYTE (1u << 20)

static const struct wsx_inflate_limits unlimited = {0};

/* A payload written out, as an argument pair. */
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* g_assert_cmpmem without its conversion to int. */
static void same_bytes(const void *left, size_t left_length, const void *right,
                       size_t right_length) {
    g_assert_cmpuint(left_length, ==, right_length);
    g_assert_true(left_length == 0 || memcmp(left, right, left_length) == 0);
}

/* Inflates a guarded copy and, when that is right, the same once more from the saved window. */
static enum wsx_inflate_result take(struct wsx_inflate *inflate, const uint8_t *bytes,
                                    size_t length, const struct wsx_inflate_limits *limits,
                                    struct wsx_inflate_output *output) {
    uint8_t *payload = guard_copy(bytes, length);
    size_t window_length, earlier_length;
    const uint8_t *window = wsx_inflate_window(inflate, &window_length);
    uint8_t *saved = guard_copy(window, window_length);
    enum wsx_inflate_result result = wsx_inflate_message(inflate, payload, length, limits, output);
    g_assert_cmpint(output->reason == NULL, ==, result == WSX_INFLATE_OK);
    g_assert_cmpint(output->bytes == NULL, ==, output->length == 0);

    const uint8_t *earlier = wsx_inflate_earlier(inflate, &earlier_length);
    bool long_one = output->length > WSX_WINDOW_MAX && window_length > 0;
    g_assert_cmpint(earlier != NULL, ==, output->takeover_violated || long_one);
    if (long_one && !output->takeover_violated)
        same_bytes(earlier, earlier_length, saved, window_length);
    struct wsx_inflate_output again;
    size_t limit = result == WSX_INFLATE_LIMIT ? output->length : limits->output;
    enum wsx_inflate_result second =
        wsx_inflate_again(earlier ? earlier : saved, earlier ? earlier_length : window_length,
                          payload, length, limit, &again);
    /* A fault may lie behind the limit. */
    if (!(result == WSX_INFLATE_FAILED && second == WSX_INFLATE_LIMIT)) {
        g_assert_cmpint(second, ==, result);
        if (result != WSX_INFLATE_LIMIT) /* where it stops, before the end */
            g_assert_cmpint(again.tail_kept, ==, output->tail_kept);
        g_assert_cmpstr(again.reason, ==, output->reason);
    }
    same_bytes(again.bytes, again.length, output->bytes, output->length);
    free(again.bytes);
    guard_free(saved, window_length);
    guard_free(payload, length);
    return result;
}

/* Expects this text without a finding but those that the caller looks at in *output. */
static void expect_output(struct wsx_inflate *inflate, const uint8_t *bytes, size_t length,
                          const void *text, size_t text_length, struct wsx_inflate_output *output) {
    enum wsx_inflate_result result = take(inflate, bytes, length, &unlimited, output);
    g_assert_cmpint(result, ==, WSX_INFLATE_OK);
    same_bytes(output->bytes, output->length, text, text_length);
    g_assert_cmpuint(output->full_length, ==, text_length);
    g_assert_false(output->hard_stopped);
    free(output->bytes);
    output->bytes = NULL;
}

/* Expects this text and nothing to remark. */
static void expect(struct wsx_inflate *inflate, const uint8_t *bytes, size_t length,
                   const void *text, size_t text_length) {
    struct wsx_inflate_output output;
    expect_output(inflate, bytes, length, text, text_length, &output);
    g_assert_false(output.tail_kept || output.header_missing || output.window_exceeded ||
                   output.takeover_violated);
}

/* Expects a failure with this much text. */
static void expect_failed(struct wsx_inflate *inflate, const uint8_t *bytes, size_t length,
                          const char *text, const char *reason) {
    struct wsx_inflate_output output;
    enum wsx_inflate_result result = take(inflate, bytes, length, &unlimited, &output);
    g_assert_cmpint(result, ==, WSX_INFLATE_FAILED);
    same_bytes(output.bytes, output.length, text, strlen(text));
    g_assert_cmpstr(output.reason, ==, reason);
    g_assert_cmpuint(output.input_used, <=, length);
    g_assert_cmpint(inflate->context_known, ==, !inflate->takeover);
    free(output.bytes);
}

static void test_rfc(void) {
    struct wsx_inflate inflate;
    wsx_inflate_init(&inflate, 15, true);
    expect(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5);
    expect(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello", 5);
    expect(&inflate, BYTES(0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00),
           "Hello", 5);
    expect(&inflate, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00), "Hello", 5);
    expect(&inflate,
           BYTES(0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00),
           "Hello", 5);
    expect(&inflate, BYTES(0x00), "", 0);
    expect(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello", 5);
    wsx_inflate_clear(&inflate);
}

static void test_empty_payload(void) {
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    wsx_inflate_init(&inflate, 15, true);
    expect_output(&inflate, NULL, 0, "", 0, &output);
    g_assert_true(output.header_missing && !output.tail_kept);
    g_assert_null(inflate.history);
    expect(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5);
    expect_output(&inflate, NULL, 0, "", 0, &output);
    expect(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello", 5);
    wsx_inflate_clear(&inflate);
}

static void test_tail_kept(void) {
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    wsx_inflate_init(&inflate, 15, true);
    expect_output(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff),
                  "Hello", 5, &output);
    g_assert_true(output.tail_kept && !output.header_missing);
    expect(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello", 5);
    expect_output(&inflate, BYTES(0x00, 0x00, 0x00, 0xff, 0xff), "", 0, &output);
    g_assert_true(output.tail_kept);
    /* The final empty block that zlib's Z_FINISH writes after a flush, kept. */
    expect_output(&inflate, BYTES(0xf2, 0x00, 0x11, 0x80, 0x00, 0x00, 0x00, 0xff, 0xff), "Hello", 5,
                  &output);
    g_assert_true(output.tail_kept);
    /* The same four bytes as data: of a message that is whole, and of one without a header. */
    expect(&inflate, BYTES(0x00, 0x04, 0x00, 0xfb, 0xff, 0x00, 0x00, 0xff, 0xff, 0x00),
           "\x00\x00\xff\xff", 4);
    expect_output(&inflate, BYTES(0x00, 0x04, 0x00, 0xfb, 0xff, 0x00, 0x00, 0xff, 0xff),
                  "\x00\x00\xff\xff", 4, &output);
    g_assert_true(output.header_missing && !output.tail_kept);
    wsx_inflate_clear(&inflate);
}

/* Final blocks at every kind of place (RFC 7692 7.2.3.4), also many of them. */
static void test_final_blocks(void) {
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    wsx_inflate_init(&inflate, 15, true);
    expect_output(&inflate, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5, &output);
    g_assert_true(output.header_missing);
    expect(&inflate, BYTES(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf3, 0x00, 0x11, 0x00, 0x00),
           "HelloHello", 10);
    expect(&inflate, BYTES(0x01, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x01),
           "Hello", 5);

    GByteArray *payload = g_byte_array_new();
    for (int i = 0; i < 100000; i++)
        g_byte_array_append(payload, (const guint8 *)"\x03", 2); /* empty, fixed, final */
    g_byte_array_append(payload, (const guint8 *)"\xf3\x00\x11\x00\x00", 5);
    expect(&inflate, payload->data, payload->len, "Hello", 5);

    /* A final block in the middle of compressed text, made by two compressors. */
    GRand *random = g_rand_new_with_seed(7);
    GByteArray *text = random_text(random, 50000);
    z_stream stream;
    g_byte_array_set_size(payload, 0);
    deflater_init(&stream, 9, 15, Z_DEFAULT_STRATEGY);
    deflater_add(&stream, text->data, 30000, Z_FINISH, payload);
    deflateReset(&stream);
    deflateSetDictionary(&stream, text->data, 30000);
    deflater_add(&stream, text->data + 30000, 20000, Z_FINISH, payload);
    deflateEnd(&stream);
    g_byte_array_append(payload, (const guint8 *)"", 1);
    expect(&inflate, payload->data, payload->len, text->data, text->len);
    g_byte_array_free(text, TRUE);
    g_byte_array_free(payload, TRUE);
    g_rand_free(random);
    wsx_inflate_clear(&inflate);
}

static void test_failures(void) {
    static const char middle[] = "the data ends in the middle of a block";
    struct wsx_inflate inflate;
    wsx_inflate_init(&inflate, 15, false);
    expect_failed(&inflate, BYTES(0xf2, 0x48, 0xcd), "He", middle);
    /* Stored, ten bytes, five there: the tail would be taken for four of them. */
    expect_failed(&inflate, BYTES(0x00, 0x0a, 0x00, 0xf5, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f),
                  "Hello", middle);
    expect_failed(&inflate, BYTES(0x00, 0x05, 0x00, 0xfa), "", middle);
    expect_failed(&inflate, BYTES(0x00, 0x00, 0xff, 0xff), "", middle);
    expect_failed(&inflate, BYTES(0x07), "", "invalid block type");
    expect_failed(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x18), "Hello",
                  "invalid block type");
    expect_failed(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "H",
                  "invalid distance too far back");
    wsx_inflate_init(&inflate, 15, true);
    expect_failed(&inflate, BYTES(0x07), "", "invalid block type");
    struct wsx_inflate_output output;
    g_assert_cmpint(wsx_inflate_message(&inflate, BYTES(0x00), &unlimited, &output), ==,
                    WSX_INFLATE_FAILED);
    g_assert_cmpint(wsx_inflate_partial(&inflate, BYTES(0x00), &unlimited, &output), ==,
                    WSX_INFLATE_FAILED);
    wsx_inflate_restart(&inflate);
    expect(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5);
    wsx_inflate_lose_context(&inflate);
    g_assert_false(inflate.context_known);
    wsx_inflate_restart(&inflate);
    /* The text from before is forgotten, and so is the zlib stream behind it. */
    expect_failed(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "H",
                  "invalid distance too far back");
    wsx_inflate_clear(&inflate);
}

/* Stored data for which RFC 7692 7.2.2, word for word, makes the appended bytes the last of it. */
static void test_tail_is_data(void) {
    struct wsx_inflate inflate;
    wsx_inflate_init(&inflate, 15, true);
    expect(&inflate, BYTES(0x00, 0x09, 0x00, 0xf6, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f),
           "Hello\x00\x00\xff\xff", 9);
    wsx_inflate_clear(&inflate);
}

/* Of a window that is larger than any, the end counts. */
static void test_again_window(void) {
    uint8_t *window = g_malloc0(40000);
    memcpy(window + 39995, "Hello", 5);
    struct wsx_inflate_output output;
    g_assert_cmpint(
        wsx_inflate_again(window, 40000, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), 0, &output), ==,
        WSX_INFLATE_OK);
    same_bytes(output.bytes, output.length, "Hello", 5);
    free(output.bytes);
    g_free(window);
}

/* The window is the end of all text, whether it was asked for in between or not, and from whichever
 * of both a message goes on. */
static void test_window(void) {
    GRand *random = g_rand_new_with_seed(32768);
    GByteArray *text = random_text(random, 400000);
    struct wsx_inflate inflate;
    z_stream stream;
    wsx_inflate_init(&inflate, 15, true);
    deflater_init(&stream, 6, 15, Z_DEFAULT_STRATEGY);
    size_t done = 0;
    for (int round = 0; done < text->len; round++) {
        guint most = round % 19 == 18 ? 80000 : round % 5 == 4 ? 9000 : 700;
        size_t wanted = (size_t)g_rand_int_range(random, 0, (gint32)most);
        guint length = (guint)MIN(wanted, text->len - done);
        GByteArray *payload = deflater_message(&stream, text->data + done, length);
        struct wsx_inflate_output output;
        if (round % 7 == 0)
            wsx_inflate_release();
        g_assert_cmpint(
            wsx_inflate_message(&inflate, payload->data, payload->len, &unlimited, &output), ==,
            WSX_INFLATE_OK);
        same_bytes(output.bytes, output.length, text->data + done, length);
        free(output.bytes);
        g_byte_array_free(payload, TRUE);
        done += length;
        if (round % 3 == 0) {
            size_t known = MIN(done, WSX_WINDOW_MAX), window_length;
            const uint8_t *window = wsx_inflate_window(&inflate, &window_length);
            same_bytes(window, window_length, text->data + done - known, known);
        }
    }
    wsx_inflate_clear(&inflate);
    deflateEnd(&stream);
    g_byte_array_free(text, TRUE);
    g_rand_free(random);
}

/* Every level, strategy and window, cut at every place for wsx_inflate_partial and _message. */
static void test_compressors(void) {
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
    GRand *random = g_rand_new_with_seed(7692);
    GByteArray *text = random_text(random, 1500);
    for (int i = 0; i < 7 * 4 * 3; i++) {
        int bits = 9 + i % 7, level = i / 7 % 3 * 4 + (i % 2);
        GByteArray *payload = deflate_once(text->data, text->len, level, bits, strategies[i / 21]);
        struct wsx_inflate inflate;
        wsx_inflate_init(&inflate, (unsigned)bits, i % 2 == 0);
        expect(&inflate, payload->data, payload->len, text->data, text->len);
        size_t before = 0;
        for (size_t cut = 0; cut < payload->len; cut += (size_t)(i % 3 + 1)) {
            struct wsx_inflate_output part, message;
            uint8_t *copy = guard_copy(payload->data, cut);
            wsx_inflate_restart(&inflate);
            g_assert_cmpint(wsx_inflate_partial(&inflate, copy, cut, &unlimited, &part), ==,
                            WSX_INFLATE_OK);
            same_bytes(part.bytes, part.length, text->data, part.length);
            g_assert_cmpuint(part.length, >=, before);
            before = part.length;
            enum wsx_inflate_result result = take(&inflate, copy, cut, &unlimited, &message);
            if (result == WSX_INFLATE_FAILED)
                same_bytes(message.bytes, message.length, part.bytes, part.length);
            free(part.bytes);
            free(message.bytes);
            guard_free(copy, cut);
        }
        wsx_inflate_clear(&inflate);
        g_byte_array_free(payload, TRUE);
    }
    g_byte_array_free(text, TRUE);
    g_rand_free(random);
}

/* Many directions with takeover take turns, more than there are kept zlib streams, with all that
 * may upset these in between. */
static void test_directions(void) {
    enum { DIRECTIONS = 9 };
    struct wsx_inflate inflate[DIRECTIONS];
    z_stream stream[DIRECTIONS];
    GRand *random = g_rand_new_with_seed(13);
    GByteArray *text = random_text(random, 200000);
    for (int i = 0; i < DIRECTIONS; i++) {
        wsx_inflate_init(&inflate[i], (unsigned)(9 + i % 7), true);
        deflater_init(&stream[i], 6, 9 + i % 7, Z_DEFAULT_STRATEGY);
    }
    for (int round = 0; round < 4000; round++) {
        int i = round % 3 ? g_rand_int_range(random, 0, DIRECTIONS) : round / 1000;
        guint length = (guint)g_rand_int_range(random, 0, round % 50 ? 500 : 70000);
        guint at = (guint)g_rand_int_range(random, 0, (gint32)(text->len - length));
        GByteArray *payload = deflater_message(&stream[i], text->data + at, length);
        struct wsx_inflate_output part;
        if (round % 7 == 0) {
            wsx_inflate_partial(&inflate[i], payload->data, payload->len, &unlimited, &part);
            same_bytes(part.bytes, part.length, text->data + at, length);
            free(part.bytes);
        }
        if (round % 97 == 0)
            wsx_inflate_release();
        expect(&inflate[i], payload->data, payload->len, text->data + at, length);
        g_assert_cmpuint(inflate[i].history_size, <=, WSX_WINDOW_MAX);
        g_byte_array_free(payload, TRUE);
    }
    for (int i = 0; i < DIRECTIONS; i++) {
        wsx_inflate_clear(&inflate[i]);
        deflateEnd(&stream[i]);
    }
    g_byte_array_free(text, TRUE);
    g_rand_free(random);
}

/* A sender with a larger window than negotiated: shown, and named, in a later message too. */
static void test_window_exceeded(void) {
    GRand *random = g_rand_new_with_seed(9);
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    wsx_inflate_init(&inflate, 9, true);
    GByteArray *text = g_byte_array_new();
    for (int i = 0; i < 600; i++) {
        guint8 byte = (guint8)g_rand_int(random);
        g_byte_array_append(text, &byte, 1);
    }
    z_stream stream;
    deflater_init(&stream, 9, 15, Z_DEFAULT_STRATEGY);
    GByteArray *payload = deflater_message(&stream, text->data, text->len);
    expect(&inflate, payload->data, payload->len, text->data, text->len);
    g_byte_array_free(payload, TRUE);
    payload = deflater_message(&stream, text->data, 100);
    expect_output(&inflate, payload->data, payload->len, text->data, 100, &output);
    g_assert_true(output.window_exceeded && !output.takeover_violated);
    g_assert_cmpuint(output.bad_distance, ==, 600);
    wsx_inflate_clear(&inflate);
    g_byte_array_free(payload, TRUE);

    /* Within one message, and with the window sizes that just hold it and just do not. */
    struct symbols out = {0};
    symbols_begin_fixed(&out);
    for (int i = 0; i < 257; i++)
        symbols_literal(&out, (uint8_t)i);
    symbols_match(&out, 257);
    symbols_end(&out);
    size_t length = symbols_finish(&out);
    for (unsigned bits = 8; bits <= 9; bits++) {
        wsx_inflate_init(&inflate, bits, false);
        enum wsx_inflate_result result = take(&inflate, out.bytes, length, &unlimited, &output);
        g_assert_cmpint(result, ==, WSX_INFLATE_OK);
        g_assert_cmpuint(output.length, ==, 260);
        same_bytes(output.bytes + 257, 3, "\x00\x01\x02", 3);
        g_assert_cmpuint(output.bad_distance, ==, bits == 8 ? 257 : 0);
        free(output.bytes);
        wsx_inflate_clear(&inflate);
    }
    g_byte_array_free(text, TRUE);
    deflateEnd(&stream);
    g_rand_free(random);
}

static void test_takeover_violated(void) {
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    wsx_inflate_init(&inflate, 15, false);
    expect(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5);
    expect_output(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "Hello", 5, &output);
    g_assert_true(output.takeover_violated);
    /* Ten bytes of earlier text: eleven can not be explained. */
    struct symbols out = {0};
    symbols_begin_fixed(&out);
    symbols_match(&out, 11);
    symbols_end(&out);
    size_t length = symbols_finish(&out);
    expect_failed(&inflate, out.bytes, length, "", "invalid distance too far back");
    /* What that message was is not known, and so nothing is explained behind it. */
    expect_failed(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "H",
                  "invalid distance too far back");
    expect(&inflate, BYTES(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00), "Hello", 5);
    wsx_inflate_lose_context(&inflate);
    g_assert_true(inflate.context_known);
    expect_failed(&inflate, BYTES(0xf2, 0x00, 0x11, 0x00, 0x00), "H",
                  "invalid distance too far back");
    wsx_inflate_clear(&inflate);
}

/* The limits' sizes around the message's size, and the context behind a message that was cut. */
static void test_limits(void) {
    GRand *random = g_rand_new_with_seed(8);
    for (int takeover = 0; takeover < 2; takeover++) {
        for (size_t limit = 99990; limit < 100010; limit++) {
            GByteArray *text = random_text(random, 100000);
            struct wsx_inflate inflate;
            struct wsx_inflate_output output;
            struct wsx_inflate_limits limits = {.output = limit, .hard_output = 100000};
            z_stream stream;
            deflater_init(&stream, 6, 15, Z_DEFAULT_STRATEGY);
            wsx_inflate_init(&inflate, 15, takeover);
            GByteArray *payload = deflater_message(&stream, text->data, text->len);
            enum wsx_inflate_result result =
                take(&inflate, payload->data, payload->len, &limits, &output);
            g_assert_cmpint(result, ==, limit < 100000 ? WSX_INFLATE_LIMIT : WSX_INFLATE_OK);
            same_bytes(output.bytes, output.length, text->data, MIN(limit, 100000));
            g_assert_cmpuint(output.full_length, ==, 100000);
            free(output.bytes);
            g_byte_array_free(payload, TRUE);
            /* The next message refers to the end of this one, by right or by violation. */
            payload = deflater_message(&stream, text->data + 80000, 20000);
            expect_output(&inflate, payload->data, payload->len, text->data + 80000, 20000,
                          &output);
            g_assert_cmpint(output.takeover_violated, ==, !takeover);
            g_byte_array_free(payload, TRUE);
            g_byte_array_free(text, TRUE);
            deflateEnd(&stream);
            wsx_inflate_clear(&inflate);
        }
    }
    g_rand_free(random);
}

static void test_hard_limit(void) {
    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    struct wsx_inflate_limits limits = {.output = 100, .hard_output = 5000};
    uint8_t *text = g_malloc0(5001);
    for (size_t length = 4999; length <= 5001; length++) {
        GByteArray *payload = deflate_once(text, length, 9, 15, Z_DEFAULT_STRATEGY);
        wsx_inflate_init(&inflate, 15, true);
        enum wsx_inflate_result result =
            take(&inflate, payload->data, payload->len, &limits, &output);
        g_assert_cmpint(result, ==, WSX_INFLATE_LIMIT);
        g_assert_cmpuint(output.length, ==, 100);
        g_assert_cmpint(output.hard_stopped, ==, length > 5000);
        g_assert_cmpint(inflate.context_known, ==, length <= 5000);
        free(output.bytes);
        g_byte_array_free(payload, TRUE);
        wsx_inflate_clear(&inflate);
    }
    g_free(text);
}

/* 64 KiB of payload that inflate to 64 MiB. */
static void test_bomb(void) {
    uint8_t *zeros = g_malloc0(MEBIBYTE);
    GByteArray *once = g_byte_array_new(), *bomb = g_byte_array_new();
    z_stream stream;
    deflater_init(&stream, 9, 15, Z_DEFAULT_STRATEGY);
    deflater_add(&stream, zeros, MEBIBYTE, Z_FULL_FLUSH, once);
    for (int i = 0; i < 64; i++)
        g_byte_array_append(bomb, once->data, once->len);
    g_byte_array_append(bomb, (const guint8 *)"", 1);

    struct wsx_inflate inflate;
    struct wsx_inflate_output output;
    struct wsx_inflate_limits limits = {.output = 8 * MEBIBYTE};
    wsx_inflate_init(&inflate, 9, true);
    g_assert_cmpint(take(&inflate, bomb->data, bomb->len, &limits, &output), ==, WSX_INFLATE_LIMIT);
    g_assert_cmpuint(output.length, ==, 8 * MEBIBYTE);
    g_assert_cmpuint(output.full_length, ==, 64 * MEBIBYTE);
    g_assert_false(output.hard_stopped || output.window_exceeded);
    free(output.bytes);

    /* 64 MiB are free for every message, whatever its ratio. */
    limits.ratio = 100;
    g_assert_cmpint(take(&inflate, bomb->data, bomb->len, &limits, &output), ==, WSX_INFLATE_LIMIT);
    g_assert_false(output.hard_stopped);
    free(output.bytes);
    g_byte_array_set_size(bomb, bomb->len - 1);
    for (int i = 0; i < 64; i++)
        g_byte_array_append(bomb, once->data, once->len);
    g_assert_cmpint(take(&inflate, bomb->data, bomb->len, &limits, &output), ==, WSX_INFLATE_LIMIT);
    g_assert_true(output.hard_stopped);
    g_assert_cmpuint(output.full_length, ==, WSX_RATIO_FREE + 1);
    g_assert_false(inflate.context_known);
    free(output.bytes);

    wsx_inflate_restart(&inflate);
    limits.ratio = 2;
    GByteArray *small = deflate_once(zeros, 65536, 9, 15, Z_DEFAULT_STRATEGY);
    expect(&inflate, small->data, small->len, zeros, 65536);
    g_assert_cmpint(take(&inflate, small->data, small->len, &limits, &output), ==, WSX_INFLATE_OK);
    free(output.bytes);
    g_byte_array_free(small, TRUE);
    deflateEnd(&stream);
    wsx_inflate_clear(&inflate);
    g_byte_array_free(once, TRUE);
    g_byte_array_free(bomb, TRUE);
    g_free(zeros);
}

/* A mutated payload: the same text, and the same judgement where zlib alone has one. */
static void compare_mutated(GRand *random, struct wsx_inflate *inflate, const GByteArray *payload) {
    size_t window_length;
    const uint8_t *window = wsx_inflate_window(inflate, &window_length);
    GByteArray *plain = g_byte_array_new(), *whole = g_byte_array_new();
    GByteArray *appended = g_byte_array_new();
    const char *reason, *whole_reason;
    g_byte_array_append(appended, payload->data, payload->len);
    g_byte_array_append(appended, (const guint8 *)"\x00\x00\xff\xff", 4);
    bool good = plain_inflate(payload->data, payload->len, window, window_length, 15, 70000, plain,
                              &reason);
    plain_inflate(appended->data, appended->len, window, window_length, 15, 70000, whole,
                  &whole_reason);

    struct wsx_inflate_limits limits = {0};
    if (g_rand_int_range(random, 0, 4) == 0)
        limits.output = (size_t)g_rand_int_range(random, 1, 3000);
    struct wsx_inflate_output output;
    enum wsx_inflate_result result =
        wsx_inflate_partial(inflate, payload->data, payload->len, &limits, &output);
    g_assert_cmpint(result == WSX_INFLATE_FAILED, ==, !good);
    g_assert_cmpuint(output.full_length, ==, plain->len);
    same_bytes(output.bytes, output.length, plain->data,
               limits.output ? MIN(limits.output, plain->len) : plain->len);
    free(output.bytes);

    result = take(inflate, payload->data, payload->len, &limits, &output);
    const GByteArray *want = plain;
    if (result != WSX_INFLATE_FAILED) {
        if (!output.tail_kept && !output.header_missing && !output.takeover_violated) {
            want = whole;
            g_assert_null(whole_reason);
        }
    } else if (strcmp(output.reason, "the data ends in the middle of a block") != 0) {
        g_assert_cmpstr(output.reason, ==, reason);
    } else {
        g_assert_null(reason);
    }
    if (!output.takeover_violated) {
        g_assert_cmpuint(output.full_length, ==, want->len);
        same_bytes(output.bytes, output.length, want->data,
                   limits.output ? MIN(limits.output, want->len) : want->len);
    }
    free(output.bytes);
    g_byte_array_free(plain, TRUE);
    g_byte_array_free(whole, TRUE);
    g_byte_array_free(appended, TRUE);
}

static void test_mutated(void) {
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_RLE};
    GRand *random = g_rand_new_with_seed(42);
    unsigned kept = 0;
    for (int round = 0; round < 1200; round++) {
        struct wsx_inflate inflate;
        wsx_inflate_init(&inflate, (unsigned)g_rand_int_range(random, 8, 16), round % 3 > 0);
        z_stream stream;
        deflater_init(&stream, g_rand_int_range(random, 0, 10), 15,
                      strategies[g_rand_int_range(random, 0, 3)]);
        for (int message = 0; message < 8; message++) {
            GByteArray *text = random_text(random, (size_t)g_rand_int_range(random, 0, 900));
            GByteArray *payload = deflater_message(&stream, text->data, text->len);
            if (message % 2)
                mutate(random, payload);
            if (g_rand_int_range(random, 0, 6) == 0)
                g_byte_array_append(payload, (const guint8 *)"\x00\x00\xff\xff", 4);
            compare_mutated(random, &inflate, payload);
            if (inflate.context_known)
                kept++;
            else
                wsx_inflate_restart(&inflate);
            g_byte_array_free(payload, TRUE);
            g_byte_array_free(text, TRUE);
        }
        deflateEnd(&stream);
        wsx_inflate_clear(&inflate);
    }
    g_rand_free(random);
    g_assert_cmpuint(kept, >, 1200);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/inflate/rfc", test_rfc);
    g_test_add_func("/inflate/empty-payload", test_empty_payload);
    g_test_add_func("/inflate/tail-kept", test_tail_kept);
    g_test_add_func("/inflate/final-blocks", test_final_blocks);
    g_test_add_func("/inflate/failures", test_failures);
    g_test_add_func("/inflate/tail-is-data", test_tail_is_data);
    g_test_add_func("/inflate/again-window", test_again_window);
    g_test_add_func("/inflate/window", test_window);
    g_test_add_func("/inflate/compressors", test_compressors);
    g_test_add_func("/inflate/directions", test_directions);
    g_test_add_func("/inflate/window-exceeded", test_window_exceeded);
    g_test_add_func("/inflate/takeover-violated", test_takeover_violated);
    g_test_add_func("/inflate/limits", test_limits);
    g_test_add_func("/inflate/hard-limit", test_hard_limit);
    g_test_add_func("/inflate/bomb", test_bomb);
    g_test_add_func("/inflate/mutated", test_mutated);
    int result = g_test_run();
    wsx_inflate_release();
    return result;
}
