/*
 * har.c - `-z websocket,har,FILE`: an HTTP Archive 1.2 with one entry a connection, its messages in
 * `_webSocketMessages` as browsers write them. Control frames are none of a browser's messages:
 * they, the end and the findings are told in `_wsx`.
 *
 * An archive has the messages connection by connection, a capture has them mixed: what is written
 * of a connection waits in a temporary file, so that memory does not grow with the messages.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/compat.h"
#include "epan/info.h"
#include "epan/state.h"
#include "json.h"
#include "taps.h"

#include <stdlib.h>

/* Of a connection's text so much waits in memory. */
#define PENDING_MAX (16u << 10)
/* What is copied at a time from the temporary file. */
#define COPY_SIZE (64u << 10)
/* Stands for a value that is not kept, or not told. */
#define HIDDEN "(hidden)"

struct chunk {
    long offset;
    size_t length;
};

/* What is known of one connection. */
struct entry {
    GString *pending; /* its messages' text, not yet in the temporary file */
    GArray *chunks;   /* struct chunk, in order */
    GString *closes;
    bool any;
    uint32_t pings, pongs, other_frames;
    uint32_t rules[WSX_RULE_COUNT]; /* items that break each */
};

struct archive {
    FILE *out, *waiting;
    char *name;
    GHashTable *entries; /* connection's number + 1 to struct entry */
};

G_GNUC_NORETURN static void fail(const struct archive *archive) {
    wsx_taps_cannot_write("websocket,har", archive->name);
}

/* ---- collecting ---- */

static void entry_free(void *data) {
    struct entry *entry = data;
    g_string_free(entry->pending, TRUE);
    g_string_free(entry->closes, TRUE);
    g_array_free(entry->chunks, TRUE);
    g_free(entry);
}

static struct entry *entry_of(struct archive *archive, const struct wsx_session *session) {
    gpointer number = GUINT_TO_POINTER(session->number + 1);
    struct entry *entry = g_hash_table_lookup(archive->entries, number);
    if (!entry) {
        entry = g_new0(struct entry, 1);
        entry->pending = g_string_new(NULL);
        entry->closes = g_string_new(NULL);
        entry->chunks = g_array_new(FALSE, FALSE, sizeof(struct chunk));
        g_hash_table_insert(archive->entries, number, entry);
    }
    return entry;
}

static void put_aside(struct archive *archive, struct entry *entry) {
    if (!archive->waiting && !(archive->waiting = tmpfile()))
        return; /* then it stays in memory */
    struct chunk chunk = {ftell(archive->waiting), entry->pending->len};
    if (chunk.offset < 0 ||
        fwrite(entry->pending->str, 1, chunk.length, archive->waiting) != chunk.length)
        fail(archive);
    g_array_append_val(entry->chunks, chunk);
    g_string_free(entry->pending, TRUE);
    entry->pending = g_string_new(NULL);
}

static const char *type_of(enum wsx_direction direction) {
    return direction == WSX_CLIENT_TO_SERVER ? "send" : "receive";
}

static void add_message(struct archive *archive, struct entry *entry, const struct wsx_item *item,
                        packet_info *pinfo, int64_t time) {
    const struct wsx_message *message = item->message;
    const uint8_t *bytes = wsx_item_message(item, pinfo, message->have);
    GString *out = entry->pending;
    g_string_append_printf(out, "%s{\"type\":\"%s\",\"time\":", entry->any ? ",\n" : "\n",
                           type_of(message->direction));
    entry->any = true;
    wsx_put_seconds(out, time, item->session->time_digits);
    g_string_append_printf(
        out, ",\"opcode\":%d,\"data\":", message->text ? WSX_OPCODE_TEXT : WSX_OPCODE_BINARY);
    bool text = message->text && message->utf8 && !message->raw;
    if (text)
        wsx_put_string(out, (const char *)bytes, message->have);
    else
        wsx_put_base64(out, bytes, message->have);
    if (message->text && !text)
        g_string_append(out, ",\"_encoding\":\"base64\"");
    if (message->incomplete)
        g_string_append(out, ",\"_incomplete\":true");
    if (message->raw)
        g_string_append(out, ",\"_compressed\":true");
    g_string_append_c(out, '}');
    if (out->len > PENDING_MAX)
        put_aside(archive, entry);
}

/* U+0000 is a character as others are. */
static void put_reason(GString *out, const uint8_t *bytes, size_t length) {
    struct wsx_utf8 utf8 = {0};
    if (wsx_utf8_feed(&utf8, bytes, length) && wsx_utf8_complete(&utf8)) {
        wsx_put_string(out, (const char *)bytes, length);
        return;
    }
    char *valid = g_utf8_make_valid((const char *)bytes, (gssize)length);
    wsx_put_string(out, valid, strlen(valid));
    g_free(valid);
}

static void add_close(struct entry *entry, const struct wsx_item *item, packet_info *pinfo,
                      int64_t time) {
    GString *out = entry->closes;
    g_string_append_printf(out, "%s{\"type\":\"%s\",\"time\":", out->len ? "," : "",
                           type_of(item->direction));
    wsx_put_seconds(out, time, item->session->time_digits);
    if (item->have >= 2) {
        const uint8_t *body = wsx_item_payload(item, pinfo, item->have);
        g_string_append_printf(out, ",\"code\":%u,\"reason\":", (unsigned)body[0] << 8 | body[1]);
        put_reason(out, body + 2, item->have - 2);
    }
    g_string_append_c(out, '}');
}

static void add_item(struct archive *archive, const struct wsx_item *item, packet_info *pinfo,
                     int64_t time) {
    struct entry *entry = entry_of(archive, item->session);
    if (item->kind == WSX_KIND_END)
        return; /* its findings stay with the connection */
    for (unsigned i = 0; i < item->rule_count; i++)
        entry->rules[item->rules[i]]++;
    if (item->message)
        add_message(archive, entry, item, pinfo, time);
    else if (item->kind != WSX_KIND_FRAME || item->item == WSX_ITEM_FRAGMENT)
        return;
    else if (item->item == WSX_ITEM_CLOSE)
        add_close(entry, item, pinfo, time);
    else if (item->item == WSX_ITEM_PING)
        entry->pings++;
    else if (item->item == WSX_ITEM_PONG)
        entry->pongs++;
    else
        entry->other_frames++;
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    const struct wsx_packet *packet = queued;
    int64_t time = (int64_t)pinfo->abs_ts.secs * 1000000000 + pinfo->abs_ts.nsecs;
    wsx_state_tap_ran();
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        add_item(data, wmem_array_index(packet->items, i), pinfo, time);
    return TAP_PACKET_DONT_REDRAW;
}

/* ---- parts of an entry ---- */

static void key(GString *out, const char *name) {
    char last = out->len ? out->str[out->len - 1] : '{';
    if (last != '{' && last != '[')
        g_string_append_c(out, ',');
    g_string_append_printf(out, "\"%s\":", name);
}

static void put_text(GString *out, const char *name, const char *text) {
    key(out, name);
    wsx_put_text(out, text ? text : "");
}

static void put_number(GString *out, const char *name, int64_t value) {
    key(out, name);
    g_string_append_printf(out, "%" G_GINT64_FORMAT, value);
}

static void put_ms(GString *out, const char *name, int64_t ns) {
    key(out, name);
    ns = MAX(ns, 0);
    g_string_append_printf(out, "%" G_GINT64_FORMAT ".%06d", ns / 1000000, (int)(ns % 1000000));
}

static void put_date(GString *out, const char *name, int64_t ns, int digits) {
    GDateTime *date = g_date_time_new_from_unix_utc(ns / 1000000000);
    char *seconds = date ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%S") : NULL;
    key(out, name);
    g_string_append_printf(out, "\"%s", seconds ? seconds : "1970-01-01T00:00:00");
    if (digits) {
        char fraction[16];
        g_snprintf(fraction, sizeof fraction, "%09d", (int)(ns % 1000000000));
        g_string_append_printf(out, ".%.*s", digits, fraction);
    }
    g_string_append(out, "Z\"");
    g_free(seconds);
    if (date)
        g_date_time_unref(date);
}

static void put_pair(GString *out, const char *name, const char *value) {
    char last = out->str[out->len - 1];
    g_string_append_printf(out, "%s{", last == '[' ? "" : ",");
    put_text(out, "name", name);
    put_text(out, "value", value);
    g_string_append_c(out, '}');
}

/* A header that was sent. */
static void put_header(GString *out, const char *name, const char *value) {
    if (value)
        put_pair(out, name, value);
}

/* The same; takes the value. */
static void put_told_header(GString *out, const char *name, char *value) {
    put_header(out, name, value);
    g_free(value);
}

/* offered: the request's subprotocols, for an answer. */
static void put_headers(GString *out, const struct wsx_head *head, const char *offered) {
    bool pseudo = head->http != WSX_HTTP_1;
    key(out, "headers");
    g_string_append_c(out, '[');
    if (pseudo && head->request) {
        put_header(out, ":method", head->method);
        put_header(out, ":protocol", head->protocol_pseudo);
        put_header(out, ":scheme", head->scheme);
        put_told_header(out, ":path", wsx_told_uri(head->target));
    } else if (pseudo && head->status) {
        char status[16];
        g_snprintf(status, sizeof status, "%u", head->status);
        put_header(out, ":status", status);
    }
    put_header(out, pseudo ? ":authority" : "Host", head->host);
    put_header(out, "Upgrade", head->upgrade);
    put_header(out, "Connection", head->connection);
    put_header(out, "Origin", head->origin);
    put_header(out, "User-Agent", head->user_agent);
    put_header(out, "Sec-WebSocket-Key", head->key);
    put_header(out, "Sec-WebSocket-Accept", head->accept);
    put_header(out, "Sec-WebSocket-Version", head->version);
    put_told_header(out, "Sec-WebSocket-Protocol", wsx_told_subprotocols(head->protocol, offered));
    put_header(out, "Sec-WebSocket-Extensions", head->extensions);
    if (head->has_cookie)
        put_header(out, "Cookie", HIDDEN); /* never kept */
    if (head->has_authorization)
        put_header(out, "Authorization", HIDDEN);
    g_string_append_c(out, ']');
}

static void put_query(GString *out, const char *uri) {
    const char *question = uri ? strchr(uri, '?') : NULL;
    char *query =
        g_strndup(question ? question + 1 : "", question ? strcspn(question + 1, "#") : 0);
    char **parameters = g_strsplit(query, "&", -1);
    key(out, "queryString");
    g_string_append_c(out, '[');
    for (char **p = parameters; *p; p++) {
        char *value = strchr(*p, '=');
        if (!**p)
            continue;
        if (value)
            *value++ = '\0';
        put_pair(out, *p, value ? value : "");
    }
    g_string_append_c(out, ']');
    g_strfreev(parameters);
    g_free(query);
}

static char *http_version(const struct wsx_head *head, enum wsx_http_version http) {
    if (http != WSX_HTTP_1)
        return g_strdup(http == WSX_HTTP_2 ? "HTTP/2" : "HTTP/3");
    if (head->major)
        return g_strdup_printf("HTTP/%u.%u", head->major, head->minor);
    return g_strdup("HTTP/1.1");
}

static void put_http_version(GString *out, const struct wsx_head *head,
                             enum wsx_http_version http) {
    char *version = http_version(head, http);
    put_text(out, "httpVersion", version);
    g_free(version);
}

/* Where no request was captured, the address has to do. */
static char *url_of(const struct wsx_session *session) {
    if (session->uri)
        return wsx_told_uri(session->uri);
    return g_strdup_printf("%s://%s/", session->encrypted ? "wss" : "ws",
                           wsx_end_text(&session->server));
}

static void put_request(GString *out, const struct wsx_session *session) {
    const struct wsx_head *head = &session->request;
    char *url = url_of(session);
    key(out, "request");
    g_string_append_c(out, '{');
    put_text(out, "method", head->method ? head->method : "GET");
    put_text(out, "url", url);
    put_http_version(out, head, session->http);
    put_headers(out, head, NULL);
    put_query(out, url);
    g_string_append(out, ",\"cookies\":[],\"headersSize\":-1,\"bodySize\":0}");
    g_free(url);
}

static void put_response(GString *out, const struct wsx_session *session) {
    const struct wsx_head *head = &session->response;
    key(out, "response");
    g_string_append_c(out, '{');
    put_number(out, "status", session->status);
    put_text(out, "statusText", head->reason);
    put_http_version(out, head, session->http);
    put_headers(out, head, session->request.protocol);
    g_string_append(out, ",\"cookies\":[],\"content\":{\"size\":0,\"mimeType\":\"x-unknown\"},"
                         "\"redirectURL\":\"\",\"headersSize\":-1,\"bodySize\":-1}");
}

static void put_times(GString *out, const struct wsx_session *session) {
    int64_t answer = session->response_packet ? session->response_time : session->open_time;
    int64_t begin = session->request_packet ? session->request_time : answer;
    int64_t end = session->end_packet ? session->end_time : session->last_time;
    answer = answer ? answer : end;
    put_date(out, "startedDateTime", begin, session->time_digits);
    put_ms(out, "time", MAX(answer - begin, 0) + MAX(end - answer, 0));
    key(out, "timings");
    g_string_append(out, "{\"blocked\":-1,\"dns\":-1,\"connect\":-1,\"ssl\":-1,\"send\":0");
    put_ms(out, "wait", answer - begin);
    put_ms(out, "receive", end - answer);
    g_string_append(out, "},\"cache\":{}");
}

/* The address of "address:port", without brackets. */
static void put_server(GString *out, const char *server) {
    const char *colon = strrchr(server, ':');
    bool brackets = *server == '[';
    const char *begin = server + brackets;
    char *address = g_strndup(begin, (size_t)(colon - begin) - brackets);
    put_text(out, "serverIPAddress", address);
    g_free(address);
}

static void count_once(bool seen[WSX_RULE_COUNT], const struct wsx_finding *findings) {
    for (; findings; findings = findings->next)
        seen[findings->rule] = true;
}

static void add_seen(struct entry *entry, const bool seen[WSX_RULE_COUNT]) {
    for (int rule = 0; rule < WSX_RULE_COUNT; rule++)
        entry->rules[rule] += seen[rule];
}

/* How many lines of the JSON Lines name each rule. */
static void put_rules(GString *out, struct entry *entry, const struct wsx_session *session) {
    bool open[WSX_RULE_COUNT] = {0}, end[WSX_RULE_COUNT] = {0};
    count_once(open, session->request_findings);
    count_once(open, session->response_findings);
    count_once(end, session->end_findings);
    add_seen(entry, open);
    add_seen(entry, end);
    key(out, "rules");
    g_string_append_c(out, '{');
    for (int rule = 0; rule < WSX_RULE_COUNT; rule++)
        if (entry->rules[rule])
            put_number(out, wsx_rule_info((enum wsx_rule)rule)->id, entry->rules[rule]);
    g_string_append_c(out, '}');
}

static void put_more(GString *out, struct entry *entry, const struct wsx_session *session) {
    key(out, "_wsx");
    g_string_append_c(out, '{');
    put_number(out, "stream", session->number);
    if (session->request_packet)
        put_number(out, "request_packet", session->request_packet);
    if (session->response_packet)
        put_number(out, "response_packet", session->response_packet);
    if (session->cause)
        put_text(out, "end", wsx_cause_name(session->cause));
    key(out, "closes");
    g_string_append_printf(out, "[%s]", entry->closes->str);
    put_number(out, "pings", entry->pings);
    put_number(out, "pongs", entry->pongs);
    put_number(out, "other_frames", entry->other_frames);
    put_rules(out, entry, session);
    g_string_append_c(out, '}');
}

/* ---- writing ---- */

static void write_text(const struct archive *archive, const GString *text) {
    if (fwrite(text->str, 1, text->len, archive->out) != text->len)
        fail(archive);
}

static void write_chunk(const struct archive *archive, struct chunk chunk) {
    char *buffer = g_malloc(COPY_SIZE);
    if (fseek(archive->waiting, chunk.offset, SEEK_SET))
        fail(archive);
    while (chunk.length) {
        size_t length = MIN(chunk.length, COPY_SIZE);
        if (fread(buffer, 1, length, archive->waiting) != length ||
            fwrite(buffer, 1, length, archive->out) != length)
            fail(archive);
        chunk.length -= length;
    }
    g_free(buffer);
}

/* HAR 1.2 allows either side's port as "connection"; Chromium reads it as the server's, and shows
 * _connectionId as the connection. */
static void put_connection(GString *out, const struct wsx_session *session) {
    char number[16];
    g_snprintf(number, sizeof number, "%u", session->server.port);
    put_text(out, "connection", number);
    g_snprintf(number, sizeof number, "%u", session->transport_stream);
    put_text(out, "_connectionId", number);
}

static void write_entry(struct archive *archive, const struct wsx_session *session) {
    struct entry *entry = entry_of(archive, session);
    GString *out = g_string_new(session->number ? ",\n{" : "\n{");
    put_times(out, session);
    put_request(out, session);
    put_response(out, session);
    put_server(out, wsx_end_text(&session->server));
    put_connection(out, session);
    put_text(out, "_resourceType", "websocket");
    if (session->midstream)
        put_text(out, "comment",
                 session->request_packet ? "the answer to the request was not captured"
                                         : "the opening handshake was not captured");
    put_more(out, entry, session);
    g_string_append(out, ",\"_webSocketMessages\":[");
    write_text(archive, out);
    for (guint i = 0; i < entry->chunks->len; i++)
        write_chunk(archive, g_array_index(entry->chunks, struct chunk, i));
    write_text(archive, entry->pending);
    g_string_assign(out, "]}");
    write_text(archive, out);
    g_string_free(out, TRUE);
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo, void *data) {
    add_item(data, item, pinfo, item->session->last_time);
}

/* tshark calls this once, at the end of the file. */
static void on_draw(void *data) {
    struct archive *archive = data;
    wsx_state_at_eof(at_eof, archive);
    fprintf(archive->out,
            "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"wsx\",\"version\":\"%s\"},"
            "\"pages\":[],\"entries\":[",
            PLUGIN_VERSION);
    for (unsigned i = 0; i < wsx_state_session_count(); i++)
        write_entry(archive, wsx_state_session(i));
    fprintf(archive->out, "\n]}}\n");
    if (ferror(archive->out) || fflush(archive->out))
        fail(archive);
}

static void on_reset(void *data) {
    struct archive *archive = data;
    g_hash_table_remove_all(archive->entries);
}

static WSX_STAT_RETURN har_init(const char *argument, void *user _U_) {
    const char *rest = argument + strlen("websocket,har");
    if (*rest != ',' || !rest[1]) {
        fprintf(stderr, "tshark: -z websocket,har,FILE: \"%s\" is not understood\n", argument);
        exit(1);
    }
    struct archive *archive = g_new0(struct archive, 1);
    archive->name = g_strdup(rest + 1);
    archive->out = strcmp(archive->name, "-") == 0 ? stdout : fopen(archive->name, "wb");
    if (!archive->out)
        fail(archive);
    archive->entries = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, entry_free);
    GString *error =
        register_tap_listener("websocket", archive, NULL, 0, on_reset, on_packet, on_draw, NULL);
    if (error) {
        fprintf(stderr, "tshark: -z websocket,har: %s\n", error->str);
        exit(1);
    }
    WSX_STAT_OK;
}

void wsx_tap_har_register(void) {
    static stat_tap_ui ui = {
        REGISTER_STAT_GROUP_GENERIC, "WebSocket HTTP Archive", "websocket,har", har_init, 0, NULL};
    register_stat_tap_ui(&ui, NULL);
}
