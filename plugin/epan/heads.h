/*
 * heads.h - heads of HTTP/1 messages in a packet's data sources: see heads.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_HEADS_H
#define WSX_EPAN_HEADS_H

#include "compat.h"

#include "core/handshake.h"

/* Bytes that may hold heads: a data source of the packet, or what was put together elsewhere. */
struct wsx_source {
    tvbuff_t *tvb; /* NULL: no data source */
    const uint8_t *bytes;
    size_t length;     /* a head that is searched for may begin here */
    size_t whole;      /* captured */
    size_t start;      /* where a message begins, if `begins` */
    bool begins;       /* false: a head may stand anywhere, or what looks like one */
    bool packet;       /* TCP's payload in it is the packet's own */
    bool put_together; /* by answer.c: offsets are those from where the answer is due */
    bool encrypted;
};

/* A way through a packet's data sources. */
struct wsx_sources {
    packet_info *pinfo;
    const uint8_t *payload; /* of the packet's TCP; NULL where it is not known */
    bool encrypted;
    bool joined; /* there was one joined of several segments or records: they come first */
    unsigned phase;
    GSList *next;
};

void wsx_heads_handoff(void);

/* For wsx_sources_next. `payload`: where the packet's TCP payload begins, or NULL. */
void wsx_sources_init(struct wsx_sources *sources, packet_info *pinfo, const uint8_t *payload,
                      bool encrypted);
/* The next one. The content of messages, decoded by HTTP, is left out. False behind the last. */
bool wsx_sources_next(struct wsx_sources *sources, struct wsx_source *source);

/* A way through a source. */
struct wsx_heads {
    size_t at;
    bool begins; /* a message begins there */
    bool trusting;
};

/* trusting: what is found counts although HTTP does not say so. */
struct wsx_heads wsx_heads_begin(const struct wsx_source *source, bool trusting);
/* The next whole head, with its place in the source; wsx_head_clear it. False behind the last. */
bool wsx_heads_next(packet_info *pinfo, const struct wsx_source *source, struct wsx_heads *heads,
                    struct wsx_head *head, size_t *begin, size_t *end);

/* Whether a head may begin within these bytes. */
bool wsx_heads_any(const uint8_t *bytes, size_t length);

#endif
