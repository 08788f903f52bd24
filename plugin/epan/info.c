/*
 * info.c - the words for one item, see info.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "info.h"

/* Characters of a message, or of a reason, in the Info column. */
#define WSX_PREVIEW 60u

const char *wsx_opcode_name(unsigned opcode) {
    static const char *const names[16] = {
        "Continuation",       "Text",           "Binary",
        "Reserved opcode 3",  "Reserved opcode 4",  "Reserved opcode 5",
        "Reserved opcode 6",  "Reserved opcode 7",  "Close",
        "Ping",               "Pong",               "Reserved opcode 11",
        "Reserved opcode 12", "Reserved opcode 13", "Reserved opcode 14",
        "Reserved opcode 15"};
    return names[opcode & 15];
}

const char *wsx_close_name(unsigned code) {
    static const value_string names[] = {{1000, "Normal Closure"},
                                         {1001, "Going Away"},
                                         {1002, "Protocol error"},
                                         {1003, "Unsupported Data"},
                                         {1004, "Reserved"},
                                         {1005, "No Status Rcvd"},
                                         {1006, "Abnormal Closure"},
                                         {1007, "Invalid frame payload data"},
                                         {1008, "Policy Violation"},
                                         {1009, "Message Too Big"},
                                         {1010, "Mandatory Ext."},
                                         {1011, "Internal Error"},
                                         {1012, "Service Restart"},
                                         {1013, "Try Again Later"},
                                         {1014, "Bad Gateway"},
                                         {1015, "TLS handshake"},
                                         {3000, "Unauthorized"},
                                         {3003, "Forbidden"},
                                         {3008, "Timeout"},
                                         {0, NULL}};
    return val_to_str_const(code, names,
                            code >= 3000 && code < 4000   ? "Unregistered"
                            : code >= 4000 && code < 5000 ? "Private use"
                                                          : "Unassigned");
}

const char *wsx_sender(enum wsx_direction direction) {
    return direction == WSX_CLIENT_TO_SERVER ? "client" : "server";
}

const char *wsx_cause_name(enum wsx_cause cause) {
    static const char *const names[] = {
        [WSX_CAUSE_NONE] = "open",         [WSX_CAUSE_FIN] = "fin",
        [WSX_CAUSE_RST] = "rst",           [WSX_CAUSE_RESET] = "reset",
        [WSX_CAUSE_REFUSED] = "refused",   [WSX_CAUSE_REPLACED] = "replaced",
        [WSX_CAUSE_EOF] = "eof"};
    return names[cause];
}

static void append_character(wmem_strbuf_t *text, gunichar c) {
    if (c == '\n')
        wmem_strbuf_append(text, "\\n");
    else if (c == '\r')
        wmem_strbuf_append(text, "\\r");
    else if (c == '\t')
        wmem_strbuf_append(text, "\\t");
    else if (!g_unichar_isprint(c) && c != ' ' && c < 0x100)
        wmem_strbuf_append_printf(text, "\\x%02x", c);
    else if (g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT ||
             g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR ||
             g_unichar_type(c) == G_UNICODE_PARAGRAPH_SEPARATOR)
        wmem_strbuf_append_printf(text, "\\u%04x", c);
    else
        wmem_strbuf_append_unichar(text, c);
}

const char *wsx_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length,
                        unsigned characters) {
    wmem_strbuf_t *text = wmem_strbuf_new(pool, NULL);
    size_t at = 0;
    for (unsigned shown = 0; at < length && shown < characters; shown++) {
        if (bytes[at] >= 0x20 && bytes[at] < 0x7F) {
            wmem_strbuf_append_c(text, (char)bytes[at++]);
            continue;
        }
        gunichar c = g_utf8_get_char_validated((const char *)bytes + at, (gssize)(length - at));
        bool bad = c > 0x10FFFF || (!c && bytes[at]);
        if (bad)
            wmem_strbuf_append_printf(text, "\\x%02x", bytes[at]);
        else
            append_character(text, c);
        at += bad ? 1 : (size_t)g_unichar_to_utf8(c, NULL);
    }
    if (at < length)
        wmem_strbuf_append(text, "\xe2\x80\xa6");
    return wmem_strbuf_get_str(text);
}

static const char *arrow(enum wsx_direction direction) {
    return direction == WSX_CLIENT_TO_SERVER ? "\xe2\x86\x92" : "\xe2\x86\x90";
}

static const char *partly(const struct wsx_item *item) {
    return item->have < item->header.payload_length ? " incomplete" : "";
}

static const char *info_close(const struct wsx_item *item, packet_info *pinfo) {
    if (item->have < 2)
        return wmem_strdup_printf(pinfo->pool, "%s Close%s", arrow(item->direction),
                                  item->have ? " (body of one byte)" : "");
    const uint8_t *body = wsx_item_payload(item, pinfo, item->have);
    unsigned code = (unsigned)body[0] << 8 | body[1];
    const char *reason =
        item->have > 2 ? wsx_preview(pinfo->pool, body + 2, item->have - 2, WSX_PREVIEW) : NULL;
    return wmem_strdup_printf(pinfo->pool, "%s Close %u %s%s%s%s", arrow(item->direction), code,
                              wsx_close_name(code), reason ? " \"" : "", reason ? reason : "",
                              reason ? "\"" : "");
}

static const char *info_message(const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    const char *type = message->text ? "Text" : "Binary";
    const char *state = message->raw          ? " not decompressed"
                        : message->incomplete ? " incomplete"
                                              : "";
    uint64_t length = message->length_known ? message->length : message->have;
    if (!message->text || message->raw || !message->have)
        return wmem_strdup_printf(pinfo->pool, "%s %s [%" PRIu64 "]%s", arrow(item->direction),
                                  type, length, state);
    size_t look = MIN(message->have, WSX_PREVIEW * 4);
    const char *text =
        wsx_preview(pinfo->pool, wsx_item_message(item, pinfo, look), look, WSX_PREVIEW);
    return wmem_strdup_printf(pinfo->pool, "%s %s [%" PRIu64 "]%s %s", arrow(item->direction), type,
                              length, state, text);
}

static const char *info_frame(const struct wsx_item *item, packet_info *pinfo) {
    if (item->message)
        return info_message(item, pinfo);
    if (item->item == WSX_ITEM_CLOSE)
        return info_close(item, pinfo);
    return wmem_strdup_printf(pinfo->pool, "%s %s%s [%" PRIu64 "]%s", arrow(item->direction),
                              wsx_opcode_name(wsx_header_opcode(&item->header)),
                              item->item == WSX_ITEM_FRAGMENT ? " fragment" : "",
                              item->header.payload_length, partly(item));
}

const char *wsx_info(const struct wsx_item *item, packet_info *pinfo) {
    switch (item->kind) {
    case WSX_KIND_FRAME:
        return info_frame(item, pinfo);
    case WSX_KIND_BROKEN:
        return wmem_strdup_printf(pinfo->pool, "%s unfinished %s [%zu]", arrow(item->direction),
                                  item->message->text ? "Text" : "Binary", item->message->have);
    case WSX_KIND_NOTE:
        if (item->missing)
            return wmem_strdup_printf(pinfo->pool, "%s [%" PRIu64 " bytes not captured]",
                                      arrow(item->direction), item->missing);
        return wmem_strdup_printf(pinfo->pool, "%s [framing]", arrow(item->direction));
    case WSX_KIND_END:
        return wmem_strdup_printf(pinfo->pool, "[connection ended: %s]",
                                  wsx_cause_name(item->cause));
    default:
        return "";
    }
}
