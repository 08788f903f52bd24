/*
 * connections.c - `-z websocket,connections[,FILTER]` and Statistics > WebSocket Connections: one
 * row a connection, in the order of their starts. Reads items; keeps sums for each connection.
 *
 * tshark's table fits SHOWN_MAX columns of a terminal, Wireshark's window a screen: long addresses,
 * URIs and subprotocols lose their middle. The JSON Lines and sharkd have them whole.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/info.h"
#include "writable.h"

#include <stdlib.h>

/* tshark's rows, in columns of a terminal. Those with less in them are as wide as that. */
#define SHOWN_MAX 200
#define BAR_WIDTH 2 /* tshark draws " |" behind each column */

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
    COLUMN_PING,
    COLUMN_CLOSE,
    COLUMN_END,
    COLUMN_DURATION,
    COLUMN_FINDINGS,
    COLUMN_COUNT
};

#define TO_SERVER "\xe2\x86\x92" /* arrows as in the Info column */
#define TO_CLIENT "\xe2\x86\x90"
#define ELLIPSIS "\xe2\x80\xa6"

static const struct {
    stat_tap_table_item_enum type;
    const char *title;        /* of tshark: table_title tells what is behind it */
    const char *window_title; /* of others; NULL: the same */
    const char *format;
    bool left;
    unsigned floor;        /* tshark shortens its values to no less; 0: never */
    unsigned window_shown; /* columns that a window has of a value; 0: all */
} kinds[COLUMN_COUNT] = {
    [COLUMN_STREAM] = {TABLE_ITEM_UINT, "Stream", .format = "u"},
    [COLUMN_START] = {TABLE_ITEM_FLOAT, "Start", "Start (s)", ".3f"},
    /* 21: any IPv4 address with its port */
    [COLUMN_CLIENT] = {TABLE_ITEM_STRING, "Client", NULL, "s", true, 21, 30},
    [COLUMN_SERVER] = {TABLE_ITEM_STRING, "Server", NULL, "s", true, 21, 30},
    [COLUMN_URI] = {TABLE_ITEM_STRING, "URI", NULL, "s", true, 20, 40},
    [COLUMN_SUBPROTOCOL] = {TABLE_ITEM_STRING, "Subprotocol", NULL, "s", true, 11, 20},
    [COLUMN_PACKETS] = {TABLE_ITEM_UINT, "Pkts", "Packets", "u"},
    [COLUMN_MESSAGES_C2S] = {TABLE_ITEM_UINT, "Msgs " TO_SERVER, NULL, "u"},
    [COLUMN_BYTES_C2S] = {TABLE_ITEM_UINT, "Bytes " TO_SERVER, .format = "u"},
    [COLUMN_MESSAGES_S2C] = {TABLE_ITEM_UINT, "Msgs " TO_CLIENT, NULL, "u"},
    [COLUMN_BYTES_S2C] = {TABLE_ITEM_UINT, "Bytes " TO_CLIENT, .format = "u"},
    [COLUMN_COMPRESSION] = {TABLE_ITEM_STRING, "Saved", "Deflate saved", "s"},
    [COLUMN_PING] = {TABLE_ITEM_STRING, "Ping", "Ping min/avg/max (ms)", "s"},
    [COLUMN_CLOSE] = {TABLE_ITEM_STRING, "Closed by", NULL, "s", true},
    [COLUMN_END] = {TABLE_ITEM_STRING, "End", NULL, "s", true},
    [COLUMN_DURATION] = {TABLE_ITEM_FLOAT, "Duration", "Duration (s)", ".3f"},
    [COLUMN_FINDINGS] = {TABLE_ITEM_UINT, "Findings", .format = "u"},
};

static const char table_title[] =
    "WebSocket connections (" TO_SERVER " from the client, " TO_CLIENT
    " from the server; Start and Duration in s, Ping min/avg/max in ms; Saved by compression)";

/* What Wireshark reads; tshark's are made as wide as their values before it draws. */
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

static void put_float(stat_tap_table *table, unsigned row, enum column column, double value) {
    cell(table, row, column)->value.float_value = value;
}

/* A number cell holds 32 bits: with more in one, its column becomes one of floating numbers, which
 * windows of 4.0 draw with six decimals. */
static void put_bytes(stat_tap_table *table, unsigned row, enum column column, uint64_t value) {
    stat_tap_table_item *layout = &columns[column];
    for (unsigned i = 0; value > UINT_MAX && i < table->num_elements; i++) {
        stat_tap_table_item_type *item = cell(table, i, column);
        if (item->type == TABLE_ITEM_UINT)
            item->value.float_value = (double)item->value.uint_value;
        item->type = layout->type = TABLE_ITEM_FLOAT;
        layout->field_format = "%.0f";
    }
    if (cell(table, row, column)->type == TABLE_ITEM_FLOAT)
        put_float(table, row, column, (double)value);
    else
        put_uint(table, row, column, value);
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
        cells[i].type = columns[i].type;
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

static bool is_window(void) { return g_strcmp0(g_get_prgname(), "wireshark") == 0; }

/* Three digits that count, of what is below a second. For g_free. */
static char *milliseconds(int64_t ns) {
    double ms = (double)ns / 1e6;
    int decimals = ms < 0.9995 ? 3 : ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0;
    return g_strdup_printf("%.*f", decimals, ms);
}

static char *ping_words(const struct sums *sums) {
    if (!sums->pings)
        return g_strdup("");
    char *min = milliseconds(sums->ping_min), *max = milliseconds(sums->ping_max);
    char *avg = milliseconds(sums->ping_sum / sums->pings);
    char *words = g_strdup_printf("%s/%s/%s", min, avg, max);
    g_free(min);
    g_free(avg);
    g_free(max);
    return words;
}

/* Less than nothing is saved when compression makes it longer. */
static char *compression(const struct sums *sums) {
    double length = (double)sums->inflated, wire = (double)sums->wire;
    if (sums->inflated)
        return g_strdup_printf("%.1f%%", 100.0 * (length - wire) / length);
    return g_strdup(sums->session->deflate ? "unused" : "");
}

static char *close_words(const struct sums *sums) {
    if (!sums->closed)
        return g_strdup("");
    if (sums->close_code < 0)
        return g_strdup(wsx_sender(sums->closer));
    return g_strdup_printf("%s %d", wsx_sender(sums->closer), sums->close_code);
}

static unsigned width_of(const char *text) {
    unsigned width = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        width += g_unichar_iswide(c) ? 2 : !g_unichar_iszerowidth(c);
    }
    return width;
}

/* Without its middle when it is wider than `width`: both ends tell more. For g_free. */
static char *shortened(const char *text, unsigned width) {
    if (width_of(text) <= width)
        return g_strdup(text);
    unsigned front = width / 2, back = width - front - 1;
    const char *head = text, *tail = text;
    for (; front; head = g_utf8_next_char(head)) {
        unsigned taken = g_unichar_iswide(g_utf8_get_char(head)) ? 2 : 1;
        if (taken > front)
            break;
        front -= taken;
    }
    while (width_of(tail) > back)
        tail = g_utf8_next_char(tail);
    return g_strdup_printf("%.*s" ELLIPSIS "%s", (int)(head - text), text, tail);
}

/* What a peer or an address says, or NULL. */
static void put_words(stat_tap_table *table, unsigned row, enum column column, const char *words) {
    char *text = wsx_taps_shown(words ? words : "", UINT_MAX);
    if (is_window() && kinds[column].window_shown) {
        char *whole = text;
        text = shortened(whole, kinds[column].window_shown);
        g_free(whole);
    }
    put_text(table, row, column, text);
}

/* The cells of a row, from what is known now. */
static void fill(stat_tap_table *table, unsigned row) {
    const struct sums *sums = sums_of(table, row);
    const struct wsx_session *session = sums->session;
    int64_t start = session->request_packet ? session->request_time : session->open_time;
    put_uint(table, row, COLUMN_STREAM, session->number);
    put_float(table, row, COLUMN_START, (double)(start - capture_begin) / 1e9);
    put_words(table, row, COLUMN_CLIENT, wsx_end_text(&session->client));
    put_words(table, row, COLUMN_SERVER, wsx_end_text(&session->server));
    put_words(table, row, COLUMN_URI, session->uri);
    put_words(table, row, COLUMN_SUBPROTOCOL, session->subprotocol);
    put_uint(table, row, COLUMN_PACKETS, session->packets);
    put_uint(table, row, COLUMN_MESSAGES_C2S, sums->messages[WSX_CLIENT_TO_SERVER]);
    put_bytes(table, row, COLUMN_BYTES_C2S, sums->bytes[WSX_CLIENT_TO_SERVER]);
    put_uint(table, row, COLUMN_MESSAGES_S2C, sums->messages[WSX_SERVER_TO_CLIENT]);
    put_bytes(table, row, COLUMN_BYTES_S2C, sums->bytes[WSX_SERVER_TO_CLIENT]);
    put_text(table, row, COLUMN_COMPRESSION, compression(sums));
    put_text(table, row, COLUMN_PING, ping_words(sums));
    put_text(table, row, COLUMN_CLOSE, close_words(sums));
    put_words(table, row, COLUMN_END, wsx_cause_name(sums->cause));
    put_float(table, row, COLUMN_DURATION, (double)(session->last_time - start) / 1e9);
    put_uint(table, row, COLUMN_FINDINGS, sums->findings);
}

/* ---- tshark's layout, before it draws ---- */

static int by_number(const void *a, const void *b) {
    const stat_tap_table_item_type *const *x = a, *const *y = b;
    unsigned m = (*x)[COLUMN_STREAM].value.uint_value, n = (*y)[COLUMN_STREAM].value.uint_value;
    return m < n ? -1 : m > n;
}

/* printf counts bytes, and the values are UTF-8. For g_free. */
static char *padded(const char *text, unsigned width, bool left) {
    int missing = (int)(width - MIN(width_of(text), width));
    return left ? g_strdup_printf("%s%*s", text, missing, "")
                : g_strdup_printf("%*s%s", missing, "", text);
}

static unsigned cell_width(const stat_tap_table_item_type *item, enum column column) {
    if (item->type == TABLE_ITEM_STRING)
        return width_of(item->value.string_value);
    char *text = item->type == TABLE_ITEM_UINT
                     ? g_strdup_printf(columns[column].field_format, item->value.uint_value)
                     : g_strdup_printf(columns[column].field_format, item->value.float_value);
    unsigned width = (unsigned)strlen(text);
    g_free(text);
    return width;
}

static unsigned column_width(stat_tap_table *table, enum column column) {
    unsigned width = width_of(kinds[column].title);
    for (unsigned row = 0; row < table->num_elements; row++)
        width = MAX(width, cell_width(cell(table, row, column), column));
    return width;
}

/* Takes from the column that is the furthest above its floor until a row fits, or none is above. */
static void fit(unsigned widths[COLUMN_COUNT]) {
    unsigned total = COLUMN_COUNT * BAR_WIDTH;
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        total += widths[i];
    for (; total > SHOWN_MAX; total--) {
        unsigned widest = COLUMN_COUNT, excess = 0;
        for (unsigned i = 0; i < COLUMN_COUNT; i++)
            if (kinds[i].floor && widths[i] > kinds[i].floor + excess) {
                excess = widths[i] - kinds[i].floor;
                widest = i;
            }
        if (widest == COLUMN_COUNT)
            return;
        widths[widest]--;
    }
}

static void lay_out_column(stat_tap_table *table, enum column column, unsigned width) {
    stat_tap_table_item *layout = &columns[column];
    layout->column_name = padded(kinds[column].title, width, kinds[column].left);
    if (layout->type != TABLE_ITEM_STRING) {
        layout->field_format = g_strdup_printf("%%%u%s", width, layout->field_format + 1);
        return;
    }
    for (unsigned row = 0; row < table->num_elements; row++) {
        char *text = shortened(cell(table, row, column)->value.string_value, width);
        put_text(table, row, column, padded(text, width, kinds[column].left));
        g_free(text);
    }
}

static void lay_out(void *data) {
    stat_tap_table *table = data;
    unsigned widths[COLUMN_COUNT];
    for (unsigned row = 0; row < table->num_elements; row++)
        fill(table, row);
    if (table->num_elements)
        qsort(table->elements, table->num_elements, sizeof *table->elements, by_number);
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        widths[i] = column_width(table, i);
    fit(widths);
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        lay_out_column(table, i, widths[i]);
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
                           const struct wsx_handshakes *handshakes) {
    for (unsigned i = 0; i < handshakes->count; i++)
        fill(table, row_of(table, handshakes->sessions[i]));
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
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    nstime_t begin;
    wsx_state_tap_ran();
    if (!table->num_elements)
        wsx_taps_before_drawing(filtered ? NULL : at_eof, lay_out, table);
    nstime_delta(&begin, &pinfo->abs_ts, &pinfo->rel_ts);
    capture_begin = (int64_t)begin.secs * 1000000000 + begin.nsecs;
    wsx_taps_findings(packet, pinfo, count_finding, table);
    for (unsigned i = 0; i < handshakes.count; i++)
        row_of(table, handshakes.sessions[i]);
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        take_item(table, wmem_array_index(packet->items, i), pinfo);
    if (!wsx_taps_draw_once())
        fill_of_packet(table, packet, &handshakes);
    return TAP_PACKET_REDRAW;
}

/* ---- registration ---- */

static void on_init(stat_tap_table_ui *ui) {
    static bool called;
    stat_tap_table *table = stat_tap_find_table(ui, table_title);
    if (called && wsx_taps_draw_once()) {
        /* tshark has one table for all of them, in which each would count */
        fprintf(stderr, "tshark: -z websocket,connections: it can be given once\n");
        exit(1);
    }
    several_tables = called;
    called = true;
    if (table) {
        on_reset(table);
        return;
    }
    table = stat_tap_init_table(table_title, COLUMN_COUNT, 0, NULL);
    stat_tap_add_table(ui, table);
}

static void see_filter(const char *argument _U_, const char **filter, char **error _U_) {
    filtered = *filter && **filter;
}

/* A window makes a column as wide as its title, and then draws the arrow of a sorted column over
 * it. For ever. */
static const char *title_of(enum column column) {
    const char *title = kinds[column].window_title;
    if (wsx_taps_draw_once() || !title)
        title = kinds[column].title;
    if (!is_window())
        return title;
    return g_strdup_printf(kinds[column].left ? "%s    " : "    %s", title);
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
    row_hints = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (unsigned i = 0; i < COLUMN_COUNT; i++)
        columns[i] =
            (stat_tap_table_item){.type = kinds[i].type,
                                  .align = kinds[i].left ? TAP_ALIGN_LEFT : TAP_ALIGN_RIGHT,
                                  .column_name = title_of(i),
                                  .field_format = g_strdup_printf("%%%s", kinds[i].format)};
    register_stat_tap_table_ui(&ui);
}
