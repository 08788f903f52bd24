/*
 * pdus.c - Export PDUs: the clear messages, each as a packet of its own that names the dissector it
 * is for, so that the written file needs neither keys nor this plugin. File > Export PDUs to File,
 * or `tshark -U WebSocket -w FILE`. Messages that could not be decompressed are left out; one that
 * a packet can't hold is cut, as a snaplen cuts.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/compat.h"
#include "epan/state.h"
#include "taps.h"

#include <epan/exported_pdu.h>
#include <wiretap/wtap.h>

static int pdus_tap = -1;
static dissector_table_t by_protocol, by_port;

/* ---- whose message it is ---- */

static dissector_handle_t handle_of(const struct wsx_session *session) {
    if (!by_protocol) {
        by_protocol = find_dissector_table("ws.protocol");
        by_port = find_dissector_table("ws.port");
    }
    if (!session->subprotocol || !*session->subprotocol)
        return dissector_get_uint_handle(by_port, session->server.port);
    dissector_handle_t handle = dissector_get_string_handle(by_protocol, session->subprotocol);
    if (!handle) {
        char *lower = g_ascii_strdown(session->subprotocol, -1);
        handle = dissector_get_string_handle(by_protocol, lower);
        g_free(lower);
    }
    return handle;
}

static bool looks_like_json(const uint8_t *bytes, size_t length) {
    while (length && g_ascii_isspace(bytes[length - 1]))
        length--;
    while (length && g_ascii_isspace(*bytes)) {
        bytes++;
        length--;
    }
    return length >= 2 && ((bytes[0] == '{' && bytes[length - 1] == '}') ||
                           (bytes[0] == '[' && bytes[length - 1] == ']'));
}

/* The name by which the reader of the file finds the dissector. */
static const char *dissector_of(const struct wsx_item *item, const uint8_t *bytes) {
    const struct wsx_message *message = item->message;
    dissector_handle_t handle = message->incomplete ? NULL : handle_of(item->session);
    const char *name = handle ? dissector_handle_get_dissector_name(handle) : NULL;
    if (name && find_dissector(name))
        return name;
    if (!message->text)
        return "data";
    return !message->incomplete && looks_like_json(bytes, message->have) ? "json"
                                                                         : "data-text-lines";
}

/* ---- the tap ---- */

/* A message that waited for the other side's packet does not go the way of the packet. */
static packet_info turned_for(const struct wsx_item *item, const packet_info *pinfo) {
    packet_info turned = *pinfo;
    bool from_client = item->direction == WSX_CLIENT_TO_SERVER;
    if (wsx_taps_from_client(pinfo, item->session, item) != from_client) {
        turned.src = pinfo->dst;
        turned.dst = pinfo->src;
        turned.net_src = pinfo->net_dst;
        turned.net_dst = pinfo->net_src;
        turned.srcport = pinfo->destport;
        turned.destport = pinfo->srcport;
    }
    return turned;
}

/* What the protocol column shows where the dissector of the bytes sets nothing. */
#define COLUMN_TEXT "WebSocket\0\0" /* 12 bytes with the last NUL */

static int column_size(packet_info *pinfo _U_, void *data _U_) { return 4 + sizeof COLUMN_TEXT; }

static int column_write(packet_info *pinfo, void *data, uint8_t *buffer, uint32_t size _U_) {
    const uint8_t tag[4] = {0, EXP_PDU_TAG_COL_PROT_TEXT, 0, sizeof COLUMN_TEXT};
    memcpy(buffer, tag, sizeof tag);
    memcpy(buffer + sizeof tag, COLUMN_TEXT, sizeof COLUMN_TEXT);
    return column_size(pinfo, data);
}

static exp_pdu_data_t *tags(packet_info *pinfo, const char *dissector) {
    static exp_pdu_data_item_t column = {column_size, column_write, NULL};
    const exp_pdu_data_item_t *items[] = {&exp_pdu_data_src_ip,
                                          &exp_pdu_data_dst_ip,
                                          &exp_pdu_data_port_type,
                                          &exp_pdu_data_src_port,
                                          &exp_pdu_data_dst_port,
                                          &exp_pdu_data_orig_frame_num,
                                          &column,
                                          NULL};
    return export_pdu_create_tags(pinfo, dissector, EXP_PDU_TAG_DISSECTOR_NAME, items);
}

static void queue(const struct wsx_item *item, tvbuff_t *tvb, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    const uint8_t *bytes = wsx_item_message(item, pinfo, message->have);
    uint64_t length = message->length_known ? message->length : message->have;
    packet_info turned = turned_for(item, pinfo);
    exp_pdu_data_t *pdu = tags(&turned, dissector_of(item, bytes));
    /* with a longer packet the writer gives up, and all later messages are lost */
    size_t room = WTAP_MAX_PACKET_SIZE_STANDARD - pdu->tlv_buffer_len;
    pdu->tvb_captured_length = (guint)MIN(message->have, room);
    pdu->tvb_reported_length = (guint)MIN(MAX(length, message->have), INT32_MAX);
    pdu->pdu_tvb = tvb_new_child_real_data(tvb, bytes, pdu->tvb_captured_length,
                                           (int)pdu->tvb_reported_length);
    tap_queue_packet(pdus_tap, pinfo, pdu);
}

void wsx_tap_pdus_queue(tvbuff_t *tvb, packet_info *pinfo, const struct wsx_packet *packet) {
    if (!have_tap_listener(pdus_tap))
        return;
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        if (item->message && !item->message->raw)
            queue(item, tvb, pinfo);
    }
}

void wsx_tap_pdus_register(void) { pdus_tap = register_export_pdu_tap("WebSocket"); }
