/*
 * test_pieces.c - what pieces.c keeps of QUIC streams: it comes back once, in its order; a stream
 * over a bound is given up with all it has, and its memory is free for others. What it asks of
 * other files is made up here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "../../plugin/epan/store.h"

#define STREAM_BYTES 262144u
#define STREAM_PIECES 1024u
#define TOTAL (UINT64_C(64) << 20)

static wmem_allocator_t *scope;
static struct wsx_carrier *carrier;
static conversation_t *conversation;
static packet_info packet;
static unsigned sender; /* of the packet at hand */
static uint8_t bytes[STREAM_BYTES + 1];

wmem_allocator_t *wmem_file_scope(void) { return scope; }

conversation_t *wsx_store_conversation(packet_info *pinfo G_GNUC_UNUSED, bool create) {
    if (!conversation && create)
        conversation = wmem_new0(scope, conversation_t);
    return conversation;
}

struct wsx_carrier *wsx_store_carrier(const conversation_t *of) {
    return of ? carrier : NULL;
}

struct wsx_carrier *wsx_store_carrier_new(conversation_t *of) {
    g_assert_nonnull(of);
    if (!carrier)
        carrier = wmem_new0(scope, struct wsx_carrier);
    return carrier;
}

unsigned wsx_store_sender(const packet_info *pinfo G_GNUC_UNUSED) { return sender; }

enum wsx_direction wsx_state_stream_direction(const struct wsx_session *session G_GNUC_UNUSED,
                                              const packet_info *pinfo G_GNUC_UNUSED) {
    return sender == 0 ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
}

static void file_begins(void) {
    scope = wmem_allocator_new(WMEM_ALLOCATOR_STRICT);
    wsx_store_pieces_init();
    sender = 0;
}

static void file_ends(void) {
    wmem_destroy_allocator(scope);
    carrier = NULL;
    conversation = NULL;
}

static void keep(uint64_t stream, uint64_t offset, size_t length, bool fin) {
    struct wsx_quic_piece piece = {.offset = offset,
                                   .bytes = bytes,
                                   .length = length,
                                   .fin = fin,
                                   .time = (int64_t)offset + 5};
    wsx_state_keep_piece(&packet, stream, &piece);
}

struct taken {
    unsigned count;
    uint64_t length;
    uint64_t offset[4];
    enum wsx_direction direction[4];
};

static void take(void *context, enum wsx_direction direction, const struct wsx_quic_piece *piece) {
    struct taken *taken = context;
    g_assert_true(memcmp(piece->bytes, bytes, piece->length) == 0);
    g_assert_true(piece->bytes != bytes);
    g_assert_cmpint(piece->time, ==, (int64_t)piece->offset + 5);
    if (taken->count < G_N_ELEMENTS(taken->offset)) {
        taken->offset[taken->count] = piece->offset;
        taken->direction[taken->count] = direction;
    }
    taken->count++;
    taken->length += piece->length;
}

static struct taken take_all(uint64_t stream) {
    struct wsx_session session = {.stream_id = stream};
    struct taken taken = {.count = 0};
    wsx_state_take_kept(&packet, &session, take, &taken);
    return taken;
}

static bool kept(uint64_t stream) { return wsx_state_pieces_are_kept(&packet, stream); }

static void test_order(void) {
    file_begins();
    g_assert_true(kept(0)); /* nothing has come */
    g_assert_cmpuint(take_all(0).count, ==, 0);
    keep(0, 10, 7, false);
    keep(4, 0, 100, false);
    sender = 1;
    keep(0, 0, 3, false);
    sender = 0;
    keep(0, 5, 0, false);
    sender = 1;
    struct taken taken = take_all(0);
    g_assert_cmpuint(taken.count, ==, 3);
    g_assert_cmpuint(taken.offset[0], ==, 10);
    g_assert_cmpuint(taken.offset[1], ==, 0);
    g_assert_cmpuint(taken.offset[2], ==, 5);
    g_assert_cmpint(taken.direction[0], ==, WSX_CLIENT_TO_SERVER);
    g_assert_cmpint(taken.direction[1], ==, WSX_SERVER_TO_CLIENT);
    g_assert_cmpint(taken.direction[2], ==, WSX_CLIENT_TO_SERVER);
    g_assert_cmpuint(taken.length, ==, 10);
    g_assert_cmpuint(take_all(0).count, ==, 0); /* once */
    keep(0, 20, 7, false);
    g_assert_cmpuint(take_all(0).count, ==, 0);
    g_assert_cmpuint(take_all(4).length, ==, 100);
    file_ends();
}

static void assert_given_up(uint64_t stream) {
    g_assert_false(kept(stream));
    keep(stream, 0, 5, false);
    g_assert_false(kept(stream));
    g_assert_cmpuint(take_all(stream).count, ==, 0);
}

static void test_stream_bytes(void) {
    file_begins();
    keep(0, 0, STREAM_BYTES - 1, false);
    keep(4, 0, STREAM_BYTES, false);
    keep(8, 0, STREAM_BYTES + 1, false);
    keep(12, 0, STREAM_BYTES - 1, false);
    keep(0, STREAM_BYTES, 1, false);
    keep(12, STREAM_BYTES, 2, false);
    g_assert_true(kept(0));
    g_assert_true(kept(4));
    assert_given_up(8);
    assert_given_up(12);
    g_assert_cmpuint(take_all(0).length, ==, STREAM_BYTES);
    g_assert_cmpuint(take_all(4).length, ==, STREAM_BYTES);
    file_ends();
}

static void test_stream_pieces(void) {
    file_begins();
    for (unsigned i = 0; i < STREAM_PIECES; i++) {
        keep(0, i, 1, false);
        keep(4, i, 0, false);
    }
    g_assert_true(kept(0));
    g_assert_true(kept(4));
    keep(4, 0, 0, false);
    assert_given_up(4);
    g_assert_cmpuint(take_all(0).count, ==, STREAM_PIECES);
    file_ends();
}

static void test_fin(void) {
    file_begins();
    keep(0, 0, 5, false);
    keep(0, 5, 5, true);
    keep(4, 0, 5, true);
    assert_given_up(0);
    assert_given_up(4);
    file_ends();
}

static void test_reset(void) {
    file_begins();
    wsx_state_drop_kept(&packet, 0); /* nothing has come */
    g_assert_true(kept(0));
    for (uint64_t stream = 0; stream < 4; stream++)
        keep(stream, 0, 5, false);
    wsx_state_drop_kept(&packet, 2);
    assert_given_up(2);
    g_assert_true(kept(1));
    g_assert_cmpuint(take_all(1).length, ==, 5);
    wsx_state_drop_all_kept(&packet);
    assert_given_up(0);
    assert_given_up(3);
    assert_given_up(4); /* nor does one begin any more */
    file_ends();
}

/* How many streams are kept of those that begin with this. */
static unsigned fill(uint64_t first, unsigned streams, unsigned pieces, size_t length) {
    unsigned held = 0;
    for (uint64_t stream = first; stream < first + streams; stream++) {
        for (unsigned i = 0; i < pieces; i++)
            keep(stream, i * length, length, false);
        held += kept(stream);
    }
    return held;
}

static void test_total(void) {
    unsigned most = (unsigned)(TOTAL / STREAM_BYTES);
    file_begins();
    unsigned held = fill(0, 2 * most, 16, STREAM_BYTES / 16);
    g_assert_cmpuint(held, <=, most);
    g_assert_cmpuint(held, >=, most - 2); /* the pieces' own memory */
    for (unsigned i = 0; i < held; i++)
        g_assert_true(kept(i)); /* later ones take nothing from them */
    assert_given_up(2 * most - 1);
    /* what is taken, and what is given up, makes room */
    g_assert_cmpuint(take_all(0).length, ==, STREAM_BYTES);
    keep(1, STREAM_BYTES, 1, false);
    assert_given_up(1);
    wsx_state_drop_kept(&packet, 2);
    wsx_state_drop_kept(&packet, 2);
    g_assert_cmpuint(fill(10000, 5, 16, STREAM_BYTES / 16), ==, 3);
    wsx_state_drop_all_kept(&packet);
    carrier = NULL; /* another connection */
    conversation = NULL;
    g_assert_cmpuint(fill(0, 2 * most, 16, STREAM_BYTES / 16), ==, held);
    file_ends();
    /* and so does another file */
    file_begins();
    g_assert_cmpuint(fill(0, 2 * most, 16, STREAM_BYTES / 16), ==, held);
    file_ends();
}

/* Of pieces of one byte there are no more than fit with what tells of them. */
static void test_total_small(void) {
    unsigned most = (unsigned)(TOTAL / (STREAM_PIECES * sizeof(struct wsx_quic_piece)));
    file_begins();
    unsigned held = fill(0, 2 * most, STREAM_PIECES, 1);
    g_assert_cmpuint(held, <, most);
    g_assert_cmpuint(held, >, most / 4);
    file_ends();
}

/* Whatever comes, the sum is right: in the end there is as much room as in the beginning. */
static void test_sum(void) {
    GRand *random = g_rand_new_with_seed(1);
    file_begins();
    uint64_t stream = 0;
    for (unsigned round = 0; round < 3000; round++) {
        unsigned of = (unsigned)g_rand_int_range(random, 1, 40);
        for (unsigned i = 0; i < of; i++)
            keep(stream, i, (size_t)g_rand_int_range(random, 0, 20000),
                 g_rand_int_range(random, 0, 50) == 0);
        take_all(stream++);
    }
    unsigned most = (unsigned)(TOTAL / STREAM_BYTES);
    g_assert_cmpuint(fill(stream, most - 2, 16, STREAM_BYTES / 16), ==, most - 2);
    file_ends();
    g_rand_free(random);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    wmem_init(); /* its maps are lists without */
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    g_test_add_func("/pieces/order", test_order);
    g_test_add_func("/pieces/stream-bytes", test_stream_bytes);
    g_test_add_func("/pieces/stream-pieces", test_stream_pieces);
    g_test_add_func("/pieces/fin", test_fin);
    g_test_add_func("/pieces/reset", test_reset);
    g_test_add_func("/pieces/total", test_total);
    g_test_add_func("/pieces/total-small", test_total_small);
    g_test_add_func("/pieces/sum", test_sum);
    int failed = g_test_run();
    wmem_cleanup();
    return failed;
}
