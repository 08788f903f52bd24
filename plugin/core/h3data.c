/*
 * h3data.c - see h3data.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "h3data.h"

#include <glib.h>
#include <string.h>

/* What waits behind a hole: more than any window in flight that a capture is likely to hold. */
#define QUEUE_BYTES (4u << 20)
#define QUEUE_PIECES 4096u
/* Type and length of a frame: two integers of up to eight bytes (RFC 9114 7.1). */
#define HEADER_MAX 16u
#define TYPE_DATA 0
#define TYPE_HEADERS 1
/* A frame longer than this is not believed where one is looked for. */
#define LENGTH_MAX (UINT64_C(1) << 24)

struct waiting {
    struct waiting *next;
    uint64_t offset;
    size_t length;
    int64_t time;
    uint8_t bytes[];
};

struct wsx_h3_data {
    uint64_t next; /* offset of the next byte wanted */
    uint8_t header[HEADER_MAX];
    unsigned header_have;
    uint64_t left; /* of the frame's payload */
    bool is_data;
    bool searching;   /* frames are to be found again, at the beginning of a piece */
    uint64_t missing; /* bytes of DATA lost since the last ones that were given */
    bool unknown;
    struct waiting *queue; /* by offset */
    size_t queue_bytes;
    unsigned queue_count;
};

struct wsx_h3_data *wsx_h3_data_new(uint64_t first) {
    struct wsx_h3_data *data = g_new0(struct wsx_h3_data, 1);
    data->next = first;
    data->searching = first != 0;
    return data;
}

void wsx_h3_data_free(struct wsx_h3_data *data) {
    while (data && data->queue) {
        struct waiting *first = data->queue;
        data->queue = first->next;
        g_free(first);
    }
    g_free(data);
}

/* RFC 9000 16. 0: more bytes are needed. */
static size_t read_integer(const uint8_t *bytes, size_t length, uint64_t *value) {
    size_t size = length ? (size_t)1 << (bytes[0] >> 6) : 1;
    if (length < size)
        return 0;
    *value = bytes[0] & 0x3F;
    for (size_t i = 1; i < size; i++)
        *value = *value << 8 | bytes[i];
    return size;
}

/* The length of a frame's header; 0 while it is not whole. */
static size_t read_header(const uint8_t *bytes, size_t length, uint64_t *type, uint64_t *payload) {
    size_t first = read_integer(bytes, length, type);
    size_t second = first ? read_integer(bytes + first, length - first, payload) : 0;
    return second ? first + second : 0;
}

/* Frames of the known kinds, the last of which may go on behind the piece. */
static bool begins_frame(const uint8_t *bytes, size_t length) {
    uint64_t type = TYPE_DATA, payload = 0;
    size_t size;
    while (length && (size = read_header(bytes, length, &type, &payload)) != 0) {
        if (type > TYPE_HEADERS || payload > LENGTH_MAX)
            return false;
        if (payload >= length - size)
            return true;
        bytes += size + payload;
        length -= size + (size_t)payload;
    }
    return !length || bytes[0] <= TYPE_HEADERS;
}

static void take_payload(struct wsx_h3_data *data, const uint8_t *bytes, size_t length,
                         wsx_h3_take take, void *context) {
    data->left -= length;
    if (!data->is_data || !length)
        return;
    uint64_t missing = data->missing;
    bool unknown = data->unknown;
    data->missing = 0;
    data->unknown = false;
    take(context, bytes, length, missing, unknown);
}

static void take_bytes(struct wsx_h3_data *data, const uint8_t *bytes, size_t length,
                       wsx_h3_take take, void *context) {
    if (data->searching && length)
        data->searching = !begins_frame(bytes, length);
    data->next += length;
    while (length && !data->searching) {
        size_t size = 1;
        if (data->left) {
            size = data->left < length ? (size_t)data->left : length;
            take_payload(data, bytes, size, take, context);
        } else {
            uint64_t type;
            data->header[data->header_have++] = *bytes;
            if (read_header(data->header, data->header_have, &type, &data->left)) {
                data->is_data = type == TYPE_DATA;
                data->header_have = 0;
            } else {
                data->left = 0;
            }
        }
        bytes += size;
        length -= size;
    }
}

static void drain(struct wsx_h3_data *data, wsx_h3_take take, void *context) {
    while (data->queue && data->queue->offset <= data->next) {
        struct waiting *first = data->queue;
        uint64_t known = data->next - first->offset;
        data->queue = first->next;
        data->queue_bytes -= first->length;
        data->queue_count--;
        if (known < first->length)
            take_bytes(data, first->bytes + known, first->length - (size_t)known, take, context);
        g_free(first);
    }
}

static void enqueue(struct wsx_h3_data *data, uint64_t offset, const uint8_t *bytes, size_t length,
                    int64_t time) {
    struct waiting **at = &data->queue;
    while (*at && (*at)->offset <= offset) {
        if ((*at)->offset == offset && (*at)->length >= length)
            return;
        at = &(*at)->next;
    }
    struct waiting *piece = g_malloc(sizeof *piece + length);
    *piece = (struct waiting){.next = *at, .offset = offset, .length = length, .time = time};
    memcpy(piece->bytes, bytes, length);
    *at = piece;
    data->queue_bytes += length;
    data->queue_count++;
}

/* Goes on behind the first hole. */
static void pass_hole(struct wsx_h3_data *data) {
    uint64_t hole = data->queue->offset - data->next;
    data->next = data->queue->offset;
    if (data->left >= hole) {
        data->left -= hole;
        data->missing += data->is_data ? hole : 0;
        return;
    }
    data->left = 0;
    data->header_have = 0;
    data->missing = 0;
    data->unknown = data->searching = true;
}

void wsx_h3_data_give_up(struct wsx_h3_data *data, wsx_h3_take take, void *context) {
    while (data->queue) {
        if (data->queue->offset > data->next)
            pass_hole(data);
        drain(data, take, context);
    }
}

void wsx_h3_data_push(struct wsx_h3_data *data, uint64_t offset, const uint8_t *bytes,
                      size_t length, int64_t time, wsx_h3_take take, void *context) {
    if (offset > data->next) {
        enqueue(data, offset, bytes, length, time);
        if (data->queue_bytes > QUEUE_BYTES || data->queue_count > QUEUE_PIECES)
            wsx_h3_data_give_up(data, take, context);
        return;
    }
    uint64_t known = data->next - offset;
    if (known >= length)
        return;
    take_bytes(data, bytes + known, length - (size_t)known, take, context);
    drain(data, take, context);
}

unsigned wsx_h3_data_waiting(const struct wsx_h3_data *data, int64_t *since) {
    *since = data->queue ? data->queue->time : 0;
    for (const struct waiting *piece = data->queue; piece; piece = piece->next)
        *since = MIN(*since, piece->time);
    return data->queue_count;
}
