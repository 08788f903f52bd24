/*
 * objects.c - `--export-objects websocket,DIR` and File > Export Objects > WebSocket: one file a
 * message, unmasked and decompressed. tshark also writes what the file ends in the middle of; a
 * window is not told where the file ends.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "epan/compat.h"
#include "epan/state.h"
#include "taps.h"

#include <epan/export_object.h>

static int objects_tap = -1;

/* ---- what the content is ---- */

struct kind {
    const char *extension, *type;
};

/* Files that are known by their first bytes. */
static const struct {
    size_t offset;
    const char *magic;
    size_t length;
    struct kind kind;
} known[] = {
#define MAGIC(offset, bytes) (offset), (bytes), sizeof(bytes) - 1
    {MAGIC(0, "\x89PNG\r\n\x1a\n"), {"png", "image/png"}},
    {MAGIC(0, "\xff\xd8\xff"), {"jpg", "image/jpeg"}},
    {MAGIC(0, "GIF8"), {"gif", "image/gif"}},
    {MAGIC(8, "WEBP"), {"webp", "image/webp"}},
    {MAGIC(8, "WAVE"), {"wav", "audio/wav"}},
    {MAGIC(0, "OggS"), {"ogg", "application/ogg"}},
    {MAGIC(0, "\x1a\x45\xdf\xa3"), {"webm", "video/webm"}},
    {MAGIC(4, "ftyp"), {"mp4", "video/mp4"}},
    {MAGIC(0, "%PDF-"), {"pdf", "application/pdf"}},
    {MAGIC(0, "PK\x03\x04"), {"zip", "application/zip"}},
    {MAGIC(0, "\x1f\x8b\x08"), {"gz", "application/gzip"}},
    {MAGIC(0, "\x28\xb5\x2f\xfd"), {"zst", "application/zstd"}},
    {MAGIC(0, "\0asm"), {"wasm", "application/wasm"}},
#undef MAGIC
};

static bool begins_and_ends(const char *text, size_t length, char first, char last) {
    return length >= 2 && text[0] == first && text[length - 1] == last;
}

/* JSON and XML by their first and last character, as far as the message is whole. */
static struct kind kind_of_text(const uint8_t *bytes, size_t length, bool whole) {
    const char *text = (const char *)bytes;
    while (length && g_ascii_isspace(*text)) {
        text++;
        length--;
    }
    while (length && g_ascii_isspace(text[length - 1]))
        length--;
    if (whole &&
        (begins_and_ends(text, length, '{', '}') || begins_and_ends(text, length, '[', ']')))
        return (struct kind){"json", "application/json"};
    if (whole && begins_and_ends(text, length, '<', '>'))
        return (struct kind){"xml", "application/xml"};
    return (struct kind){"txt", "text/plain"};
}

static bool is_text(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < 0x20 && !g_ascii_isspace(bytes[i]))
            return false;
    return length && g_utf8_validate((const char *)bytes, (gssize)length, NULL);
}

static struct kind kind_of(const struct wsx_message *message, const uint8_t *bytes) {
    static const struct kind binary = {"bin", "application/octet-stream"};
    size_t length = message->have;
    if (message->raw)
        return binary;
    if (message->text)
        return message->utf8 ? kind_of_text(bytes, length, !message->incomplete) : binary;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (length >= known[i].offset + known[i].length &&
            memcmp(bytes + known[i].offset, known[i].magic, known[i].length) == 0)
            return known[i].kind;
    /* protocols that put JSON or lines of text into binary messages */
    return is_text(bytes, length) ? kind_of_text(bytes, length, !message->incomplete) : binary;
}

/* ---- the tap ---- */

static void add(const export_object_list_t *list, const struct wsx_item *item, packet_info *pinfo) {
    const struct wsx_message *message = item->message;
    const struct wsx_session *session = item->session;
    const uint8_t *bytes = wsx_item_message(item, pinfo, message->have);
    struct kind kind = kind_of(message, bytes);
    const char *host = session->request.host && *session->request.host
                           ? session->request.host
                           : wsx_end_text(&session->server);
    export_object_entry_t *entry = g_new0(export_object_entry_t, 1);
    entry->pkt_num = item->packet;
    entry->hostname = g_utf8_make_valid(host, -1);
    entry->content_type = g_strdup(kind.type);
    entry->filename = g_strdup_printf("stream%u-%s-%u-%s%s.%s", session->number,
                                      message->direction == WSX_CLIENT_TO_SERVER ? "c2s" : "s2c",
                                      message->index, message->text ? "text" : "binary",
                                      message->raw          ? "-compressed"
                                      : message->incomplete ? "-incomplete"
                                                            : "",
                                      kind.extension);
    entry->payload_len = message->have;
    /* Wireshark of all versions takes a pointer, also to no bytes */
    entry->payload_data = g_malloc(message->have + 1);
    if (message->have)
        memcpy(entry->payload_data, bytes, message->have);
    list->add_entry(list->gui_data, entry);
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo, void *data) {
    if (item->message)
        add(data, item, pinfo);
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    const struct wsx_packet *packet = queued;
    static const void *told; /* the list that will hear of the end of the file */
    bool any = false;
    wsx_state_tap_ran();
    if (told != data) {
        told = data;
        wsx_taps_before_drawing(at_eof, NULL, data);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++) {
        const struct wsx_item *item = wmem_array_index(packet->items, i);
        if (item->message) {
            add(data, item, pinfo);
            any = true;
        }
    }
    return any ? TAP_PACKET_REDRAW : TAP_PACKET_DONT_REDRAW;
}

void wsx_tap_objects_queue(packet_info *pinfo, const struct wsx_packet *packet) {
    if (have_tap_listener(objects_tap))
        tap_queue_packet(objects_tap, pinfo, packet);
}

void wsx_tap_objects_register(int proto) {
    objects_tap = register_export_object(proto, on_packet, NULL);
}
