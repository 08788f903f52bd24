/*
 * fields.c - registration of fields, subtrees and expert items; see fields.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fields.h"

int wsx_proto = -1;
int hf_stream = -1;
int hf_direction = -1;
int hf_uri = -1;
int hf_subprotocol = -1;
int hf_session_extensions = -1;
int hf_request_in = -1;
int hf_response_in = -1;
int hf_frame_index = -1;
int hf_frame_length = -1;
int hf_rsv1 = -1;
int hf_rsv2 = -1;
int hf_rsv3 = -1;
int hf_frame_part = -1;
int hf_frame_begins_in = -1;
int hf_frame_ends_in = -1;
int hf_frame_missing = -1;
int hf_message = -1;
int hf_message_type = -1;
int hf_message_length = -1;
int hf_message_wire_length = -1;
int hf_message_compressed = -1;
int hf_message_ratio = -1;
int hf_message_frames = -1;
int hf_message_first_in = -1;
int hf_message_last_in = -1;
int hf_message_time = -1;
int hf_message_text = -1;
int hf_message_data = -1;
int hf_ping_answered_in = -1;
int hf_pong_answers = -1;
int hf_pong_rtt = -1;
int hf_close_answered_in = -1;
int hf_close_answers = -1;
int hf_close_initiator = -1;
int hf_close_time = -1;
int hf_handshake = -1;
int hf_handshake_key = -1;
int hf_handshake_accept = -1;
int hf_handshake_accept_expected = -1;
int hf_handshake_version = -1;
int hf_handshake_origin = -1;
int hf_handshake_protocols_offered = -1;
int hf_handshake_protocol = -1;
int hf_handshake_extensions_offered = -1;
int hf_handshake_extensions = -1;
int hf_handshake_accept_ok = -1;
int hf_handshake_status = -1;
int hf_handshake_request_in = -1;
int hf_handshake_response_in = -1;
int hf_handshake_time = -1;
int hf_time_delta = -1;
int hf_rule = -1;
int hf_finding_packet = -1;
int hf_b_fin = -1;
int hf_b_rsv = -1;
int hf_b_pmc = -1;
int hf_b_opcode = -1;
int hf_b_mask = -1;
int hf_b_payload_length = -1;
int hf_b_ext16 = -1;
int hf_b_ext64 = -1;
int hf_b_masking_key = -1;
int hf_b_payload = -1;
int hf_b_masked_payload = -1;
int hf_b_continue = -1;
int hf_b_text = -1;
int hf_b_close = -1;
int hf_b_close_code = -1;
int hf_b_close_reason = -1;
int hf_b_ping = -1;
int hf_b_pong = -1;
int hf_b_unknown = -1;
int hf_b_fragments = -1;
int hf_b_fragment = -1;
int hf_b_fragment_count = -1;
int hf_b_reassembled_length = -1;

int ett_wsx = -1, ett_wsx_payload = -1, ett_wsx_message = -1, ett_wsx_connection = -1,
    ett_wsx_handshake = -1, ett_wsx_part = -1, ett_wsx_finding = -1;

static const value_string direction_names[] = {
    {0, "client to server"}, {1, "server to client"}, {0, NULL}};
static const value_string type_names[] = {{1, "text"}, {2, "binary"}, {0, NULL}};

static hf_register_info own_fields[] = {
    {&hf_stream,
     {"Stream index", "websocket.stream", FT_UINT32, BASE_DEC, NULL, 0,
      "Number of the WebSocket connection in the file", HFILL}},
    {&hf_direction,
     {"Direction", "websocket.direction", FT_UINT8, BASE_DEC, VALS(direction_names), 0,
      "0 client to server, 1 server to client", HFILL}},
    {&hf_uri,
     {"URI", "websocket.uri", FT_STRING, BASE_NONE, NULL, 0, "URI of the connection", HFILL}},
    {&hf_subprotocol,
     {"Subprotocol", "websocket.subprotocol", FT_STRING, BASE_NONE, NULL, 0,
      "What the server accepted", HFILL}},
    {&hf_session_extensions,
     {"Extensions", "websocket.extensions", FT_STRING, BASE_NONE, NULL, 0,
      "What the server accepted", HFILL}},
    {&hf_request_in,
     {"Opening request in", "websocket.request_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0, "Packet of the opening request", HFILL}},
    {&hf_response_in,
     {"Opening response in", "websocket.response_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0, "Packet of the opening response", HFILL}},
    {&hf_frame_index,
     {"Frame index", "websocket.frame.index", FT_UINT32, BASE_DEC, NULL, 0,
      "Frame number in its stream and direction, from 1", HFILL}},
    {&hf_frame_length,
     {"Payload length", "websocket.frame.length", FT_UINT64, BASE_DEC, NULL, 0,
      "True payload length in bytes, whatever its encoding", HFILL}},
    {&hf_rsv1, {"RSV1", "websocket.rsv1", FT_BOOLEAN, 8, NULL, 0x40, "First reserved bit", HFILL}},
    {&hf_rsv2, {"RSV2", "websocket.rsv2", FT_BOOLEAN, 8, NULL, 0x20, "Second reserved bit", HFILL}},
    {&hf_rsv3, {"RSV3", "websocket.rsv3", FT_BOOLEAN, 8, NULL, 0x10, "Third reserved bit", HFILL}},
    {&hf_frame_part,
     {"WebSocket frame part", "websocket.frame.part", FT_NONE, BASE_NONE, NULL, 0,
      "A packet that holds only part of a frame", HFILL}},
    {&hf_frame_begins_in,
     {"Frame begins in", "websocket.frame.begins_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
      "Packet of the frame's first byte", HFILL}},
    {&hf_frame_ends_in,
     {"Frame ends in", "websocket.frame.ends_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
      "Packet in which the frame became complete", HFILL}},
    {&hf_frame_missing,
     {"Bytes not captured", "websocket.frame.missing", FT_UINT64, BASE_DEC, NULL, 0,
      "Payload bytes that were not captured", HFILL}},
    {&hf_message,
     {"Message", "websocket.message", FT_UINT32, BASE_DEC, NULL, 0,
      "Message number in its stream and direction, from 1", HFILL}},
    {&hf_message_type,
     {"Type", "websocket.message.type", FT_UINT8, BASE_DEC, VALS(type_names), 0, "1 text, 2 binary",
      HFILL}},
    {&hf_message_length,
     {"Length", "websocket.message.length", FT_UINT64, BASE_DEC, NULL, 0,
      "Bytes after decompression", HFILL}},
    {&hf_message_wire_length,
     {"Length on the wire", "websocket.message.wire_length", FT_UINT64, BASE_DEC, NULL, 0,
      "Payload bytes on the wire", HFILL}},
    {&hf_message_compressed,
     {"Compressed", "websocket.message.compressed", FT_BOOLEAN, BASE_NONE, NULL, 0,
      "Sent with permessage-deflate", HFILL}},
    {&hf_message_ratio,
     {"Compression ratio", "websocket.message.ratio", FT_DOUBLE, BASE_NONE, NULL, 0,
      "Length divided by length on the wire", HFILL}},
    {&hf_message_frames,
     {"Frames", "websocket.message.frames", FT_UINT32, BASE_DEC, NULL, 0, "Frames of the message",
      HFILL}},
    {&hf_message_first_in,
     {"First frame in", "websocket.message.first_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
      "Packet of the first frame", HFILL}},
    {&hf_message_last_in,
     {"Last frame in", "websocket.message.last_in", FT_FRAMENUM, BASE_NONE, NULL, 0,
      "Packet of the last frame", HFILL}},
    {&hf_message_time,
     {"Time from first to last frame", "websocket.message.time", FT_RELATIVE_TIME, BASE_NONE, NULL,
      0, "From the first to the last frame", HFILL}},
    {&hf_message_text,
     {"Text", "websocket.message.text", FT_STRING, BASE_NONE, NULL, 0, "The whole text", HFILL}},
    {&hf_message_data,
     {"Data", "websocket.message.data", FT_BYTES, BASE_NONE, NULL, 0,
      "The payload, unmasked and decompressed", HFILL}},
    {&hf_ping_answered_in,
     {"Answered in", "websocket.ping.answered_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0, "Packet of the Pong", HFILL}},
    {&hf_pong_answers,
     {"Answers the Ping in", "websocket.pong.answers", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0, "Packet of the Ping", HFILL}},
    {&hf_pong_rtt,
     {"Round-trip time", "websocket.pong.rtt", FT_RELATIVE_TIME, BASE_NONE, NULL, 0, "Ping to Pong",
      HFILL}},
    {&hf_close_answered_in,
     {"Answered in", "websocket.close.answered_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0, "Packet of the other side's Close", HFILL}},
    {&hf_close_answers,
     {"Answers the Close in", "websocket.close.answers", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0, "Packet of the first Close", HFILL}},
    {&hf_close_initiator,
     {"Begins the closing handshake", "websocket.close.initiator", FT_BOOLEAN, BASE_NONE, NULL, 0,
      "This Close came first", HFILL}},
    {&hf_close_time,
     {"Time since the other Close", "websocket.close.time", FT_RELATIVE_TIME, BASE_NONE, NULL, 0,
      "Close to its answer", HFILL}},
    {&hf_handshake,
     {"WebSocket handshake", "websocket.handshake", FT_NONE, BASE_NONE, NULL, 0,
      "The opening handshake", HFILL}},
    {&hf_handshake_key,
     {"Key", "websocket.handshake.key", FT_STRING, BASE_NONE, NULL, 0, "Sec-WebSocket-Key", HFILL}},
    {&hf_handshake_accept,
     {"Accept", "websocket.handshake.accept", FT_STRING, BASE_NONE, NULL, 0, "Sec-WebSocket-Accept",
      HFILL}},
    {&hf_handshake_accept_expected,
     {"Accept expected", "websocket.handshake.accept_expected", FT_STRING, BASE_NONE, NULL, 0,
      "What the key demands", HFILL}},
    {&hf_handshake_version,
     {"Version", "websocket.handshake.version", FT_STRING, BASE_NONE, NULL, 0,
      "Sec-WebSocket-Version", HFILL}},
    {&hf_handshake_origin,
     {"Origin", "websocket.handshake.origin", FT_STRING, BASE_NONE, NULL, 0, "Origin", HFILL}},
    {&hf_handshake_protocols_offered,
     {"Subprotocols offered", "websocket.handshake.protocols_offered", FT_STRING, BASE_NONE, NULL,
      0, "Sec-WebSocket-Protocol of the request", HFILL}},
    {&hf_handshake_protocol,
     {"Subprotocol chosen", "websocket.handshake.protocol", FT_STRING, BASE_NONE, NULL, 0,
      "Sec-WebSocket-Protocol of the response", HFILL}},
    {&hf_handshake_extensions_offered,
     {"Extensions offered", "websocket.handshake.extensions_offered", FT_STRING, BASE_NONE, NULL, 0,
      "Sec-WebSocket-Extensions of the request", HFILL}},
    {&hf_handshake_extensions,
     {"Extensions accepted", "websocket.handshake.extensions", FT_STRING, BASE_NONE, NULL, 0,
      "Sec-WebSocket-Extensions of the response", HFILL}},
    {&hf_handshake_accept_ok,
     {"Accept is right", "websocket.handshake.accept_ok", FT_BOOLEAN, BASE_NONE, NULL, 0,
      "Accept matches the key", HFILL}},
    {&hf_handshake_status,
     {"Status", "websocket.handshake.status", FT_UINT16, BASE_DEC, NULL, 0,
      "Status of the response", HFILL}},
    {&hf_handshake_request_in,
     {"Request in", "websocket.handshake.request_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0, "Packet of the request", HFILL}},
    {&hf_handshake_response_in,
     {"Response in", "websocket.handshake.response_in", FT_FRAMENUM, BASE_NONE,
      FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0, "Packet of the response", HFILL}},
    {&hf_handshake_time,
     {"Time since the request", "websocket.handshake.time", FT_RELATIVE_TIME, BASE_NONE, NULL, 0,
      "Request to response", HFILL}},
    {&hf_time_delta,
     {"Time since the previous frame", "websocket.time_delta", FT_RELATIVE_TIME, BASE_NONE, NULL, 0,
      "Since the previous frame of the stream, either direction", HFILL}},
    {&hf_rule,
     {"Rule", "websocket.rule", FT_STRING, BASE_NONE, NULL, 0, "Id of a rule that is broken here",
      HFILL}},
    {&hf_finding_packet,
     {"See packet", "websocket.rule.packet", FT_FRAMENUM, BASE_NONE, NULL, 0,
      "Another packet that the finding is about", HFILL}},
};

static const struct {
    int *field;
    const char *name;
} builtin_fields[] = {
    {&hf_b_fin, "websocket.fin"},
    {&hf_b_rsv, "websocket.rsv"},
    {&hf_b_pmc, "websocket.pmc"},
    {&hf_b_opcode, "websocket.opcode"},
    {&hf_b_mask, "websocket.mask"},
    {&hf_b_payload_length, "websocket.payload_length"},
    {&hf_b_ext16, "websocket.payload_length_ext_16"},
    {&hf_b_ext64, "websocket.payload_length_ext_64"},
    {&hf_b_masking_key, "websocket.masking_key"},
    {&hf_b_payload, "websocket.payload"},
    {&hf_b_masked_payload, "websocket.masked_payload"},
    {&hf_b_continue, "websocket.payload.continue"},
    {&hf_b_text, "websocket.payload.text"},
    {&hf_b_close, "websocket.payload.close"},
    {&hf_b_close_code, "websocket.payload.close.status_code"},
    {&hf_b_close_reason, "websocket.payload.close.reason"},
    {&hf_b_ping, "websocket.payload.ping"},
    {&hf_b_pong, "websocket.payload.pong"},
    {&hf_b_unknown, "websocket.payload.unknown"},
    {&hf_b_fragments, "websocket.fragments"},
    {&hf_b_fragment, "websocket.fragment"},
    {&hf_b_fragment_count, "websocket.fragment.count"},
    {&hf_b_reassembled_length, "websocket.reassembled.length"},
};

static expert_field experts[WSX_RULE_COUNT];

/* Wireshark's severity of a row. */
#define SEVERITY_ERROR PI_ERROR
#define SEVERITY_WARNING PI_WARN
#define SEVERITY_NOTE PI_NOTE
#define SEVERITY_CHAT PI_CHAT

static ei_register_info expert_items[] = {
#define WSX_RULE(symbol, field, id, severity, reference, scope, text)                              \
    {&experts[WSX_RULE_##symbol],                                                                  \
     {"websocket.expert." #field, PI_PROTOCOL, SEVERITY_##severity, text, EXPFILL}},
#include "rules.def"
#undef WSX_RULE
};

void wsx_expert_add(packet_info *pinfo, proto_item *item, enum wsx_rule rule, int severity,
                    const char *text) {
    /* An expert item has one severity, a finding may have a lower one: Wireshark reads ours at each
     * call. A user's own choice of severity stands. */
    expert_field_info *info = &expert_items[rule].eiinfo;
    int own = info->severity;
    if (info->severity == info->orig_severity)
        info->severity = severity;
    expert_add_info_format(pinfo, item, &experts[rule], "%s", text);
    info->severity = own;
}

proto_item *wsx_add_text(proto_tree *tree, int field, tvbuff_t *tvb) {
    int length = (int)tvb_captured_length(tvb);
    const uint8_t *bytes = length ? tvb_get_ptr(tvb, 0, length) : NULL;
    const uint8_t *nul = bytes ? memchr(bytes, 0, (size_t)length) : NULL;
    int before = nul ? (int)(nul - bytes) : length;
    proto_item *item = proto_tree_add_item(tree, field, tvb, 0, before, ENC_UTF_8);
    if (nul)
        proto_item_set_len(item, length);
    return item;
}

void wsx_fields_register(void) {
    static int *subtrees[] = {
        &ett_wsx,           &ett_wsx_payload, &ett_wsx_message, &ett_wsx_connection,
        &ett_wsx_handshake, &ett_wsx_part,    &ett_wsx_finding};
    for (size_t i = 0; i < array_length(own_fields); i++) {
        /* a later Wireshark may have the name already */
        int there = proto_registrar_get_id_byname(own_fields[i].hfinfo.abbrev);
        if (there != -1 &&
            proto_registrar_get_nth((unsigned)there)->type == own_fields[i].hfinfo.type)
            *own_fields[i].p_id = there;
        else
            proto_register_field_array(wsx_proto, &own_fields[i], 1);
    }
    proto_register_subtree_array(subtrees, array_length(subtrees));
    for (int i = 0; i < WSX_RULE_COUNT; i++)
        experts[i] = (expert_field)EI_INIT;
    expert_register_field_array(expert_register_protocol(wsx_proto), expert_items,
                                array_length(expert_items));
}

void wsx_fields_adopt(void) {
    for (size_t i = 0; i < array_length(builtin_fields); i++)
        *builtin_fields[i].field = proto_registrar_get_id_byname(builtin_fields[i].name);
}
