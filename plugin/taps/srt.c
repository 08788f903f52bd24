/*
 * srt.c - `-z websocket,srt[,FILTER]` and Statistics > Service Response Time > WebSocket: how long
 * the answers took to a Ping, to the opening request and to a Close, and in a second table how long
 * applications took, by protocol, kind of request and its name. Reads items; keeps nothing but the
 * rows.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "apps/apps.h"
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

/* Of two clocks, as in a merged capture, the answer's may be behind: the table has no negative
 * times. */
static void add(srt_stat_table *table, int row, int64_t took, packet_info *pinfo) {
    took = MAX(took, 0);
    nstime_t asked, time = {(time_t)(took / 1000000000), (int)(took % 1000000000)};
    nstime_delta(&asked, &pinfo->abs_ts, &time);
    add_srt_table_data(table, row, &asked, pinfo);
}

/* ---- applications ---- */

/* A peer that makes names up must not fill the memory; what comes later has one row together. */
#define ROWS_MAX 400
#define ROW_CHARACTERS_MAX 60

/* "OCPP-J call Heartbeat". */
static char *row_name(const struct wsx_app_unit *request, bool again) {
    const char *name = request->name ? request->name : "";
    char *row = g_strdup_printf("%s %s%s%s", request->protocol->name,
                                request->type ? request->type : "", *name ? " " : "", name);
    char *shown = wsx_taps_shown(row, ROW_CHARACTERS_MAX);
    char *whole = g_strconcat(shown, again ? ", last answer" : "", NULL);
    g_free(row);
    g_free(shown);
    return whole;
}

static int row_of(srt_stat_table *table, const struct wsx_app_unit *request, bool again) {
    char *name = row_name(request, again);
    int row = 0;
    while (row < table->num_procs && strcmp(table->procedures[row].procedure, name) != 0)
        row++;
    if (row == table->num_procs || row >= ROWS_MAX)
        init_srt_table_row(table, MIN(row, ROWS_MAX), row < ROWS_MAX ? name : "others");
    g_free(name);
    return MIN(row, ROWS_MAX);
}

/* The first answer, and of several also the last. */
static void add_unit(srt_stat_table *table, const struct wsx_app_unit *unit, packet_info *pinfo) {
    bool last = unit->role == WSX_APP_ANSWER;
    if (!unit->request || (!unit->first_answer && !last))
        return;
    add(table, row_of(table, unit->request, !unit->first_answer), unit->time - unit->request->time,
        pinfo);
}

static void add_message(srt_stat_table *table, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_app_message *message = wsx_app_message_of(item, pinfo);
    for (unsigned i = 0; message && i < wmem_array_get_count(message->units); i++)
        add_unit(table, *(struct wsx_app_unit **)wmem_array_index(message->units, i), pinfo);
}

/* ---- WebSocket's own ---- */

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
    GArray *tables = ((srt_data_t *)data)->srt_array;
    srt_stat_table *table = g_array_index(tables, srt_stat_table *, 0);
    srt_stat_table *applications = g_array_index(tables, srt_stat_table *, 1);
    const struct wsx_packet *packet = queued;
    wsx_state_tap_ran();
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++) {
        const struct wsx_session *session = handshakes.sessions[i];
        if (session->request_packet && session->response_packet == pinfo->num)
            add(table, ROW_OPENING, session->response_time - session->request_time, pinfo);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        add_item(table, item, pinfo);
        add_message(applications, item, pinfo);
    }
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
    /* the rows come with the answers */
    init_srt_table("WebSocket applications", "Applications", tables, 0, "Request", NULL, NULL);
}

void wsx_tap_srt_register(void) {
    register_srt_table(wsx_proto, "websocket", 2, on_packet, on_init, NULL);
}
