/*
 * quic.h - the frames of a decrypted QUIC packet (RFC 9000 19): only as much as is needed to know
 * which bytes belong to which stream, which streams end, and which packets an endpoint had
 * received. Knows no Wireshark type.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_QUIC_H
#define WSX_CORE_QUIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wsx_quic_type {
    WSX_QUIC_OTHER,
    WSX_QUIC_ACK,
    WSX_QUIC_STREAM,
    WSX_QUIC_RESET_STREAM,
    WSX_QUIC_CONNECTION_CLOSE,
};

struct wsx_quic_frame {
    enum wsx_quic_type type;
    uint64_t stream_id; /* STREAM, RESET_STREAM */
    uint64_t code;      /* RESET_STREAM, CONNECTION_CLOSE */
    uint64_t largest;   /* ACK: the largest packet number acknowledged, of the packet's own space */
    uint64_t offset;    /* STREAM: of its first byte in the stream */
    bool fin;           /* STREAM */
    size_t data, length; /* STREAM: where its bytes lie in the packet */
};

/* Reads the frame at *at of the packet's payload and moves *at behind it. False at the end, and
 * where the bytes are no frame that is known: nothing behind can be read then. */
bool wsx_quic_next(const uint8_t *payload, size_t length, size_t *at, struct wsx_quic_frame *frame);

#endif
