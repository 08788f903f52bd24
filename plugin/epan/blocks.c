/*
 * blocks.c - field blocks of HTTP/2 that lie in several frames, which may lie in several packets
 * (RFC 9113 4.3, 6.10). A part of state.c, see there; http2.c says which frames are theirs. First
 * pass only. Kept is the head that they make so far, whose values have bounds of their own: one for
 * each side of a connection.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "store.h"

/* All that are not at their end: of the file's end some are left. */
static GHashTable *open_blocks;

static void block_free(gpointer data) {
    struct wsx_block *block = data;
    wsx_head_clear(&block->head);
    g_free(block);
}

void wsx_store_blocks_init(void) {
    open_blocks = g_hash_table_new_full(g_direct_hash, g_direct_equal, block_free, NULL);
}

void wsx_store_blocks_cleanup(void) {
    g_hash_table_destroy(open_blocks);
    open_blocks = NULL;
}

static struct wsx_block *block_of(packet_info *pinfo, unsigned side) {
    if (!g_hash_table_size(open_blocks))
        return NULL;
    const struct wsx_carrier *carrier = wsx_store_carrier(wsx_store_conversation(pinfo, false));
    return carrier ? carrier->block[side] : NULL;
}

struct wsx_block *wsx_state_block(packet_info *pinfo) {
    return block_of(pinfo, wsx_store_sender(pinfo));
}

bool wsx_state_block_is_due(packet_info *pinfo, uint64_t stream_id) {
    const struct wsx_block *block = block_of(pinfo, !wsx_store_sender(pinfo));
    return block && block->stream_id == stream_id;
}

struct wsx_block *wsx_state_block_begin(packet_info *pinfo, uint64_t stream_id, bool fin) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    struct wsx_block *block = g_new0(struct wsx_block, 1);
    *block = (struct wsx_block){.stream_id = stream_id, .fin = fin, .head.http = WSX_HTTP_2};
    carrier->block[wsx_store_sender(pinfo)] = block;
    g_hash_table_add(open_blocks, block);
    return block;
}

void wsx_state_block_lacks_end(packet_info *pinfo) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    carrier->settings[wsx_store_sender(pinfo)].lossy = true;
}

void wsx_state_block_end(packet_info *pinfo) {
    struct wsx_carrier *carrier = wsx_store_carrier_new(wsx_store_conversation(pinfo, true));
    struct wsx_block **block = &carrier->block[wsx_store_sender(pinfo)];
    g_hash_table_remove(open_blocks, *block);
    *block = NULL;
}
