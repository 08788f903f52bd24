/*
 * frame.c - frame headers and unmasking, see frame.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "frame.h"

#include <string.h>

unsigned wsx_frame_header_length(uint8_t second) {
    unsigned form = second & 0x7F;
    return 2u + (form == 126 ? 2u : form == 127 ? 8u : 0u) + (second & 0x80 ? 4u : 0u);
}

unsigned wsx_frame_header_parse(const uint8_t *bytes, size_t length,
                                struct wsx_frame_header *header) {
    if (length < 2)
        return 0;
    unsigned whole = wsx_frame_header_length(bytes[1]);
    if (length < whole)
        return 0;
    memset(header, 0, sizeof *header);
    header->first = bytes[0];
    header->length = (uint8_t)whole;
    header->masked = (bytes[1] & 0x80) != 0;
    header->payload_length = bytes[1] & 0x7F;
    header->length_form = header->payload_length == 126 ? 2 : header->payload_length == 127 ? 8 : 0;
    if (header->length_form) {
        header->payload_length = 0;
        for (unsigned i = 0; i < header->length_form; i++)
            header->payload_length = header->payload_length << 8 | bytes[2 + i];
    }
    if (header->masked)
        memcpy(header->key, bytes + whole - 4, 4);
    return whole;
}

unsigned wsx_frame_header_write(const struct wsx_frame_header *header,
                                uint8_t bytes[WSX_HEADER_MAX]) {
    unsigned at = 2;
    uint8_t form = header->length_form == 8   ? 127
                   : header->length_form == 2 ? 126
                                              : (uint8_t)(header->payload_length & 0x7F);
    bytes[0] = header->first;
    bytes[1] = (uint8_t)((header->masked ? 0x80 : 0) | form);
    for (unsigned i = header->length_form; i > 0; i--)
        bytes[at++] = (uint8_t)(header->payload_length >> (8 * (i - 1)));
    if (header->masked) {
        memcpy(bytes + at, header->key, 4);
        at += 4;
    }
    return at;
}

/* Words unmasked at a time. */
#define UNMASK_BLOCK 8u

void wsx_unmask(uint8_t *out, const uint8_t *in, size_t length, const uint8_t key[4],
                uint64_t phase) {
    uint8_t turned[8];
    for (unsigned i = 0; i < 8; i++)
        turned[i] = key[(phase + i) & 3];
    uint64_t wide;
    memcpy(&wide, turned, 8);
    size_t at = 0;
    /* memcpy: no alignment is known; compilers make loads of it, and vectors of the inner loop */
    for (; at + UNMASK_BLOCK * 8 <= length; at += UNMASK_BLOCK * 8) {
        uint64_t block[UNMASK_BLOCK];
        memcpy(block, in + at, sizeof block);
        for (unsigned i = 0; i < UNMASK_BLOCK; i++)
            block[i] ^= wide;
        memcpy(out + at, block, sizeof block);
    }
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, in + at, 8);
        word ^= wide;
        memcpy(out + at, &word, 8);
    }
    for (; at < length; at++)
        out[at] = (uint8_t)(in[at] ^ turned[at & 7]);
}
