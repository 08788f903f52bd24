/*
 * distance.c - the deflate scanner of distance.h (RFC 1951 section 3.2). It decodes every symbol
 * and makes no output: it only counts what the output would be. It must refuse what zlib's inflate
 * refuses (test_inflate.c compares the two), so the limits here are zlib's where RFC 1951 leaves
 * room: incomplete codes only with a single one-bit symbol, at most 286 and 30 symbols.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "distance.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define CODE_BITS_MAX 15u
#define FAST_BITS 9u /* longer codes are rare: they take the canonical way, bit by bit */
#define LITERALS_MAX 286u
#define DISTANCES_MAX 30u
#define LENGTH_CODES 19u
#define END_OF_BLOCK 256
#define NO_SYMBOL (-1) /* bad code, or the data ends inside it */

/* Deflate data as a stream of bits, least significant first. */
struct bits {
    const uint8_t *at, *end;
    uint64_t hold;
    unsigned count; /* valid bits in hold; those above are zero */
};

/* A canonical Huffman code. */
struct code {
    uint16_t fast[1u << FAST_BITS];    /* by the next bits: symbol << 4 | length; 0 = longer, bad */
    uint16_t count[CODE_BITS_MAX + 1]; /* codes of each length */
    uint16_t symbols[LITERALS_MAX];    /* in the order of their codes */
};

struct scan {
    struct bits in;
    uint64_t reach; /* output so far and history before it: no distance may be larger */
    uint32_t window;
    uint32_t worst; /* largest distance over window so far */
    bool fixed;     /* this block's codes are the fixed ones: the two below do not count */
    struct code literals, distances;
};

static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                         6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/* Fills hold up to 56 bits or to the end of the data: enough for one length and its distance. */
static inline void bits_fill(struct bits *in) {
    if (in->end - in->at >= 8) {
        uint64_t word;
        memcpy(&word, in->at, sizeof word);
        unsigned taken = (63 - in->count) / 8; /* at most 7 */
        word = GUINT64_FROM_LE(word) & ((UINT64_C(1) << (8 * taken)) - 1);
        in->hold |= word << in->count;
        in->at += taken;
        in->count += 8 * taken;
        return;
    }
    while (in->count <= 55 && in->at < in->end) {
        in->hold |= (uint64_t)*in->at++ << in->count;
        in->count += 8;
    }
}

/* Drops bits that are known to be there. */
static inline void bits_drop(struct bits *in, unsigned count) {
    in->hold >>= count;
    in->count -= count;
}

/* Takes `count` bits, at most 16; false when the data ends before. */
static inline bool bits_take(struct bits *in, unsigned count, uint32_t *value) {
    if (in->count < count) {
        bits_fill(in);
        if (in->count < count)
            return false;
    }
    *value = (uint32_t)(in->hold & ((UINT64_C(1) << count) - 1));
    bits_drop(in, count);
    return true;
}

static unsigned reverse_bits(unsigned value, unsigned count) {
    unsigned reversed = 0;
    for (; count > 0; count--, value >>= 1)
        reversed = reversed << 1 | (value & 1);
    return reversed;
}

/*
 * Builds the code whose symbol i has lengths[i] bits (0 = unused). False when it is over-subscribed
 * or incomplete; a code without symbols, or with one of one bit, is good unless `strict`.
 */
static bool code_build(struct code *code, const uint8_t *lengths, unsigned symbols, bool strict) {
    memset(code->fast, 0, sizeof code->fast);
    memset(code->count, 0, sizeof code->count);
    for (unsigned i = 0; i < symbols; i++)
        code->count[lengths[i]]++;
    code->count[0] = 0;

    uint16_t index[CODE_BITS_MAX + 2] = {0}; /* of each length: its first place in symbols */
    uint16_t next[CODE_BITS_MAX + 2] = {0};  /* and its next code */
    int left = 1;
    unsigned longest = 0;
    for (unsigned bits = 1; bits <= CODE_BITS_MAX; bits++) {
        left = 2 * left - code->count[bits];
        if (left < 0)
            return false;
        if (code->count[bits] > 0)
            longest = bits;
        index[bits + 1] = (uint16_t)(index[bits] + code->count[bits]);
        next[bits + 1] = (uint16_t)((next[bits] + code->count[bits]) << 1);
    }
    if (left > 0 && (strict || longest > 1))
        return false;

    for (unsigned i = 0; i < symbols; i++) {
        unsigned bits = lengths[i];
        if (bits == 0)
            continue;
        code->symbols[index[bits]++] = (uint16_t)i;
        unsigned value = next[bits]++;
        if (bits > FAST_BITS)
            continue;
        for (unsigned at = reverse_bits(value, bits); at < 1u << FAST_BITS; at += 1u << bits)
            code->fast[at] = (uint16_t)(i << 4 | bits);
    }
    return true;
}

/* The canonical way, for codes over FAST_BITS: compares with the last code of each length. */
static int code_take_long(const struct code *code, struct bits *in) {
    unsigned value = 0, first = 0, index = 0;
    uint64_t hold = in->hold;
    for (unsigned bits = 1; bits <= CODE_BITS_MAX && bits <= in->count; bits++, hold >>= 1) {
        unsigned count = code->count[bits];
        value |= (unsigned)(hold & 1);
        if (value < first + count) {
            bits_drop(in, bits);
            return code->symbols[index + (value - first)];
        }
        index += count;
        first = (first + count) << 1;
        value <<= 1;
    }
    return NO_SYMBOL;
}

/* Takes a symbol; the caller has filled the bits. */
static inline int code_take(const struct code *code, struct bits *in) {
    unsigned entry = code->fast[in->hold & ((1u << FAST_BITS) - 1)];
    unsigned bits = entry & 15;
    if (bits == 0)
        return code_take_long(code, in);
    if (bits > in->count)
        return NO_SYMBOL;
    bits_drop(in, bits);
    return (int)(entry >> 4);
}

/* The fixed literal and length code (RFC 1951 3.2.6), which is regular enough to need no table. */
static int fixed_literal_take(struct bits *in) {
    unsigned value = reverse_bits((unsigned)(in->hold & 0x1FF), 9);
    unsigned bits = 8;
    int symbol;
    if (value < 24 << 2) {
        bits = 7;
        symbol = 256 + (int)(value >> 2);
    } else if (value < 192 << 1) {
        symbol = (int)(value >> 1) - 48;
    } else if (value < 200 << 1) {
        symbol = 280 + (int)(value >> 1) - 192;
    } else {
        bits = 9;
        symbol = 144 + (int)value - 400;
    }
    if (bits > in->count)
        return NO_SYMBOL;
    bits_drop(in, bits);
    return symbol;
}

static int fixed_distance_take(struct bits *in) {
    if (in->count < 5)
        return NO_SYMBOL;
    int symbol = (int)reverse_bits((unsigned)(in->hold & 31), 5);
    bits_drop(in, 5);
    return symbol;
}

/* A length's distance; false when the data ends, is bad, or the distance reaches too far. */
static bool scan_distance(struct scan *scan, uint32_t run) {
    struct bits *in = &scan->in;
    int symbol = scan->fixed ? fixed_distance_take(in) : code_take(&scan->distances, in);
    if (symbol < 0 || symbol >= (int)DISTANCES_MAX)
        return false;
    uint32_t extra;
    if (!bits_take(in, distance_extra[symbol], &extra))
        return false;
    uint32_t distance = distance_base[symbol] + extra;
    if (distance > scan->window)
        scan->worst = MAX(scan->worst, distance);
    if (distance > scan->reach)
        return false;
    scan->reach += run;
    return true;
}

/* The symbols of a compressed block up to its end; false when the scan is over. */
static bool scan_symbols(struct scan *scan) {
    struct bits *in = &scan->in;
    for (;;) {
        if (in->count < 48) /* 15 + 5 bits for a length, 15 + 13 for its distance */
            bits_fill(in);
        int symbol = scan->fixed ? fixed_literal_take(in) : code_take(&scan->literals, in);
        if (symbol < 0)
            return false;
        if (symbol < END_OF_BLOCK) {
            scan->reach++;
            continue;
        }
        if (symbol == END_OF_BLOCK)
            return true;
        if (symbol >= (int)LITERALS_MAX) /* the fixed code has 286 and 287, which nobody may use */
            return false;
        uint32_t extra;
        if (!bits_take(in, length_extra[symbol - 257], &extra) ||
            !scan_distance(scan, length_base[symbol - 257] + extra))
            return false;
    }
}

/* The code lengths of a dynamic block, `total` of them, run-length coded in `code` (3.2.7). */
static bool take_lengths(struct bits *in, const struct code *code, uint8_t *lengths,
                         unsigned total) {
    unsigned have = 0;
    while (have < total) {
        bits_fill(in);
        int symbol = code_take(code, in);
        if (symbol < 0)
            return false;
        if (symbol < 16) {
            lengths[have++] = (uint8_t)symbol;
            continue;
        }
        uint32_t extra;
        uint8_t value = 0;
        if (symbol == 16) {
            if (have == 0)
                return false;
            value = lengths[have - 1];
        }
        if (!bits_take(in, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &extra))
            return false;
        unsigned repeat = extra + (symbol == 18 ? 11 : 3);
        if (repeat > total - have)
            return false;
        memset(lengths + have, value, repeat);
        have += repeat;
    }
    return true;
}

/* Reads the codes of a dynamic block (3.2.7). */
static bool scan_codes(struct scan *scan) {
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                11, 4,  12, 3, 13, 2, 14, 1, 15};
    struct bits *in = &scan->in;
    uint32_t literals, distances, codes;
    if (!bits_take(in, 5, &literals) || !bits_take(in, 5, &distances) || !bits_take(in, 4, &codes))
        return false;
    literals += 257;
    distances += 1;
    codes += 4;
    if (literals > LITERALS_MAX || distances > DISTANCES_MAX)
        return false;

    uint8_t lengths[LITERALS_MAX + DISTANCES_MAX] = {0};
    for (unsigned i = 0; i < codes; i++) {
        uint32_t bits;
        if (!bits_take(in, 3, &bits))
            return false;
        lengths[order[i]] = (uint8_t)bits;
    }
    /* scan->distances serves as the code of the code lengths until its own turn. */
    if (!code_build(&scan->distances, lengths, LENGTH_CODES, true) ||
        !take_lengths(in, &scan->distances, lengths, literals + distances) ||
        lengths[END_OF_BLOCK] == 0)
        return false;
    scan->fixed = false;
    return code_build(&scan->literals, lengths, literals, false) &&
           code_build(&scan->distances, lengths + literals, distances, false);
}

static bool scan_stored(struct scan *scan) {
    struct bits *in = &scan->in;
    uint32_t length, inverted;
    bits_drop(in, in->count % 8);
    if (!bits_take(in, 16, &length) || !bits_take(in, 16, &inverted) ||
        length != (inverted ^ 0xFFFF))
        return false;
    uint32_t held = MIN(length, in->count / 8);
    bits_drop(in, 8 * held);
    if (length - held > (size_t)(in->end - in->at))
        return false;
    in->at += length - held;
    scan->reach += length;
    return true;
}

/* One block; false when the scan is over. */
static bool scan_block(struct scan *scan) {
    uint32_t header;
    if (!bits_take(&scan->in, 3, &header))
        return false;
    bool more = false;
    switch (header >> 1) {
    case 0:
        more = scan_stored(scan);
        break;
    case 1:
        scan->fixed = true;
        more = scan_symbols(scan);
        break;
    case 2:
        more = scan_codes(scan) && scan_symbols(scan);
        break;
    default: /* reserved */
        break;
    }
    if (header & 1)
        bits_drop(&scan->in, scan->in.count % 8);
    return more;
}

uint32_t wsx_distance_over(const uint8_t *bytes, size_t length, size_t history_length,
                           uint32_t window) {
    if (length == 0)
        return 0;
    struct scan scan; /* the codes are built before they are used: no need to clear 3 KiB */
    scan.in = (struct bits){.at = bytes, .end = bytes + length};
    scan.reach = history_length;
    scan.window = window;
    scan.worst = 0;
    while (scan_block(&scan))
        continue;
    return scan.worst;
}
