/*
 * framing.c - the units of MQTT (all versions: a type, a length of one to four bytes) of RFB's
 * handshake and client messages (RFC 6143), the greetings of SSH (RFC 4253), and the first head of
 * TNS. See framing.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "framing.h"

#include <string.h>

/* ---- MQTT ---- */

/* Length of the packet at the beginning; 0: not to be told yet, or not valid (*bad). */
static size_t mqtt_packet(const uint8_t *bytes, size_t length, bool *bad) {
    size_t rest = 0;
    for (unsigned i = 1; i < 5 && i < length; i++) {
        rest |= (size_t)(bytes[i] & 0x7F) << (7 * (i - 1));
        if (!(bytes[i] & 0x80))
            return 1 + i + rest;
    }
    *bad = length >= 5;
    return 0;
}

/* All whole packets together. */
static size_t frame_mqtt(struct wsx_framing *framing, enum wsx_direction direction,
                         const uint8_t *bytes, size_t length, size_t *need) {
    size_t at = 0;
    bool bad = false;
    (void)framing;
    (void)direction;
    *need = 0;
    while (at < length) {
        size_t packet = mqtt_packet(bytes + at, length - at, &bad);
        if (bad)
            return at ? at : WSX_UNFRAMED;
        if (!packet || packet > length - at) {
            *need = packet;
            return at;
        }
        at += packet;
    }
    return at;
}

/* ---- RFB ---- */

enum { STEP_VERSION, STEP_SECURITY, STEP_AUTHENTICATION, STEP_RESULT, STEP_INIT, STEP_MESSAGES };
enum { SECURITY_FAILED, SECURITY_NONE, SECURITY_VNC };

static size_t word(const uint8_t *bytes) {
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* A head of `head` bytes whose last `width` count what follows, `each` bytes a piece. */
static size_t counted(const uint8_t *bytes, size_t length, size_t head, unsigned width,
                      size_t each) {
    if (length < head)
        return head;
    size_t count = width == 4   ? word(bytes + head - 4)
                   : width == 2 ? (size_t)bytes[head - 2] << 8 | bytes[head - 1]
                                : bytes[head - 1];
    return head + count * each;
}

static unsigned minor_of(const uint8_t *version) {
    unsigned minor = (unsigned)(version[10] - '0');
    return minor >= 8 && minor <= 9 ? 8 : minor == 7 ? 7 : 3;
}

/* Length of the server's unit as far as it is known, and the step behind it. */
static size_t rfb_server(struct wsx_framing *framing, const uint8_t *bytes, size_t length,
                         unsigned *next) {
    bool old = framing->minor < 7;
    switch (framing->step[WSX_SERVER_TO_CLIENT]) {
    case STEP_VERSION:
        *next = STEP_SECURITY;
        return 12;
    case STEP_SECURITY:
        *next = STEP_AUTHENTICATION;
        if (old && length >= 4)
            framing->security = (unsigned)word(bytes);
        if (old)
            return 4;
        return bytes[0] ? 1 + (size_t)bytes[0] : counted(bytes, length, 5, 4, 1);
    case STEP_AUTHENTICATION:
        *next = STEP_RESULT;
        if (framing->security == SECURITY_VNC)
            return 16;
        if (framing->security != SECURITY_NONE)
            return WSX_UNFRAMED;
        framing->step[WSX_SERVER_TO_CLIENT] = framing->minor < 8 ? STEP_INIT : STEP_RESULT;
        return rfb_server(framing, bytes, length, next);
    case STEP_RESULT:
        *next = STEP_INIT;
        if (length >= 4 && word(bytes) && framing->minor >= 8)
            return counted(bytes, length, 8, 4, 1);
        return 4;
    case STEP_INIT:
        *next = STEP_MESSAGES;
        return counted(bytes, length, 24, 4, 1);
    default:
        return WSX_UNFRAMED;
    }
}

static size_t rfb_client_message(const uint8_t *bytes, size_t length) {
    switch (bytes[0]) {
    case 0: /* SetPixelFormat */
        return 20;
    case 2: /* SetEncodings */
        return counted(bytes, length, 4, 2, 4);
    case 3: /* FramebufferUpdateRequest */
        return 10;
    case 4: /* KeyEvent */
        return 8;
    case 5: /* PointerEvent */
        return 6;
    case 6: /* ClientCutText; a negative length says an extended one */
        return length >= 8 && (bytes[4] & 0x80) ? WSX_UNFRAMED : counted(bytes, length, 8, 4, 1);
    default:
        return WSX_UNFRAMED;
    }
}

static size_t rfb_client(struct wsx_framing *framing, const uint8_t *bytes, size_t length,
                         unsigned *next) {
    switch (framing->step[WSX_CLIENT_TO_SERVER]) {
    case STEP_VERSION:
        *next = STEP_SECURITY;
        if (length >= 12)
            framing->minor = minor_of(bytes);
        return 12;
    case STEP_SECURITY:
        *next = STEP_AUTHENTICATION;
        if (framing->minor >= 7) {
            framing->security = bytes[0];
            return 1;
        }
        framing->step[WSX_CLIENT_TO_SERVER] = STEP_AUTHENTICATION;
        return rfb_client(framing, bytes, length, next);
    case STEP_AUTHENTICATION:
        *next = STEP_INIT;
        if (framing->security == SECURITY_VNC)
            return 16;
        if (framing->security != SECURITY_NONE)
            return WSX_UNFRAMED;
        framing->step[WSX_CLIENT_TO_SERVER] = STEP_INIT;
        return rfb_client(framing, bytes, length, next);
    case STEP_INIT:
        *next = STEP_MESSAGES;
        return 1;
    case STEP_MESSAGES:
        *next = STEP_MESSAGES;
        return rfb_client_message(bytes, length);
    default:
        return WSX_UNFRAMED;
    }
}

/* One unit at a time: Wireshark's dissector takes a call for one. */
static size_t frame_rfb(struct wsx_framing *framing, enum wsx_direction direction,
                        const uint8_t *bytes, size_t length, size_t *need) {
    unsigned next = STEP_MESSAGES;
    *need = 0;
    size_t unit = direction == WSX_CLIENT_TO_SERVER ? rfb_client(framing, bytes, length, &next)
                                                    : rfb_server(framing, bytes, length, &next);
    if (unit == WSX_UNFRAMED) {
        framing->step[direction] = STEP_MESSAGES + 1; /* for good */
        return unit;
    }
    if (unit > length) {
        *need = unit;
        return 0;
    }
    framing->step[direction] = next;
    return unit;
}

/* ---- SSH ---- */

/* RFC 4253 4.2: 255 bytes; a server may send lines before its own. */
#define SSH_LINE_MAX 255u

/* The greeting, a line; what follows counts its own bytes. */
static size_t frame_ssh(struct wsx_framing *framing, enum wsx_direction direction,
                        const uint8_t *bytes, size_t length, size_t *need) {
    *need = 0;
    if (framing->step[direction])
        return WSX_UNFRAMED;
    size_t look = length < SSH_LINE_MAX ? length : SSH_LINE_MAX;
    const uint8_t *end = memchr(bytes, '\n', look);
    if (!end && look < SSH_LINE_MAX)
        return 0;
    if (!end || (length >= 4 && memcmp(bytes, "SSH-", 4) == 0))
        framing->step[direction] = 1;
    return end ? (size_t)(end - bytes) + 1 : WSX_UNFRAMED;
}

/* ---- TNS ---- */

#define TNS_HEAD_BYTES 8u

/* The dissector counts the bytes of its packets, and takes less than a head for nothing of its. */
static size_t frame_tns(struct wsx_framing *framing, enum wsx_direction direction,
                        const uint8_t *bytes, size_t length, size_t *need) {
    (void)framing;
    (void)direction;
    (void)bytes;
    *need = TNS_HEAD_BYTES;
    return length < TNS_HEAD_BYTES ? 0 : WSX_UNFRAMED;
}

wsx_framer wsx_framer_of(const char *protocol) {
    if (protocol && strcmp(protocol, "mqtt") == 0)
        return frame_mqtt;
    if (protocol && strcmp(protocol, "vnc") == 0)
        return frame_rfb;
    if (protocol && strcmp(protocol, "ssh") == 0)
        return frame_ssh;
    if (protocol && strcmp(protocol, "tns") == 0)
        return frame_tns;
    return NULL;
}
