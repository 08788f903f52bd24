/*
 * test_message.c - data frames to messages (RFC 6455 5.4, 5.6, 8.1; RFC 7692 6, 7.2.2): fragments,
 * control frames between them, text, compression and lost context, limits, and every rule of them
 * with the nearest conversation that does not break it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "talk.h"

/* RFC 7692 7.2.3: "Hello", and "Hello" again that refers to the first. */
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_AGAIN "\xf2\x00\x11\x00\x00"
#define COMPRESSED (FIN_TEXT | RSV1)

/* ---- fragments ---- */

static void test_fragments(void) {
    LOG("three fragments, a Ping between them", PLAIN,
        "s 1 fragment 'a'\n"
        "s 2 ping 'p'\n"
        "s 3 fragment 'b'\n"
        "s 4  message 1 text of 3 3 'abc'\n",
        {SERVER, BEGIN_TEXT, "a"}, {SERVER, PING, "p"}, {SERVER, GO_ON, "b"}, {SERVER, LAST, "c"});
    LOG("empty fragments", PLAIN,
        "s 1 fragment ''\n"
        "s 2 fragment ''\n"
        "s 3  message 1 binary of 3 0 ''\n",
        {SERVER, BEGIN_BINARY, ""}, {SERVER, GO_ON, ""}, {SERVER, LAST, ""});
    LOG("both directions keep apart", PLAIN,
        "c 1 fragment 'a'\n"
        "s 1 fragment 'x'\n"
        "c 2  message 1 text of 2 2 'ab'\n"
        "s 2  message 1 binary of 2 2 'xy'\n",
        {CLIENT, BEGIN_TEXT, "a"}, {SERVER, BEGIN_BINARY, "x"}, {CLIENT, LAST, "b"},
        {SERVER, LAST, "y"});
    LOG("a whole message inside leaves the unfinished one alone", PLAIN,
        "s 1 fragment 'a'\n"
        "s 2  message 2 text 1 'i' !frame-message-interleaved\n"
        "s 3  message 1 text of 2 2 'ab'\n",
        {SERVER, BEGIN_TEXT, "a"}, {SERVER, FIN_TEXT, "i"}, {SERVER, LAST, "b"});
    LOG("a beginning inside ends the unfinished one", PLAIN,
        "s 1 fragment 'a'\n"
        "s broken message 1 text incomplete 'a'\n"
        "s 2 fragment 'x' !frame-message-interleaved\n"
        "s 3  message 2 binary of 2 2 'xy'\n",
        {SERVER, BEGIN_TEXT, "a"}, {SERVER, BEGIN_BINARY, "x"}, {SERVER, LAST, "y"});
}

static void test_fragment_rules(void) {
    FIRES(WSX_RULE_FRAME_MESSAGE_INTERLEAVED, PLAIN, {SERVER, BEGIN_TEXT, "a"},
          {SERVER, FIN_TEXT, "b"});
    SILENT(WSX_RULE_FRAME_MESSAGE_INTERLEAVED, PLAIN, {SERVER, BEGIN_TEXT, "a"},
           {CLIENT, FIN_TEXT, "b"});
    SILENT(WSX_RULE_FRAME_MESSAGE_INTERLEAVED, PLAIN, {SERVER, BEGIN_TEXT, "a"}, {SERVER, PING, ""},
           {SERVER, LAST, ""}, {SERVER, FIN_TEXT, "b"});
    FIRES(WSX_RULE_FRAME_CONTINUATION_ORPHAN, PLAIN, {SERVER, LAST, "a"});
    FIRES(WSX_RULE_FRAME_CONTINUATION_ORPHAN, PLAIN, {SERVER, FIN_TEXT, "a"}, {SERVER, GO_ON, "b"});
    FIRES(WSX_RULE_FRAME_CONTINUATION_ORPHAN, PLAIN, {CLIENT, BEGIN_TEXT, "a"},
          {SERVER, LAST, "b"});
    SILENT(WSX_RULE_FRAME_CONTINUATION_ORPHAN, PLAIN, {SERVER, BEGIN_TEXT, "a"},
           {SERVER, LAST, "b"});
    FIRES(WSX_RULE_MESSAGE_UNFINISHED, PLAIN, {SERVER, BEGIN_TEXT, "a"}, {SERVER_FIN});
    FIRES(WSX_RULE_MESSAGE_UNFINISHED, PLAIN, {SERVER_RAW, 0, "\x82\x05half"}, {SERVER_FIN});
    SILENT(WSX_RULE_MESSAGE_UNFINISHED, PLAIN, {SERVER, BEGIN_TEXT, "a"}, {SERVER_EOF});
    SILENT(WSX_RULE_MESSAGE_UNFINISHED, PLAIN, {SERVER, BEGIN_TEXT, "a"}, {SERVER, LAST, ""},
           {SERVER_FIN});
}

static void test_unfinished(void) {
    LOG("a frame that ends too early", PLAIN,
        "s 1  message 1 binary incomplete 5 'half' missing 1 unfinished !message-unfinished\n",
        {SERVER_RAW, 0, "\x82\x05half"}, {SERVER_FIN});
    LOG("a message that ends too early", PLAIN,
        "s 1 fragment 'a'\n"
        "s broken message 1 text incomplete 'a' !message-unfinished\n",
        {SERVER, BEGIN_TEXT, "a"}, {SERVER_FIN});
    LOG("an unfinished character is left out", PLAIN,
        "s 1  message 1 text incomplete 5 'a' missing 2 unfinished !message-unfinished\n",
        {SERVER_RAW, 0,
         "\x81\x05"
         "a\xe2\x82"},
        {SERVER_FIN});
}

/* ---- text ---- */

static void test_text(void) {
    FIRES(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, FIN_TEXT, "\xc0\xaf"});
    FIRES(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, FIN_TEXT, "\xed\xa0\x80"});
    FIRES(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, FIN_TEXT, "a\xe2\x82"});
    FIRES(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, BEGIN_TEXT, "\xe2"},
          {SERVER, LAST, "\x28"});
    SILENT(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, BEGIN_TEXT, "\xe2"},
           {SERVER, PING, "\xff"}, {SERVER, LAST, "\x82\xac"});
    SILENT(WSX_RULE_MESSAGE_UTF8_INVALID, PLAIN, {SERVER, FIN_BINARY, "\xc0\xaf"});
    LOG("told at the earliest frame that shows it, and once", PLAIN,
        "s 1 fragment '\\c0' !message-utf8-invalid\n"
        "s 2  message 1 text of 2 2 '\\c0\\ff' (no text)\n",
        {SERVER, BEGIN_TEXT, "\xc0"}, {SERVER, LAST, "\xff"});
    LOG("masked bytes are judged unmasked", PLAIN, "c 1  message 1 text 3 '\\e2\\82\\ac'\n",
        {CLIENT, FIN_TEXT, "\xe2\x82\xac"});
}

/* ---- compression ---- */

static void test_inflating(void) {
    LOG("the RFC's examples", DEFLATE,
        "s 1  message 1 text inflated 5 'Hello'\n"
        "s 2  message 2 text inflated 5 'Hello'\n",
        {SERVER, COMPRESSED, HELLO, 7}, {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    LOG("in two fragments, RSV1 on the first", DEFLATE,
        "s 1 fragment '\\f2H\\cd'\n"
        "s 2  message 1 text of 2 inflated 5 'Hello'\n",
        {SERVER, BEGIN_TEXT | RSV1, HELLO, 3}, {SERVER, LAST, "\xc9\xc9\x07\x00", 4});
    LOG("each direction has its own window", DEFLATE,
        "c 1  message 1 text inflated 5 'Hello'\n"
        "s 1  message 1 text inflated incomplete 'H' !deflate-failed\n",
        {CLIENT, COMPRESSED, HELLO, 7}, {SERVER, COMPRESSED, HELLO_AGAIN, 5});
}

static void test_deflate_rules(void) {
    FIRES(WSX_RULE_DEFLATE_FAILED, DEFLATE, {SERVER, COMPRESSED, "\x07\xff\xff\xff"});
    SILENT(WSX_RULE_DEFLATE_FAILED, DEFLATE, {SERVER, COMPRESSED, HELLO, 7});
    SILENT(WSX_RULE_DEFLATE_FAILED, DEFLATE, {SERVER, FIN_BINARY, "\x07\xff\xff\xff"});
    FIRES(WSX_RULE_DEFLATE_RSV1_MISPLACED, DEFLATE, {SERVER, BEGIN_TEXT | RSV1, HELLO, 3},
          {SERVER, LAST | RSV1, "\xc9\xc9\x07\x00", 4});
    FIRES(WSX_RULE_DEFLATE_RSV1_MISPLACED, DEFLATE, {SERVER, PING | RSV1, "x"});
    SILENT(WSX_RULE_DEFLATE_RSV1_MISPLACED, DEFLATE, {SERVER, BEGIN_TEXT | RSV1, HELLO, 3},
           {SERVER, LAST, "\xc9\xc9\x07\x00", 4});
    FIRES(WSX_RULE_DEFLATE_TAKEOVER_VIOLATED, DEFLATE | NO_TAKEOVER, {SERVER, COMPRESSED, HELLO, 7},
          {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    SILENT(WSX_RULE_DEFLATE_TAKEOVER_VIOLATED, DEFLATE | NO_TAKEOVER,
           {SERVER, COMPRESSED, HELLO, 7}, {SERVER, COMPRESSED, HELLO, 7});
    SILENT(WSX_RULE_DEFLATE_TAKEOVER_VIOLATED, DEFLATE, {SERVER, COMPRESSED, HELLO, 7},
           {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    FIRES(WSX_RULE_DEFLATE_TAIL_KEPT, DEFLATE, {SERVER, COMPRESSED, HELLO "\x00\x00\xff\xff", 11});
    SILENT(WSX_RULE_DEFLATE_TAIL_KEPT, DEFLATE, {SERVER, COMPRESSED, HELLO, 7});
}

/* 300 bytes stored, then a match: over the 256 bytes of window bits 8, or within them. */
static struct step window_step(unsigned distance) {
    static uint8_t payload[320];
    const uint8_t stored[5] = {0x00, 300 & 0xFF, 300 >> 8, (uint8_t) ~(300 & 0xFF), 0xFE};
    size_t at = sizeof stored;
    memset(payload, 0, sizeof payload);
    memcpy(payload, stored, sizeof stored);
    for (unsigned i = 0; i < 300; i++)
        payload[at++] = (uint8_t)('a' + i % 26);
    /* fixed codes: length 3, distances 257-384 and 193-256: codes 16 and 15, extra bits 7 and 6 */
    unsigned code = distance > 256 ? 16 : 15, extra = distance > 256 ? 7 : 6;
    unsigned base = distance > 256 ? 257 : 193;
    uint32_t bits = 2, count = 3; /* not the last block, fixed codes */
    bits |= 0x40u << count;       /* 0000001, first bit first: length code 257 */
    count += 7;
    for (unsigned i = 0; i < 5; i++)
        bits |= (code >> (4 - i) & 1u) << count++;
    bits |= (distance - base) << count;
    count += extra + 7;                         /* and the end of the block, 0000000 */
    for (unsigned i = 0; i < count + 3; i += 8) /* and the header of an empty stored block */
        payload[at++] = (uint8_t)(bits >> i);
    return (struct step){SERVER, FIN_BINARY | RSV1, (const char *)payload, at, NULL};
}

static void test_window(void) {
    FIRES(WSX_RULE_DEFLATE_WINDOW_EXCEEDED, DEFLATE | WINDOW_8, window_step(257));
    SILENT(WSX_RULE_DEFLATE_WINDOW_EXCEEDED, DEFLATE | WINDOW_8, window_step(256));
    SILENT(WSX_RULE_DEFLATE_WINDOW_EXCEEDED, DEFLATE, window_step(257));
}

static void test_context(void) {
    FIRES_AMONG(WSX_RULE_DEFLATE_CONTEXT_LOST, DEFLATE, {SERVER, COMPRESSED, "\x07\xff\xff\xff"},
                {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    SILENT_AMONG(WSX_RULE_DEFLATE_CONTEXT_LOST, DEFLATE | NO_TAKEOVER,
                 {SERVER, COMPRESSED, "\x07\xff\xff\xff"}, {SERVER, COMPRESSED, HELLO, 7});
    /* a frame that says eight bytes, of which four are lost */
    LOG("a hole in a compressed payload", DEFLATE,
        "s note 4 !stream-gap\n"
        "s 1  message 1 text inflated incomplete 'He' missing 4\n"
        "s 2  message 2 text inflated incomplete 'H' !deflate-context-lost\n",
        {SERVER_RAW, 0, "\xc1\x07\xf2\x48\xcd", 5}, {SERVER_LOST, 0, NULL, 4},
        {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    LOG("without takeover the next message is whole again", DEFLATE | NO_TAKEOVER,
        "s note 4 !stream-gap\n"
        "s 1  message 1 text inflated incomplete 'He' missing 4\n"
        "s 2  message 2 text inflated 5 'Hello'\n",
        {SERVER_RAW, 0, "\xc1\x07\xf2\x48\xcd", 5}, {SERVER_LOST, 0, NULL, 4},
        {SERVER, COMPRESSED, HELLO, 7});
    LOG("a hole in a payload that is not compressed touches nothing", DEFLATE,
        "s 1  message 1 text inflated 5 'Hello'\n"
        "s note 4 !stream-gap\n"
        "s 2  message 2 binary incomplete 7 'abc' missing 4\n"
        "s 3  message 3 text inflated 5 'Hello'\n",
        {SERVER, COMPRESSED, HELLO, 7},
        {SERVER_RAW, 0,
         "\x82\x07"
         "abc",
         5},
        {SERVER_LOST, 0, NULL, 4}, {SERVER, COMPRESSED, HELLO_AGAIN, 5});
    LOG("what failed is remembered, with its packet", DEFLATE,
        "s 1  message 1 text raw incomplete '\\07\\ff\\ff\\ff' (no text) !deflate-failed\n"
        "s 2  message 2 text inflated incomplete 'H' !deflate-context-lost\n",
        {SERVER, COMPRESSED, "\x07\xff\xff\xff"}, {SERVER, COMPRESSED, HELLO_AGAIN, 5});
}

/* ---- limits ---- */

static void test_limits(void) {
    FIRES(WSX_RULE_FRAME_LIMIT, SMALL_LIMITS, {SERVER, FIN_BINARY, "123456789"});
    SILENT(WSX_RULE_FRAME_LIMIT, SMALL_LIMITS, {SERVER, FIN_BINARY, "12345678"});
    FIRES(WSX_RULE_MESSAGE_LIMIT, SMALL_LIMITS, {SERVER, BEGIN_BINARY, "1234567"},
          {SERVER, LAST, "890123"});
    SILENT(WSX_RULE_MESSAGE_LIMIT, SMALL_LIMITS, {SERVER, BEGIN_BINARY, "1234567"},
           {SERVER, LAST, "89012"});
    LOG("what fits is given, and framing goes on", SMALL_LIMITS,
        "s 1  message 1 binary incomplete 9 '12345678' over-limit !frame-limit\n"
        "s 2  message 2 text 1 'x'\n",
        {SERVER, FIN_BINARY, "123456789"}, {SERVER, FIN_TEXT, "x"});
    /* 21 and 20 times 'a': what zlib makes of it */
    FIRES(WSX_RULE_DEFLATE_LIMIT, DEFLATE | SMALL_LIMITS,
          {SERVER, COMPRESSED, "\x4a\x4c\xc4\x02\x00\x00", 6});
    SILENT(WSX_RULE_DEFLATE_LIMIT, DEFLATE | SMALL_LIMITS,
           {SERVER, COMPRESSED, "\x4a\x4c\xc4\x04\x00\x00", 6});
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message/fragments", test_fragments);
    g_test_add_func("/message/fragment-rules", test_fragment_rules);
    g_test_add_func("/message/unfinished", test_unfinished);
    g_test_add_func("/message/text", test_text);
    g_test_add_func("/message/inflating", test_inflating);
    g_test_add_func("/message/deflate-rules", test_deflate_rules);
    g_test_add_func("/message/window", test_window);
    g_test_add_func("/message/context", test_context);
    g_test_add_func("/message/limits", test_limits);
    return g_test_run();
}
