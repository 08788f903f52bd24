/*
 * conversations.c - `-z conv,websocket`, `-z endpoints,websocket`, and the conversation filter: one
 * conversation a WebSocket connection, also where several share HTTP/2. What other protocols count
 * in packets is messages here, with their bytes after decompression; handshakes and control frames
 * only stretch the time. Reads items; keeps the addresses of connections for the end of the file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/fields.h"

#include <epan/conversation_filter.h>
#include <epan/conversation_table.h>

/* Wireshark takes 2 GiB at once; a header may claim 2^63 bytes, of which 2 TiB are counted. */
#define CHUNKS_MAX 1023

/* The two ends of one connection. */
struct ends {
    address client, server;
    uint32_t client_port, server_port;
    nstime_t relative, absolute; /* of its last packet */
};

typedef void (*counter)(conv_hash_t *table, const struct wsx_session *session, struct ends *ends,
                        enum wsx_direction direction, int messages, int bytes);

struct listener {
    conv_hash_t *table;
    counter count;
    GHashTable *known_ends; /* session number to struct ends: what its filter let through */
};

static GHashTable *listeners; /* conv_hash_t * to struct listener *, in tshark */

/* ---- filters of rows ---- */

static const char *conversation_field(conv_item_t *conversation, conv_filter_type_e type) {
    bool v6 = conversation->src_address.type == AT_IPv6;
    switch (type) {
    case CONV_FT_SRC_ADDRESS:
        return v6 ? "ipv6.src" : "ip.src";
    case CONV_FT_DST_ADDRESS:
        return v6 ? "ipv6.dst" : "ip.dst";
    case CONV_FT_ANY_ADDRESS:
        return v6 ? "ipv6.addr" : "ip.addr";
    case CONV_FT_SRC_PORT:
        return "tcp.srcport";
    case CONV_FT_DST_PORT:
        return "tcp.dstport";
    case CONV_FT_ANY_PORT:
        return "tcp.port";
    default:
        return CONV_FILTER_INVALID;
    }
}

static const char *endpoint_field(endpoint_item_t *endpoint, conv_filter_type_e type) {
    conv_item_t conversation = {.src_address = endpoint->myaddress};
    return conversation_field(&conversation, type);
}

/* ---- counting ---- */

static void count_conversation(conv_hash_t *table, const struct wsx_session *session,
                               struct ends *ends, enum wsx_direction direction, int messages,
                               int bytes) {
    static ct_dissector_info_t info = {conversation_field};
    bool from_client = direction == WSX_CLIENT_TO_SERVER;
    add_conversation_table_data_with_conv_id(table, from_client ? &ends->client : &ends->server,
                                             from_client ? &ends->server : &ends->client,
                                             from_client ? ends->client_port : ends->server_port,
                                             from_client ? ends->server_port : ends->client_port,
                                             session->number, messages, bytes, &ends->relative,
                                             &ends->absolute, &info, CONVERSATION_TCP);
}

static void count_endpoints(conv_hash_t *table, const struct wsx_session *session _U_,
                            struct ends *ends, enum wsx_direction direction, int messages,
                            int bytes) {
    static et_dissector_info_t info = {endpoint_field};
    bool from_client = direction == WSX_CLIENT_TO_SERVER;
    add_endpoint_table_data(table, &ends->client, ends->client_port, from_client, messages, bytes,
                            &info, ENDPOINT_TCP);
    add_endpoint_table_data(table, &ends->server, ends->server_port, !from_client, messages, bytes,
                            &info, ENDPOINT_TCP);
}

static void count_item(conv_hash_t *table, counter count, struct ends *ends,
                       const struct wsx_item *item) {
    uint64_t length = item->message ? wsx_taps_message_length(item->message) : 0;
    for (int i = 0; i < CHUNKS_MAX && length > G_MAXINT; i++, length -= G_MAXINT)
        count(table, item->session, ends, item->direction, 0, G_MAXINT);
    count(table, item->session, ends, item->direction, item->message ? 1 : 0,
          (int)MIN(length, (uint64_t)G_MAXINT));
}

/* ---- the ends of a connection ---- */

static void ends_free(void *data) {
    struct ends *ends = data;
    free_address(&ends->client);
    free_address(&ends->server);
    g_free(ends);
}

/* The packet's addresses are the connection's; which is whose, its port tells. tshark prints ports
 * in the tables of TCP, UDP and SCTP alone: there they are part of the name, or connections of the
 * same two hosts could not be told apart. */
static struct ends ends_of(const packet_info *pinfo, const struct wsx_session *session,
                           const struct wsx_item *item) {
    bool from_client = wsx_taps_from_client(pinfo, session, item);
    struct ends ends = {.client_port = from_client ? pinfo->srcport : pinfo->destport,
                        .server_port = from_client ? pinfo->destport : pinfo->srcport,
                        .relative = pinfo->rel_ts,
                        .absolute = pinfo->abs_ts};
    if (wsx_taps_draw_once()) {
        const char *client = wsx_end_text(&session->client);
        const char *server = wsx_end_text(&session->server);
        set_address(&ends.client, AT_STRINGZ, (int)strlen(client) + 1, client);
        set_address(&ends.server, AT_STRINGZ, (int)strlen(server) + 1, server);
        return ends;
    }
    copy_address_shallow(&ends.client, from_client ? &pinfo->src : &pinfo->dst);
    copy_address_shallow(&ends.server, from_client ? &pinfo->dst : &pinfo->src);
    return ends;
}

static void keep(GHashTable *known_ends, const struct wsx_session *session,
                 const struct ends *ends) {
    void *key = GUINT_TO_POINTER(session->number + 1);
    struct ends *kept = g_hash_table_lookup(known_ends, key);
    if (!kept) {
        kept = g_new0(struct ends, 1);
        copy_address(&kept->client, &ends->client);
        copy_address(&kept->server, &ends->server);
        kept->client_port = ends->client_port;
        kept->server_port = ends->server_port;
        g_hash_table_insert(known_ends, key, kept);
    }
    kept->relative = ends->relative;
    kept->absolute = ends->absolute;
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo _U_, void *data) {
    const struct listener *listener = data;
    struct ends *ends =
        g_hash_table_lookup(listener->known_ends, GUINT_TO_POINTER(item->session->number + 1));
    if (ends)
        count_item(listener->table, listener->count, ends, item);
}

static void listener_free(void *data) {
    struct listener *listener = data;
    g_hash_table_remove(listeners, listener->table);
    g_hash_table_destroy(listener->known_ends);
    g_free(listener);
}

/* At the first packet of a table. */
static void begin(conv_hash_t *table, counter count) {
    if (!wsx_taps_draw_once())
        return;
    if (!listeners)
        listeners = g_hash_table_new(g_direct_hash, g_direct_equal);
    struct listener *listener = g_new(struct listener, 1);
    *listener = (struct listener){
        table, count, g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, ends_free)};
    g_hash_table_insert(listeners, table, listener);
    wsx_taps_before_drawing(at_eof, listener_free, listener);
}

/* ---- the taps ---- */

static tap_packet_status on_packet(conv_hash_t *table, packet_info *pinfo,
                                   const struct wsx_packet *packet, tap_flags_t flags,
                                   counter count) {
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    wsx_state_tap_ran();
    table->flags = flags;
    if (!table->conv_array || !table->conv_array->len)
        begin(table, count);
    const struct listener *listener = listeners ? g_hash_table_lookup(listeners, table) : NULL;
    for (unsigned i = 0; i < handshakes.count; i++) {
        const struct wsx_session *session = handshakes.sessions[i];
        struct ends ends = ends_of(pinfo, session, NULL);
        count(table, session, &ends,
              session->request_packet == pinfo->num ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT,
              0, 0);
        if (listener)
            keep(listener->known_ends, session, &ends);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        struct ends ends = ends_of(pinfo, item->session, item);
        count_item(table, count, &ends, item);
        if (listener)
            keep(listener->known_ends, item->session, &ends);
    }
    return TAP_PACKET_REDRAW;
}

static tap_packet_status on_conversation(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                         const void *queued, tap_flags_t flags) {
    return on_packet(data, pinfo, queued, flags, count_conversation);
}

static tap_packet_status on_endpoints(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                      const void *queued, tap_flags_t flags) {
    return on_packet(data, pinfo, queued, flags, count_endpoints);
}

/* ---- the conversation filter ---- */

static wsx_bool filter_is_valid(WSX_CONVERSATION_FILTER_ARGUMENTS) {
    return wsx_taps_session(pinfo) != NULL;
}

static char *filter_build(WSX_CONVERSATION_FILTER_ARGUMENTS) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    return session ? g_strdup_printf("websocket.stream eq %u", session->number) : NULL;
}

void wsx_tap_conversations_register(void) {
    register_conversation_table(wsx_proto, FALSE, on_conversation, on_endpoints);
    WSX_REGISTER_CONVERSATION_FILTER("websocket", "WebSocket", filter_is_valid, filter_build);
}
