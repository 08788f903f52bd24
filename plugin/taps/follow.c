/*
 * follow.c - `-z follow,websocket,MODE,N` and Follow > WebSocket Stream: the messages of connection
 * N in the order of the wire, unmasked and decompressed. Control frames and damaged places stand
 * between them as lines in brackets; raw and yaml, which programs read, have messages alone. Reads
 * items; stores nothing.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "follow.h"

#include "epan/fields.h"
#include "epan/info.h"
#include "epan/transport.h"

#include <epan/addr_resolv.h>

/* Characters shown of a control frame's payload: all of one that is allowed. */
#define CONTROL_SHOWN 125u

int wsx_follow_tap = -1;

/* The connection that was asked for last. */
static unsigned asked;

register_follow_t *wsx_follow_follower(void) {
    return get_follow_by_name(proto_get_protocol_short_name(find_protocol_by_id(wsx_proto)));
}

static const struct wsx_follow_cli *cli_view(const follow_info_t *info) {
    if (!wsx_taps_draw_once() || !info->gui_data)
        return NULL;
    const struct wsx_follow_cli *view = info->gui_data;
    return view->follower == wsx_follow_follower() ? view : NULL;
}

/* Nothing but messages. */
static bool bytes_only(const struct wsx_follow_cli *view) {
    return view && (view->show_type == WSX_FOLLOW_RAW || view->show_type == WSX_FOLLOW_YAML);
}

/* Several connections may share a packet, and a filter by packet does not part them. Where nobody
 * tells which one is wanted, it is that of the first packet that the filter let through. */
static bool is_wanted(const follow_info_t *info, const struct wsx_session *session) {
    const struct wsx_follow_cli *view = cli_view(info);
    if (view && view->stream < 0) /* by addresses, which the end of the file does not filter */
        return !info->client_port || (session->client.port == info->client_port &&
                                      session->server.port == info->server_port &&
                                      addresses_equal(&session->client.address, &info->client_ip) &&
                                      addresses_equal(&session->server.address, &info->server_ip));
    if (view)
        return session->number == (unsigned)view->stream;
    return info->client_port ? info->substream_id == session->number : session->number == asked;
}

/* ---- records ---- */

static void add(follow_info_t *info, const struct wsx_item *item, const packet_info *pinfo,
                const void *bytes, size_t length) {
    follow_record_t *record = g_new0(follow_record_t, 1);
    record->is_server = item->direction == WSX_SERVER_TO_CLIENT;
    record->packet_num = item->packet;
    record->abs_ts = pinfo->abs_ts;
    record->data = g_byte_array_sized_new((guint)length);
    g_byte_array_append(record->data, bytes, (guint)length);
    info->bytes_written[record->is_server] += (unsigned)length;
    info->payload = g_list_prepend(info->payload, record);
}

/* A line that is not the peers': in brackets. A window shows records one behind the other. */
static void add_line(follow_info_t *info, const struct wsx_item *item, const packet_info *pinfo,
                     const char *text) {
    const struct wsx_follow_cli *view = cli_view(info);
    if (bytes_only(view))
        return;
    char *line = g_strdup_printf(view ? "[%s]" : "\n[%s]\n", text);
    add(info, item, pinfo, line, strlen(line));
    g_free(line);
}

static void add_findings(follow_info_t *info, const struct wsx_item *item,
                         const packet_info *pinfo) {
    for (const struct wsx_finding *finding = item->findings; finding; finding = finding->next) {
        char *text = wsx_taps_finding_text(finding);
        add_line(info, item, pinfo, text);
        g_free(text);
    }
}

static void add_message(follow_info_t *info, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    const char *type = message->text ? "Text" : "Binary";
    if (message->raw) {
        add_line(info, item, pinfo,
                 wmem_strdup_printf(pinfo->pool, "%s message %u: not decompressed, %zu bytes", type,
                                    message->index, message->have));
        return;
    }
    if (!message->have && !message->incomplete)
        add_line(info, item, pinfo,
                 wmem_strdup_printf(pinfo->pool, "%s message %u: empty", type, message->index));
    if (message->have || (bytes_only(cli_view(info)) && !message->incomplete))
        add(info, item, pinfo, wsx_item_message(item, pinfo, message->have), message->have);
    if (!message->incomplete)
        return;
    const char *why = item->kind == WSX_KIND_BROKEN ? "was never finished" : "is incomplete";
    add_line(info, item, pinfo,
             message->length_known
                 ? wmem_strdup_printf(pinfo->pool, "%s message %u %s: %zu of %" PRIu64 " bytes",
                                      type, message->index, why, message->have, message->length)
                 : wmem_strdup_printf(pinfo->pool, "%s message %u %s: %zu bytes are known", type,
                                      message->index, why, message->have));
}

static const char *milliseconds(packet_info *pinfo, int64_t ns) {
    return wmem_strdup_printf(pinfo->pool, "%.3f ms", (double)ns / 1e6);
}

static void add_close(follow_info_t *info, const struct wsx_item *item, packet_info *pinfo) {
    const uint8_t *body = wsx_item_payload(item, pinfo, item->have);
    if (item->have < 2) {
        add_line(info, item, pinfo, item->have ? "Close, body of one byte" : "Close");
        return;
    }
    unsigned code = (unsigned)body[0] << 8 | body[1];
    const char *reason = wsx_preview(pinfo->pool, body + 2, item->have - 2, CONTROL_SHOWN);
    add_line(info, item, pinfo,
             wmem_strdup_printf(pinfo->pool, "Close %u %s%s%s%s", code, wsx_close_name(code),
                                *reason ? ": \"" : "", reason, *reason ? "\"" : ""));
}

/* Ping, Pong, and frames that belong to no message. */
static void add_frame(follow_info_t *info, const struct wsx_item *item, packet_info *pinfo) {
    const uint8_t *bytes = wsx_item_payload(item, pinfo, item->have);
    const char *shown = wsx_preview(pinfo->pool, bytes, item->have, CONTROL_SHOWN);
    bool answer = item->item == WSX_ITEM_PONG && item->answers;
    add_line(info, item, pinfo,
             wmem_strdup_printf(pinfo->pool, "%s%s, %" PRIu64 " bytes%s%s%s%s%s",
                                wsx_opcode_name(wsx_header_opcode(&item->header)),
                                item->have < item->header.payload_length ? ", incomplete" : "",
                                item->header.payload_length, *shown ? ": \"" : "", shown,
                                *shown ? "\"" : "", answer ? ", answers the Ping after " : "",
                                answer ? milliseconds(pinfo, item->answer_time) : ""));
}

static void add_item(const struct wsx_item *item, packet_info *pinfo, void *data) {
    follow_info_t *info = data;
    if (!is_wanted(info, item->session))
        return;
    if (item->kind == WSX_KIND_NOTE || item->kind == WSX_KIND_END)
        add_findings(info, item, pinfo);
    else if (item->message)
        add_message(info, item, pinfo);
    else if (item->item == WSX_ITEM_CLOSE)
        add_close(info, item, pinfo);
    else if (item->item != WSX_ITEM_FRAGMENT)
        add_frame(info, item, pinfo);
}

/* ---- the tap ---- */

static void set_ends(follow_info_t *info, const packet_info *pinfo,
                     const struct wsx_session *session, const struct wsx_item *item) {
    bool from_client = wsx_taps_from_client(pinfo, session, item);
    info->client_port = from_client ? pinfo->srcport : pinfo->destport;
    info->server_port = from_client ? pinfo->destport : pinfo->srcport;
    copy_address(&info->client_ip, from_client ? &pinfo->src : &pinfo->dst);
    copy_address(&info->server_ip, from_client ? &pinfo->dst : &pinfo->src);
    if (!cli_view(info))
        info->substream_id = session->number;
    wsx_taps_before_drawing(add_item, NULL, info);
}

/* The packet's connection number i, and its item where it is not there for a handshake. */
static const struct wsx_session *session_at(const struct wsx_packet *packet,
                                            const struct wsx_handshakes *handshakes, unsigned i,
                                            const struct wsx_item **item) {
    unsigned count = handshakes->count;
    *item = NULL;
    if (i < count)
        return handshakes->sessions[i];
    if (i - count >= wmem_array_get_count(packet->items))
        return NULL;
    *item = wmem_array_index(packet->items, i - count);
    return (*item)->session;
}

/* At the first packet: whose it is. */
static void begin(follow_info_t *info, const packet_info *pinfo, const struct wsx_packet *packet) {
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    const struct wsx_session *session;
    const struct wsx_item *item;
    for (unsigned i = 0; (session = session_at(packet, &handshakes, i, &item)) != NULL; i++)
        if (is_wanted(info, session)) {
            set_ends(info, pinfo, session, item);
            return;
        }
    session = session_at(packet, &handshakes, 0, &item);
    if (session && !cli_view(info))
        set_ends(info, pinfo, session, item);
}

tap_packet_status wsx_follow_packet(void *data, packet_info *pinfo, epan_dissect_t *edt,
                                    const void *queued, tap_flags_t flags) {
    if (!wsx_enhanced) /* then the built-in dissector queues, and something else */
        return follow_tvb_tap_listener(data, pinfo, edt, queued, flags);
    follow_info_t *info = data;
    const struct wsx_packet *packet = queued;
    wsx_state_tap_ran();
    if (!info->client_port)
        begin(info, pinfo, packet);
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        add_item(wmem_array_index(packet->items, i), pinfo, data);
    return TAP_PACKET_DONT_REDRAW;
}

/* ---- filters ---- */

char *wsx_follow_filter(unsigned stream, unsigned sub_stream _U_) {
    asked = stream;
    return g_strdup_printf(wsx_enhanced ? "websocket.stream eq %u" : "tcp.stream eq %u", stream);
}

static char *conversation_filter(epan_dissect_t *edt _U_, packet_info *pinfo, unsigned *stream,
                                 unsigned *sub_stream) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    if (!session)
        return NULL;
    *stream = session->number;
    *sub_stream = 0;
    return g_strdup_printf("websocket.stream eq %u", *stream);
}

static char *address_filter(address *source, address *destination, int source_port,
                            int destination_port) {
    const char *version = source->type == AT_IPv6 ? "v6" : "";
    char *from = address_to_str(NULL, source), *to = address_to_str(NULL, destination);
    char *filter = g_strdup_printf("(ip%s.addr eq %s and ip%s.addr eq %s) and (tcp.port eq %d and "
                                   "tcp.port eq %d)",
                                   version, from, version, to, source_port, destination_port);
    wmem_free(NULL, from);
    wmem_free(NULL, to);
    return filter;
}

/* 4.0 does not ask. */
_U_ static uint32_t stream_count(void) { return wsx_state_session_count(); }

void wsx_tap_follow_register(void) {
    wsx_follow_tap = register_tap("websocket_follow");
    WSX_REGISTER_FOLLOW(wsx_proto, "websocket_follow", conversation_filter, wsx_follow_filter,
                        address_filter, tcp_port_to_display, wsx_follow_packet, stream_count);
    if (WSX_FOLLOW_LACKS_UTF8)
        wsx_tap_follow_utf8_register();
}
