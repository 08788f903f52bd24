/*
 * connections.c - `-z websocket,connections[,FILTER]` and Statistics > WebSocket Connections: one
 * row a connection, in the order of their starts. Reads items; keeps sums for each connection.
 *
 * c2s is client to server, s2c server to client.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/info.h"
#include "writable.h"

#include <stdlib.h>

/* Characters of a URI that tshark prints; the JSON Lines have it whole. */
#define URI_SHOWN 64

enum column {
    COLUMN_STREAM,
    COLUMN_START,
    COLUMN_CLIENT,
    COLUMN_SERVER,
    COLUMN_URI,
    COLUMN_SUBPROTOCOL,
    COLUMN_PACKETS,
    COLUMN_MESSAGES_C2S,
    COLUMN_BYTES_C2S,
    COLUMN_MESSAGES_S2C,
    COLUMN_BYTES_S2C,
    COLUMN_COMPRESSION,
    COLUMN_PING_MIN,
    COLUMN_PING_AVG,
    COLUMN_PING_MAX,
    COLUMN_CLOSE,
    COLUMN_END,
    COLUMN_DURATION,
    COLUMN_FINDINGS,
    COLUMN_COUNT
};

static const struct {
    stat_tap_table_item_enum type;
    const char *title;
} kinds[COLUMN_COUNT] = {
    [COLUMN_STREAM] = {TABLE_ITEM_UINT, "Stream"},
    [COLUMN_START] = {TABLE_ITEM_FLOAT, "Start (s)"},
    [COLUMN_CLIENT] = {TABLE_ITEM_STRING, "Client"},
    [COLUMN_SERVER] = {TABLE_ITEM_STRING, "Server"},
    [COLUMN_URI] = {TABLE_ITEM_STRING, "URI"},
    [COLUMN_SUBPROTOCOL] = {TABLE_ITEM_STRING, "Subprotocol"},
    [COLUMN_PACKETS] = {TABLE_ITEM_UINT, "Packets"},
    [COLUMN_MESSAGES_C2S] = {TABLE_ITEM_UINT, "Messages c2s"},
    [COLUMN_BYTES_C2S] = {TABLE_ITEM_UINT, "Bytes c2s"},
    [COLUMN_MESSAGES_S2C] = {TABLE_ITEM_UINT, "Messages s2c"},
    [COLUMN_BYTES_S2C] = {TABLE_ITEM_UINT, "Bytes s2c"},
    [COLUMN_COMPRESSION] = {TABLE_ITEM_STRING, "Compression"},
    [COLUMN_PING_MIN] = {TABLE_ITEM_STRING, "Ping min (ms)"},
    [COLUMN_PING_AVG] = {TABLE_ITEM_STRING, "Ping avg (ms)"},
    [COLUMN_PING_MAX] = {TABLE_ITEM_STRING, "Ping max (ms)"},
    [COLUMN_CLOSE] = {TABLE_ITEM_STRING, "Close"},
    [COLUMN_END] = {TABLE_ITEM_STRING, "End"},
    [COLUMN_DURATION] = {TABLE_ITEM_FLOAT, "Duration (s)"},
    [COLUMN_FINDINGS] = {TABLE_ITEM_UINT, "Findings"},
};

/* What Wireshark reads of kinds; tshark's are made as wide as their values before it draws. */
static stat_tap_table_item columns[COLUMN_COUNT];

/* Sums of one connection. Lives as long as its row. */
struct sums {
    const struct wsx_session *session;
    unsigned messages[2], findings, pings;
    uint64_t bytes[2];
    uint64_t inflated, wire;              /* of the compressed messages that are complete */
    int64_t ping_min, ping_max, ping_sum; /* ns */
    bool closed;
    int close_code; /* -1: without one */
    enum wsx_direction closer;
    enum wsx_cause cause;
};

static GHashTable *row_hints; /* session to its row + 1; proved before use */
static bool several_tables;   /* windows may share row_hints: an absent hint proves nothing then */
static bool filtered;         /* by a display filter */
static int64_t capture_begin; /* ns since the epoch */

/* ---- rows ---- */

static stat_tap_table_item_type *cell(stat_tap_table *table, unsigned row, enum column column) {
    return &table->elements[row][column];
}

static void put_uint(stat_tap_table *table, unsigned row, enum column column, uint64_t value) {
    cell(table, row, column)->value.uint_value = (unsigned)MIN(value, UINT_MAX);
}

/* Takes a string for g_free. */
static void put_text(stat_tap_table *table, unsigned row, enum column column, char *text) {
    stat_tap_table_item_type *item = cell(table, row, column);
    g_free(wsx_writable(item->value.string_value));
    item->value.string_value = text;
}

static struct sums *sums_of(stat_tap_table *table, unsigned row) {
    return cell(table, row, COLUMN_STREAM)->user_data.ptr_value;
}

static bool is_row_of(stat_tap_table *table, unsigned row, const struct wsx_session *session) {
    return row < table->num_elements && sums_of(table, row)->session == session;
}

static unsigned row_new(stat_tap_table *table, const struct wsx_session *session) {
    stat_tap_table_item_type cells[COLUMN_COUNT];
    memset(cells, 0, sizeof cells);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        cells[i].type = kinds[i].type;
        if (cells[i].type == TABLE_ITEM_STRING)
            cells[i].value.string_value = g_strdup("");
    }
    struct sums *sums = g_new0(struct sums, 1);
    sums->session = session;
    cells[COLUMN_STREAM].user_data.ptr_value = sums;
    stat_tap_init_table_row(table, table->num_elements, COLUMN_COUNT, cells);
    return table->num_elements - 1;
}

/* The row of a connection; a new one behind the others when it has none. */
static unsigned row_of(stat_tap_table *table, const struct wsx_session *session) {
    unsigned hint = GPOINTER_TO_UINT(g_hash_table_lookup(row_hints, session));
    if (hint && is_row_of(table, hint - 1, session))
        return hint - 1;
    unsigned row = hint || several_tables ? 0 : table->num_elements;
    while (row < table->num_elements && !is_row_of(table, row, session))
        row++;
    if (row == table->num_elements)
        row_new(table, session);
    g_hash_table_insert(row_hints, wsx_writable(session), GUINT_TO_POINTER(row + 1));
    return row;
}

static void free_cell(stat_tap_table *table, unsigned row, unsigned column,
                      stat_tap_table_item_type *item) {
    if (column == COLUMN_STREAM)
        g_free(sums_of(table, row));
    if (kinds[column].type == TABLE_ITEM_STRING)
        g_free(wsx_writable(item->value.string_value));
}

static void on_reset(stat_tap_table *table) {
    for (unsigned row = 0; row < table->num_elements; row++) {
        for (unsigned i = 0; i < COLUMN_COUNT; i++)
            free_cell(table, row, i, cell(table, row, i));
        g_free(table->elements[row]);
    }
    table->num_elements = 0;
    g_hash_table_remove_all(row_hints);
}

/* ---- sums ---- */

static void sum_message(struct sums *sums, const struct wsx_message *message) {
    uint64_t length = wsx_taps_message_length(message);
    sums->messages[message->direction]++;
    sums->bytes[message->direction] += length;
    if (message->compressed && !message->incomplete && !message->raw) {
        sums->inflated += length;
        sums->wire += message->wire_length;
    }
}

static void sum_pong(struct sums *sums, int64_t time) {
    sums->ping_min = sums->pings ? MIN(sums->ping_min, time) : time;
    sums->ping_max = sums->pings ? MAX(sums->ping_max, time) : time;
    sums->ping_sum += time;
    sums->pings++;
}

static void sum_item(struct sums *sums, const struct wsx_item *item, packet_info *pinfo) {
    if (item->kind == WSX_KIND_END)
        sums->cause = item->cause;
    if (item->message)
        sum_message(sums, item->message);
    if (item->kind != WSX_KIND_FRAME)
        return;
    if (item->item == WSX_ITEM_PONG && item->answers)
        sum_pong(sums, item->answer_time);
    if (item->item == WSX_ITEM_CLOSE && !sums->closed) {
        const uint8_t *body = wsx_item_payload(item, pinfo, 2);
        sums->closed = true;
        sums->closer = item->direction;
        sums->close_code = item->have >= 2 ? body[0] << 8 | body[1] : -1;
    }
}

/* ---- words ---- */

static char *milliseconds(const struct sums *sums, int64_t ns) {
    return sums->pings ? g_strdup_printf("%.3f", (double)ns / 1e6) : g_strdup("");
}

static char *compression(const struct sums *sums) {
    double length = (double)sums->inflated, wire = (double)sums->wire;
    if (sums->inflated)
        return wire > length ? g_strdup_printf("%.1f%% added", 100.0 * (wire - length) / length)
                             : g_strdup_printf("%.1f%% saved", 100.0 * (length - wire) / length);
    return g_strdup(sums->session->deflate ? "not used" : "");
}

static char *close_words(const struct sums *sums) {
    if (!sums->closed)
        return g_strdup("");
    if (sums->close_code < 0)
        return g_strdup_printf("no code by %s", wsx_sender(sums->closer));
    return g_strdup_printf("%d by %s", sums->close_code, wsx_sender(sums->closer));
}

static char *text_or_empty(const char *text) { return g_strdup(text ? text : ""); }

/* The cells of a row, from what is known now. */
static void fill(stat_tap_table *table, unsigned row) {
    const struct sums *sums = sums_of(table, row);
    const struct wsx_session *session = sums->session;
    int64_t start = session->request_packet ? session->request_time : session->open_time;
    put_uint(table, row, COLUMN_STREAM, session->number);
    cell(table, row, COLUMN_START)->value.float_value = (double)(start - capture_begin) / 1e9;
    put_text(table, row, COLUMN_CLIENT, g_strdup(wsx_end_text(&session->client)));
    put_text(table, row, COLUMN_SERVER, g_strdup(wsx_end_text(&session->server)));
    put_text(table, row, COLUMN_URI, wsx_taps_shown(session->uri ? session->uri : "", UINT_MAX));
    put_text(table, row, COLUMN_SUBPROTOCOL,
             wsx_taps_shown(session->subprotocol ? session->subprotocol : "", UINT_MAX));
    put_uint(table, row, COLUMN_PACKETS, session->packets);
    put_uint(table, row, COLUMN_MESSAGES_C2S, sums->messages[WSX_CLIENT_TO_SERVER]);
    put_uint(table, row, COLUMN_BYTES_C2S, sums->bytes[WSX_CLIENT_TO_SERVER]);
    put_uint(table, row, COLUMN_MESSAGES_S2C, sums->messages[WSX_SERVER_TO_CLIENT]);
    put_uint(table, row, COLUMN_BYTES_S2C, sums->bytes[WSX_SERVER_TO_CLIENT]);
    put_text(table, row, COLUMN_COMPRESSION, compression(sums));
    put_text(table, row, COLUMN_PING_MIN, milliseconds(sums, sums->ping_min));
    put_text(table, row, COLUMN_PING_AVG,
             milliseconds(sums, sums->pings ? sums->ping_sum / sums->pings : 0));
    put_text(table, row, COLUMN_PING_MAX, milliseconds(sums, sums->ping_max));
    put_text(table, row, COLUMN_CLOSE, close_words(sums));
    put_text(table, row, COLUMN_END, text_or_empty(wsx_cause_name(sums->cause)));
    cell(table, row, COLUMN_DURATION)->value.float_value =
        (double)(session->last_time - start) / 1e9;
    put_uint(table, row, COLUMN_FINDINGS, sums->findings);
}

/* ---- tshark's layout, before it draws ---- */

static int by_number(const void *a, const void *b) {
    const stat_tap_table_item_type *const *x = a, *const *y = b;
    unsigned m = (*x)[COLUMN_STREAM].value.uint_value, n = (*y)[COLUMN_STREAM].value.uint_value;
    return m < n ? -1 : m > n;
}

static bool is_left(enum column column) {
    return column == COLUMN_CLIENT || column == COLUMN_SERVER || column == COLUMN_URI ||
           column == COLUMN_SUBPROTOCOL || column == COLUMN_CLOSE || column == COLUMN_END;
}

/* printf counts bytes, and the values are UTF-8. For g_free. */
static char *padded(const char *text, long width, bool left) {
    long missing = MAX(width - g_utf8_strlen(text, -1), 0);
    return left ? g_strdup_printf("%s%*s", text, (int)missing, "")
                : g_strdup_printf("%*s%s", (int)missing, "", text);
}

static void shorten_uris(stat_tap_table *table) {
    for (unsigned row = 0; row < table->num_elements; row++) {
        const char *uri = cell(table, row, COLUMN_URI)->value.string_value;
        if (g_utf8_strlen(uri, -1) <= URI_SHOWN)
            continue;
        size_t kept = (size_t)(g_utf8_offset_to_pointer(uri, URI_SHOWN - 1) - uri);
        put_text(table, row, COLUMN_URI, g_strdup_printf("%.*s\xe2\x80\xa6", (int)kept, uri));
    }
}

/* Sums over 2^32 do not fit a number cell: that column becomes one of floating numbers. */
static bool widen_bytes(stat_tap_table *table, enum column column, enum wsx_direction direction) {
    bool large = false;
    for (unsigned row = 0; row < table->num_elements; row++)
        large = large || sums_of(table, row)->bytes[direction] > UINT_MAX;
    for (unsigned row = 0; large && row < table->num_elements; row++) {
        cell(table, row, column)->type = TABLE_ITEM_FLOAT;
        cell(table, row, column)->value.float_value = (double)sums_of(table, row)->bytes[direction];
    }
    return large;
}

static char *as_text(const stat_tap_table_item_type *item, bool whole) {
    if (item->type == TABLE_ITEM_UINT)
        return g_strdup_printf("%u", item->value.uint_value);
    if (item->type == TABLE_ITEM_FLOAT)
        return g_strdup_printf(whole ? "%.0f" : "%.6f", item->value.float_value);
    return g_strdup(item->value.string_value);
}

static void lay_out_column(stat_tap_table *table, enum column column, bool whole) {
    long width = g_utf8_strlen(kinds[column].title, -1);
    for (unsigned row = 0; row < table->num_elements; row++) {
        char *text = as_text(cell(table, row, column), whole);
        width = MAX(width, g_utf8_strlen(text, -1));
        g_free(text);
    }
    stat_tap_table_item *layout = &columns[column];
    layout->column_name = padded(kinds[column].title, width, is_left(column));
    layout->type = whole ? TABLE_ITEM_FLOAT : kinds[column].type;
    if (layout->type == TABLE_ITEM_UINT)
        layout->field_format = g_strdup_printf("%%%ldu", width);
    else if (layout->type == TABLE_ITEM_FLOAT)
        layout->field_format = g_strdup_printf("%%%ld.%df", width, whole ? 0 : 6);
    for (unsigned row = 0; layout->type == TABLE_ITEM_STRING && row < table->num_elements; row++)
        put_text(table, row, column,
                 padded(cell(table, row, column)->value.string_value, width, is_left(column)));
}

static void lay_out(void *data) {
    stat_tap_table *table = data;
    for (unsigned row = 0; row < table->num_elements; row++)
        fill(table, row);
    if (table->num_elements)
        qsort(table->elements, table->num_elements, sizeof *table->elements, by_number);
    shorten_uris(table);
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        lay_out_column(table, i,
                       (i == COLUMN_BYTES_C2S && widen_bytes(table, i, WSX_CLIENT_TO_SERVER)) ||
                           (i == COLUMN_BYTES_S2C && widen_bytes(table, i, WSX_SERVER_TO_CLIENT)));
}

/* ---- the tap ---- */

static void count_finding(const struct wsx_session *session, const struct wsx_finding *finding _U_,
                          uint32_t packet _U_, void *data) {
    sums_of(data, row_of(data, session))->findings++;
}

static void take_item(stat_tap_table *table, const struct wsx_item *item, packet_info *pinfo) {
    sum_item(sums_of(table, row_of(table, item->session)), item, pinfo);
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo, void *data) {
    wsx_taps_item_findings(item, count_finding, data);
    take_item(data, item, pinfo);
}

/* The rows of a packet's connections. tshark's are filled once, before it draws. */
static void fill_of_packet(stat_tap_table *table, const struct wsx_packet *packet,
                           const GPtrArray *handshakes) {
    for (guint i = 0; handshakes && i < handshakes->len; i++)
        fill(table, row_of(table, g_ptr_array_index(handshakes, i)));
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        fill(table, row_of(table, item->session));
    }
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    stat_data_t *stat = data;
    const struct wsx_packet *packet = queued;
    stat_tap_table *table = g_array_index(stat->stat_tap_data->tables, stat_tap_table *, 0);
    const GPtrArray *handshakes = wsx_state_handshakes(pinfo->num);
    nstime_t begin;
    wsx_state_tap_ran();
    if (!table->num_elements)
        wsx_taps_before_drawing(filtered ? NULL : at_eof, lay_out, table);
    nstime_delta(&begin, &pinfo->abs_ts, &pinfo->rel_ts);
    capture_begin = (int64_t)begin.secs * 1000000000 + begin.nsecs;
    wsx_taps_findings(packet, pinfo, count_finding, table);
    for (guint i = 0; handshakes && i < handshakes->len; i++)
        row_of(table, g_ptr_array_index(handshakes, i));
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        take_item(table, wmem_array_index(packet->items, i), pinfo);
    if (!wsx_taps_draw_once())
        fill_of_packet(table, packet, handshakes);
    return TAP_PACKET_REDRAW;
}

/* ---- registration ---- */

static void on_init(stat_tap_table_ui *ui) {
    static const char title[] =
        "WebSocket connections (c2s: client to server, s2c: server to client)";
    static bool called;
    stat_tap_table *table = stat_tap_find_table(ui, title);
    several_tables = called;
    called = true;
    if (table) {
        on_reset(table);
        return;
    }
    table = stat_tap_init_table(title, COLUMN_COUNT, 0, NULL);
    stat_tap_add_table(ui, table);
}

static void see_filter(const char *argument _U_, const char **filter, char **error _U_) {
    filtered = *filter && **filter;
}

/* A window makes a column as wide as its title, and then draws the arrow of a sorted column over
 * it. For ever. */
static const char *with_room(const char *title, bool left) {
    return g_strdup_printf(left ? "%s    " : "    %s", title);
}

void wsx_tap_connections_register(void) {
    static stat_tap_table_ui ui = {.group = REGISTER_PACKET_STAT_GROUP_UNSORTED,
                                   .title = "WebSocket Connections",
                                   .tap_name = "websocket",
                                   .cli_string = "websocket,connections",
                                   .stat_tap_init_cb = on_init,
                                   .packet_func = on_packet,
                                   .stat_tap_reset_table_cb = on_reset,
                                   .stat_tap_free_table_item_cb = free_cell,
                                   .stat_filter_check_cb = see_filter,
                                   .nfields = COLUMN_COUNT,
                                   .fields = columns};
    bool window = g_strcmp0(g_get_prgname(), "wireshark") == 0;
    row_hints = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        columns[i] = (stat_tap_table_item){
            .type = kinds[i].type,
            .align = is_left(i) ? TAP_ALIGN_LEFT : TAP_ALIGN_RIGHT,
            .column_name = window ? with_room(kinds[i].title, is_left(i)) : kinds[i].title,
            .field_format = kinds[i].type == TABLE_ITEM_UINT    ? "%u"
                            : kinds[i].type == TABLE_ITEM_FLOAT ? "%.6f"
                                                                : "%s"};
    register_stat_tap_table_ui(&ui);
}
