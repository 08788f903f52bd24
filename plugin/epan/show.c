/*
 * show.c - records to protocol tree, columns and taps' items; see show.h. Everything is decided
 * before: this file only draws, in every pass alike.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "show.h"

#include "fields.h"

/* Characters of a message in the Info column. */
#define WSX_PREVIEW 60
/* Frames drawn of one packet: over gui.max_tree_items Wireshark draws nothing more at all. Records
 * stay complete. */
#define WSX_FRAMES_DRAWN 1000u

static nstime_t to_nstime(int64_t ns) {
    nstime_t time = {.secs = (time_t)(ns / 1000000000), .nsecs = (int)(ns % 1000000000)};
    return time;
}

static void generated(proto_item *item) {
    if (item)
        proto_item_set_generated(item);
}

static void add_packet(proto_tree *tree, int field, tvbuff_t *tvb, uint32_t packet) {
    if (packet)
        generated(proto_tree_add_uint(tree, field, tvb, 0, 0, packet));
}

static void add_time(proto_tree *tree, int field, tvbuff_t *tvb, int64_t ns) {
    nstime_t time = to_nstime(ns);
    generated(proto_tree_add_time(tree, field, tvb, 0, 0, &time));
}

static void add_text(proto_tree *tree, int field, tvbuff_t *tvb, const char *text) {
    if (text)
        generated(proto_tree_add_string(tree, field, tvb, 0, 0, text));
}

void wsx_show_findings(const struct wsx_finding *findings, packet_info *pinfo, proto_tree *tree,
                       proto_item *item) {
    for (const struct wsx_finding *finding = findings; finding; finding = finding->next) {
        const struct wsx_rule_info *info = wsx_rule_info(finding->rule);
        const char *separator = *finding->detail ? ": " : "";
        char *reference =
            *info->reference ? wmem_strdup_printf(pinfo->pool, " (%s)", info->reference) : "";
        proto_item *rule = proto_tree_add_string(tree, hf_rule, NULL, 0, 0, info->id);
        generated(rule);
        expert_add_info_format(pinfo, tree ? rule : item, wsx_expert(finding->rule), "%s%s%s%s",
                               info->text, separator, finding->detail, reference);
    }
}

/* ---- names ---- */

static const char *opcode_name(const struct wsx_record *record) {
    static const char *const names[16] = {"Continuation", "Text", "Binary", NULL,   NULL,   NULL,
                                          NULL,           NULL,   "Close",  "Ping", "Pong", NULL,
                                          NULL,           NULL,   NULL,     NULL};
    const char *name = names[wsx_header_opcode(&record->header)];
    return name ? name : "Reserved opcode";
}

static const char *close_name(unsigned code) {
    static const value_string names[] = {{1000, "Normal Closure"},
                                         {1001, "Going Away"},
                                         {1002, "Protocol error"},
                                         {1003, "Unsupported Data"},
                                         {1005, "No Status Rcvd"},
                                         {1006, "Abnormal Closure"},
                                         {1007, "Invalid frame payload data"},
                                         {1008, "Policy Violation"},
                                         {1009, "Message Too Big"},
                                         {1010, "Mandatory Ext."},
                                         {1011, "Internal Error"},
                                         {1012, "Service Restart"},
                                         {1013, "Try Again Later"},
                                         {1014, "Bad Gateway"},
                                         {1015, "TLS handshake"},
                                         {3000, "Unauthorized"},
                                         {3003, "Forbidden"},
                                         {3008, "Timeout"},
                                         {0, NULL}};
    return val_to_str_const(code, names,
                            code >= 3000 && code < 4000   ? "Registered range"
                            : code >= 4000 && code < 5000 ? "Private use"
                                                          : "Unassigned");
}

/* ---- bytes ---- */

/* The frame's payload, unmasked, in packet memory. */
static const uint8_t *frame_payload(const struct wsx_record *record, tvbuff_t *tvb,
                                    packet_info *pinfo) {
    if (record->payload || !record->have)
        return record->payload ? record->payload : (const uint8_t *)"";
    int at = record->offset + record->header.length;
    const uint8_t *wire = tvb_get_ptr(tvb, at, (int)record->have);
    if (!record->header.masked)
        return wire;
    uint8_t *plain = wmem_alloc(pinfo->pool, record->have);
    wsx_unmask(plain, wire, record->have, record->header.key, 0);
    return plain;
}

/* A tvb over bytes that stay; an own tab in the byte pane when they are not the packet's. */
static tvbuff_t *tab(tvbuff_t *parent, packet_info *pinfo, const uint8_t *bytes, size_t length,
                     const char *name) {
    tvbuff_t *tvb = tvb_new_child_real_data(parent, bytes, (unsigned)length, (int)length);
    add_new_data_source(pinfo, tvb, name);
    return tvb;
}

static const char *escape_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length) {
    wmem_strbuf_t *text = wmem_strbuf_new(pool, NULL);
    size_t at = 0;
    int shown = 0;
    size_t valid = wsx_utf8_valid_prefix(bytes, MIN(length, (size_t)WSX_PREVIEW * 4 + 4));
    for (; at < valid && shown < WSX_PREVIEW; shown++) {
        gunichar c = g_utf8_get_char((const char *)bytes + at);
        if (g_unichar_iscntrl(c))
            wmem_strbuf_append_printf(text,
                                      c == '\n'   ? "\\n"
                                      : c == '\r' ? "\\r"
                                      : c == '\t' ? "\\t"
                                                  : "\\x%02x",
                                      c);
        else
            wmem_strbuf_append_unichar(text, c);
        at += (size_t)g_unichar_to_utf8(c, NULL);
    }
    if (at < length)
        wmem_strbuf_append(text, "\xe2\x80\xa6");
    return wmem_strbuf_get_str(text);
}

/* ---- Info column ---- */

static void info_control(const struct wsx_record *record, const uint8_t *payload,
                         packet_info *pinfo, const char *arrow) {
    if (record->item == WSX_ITEM_CLOSE && record->have >= 2) {
        unsigned code = (unsigned)payload[0] << 8 | payload[1];
        col_append_fstr(pinfo->cinfo, COL_INFO, "%s Close %u %s", arrow, code, close_name(code));
        if (record->have > 2)
            col_append_fstr(pinfo->cinfo, COL_INFO, " \"%s\"",
                            escape_preview(pinfo->pool, payload + 2, record->have - 2));
        return;
    }
    col_append_fstr(pinfo->cinfo, COL_INFO, "%s %s [%zu]", arrow, opcode_name(record),
                    record->have);
}

static void info_frame(const struct wsx_record *record, const struct wsx_item *item,
                       packet_info *pinfo, bool first) {
    const char *arrow = record->direction == WSX_CLIENT_TO_SERVER ? "\xe2\x86\x92" : "\xe2\x86\x90";
    if (!first)
        col_append_str(pinfo->cinfo, COL_INFO, ", ");
    if (record->item == WSX_ITEM_PING || record->item == WSX_ITEM_PONG ||
        record->item == WSX_ITEM_CLOSE) {
        info_control(record, item->bytes, pinfo, arrow);
        return;
    }
    const struct wsx_message *message = record->message;
    if (!message) {
        col_append_fstr(pinfo->cinfo, COL_INFO, "%s %s%s [%" G_GUINT64_FORMAT "]", arrow,
                        opcode_name(record), record->item == WSX_ITEM_FRAGMENT ? " fragment" : "",
                        record->header.payload_length);
        return;
    }
    col_append_fstr(pinfo->cinfo, COL_INFO, "%s %s [%" G_GUINT64_FORMAT "]%s", arrow,
                    message->text ? "Text" : "Binary", message->length,
                    message->incomplete ? " incomplete" : "");
    if (message->text && !message->raw && item->length)
        col_append_fstr(pinfo->cinfo, COL_INFO, " %s",
                        escape_preview(pinfo->pool, item->bytes, item->length));
}

/* ---- one frame ---- */

static void draw_header(proto_tree *tree, tvbuff_t *tvb, int at, const struct wsx_record *record,
                        const struct wsx_session *session) {
    const struct wsx_frame_header *header = &record->header;
    proto_tree_add_item(tree, hf_b_fin, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_b_rsv, tvb, at, 1, ENC_BIG_ENDIAN);
    if (session->core->agreement.deflate)
        proto_tree_add_item(tree, hf_b_pmc, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_rsv1, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_rsv2, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_rsv3, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_b_opcode, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_b_mask, tvb, at + 1, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_b_payload_length, tvb, at + 1, 1, ENC_BIG_ENDIAN);
    if (header->length_form == 2)
        proto_tree_add_item(tree, hf_b_ext16, tvb, at + 2, 2, ENC_BIG_ENDIAN);
    if (header->length_form == 8)
        proto_tree_add_item(tree, hf_b_ext64, tvb, at + 2, 8, ENC_BIG_ENDIAN);
    proto_tree_add_uint64(tree, hf_frame_length, tvb, at + 1, 1 + header->length_form,
                          header->payload_length);
    if (header->masked)
        proto_tree_add_item(tree, hf_b_masking_key, tvb, at + header->length - 4, 4, ENC_NA);
}

static void draw_links(proto_tree *tree, tvbuff_t *tvb, const struct wsx_record *record,
                       const struct wsx_session *session) {
    generated(proto_tree_add_uint(tree, hf_stream, tvb, 0, 0, session->number));
    generated(proto_tree_add_uint(tree, hf_direction, tvb, 0, 0, record->direction));
    add_text(tree, hf_uri, tvb, session->uri);
    add_text(tree, hf_subprotocol, tvb, session->subprotocol);
    add_text(tree, hf_session_extensions, tvb, session->extensions);
    add_packet(tree, hf_request_in, tvb, session->request_packet);
    add_packet(tree, hf_response_in, tvb, session->response_packet);
    if (record->kind != WSX_RECORD_FRAME)
        return;
    generated(proto_tree_add_uint(tree, hf_frame_index, tvb, 0, 0, record->index));
    if (record->begin_packet != record->packet)
        add_packet(tree, hf_frame_begins_in, tvb, record->begin_packet);
    if (record->missing)
        generated(proto_tree_add_uint64(tree, hf_frame_missing, tvb, 0, 0, record->missing));
    if (record->delta >= 0)
        add_time(tree, hf_time_delta, tvb, record->delta);
    if (record->message_index)
        generated(proto_tree_add_uint(tree, hf_message, tvb, 0, 0, record->message_index));
}

static void draw_control(proto_tree *tree, tvbuff_t *payload, const struct wsx_record *record) {
    int have = (int)record->have;
    switch (record->item) {
    case WSX_ITEM_PING:
        proto_tree_add_item(tree, hf_b_ping, payload, 0, have, ENC_NA);
        add_packet(tree, hf_ping_answered_in, payload, record->answered_in);
        break;
    case WSX_ITEM_PONG:
        proto_tree_add_item(tree, hf_b_pong, payload, 0, have, ENC_NA);
        add_packet(tree, hf_pong_answers, payload, record->answers);
        if (record->answers)
            add_time(tree, hf_pong_rtt, payload, record->answer_time);
        break;
    case WSX_ITEM_CLOSE: {
        if (have) {
            proto_item *item = proto_tree_add_item(tree, hf_b_close, payload, 0, have, ENC_NA);
            proto_tree *close = proto_item_add_subtree(item, ett_wsx_payload);
            if (have >= 2) {
                unsigned code = tvb_get_ntohs(payload, 0);
                proto_item_append_text(
                    proto_tree_add_item(close, hf_b_close_code, payload, 0, 2, ENC_BIG_ENDIAN),
                    " (%s)", close_name(code));
            }
            if (have > 2)
                proto_tree_add_item(close, hf_b_close_reason, payload, 2, have - 2, ENC_UTF_8);
        }
        generated(
            proto_tree_add_boolean(tree, hf_close_initiator, payload, 0, 0, record->first_close));
        add_packet(tree, hf_close_answered_in, payload, record->answered_in);
        add_packet(tree, hf_close_answers, payload, record->answers);
        if (record->answers)
            add_time(tree, hf_close_time, payload, record->answer_time);
        break;
    }
    default:
        proto_tree_add_item(tree, hf_b_unknown, payload, 0, have, ENC_NA);
    }
}

static void draw_message(proto_tree *parent, tvbuff_t *tvb, packet_info *pinfo,
                         const struct wsx_record *record) {
    const struct wsx_message *message = record->message;
    int have = (int)tvb_captured_length(tvb);
    proto_tree *tree = proto_tree_add_subtree_format(
        parent, tvb, 0, have, ett_wsx_message, NULL,
        "Message %u: %s, %" G_GUINT64_FORMAT " bytes%s%s", message->index,
        message->text ? "text" : "binary", message->length,
        message->compressed ? ", compressed" : "", message->incomplete ? ", incomplete" : "");
    generated(proto_tree_add_uint(tree, hf_message_type, tvb, 0, 0, message->text ? 1 : 2));
    generated(proto_tree_add_uint64(tree, hf_message_length, tvb, 0, 0, message->length));
    generated(proto_tree_add_uint64(tree, hf_message_wire_length, tvb, 0, 0, message->wire_length));
    generated(proto_tree_add_boolean(tree, hf_message_compressed, tvb, 0, 0, message->compressed));
    if (message->compressed && message->wire_length)
        generated(proto_tree_add_double(tree, hf_message_ratio, tvb, 0, 0,
                                        (double)message->length / (double)message->wire_length));
    generated(proto_tree_add_uint(tree, hf_message_frames, tvb, 0, 0, message->frames));
    add_packet(tree, hf_message_first_in, tvb, message->first_packet);
    add_packet(tree, hf_message_last_in, tvb, record->packet);
    nstime_t spent = to_nstime(0);
    nstime_t begun = to_nstime(message->first_time);
    nstime_delta(&spent, &pinfo->abs_ts, &begun);
    generated(proto_tree_add_time(tree, hf_message_time, tvb, 0, 0, &spent));
    const uint8_t *bytes = have ? tvb_get_ptr(tvb, 0, have) : (const uint8_t *)"";
    bool exact = message->text && message->utf8;
    if (message->text && !message->raw) {
        proto_item *item = proto_tree_add_item(tree, hf_message_text, tvb, 0, have, ENC_UTF_8);
        if (exact && have && memchr(bytes, 0, (size_t)have))
            wsx_item_set_text(item, hf_message_text, bytes, (size_t)have);
    }
    if (!exact || wsx_field_wanted(hf_message_data))
        proto_tree_add_item(tree, hf_message_data, tvb, 0, have, ENC_NA);
}

/* The tvb of a frame that lay in several packets: its header as it was, and its payload as on the
 * wire. */
static tvbuff_t *whole_frame(const struct wsx_record *record, tvbuff_t *tvb, packet_info *pinfo,
                             const char *name) {
    uint8_t header[WSX_HEADER_MAX];
    unsigned length = wsx_frame_header_write(&record->header, header);
    uint8_t *bytes = wmem_alloc(pinfo->pool, length + record->have);
    memcpy(bytes, header, length);
    if (record->have)
        wsx_unmask(bytes + length, record->payload, record->have, record->header.key, 0);
    return tab(tvb, pinfo, bytes, length + record->have, name);
}

static void draw_frame(const struct wsx_chunk *chunk, const struct wsx_record *record,
                       const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                       proto_tree *top) {
    const char *side = record->direction == WSX_CLIENT_TO_SERVER ? "c2s" : "s2c";
    int at = record->offset;
    tvbuff_t *frame = tvb;
    if (at < 0) {
        at = 0;
        frame = whole_frame(record, tvb, pinfo,
                            wmem_strdup_printf(pinfo->pool, "Frame %u %s", record->index, side));
    }
    int length = (int)(record->header.length + record->have);
    proto_item *item_top = proto_tree_add_item(top, wsx_proto, frame, at, length, ENC_NA);
    proto_tree *tree = proto_item_add_subtree(item_top, ett_wsx);
    draw_header(tree, frame, at, record, chunk->session);
    int body = at + record->header.length;
    tvbuff_t *payload =
        record->header.masked && record->have
            ? tab(tvb, pinfo, frame_payload(record, tvb, pinfo), record->have,
                  wmem_strdup_printf(pinfo->pool, "Unmasked %u %s", record->index, side))
            : tvb_new_subset_length(frame, body, (int)record->have);
    if (record->have && record->header.masked)
        proto_tree_add_item(tree, hf_b_masked_payload, frame, body, (int)record->have, ENC_NA);
    proto_tree *payload_tree = tree;
    if (record->have) {
        proto_item *shown =
            proto_tree_add_item(tree, hf_b_payload, payload, 0, (int)record->have, ENC_NA);
        payload_tree = proto_item_add_subtree(shown, ett_wsx_payload);
    }
    draw_links(tree, frame, record, chunk->session);
    wsx_show_findings(record->findings, pinfo, tree, item_top);
    if (record->item == WSX_ITEM_FRAGMENT) {
        if (wsx_header_opcode(&record->header) == WSX_OPCODE_CONTINUATION)
            proto_tree_add_item(payload_tree, hf_b_continue, payload, 0, (int)record->have, ENC_NA);
    } else if (record->item == WSX_ITEM_MESSAGE) {
        tvbuff_t *whole = payload;
        if (record->message->bytes)
            whole = tab(tvb, pinfo, item->bytes, item->length,
                        wmem_strdup_printf(pinfo->pool, "%s %u %s",
                                           record->message->compressed ? "Decompressed" : "Message",
                                           record->message_index, side));
        draw_message(tree, whole, pinfo, record);
        if (record->message->frames > 1)
            generated(proto_tree_add_uint(tree, hf_b_reassembled_length, whole, 0, 0,
                                          (uint32_t)record->message->length));
        if (!record->message->raw)
            wsx_payload_dissect(chunk->session, record->message, whole, pinfo, top, payload_tree);
    } else {
        draw_control(payload_tree, payload, record);
    }
}

static void draw_broken(const struct wsx_chunk *chunk, const struct wsx_record *record,
                        const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *top) {
    proto_tree *tree = proto_tree_add_subtree_format(top, tvb, 0, 0, ett_wsx_part, NULL,
                                                     "WebSocket message that was not finished");
    draw_links(tree, tvb, record, chunk->session);
    tvbuff_t *whole = tab(tvb, pinfo, item->bytes, item->length, "Unfinished message");
    draw_message(tree, whole, pinfo, record);
}

/* ---- a run of bytes ---- */

static void draw_tail(const struct wsx_chunk *chunk, tvbuff_t *tvb, packet_info *pinfo,
                      proto_tree *top) {
    const struct wsx_record *later =
        wsx_state_frame(chunk->session, chunk->direction, chunk->tail_index);
    uint64_t here = MIN(chunk->tail_done, (uint64_t)chunk->length);
    int length = (int)MIN(here, (uint64_t)tvb_captured_length(tvb));
    proto_item *item = proto_tree_add_item(top, hf_frame_part, tvb,
                                           (int)tvb_captured_length(tvb) - length, length, ENC_NA);
    uint64_t first = chunk->tail_done - here + 1;
    if (chunk->tail_whole)
        proto_item_set_text(item,
                            "WebSocket frame %u %s: bytes %" G_GUINT64_FORMAT
                            " to %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT,
                            chunk->tail_index,
                            chunk->direction ? "from the server" : "from the client", first,
                            chunk->tail_done, chunk->tail_whole);
    else
        proto_item_set_text(
            item, "WebSocket frame %u %s: the first %" G_GUINT64_FORMAT " bytes of its header",
            chunk->tail_index, chunk->direction ? "from the server" : "from the client",
            chunk->tail_done);
    proto_tree *tree = proto_item_add_subtree(item, ett_wsx_part);
    generated(proto_tree_add_uint(tree, hf_stream, tvb, 0, 0, chunk->session->number));
    generated(proto_tree_add_uint(tree, hf_direction, tvb, 0, 0, chunk->direction));
    if (later) {
        if (later->begin_packet != pinfo->num)
            add_packet(tree, hf_frame_begins_in, tvb, later->begin_packet);
        add_packet(tree, hf_frame_ends_in, tvb, later->packet);
    }
    if (!chunk->count)
        col_append_fstr(pinfo->cinfo, COL_INFO, "%s [part of frame %u]",
                        chunk->direction ? "\xe2\x86\x90" : "\xe2\x86\x92", chunk->tail_index);
}

static void resolve(const struct wsx_chunk *chunk, const struct wsx_record *record, tvbuff_t *tvb,
                    packet_info *pinfo, struct wsx_item *item) {
    item->session = chunk->session;
    item->record = record;
    item->bytes = (const uint8_t *)"";
    item->length = 0;
    if (record->message && record->message->bytes) {
        item->bytes = record->message->bytes;
        item->length = record->message->have;
    } else if (record->kind == WSX_RECORD_FRAME) {
        item->bytes = frame_payload(record, tvb, pinfo);
        item->length = record->have;
    }
}

void wsx_show_chunk(const struct wsx_chunk *chunk, tvbuff_t *tvb, packet_info *pinfo,
                    proto_tree *tree) {
    struct wsx_packet *packet = wsx_state_packet(pinfo);
    bool fresh = wmem_array_get_count(packet->items) == 0;
    col_set_str(pinfo->cinfo, COL_PROTOCOL, "WebSocket");
    if (fresh)
        col_clear(pinfo->cinfo, COL_INFO);
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct wsx_record *record = chunk->records[i];
        struct wsx_item item;
        resolve(chunk, record, tvb, pinfo, &item);
        wmem_array_append_one(packet->items, item);
        if (i >= WSX_FRAMES_DRAWN) {
            wsx_show_findings(record->findings, pinfo, NULL, NULL);
            continue;
        }
        if (record->kind == WSX_RECORD_FRAME) {
            info_frame(record, &item, pinfo, fresh && i == 0);
            draw_frame(chunk, record, &item, tvb, pinfo, tree);
        } else if (record->kind == WSX_RECORD_BROKEN) {
            draw_broken(chunk, record, &item, tvb, pinfo, tree);
        } else {
            wsx_show_findings(record->findings, pinfo, tree, NULL);
        }
    }
    if (chunk->tail_index)
        draw_tail(chunk, tvb, pinfo, tree);
}

/* ---- handshake ---- */

static proto_tree *http_tree(proto_tree *tree) {
    int http = proto_get_id_by_filter_name("http");
    for (proto_node *node = tree ? tree->first_child : NULL; node; node = node->next)
        if (node->finfo && node->finfo->hfinfo->id == http)
            return (proto_tree *)node;
    return tree;
}

static void draw_response(proto_tree *tree, tvbuff_t *tvb, const struct wsx_session *session) {
    const struct wsx_head *head = &session->response;
    generated(proto_tree_add_uint(tree, hf_handshake_status, tvb, 0, 0, session->status));
    add_text(tree, hf_handshake_accept, tvb, head->accept);
    if (session->request_packet && session->request.key && wsx_head_agrees(head)) {
        char expected[29];
        wsx_accept_for_key(session->request.key, expected);
        add_text(tree, hf_handshake_accept_expected, tvb, expected);
        generated(proto_tree_add_boolean(tree, hf_handshake_accept_ok, tvb, 0, 0,
                                         head->accept && strcmp(head->accept, expected) == 0));
    }
    add_text(tree, hf_handshake_protocol, tvb, head->protocol);
    add_text(tree, hf_handshake_extensions, tvb, head->extensions);
    add_packet(tree, hf_handshake_request_in, tvb, session->request_packet);
    if (session->request_packet)
        add_time(tree, hf_handshake_time, tvb, session->response_time - session->request_time);
}

void wsx_show_handshake(const struct wsx_session *session, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree) {
    bool request = session->request_packet == pinfo->num;
    proto_item *item = proto_tree_add_item(http_tree(tree), hf_handshake, tvb, 0, 0, ENC_NA);
    proto_tree *shown = proto_item_add_subtree(item, ett_wsx_handshake);
    generated(proto_tree_add_uint(shown, hf_stream, tvb, 0, 0, session->number));
    add_text(shown, hf_uri, tvb, session->uri);
    if (request) {
        const struct wsx_head *head = &session->request;
        add_text(shown, hf_handshake_key, tvb, head->key);
        add_text(shown, hf_handshake_version, tvb, head->version);
        add_text(shown, hf_handshake_origin, tvb, head->origin);
        add_text(shown, hf_handshake_protocols_offered, tvb, head->protocol);
        add_text(shown, hf_handshake_extensions_offered, tvb, head->extensions);
        add_packet(shown, hf_handshake_response_in, tvb, session->response_packet);
        wsx_show_findings(session->request_findings, pinfo, shown, item);
    }
    if (session->response_packet == pinfo->num) {
        draw_response(shown, tvb, session);
        wsx_show_findings(session->response_findings, pinfo, shown, item);
    }
}
