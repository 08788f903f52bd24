/*
 * flow.c - Statistics > Flow Graph, `-z flow,websocket,standard`: one arrow a message or control
 * frame, with the words of the Info column. Wireshark does not install the header of this
 * interface; whether the declarations in compat.h fit the library is tried out before it is used.
 *
 * What the file ends in the middle of has no arrow: a flow graph is not told where the file ends.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/compat.h"
#include "epan/info.h"
#include "epan/state.h"
#include "taps.h"

#include <stdlib.h>
#include <wsutil/wslog.h>

/* ---- arrows ---- */

/* The columns are told apart by address, as in Wireshark's other flow graphs; where client and
 * server have the same one, the server's has its port. */
static void set_ends(struct wsx_sequence_item *arrow, const struct wsx_session *session,
                     enum wsx_direction direction, packet_info *pinfo) {
    const char *client_text = wsx_end_text(&session->client);
    const char *server_text = wsx_end_text(&session->server);
    size_t client_length = (size_t)(strrchr(client_text, ':') - client_text);
    size_t server_length = (size_t)(strrchr(server_text, ':') - server_text);
    bool same =
        client_length == server_length && strncmp(client_text, server_text, client_length) == 0;
    const char *client = wmem_strndup(pinfo->pool, client_text, client_length);
    const char *server = same ? server_text : wmem_strndup(pinfo->pool, server_text, server_length);
    bool from_client = direction == WSX_CLIENT_TO_SERVER;
    address from, to;
    set_address(&from, AT_STRINGZ, (int)strlen(from_client ? client : server) + 1,
                from_client ? client : server);
    set_address(&to, AT_STRINGZ, (int)strlen(from_client ? server : client) + 1,
                from_client ? server : client);
    free_address(&arrow->src_addr);
    free_address(&arrow->dst_addr);
    copy_address(&arrow->src_addr, &from);
    copy_address(&arrow->dst_addr, &to);
    arrow->port_src = (uint16_t)(from_client ? session->client.port : session->server.port);
    arrow->port_dst = (uint16_t)(from_client ? session->server.port : session->client.port);
}

static bool is_arrow(const struct wsx_item *item) {
    return item->message || (item->kind == WSX_KIND_FRAME && item->item != WSX_ITEM_FRAGMENT);
}

/* The Info column's words, without its arrow: the graph draws one, to the left where the server has
 * the first column. */
static const char *words_of(const struct wsx_item *item, packet_info *pinfo) {
    const char *text = wsx_info(item, pinfo), *space = strchr(text, ' ');
    return space ? space + 1 : text;
}

static void add(struct wsx_sequence *sequence, const struct wsx_item *item, packet_info *pinfo) {
    struct wsx_sequence_item *arrow = sequence_analysis_create_sai_with_addresses(pinfo, sequence);
    if (!arrow)
        return;
    set_ends(arrow, item->session, item->direction, pinfo);
    arrow->frame_number = item->packet;
    arrow->frame_label = g_strdup(words_of(item, pinfo));
    /* the label is cut to the width between the columns, the comment is not */
    arrow->comment = g_strdup_printf("Stream %u: %s", item->session->number, arrow->frame_label);
    arrow->conv_num = (uint16_t)item->session->number;
    arrow->line_style = 1;
    arrow->display = TRUE;
    sequence_analysis_use_color_filter(pinfo, arrow);
    g_queue_push_tail(sequence->items, arrow);
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    const struct wsx_packet *packet = queued;
    bool any = false;
    wsx_state_tap_ran();
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        if (!is_arrow(item))
            continue;
        add(data, item, pinfo);
        any = true;
    }
    return any ? TAP_PACKET_REDRAW : TAP_PACKET_DONT_REDRAW;
}

/* ---- do the declarations fit? ---- */

/* Larger than any version's item. */
#define TRIAL_SIZE 512
#define TRIAL_UNSET 0x5A5A5A5Au
#define TRIAL_LABEL "trial-label"
#define TRIAL_FROM "trial-from"
#define TRIAL_TO "trial-to"
/* Unlike any other number in what is printed. */
#define TRIAL_PORT_FROM 64321
#define TRIAL_PORT_TO 64123

static struct wsx_sequence_item *trial_item(uint32_t number, bool display) {
    struct wsx_sequence_item *item = g_malloc0(TRIAL_SIZE);
    address from, to;
    set_address(&from, AT_STRINGZ, sizeof TRIAL_FROM, TRIAL_FROM);
    set_address(&to, AT_STRINGZ, sizeof TRIAL_TO, TRIAL_TO);
    item->frame_number = number;
    copy_address(&item->src_addr, &from);
    copy_address(&item->dst_addr, &to);
    item->port_src = TRIAL_PORT_FROM;
    item->port_dst = TRIAL_PORT_TO;
    item->frame_label = g_strdup(TRIAL_LABEL);
    item->time_str = g_strdup("0.5");
    item->comment = g_strdup("trial-comment");
    item->display = display;
    item->src_node = item->dst_node = TRIAL_UNSET;
    return item;
}

/* The text that Wireshark draws has what was put into the item. */
static bool prints_fit(struct wsx_sequence *sequence) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return false;
    sequence_analysis_dump_to_file(out, sequence, 0);
    fclose(out);
    /* in the order in which they are drawn */
    static const char *const parts[] = {TRIAL_FROM,      TRIAL_TO, "0.5",  TRIAL_LABEL,
                                        "trial-comment", "64321",  "64123"};
    const char *at = text;
    for (size_t i = 0; i < G_N_ELEMENTS(parts) && at; i++)
        at = strstr(at, parts[i]);
    bool fits = at != NULL;
    free(text);
    return fits;
}

/* Has Wireshark sort two items, look for their columns and print them, and sees whether it finds
 * and sets the members where they are declared. */
static bool layout_fits(void) {
    struct wsx_sequence *sequence = sequence_analysis_info_new();
    if (!sequence->items || !sequence->ht || sequence->num_nodes ||
        !g_queue_is_empty(sequence->items))
        return false; /* and nothing is freed by a wrong name */
    struct wsx_sequence_item *shown = trial_item(2, true), *hidden = trial_item(1, false);
    g_queue_push_tail(sequence->items, shown);
    g_queue_push_tail(sequence->items, hidden);
    sequence_analysis_list_sort(sequence);
    bool fits = g_queue_peek_head(sequence->items) == hidden &&
                sequence_analysis_get_nodes(sequence) == 1 && shown->src_node == 0 &&
                shown->dst_node == 1 && hidden->src_node == TRIAL_UNSET &&
                hidden->dst_node == TRIAL_UNSET && sequence->num_nodes == 2 &&
                addresses_equal(&sequence->nodes[0], &shown->src_addr) &&
                addresses_equal(&sequence->nodes[1], &shown->dst_addr) && prints_fit(sequence);
    if (fits)
        sequence_analysis_info_free(sequence);
    return fits;
}

void wsx_tap_flow_register(int proto) {
    if (layout_fits())
        register_seq_analysis("websocket", "WebSocket", proto, "websocket", TL_REQUIRES_NOTHING,
                              on_packet);
    else
        ws_warning("wsx: this Wireshark's flow graph is not as expected and is left out");
}
