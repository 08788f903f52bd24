/*
 * tree.c - `-z websocket,tree[,FILTER]` and Statistics > WebSocket Overview: counts and sizes by
 * direction, opcode, size, compression, close code, subprotocol and rule, and Ping round trips.
 * Reads items; keeps which connections and names it has counted, and sums over 2^31.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/info.h"

#include <epan/stats_tree_priv.h>

/* Characters of a subprotocol's name. */
#define SUBPROTOCOL_SHOWN 60u
/* Nodes of one kind that peers name: each tick looks through all of them. The rest is one node. */
#define NAMES_MAX 400u

/* Of one tree, from its init to its cleanup. */
struct overview {
    GHashTable *counted;           /* numbers + 1 of connections */
    GHashTable *protocols, *codes; /* names of nodes below "Subprotocols" and "Close codes" */
    uint64_t bytes, wire;          /* of the compressed messages that are complete */
    uint64_t all[2];               /* bytes of messages, by direction */
};

static GHashTable *overviews; /* stats_tree * to struct overview * */

static int node_connections, node_protocols, node_frames, node_messages, node_sizes, node_bytes,
    node_compression, node_saved, node_codes, node_closers, node_ends, node_pings, node_findings;

static const char *const senders[] = {"Client to server", "Server to client"};

/* ---- ticking ---- */

static void tick(stats_tree *st, const char *name, int parent) {
    tick_stat_node(st, name, parent, FALSE);
}

/* Counters of a stats tree are 32 bits wide: a larger sum stays at the most that they hold. */
static void set(stats_tree *st, const char *name, int parent, uint64_t value) {
    set_stat_node(st, name, parent, FALSE, (int)MIN(value, (uint64_t)G_MAXINT));
}

static int clamped(uint64_t value) { return (int)MIN(value, (uint64_t)G_MAXINT); }

/* The name of the node for a name that a peer chose. */
static const char *limited(GHashTable *names, const char *name) {
    if (g_hash_table_contains(names, name))
        return name;
    if (g_hash_table_size(names) >= NAMES_MAX)
        return "others";
    g_hash_table_add(names, g_strdup(name));
    return name;
}

/* ---- connections ---- */

static void count_connection(stats_tree *st, struct overview *overview,
                             const struct wsx_session *session) {
    static const char *const versions[] = {
        [WSX_HTTP_1] = "over HTTP/1.1", [WSX_HTTP_2] = "over HTTP/2", [WSX_HTTP_3] = "over HTTP/3"};
    if (!g_hash_table_add(overview->counted, GUINT_TO_POINTER(session->number + 1)))
        return;
    bool captured = session->request_packet || session->response_packet;
    tick_stat_node(st, "Connections", 0, TRUE);
    tick(st, captured ? versions[session->http] : "handshake not captured", node_connections);
    if (session->encrypted)
        tick(st, "under TLS", node_connections);
}

static void count_answer(stats_tree *st, struct overview *overview,
                         const struct wsx_session *session) {
    char refused[40];
    if (!session->opened) {
        g_snprintf(refused, sizeof refused, "refused with status %u", session->status);
        tick(st, refused, node_connections);
        return;
    }
    tick(st, "opened", node_connections);
    if (session->deflate)
        tick(st, "with permessage-deflate", node_connections);
    tick_stat_node(st, "Subprotocols", 0, TRUE);
    char *subprotocol =
        wsx_taps_shown(session->subprotocol ? session->subprotocol : "(none)", SUBPROTOCOL_SHOWN);
    tick(st, limited(overview->protocols, subprotocol), node_protocols);
    g_free(subprotocol);
}

static void count_end(stats_tree *st, const struct wsx_session *session, enum wsx_cause cause) {
    static const char *const causes[] = {[WSX_CAUSE_FIN] = "FIN or end of stream",
                                         [WSX_CAUSE_RST] = "TCP reset",
                                         [WSX_CAUSE_RESET] = "stream reset",
                                         [WSX_CAUSE_REFUSED] = "upgrade refused",
                                         [WSX_CAUSE_REPLACED] = "addresses and ports used again",
                                         [WSX_CAUSE_EOF] = "open at the end of the file"};
    if (!session->opened && cause != WSX_CAUSE_REFUSED)
        tick(st, "request never answered", node_connections);
    tick_stat_node(st, "Ends of connections", 0, TRUE);
    tick(st, causes[cause], node_ends);
}

/* ---- messages ---- */

static void count_compression(stats_tree *st, struct overview *overview,
                              const struct wsx_message *message, uint64_t length) {
    tick_stat_node(st, "Compression of messages", 0, TRUE);
    tick(st,
         message->raw          ? "compressed, not decompressed"
         : message->compressed ? "compressed"
                               : "not compressed",
         node_compression);
    if (!message->compressed || message->raw || message->incomplete)
        return;
    overview->bytes += length;
    overview->wire += message->wire_length;
    set(st, "Bytes of compressed messages", 0, overview->bytes);
    set(st, "on the wire", node_saved, overview->wire);
    set(st, "saved", node_saved,
        overview->bytes > overview->wire ? overview->bytes - overview->wire : 0);
    if (message->wire_length)
        avg_stat_node_add_value_float(st, "Compression ratio", 0, FALSE,
                                      (float)((double)length / (double)message->wire_length));
}

static void count_message(stats_tree *st, struct overview *overview,
                          const struct wsx_message *message) {
    const char *sender = senders[message->direction];
    uint64_t length = wsx_taps_message_length(message);
    int size = clamped(length);
    overview->all[message->direction] += length;
    avg_stat_node_add_value_int(st, "Messages", 0, TRUE, size);
    int node = avg_stat_node_add_value_int(st, sender, node_messages, TRUE, size);
    avg_stat_node_add_value_int(st, message->text ? "Text" : "Binary", node, FALSE, size);
    if (message->incomplete)
        tick(st, "incomplete", node_messages);
    tick_stat_node(st, "Message sizes in bytes", 0, TRUE);
    stats_tree_tick_range(st, "Message sizes in bytes", 0, size);
    set(st, "Message bytes", 0, overview->all[0] + overview->all[1]);
    set(st, sender, node_bytes, overview->all[message->direction]);

    count_compression(st, overview, message, length);
}

/* ---- frames ---- */

static void count_close(stats_tree *st, struct overview *overview, const struct wsx_item *item,
                        packet_info *pinfo) {
    char name[64] = "no code";
    if (item->have >= 2) {
        const uint8_t *body = wsx_item_payload(item, pinfo, 2);
        unsigned code = (unsigned)body[0] << 8 | body[1];
        g_snprintf(name, sizeof name, "%u %s", code, wsx_close_name(code));
    }
    tick_stat_node(st, "Close codes", 0, TRUE);
    int node = tick_stat_node(st, limited(overview->codes, name), node_codes, TRUE);
    tick(st, senders[item->direction], node);
    if (!item->first_close)
        return;
    tick_stat_node(st, "Closed first by", 0, TRUE);
    tick(st, wsx_sender(item->direction), node_closers);
}

static void count_round_trip(stats_tree *st, const struct wsx_item *item) {
    float milliseconds = (float)((double)item->answer_time / 1e6);
    avg_stat_node_add_value_float(st, "Ping round trips in ms", 0, TRUE, milliseconds);
    avg_stat_node_add_value_float(
        st, item->direction == WSX_SERVER_TO_CLIENT ? "Pings of the client" : "Pings of the server",
        node_pings, FALSE, milliseconds);
}

static void count_frame(stats_tree *st, struct overview *overview, const struct wsx_item *item,
                        packet_info *pinfo) {
    int length = clamped(item->header.payload_length);
    avg_stat_node_add_value_int(st, "Frames", 0, TRUE, length);
    int node = avg_stat_node_add_value_int(st, senders[item->direction], node_frames, TRUE, length);
    avg_stat_node_add_value_int(st, wsx_opcode_name(wsx_header_opcode(&item->header)), node, FALSE,
                                length);
    if (item->item == WSX_ITEM_CLOSE)
        count_close(st, overview, item, pinfo);
    if (item->item == WSX_ITEM_PONG && item->answers)
        count_round_trip(st, item);
}

static void count_finding(const struct wsx_session *session _U_, const struct wsx_finding *finding,
                          uint32_t packet _U_, void *data) {
    static const char *const names[] = {
        [WSX_CHAT] = "Chats", [WSX_NOTE] = "Notes", [WSX_WARNING] = "Warnings", "Errors"};
    stats_tree *st = data;
    tick_stat_node(st, "Findings", 0, TRUE);
    int node = tick_stat_node(st, names[finding->severity], node_findings, TRUE);
    tick(st, wsx_rule_info(finding->rule)->id, node);
}

static void count_item(stats_tree *st, struct overview *overview, const struct wsx_item *item,
                       packet_info *pinfo) {
    count_connection(st, overview, item->session);
    if (item->kind == WSX_KIND_FRAME)
        count_frame(st, overview, item, pinfo);
    if (item->kind == WSX_KIND_END)
        count_end(st, item->session, item->cause);
    if (item->message)
        count_message(st, overview, item->message);
}

/* ---- the tree ---- */

static tap_packet_status on_packet(stats_tree *st, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    const struct wsx_packet *packet = queued;
    struct overview *overview = g_hash_table_lookup(overviews, st);
    wsx_state_tap_ran();
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++) {
        const struct wsx_session *session = handshakes.sessions[i];
        count_connection(st, overview, session);
        if (session->response_packet == pinfo->num)
            count_answer(st, overview, session);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        count_item(st, overview, wmem_array_index(packet->items, i), pinfo);
    wsx_taps_findings(packet, pinfo, count_finding, st);
    return TAP_PACKET_REDRAW;
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo, void *data) {
    stats_tree *st = data;
    count_item(st, g_hash_table_lookup(overviews, st), item, pinfo);
    wsx_taps_item_findings(item, count_finding, st);
}

static void overview_free(void *data) {
    struct overview *overview = data;
    g_hash_table_destroy(overview->counted);
    g_hash_table_destroy(overview->protocols);
    g_hash_table_destroy(overview->codes);
    g_free(overview);
}

static void create_nodes(stats_tree *st) {
    node_connections = stats_tree_create_node(st, "Connections", 0, STAT_DT_INT, TRUE);
    node_protocols = stats_tree_create_node(st, "Subprotocols", 0, STAT_DT_INT, TRUE);
    node_messages = stats_tree_create_node(st, "Messages", 0, STAT_DT_INT, TRUE);
    node_bytes = stats_tree_create_node(st, "Message bytes", 0, STAT_DT_INT, TRUE);
    node_sizes =
        stats_tree_create_range_node(st, "Message sizes in bytes", 0, "0", "1-125", "126-1023",
                                     "1024-4095", "4096-65535", "65536-1048575", "1048576-", NULL);
    node_compression = stats_tree_create_node(st, "Compression of messages", 0, STAT_DT_INT, TRUE);
    node_saved = stats_tree_create_node(st, "Bytes of compressed messages", 0, STAT_DT_INT, TRUE);
    stats_tree_create_node(st, "Compression ratio", 0, STAT_DT_FLOAT, FALSE);
    node_frames = stats_tree_create_node(st, "Frames", 0, STAT_DT_INT, TRUE);
    node_pings = stats_tree_create_node(st, "Ping round trips in ms", 0, STAT_DT_FLOAT, TRUE);
    stats_tree_create_node(st, "Pings of the client", node_pings, STAT_DT_FLOAT, FALSE);
    stats_tree_create_node(st, "Pings of the server", node_pings, STAT_DT_FLOAT, FALSE);
    node_codes = stats_tree_create_node(st, "Close codes", 0, STAT_DT_INT, TRUE);
    node_closers = stats_tree_create_node(st, "Closed first by", 0, STAT_DT_INT, TRUE);
    node_ends = stats_tree_create_node(st, "Ends of connections", 0, STAT_DT_INT, TRUE);
    node_findings = stats_tree_create_node(st, "Findings", 0, STAT_DT_INT, TRUE);
}

/* Also when the tree begins anew. */
static void on_init(stats_tree *st) {
    if (!overviews)
        overviews = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, overview_free);
    struct overview *overview = g_new0(struct overview, 1);
    overview->counted = g_hash_table_new(g_direct_hash, g_direct_equal);
    overview->protocols = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    overview->codes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    bool first = !g_hash_table_contains(overviews, st);
    g_hash_table_replace(overviews, st, overview);
    create_nodes(st);
    if (first && !st->filter)
        wsx_taps_before_drawing(at_eof, NULL, st);
}

static void on_cleanup(stats_tree *st) { g_hash_table_remove(overviews, st); }

void wsx_tap_tree_register(void) {
    stats_tree_register_plugin("websocket", "websocket", "WebSocket Overview", 0, on_packet,
                               on_init, on_cleanup);
}
