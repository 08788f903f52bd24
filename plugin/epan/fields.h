/*
 * fields.h - the protocol's fields, subtrees and expert items: the built-in's, adopted by name, and
 * ours.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_FIELDS_H
#define WSX_EPAN_FIELDS_H

#include "compat.h"
#include "rules.h"

extern int wsx_proto; /* the built-in's "websocket" */

/* Ours: hf_X is websocket.X. */
extern int hf_stream, hf_direction, hf_uri, hf_subprotocol, hf_session_extensions, hf_request_in,
    hf_response_in, hf_frame_index, hf_frame_length, hf_rsv1, hf_rsv2, hf_rsv3, hf_frame_part,
    hf_frame_begins_in, hf_frame_ends_in, hf_frame_missing, hf_message, hf_message_type,
    hf_message_length, hf_message_wire_length, hf_message_compressed, hf_message_ratio,
    hf_message_frames, hf_message_first_in, hf_message_last_in, hf_message_time, hf_message_text,
    hf_message_data, hf_ping_answered_in, hf_pong_answers, hf_pong_rtt, hf_close_answered_in,
    hf_close_answers, hf_close_initiator, hf_close_time, hf_handshake, hf_handshake_key,
    hf_handshake_accept, hf_handshake_accept_expected, hf_handshake_version, hf_handshake_origin,
    hf_handshake_protocols_offered, hf_handshake_protocol, hf_handshake_extensions_offered,
    hf_handshake_extensions, hf_handshake_accept_ok, hf_handshake_status, hf_handshake_request_in,
    hf_handshake_response_in, hf_handshake_time, hf_time_delta, hf_rule, hf_finding_packet;

/* The built-in's. Their types differ between versions: wsx_field_is_bytes tells. */
extern int hf_b_fin, hf_b_rsv, hf_b_pmc, hf_b_opcode, hf_b_mask, hf_b_payload_length, hf_b_ext16,
    hf_b_ext64, hf_b_masking_key, hf_b_payload, hf_b_masked_payload, hf_b_continue, hf_b_text,
    hf_b_close, hf_b_close_code, hf_b_close_reason, hf_b_ping, hf_b_pong, hf_b_unknown,
    hf_b_fragments, hf_b_fragment, hf_b_fragment_count, hf_b_reassembled_length;

extern int ett_wsx, ett_wsx_payload, ett_wsx_message, ett_wsx_connection, ett_wsx_handshake,
    ett_wsx_part, ett_wsx_finding;

/* Registers our fields on the built-in protocol. Before any handoff. */
void wsx_fields_register(void);
/* Looks up the built-in's fields. In the handoff. */
void wsx_fields_adopt(void);

/* Adds the expert item of a rule to an item (NULL where there is none), with a severity (PI_NOTE
 * and so on) that may be below the rule's own. */
void wsx_expert_add(packet_info *pinfo, proto_item *item, enum wsx_rule rule, int severity,
                    const char *text);

/* Adds the text of a whole tvb. Its value ends before a U+0000, where Wireshark's own dissectors of
 * text warn of stray characters behind: in a WebSocket text it is a character like others. */
proto_item *wsx_add_text(proto_tree *tree, int field, tvbuff_t *tvb);

#endif
