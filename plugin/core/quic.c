/*
 * quic.c - see quic.h. Each type's fields are listed in a table; RFC 9000 19, RFC 9221 4.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "quic.h"

#include <string.h>

/*
 * What a frame holds behind its type, field by field: v a number of variable length, i the stream's
 * number, c the error code, d data with its length before it, r data up to the end, 8 so many
 * bytes, n a connection ID and 16 bytes, a the ranges of an ACK (their count lies three numbers
 * before). NULL: not known.
 */
static const char *fields_of(uint64_t type) {
    static const char *const fields[0x20] = {
        [0x00] = "",    [0x01] = "",    [0x02] = "a", [0x03] = "avvv", [0x04] = "icv",
        [0x05] = "vv",  [0x06] = "vd",  [0x07] = "d", [0x10] = "v",    [0x11] = "vv",
        [0x12] = "v",   [0x13] = "v",   [0x14] = "v", [0x15] = "vv",   [0x16] = "v",
        [0x17] = "v",   [0x18] = "vvn", [0x19] = "v", [0x1A] = "8",    [0x1B] = "8",
        [0x1C] = "cvd", [0x1D] = "cd",  [0x1E] = "",  [0x1F] = ""};
    if (type < 0x20)
        return fields[type];
    return type == 0x30 ? "r" : type == 0x31 ? "d" : type == 0xAF ? "vvvv" : NULL;
}

struct reader {
    const uint8_t *bytes;
    size_t length, at;
    bool failed;
};

/* RFC 9000 16 */
static uint64_t number(struct reader *reader) {
    size_t left = reader->length - reader->at;
    if (reader->failed || !left) {
        reader->failed = true;
        return 0;
    }
    unsigned size = 1u << (reader->bytes[reader->at] >> 6);
    if (left < size) {
        reader->failed = true;
        return 0;
    }
    uint64_t value = reader->bytes[reader->at] & 0x3F;
    for (unsigned i = 1; i < size; i++)
        value = value << 8 | reader->bytes[reader->at + i];
    reader->at += size;
    return value;
}

static void skip(struct reader *reader, uint64_t length) {
    if (reader->failed || length > reader->length - reader->at)
        reader->failed = true;
    else
        reader->at += (size_t)length;
}

/* 19.3. The ranges tell of packets below the largest, where a gap in the numbers that were captured
 * tells as much: they are passed over. */
static void read_ranges(struct reader *reader, struct wsx_quic_frame *frame) {
    frame->largest = number(reader);
    number(reader); /* delay */
    uint64_t count = number(reader);
    number(reader); /* the first range */
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        number(reader);
        number(reader);
    }
}

static void skip_connection_id(struct reader *reader) {
    if (reader->failed || reader->at >= reader->length) {
        reader->failed = true;
        return;
    }
    uint8_t length = reader->bytes[reader->at];
    skip(reader, 1);
    skip(reader, (uint64_t)length + 16);
}

static void read_field(struct reader *reader, char field, struct wsx_quic_frame *frame) {
    switch (field) {
    case 'v':
        number(reader);
        break;
    case 'i':
        frame->stream_id = number(reader);
        break;
    case 'c':
        frame->code = number(reader);
        break;
    case 'd':
        skip(reader, number(reader));
        break;
    case 'r':
        reader->at = reader->length;
        break;
    case '8':
        skip(reader, 8);
        break;
    case 'n':
        skip_connection_id(reader);
        break;
    default:
        read_ranges(reader, frame);
    }
}

/* 19.8: the lowest bits of the type say which fields are there. */
static void read_stream(struct reader *reader, uint64_t type, struct wsx_quic_frame *frame) {
    frame->type = WSX_QUIC_STREAM;
    frame->fin = (type & 1) != 0;
    frame->stream_id = number(reader);
    if (type & 4)
        frame->offset = number(reader);
    uint64_t length = type & 2 ? number(reader) : reader->length - reader->at;
    frame->data = reader->at;
    skip(reader, length);
    frame->length = reader->at - frame->data;
}

bool wsx_quic_next(const uint8_t *payload, size_t length, size_t *at,
                   struct wsx_quic_frame *frame) {
    struct reader reader = {.bytes = payload, .length = length, .at = *at};
    memset(frame, 0, sizeof *frame);
    if (*at >= length)
        return false;
    uint64_t type = number(&reader);
    if (type >= 0x08 && type <= 0x0F) {
        read_stream(&reader, type, frame);
    } else {
        const char *fields = reader.failed ? NULL : fields_of(type);
        if (!fields)
            return false;
        for (; *fields; fields++)
            read_field(&reader, *fields, frame);
        if (type == 0x02 || type == 0x03)
            frame->type = WSX_QUIC_ACK;
        else if (type == 0x04)
            frame->type = WSX_QUIC_RESET_STREAM;
        else if (type == 0x1C || type == 0x1D)
            frame->type = WSX_QUIC_CONNECTION_CLOSE;
    }
    if (reader.failed)
        return false;
    *at = reader.at;
    return true;
}
