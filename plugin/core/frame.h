/*
 * frame.h - one WebSocket frame header from bytes, and unmasking (RFC 6455 5.2, 5.3). Pure
 * functions, no state. Next: stream.h, which cuts a direction's bytes into frames.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_FRAME_H
#define WSX_CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSX_HEADER_MAX 14u   /* 2 + 8 bytes of length + 4 of masking key */
#define WSX_CONTROL_MAX 125u /* RFC 6455 5.5 */

enum wsx_opcode {
    WSX_OPCODE_CONTINUATION = 0,
    WSX_OPCODE_TEXT = 1,
    WSX_OPCODE_BINARY = 2,
    WSX_OPCODE_CLOSE = 8,
    WSX_OPCODE_PING = 9,
    WSX_OPCODE_PONG = 10,
};

struct wsx_frame_header {
    uint64_t payload_length; /* as the header says, 64 bits whatever its form */
    uint8_t first;           /* byte 0 as on the wire: FIN, RSV1 to RSV3, opcode */
    uint8_t length;          /* bytes of the header, 2 to 14 */
    uint8_t length_form;     /* bytes of the extended length: 0, 2 or 8 */
    bool masked;
    uint8_t key[4]; /* zero when not masked */
};

/* Number of bytes that a header with this second byte has. */
unsigned wsx_frame_header_length(uint8_t second);

/*
 * Reads a header. Returns its length, 2 to 14, with *header filled; or 0 when `length` bytes are
 * too few to know it.
 */
unsigned wsx_frame_header_parse(const uint8_t *bytes, size_t length,
                                struct wsx_frame_header *header);

/* Writes the header as it was on the wire; returns its length. For showing a frame that lay in
 * several packets. */
unsigned wsx_frame_header_write(const struct wsx_frame_header *header,
                                uint8_t bytes[WSX_HEADER_MAX]);

/* XORs `length` bytes with the key, the first with key[phase % 4]. out may be in. */
void wsx_unmask(uint8_t *out, const uint8_t *in, size_t length, const uint8_t key[4],
                uint64_t phase);

static inline bool wsx_header_fin(const struct wsx_frame_header *header) {
    return (header->first & 0x80) != 0;
}
static inline unsigned wsx_header_rsv(const struct wsx_frame_header *header) {
    return (header->first >> 4) & 7u; /* 4 is RSV1, 2 RSV2, 1 RSV3 */
}
static inline unsigned wsx_header_opcode(const struct wsx_frame_header *header) {
    return header->first & 0x0Fu;
}
static inline bool wsx_opcode_is_control(unsigned opcode) { return opcode >= 8; }

#endif
