/*
 * messages.c - `-z websocket,messages[,FILE[,FILTER]]`: one JSON object a line, as things complete.
 * Reads records, writes text; keeps nothing but which connections it has opened.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/compat.h"
#include "epan/state.h"
#include "epan/transport.h"
#include "taps.h"

#include <errno.h>
#include <stdlib.h>

struct writer {
    FILE *out;
    GString *line;
    GHashTable *opened; /* numbers of the connections whose "open" was written */
    int digits;         /* of the capture's time stamps, as last seen */
};

/* ---- JSON ---- */

static void put_string(GString *line, const char *text, size_t length) {
    g_string_append_c(line, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            g_string_append_printf(line, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            g_string_append_printf(line, "\\u%04x", c);
        else
            g_string_append_c(line, (char)c);
    }
    g_string_append_c(line, '"');
}

static void key(GString *line, const char *name) { g_string_append_printf(line, ",\"%s\":", name); }

static void put_number(GString *line, const char *name, uint64_t value) {
    g_string_append_printf(line, ",\"%s\":%" G_GUINT64_FORMAT, name, value);
}

static void put_text(GString *line, const char *name, const char *text) {
    if (!text)
        return;
    key(line, name);
    if (g_utf8_validate(text, -1, NULL)) {
        put_string(line, text, strlen(text));
        return;
    }
    char *valid = g_utf8_make_valid(text, -1);
    put_string(line, valid, strlen(valid));
    g_free(valid);
}

static void put_true(GString *line, const char *name) {
    g_string_append_printf(line, ",\"%s\":true", name);
}

static void put_base64(GString *line, const uint8_t *bytes, size_t length) {
    char *text = g_base64_encode(bytes, length);
    g_string_append_printf(line, ",\"base64\":\"%s\"", text);
    g_free(text);
}

static void put_seconds(GString *line, const char *name, int64_t ns, int digits) {
    char fraction[16];
    g_snprintf(fraction, sizeof fraction, "%09d", (int)(ns % 1000000000));
    g_string_append_printf(line, ",\"%s\":%" G_GINT64_FORMAT, name, ns / 1000000000);
    if (digits)
        g_string_append_printf(line, ".%.*s", digits, fraction);
}

/* The rules of one item: each once, in the order of their first finding. */
struct rule_list {
    bool seen[WSX_RULE_COUNT];
    bool any;
};

static void put_rules(GString *line, struct rule_list *list, const struct wsx_finding *findings) {
    for (const struct wsx_finding *finding = findings; finding; finding = finding->next) {
        if (list->seen[finding->rule])
            continue;
        list->seen[finding->rule] = true;
        g_string_append(line, list->any ? "," : ",\"rules\":[");
        g_string_append_printf(line, "\"%s\"", wsx_rule_info(finding->rule)->id);
        list->any = true;
    }
}

static void end_rules(GString *line, const struct rule_list *list) {
    if (list->any)
        g_string_append_c(line, ']');
}

static void put_record_rules(GString *line, const struct wsx_record *record) {
    struct rule_list list = {0};
    put_rules(line, &list, record->findings);
    end_rules(line, &list);
}

/* Those of all frames of a message. */
static void put_message_rules(GString *line, const struct wsx_item *item) {
    struct rule_list list = {0};
    const struct wsx_message *message = item->record->message;
    uint32_t left = message->frames;
    for (uint32_t index = message->first_index; left; index++) {
        const struct wsx_record *frame = wsx_state_frame(item->session, message->direction, index);
        if (!frame)
            break;
        if (frame->message_index == message->index) {
            put_rules(line, &list, frame->findings);
            left--;
        }
    }
    if (item->record->kind != WSX_RECORD_FRAME)
        put_rules(line, &list, item->record->findings);
    end_rules(line, &list);
}

/* Decimal digits of the capture's time stamps. */
static int digits_of(const packet_info *pinfo) {
    switch (pinfo->rec ? pinfo->rec->tsprec : WTAP_TSPREC_NSEC) {
    case WTAP_TSPREC_SEC:
        return 0;
    case WTAP_TSPREC_DSEC:
        return 1;
    case WTAP_TSPREC_CSEC:
        return 2;
    case WTAP_TSPREC_MSEC:
        return 3;
    case WTAP_TSPREC_USEC:
        return 6;
    default:
        return 9;
    }
}

static void begin(struct writer *writer, const char *kind, uint32_t stream, uint32_t packet,
                  int64_t time, int digits) {
    g_string_printf(writer->line, "{\"kind\":\"%s\",\"stream\":%u,\"packet\":%u", kind, stream,
                    packet);
    put_seconds(writer->line, "time", time, digits);
}

static void end(struct writer *writer) {
    g_string_append(writer->line, "}\n");
    fwrite(writer->line->str, 1, writer->line->len, writer->out);
    fflush(writer->out);
}

static int64_t ns_of(const nstime_t *time) {
    return (int64_t)time->secs * 1000000000 + time->nsecs;
}

/* ---- items ---- */

static void write_open(struct writer *writer, const struct wsx_session *session,
                       packet_info *pinfo) {
    if (!g_hash_table_add(writer->opened, GUINT_TO_POINTER(session->number + 1)))
        return;
    GString *line = writer->line;
    struct rule_list rules = {0};
    begin(writer, "open", session->number, pinfo->num, ns_of(&pinfo->abs_ts), digits_of(pinfo));
    put_text(line, "client", session->client);
    put_text(line, "server", session->server);
    put_text(line, "http", session->midstream ? NULL : "1.1");
    put_number(line, "transport_stream", session->transport_stream);
    put_text(line, "uri", session->uri);
    put_text(line, "subprotocol", session->subprotocol);
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

static void write_message(struct writer *writer, const struct wsx_item *item, packet_info *pinfo) {
    GString *line = writer->line;
    const struct wsx_record *record = item->record;
    const struct wsx_message *message = record->message;
    begin(writer, message->text ? "text" : "binary", item->session->number, record->packet,
          ns_of(&pinfo->abs_ts), digits_of(pinfo));
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
        put_string(line, (const char *)item->bytes, message->have);
    } else {
        put_base64(line, item->bytes, message->have);
    }
    put_message_rules(line, item);
    end(writer);
}

static void write_close(GString *line, const struct wsx_item *item,
                        const struct wsx_record *record) {
    if (record->have >= 2) {
        put_number(line, "code", (uint64_t)item->bytes[0] << 8 | item->bytes[1]);
        struct wsx_utf8 utf8 = {0};
        if (wsx_utf8_feed(&utf8, item->bytes + 2, record->have - 2) && wsx_utf8_complete(&utf8)) {
            if (record->have > 2) {
                key(line, "reason");
                put_string(line, (const char *)item->bytes + 2, record->have - 2);
            }
            return;
        }
    }
    if (record->have)
        put_base64(line, item->bytes, record->have);
}

static void write_frame(struct writer *writer, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_record *record = item->record;
    static const char *const kinds[] = {[WSX_ITEM_STRAY] = "frame",
                                        [WSX_ITEM_PING] = "ping",
                                        [WSX_ITEM_PONG] = "pong",
                                        [WSX_ITEM_CLOSE] = "close"};
    GString *line = writer->line;
    begin(writer, kinds[record->item], item->session->number, record->packet, ns_of(&pinfo->abs_ts),
          digits_of(pinfo));
    put_direction(line, record->direction);
    put_number(line, "index", record->index);
    if (record->item == WSX_ITEM_STRAY)
        put_number(line, "opcode", wsx_header_opcode(&record->header));
    put_number(line, "len", record->header.payload_length);
    if (record->have < record->header.payload_length) {
        put_true(line, "incomplete");
        put_number(line, "have", record->have);
    }
    if (record->item == WSX_ITEM_CLOSE)
        write_close(line, item, record);
    else
        put_base64(line, item->bytes, record->have);
    if (record->item == WSX_ITEM_PONG && record->answers)
        put_seconds(line, "rtt", record->answer_time, digits_of(pinfo));
    put_record_rules(line, record);
    end(writer);
}

static void write_item(struct writer *writer, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_record *record = item->record;
    write_open(writer, item->session, pinfo);
    if (record->kind == WSX_RECORD_NOTE) {
        begin(writer, "note", item->session->number, record->packet, ns_of(&pinfo->abs_ts),
              digits_of(pinfo));
        put_direction(writer->line, record->direction);
        put_number(writer->line, "missing", record->missing);
        put_record_rules(writer->line, record);
        end(writer);
    } else if (record->message) {
        write_message(writer, item, pinfo);
    } else if (record->item != WSX_ITEM_FRAGMENT) {
        write_frame(writer, item, pinfo);
    }
}

static void write_end(struct writer *writer, const struct wsx_session *session, const char *cause) {
    if (!g_hash_table_contains(writer->opened, GUINT_TO_POINTER(session->number + 1)))
        return;
    begin(writer, "end", session->number, session->last_packet, session->last_time, writer->digits);
    put_text(writer->line, "cause", cause);
    end(writer);
}

/* ---- the tap ---- */

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued
#if WSX_VERSION >= 400
                                   ,
                                   tap_flags_t flags _U_
#endif
) {
    struct writer *writer = data;
    const struct wsx_packet *packet = queued;
    writer->digits = digits_of(pinfo);
    const struct wsx_session *session = wsx_state_handshake(pinfo->num);
    if (session && session->response_packet == pinfo->num) {
        write_open(writer, session, pinfo);
        if (!session->opened)
            write_end(writer, session, "refused");
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        write_item(writer, wmem_array_index(packet->items, i), pinfo);
    return TAP_PACKET_DONT_REDRAW;
}

static void end_of_open(const struct wsx_session *session, void *data) {
    write_end(data, session, "eof");
}

static void on_draw(void *data) {
    struct writer *writer = data;
    wsx_state_each_open(end_of_open, writer);
    g_hash_table_remove_all(writer->opened);
    fflush(writer->out);
}

static void on_reset(void *data) { g_hash_table_remove_all(((struct writer *)data)->opened); }

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
    writer->out = !*name || strcmp(name, "-") == 0 ? stdout : fopen(name, "wb");
    if (!writer->out) {
        fprintf(stderr, "tshark: -z websocket,messages: can't write \"%s\": %s\n", name,
                g_strerror(errno));
        exit(1);
    }
    writer->line = g_string_new(NULL);
    writer->opened = g_hash_table_new(g_direct_hash, g_direct_equal);
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
