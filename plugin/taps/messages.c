/*
 * messages.c - `-z websocket,messages[,FILE[,FILTER]]`: one JSON object a line, as things complete.
 * Reads records, writes text; keeps nothing but which connections it has written.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "epan/compat.h"
#include "epan/info.h"
#include "epan/state.h"
#include "epan/transport.h"
#include "json.h"
#include "taps.h"

#include <errno.h>

#include <stdlib.h>

/* A line's buffer above this is given back. */
#define LINE_IDLE_MAX (1u << 20)

struct writer {
    FILE *out;
    char *name; /* of the file, "-": standard output */
    GString *line;
    GHashTable *opened; /* numbers + 1 of the connections whose "open" was written */
    GHashTable *ended;  /* and whose "end" */
    bool filtered;      /* a display filter chooses packets */
};

G_GNUC_NORETURN static void fail(const struct writer *writer) {
    wsx_taps_cannot_write("websocket,messages", writer->name);
}

/* ---- JSON ---- */

static void key(GString *line, const char *name) { g_string_append_printf(line, ",\"%s\":", name); }

static void put_number(GString *line, const char *name, uint64_t value) {
    g_string_append_printf(line, ",\"%s\":%" G_GUINT64_FORMAT, name, value);
}

static void put_text(GString *line, const char *name, const char *text) {
    if (!text)
        return;
    key(line, name);
    wsx_put_text(line, text);
}

/* Takes the text. */
static void put_told(GString *line, const char *name, char *text) {
    put_text(line, name, text);
    g_free(text);
}

static void put_true(GString *line, const char *name) {
    g_string_append_printf(line, ",\"%s\":true", name);
}

static void put_base64(GString *line, const uint8_t *bytes, size_t length) {
    key(line, "base64");
    wsx_put_base64(line, bytes, length);
}

static void put_seconds(GString *line, const char *name, int64_t ns, int digits) {
    key(line, name);
    wsx_put_seconds(line, ns, digits);
}

/* Each rule once, in the order of their first finding. */
struct rule_list {
    bool seen[WSX_RULE_COUNT];
    bool any;
};

static void put_rule(GString *line, struct rule_list *list, enum wsx_rule rule) {
    if (list->seen[rule])
        return;
    list->seen[rule] = true;
    g_string_append(line, list->any ? "," : ",\"rules\":[");
    g_string_append_printf(line, "\"%s\"", wsx_rule_info(rule)->id);
    list->any = true;
}

static void put_rules(GString *line, struct rule_list *list, const struct wsx_finding *findings) {
    for (; findings; findings = findings->next)
        put_rule(line, list, findings->rule);
}

static void end_rules(GString *line, const struct rule_list *list) {
    if (list->any)
        g_string_append_c(line, ']');
}

static void put_item_rules(GString *line, const struct wsx_item *item) {
    struct rule_list list = {0};
    for (unsigned i = 0; i < item->rule_count; i++)
        put_rule(line, &list, item->rules[i]);
    end_rules(line, &list);
}

static void begin(struct writer *writer, const char *kind, const struct wsx_session *session,
                  uint32_t packet, int64_t time) {
    g_string_printf(writer->line, "{\"kind\":\"%s\",\"stream\":%u,\"packet\":%u", kind,
                    session->number, packet);
    put_seconds(writer->line, "time", time, session->time_digits);
}

static void end(struct writer *writer) {
    g_string_append(writer->line, "}\n");
    bool written =
        fwrite(writer->line->str, 1, writer->line->len, writer->out) == writer->line->len &&
        !fflush(writer->out);
    if (!written && errno != EPIPE) /* a reader that goes, as head does, has seen enough */
        fail(writer);
    if (writer->line->allocated_len > LINE_IDLE_MAX) { /* long lines are rare */
        g_string_free(writer->line, TRUE);
        writer->line = g_string_new(NULL);
    }
}

/* ---- items ---- */

static void write_open(struct writer *writer, const struct wsx_session *session) {
    static const char *const versions[] = {
        [WSX_HTTP_1] = "1.1", [WSX_HTTP_2] = "2", [WSX_HTTP_3] = "3"};
    if (!g_hash_table_add(writer->opened, GUINT_TO_POINTER(session->number + 1)))
        return;
    GString *line = writer->line;
    struct rule_list rules = {0};
    bool answered = session->open_packet != 0;
    begin(writer, "open", session, answered ? session->open_packet : session->request_packet,
          answered ? session->open_time : session->request_time);
    put_text(line, "client", wsx_end_text(&session->client));
    put_text(line, "server", wsx_end_text(&session->server));
    if (session->request_packet || session->response_packet)
        put_text(line, "http", versions[session->http]);
    put_number(line, "transport_stream", session->transport_stream);
    if (session->http != WSX_HTTP_1)
        put_number(line, "stream_id", session->stream_id);
    put_told(line, "uri", wsx_told_uri(session->uri));
    put_told(line, "subprotocol",
             wsx_told_subprotocols(session->subprotocol, session->request.protocol));
    put_text(line, "extensions", session->extensions);
    if (session->status)
        put_number(line, "status", session->status);
    if (session->midstream)
        put_true(line, "midstream");
    put_rules(line, &rules, session->request_findings);
    put_rules(line, &rules, session->response_findings);
    end_rules(line, &rules);
    end(writer);
}

static void put_direction(GString *line, enum wsx_direction direction) {
    g_string_append_printf(line, ",\"dir\":\"%s\"",
                           direction == WSX_CLIENT_TO_SERVER ? "c2s" : "s2c");
}

/* ---- what rides on it ---- */

static void put_app_unit(GString *line, const struct wsx_app_unit *unit, int digits) {
    put_text(line, "type", unit->type);
    put_text(line, "name", unit->name);
    put_text(line, "id", unit->id);
    bool answer = unit->role == WSX_APP_ANSWER || unit->role == WSX_APP_PARTIAL;
    if (!answer || !unit->request)
        return;
    put_number(line, "answers", unit->request->packet);
    put_seconds(line, "rtt", unit->time - unit->request->time, digits);
}

/* One unit: its keys beside the protocol; several: a list of them. */
static void put_app(GString *line, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_app_message *app =
        item->message->incomplete ? NULL : wsx_app_message_of(item, pinfo);
    if (!app)
        return;
    unsigned count = wmem_array_get_count(app->units);
    int digits = item->session->time_digits;
    g_string_append(line, ",\"app\":{\"protocol\":");
    wsx_put_text(line, app->protocol);
    for (unsigned i = 0; i < count; i++) {
        const struct wsx_app_unit *unit = *(struct wsx_app_unit **)wmem_array_index(app->units, i);
        if (count == 1) {
            put_app_unit(line, unit, digits);
            break;
        }
        g_string_append(line, i ? ",{" : ",\"units\":[{");
        gsize at = line->len;
        put_app_unit(line, unit, digits);
        if (line->len > at)
            g_string_erase(line, (gssize)at, 1); /* the comma of its first key */
        g_string_append_c(line, '}');
    }
    g_string_append(line, count > 1 ? "]}" : "}");
}

static void write_message(struct writer *writer, const struct wsx_item *item, packet_info *pinfo,
                          int64_t time) {
    GString *line = writer->line;
    const struct wsx_message *message = item->message;
    const uint8_t *bytes = wsx_item_message(item, pinfo, message->have);
    begin(writer, message->text ? "text" : "binary", item->session, item->packet, time);
    put_direction(line, message->direction);
    put_number(line, "index", message->index);
    put_number(line, "first_packet", message->first_packet);
    put_number(line, "frames", message->frames);
    put_number(line, "wire_len", message->wire_length);
    if (message->length_known)
        put_number(line, "len", message->length);
    g_string_append_printf(line, ",\"compressed\":%s", message->compressed ? "true" : "false");
    if (message->incomplete) {
        put_true(line, "incomplete");
        put_number(line, "have", message->have);
    }
    if (message->raw)
        put_true(line, "raw");
    if (message->utf8 && !message->raw) {
        key(line, "text");
        wsx_put_string(line, (const char *)bytes, message->have);
    } else {
        put_base64(line, bytes, message->have);
    }
    put_app(line, item, pinfo);
    put_item_rules(line, item);
    end(writer);
}

static void put_close(GString *line, const struct wsx_item *item, const uint8_t *body) {
    if (item->have >= 2) {
        put_number(line, "code", (uint64_t)body[0] << 8 | body[1]);
        struct wsx_utf8 utf8 = {0};
        bool valid = wsx_utf8_feed(&utf8, body + 2, item->have - 2) && wsx_utf8_complete(&utf8);
        if (valid && item->have > 2) {
            key(line, "reason");
            wsx_put_string(line, (const char *)body + 2, item->have - 2);
        }
        if (valid)
            return;
    }
    if (item->have)
        put_base64(line, body, item->have);
}

static void write_frame(struct writer *writer, const struct wsx_item *item, packet_info *pinfo,
                        int64_t time) {
    static const char *const kinds[] = {[WSX_ITEM_STRAY] = "frame",
                                        [WSX_ITEM_PING] = "ping",
                                        [WSX_ITEM_PONG] = "pong",
                                        [WSX_ITEM_CLOSE] = "close"};
    GString *line = writer->line;
    const uint8_t *payload = wsx_item_payload(item, pinfo, item->have);
    begin(writer, kinds[item->item], item->session, item->packet, time);
    put_direction(line, item->direction);
    put_number(line, "index", item->index);
    if (item->item == WSX_ITEM_STRAY)
        put_number(line, "opcode", wsx_header_opcode(&item->header));
    put_number(line, "len", item->header.payload_length);
    if (item->have < item->header.payload_length) {
        put_true(line, "incomplete");
        put_number(line, "have", item->have);
    }
    if (item->item == WSX_ITEM_CLOSE)
        put_close(line, item, payload);
    else
        put_base64(line, payload, item->have);
    if (item->item == WSX_ITEM_PONG && item->answers)
        put_seconds(line, "rtt", item->answer_time, item->session->time_digits);
    put_item_rules(line, item);
    end(writer);
}

static void write_note(struct writer *writer, const struct wsx_item *item, int64_t time) {
    begin(writer, "note", item->session, item->packet, time);
    put_direction(writer->line, item->direction);
    if (item->missing)
        put_number(writer->line, "missing", item->missing);
    put_item_rules(writer->line, item);
    end(writer);
}

static void write_end(struct writer *writer, const struct wsx_session *session) {
    gpointer number = GUINT_TO_POINTER(session->number + 1);
    struct rule_list rules = {0};
    if (!g_hash_table_contains(writer->opened, number) || !g_hash_table_add(writer->ended, number))
        return;
    begin(writer, "end", session, session->end_packet, session->end_time);
    put_text(writer->line, "cause", wsx_cause_name(session->cause));
    put_rules(writer->line, &rules, session->end_findings);
    end_rules(writer->line, &rules);
    end(writer);
}

static void write_item(struct writer *writer, const struct wsx_item *item, packet_info *pinfo,
                       int64_t time) {
    write_open(writer, item->session);
    if (item->kind == WSX_KIND_END)
        write_end(writer, item->session);
    else if (item->kind == WSX_KIND_NOTE)
        write_note(writer, item, time);
    else if (item->message)
        write_message(writer, item, pinfo, time);
    else if (item->item != WSX_ITEM_FRAGMENT)
        write_frame(writer, item, pinfo, time);
}

/* ---- the tap ---- */

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    struct writer *writer = data;
    const struct wsx_packet *packet = queued;
    wsx_state_tap_ran();
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++) {
        const struct wsx_session *session = handshakes.sessions[i];
        if (session->response_packet == pinfo->num)
            write_open(writer, session);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        write_item(writer, wmem_array_index(packet->items, i), pinfo, wsx_state_time(pinfo));
    return TAP_PACKET_DONT_REDRAW;
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo, void *data) {
    struct writer *writer = data;
    bool listed =
        !writer->filtered ||
        g_hash_table_contains(writer->opened, GUINT_TO_POINTER(item->session->number + 1));
    if (listed && (!writer->filtered || item->kind == WSX_KIND_END))
        write_item(writer, item, pinfo, item->session->last_time);
}

/* tshark calls this once, at the end of the file. */
static void on_draw(void *data) {
    struct writer *writer = data;
    wsx_state_at_eof(at_eof, writer);
    /* those whose end a filter has hidden */
    for (unsigned i = 0; i < wsx_state_session_count(); i++)
        write_end(writer, wsx_state_session(i));
}

static void on_reset(void *data) {
    struct writer *writer = data;
    g_hash_table_remove_all(writer->opened);
    g_hash_table_remove_all(writer->ended);
}

static WSX_STAT_RETURN messages_init(const char *argument, void *user _U_) {
    const char *rest = argument + strlen("websocket,messages");
    if (*rest && *rest != ',') {
        fprintf(stderr, "tshark: -z websocket,messages[,FILE[,FILTER]]: \"%s\" is not understood\n",
                argument);
        exit(1);
    }
    char **parts = g_strsplit(*rest ? rest + 1 : "", ",", 2);
    const char *name = parts[0] ? parts[0] : "";
    const char *filter = parts[0] && parts[1] && *parts[1] ? parts[1] : NULL;
    struct writer *writer = g_new0(struct writer, 1);
    writer->name = g_strdup(*name ? name : "-");
    writer->out = strcmp(writer->name, "-") == 0 ? stdout : fopen(writer->name, "wb");
    if (!writer->out)
        fail(writer);
    writer->line = g_string_new(NULL);
    writer->opened = g_hash_table_new(g_direct_hash, g_direct_equal);
    writer->ended = g_hash_table_new(g_direct_hash, g_direct_equal);
    writer->filtered = filter != NULL;
    GString *error =
        register_tap_listener("websocket", writer, filter, 0, on_reset, on_packet, on_draw, NULL);
    if (error) {
        fprintf(stderr, "tshark: -z websocket,messages: %s\n", error->str);
        exit(1);
    }
    g_strfreev(parts);
    WSX_STAT_OK;
}

void wsx_tap_messages_register(void) {
    static stat_tap_ui ui = {REGISTER_STAT_GROUP_GENERIC,
                             "WebSocket messages",
                             "websocket,messages",
                             messages_init,
                             0,
                             NULL};
    register_stat_tap_ui(&ui, NULL);
}
