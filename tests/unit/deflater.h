/*
 * deflater.h - makes deflate data for tests: a sender of permessage-deflate over zlib, a writer of
 * single symbols for data that no compressor makes, and a plain inflater to compare with.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_DEFLATER_H
#define WSX_TESTS_DEFLATER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef ZLIB_CONST
#define ZLIB_CONST
#endif
#include <zlib.h>

/* One direction's sender; it lives as long as the context does. */
static inline void deflater_init(z_stream *stream, int level, int window_bits, int strategy) {
    memset(stream, 0, sizeof *stream);
    if (deflateInit2(stream, level, Z_DEFLATED, -window_bits, 8, strategy) != Z_OK)
        g_error("deflateInit2");
}

/* Appends what the data compresses to, up to a flush of this kind. */
static inline void deflater_add(z_stream *stream, const void *bytes, size_t length, int flush,
                                GByteArray *into) {
    uint8_t buffer[4096];
    stream->next_in = bytes;
    stream->avail_in = (uInt)length;
    do {
        stream->next_out = buffer;
        stream->avail_out = sizeof buffer;
        deflate(stream, flush);
        g_byte_array_append(into, buffer, (guint)(sizeof buffer - stream->avail_out));
    } while (stream->avail_out == 0);
}

/* A message's payload: without the 00 00 ff ff at its end. zlib has nothing to say for an empty
 * message behind another flush: its payload is 00 (RFC 7692 7.2.3.6). */
static inline GByteArray *deflater_message(z_stream *stream, const void *bytes, size_t length) {
    GByteArray *payload = g_byte_array_new();
    deflater_add(stream, bytes, length, Z_SYNC_FLUSH, payload);
    if (payload->len > 4)
        g_byte_array_set_size(payload, payload->len - 4);
    else
        g_byte_array_append(payload, (const guint8 *)"", 1);
    return payload;
}

/* A message from a compressor of its own. */
static inline GByteArray *deflate_once(const void *bytes, size_t length, int level, int window_bits,
                                       int strategy) {
    z_stream stream;
    deflater_init(&stream, level, window_bits, strategy);
    GByteArray *payload = deflater_message(&stream, bytes, length);
    deflateEnd(&stream);
    return payload;
}

/* Symbols of a fixed block, written one by one. All zero is empty. */
struct symbols {
    uint8_t bytes[4096];
    size_t bit;
};

static inline void symbols_bits(struct symbols *out, unsigned value, unsigned count) {
    for (; count > 0; count--, value >>= 1, out->bit++)
        out->bytes[out->bit / 8] |= (uint8_t)((value & 1) << out->bit % 8);
}

/* A Huffman code: most significant bit first. */
static inline void symbols_code(struct symbols *out, unsigned value, unsigned count) {
    while (count > 0)
        symbols_bits(out, value >> --count, 1);
}

static inline void symbols_begin_fixed(struct symbols *out) { symbols_bits(out, 2, 3); }

static inline void symbols_end(struct symbols *out) { symbols_code(out, 0, 7); }

static inline void symbols_literal(struct symbols *out, uint8_t byte) {
    if (byte < 144)
        symbols_code(out, 0x30u + byte, 8);
    else
        symbols_code(out, 0x190u + byte - 144, 9);
}

/* Three bytes from `distance` bytes back, 1 to 32768. */
static inline void symbols_match(struct symbols *out, unsigned distance) {
    unsigned code = 0, extra = 0, base = 1;
    while (distance >= base + (1u << extra)) {
        base += 1u << extra;
        code++;
        extra = code < 2 ? 0 : code / 2 - 1;
    }
    symbols_code(out, 1, 7); /* 257: length 3 */
    symbols_code(out, code, 5);
    symbols_bits(out, distance - base, extra);
}

/* The header of the empty block whose body the sender removes. Returns the payload's length. */
static inline size_t symbols_finish(struct symbols *out) {
    symbols_bits(out, 0, 3);
    return (out->bit + 7) / 8;
}

/*
 * Inflates by zlib alone, from this window, `step` bytes of output at a time; a final block is
 * followed by a new stream. Returns false for bad data, with zlib's text in *reason.
 */
static inline bool plain_inflate(const uint8_t *bytes, size_t length, const uint8_t *window,
                                 size_t window_length, int window_bits, size_t step,
                                 GByteArray *into, const char **reason) {
    size_t size = (size_t)1 << window_bits;
    GByteArray *all = g_byte_array_new();
    g_byte_array_append(all, window, (guint)window_length);
    uint8_t *buffer = g_malloc(step);
    z_stream stream = {0};
    inflateInit2(&stream, -window_bits);
    stream.next_in = bytes;
    stream.avail_in = (uInt)length;
    int code = Z_STREAM_END;
    do {
        if (code == Z_STREAM_END) {
            inflateReset(&stream);
            size_t known = MIN(all->len, size);
            if (known > 0)
                inflateSetDictionary(&stream, all->data + all->len - known, (uInt)known);
        }
        stream.next_out = buffer;
        stream.avail_out = (uInt)step;
        code = inflate(&stream, Z_SYNC_FLUSH);
        g_byte_array_append(all, buffer, (guint)(step - stream.avail_out));
    } while (code != Z_DATA_ERROR &&
             (stream.avail_out == 0 || (code == Z_STREAM_END && stream.avail_in > 0)));
    if (into != NULL)
        g_byte_array_append(into, all->data + window_length, all->len - (guint)window_length);
    *reason = code == Z_DATA_ERROR ? stream.msg : NULL;
    inflateEnd(&stream);
    g_byte_array_free(all, TRUE);
    g_free(buffer);
    return code != Z_DATA_ERROR;
}

/* Text with repetitions at all distances, from words and its own past. */
static inline GByteArray *random_text(GRand *random, size_t length) {
    static const char *const words[] = {
        "{\"price\":", "\"volume\":", "0.00", "BTC-USD",      "true}", ",",     "Hello",
        "\n",          "bid",         "ask",  "\xe2\x82\xac", "00000", "stream"};
    GByteArray *text = g_byte_array_new();
    while (text->len < length) {
        gint32 kind = g_rand_int_range(random, 0, 8);
        if (kind < 4) {
            const char *word = words[g_rand_int_range(random, 0, G_N_ELEMENTS(words))];
            g_byte_array_append(text, (const guint8 *)word, (guint)strlen(word));
        } else if (kind < 6 || text->len < 16) {
            guint8 byte = (guint8)g_rand_int_range(random, 0, 256);
            g_byte_array_append(text, &byte, 1);
        } else {
            guint distance = (guint)g_rand_int_range(random, 1, (gint32)MIN(text->len, 32768) + 1);
            guint run = (guint)g_rand_int_range(random, 3, 40);
            run = MIN(run, distance);
            guint8 copy[40]; /* appending moves what is there */
            memcpy(copy, text->data + text->len - distance, run);
            g_byte_array_append(text, copy, run);
        }
    }
    g_byte_array_set_size(text, (guint)length);
    return text;
}

/* Changes a few bits or bytes, or cuts the end off. */
static inline void mutate(GRand *random, GByteArray *bytes) {
    gint32 changes = g_rand_int_range(random, 1, 4);
    for (; changes > 0 && bytes->len > 0; changes--) {
        guint at = (guint)g_rand_int_range(random, 0, (gint32)bytes->len);
        switch (g_rand_int_range(random, 0, 8)) {
        case 0:
            g_byte_array_set_size(bytes, at);
            break;
        case 1:
            bytes->data[at] = (guint8)g_rand_int_range(random, 0, 256);
            break;
        case 2:
            g_byte_array_remove_index(bytes, at);
            break;
        case 3: /* a final block in front of everything */
            bytes->data[0] |= 1;
            break;
        default:
            bytes->data[at] ^= (guint8)(1 << g_rand_int_range(random, 0, 8));
            break;
        }
    }
}

#endif
