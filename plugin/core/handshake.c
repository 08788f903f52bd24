/*
 * handshake.c - heads of requests and responses: from HTTP/1 bytes or from header fields to struct
 * wsx_head; the expected Sec-WebSocket-Accept and the URI. Judges nothing: read negotiate.c next.
 * RFC 6455 1.3, 3, 4.2.2; RFC 9112 2 to 5; RFC 8441 5.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "handshake.h"

#include "tokens.h"

#include <glib.h>
#include <string.h>

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* How a header is kept. */
enum keeping {
    KEEP_JOINED, /* lines of one name joined by ", " */
    KEEP_FIRST,  /* pseudo headers, which HTTP/2 doesn't allow twice */
    KEEP_NOT,
};

/* What is noted of it. */
enum noting {
    NOTE_NOTHING,
    NOTE_KEY,
    NOTE_ACCEPT,
    NOTE_PROTOCOL,
    NOTE_UPGRADE,
    NOTE_CONNECTION,
    NOTE_COOKIE,
    NOTE_AUTHORIZATION,
    NOTE_METHOD,
    NOTE_STATUS,
};

#define HEADER(name, keeping, member, noting)                                                      \
    { name, sizeof(name) - 1, keeping, offsetof(struct wsx_head, member), noting }
#define HEADER_NOT_KEPT(name, noting)                                                              \
    { name, sizeof(name) - 1, KEEP_NOT, 0, noting }
static const struct header {
    const char *name;
    size_t length; /* of name */
    enum keeping keeping;
    size_t offset; /* of a char * in struct wsx_head; nothing with KEEP_NOT */
    enum noting noting;
} known_headers[] = {
    HEADER(":method", KEEP_FIRST, method, NOTE_METHOD),
    HEADER(":path", KEEP_FIRST, target, NOTE_NOTHING),
    HEADER(":scheme", KEEP_FIRST, scheme, NOTE_NOTHING),
    HEADER(":protocol", KEEP_FIRST, protocol_pseudo, NOTE_NOTHING),
    HEADER(":authority", KEEP_FIRST, host, NOTE_NOTHING),
    HEADER_NOT_KEPT(":status", NOTE_STATUS),
    HEADER("host", KEEP_JOINED, host, NOTE_NOTHING),
    HEADER("origin", KEEP_JOINED, origin, NOTE_NOTHING),
    HEADER("user-agent", KEEP_JOINED, user_agent, NOTE_NOTHING),
    HEADER("sec-websocket-key", KEEP_JOINED, key, NOTE_KEY),
    HEADER("sec-websocket-accept", KEEP_JOINED, accept, NOTE_ACCEPT),
    HEADER("sec-websocket-version", KEEP_JOINED, version, NOTE_NOTHING),
    HEADER("sec-websocket-protocol", KEEP_JOINED, protocol, NOTE_PROTOCOL),
    HEADER("sec-websocket-extensions", KEEP_JOINED, extensions, NOTE_NOTHING),
    HEADER("upgrade", KEEP_JOINED, upgrade, NOTE_UPGRADE),
    HEADER("connection", KEEP_JOINED, connection, NOTE_CONNECTION),
    HEADER_NOT_KEPT("cookie", NOTE_COOKIE),
    HEADER_NOT_KEPT("authorization", NOTE_AUTHORIZATION),
};

static char **slot_at(struct wsx_head *head, size_t offset) {
    return (char **)(void *)((char *)head + offset);
}

/* ---- where texts lie ---- */

/* All texts of a head lie in one buffer, but those of several lines: they grow, each in its own. */
#define STORE_FIRST 128u

static bool is_stored(const struct wsx_head *head, const char *text) {
    return text >= head->store && text < head->store + head->store_used;
}

static void move_text(struct wsx_head *head, char **slot, char *store) {
    if (*slot && is_stored(head, *slot))
        *slot = store + (*slot - head->store);
}

static void store_grow(struct wsx_head *head, size_t length) {
    size_t size = MAX(MAX(head->store_size * 2, STORE_FIRST), head->store_used + length);
    char *store = g_malloc(size);
    if (head->store_used)
        memcpy(store, head->store, head->store_used);
    for (size_t i = 0; i < G_N_ELEMENTS(known_headers); i++)
        if (known_headers[i].keeping != KEEP_NOT)
            move_text(head, slot_at(head, known_headers[i].offset), store);
    move_text(head, &head->reason, store);
    g_free(head->store);
    head->store = store;
    head->store_size = size;
}

/* Room for a text of so many bytes and its end, behind what *slot holds of earlier lines (`used`).
 */
static char *text_room(struct wsx_head *head, char **slot, size_t used, size_t length) {
    if (*slot) {
        bool stored = is_stored(head, *slot);
        char *text = g_realloc(stored ? NULL : *slot, used + length + 1);
        if (stored)
            memcpy(text, *slot, used);
        *slot = text;
        return text + used;
    }
    if (head->store_size - head->store_used < length + 1)
        store_grow(head, length + 1);
    *slot = head->store + head->store_used;
    head->store_used += length + 1;
    return *slot;
}

static void text_free(const struct wsx_head *head, char **slot) {
    if (*slot && !is_stored(head, *slot))
        g_free(*slot);
    *slot = NULL;
}

void wsx_head_clear(struct wsx_head *head) {
    for (size_t i = 0; head->store && i < G_N_ELEMENTS(known_headers); i++)
        if (known_headers[i].keeping != KEEP_NOT) /* Host and :authority share one */
            text_free(head, slot_at(head, known_headers[i].offset));
    text_free(head, &head->reason);
    g_free(head->store);
    memset(head, 0, sizeof *head);
}

/* Control bytes can neither be shown nor stand in a C string (NUL). */
static char printable(char byte) {
    if (byte == '\t')
        return ' ';
    return ((unsigned char)byte < 0x20 || byte == 0x7F) ? '?' : byte;
}

/* How much of a list's line is kept when only `room` is left: whole elements where there are any,
 * else whole parameters, so that none appears that nobody sent. */
static size_t cut_list(struct wsx_slice value, size_t room, bool joined) {
    for (size_t i = room; i > 0; i--)
        if (value.at[i - 1] == ',')
            return i - 1;
    for (size_t i = room; i > 0 && !joined; i--)
        if (value.at[i - 1] == ';')
            return i - 1;
    return joined ? 0 : room;
}

/* Appends a line's value to what the slot holds. True when it had to be cut to `max` bytes. */
static bool append_value(struct wsx_head *head, char **slot, struct wsx_slice value, size_t max) {
    size_t used = *slot ? strlen(*slot) : 0;
    size_t separator = *slot ? 2 : 0;
    size_t room = max > used + separator ? max - used - separator : 0;
    bool cut = value.length > room;
    if (cut)
        value.length = cut_list(value, room, *slot != NULL);
    if (cut && *slot && !value.length)
        return true;
    char *to = text_room(head, slot, used, separator + value.length);
    if (separator)
        memcpy(to, ", ", 2);
    to += separator;
    memcpy(to, value.at, value.length);
    to[value.length] = '\0';
    for (size_t i = 0; i < value.length; i++)
        if ((unsigned char)to[i] < 0x20 || to[i] == 0x7F)
            to[i] = printable(to[i]);
    return cut;
}

/* "websocket/13" counts as websocket: RFC 9110 7.8 gives a protocol an optional version. */
static bool lists(struct wsx_slice list, const char *word) {
    struct wsx_slice element;
    while (wsx_list_next(&list, &element)) {
        const char *slash = memchr(element.at, '/', element.length);
        if (slash)
            element.length = (size_t)(slash - element.at);
        if (wsx_slice_is_nocase(wsx_trim(element), word))
            return true;
    }
    return false;
}

static unsigned read_status(struct wsx_slice text) {
    if (text.length < 3 || (text.length > 3 && !wsx_is_blank(text.at[3])))
        return 0;
    unsigned status = 0;
    for (int i = 0; i < 3; i++) {
        if (!g_ascii_isdigit(text.at[i]))
            return 0;
        status = status * 10 + (unsigned)(text.at[i] - '0');
    }
    return status >= 100 ? status : 0;
}

/* What a header tells beyond its value. */
static void note_header(struct wsx_head *head, enum noting noting, struct wsx_slice value) {
    switch (noting) {
    case NOTE_KEY:
        head->key_lines++;
        break;
    case NOTE_ACCEPT:
        head->accept_lines++;
        break;
    case NOTE_PROTOCOL:
        head->protocol_lines++;
        break;
    case NOTE_UPGRADE:
        head->upgrade_websocket |= lists(value, "websocket");
        break;
    case NOTE_CONNECTION:
        head->connection_upgrade |= lists(value, "upgrade");
        break;
    case NOTE_COOKIE:
        head->has_cookie = true;
        break;
    case NOTE_AUTHORIZATION:
        head->has_authorization = true;
        break;
    case NOTE_METHOD:
        head->request = true;
        break;
    case NOTE_STATUS:
        head->status = read_status(value);
        break;
    case NOTE_NOTHING:
        break;
    }
}

/* Most headers are passed over by their length. */
static const struct header *header_of(struct wsx_slice name) {
    for (size_t i = 0; i < G_N_ELEMENTS(known_headers); i++)
        if (name.length == known_headers[i].length && name.length &&
            g_ascii_tolower(name.at[0]) == known_headers[i].name[0] &&
            wsx_slice_is_nocase(name, known_headers[i].name))
            return &known_headers[i];
    return NULL;
}

void wsx_head_add(struct wsx_head *head, const char *name, size_t name_length, const char *value,
                  size_t value_length) {
    struct wsx_slice called = wsx_trim((struct wsx_slice){name, name_length});
    struct wsx_slice trimmed = wsx_trim((struct wsx_slice){value, value_length});
    const struct header *header = header_of(called);
    if (!header)
        return;
    note_header(head, header->noting, trimmed);
    if (header->keeping == KEEP_NOT)
        return;
    char **slot = slot_at(head, header->offset);
    bool first_only =
        header->keeping == KEEP_FIRST ||
        /* Under HTTP/2 a Host beside :authority says the same again. */
        (head->http != WSX_HTTP_1 && header->offset == offsetof(struct wsx_head, host));
    if (*slot && first_only)
        return;
    size_t max = header->keeping == KEEP_FIRST ? WSX_FIRST_MAX : WSX_VALUE_MAX;
    head->values_cut |= append_value(head, slot, trimmed, max);
}

/* Takes the line at *position, without its end. False when it isn't ended: then the line is what
 * there is, and *position is the end. */
static bool next_line(struct wsx_slice bytes, size_t *position, struct wsx_slice *line) {
    const char *start = bytes.at + *position;
    size_t left = bytes.length - *position;
    const char *feed = left ? memchr(start, '\n', left) : NULL;
    size_t length = feed ? (size_t)(feed - start) : left;
    *position += feed ? length + 1 : length;
    if (feed && length && start[length - 1] == '\r')
        length--;
    *line = (struct wsx_slice){start, length};
    return feed != NULL;
}

/* "HTTP/1.1" at the start of the text. */
static bool read_version(struct wsx_slice text, struct wsx_head *head) {
    if (text.length < 8 || memcmp(text.at, "HTTP/", 5) != 0 || !g_ascii_isdigit(text.at[5]) ||
        text.at[6] != '.' || !g_ascii_isdigit(text.at[7]))
        return false;
    head->major = (uint8_t)(text.at[5] - '0');
    head->minor = (uint8_t)(text.at[7] - '0');
    return true;
}

static bool read_status_line(struct wsx_slice line, struct wsx_head *head) {
    if (!read_version(line, head) || line.length < 9 || !wsx_is_blank(line.at[8]))
        return false;
    struct wsx_slice rest = wsx_trim((struct wsx_slice){line.at + 8, line.length - 8});
    head->status = read_status(rest);
    if (!head->status)
        return false;
    append_value(head, &head->reason, wsx_trim((struct wsx_slice){rest.at + 3, rest.length - 3}),
                 WSX_VALUE_MAX);
    return true;
}

/* Method and version are found from the two ends, since targets with blanks are sent. */
static bool read_request_line(struct wsx_slice line, struct wsx_head *head) {
    line = wsx_trim(line);
    size_t method = 0;
    while (method < line.length && wsx_is_token_char(line.at[method]))
        method++;
    if (!method || line.length - method < 10 || !wsx_is_blank(line.at[method]) ||
        !wsx_is_blank(line.at[line.length - 9]) ||
        !read_version((struct wsx_slice){line.at + line.length - 8, 8}, head))
        return false;
    struct wsx_slice name = {line.at, method};
    struct wsx_slice target =
        wsx_trim((struct wsx_slice){line.at + method, line.length - 8 - method});
    /* The first bytes of HTTP/2 look like a request on purpose (RFC 9113 3.4). */
    if (!target.length || wsx_slice_is(name, "PRI"))
        return false;
    head->request = true;
    append_value(head, &head->method, name, WSX_VALUE_MAX);
    append_value(head, &head->target, target, WSX_FIRST_MAX);
    return true;
}

/* One header, waiting for the next one: lines may be folded. */
struct pending {
    struct wsx_slice name, value;
    GString *folded; /* the value's lines joined, NULL where there is one only */
};

static void pending_flush(struct pending *pending, struct wsx_head *head) {
    /* An empty name is no header, and ":path" in HTTP/1 is one of those. */
    if (pending->name.length && pending->folded)
        wsx_head_add(head, pending->name.at, pending->name.length, pending->folded->str,
                     pending->folded->len);
    else if (pending->name.length)
        wsx_head_add(head, pending->name.at, pending->name.length, pending->value.at,
                     pending->value.length);
    if (pending->folded)
        g_string_free(pending->folded, TRUE);
    *pending = (struct pending){{NULL, 0}, {NULL, 0}, NULL};
}

static void pending_line(struct pending *pending, struct wsx_slice line, struct wsx_head *head) {
    if (wsx_is_blank(line.at[0])) {
        line = wsx_trim(line);
        if (!pending->folded)
            pending->folded = g_string_new_len(pending->value.at, (gssize)pending->value.length);
        g_string_append_c(pending->folded, ' ');
        g_string_append_len(pending->folded, line.at, (gssize)line.length);
        return;
    }
    pending_flush(pending, head);
    const char *colon = memchr(line.at, ':', line.length);
    if (!colon)
        return;
    pending->name = wsx_trim((struct wsx_slice){line.at, (size_t)(colon - line.at)});
    struct wsx_slice value = {colon + 1, line.length - (size_t)(colon - line.at) - 1};
    pending->value = wsx_trim(value);
}

size_t wsx_head_parse(const uint8_t *bytes, size_t length, struct wsx_head *head, bool *complete) {
    memset(head, 0, sizeof *head);
    *complete = false;
    if (!length)
        return 0;
    struct wsx_slice all = {(const char *)bytes, length}, line;
    /* Who looks for heads in many places need not read far for the end of each first line. */
    struct wsx_slice begin = {all.at, MIN(length, WSX_FIRST_MAX)};
    size_t position = 0;
    bool ended = next_line(begin, &position, &line);
    /* RFC 9112 2.2: an empty line before the request line is passed over. */
    if (ended && !line.length)
        ended = next_line(begin, &position, &line);
    bool response = line.length >= 5 && !memcmp(line.at, "HTTP/", 5);
    if (!(response ? read_status_line(line, head) : read_request_line(line, head))) {
        wsx_head_clear(head);
        return 0;
    }
    struct pending pending = {{NULL, 0}, {NULL, 0}, NULL};
    while (ended && !*complete) {
        ended = next_line(all, &position, &line);
        if (ended && !line.length)
            *complete = true;
        else if (ended) /* a line without its end may lack a part of its value: left out */
            pending_line(&pending, line, head);
    }
    pending_flush(&pending, head);
    head->cut = !*complete;
    return position;
}

/* ---- the content behind a head ---- */

#define CONTENT_MAX (UINT64_C(1) << 62)

/* The number at the start of the text, up to CONTENT_MAX. False where none stands. */
static bool read_number(struct wsx_slice text, unsigned base, uint64_t *number) {
    size_t digits = 0;
    *number = 0;
    for (; digits < text.length; digits++) {
        int digit = g_ascii_xdigit_value(text.at[digits]);
        if (digit < 0 || (unsigned)digit >= base)
            break;
        *number = MIN(*number * base + (unsigned)digit, CONTENT_MAX / 16);
    }
    return digits != 0;
}

bool wsx_chunks_length(const uint8_t *bytes, size_t count, uint64_t *length) {
    struct wsx_slice all = {(const char *)bytes, count};
    size_t position = 0;
    uint64_t chunk = 0;
    struct wsx_slice line;
    do {
        if (!next_line(all, &position, &line) || !read_number(line, 16, &chunk) ||
            chunk > all.length - position)
            return false;
        position += (size_t)chunk;
        if (chunk && (!next_line(all, &position, &line) || line.length))
            return false;
    } while (chunk);
    do
        if (!next_line(all, &position, &line))
            return false;
    while (line.length);
    *length = position;
    return true;
}

bool wsx_head_content(const struct wsx_head *head, const uint8_t *bytes, size_t used, size_t length,
                      uint64_t *content) {
    *content = 0;
    if (!head->request && (head->status < 200 || head->status == 204 || head->status == 304))
        return true;
    struct wsx_slice all = {(const char *)bytes, used}, line;
    bool known = head->request, chunked = false;
    for (size_t position = 0; next_line(all, &position, &line);) {
        const char *colon = memchr(line.at, ':', line.length);
        if (!colon || wsx_is_blank(line.at[0]))
            continue;
        struct wsx_slice name = wsx_trim((struct wsx_slice){line.at, (size_t)(colon - line.at)});
        struct wsx_slice value =
            wsx_trim((struct wsx_slice){colon + 1, line.length - (size_t)(colon - line.at) - 1});
        if (wsx_slice_is_nocase(name, "content-length"))
            known = read_number(value, 10, content);
        else if (wsx_slice_is_nocase(name, "transfer-encoding"))
            chunked |= lists(value, "chunked");
    }
    if (chunked)
        known = wsx_chunks_length(bytes + used, length - used, content);
    return known;
}

bool wsx_head_asks(const struct wsx_head *head) {
    if (!head->request)
        return false;
    return head->upgrade_websocket || head->key ||
           (head->protocol_pseudo && !g_ascii_strcasecmp(head->protocol_pseudo, "websocket"));
}

bool wsx_head_agrees(const struct wsx_head *head) {
    if (head->request)
        return false;
    return head->http == WSX_HTTP_1 ? head->status == 101 : head->status / 100 == 2;
}

void wsx_accept_for_key(const char *key, char accept[29]) {
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA1);
    g_checksum_update(sum, (const guchar *)key, (gssize)strlen(key));
    g_checksum_update(sum, (const guchar *)ACCEPT_GUID, (gssize)strlen(ACCEPT_GUID));
    guint8 digest[20];
    gsize length = sizeof digest;
    g_checksum_get_digest(sum, digest, &length);
    g_checksum_free(sum);
    char *text = g_base64_encode(digest, length);
    memcpy(accept, text, 29);
    g_free(text);
}

/* Finds the authority of an absolute-form target; false for another form. */
static bool read_absolute(const char *target, bool *secure, struct wsx_slice *authority,
                          const char **path) {
    static const struct {
        const char *text;
        bool secure;
    } schemes[] = {{"http://", false}, {"https://", true}, {"ws://", false}, {"wss://", true}};
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        size_t length = strlen(schemes[i].text);
        if (g_ascii_strncasecmp(target, schemes[i].text, length))
            continue;
        *secure = schemes[i].secure;
        *authority = (struct wsx_slice){target + length, strcspn(target + length, "/?#")};
        *path = authority->at + authority->length;
        return true;
    }
    return false;
}

char *wsx_handshake_uri(const struct wsx_head *request, bool encrypted) {
    if (!request)
        return NULL;
    const char *path = request->target ? request->target : "/";
    struct wsx_slice authority = wsx_slice_of(request->host);
    bool secure = encrypted, absolute_secure;
    if (request->http == WSX_HTTP_1) {
        if (read_absolute(path, &absolute_secure, &authority, &path))
            secure = encrypted || absolute_secure;
    } else if (request->scheme) {
        secure = !g_ascii_strcasecmp(request->scheme, "https") ||
                 !g_ascii_strcasecmp(request->scheme, "wss");
    }
    GString *uri = g_string_new(secure ? "wss://" : "ws://");
    if (authority.length)
        g_string_append_len(uri, authority.at, (gssize)authority.length);
    if (path[0] != '/')
        g_string_append_c(uri, '/');
    g_string_append(uri, path);
    return g_string_free(uri, FALSE);
}
