/*
 * findings.h - findings to the tree: each under the field where it is seen. Writes no state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_FINDINGS_H
#define WSX_EPAN_FINDINGS_H

#include "state.h"

/* Fields that findings stand under. */
enum wsx_place {
    WSX_AT_ITEM, /* the frame, the handshake or the end as a whole */
    WSX_AT_FIN,
    WSX_AT_RSV,
    WSX_AT_RSV1,
    WSX_AT_OPCODE,
    WSX_AT_MASK,
    WSX_AT_LENGTH,
    WSX_AT_KEY, /* masking key */
    WSX_AT_PAYLOAD,
    WSX_AT_CLOSE_CODE,
    WSX_AT_CLOSE_REASON,
    WSX_AT_TEXT,
    WSX_AT_URI, /* from here on: of a handshake */
    WSX_AT_HANDSHAKE_KEY,
    WSX_AT_ACCEPT,
    WSX_AT_VERSION,
    WSX_AT_PROTOCOL,
    WSX_AT_EXTENSIONS,
    WSX_AT_STATUS,
    WSX_PLACE_COUNT
};

/* The items drawn so far, by place; NULL where there is none: findings then stand under
 * WSX_AT_ITEM. */
struct wsx_places {
    proto_item *at[WSX_PLACE_COUNT];
};

/* Adds the findings to the tree, or, without one, only raises them. `places` NULL: without a tree.
 */
void wsx_findings_show(const struct wsx_finding *findings, packet_info *pinfo, tvbuff_t *tvb,
                       const struct wsx_places *places);

#endif
