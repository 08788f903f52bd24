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

static void append_number(GString *text, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    g_string_append_len(text, digits + at, (gssize)(sizeof digits - at));
}

static void append_character(GString *text, gunichar c) {
    if (c == '\n')
        g_string_append(text, "\\n");
    else if (c == '\r')
        g_string_append(text, "\\r");
    else if (c == '\t')
        g_string_append(text, "\\t");
    else if (!g_unichar_isprint(c) && c < 0x100)
        g_string_append_printf(text, "\\x%02x", c);
    else if (g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT ||
             g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR ||
             g_unichar_type(c) == G_UNICODE_PARAGRAPH_SEPARATOR)
        g_string_append_printf(text, "\\u%04x", c);
    else
        g_string_append_unichar(text, c);
}

static bool is_plain(uint8_t byte) { return byte >= 0x20 && byte < 0x7F; }

void wsx_preview_append(GString *text, const uint8_t *bytes, size_t length, unsigned characters) {
    size_t at = 0;
    for (unsigned shown = 0; at < length && shown < characters;) {
        size_t run = at;
        while (run < length && shown < characters && is_plain(bytes[run])) {
            run++;
            shown++;
        }
        g_string_append_len(text, (const char *)bytes + at, (gssize)(run - at));
        at = run;
        if (at == length || shown == characters)
            break;
        gunichar c = g_utf8_get_char_validated((const char *)bytes + at, (gssize)(length - at));
        bool bad = c > 0x10FFFF || (!c && bytes[at]);
        if (bad)
            g_string_append_printf(text, "\\x%02x", bytes[at]);
        else
            append_character(text, c);
        at += bad ? 1 : (size_t)g_unichar_to_utf8(c, NULL);
        shown++;
    }
    if (at < length)
        g_string_append(text, "\xe2\x80\xa6");
}

static const char *finish(GString *text, wmem_allocator_t *pool) {
    const char *copy = wmem_strdup(pool, text->str);
    g_string_free(text, TRUE);
    return copy;
}

const char *wsx_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length,
                        unsigned characters) {
    GString *text = g_string_new(NULL);
    wsx_preview_append(text, bytes, length, characters);
    return finish(text, pool);
}

/* Arrow, name, and the length in brackets. */
static void append_head(GString *text, const struct wsx_item *item, const char *name,
                        const char *more, uint64_t length) {
    g_string_append(text, item->direction == WSX_CLIENT_TO_SERVER ? "\xe2\x86\x92 "
                                                                  : "\xe2\x86\x90 ");
    g_string_append(text, name);
    g_string_append(text, more);
    g_string_append_len(text, " [", 2);
    append_number(text, length);
    g_string_append_c(text, ']');
}

static void append_close(GString *text, const struct wsx_item *item, packet_info *pinfo) {
    g_string_append(text, item->direction == WSX_CLIENT_TO_SERVER ? "\xe2\x86\x92 Close"
                                                                  : "\xe2\x86\x90 Close");
    if (item->have < 2) {
        g_string_append(text, item->have ? " (body of one byte)" : "");
        return;
    }
    const uint8_t *body = wsx_item_payload(item, pinfo, item->have);
    unsigned code = (unsigned)body[0] << 8 | body[1];
    g_string_append_printf(text, " %u %s", code, wsx_close_name(code));
    if (item->have == 2)
        return;
    g_string_append(text, " \"");
    wsx_preview_append(text, body + 2, item->have - 2, WSX_PREVIEW);
    g_string_append_c(text, '"');
}

static void append_message(GString *text, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    append_head(text, item, message->text ? "Text" : "Binary", "",
                message->length_known ? message->length : message->have);
    g_string_append(text, message->raw          ? " not decompressed"
                          : message->incomplete ? " incomplete"
                                                : "");
    if (!message->text || message->raw || !message->have)
        return;
    size_t look = MIN(message->have, WSX_PREVIEW * 4 + 4);
    g_string_append_c(text, ' ');
    wsx_preview_append(text, wsx_item_message(item, pinfo, look), look, WSX_PREVIEW);
}

static void append_frame(GString *text, const struct wsx_item *item, packet_info *pinfo) {
    if (item->message) {
        append_message(text, item, pinfo);
    } else if (item->item == WSX_ITEM_CLOSE) {
        append_close(text, item, pinfo);
    } else {
        append_head(text, item, wsx_opcode_name(wsx_header_opcode(&item->header)),
                    item->item == WSX_ITEM_FRAGMENT ? " fragment" : "",
                    item->header.payload_length);
        if (item->have < item->header.payload_length)
            g_string_append(text, " incomplete");
    }
}

void wsx_info_append(GString *text, const struct wsx_item *item, packet_info *pinfo) {
    switch (item->kind) {
    case WSX_KIND_FRAME:
        append_frame(text, item, pinfo);
        break;
    case WSX_KIND_BROKEN:
        append_head(text, item, item->message->text ? "Text" : "Binary", ", not finished",
                    item->message->have);
        break;
    case WSX_KIND_NOTE:
        g_string_append(text, item->direction == WSX_CLIENT_TO_SERVER ? "\xe2\x86\x92 ["
                                                                      : "\xe2\x86\x90 [");
        if (item->missing)
            g_string_append_printf(text, "%" PRIu64 " bytes not captured]", item->missing);
        else
            g_string_append(text, "framing]");
        break;
    case WSX_KIND_END:
        g_string_append_printf(text, "[connection ended: %s]", wsx_cause_name(item->cause));
        break;
    default:
        break;
    }
}

const char *wsx_info(const struct wsx_item *item, packet_info *pinfo) {
    GString *text = g_string_new(NULL);
    wsx_info_append(text, item, pinfo);
    return finish(text, pinfo->pool);
}
