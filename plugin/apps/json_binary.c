/*
 * json_binary.c - values of MessagePack and CBOR (RFC 8949) where they lie; see json_value.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_value.h"

#include <math.h>
#include <string.h>

/* How an item begins. */
struct head {
    enum wsx_type type;
    size_t length;     /* of the head */
    uint64_t argument; /* a number, or how many bytes, elements or pairs follow */
    bool negative;     /* CBOR: -1 - argument; MessagePack: the same */
    bool real;         /* argument holds the bits of a floating-point number of `size` bytes */
    unsigned size;
    bool open; /* CBOR: as many as stand before a break */
    bool tag;  /* CBOR: stands before the item itself */
};

static uint64_t big_endian(const uint8_t *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- MessagePack ---- */

/* size: 1 to 8 bytes. */
static void signed_number(struct head *head, uint64_t bits, unsigned size) {
    uint64_t sign = UINT64_C(1) << ((8 * size - 1) & 63);
    head->type = WSX_NUMBER;
    head->negative = (bits & sign) != 0;
    head->argument = head->negative ? ~bits & (sign - 1) : bits;
}

/* The types that have a byte of their own, from 0xc0 on: what they are, and how many bytes of
 * length or number follow. Extensions: one byte of their type more. */
static const struct {
    uint8_t type, size;
} msgpack_types[32] = {
    {WSX_NULL, 0},   {WSX_ABSENT, 0}, {WSX_BOOLEAN, 0}, {WSX_BOOLEAN, 0}, /* c0 to c3 */
    {WSX_BYTES, 1},  {WSX_BYTES, 2},  {WSX_BYTES, 4},                     /* bin */
    {WSX_BYTES, 1},  {WSX_BYTES, 2},  {WSX_BYTES, 4},                     /* ext, c7 to c9 */
    {WSX_NUMBER, 4}, {WSX_NUMBER, 8},                                     /* float, ca and cb */
    {WSX_NUMBER, 1}, {WSX_NUMBER, 2}, {WSX_NUMBER, 4},  {WSX_NUMBER, 8},  /* unsigned */
    {WSX_NUMBER, 1}, {WSX_NUMBER, 2}, {WSX_NUMBER, 4},  {WSX_NUMBER, 8},  /* signed, d0 to d3 */
    {WSX_BYTES, 0},  {WSX_BYTES, 0},  {WSX_BYTES, 0},   {WSX_BYTES, 0},   /* fixext, d4 to d8 */
    {WSX_BYTES, 0},  {WSX_STRING, 1}, {WSX_STRING, 2},  {WSX_STRING, 4},  /* d9 to db */
    {WSX_ARRAY, 2},  {WSX_ARRAY, 4},  {WSX_OBJECT, 2},  {WSX_OBJECT, 4},  /* dc to df */
};

static bool msgpack_long(const uint8_t *bytes, size_t left, struct head *head) {
    uint8_t first = bytes[0];
    unsigned size = msgpack_types[first - 0xc0].size;
    head->type = (enum wsx_type)msgpack_types[first - 0xc0].type;
    if (head->type == WSX_ABSENT || left < 1 + (size_t)size)
        return false;
    head->length = 1 + size;
    head->argument = big_endian(bytes + 1, size);
    if (first >= 0xc7 && first <= 0xc9)
        head->length++;
    else if (first >= 0xca && first <= 0xcb)
        head->real = true;
    else if (first >= 0xd0 && first <= 0xd3)
        signed_number(head, head->argument, size);
    else if (first >= 0xd4 && first <= 0xd8) {
        head->length++;
        head->argument = UINT64_C(1) << (first - 0xd4);
    }
    head->size = size;
    return left >= head->length;
}

static bool msgpack_head(const uint8_t *bytes, size_t left, struct head *head) {
    uint8_t first = bytes[0];
    head->length = 1;
    if (first >= 0xc0 && first < 0xe0)
        return msgpack_long(bytes, left, head);
    head->type = first < 0x80   ? WSX_NUMBER
                 : first < 0x90 ? WSX_OBJECT
                 : first < 0xa0 ? WSX_ARRAY
                 : first < 0xc0 ? WSX_STRING
                                : WSX_NUMBER;
    head->argument = first < 0x80 ? first : first < 0xa0 ? first & 0x0f : first & 0x1f;
    if (first >= 0xe0)
        signed_number(head, first, 1);
    return true;
}

/* ---- CBOR ---- */

static bool cbor_simple(uint8_t low, struct head *head) {
    head->type = low == 20 || low == 21                                         ? WSX_BOOLEAN
                 : low < 25 || low == 28 || low == 29 || low == 30 || low == 31 ? WSX_NULL
                                                                                : WSX_NUMBER;
    head->real = low >= 25 && low <= 27;
    return low < 28;
}

static bool cbor_head(const uint8_t *bytes, size_t left, struct head *head) {
    static const enum wsx_type types[] = {WSX_NUMBER, WSX_NUMBER, WSX_BYTES,  WSX_STRING,
                                          WSX_ARRAY,  WSX_OBJECT, WSX_ABSENT, WSX_ABSENT};
    unsigned major = bytes[0] >> 5;
    uint8_t low = bytes[0] & 0x1f;
    head->size = low < 24 ? 0 : low < 28 ? 1U << (low - 24) : 0;
    head->length = 1 + head->size;
    if (left < head->length || (low >= 28 && low < 31))
        return false;
    head->argument = head->size ? big_endian(bytes + 1, head->size) : low;
    head->type = types[major];
    head->negative = major == 1;
    head->tag = major == 6;
    head->open = low == 31;
    if (head->open && (major < 2 || major > 5))
        return false;
    return major == 7 ? cbor_simple(low, head) : true;
}

bool wsx_binary_at_break(const uint8_t *bytes, size_t length, size_t at) {
    return at < length && bytes[at] == 0xff;
}

/* ---- both ---- */

static bool read_head(enum wsx_notation notation, const uint8_t *bytes, size_t length, size_t at,
                      struct head *head) {
    memset(head, 0, sizeof *head);
    return at < length && (notation == WSX_MSGPACK ? msgpack_head(bytes + at, length - at, head)
                                                   : cbor_head(bytes + at, length - at, head));
}

static bool fail(size_t *bad, size_t at) {
    *bad = at;
    return false;
}

/* What is inside an array, an object or an open string: *end is where it ends. */
static bool read_inside(const struct wsx_value *value, size_t length, unsigned depth, size_t *end,
                        size_t *bad) {
    unsigned each = value->type == WSX_OBJECT ? 2 : 1;
    uint64_t left = value->count;
    size_t at = value->inner;
    if (depth >= WSX_VALUE_DEPTH_MAX)
        return fail(bad, value->begin);
    for (; left; left -= left != UINT64_MAX) {
        if (left == UINT64_MAX && wsx_binary_at_break(value->bytes, length, at)) {
            at++;
            break;
        }
        for (unsigned i = 0; i < each; i++) {
            struct wsx_value element = {.notation = value->notation, .bytes = value->bytes};
            if (!wsx_binary_value(value->notation, value->bytes, length, at, depth + 1, &element,
                                  bad))
                return false;
            bool chunk = element.type == value->type && element.count == 0;
            if ((value->type == WSX_STRING || value->type == WSX_BYTES) && !chunk)
                return fail(bad, at);
            at = element.end;
        }
    }
    *end = at;
    return true;
}

bool wsx_binary_value(enum wsx_notation notation, const uint8_t *bytes, size_t length, size_t at,
                      unsigned depth, struct wsx_value *value, size_t *bad) {
    struct head head;
    value->begin = at;
    do {
        if (!read_head(notation, bytes, length, at, &head))
            return fail(bad, MIN(at, length));
        at += head.length;
    } while (head.tag);
    bool container = head.type == WSX_ARRAY || head.type == WSX_OBJECT;
    value->type = head.type;
    value->inner = at;
    value->count = head.open ? UINT64_MAX : container ? head.argument : 0;
    value->end = at;
    if (container || head.open)
        return read_inside(value, length, depth, &value->end, bad);
    if (head.type != WSX_STRING && head.type != WSX_BYTES)
        return true;
    if (head.argument > length - at)
        return fail(bad, length);
    value->end = at + (size_t)head.argument;
    return true;
}

static bool head_of(const struct wsx_value *value, size_t at, struct head *head) {
    do {
        if (!read_head(value->notation, value->bytes, value->end, at, head))
            return false;
        at += head->length;
    } while (head->tag);
    return true;
}

/* IEEE 754 binary16, binary32 or binary64. */
static double real_of(uint64_t bits, unsigned size) {
    float single;
    double wide;
    uint32_t low = (uint32_t)bits;
    if (size == 8) {
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
    if (size == 4) {
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    int exponent = (int)(low >> 10 & 0x1f);
    double fraction = low & 0x3ff;
    wide = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
           : exponent == 0 ? ldexp(fraction, -24)
                           : ldexp(fraction + 1024, exponent - 25);
    return low & 0x8000 ? -wide : wide;
}

bool wsx_binary_number(const struct wsx_value *value, uint64_t *number, bool *negative,
                       double *real) {
    struct head head;
    *number = 0;
    *real = 0;
    if (!head_of(value, value->begin, &head))
        return false;
    if (head.real) {
        *real = real_of(head.argument, head.size);
        return false;
    }
    *number = head.argument;
    *negative = head.negative;
    return true;
}

void wsx_binary_string(const struct wsx_value *value, wmem_strbuf_t *text, size_t max) {
    if (value->count != UINT64_MAX) {
        wmem_strbuf_append_len(text, (const char *)value->bytes + value->inner,
                               MIN(value->end - value->inner, max + 1));
        return;
    }
    for (size_t at = value->inner; wmem_strbuf_get_len(text) <= max;) {
        struct head head;
        if (wsx_binary_at_break(value->bytes, value->end, at) ||
            !read_head(value->notation, value->bytes, value->end, at, &head))
            return;
        size_t length = (size_t)head.argument;
        wmem_strbuf_append_len(text, (const char *)value->bytes + at + head.length,
                               MIN(length, max + 1));
        at += head.length + length;
    }
}

/* ---- how much it is ---- */

/* What follows a head inside of it: elements, keys with values, chunks, or what a tag stands
 * before. */
static uint64_t inside(const struct head *head) {
    if (head->open)
        return UINT64_MAX;
    if (head->tag)
        return 1;
    if (head->type == WSX_OBJECT)
        return head->argument > UINT64_MAX / 4 ? UINT64_MAX / 2 : 2 * head->argument;
    return head->type == WSX_ARRAY ? head->argument : 0;
}

bool wsx_binary_fits(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                     size_t values) {
    uint64_t left[WSX_VALUE_DEPTH_MAX];
    unsigned depth = 0;
    struct head head;
    for (size_t at = 0; at < length; values--) {
        while (depth && !left[depth - 1])
            depth--;
        if (!values)
            return false;
        if (notation == WSX_CBOR && wsx_binary_at_break(bytes, length, at)) {
            depth -= depth > 0;
            at++;
            continue;
        }
        if (!read_head(notation, bytes, length, at, &head))
            return length - at <= values;
        at += head.length;
        if (depth && left[depth - 1] != UINT64_MAX)
            left[depth - 1]--;
        uint64_t more = inside(&head);
        if (more && depth == WSX_VALUE_DEPTH_MAX)
            return false;
        if (more)
            left[depth++] = more;
        else if (head.type == WSX_STRING || head.type == WSX_BYTES)
            at += (size_t)MIN(head.argument, length - at);
    }
    return true;
}
