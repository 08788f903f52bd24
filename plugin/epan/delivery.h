/*
 * delivery.h - how messages become what a dissector sees: one unit each, several units, or one
 * stream of bytes over the messages of a direction. payload.c says to whom.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_DELIVERY_H
#define WSX_EPAN_DELIVERY_H

#include "apps/apps.h"
#include "framing.h"

/* A dissector and how it is served. */
struct wsx_choice {
    dissector_handle_t handle;          /* NULL: none */
    const struct wsx_app_protocol *app; /* NULL: one of Wireshark's */
    const char *about; /* what a dissector of Wireshark's is told, in its words; NULL: nothing */
    enum wsx_mode mode;
    wsx_framer framer; /* WSX_MODE_STREAM: finds its units; NULL: the dissector does */
    bool tree_only;    /* keeps no state: needs no call without a tree */
};

struct wsx_rest;

/* The longest beginning by which a tunnel's protocol is known. */
#define WSX_HEAD_BYTES 16

/* Of one connection. File scope; written in the first pass. */
struct wsx_delivery {
    struct wsx_choice first;  /* the user's table, or the built-in's tables */
    struct wsx_choice second; /* by subprotocol token, or by the first bytes */
    /* second was chosen by the first bytes of this message; 0: for all */
    uint32_t since_packet, since_message;
    enum wsx_direction since_direction;
    unsigned sniffed[2]; /* messages looked at */
    /* the direction's first bytes, while they are too few to tell and nothing else came */
    uint8_t head[2][WSX_HEAD_BYTES];
    unsigned head_length[2];
    /* delivery.c's */
    struct wsx_framing framing;
    struct wsx_rest *rest[2]; /* NULL before the first use, like the next */
    wmem_map_t *replay[2];    /* message number to what was put before it */
};

/* The connection's, made when first asked for. */
struct wsx_delivery *wsx_delivery_of(const struct wsx_session *session, bool *fresh);

/* Hands a message to the choice's dissector. False when it is not of its protocol. An exception
 * is shown and ends here. payload_tree: where links to other messages of a unit are drawn. */
bool wsx_deliver(struct wsx_delivery *delivery, const struct wsx_choice *choice,
                 const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo, proto_tree *top,
                 proto_tree *payload_tree);
bool wsx_deliver_heuristic(heur_dissector_list_t list, const struct wsx_item *item, tvbuff_t *tvb,
                           packet_info *pinfo, proto_tree *top);
/* A message of which a part is missing: what is kept of the direction is not continued. */
void wsx_deliver_gap(struct wsx_delivery *delivery, const struct wsx_item *item,
                     packet_info *pinfo);

/* First pass: a stream was known for what it is by this message; `head` came before it. */
void wsx_deliver_seed(struct wsx_delivery *delivery, const struct wsx_item *item,
                      const uint8_t *head, size_t length);

void wsx_delivery_register(void);

#endif
