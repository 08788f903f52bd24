/*
 * srt.c - `-z websocket,srt[,FILTER]` and Statistics > Service Response Time > WebSocket: how long
 * the answers took to a Ping, to the opening request and to a Close. Reads items; keeps nothing.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/fields.h"

#include <epan/srt_table.h>

enum row {
    ROW_PING_CLIENT, /* by the client, answered by the server */
    ROW_PING_SERVER,
    ROW_OPENING,
    ROW_CLOSE_CLIENT,
    ROW_CLOSE_SERVER,
    ROW_COUNT
};

static void add(srt_stat_table *table, enum row row, int64_t took, packet_info *pinfo) {
    nstime_t asked, time = {(time_t)(took / 1000000000), (int)(took % 1000000000)};
    nstime_delta(&asked, &pinfo->abs_ts, &time);
    add_srt_table_data(table, (int)row, &asked, pinfo);
}

static void add_item(srt_stat_table *table, const struct wsx_item *item, packet_info *pinfo) {
    bool by_server = item->direction == WSX_SERVER_TO_CLIENT; /* the answer */
    if (item->kind != WSX_KIND_FRAME || !item->answers)
        return;
    if (item->item == WSX_ITEM_PONG)
        add(table, by_server ? ROW_PING_CLIENT : ROW_PING_SERVER, item->answer_time, pinfo);
    else if (item->item == WSX_ITEM_CLOSE)
        add(table, by_server ? ROW_CLOSE_CLIENT : ROW_CLOSE_SERVER, item->answer_time, pinfo);
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    srt_stat_table *table = g_array_index(((srt_data_t *)data)->srt_array, srt_stat_table *, 0);
    const struct wsx_packet *packet = queued;
    wsx_state_tap_ran();
    const GPtrArray *handshakes = wsx_state_handshakes(pinfo->num);
    for (guint i = 0; handshakes && i < handshakes->len; i++) {
        const struct wsx_session *session = g_ptr_array_index(handshakes, i);
        if (session->request_packet && session->response_packet == pinfo->num)
            add(table, ROW_OPENING, session->response_time - session->request_time, pinfo);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        add_item(table, wmem_array_index(packet->items, i), pinfo);
    return TAP_PACKET_REDRAW;
}

static void on_init(struct register_srt *srt _U_, GArray *tables) {
    static const char *const names[ROW_COUNT] = {
        [ROW_PING_CLIENT] = "Ping by client",   [ROW_PING_SERVER] = "Ping by server",
        [ROW_OPENING] = "Opening handshake",    [ROW_CLOSE_CLIENT] = "Close by client",
        [ROW_CLOSE_SERVER] = "Close by server",
    };
    srt_stat_table *table =
        init_srt_table("WebSocket", NULL, tables, ROW_COUNT, "Request", NULL, NULL);
    for (int i = 0; i < ROW_COUNT; i++)
        init_srt_table_row(table, i, names[i]);
}

void wsx_tap_srt_register(void) {
    register_srt_table(wsx_proto, "websocket", 1, on_packet, on_init, NULL);
}
