/*
 * follow_utf8.c - `-z follow,websocket,utf-8,N[,RANGE]` for the Wireshark versions whose tshark has
 * no mode utf-8 of its own, written as later ones write it. tshark tries the longest -z name first:
 * its own follow gets the other modes. Reads what follow.c gathers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "follow.h"

#include <stdlib.h>

static const char line[] = "===================================================================\n";

static void draw_record(const follow_record_t *record) {
    char *text = g_utf8_make_valid((const char *)record->data->data, record->data->len);
    printf("%s%zu\n%s\n", record->is_server ? "\t" : "", strlen(text), text);
    g_free(text);
}

static void draw_end(int number, const address *end, unsigned port) {
    char *text = address_to_str(NULL, end);
    printf(end->type == AT_IPv6 ? "Node %d: [%s]:%u\n" : "Node %d: %s:%u\n", number, text, port);
    wmem_free(NULL, text);
}

static void on_draw(void *data) {
    const follow_info_t *info = data;
    const struct wsx_follow_cli *cli = info->gui_data;
    printf("\n%sFollow: websocket,utf-8\nFilter: %s\n", line, info->filter_out_filter);
    draw_end(0, &info->client_ip, info->client_port);
    draw_end(1, &info->server_ip, info->server_port);
    uint32_t chunk = 1;
    for (GList *record = g_list_last(info->payload); record; record = record->prev, chunk++)
        if (chunk >= cli->chunk_min && chunk <= cli->chunk_max)
            draw_record(record->data);
    printf("%s", line);
}

/* N[,FIRST[-LAST]] */
static bool parse(const char *text, struct wsx_follow_cli *cli) {
    char *end;
    long long stream = strtoll(text, &end, 10);
    cli->stream = (int)stream;
    cli->chunk_min = 1;
    cli->chunk_max = UINT32_MAX;
    if (!g_ascii_isdigit(*text) || stream > G_MAXINT)
        return false;
    if (!*end)
        return true;
    if (*end != ',' || !g_ascii_isdigit(end[1]))
        return false;
    cli->chunk_min = cli->chunk_max = (uint32_t)strtoul(end + 1, &end, 10);
    if (*end == '-' && g_ascii_isdigit(end[1]))
        cli->chunk_max = (uint32_t)strtoul(end + 1, &end, 10);
    return !*end && cli->chunk_min >= 1 && cli->chunk_min <= cli->chunk_max;
}

static WSX_STAT_RETURN utf8_init(const char *argument, void *user _U_) {
    const char *rest = argument + strlen("follow,websocket,utf-8");
    struct wsx_follow_cli *cli = g_new0(struct wsx_follow_cli, 1);
    follow_info_t *info = g_new0(follow_info_t, 1);
    if (*rest != ',' || !parse(rest + 1, cli)) {
        fprintf(stderr, "tshark: -z follow,websocket,utf-8,N[,RANGE]: \"%s\" is not understood\n",
                argument);
        exit(1);
    }
    cli->show_type = WSX_FOLLOW_UTF8;
    cli->follower = wsx_follow_follower();
    info->gui_data = cli;
    info->show_stream = BOTH_HOSTS;
    info->substream_id = SUBSTREAM_UNUSED;
    info->filter_out_filter = wsx_follow_filter((unsigned)cli->stream, 0);
    GString *error = register_tap_listener("websocket_follow", info, info->filter_out_filter, 0,
                                           NULL, wsx_follow_packet, on_draw, NULL);
    if (error) {
        fprintf(stderr, "tshark: -z follow,websocket,utf-8: %s\n", error->str);
        exit(1);
    }
    WSX_STAT_OK;
}

void wsx_tap_follow_utf8_register(void) {
    static stat_tap_ui ui = {
        REGISTER_STAT_GROUP_GENERIC, NULL, "follow,websocket,utf-8", utf8_init, 0, NULL};
    register_stat_tap_ui(&ui, NULL);
}
