/*
 * test_connection.c - the rules of single frames (RFC 6455 5.1 to 5.5), lost bytes, a capture that
 * begins in the middle: each rule with the nearest conversation that does not break it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "talk.h"

#define KEY_A "\x01\x02\x03\x04"
#define KEY_B "\x01\x02\x03\x05"
#define ZERO "\0\0\0\0"

static void test_masks(void) {
    FIRES(WSX_RULE_FRAME_MASK_MISSING, PLAIN, {CLIENT_RAW, 0, "\x81\x01x"});
    SILENT(WSX_RULE_FRAME_MASK_MISSING, PLAIN, {SERVER_RAW, 0, "\x81\x01x"});
    FIRES(WSX_RULE_FRAME_MASK_UNEXPECTED, PLAIN, {SERVER_KEY, FIN_TEXT, "x", 0, KEY_A});
    SILENT(WSX_RULE_FRAME_MASK_UNEXPECTED, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A});
    LOG("unmasked all the same", PLAIN, "s 1  message 1 text 5 'hello' !frame-mask-unexpected\n",
        {SERVER_KEY, FIN_TEXT, "hello", 0, KEY_A});
}

static void test_keys(void) {
    FIRES(WSX_RULE_FRAME_MASK_KEY_ZERO, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, ZERO});
    SILENT(WSX_RULE_FRAME_MASK_KEY_ZERO, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, "\0\0\0\x01"});
    SILENT(WSX_RULE_FRAME_MASK_KEY_ZERO, PLAIN, {CLIENT_KEY, FIN_TEXT, "", 0, ZERO});
    FIRES(WSX_RULE_FRAME_MASK_KEY_REUSED, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A},
          {CLIENT_KEY, FIN_TEXT, "y", 0, KEY_A});
    SILENT(WSX_RULE_FRAME_MASK_KEY_REUSED, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A},
           {CLIENT_KEY, FIN_TEXT, "y", 0, KEY_B}, {CLIENT_KEY, FIN_TEXT, "z", 0, KEY_A});
    SILENT(WSX_RULE_FRAME_MASK_KEY_REUSED, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A},
           {CLIENT_KEY, PING, "", 0, KEY_A});
    SILENT(WSX_RULE_FRAME_MASK_KEY_REUSED, PLAIN, {CLIENT_KEY, FIN_TEXT, "x", 0, ZERO},
           {CLIENT_KEY, FIN_TEXT, "y", 0, ZERO});
    LOG("told at the first repeat of a run, the zero key once", PLAIN,
        "c 1  message 1 text 1 'x'\n"
        "c 2  message 2 text 1 'x' !frame-mask-key-reused\n"
        "c 3  message 3 text 1 'x'\n"
        "c 4  message 4 text 1 'x' !frame-mask-key-zero\n"
        "c 5  message 5 text 1 'x'\n",
        {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A}, {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A},
        {CLIENT_KEY, FIN_TEXT, "x", 0, KEY_A}, {CLIENT_KEY, FIN_TEXT, "x", 0, ZERO},
        {CLIENT_KEY, FIN_TEXT, "x", 0, ZERO});
}

static void test_reserved(void) {
    for (unsigned rsv = 0x10; rsv < 0x80; rsv += 0x10)
        FIRES(WSX_RULE_FRAME_RSV_NONZERO, PLAIN, {SERVER, FIN_TEXT | rsv, "x"});
    FIRES(WSX_RULE_FRAME_RSV_NONZERO, DEFLATE, {SERVER, FIN_TEXT | 0x20, "x"});
    SILENT(WSX_RULE_FRAME_RSV_NONZERO, PLAIN, {SERVER, FIN_TEXT, "x"});
    SILENT(WSX_RULE_FRAME_RSV_NONZERO, DEFLATE, {SERVER, FIN_TEXT | RSV1, "\x00", 1});
    SILENT(WSX_RULE_FRAME_RSV_NONZERO, UNKNOWN, {SERVER, FIN_TEXT | 0x30, "x"});
    for (unsigned opcode = 3; opcode < 16; opcode++) {
        bool reserved = opcode < 8 || opcode > 10;
        if (reserved)
            FIRES(WSX_RULE_FRAME_OPCODE_RESERVED, PLAIN, {SERVER, 0x80 | opcode, ""});
        else
            SILENT(WSX_RULE_FRAME_OPCODE_RESERVED, PLAIN, {SERVER, 0x80 | opcode, ""});
    }
    LOG("a reserved opcode inside a message", PLAIN,
        "s 1 fragment 'a'\n"
        "s 2 stray '3' !frame-opcode-reserved\n"
        "s 3  message 1 text of 2 2 'ab'\n",
        {SERVER, BEGIN_TEXT, "a"}, {SERVER, 0x83, "3"}, {SERVER, LAST, "b"});
}

static char many[70000];

static void test_lengths(void) {
    FIRES(WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, PLAIN, {SERVER_RAW, 0, "\x82\x7e\0\x01x", 5});
    FIRES(WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, PLAIN,
          {SERVER_RAW, 0, "\x82\x7f\0\0\0\0\0\0\0\x01x", 11});
    SILENT(WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, PLAIN, {SERVER, FIN_BINARY, many, 125});
    SILENT(WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, PLAIN, {SERVER, FIN_BINARY, many, 126});
    SILENT(WSX_RULE_FRAME_LENGTH_NOT_MINIMAL, WHOLE_ONLY, {SERVER, FIN_BINARY, many, 65536});
    FIRES(WSX_RULE_FRAME_LENGTH_MSB, PLAIN, {SERVER_RAW, 0, "\x82\x7f\x80\0\0\0\0\0\0\x01x", 11});
    SILENT(WSX_RULE_FRAME_LENGTH_MSB, PLAIN,
           {SERVER_RAW, 0, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx", 11});
    LOG("nothing is made up behind such a length; the other direction goes on", PLAIN,
        "s note 0 !frame-length-msb\n"
        "c 1  message 1 text 1 'x'\n",
        {SERVER_RAW, 0, "\x82\x7f\x80\0\0\0\0\0\0\x01\x81\x01x", 13}, {SERVER, FIN_TEXT, "lost"},
        {CLIENT, FIN_TEXT, "x"});
    FIRES(WSX_RULE_FRAME_CONTROL_TOO_LONG, PLAIN, {SERVER, PING, many, 126});
    SILENT(WSX_RULE_FRAME_CONTROL_TOO_LONG, PLAIN, {SERVER, PING, many, 125});
    FIRES(WSX_RULE_FRAME_CONTROL_FRAGMENTED, PLAIN, {SERVER, 0x09, "p"});
    SILENT(WSX_RULE_FRAME_CONTROL_FRAGMENTED, PLAIN, {SERVER, PING, "p"});
}

static void test_gaps(void) {
    FIRES(WSX_RULE_STREAM_GAP, PLAIN,
          {SERVER_RAW, 0,
           "\x82\x05"
           "ab",
           4},
          {SERVER_LOST, 0, NULL, 2}, {SERVER_RAW, 0, "e", 1});
    SILENT(WSX_RULE_STREAM_GAP, PLAIN,
           {SERVER_RAW, 0,
            "\x82\x05"
            "ab",
            4},
           {SERVER_RAW, 0, "cde"});
    LOG("a hole in a payload: framing goes on exactly", PLAIN,
        "s note 2 !stream-gap\n"
        "s 1  message 1 binary incomplete 5 'ab' missing 2\n"
        "s 2  message 2 text 1 'x'\n",
        {SERVER_RAW, 0,
         "\x82\x05"
         "ab",
         4},
        {SERVER_LOST, 0, NULL, 2}, {SERVER_RAW, 0, "e", 1}, {SERVER, FIN_TEXT, "x"});
    LOG("a hole in a payload up to its end", PLAIN,
        "s note 3 !stream-gap\n"
        "s 1  message 1 binary incomplete 5 'ab' missing 3\n"
        "s 2  message 2 text 1 'x'\n",
        {SERVER_RAW, 0,
         "\x82\x05"
         "ab",
         4},
        {SERVER_LOST, 0, NULL, 3}, {SERVER, FIN_TEXT, "x"});
    LOG("fragments around a hole", PLAIN,
        "s 1 fragment 'a'\n"
        "s note 2 !stream-gap\n"
        "s 2 fragment 'b' missing 2\n"
        "s 3  message 1 text of 3 incomplete 5 'ab'\n",
        {SERVER, BEGIN_TEXT, "a"},
        {SERVER_RAW, 0,
         "\0\x03"
         "b",
         3},
        {SERVER_LOST, 0, NULL, 2}, {SERVER, LAST, "c"});
}

/* Chance must not find frames: the evidence that long text gives is needed. */
#define TEXT_1 "a message with as much text as a search wants to see, number one"
#define TEXT_2 "a message with as much text as a search wants to see, number two"

static void test_resync(void) {
    FIRES_AMONG(WSX_RULE_STREAM_RESYNC, WHOLE_ONLY, {SERVER, FIN_TEXT, "x"},
                {SERVER_LOST, 0, NULL, 9}, {SERVER, FIN_TEXT, TEXT_1}, {SERVER, FIN_TEXT, TEXT_2});
    SILENT_AMONG(WSX_RULE_STREAM_RESYNC, PLAIN,
                 {SERVER_RAW, 0,
                  "\x82\x05"
                  "ab",
                  4},
                 {SERVER_LOST, 0, NULL, 3}, {SERVER, FIN_TEXT, TEXT_1});
    LOG("a hole over a header", WHOLE_ONLY,
        "s 1 fragment 'x'\n"
        "s broken message 1 text incomplete 'x'\n"
        "s note 9 !stream-gap\n"
        "s note 0 !stream-resync\n"
        "s 2  message 2 text 64 '" TEXT_1 "'\n",
        {SERVER, BEGIN_TEXT, "x"}, {SERVER_LOST, 0, NULL, 9}, {SERVER, FIN_TEXT, TEXT_1});
    LOG("a continuation behind it is no fault", WHOLE_ONLY,
        "s note 9 !stream-gap\n"
        "s note 0 !stream-resync\n"
        "s 1 stray 'tail'\n"
        "s 2  message 1 text 64 '" TEXT_1 "'\n",
        {SERVER_LOST, 0, NULL, 9}, {SERVER, LAST, "tail"}, {SERVER, FIN_TEXT, TEXT_1});
}

static void test_midstream(void) {
    FIRES(WSX_RULE_STREAM_MIDSTREAM, MIDSTREAM, {SERVER, FIN_TEXT, "x"});
    SILENT(WSX_RULE_STREAM_MIDSTREAM, PLAIN, {SERVER, FIN_TEXT, "x"});
    LOG("told once", MIDSTREAM,
        "s 1  message 1 text 1 'x' !stream-midstream\n"
        "c 1  message 1 text 1 'y'\n",
        {SERVER, FIN_TEXT, "x"}, {CLIENT, FIN_TEXT, "y"});
    LOG("what may be compressed is inflated, where that is certain", MIDSTREAM,
        "s 1  message 1 text inflated 5 'Hello' !stream-midstream\n",
        {SERVER, FIN_TEXT | RSV1, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7});
}

/* ---- taking a payload over ---- */

struct taker {
    unsigned frames, taken;
    uint8_t *buffers[8];
};

static void take_over(void *context, const struct wsx_frame_event *event) {
    struct taker *taker = context;
    uint8_t *buffer = wsx_frame_event_take(event);
    taker->frames++;
    if (!buffer)
        return;
    g_assert_true(buffer == event->payload);
    g_assert_null(wsx_frame_event_take(event));
    taker->buffers[taker->taken++] = buffer;
}

static void nothing_broken(void *context, const struct wsx_message *message) {
    (void)context;
    (void)message;
    g_assert_not_reached();
}

static void no_note(void *context, const struct wsx_note *told) {
    (void)context;
    (void)told;
    g_assert_not_reached();
}

static void no_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                       uint32_t packet, const char *detail) {
    (void)context;
    (void)rule;
    (void)severity;
    (void)packet;
    (void)detail;
}

/* Frames in three pieces of both directions: the next ones come right. A frame in one piece has no
 * buffer of its own. */
static void test_taking(void) {
    static const struct wsx_connection_events events = {take_over, nothing_broken, no_note,
                                                        no_finding};
    const struct wsx_limits limits = {.frame = 1 << 20, .message = 1 << 20};
    struct wsx_agreement agreement;
    wsx_agreement_init(&agreement);
    struct wsx_connection *connection = wsx_connection_new(&events, &limits, &agreement, false);
    uint8_t frame[14 + 5000], payload[5000];
    struct taker taker = {0};
    uint64_t offset[2] = {0, 0};
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned round = 0; round < 6; round++) {
        enum wsx_direction direction = round & 1;
        bool client = direction == WSX_CLIENT_TO_SERVER;
        unsigned head = client ? 8 : 4;
        size_t have = round == 4 ? 3000 : sizeof payload, whole = head + have;
        memcpy(frame, client ? "\x82\xfe\0\0\x01\x02\x03\x04" : "\x82\x7e\0\0", head);
        frame[2] = (uint8_t)(have >> 8);
        frame[3] = (uint8_t)have;
        for (size_t i = 0; i < have; i++)
            frame[head + i] = client ? payload[i] ^ (uint8_t)(i % 4 + 1) : payload[i];
        size_t step = round == 5 ? whole : whole / 3;
        for (size_t at = 0; at < whole; at += step) {
            size_t length = MIN(step, whole - at);
            wsx_connection_push(connection, direction, offset[direction], frame + at, length,
                                length, round + 1, round + 1, 0, &taker);
            offset[direction] += length;
        }
    }
    g_assert_cmpuint(taker.frames, ==, 6);
    g_assert_cmpuint(taker.taken, ==, 5);
    wsx_connection_free(connection);
    for (unsigned i = 0; i < taker.taken; i++) {
        g_assert_true(memcmp(taker.buffers[i], payload, i == 4 ? 3000 : sizeof payload) == 0);
        g_free(taker.buffers[i]);
    }
}

int main(int argc, char **argv) {
    memset(many, 'm', sizeof many);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/connection/masks", test_masks);
    g_test_add_func("/connection/keys", test_keys);
    g_test_add_func("/connection/reserved", test_reserved);
    g_test_add_func("/connection/lengths", test_lengths);
    g_test_add_func("/connection/gaps", test_gaps);
    g_test_add_func("/connection/resync", test_resync);
    g_test_add_func("/connection/midstream", test_midstream);
    g_test_add_func("/connection/taking", test_taking);
    return g_test_run();
}
