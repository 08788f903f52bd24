/*
 * info.c - the words for one item, see info.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "info.h"

/* Characters of a message, or of a reason, in the Info column. */
#define WSX_PREVIEW 60u

const char *wsx_opcode_name(unsigned opcode) {
    static const char *const names[16] = {"Continuation",
                                          "Text",
                                          "Binary",
                                          "Reserved opcode 3",
                                          "Reserved opcode 4",
                                          "Reserved opcode 5",
                                          "Reserved opcode 6",
                                          "Reserved opcode 7",
                                          "Close",
                                          "Ping",
                                          "Pong",
                                          "Reserved opcode 11",
                                          "Reserved opcode 12",
                                          "Reserved opcode 13",
                                          "Reserved opcode 14",
                                          "Reserved opcode 15"};
    return names[opcode & 15];
}

const char *wsx_close_name(unsigned code) {
    static const value_string names[] = {
        {1000, "Normal Closure"},   {1001, "Going Away"},
        {1002, "Protocol error"},   {1003, "Unsupported Data"},
        {1004, "Reserved"},         {1005, "No Status Rcvd"},
        {1006, "Abnormal Closure"}, {1007, "Invalid frame payload data"},
        {1008, "Policy Violation"}, {1009, "Message Too Big"},
        {1010, "Mandatory Ext."},   {1011, "Internal Error"},
        {1012, "Service Restart"},  {1013, "Try Again Later"},
        {1014, "Bad Gateway"},      {1015, "TLS handshake"},
        {3000, "Unauthorized"},     {3003, "Forbidden"},
        {3008, "Timeout"},          {0, NULL}};
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
        [WSX_CAUSE_NONE] = "open",       [WSX_CAUSE_FIN] = "fin",
        [WSX_CAUSE_RST] = "rst",         [WSX_CAUSE_RESET] = "reset",
        [WSX_CAUSE_REFUSED] = "refused", [WSX_CAUSE_REPLACED] = "replaced",
        [WSX_CAUSE_EOF] = "eof"};
    return names[cause];
}

/* ---- writing ---- */

static void put(struct wsx_line *line, const char *bytes, size_t length) {
    size_t room = WSX_LINE_MAX - line->length;
    if (length > room) {
        length = room;
        line->full = true;
    }
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

/* For literals: their length is known when it is compiled. */
#define PUT(line, literal) put(line, literal, sizeof(literal) - 1)

void wsx_line_put(struct wsx_line *line, const char *text) { put(line, text, strlen(text)); }

static void put_formatted(struct wsx_line *line, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void put_formatted(struct wsx_line *line, const char *format, ...) {
    char text[80]; /* what is written so is shorter */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        put(line, text, MIN((size_t)length, sizeof text - 1));
}

const char *wsx_line_end(struct wsx_line *line, wmem_allocator_t *pool) {
    size_t length = line->length;
    if (line->full) { /* no part of a character */
        size_t lead = length;
        while (lead && ((uint8_t)line->text[lead - 1] & 0xC0) == 0x80)
            lead--;
        if (lead && (uint8_t)line->text[lead - 1] >= 0xC0)
            length = lead - 1;
    }
    char *text = wmem_alloc(pool, length + 1);
    memcpy(text, line->text, length);
    text[length] = '\0';
    return text;
}

static void put_number(struct wsx_line *line, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    put(line, digits + at, sizeof digits - at);
}

static void put_character(struct wsx_line *line, gunichar c) {
    char encoded[6];
    if (c == '\n')
        PUT(line, "\\n");
    else if (c == '\r')
        PUT(line, "\\r");
    else if (c == '\t')
        PUT(line, "\\t");
    else if (!g_unichar_isprint(c) && c < 0x100)
        put_formatted(line, "\\x%02x", c);
    else if (g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT ||
             g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR ||
             g_unichar_type(c) == G_UNICODE_PARAGRAPH_SEPARATOR)
        put_formatted(line, "\\u%04x", c);
    else
        put(line, encoded, (size_t)g_unichar_to_utf8(c, encoded));
}

/* ---- previews ---- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Eight bytes from 20 to 7E: none is under 20, none is 7F, none has the high bit. */
static bool are_plain(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return !((word | (word - ONES * 0x20) | (word + ONES)) & HIGH_BITS);
}

static bool is_plain(uint8_t byte) { return byte >= 0x20 && byte < 0x7F; }

/* How many of the first bytes are plain ASCII. */
static size_t plain_run(const uint8_t *bytes, size_t length) {
    size_t run = 0;
    while (run + 8 <= length && are_plain(bytes + run))
        run += 8;
    while (run < length && is_plain(bytes[run]))
        run++;
    return run;
}

static void put_preview(struct wsx_line *line, const uint8_t *bytes, size_t length,
                        unsigned characters) {
    size_t at = 0;
    for (unsigned shown = 0; at < length && shown < characters;) {
        size_t run = plain_run(bytes + at, MIN(length - at, characters - shown));
        put(line, (const char *)bytes + at, run);
        at += run;
        shown += (unsigned)run;
        if (at == length || shown == characters)
            break;
        gunichar c = g_utf8_get_char_validated((const char *)bytes + at, (gssize)(length - at));
        bool bad = c > 0x10FFFF || (!c && bytes[at]);
        if (bad)
            put_formatted(line, "\\x%02x", bytes[at]);
        else
            put_character(line, c);
        at += bad ? 1 : (size_t)g_unichar_to_utf8(c, NULL);
        shown++;
    }
    if (at < length)
        PUT(line, "\xe2\x80\xa6");
}

const char *wsx_preview(wmem_allocator_t *pool, const uint8_t *bytes, size_t length,
                        unsigned characters) {
    struct wsx_line line;
    wsx_line_begin(&line);
    put_preview(&line, bytes, length, characters);
    return wsx_line_end(&line, pool);
}

const char *wsx_shown(wmem_allocator_t *pool, const char *text) {
    size_t length = text ? strlen(text) : 0;
    const uint8_t *bytes = (const uint8_t *)text;
    if (!length)
        return "";
    return plain_run(bytes, length) == length ? text : wsx_preview(pool, bytes, length, UINT_MAX);
}

/* ---- items ---- */

static void put_arrow(struct wsx_line *line, enum wsx_direction direction) {
    if (direction == WSX_CLIENT_TO_SERVER)
        PUT(line, "\xe2\x86\x92 ");
    else
        PUT(line, "\xe2\x86\x90 ");
}

/* Arrow, name, and the length in brackets. */
static void put_head(struct wsx_line *line, const struct wsx_item *item, const char *name,
                     const char *more, uint64_t length) {
    put_arrow(line, item->direction);
    wsx_line_put(line, name);
    wsx_line_put(line, more);
    PUT(line, " [");
    put_number(line, length);
    PUT(line, "]");
}

static void put_close(struct wsx_line *line, const struct wsx_item *item, packet_info *pinfo) {
    put_arrow(line, item->direction);
    PUT(line, "Close");
    if (item->have < 2) {
        wsx_line_put(line, item->have ? " (body of one byte)" : "");
        return;
    }
    const uint8_t *body = wsx_item_payload(item, pinfo, item->have);
    unsigned code = (unsigned)body[0] << 8 | body[1];
    PUT(line, " ");
    put_number(line, code);
    PUT(line, " ");
    wsx_line_put(line, wsx_close_name(code));
    if (item->have == 2)
        return;
    PUT(line, " \"");
    put_preview(line, body + 2, item->have - 2, WSX_PREVIEW);
    PUT(line, "\"");
}

static void put_message(struct wsx_line *line, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    put_head(line, item, message->text ? "Text" : "Binary", "",
             message->length_known ? message->length : message->have);
    if (message->raw)
        PUT(line, " not decompressed");
    else if (message->incomplete)
        PUT(line, " incomplete");
    if (!message->text || message->raw || !message->have)
        return;
    size_t look = MIN(message->have, WSX_PREVIEW * 4 + 4);
    PUT(line, " ");
    put_preview(line, wsx_item_message(item, pinfo, look), look, WSX_PREVIEW);
}

static void put_frame(struct wsx_line *line, const struct wsx_item *item, packet_info *pinfo) {
    if (item->message) {
        put_message(line, item, pinfo);
    } else if (item->item == WSX_ITEM_CLOSE) {
        put_close(line, item, pinfo);
    } else {
        put_head(line, item, wsx_opcode_name(wsx_header_opcode(&item->header)),
                 item->item == WSX_ITEM_FRAGMENT ? " fragment" : "", item->header.payload_length);
        if (item->have < item->header.payload_length)
            PUT(line, " incomplete");
    }
}

void wsx_line_put_item(struct wsx_line *line, const struct wsx_item *item, packet_info *pinfo) {
    switch (item->kind) {
    case WSX_KIND_FRAME:
        put_frame(line, item, pinfo);
        break;
    case WSX_KIND_BROKEN:
        put_head(line, item, item->message->text ? "Text" : "Binary", ", not finished",
                 item->message->have);
        break;
    case WSX_KIND_NOTE:
        put_arrow(line, item->direction);
        if (item->missing)
            put_formatted(line, "[%" PRIu64 " bytes not captured]", item->missing);
        else
            put_formatted(line, "[%s]",
                          item->rule_count ? wsx_rule_info(item->rules[0])->id : "framing");
        break;
    case WSX_KIND_END:
        put_formatted(line, "[connection ended: %s]", wsx_cause_name(item->cause));
        break;
    default:
        break;
    }
}

void wsx_line_put_part(struct wsx_line *line, const struct wsx_call *call) {
    put_arrow(line, call->direction);
    if (call->waiting) {
        PUT(line, "[waits for missing bytes]");
        return;
    }
    if (!call->part_index) {
        PUT(line, "[framing not known]");
        return;
    }
    PUT(line, "[part of frame ");
    put_number(line, call->part_index);
    PUT(line, "]");
}

const char *wsx_info(const struct wsx_item *item, packet_info *pinfo) {
    struct wsx_line line;
    wsx_line_begin(&line);
    wsx_line_put_item(&line, item, pinfo);
    return wsx_line_end(&line, pinfo->pool);
}
