/*
 * show.c - items to the protocol tree and the taps; see show.h. Everything is decided before: this
 * file only draws, in every pass alike. The words are info.c's, messages go on to payload.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "show.h"

#include "apps/apps.h"
#include "fields.h"
#include "findings.h"
#include "info.h"

/* Over gui.max_tree_items (a million) Wireshark draws nothing of a packet at all; a frame has about
 * forty items. Records and taps stay complete. */
unsigned wsx_frames_drawn = 5000;

/* What one call is drawn into. */
struct canvas {
    const struct wsx_call *call;
    tvbuff_t *tvb;
    packet_info *pinfo;
    proto_tree *top;
    struct wsx_places places; /* of the frame being drawn */
};

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

/* ---- bytes ---- */

/* A tvb over bytes that stay, with a tab of its own in the byte pane. */
static tvbuff_t *tab(struct canvas *canvas, const uint8_t *bytes, size_t length, const char *what,
                     const struct wsx_item *item, uint32_t number) {
    tvbuff_t *tvb = tvb_new_child_real_data(canvas->tvb, bytes, (unsigned)length, (int)length);
    if (canvas->top)
        add_new_data_source(canvas->pinfo, tvb,
                            wmem_strdup_printf(canvas->pinfo->pool, "%s %u %s", what, number,
                                               wsx_sender(item->direction)));
    return tvb;
}

/* A frame that does not lie in this packet wholly: its header as it was, and its payload as on the
 * wire. */
static tvbuff_t *whole_frame(struct canvas *canvas, const struct wsx_item *item) {
    uint8_t header[WSX_HEADER_MAX];
    unsigned length = wsx_frame_header_write(&item->header, header);
    uint8_t *bytes = wmem_alloc(canvas->pinfo->pool, length + item->have);
    memcpy(bytes, header, length);
    if (item->have)
        wsx_unmask(bytes + length, item->wire, item->have, item->header.key, 0);
    return tab(canvas, bytes, length + item->have, "Frame", item, item->index);
}

/* ---- one frame ---- */

static void draw_header(proto_tree *tree, tvbuff_t *tvb, int at, const struct wsx_item *item,
                        struct wsx_places *places) {
    const struct wsx_frame_header *header = &item->header;
    proto_item **place = places->at;
    place[WSX_AT_FIN] = proto_tree_add_item(tree, hf_b_fin, tvb, at, 1, ENC_BIG_ENDIAN);
    place[WSX_AT_RSV] = proto_tree_add_item(tree, hf_b_rsv, tvb, at, 1, ENC_BIG_ENDIAN);
    if (item->session->deflate)
        proto_tree_add_item(tree, hf_b_pmc, tvb, at, 1, ENC_BIG_ENDIAN);
    place[WSX_AT_RSV1] = proto_tree_add_item(tree, hf_rsv1, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_rsv2, tvb, at, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_rsv3, tvb, at, 1, ENC_BIG_ENDIAN);
    place[WSX_AT_OPCODE] = proto_tree_add_item(tree, hf_b_opcode, tvb, at, 1, ENC_BIG_ENDIAN);
    place[WSX_AT_MASK] = proto_tree_add_item(tree, hf_b_mask, tvb, at + 1, 1, ENC_BIG_ENDIAN);
    proto_tree_add_item(tree, hf_b_payload_length, tvb, at + 1, 1, ENC_BIG_ENDIAN);
    if (header->length_form == 2)
        proto_tree_add_item(tree, hf_b_ext16, tvb, at + 2, 2, ENC_BIG_ENDIAN);
    if (header->length_form == 8)
        proto_tree_add_item(tree, hf_b_ext64, tvb, at + 2, 8, ENC_BIG_ENDIAN);
    place[WSX_AT_LENGTH] = proto_tree_add_uint64(tree, hf_frame_length, tvb, at + 1,
                                                 1 + header->length_form, header->payload_length);
    if (header->masked)
        place[WSX_AT_KEY] =
            proto_tree_add_item(tree, hf_b_masking_key, tvb, at + header->length - 4, 4, ENC_NA);
}

static void draw_connection(proto_tree *tree, tvbuff_t *tvb, const struct wsx_session *session,
                            enum wsx_direction direction) {
    generated(proto_tree_add_uint(tree, hf_stream, tvb, 0, 0, session->number));
    generated(proto_tree_add_uint(tree, hf_direction, tvb, 0, 0, direction));
    add_text(tree, hf_uri, tvb, session->uri);
    add_text(tree, hf_subprotocol, tvb, session->subprotocol);
    add_text(tree, hf_session_extensions, tvb, session->extensions);
    add_packet(tree, hf_request_in, tvb, session->request_packet);
    add_packet(tree, hf_response_in, tvb, session->response_packet);
}

static void draw_links(proto_tree *tree, tvbuff_t *tvb, const struct wsx_item *item) {
    draw_connection(tree, tvb, item->session, item->direction);
    generated(proto_tree_add_uint(tree, hf_frame_index, tvb, 0, 0, item->index));
    if (item->begin_packet != item->packet)
        add_packet(tree, hf_frame_begins_in, tvb, item->begin_packet);
    if (item->missing)
        generated(proto_tree_add_uint64(tree, hf_frame_missing, tvb, 0, 0, item->missing));
    if (item->delta >= 0)
        add_time(tree, hf_time_delta, tvb, item->delta);
    if (item->message_index)
        generated(proto_tree_add_uint(tree, hf_message, tvb, 0, 0, item->message_index));
}

static void draw_close(proto_tree *tree, tvbuff_t *payload, const struct wsx_item *item,
                       struct wsx_places *places) {
    int have = (int)item->have;
    if (have) {
        proto_item *shown = proto_tree_add_item(tree, hf_b_close, payload, 0, have, ENC_NA);
        proto_tree *close = proto_item_add_subtree(shown, ett_wsx_payload);
        if (have >= 2) {
            unsigned code = tvb_get_ntohs(payload, 0);
            /* the built-in's own names end at 1011 */
            places->at[WSX_AT_CLOSE_CODE] = proto_tree_add_uint_format_value(
                close, hf_b_close_code, payload, 0, 2, code, "%s (%u)", wsx_close_name(code), code);
        }
        if (have > 2)
            places->at[WSX_AT_CLOSE_REASON] =
                proto_tree_add_item(close, hf_b_close_reason, payload, 2, have - 2, ENC_UTF_8);
    }
    generated(proto_tree_add_boolean(tree, hf_close_initiator, payload, 0, 0, item->first_close));
    add_packet(tree, hf_close_answered_in, payload, item->answered_in);
    add_packet(tree, hf_close_answers, payload, item->answers);
    if (item->answers)
        add_time(tree, hf_close_time, payload, item->answer_time);
}

static void draw_control(proto_tree *tree, tvbuff_t *payload, const struct wsx_item *item,
                         struct wsx_places *places) {
    int have = (int)item->have;
    switch (item->item) {
    case WSX_ITEM_PING:
        if (have)
            proto_tree_add_item(tree, hf_b_ping, payload, 0, have, ENC_NA);
        add_packet(tree, hf_ping_answered_in, payload, item->answered_in);
        break;
    case WSX_ITEM_PONG:
        if (have)
            proto_tree_add_item(tree, hf_b_pong, payload, 0, have, ENC_NA);
        add_packet(tree, hf_pong_answers, payload, item->answers);
        if (item->answers)
            add_time(tree, hf_pong_rtt, payload, item->answer_time);
        break;
    case WSX_ITEM_CLOSE:
        draw_close(tree, payload, item, places);
        break;
    default:
        if (have)
            proto_tree_add_item(tree, hf_b_unknown, payload, 0, have, ENC_NA);
    }
}

/* ---- messages ---- */

/* Characters of a label, whatever its end is cut to (ITEM_LABEL_LENGTH). */
#define LABEL_CHARACTERS 240u

/* A text with U+0000: the whole as value, U+2400 for each in the label. */
static void set_text_with_nul(proto_item *item, packet_info *pinfo, const uint8_t *bytes,
                              size_t length) {
    if (!wsx_item_set_text(item, hf_message_text, bytes, length))
        return;
    wmem_strbuf_t *shown = wmem_strbuf_new(pinfo->pool, NULL);
    for (size_t at = 0; at < MIN(length, LABEL_CHARACTERS * 4u); at++) {
        if (bytes[at])
            wmem_strbuf_append_c(shown, (char)bytes[at]);
        else
            wmem_strbuf_append(shown, "\xe2\x90\x80");
    }
    proto_item_set_text(item, "Text: %s",
                        wsx_preview(pinfo->pool, (const uint8_t *)wmem_strbuf_get_str(shown),
                                    wmem_strbuf_get_len(shown), LABEL_CHARACTERS));
}

static void draw_message_bytes(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo,
                               const struct wsx_message *message, struct wsx_places *places) {
    int have = (int)tvb_captured_length(tvb);
    const uint8_t *bytes = have ? tvb_get_ptr(tvb, 0, have) : (const uint8_t *)"";
    if (message->text && !message->raw) {
        proto_item *item = wsx_add_text(tree, hf_message_text, tvb);
        if (message->utf8 && have && memchr(bytes, 0, (size_t)have))
            set_text_with_nul(item, pinfo, bytes, (size_t)have);
        places->at[WSX_AT_TEXT] = item;
    }
    if (!(message->text && message->utf8) || wsx_field_wanted(hf_message_data))
        proto_tree_add_item(tree, hf_message_data, tvb, 0, have, ENC_NA);
}

/* Of a message that was never finished, the packet tells when that was seen, which is later than
 * its last frame; when that came is not kept. */
static void draw_message_end(proto_tree *tree, tvbuff_t *tvb, packet_info *pinfo,
                             const struct wsx_item *item) {
    const struct wsx_message *message = item->message;
    if (item->kind == WSX_KIND_BROKEN) {
        if (message->frames == 1)
            add_packet(tree, hf_message_last_in, tvb, message->first_packet);
        else if (item->fragment_count == message->frames)
            add_packet(tree, hf_message_last_in, tvb,
                       item->fragments[item->fragment_count - 1].packet);
        return;
    }
    add_packet(tree, hf_message_last_in, tvb, item->packet);
    nstime_t spent, begun = to_nstime(message->first_time);
    nstime_delta(&spent, &pinfo->abs_ts, &begun);
    generated(proto_tree_add_time(tree, hf_message_time, tvb, 0, 0, &spent));
}

static void draw_message(proto_tree *parent, tvbuff_t *tvb, packet_info *pinfo,
                         const struct wsx_item *item, struct wsx_places *places) {
    const struct wsx_message *message = item->message;
    int have = (int)tvb_captured_length(tvb);
    uint64_t length = message->length_known ? message->length : message->have;
    proto_tree *tree = proto_tree_add_subtree_format(
        parent, tvb, 0, have, ett_wsx_message, NULL, "Message %u: %s, %" PRIu64 " bytes%s%s%s",
        message->index, message->text ? "text" : "binary", length,
        message->compressed ? ", compressed" : "",
        message->guessed ? " (judged by its content: no handshake was captured)" : "",
        message->raw          ? ", not decompressed"
        : message->incomplete ? ", incomplete"
                              : "");
    generated(proto_tree_add_uint(tree, hf_message_type, tvb, 0, 0, message->text ? 1 : 2));
    if (message->length_known)
        generated(proto_tree_add_uint64(tree, hf_message_length, tvb, 0, 0, message->length));
    generated(proto_tree_add_uint64(tree, hf_message_wire_length, tvb, 0, 0, message->wire_length));
    generated(proto_tree_add_boolean(tree, hf_message_compressed, tvb, 0, 0, message->compressed));
    if (message->compressed && message->wire_length && message->length_known) {
        double ratio = (double)message->length / (double)message->wire_length;
        generated(proto_tree_add_double_format_value(tree, hf_message_ratio, tvb, 0, 0, ratio,
                                                     "%.2f", ratio));
    }
    generated(proto_tree_add_uint(tree, hf_message_frames, tvb, 0, 0, message->frames));
    add_packet(tree, hf_message_first_in, tvb, message->first_packet);
    draw_message_end(tree, tvb, pinfo, item);
    draw_message_bytes(tree, tvb, pinfo, message, places);
}

/* The message's tvb: the frame's payload where they are the same bytes. */
static tvbuff_t *message_tvb(struct canvas *canvas, const struct wsx_item *item,
                             tvbuff_t *payload) {
    const struct wsx_message *message = item->message;
    if (payload && (message->frames == 1) && (!message->compressed || message->raw) &&
        message->have == item->have)
        return payload;
    const uint8_t *bytes = wsx_item_message(item, canvas->pinfo, message->have);
    return tab(canvas, bytes, message->have,
               message->compressed && !message->raw ? "Decompressed message" : "Message", item,
               message->index);
}

/* Numbers of fragments in the heading of their list. */
#define FRAGMENTS_IN_HEADING 6u

/* In the words of Wireshark's own reassembly. */
static void name_fragments(proto_item *heading, const struct wsx_item *item) {
    uint32_t named = MIN(item->fragment_count, FRAGMENTS_IN_HEADING);
    proto_item_set_text(heading, "%u Reassembled WebSocket fragments (%" PRIu64 " bytes): ",
                        item->message->frames, item->message->wire_length);
    for (uint32_t i = 0; i < named; i++)
        proto_item_append_text(heading, "%s#%u(%" PRIu64 ")", i ? ", " : "",
                               item->fragments[i].packet, item->fragments[i].length);
    if (named < item->message->frames)
        proto_item_append_text(heading, ", \xe2\x80\xa6");
}

/* at: of its first byte in all fragments. The message's own bytes lie in tvb, unless they were
 * compressed. */
static void draw_fragment(proto_tree *tree, tvbuff_t *tvb, const struct wsx_fragment *fragment,
                          uint64_t at, bool in_message) {
    uint64_t have = tvb_captured_length(tvb);
    uint64_t from = in_message ? MIN(at, have) : 0;
    uint64_t length = in_message ? MIN(fragment->length, have - from) : 0;
    char *bytes = wmem_strdup_printf(
        NULL, ", payload: %" PRIu64 "-%" PRIu64 " (%" PRIu64 " byte%s)", at,
        at + fragment->length - 1, fragment->length, fragment->length == 1 ? "" : "s");
    generated(proto_tree_add_uint_format(tree, hf_b_fragment, tvb, (int)from, (int)length,
                                         fragment->packet, "Frame: %u%s", fragment->packet,
                                         fragment->length ? bytes : " (no payload)"));
    wmem_free(NULL, bytes);
}

static void draw_fragments(proto_tree *tree, tvbuff_t *tvb, const struct wsx_item *item) {
    const struct wsx_message *message = item->message;
    if (message->frames < 2)
        return;
    proto_item *shown =
        proto_tree_add_item(tree, hf_b_fragments, tvb, 0, (int)tvb_captured_length(tvb), ENC_NA);
    proto_tree *fragments = proto_item_add_subtree(shown, ett_wsx_part);
    generated(shown);
    name_fragments(shown, item);
    uint64_t at = 0;
    for (uint32_t i = 0; i < item->fragment_count; i++) {
        draw_fragment(fragments, tvb, &item->fragments[i], at,
                      !message->compressed || message->raw);
        at += item->fragments[i].length;
    }
    if (item->fragment_count < message->frames)
        proto_tree_add_subtree_format(fragments, tvb, 0, 0, ett_wsx_part, NULL,
                                      "%u more fragments, not listed",
                                      message->frames - item->fragment_count);
    generated(proto_tree_add_uint(fragments, hf_b_fragment_count, tvb, 0, 0, message->frames));
    generated(proto_tree_add_uint(fragments, hf_b_reassembled_length, tvb, 0, 0,
                                  (uint32_t)MIN(message->wire_length, UINT32_MAX)));
}

/* ---- frames and the rest ---- */

/* Returns the message that ends here, NULL when none does. */
static tvbuff_t *draw_payload(struct canvas *canvas, const struct wsx_item *item, proto_tree *tree,
                              proto_tree *payload_tree, tvbuff_t *payload) {
    if (item->item == WSX_ITEM_FRAGMENT) {
        if (wsx_header_opcode(&item->header) == WSX_OPCODE_CONTINUATION && item->have)
            proto_tree_add_item(payload_tree, hf_b_continue, payload, 0, (int)item->have, ENC_NA);
        return NULL;
    }
    if (!item->message) {
        draw_control(payload_tree, payload, item, &canvas->places);
        return NULL;
    }
    tvbuff_t *message = message_tvb(canvas, item, payload);
    draw_fragments(tree, message, item);
    draw_message(tree, message, canvas->pinfo, item, &canvas->places);
    return message;
}

static void draw_frame(struct canvas *canvas, const struct wsx_item *item) {
    int at = MAX(item->offset, 0);
    tvbuff_t *frame = item->offset >= 0 ? canvas->tvb : whole_frame(canvas, item);
    int length = (int)(item->header.length + item->have);
    proto_item *top = proto_tree_add_item(canvas->top, wsx_proto, frame, at, length, ENC_NA);
    proto_tree *tree = proto_item_add_subtree(top, ett_wsx);
    canvas->places = (struct wsx_places){.at[WSX_AT_ITEM] = top};
    draw_header(tree, frame, at, item, &canvas->places);
    int body = at + item->header.length;
    tvbuff_t *payload = tvb_new_subset_length(frame, body, (int)item->have);
    if (item->header.masked && item->have)
        payload = tab(canvas, wsx_item_payload(item, canvas->pinfo, item->have), item->have,
                      "Unmasked frame", item, item->index);
    proto_tree *payload_tree = tree;
    if (item->have) {
        if (item->header.masked)
            proto_tree_add_item(tree, hf_b_masked_payload, frame, body, (int)item->have, ENC_NA);
        canvas->places.at[WSX_AT_PAYLOAD] =
            proto_tree_add_item(tree, hf_b_payload, payload, 0, (int)item->have, ENC_NA);
        payload_tree = proto_item_add_subtree(canvas->places.at[WSX_AT_PAYLOAD], ett_wsx_payload);
    }
    draw_links(tree, frame, item);
    tvbuff_t *message = draw_payload(canvas, item, tree, payload_tree, payload);
    wsx_findings_show(item->findings, canvas->pinfo, frame, &canvas->places);
    if (message && !item->message->raw)
        wsx_payload_dissect(item, message, canvas->pinfo, canvas->top, payload_tree);
}

/* What is no frame: a subtree that says so. */
static void draw_other(struct canvas *canvas, const struct wsx_item *item) {
    proto_item *top;
    proto_tree *tree = proto_tree_add_subtree_format(
        canvas->top, canvas->tvb, 0, 0, ett_wsx_part, &top, "WebSocket %s: %s",
        item->kind == WSX_KIND_END ? "connection" : "from the ",
        item->kind == WSX_KIND_END ? wsx_cause_name(item->cause) : "");
    if (item->kind == WSX_KIND_END)
        proto_item_set_text(top, "WebSocket connection ended: %s", wsx_cause_name(item->cause));
    else if (item->kind == WSX_KIND_BROKEN)
        proto_item_set_text(top, "WebSocket message %u from the %s, not finished",
                            item->message_index, wsx_sender(item->direction));
    else if (item->missing)
        proto_item_set_text(top, "WebSocket: %" PRIu64 " bytes from the %s were not captured",
                            item->missing, wsx_sender(item->direction));
    else
        proto_item_set_text(top, "WebSocket: framing of what the %s sends",
                            wsx_sender(item->direction));
    generated(top);
    if (item->kind == WSX_KIND_END)
        generated(proto_tree_add_uint(tree, hf_stream, canvas->tvb, 0, 0, item->session->number));
    else
        draw_connection(tree, canvas->tvb, item->session, item->direction);
    if (item->kind == WSX_KIND_BROKEN)
        generated(proto_tree_add_uint(tree, hf_message, canvas->tvb, 0, 0, item->message_index));
    canvas->places = (struct wsx_places){.at[WSX_AT_ITEM] = top};
    if (item->message) {
        tvbuff_t *message = message_tvb(canvas, item, NULL);
        draw_fragments(tree, message, item);
        draw_message(tree, message, canvas->pinfo, item, &canvas->places);
    }
    wsx_findings_show(item->findings, canvas->pinfo, canvas->tvb, &canvas->places);
    if (item->kind == WSX_KIND_END)
        wsx_app_ended(item, canvas->tvb, canvas->pinfo, tree);
}

/* The bytes of a frame that is not complete. */
static void draw_part(struct canvas *canvas) {
    const struct wsx_call *call = canvas->call;
    tvbuff_t *tvb = canvas->tvb;
    uint64_t here = MIN(call->part_done, call->length);
    int length = call->settled ? 0 : (int)MIN(here, (uint64_t)tvb_captured_length(tvb));
    proto_item *item = proto_tree_add_item(canvas->top, hf_frame_part, tvb,
                                           (int)tvb_captured_length(tvb) - length, length, ENC_NA);
    proto_tree *tree = proto_item_add_subtree(item, ett_wsx_part);
    if (call->part_whole)
        proto_item_set_text(
            item, "WebSocket frame %u from the %s: bytes %" PRIu64 " to %" PRIu64 " of %" PRIu64,
            call->part_index, wsx_sender(call->direction), call->part_done - here + 1,
            call->part_done, call->part_whole);
    else
        proto_item_set_text(
            item, "WebSocket frame %u from the %s: the first %" PRIu64 " bytes of its header",
            call->part_index, wsx_sender(call->direction), call->part_done);
    draw_connection(tree, tvb, call->session, call->direction);
    if (!call->part)
        return;
    if (call->part->begins_in != canvas->pinfo->num)
        add_packet(tree, hf_frame_begins_in, tvb, call->part->begins_in);
    add_packet(tree, hf_frame_ends_in, tvb, call->part->ends_in);
}

static void draw_unread(struct canvas *canvas, const char *why) {
    proto_item *item = proto_tree_add_item(canvas->top, hf_frame_part, canvas->tvb, 0,
                                           (int)tvb_captured_length(canvas->tvb), ENC_NA);
    proto_item_set_text(item, "WebSocket bytes from the %s: %s",
                        wsx_sender(canvas->call->direction), why);
    draw_connection(proto_item_add_subtree(item, ett_wsx_part), canvas->tvb, canvas->call->session,
                    canvas->call->direction);
}

/* ---- a call ---- */

/* What a call gave, behind what earlier calls of the packet gave. The text lives as long as the
 * packet's dissection, and so do the columns that point to it. */
static void info_put(struct wsx_line *line, packet_info *pinfo, struct wsx_packet *packet) {
    if (!line->length)
        return;
    const char *text = wsx_line_end(line, pinfo->pool);
    if (packet->columns) {
        col_append_str(pinfo->cinfo, COL_INFO, ", ");
        col_append_str(pinfo->cinfo, COL_INFO, text);
        return;
    }
    col_set_str(pinfo->cinfo, COL_PROTOCOL, "WebSocket");
    col_set_str(pinfo->cinfo, COL_INFO, text);
    packet->columns = true;
}

/* The Info column: one entry an item; where there is none but the end, what the bytes are. */
static void show_info(const struct wsx_call *call, packet_info *pinfo, struct wsx_packet *packet) {
    unsigned first = wmem_array_get_count(packet->items) - call->count;
    const struct wsx_item *items = call->count ? wmem_array_index(packet->items, first) : NULL;
    struct wsx_line line;
    bool any = false;
    wsx_line_begin(&line);
    for (uint32_t i = 0; i < call->count && !line.full; i++) {
        if (items[i].kind == WSX_KIND_END)
            continue;
        if (any)
            wsx_line_put(&line, ", ");
        any = true;
        wsx_line_put_item(&line, &items[i], pinfo);
    }
    if (!any && (call->part_index || call->searching || call->waiting))
        wsx_line_put_part(&line, call);
    /* before the dissectors of messages, which add their own words */
    info_put(&line, pinfo, packet);
}

/* A message whose dissector keeps state of its own has to see it, tree or no tree. */
static void pass_on(struct canvas *canvas, const struct wsx_item *item) {
    if (item->kind != WSX_KIND_FRAME || !item->message || item->message->raw ||
        !wsx_payload_wanted(item))
        return;
    const uint8_t *bytes = wsx_item_message(item, canvas->pinfo, item->message->have);
    tvbuff_t *tvb = tvb_new_child_real_data(canvas->tvb, bytes, (unsigned)item->message->have,
                                            (int)item->message->have);
    wsx_payload_dissect(item, tvb, canvas->pinfo, NULL, NULL);
}

static void show_item(struct canvas *canvas, const struct wsx_item *item, bool drawn) {
    if (!canvas->top || !drawn) {
        wsx_findings_show(item->findings, canvas->pinfo, canvas->tvb, NULL);
        if (item->kind == WSX_KIND_END)
            wsx_app_ended(item, canvas->tvb, canvas->pinfo, NULL);
        pass_on(canvas, item);
    } else if (item->kind == WSX_KIND_FRAME) {
        draw_frame(canvas, item);
    } else {
        draw_other(canvas, item);
    }
}

void wsx_show_call(const struct wsx_call *call, tvbuff_t *tvb, packet_info *pinfo,
                   proto_tree *tree) {
    struct canvas canvas = {.call = call, .tvb = tvb, .pinfo = pinfo, .top = tree};
    struct wsx_packet *packet = call->packet ? call->packet : wsx_state_packet(pinfo);
    for (uint32_t i = 0; i < call->count; i++) {
        struct wsx_item item;
        wsx_state_item(call, i, tvb, pinfo, &item);
        wmem_array_append_one(packet->items, item);
    }
    if (pinfo->cinfo)
        show_info(call, pinfo, packet);
    unsigned first = wmem_array_get_count(packet->items) - call->count;
    for (uint32_t i = 0; i < call->count; i++)
        show_item(&canvas, wmem_array_index(packet->items, first + i), i < wsx_frames_drawn);
    if (!tree)
        return;
    if (call->count > wsx_frames_drawn)
        proto_tree_add_subtree_format(tree, tvb, 0, 0, ett_wsx_part, NULL,
                                      "WebSocket: %u more frames, not drawn (preference "
                                      "websocket.frames_drawn)",
                                      call->count - wsx_frames_drawn);
    if (call->waiting)
        draw_unread(&canvas, "bytes before them are missing so far, a later packet shows them");
    else if (call->part_index)
        draw_part(&canvas);
    else if (call->searching)
        draw_unread(&canvas, "where a frame begins is not known");
}

/* ---- handshake ---- */

static proto_tree *http_tree(proto_tree *tree) {
    static int http = -1, http2 = -1, http3 = -1;
    if (http == -1) {
        http = proto_get_id_by_filter_name("http");
        http2 = proto_get_id_by_filter_name("http2");
        http3 = proto_get_id_by_filter_name("http3");
    }
    for (proto_node *node = tree ? tree->first_child : NULL; node; node = node->next) {
        int id = node->finfo ? node->finfo->hfinfo->id : -1;
        if (id != -1 && (id == http || id == http2 || id == http3))
            return (proto_tree *)node;
    }
    return tree;
}

/* As sent, but for bytes that are no UTF-8: fields take none. */
static proto_item *add_place(proto_tree *tree, int field, tvbuff_t *tvb, const char *text) {
    char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    proto_item *item = text ? proto_tree_add_string(tree, field, tvb, 0, 0, valid) : NULL;
    g_free(valid);
    generated(item);
    return item;
}

static void draw_response(proto_tree *tree, tvbuff_t *tvb, const struct wsx_session *session,
                          struct wsx_places *places) {
    const struct wsx_head *head = &session->response;
    if (session->status) {
        proto_item *status =
            proto_tree_add_uint(tree, hf_handshake_status, tvb, 0, 0, session->status);
        generated(status);
        places->at[WSX_AT_STATUS] = status;
    }
    places->at[WSX_AT_ACCEPT] = add_place(tree, hf_handshake_accept, tvb, head->accept);
    if (session->request_packet && session->request.key && session->http == WSX_HTTP_1 &&
        wsx_head_agrees(head)) {
        char expected[29];
        wsx_accept_for_key(session->request.key, expected);
        add_text(tree, hf_handshake_accept_expected, tvb, expected);
        generated(proto_tree_add_boolean(tree, hf_handshake_accept_ok, tvb, 0, 0,
                                         head->accept && strcmp(head->accept, expected) == 0));
    }
    add_place(tree, hf_handshake_version, tvb, head->version);
    places->at[WSX_AT_PROTOCOL] = add_place(tree, hf_handshake_protocol, tvb, head->protocol);
    places->at[WSX_AT_EXTENSIONS] = add_place(tree, hf_handshake_extensions, tvb, head->extensions);
    add_packet(tree, hf_handshake_request_in, tvb, session->request_packet);
    if (session->request_packet)
        add_time(tree, hf_handshake_time, tvb,
                 wsx_apart(session->response_time, session->request_time));
}

static void draw_request(proto_tree *tree, tvbuff_t *tvb, const struct wsx_session *session,
                         struct wsx_places *places) {
    const struct wsx_head *head = &session->request;
    places->at[WSX_AT_HANDSHAKE_KEY] = add_place(tree, hf_handshake_key, tvb, head->key);
    places->at[WSX_AT_VERSION] = add_place(tree, hf_handshake_version, tvb, head->version);
    add_place(tree, hf_handshake_origin, tvb, head->origin);
    places->at[WSX_AT_PROTOCOL] =
        add_place(tree, hf_handshake_protocols_offered, tvb, head->protocol);
    places->at[WSX_AT_EXTENSIONS] =
        add_place(tree, hf_handshake_extensions_offered, tvb, head->extensions);
    add_packet(tree, hf_handshake_response_in, tvb, session->response_packet);
}

void wsx_show_handshake(const struct wsx_session *session, tvbuff_t *tvb, packet_info *pinfo,
                        proto_tree *tree) {
    bool request = session->request_packet == pinfo->num;
    bool response = session->response_packet == pinfo->num;
    proto_item *item = proto_tree_add_item(http_tree(tree), hf_handshake, tvb, 0, 0, ENC_NA);
    proto_tree *shown = proto_item_add_subtree(item, ett_wsx_handshake);
    struct wsx_places places = {.at[WSX_AT_ITEM] = item};
    const struct wsx_places *drawn = tree ? &places : NULL;
    if (tree) {
        generated(proto_tree_add_uint(shown, hf_stream, tvb, 0, 0, session->number));
        places.at[WSX_AT_URI] = add_place(shown, hf_uri, tvb, session->uri);
    }
    if (request) {
        if (tree)
            draw_request(shown, tvb, session, &places);
        wsx_findings_show(session->request_findings, pinfo, tvb, drawn);
    }
    if (response) {
        if (tree)
            draw_response(shown, tvb, session, &places);
        wsx_findings_show(session->response_findings, pinfo, tvb, drawn);
    }
}
