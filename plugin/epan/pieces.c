/*
 * pieces.c - the bytes of HTTP/3 streams that came before it is known which of them carry
 * WebSocket: Wireshark 4.6 tells that with the first DATA frame, and late packets may come behind
 * it, or before. A part of state.c, see there; http3.c keeps and takes them. First pass only.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

#include <epan/wmem_scopes.h>

/* Of one stream: a first DATA frame that is as long as any sensible message. Of all: what a capture
 * of uploads may cost. A stream with more is given up, and read as Wireshark hands it on. */
#define STREAM_BYTES_MAX (256u * 1024u)
#define STREAM_PIECES_MAX 1024u
#define TOTAL_MAX (UINT64_C(64) << 20)

struct piece {
    struct piece *next;
    struct wsx_quic_piece told;
    unsigned sender;
    uint8_t bytes[];
};

struct wsx_kept_stream {
    struct piece *first, **end;
    size_t bytes;
    unsigned count;
    bool over; /* nothing of it is kept any more */
};

static uint64_t total;

void wsx_store_pieces_init(void) { total = 0; }

static struct wsx_carrier *carrier_of(packet_info *pinfo) {
    return wsx_store_carrier(wsx_store_conversation(pinfo, false));
}

static bool is_closed(packet_info *pinfo) {
    const struct wsx_carrier *carrier = carrier_of(pinfo);
    return carrier && carrier->kept_closed;
}

static struct wsx_kept_stream *stream_of(packet_info *pinfo, uint64_t stream_id) {
    struct wsx_carrier *carrier = carrier_of(pinfo);
    return carrier && carrier->kept ? wmem_map_lookup(carrier->kept, &stream_id) : NULL;
}

static struct wsx_kept_stream *stream_new(packet_info *pinfo, uint64_t stream_id) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    if (!carrier->kept)
        carrier->kept = wmem_map_new(wmem_file_scope(), wmem_int64_hash, g_int64_equal);
    struct wsx_kept_stream *stream = wmem_new0(wmem_file_scope(), struct wsx_kept_stream);
    stream->end = &stream->first;
    wmem_map_insert(carrier->kept, wmem_memdup(wmem_file_scope(), &stream_id, sizeof stream_id),
                    stream);
    return stream;
}

/* Many small pieces cost more than their bytes. */
static uint64_t cost(unsigned count, size_t bytes) {
    return (uint64_t)count * sizeof(struct piece) + bytes;
}

static void give_up(struct wsx_kept_stream *stream) {
    while (stream->first) {
        struct piece *first = stream->first;
        stream->first = first->next;
        wmem_free(wmem_file_scope(), first);
    }
    total -= cost(stream->count, stream->bytes);
    stream->count = 0;
    stream->bytes = 0;
    stream->over = true;
}

void wsx_state_keep_piece(packet_info *pinfo, uint64_t stream_id,
                          const struct wsx_quic_piece *piece) {
    struct wsx_kept_stream *stream = stream_of(pinfo, stream_id);
    if (stream ? stream->over : is_closed(pinfo))
        return;
    if (!stream)
        stream = stream_new(pinfo, stream_id);
    /* a side that ends before there is any WebSocket: a request of another kind */
    if (piece->fin || stream->bytes + piece->length > STREAM_BYTES_MAX ||
        stream->count >= STREAM_PIECES_MAX || total + cost(1, piece->length) > TOTAL_MAX) {
        give_up(stream);
        return;
    }
    struct piece *kept = wmem_alloc(wmem_file_scope(), sizeof *kept + piece->length);
    *kept = (struct piece){.told = *piece, .sender = wsx_store_sender(pinfo)};
    memcpy(kept->bytes, piece->bytes, piece->length);
    kept->told.bytes = kept->bytes;
    *stream->end = kept;
    stream->end = &kept->next;
    stream->count++;
    stream->bytes += piece->length;
    total += cost(1, piece->length);
}

void wsx_state_drop_kept(packet_info *pinfo, uint64_t stream_id) {
    struct wsx_kept_stream *stream = stream_of(pinfo, stream_id);
    if (stream)
        give_up(stream);
}

static void give_up_each(gpointer key _U_, gpointer stream, gpointer context _U_) {
    give_up(stream);
}

/* Once: a hostile connection may be closed in every packet. */
void wsx_state_drop_all_kept(packet_info *pinfo) {
    struct wsx_carrier *carrier = carrier_of(pinfo);
    if (!carrier || carrier->kept_closed)
        return;
    carrier->kept_closed = true;
    if (carrier->kept)
        wmem_map_foreach(carrier->kept, give_up_each, NULL);
}

bool wsx_state_pieces_are_kept(packet_info *pinfo, uint64_t stream_id) {
    const struct wsx_kept_stream *stream = stream_of(pinfo, stream_id);
    return stream ? !stream->over : !is_closed(pinfo);
}

void wsx_state_take_kept(packet_info *pinfo, struct wsx_session *session, wsx_take_piece take,
                         void *context) {
    struct wsx_kept_stream *stream = stream_of(pinfo, session->stream_id);
    enum wsx_direction direction = wsx_state_stream_direction(session, pinfo);
    if (!stream || stream->over)
        return;
    for (const struct piece *piece = stream->first; piece; piece = piece->next)
        take(context, piece->sender == wsx_store_sender(pinfo) ? direction : !direction,
             &piece->told);
    give_up(stream);
}
