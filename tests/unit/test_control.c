/*
 * test_control.c - Ping, Pong and Close of both directions (RFC 6455 5.5, 7): which Pong answers
 * which Ping, the closing handshake, and every rule of them with the nearest conversation that does
 * not break it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "talk.h"

#define BYE                                                                                        \
    {CLIENT, CLOSE, NORMAL}, { SERVER, CLOSE, NORMAL }

/* ---- Ping and Pong ---- */

static void test_pings(void) {
    LOG("a Pong names its Ping", PLAIN,
        "c 1 ping 'a'\n"
        "s 1 pong 'a' answers 1\n",
        {CLIENT, PING, "a"}, {SERVER, PONG, "a"});
    LOG("empty ones too", PLAIN,
        "s 1 ping ''\n"
        "c 1 pong '' answers 1\n",
        {SERVER, PING, ""}, {CLIENT, PONG, ""});
    LOG("of equal ones the oldest", PLAIN,
        "c 1 ping 'a'\n"
        "c 2 ping 'a'\n"
        "s 1 pong 'a' answers 1\n"
        "s 2 pong 'a' answers 2\n",
        {CLIENT, PING, "a"}, {CLIENT, PING, "a"}, {SERVER, PONG, "a"}, {SERVER, PONG, "a"});
    LOG("a later one settles the earlier ones", PLAIN,
        "c 1 ping 'a'\n"
        "c 2 ping 'b'\n"
        "s 1 pong 'b' answers 2\n"
        "s 2 pong 'a' !pong-unsolicited\n",
        {CLIENT, PING, "a"}, {CLIENT, PING, "b"}, {SERVER, PONG, "b"}, {SERVER, PONG, "a"});
    LOG("one's own Pong is no answer", PLAIN,
        "c 1 ping 'a'\n"
        "c 2 pong 'a' !pong-unsolicited\n"
        "s 1 pong 'a' answers 1\n",
        {CLIENT, PING, "a"}, {CLIENT, PONG, "a"}, {SERVER, PONG, "a"});
}

static void test_pong_unsolicited(void) {
    FIRES(WSX_RULE_PONG_UNSOLICITED, PLAIN, {SERVER, PONG, "x"});
    FIRES(WSX_RULE_PONG_UNSOLICITED, PLAIN, {CLIENT, PING, "a"}, {SERVER, PONG, "a"},
          {SERVER, PONG, "a"});
    FIRES(WSX_RULE_PONG_UNSOLICITED, PLAIN, {CLIENT, PING, "ab"}, {SERVER, PONG, "a"});
    SILENT(WSX_RULE_PONG_UNSOLICITED, PLAIN, {CLIENT, PING, "a"}, {SERVER, PONG, "a"});
    SILENT(WSX_RULE_PONG_UNSOLICITED, MIDSTREAM, {SERVER, PONG, "x"});
}

static void test_ping_ends(void) {
    FIRES_AMONG(WSX_RULE_PING_UNANSWERED, PLAIN, {CLIENT, PING, "a"}, ENDED);
    SILENT_AMONG(WSX_RULE_PING_UNANSWERED, PLAIN, {CLIENT, PING, "a"}, {SERVER, PONG, "a"}, ENDED);
    /* without a Close both sides miss it, so the whole log is compared */
    LOG("unanswered at the end", PLAIN,
        "c 1 ping 'a'\n"
        "end !ping-unanswered !close-missing\n",
        {CLIENT, PING, "a"}, ENDED);
    LOG("a Pong for a later one was enough", PLAIN,
        "c 1 ping 'a'\n"
        "c 2 ping 'b'\n"
        "s 1 pong 'b' answers 2\n"
        "end !close-missing\n",
        {CLIENT, PING, "a"}, {CLIENT, PING, "b"}, {SERVER, PONG, "b"}, ENDED);
    SILENT(WSX_RULE_PING_UNANSWERED, PLAIN, {CLIENT, PING, "a"}, BYE, ENDED);
    SILENT(WSX_RULE_PING_UNANSWERED, PLAIN, {CLIENT, PING, "a"}, EOFS);
    SILENT(WSX_RULE_PING_UNANSWERED, PLAIN, {CLIENT, PING, "a"}, {SERVER, PONG, "a"}, BYE, ENDED);
    LOG("what was lost may have been its Pong", PLAIN,
        "c 1 ping 'a'\n"
        "s note 3 !stream-gap\n",
        {CLIENT, PING, "a"}, {SERVER_LOST, 0, NULL, 3}, {SERVER_RAW, 0, "", 1}, {CLIENT_FIN},
        {SERVER_FIN}, {JUDGE});
}

static void test_many_pings(void) {
    static struct step steps[1100 + 4];
    for (size_t i = 0; i < 1100; i++)
        steps[i] = (struct step){CLIENT, PING, "p", 0, NULL};
    steps[1100] = (struct step){CLIENT_FIN, 0, NULL, 0, NULL};
    steps[1101] = (struct step){SERVER_FIN, 0, NULL, 0, NULL};
    steps[1102] = (struct step){JUDGE, 0, NULL, 0, NULL};
    struct talk talk;
    talk_play(&talk, steps, PLAIN, 0);
    g_assert_true(talk.heard[WSX_RULE_PING_UNANSWERED]);
    g_assert_cmpuint(talk.packets[WSX_RULE_PING_UNANSWERED], ==, 1); /* the first, long given up */
    talk_clear(&talk);
}

/* ---- Close ---- */

static void test_closes(void) {
    LOG("begun by the client", PLAIN,
        "c 1 close '\\03\\e8bye' first\n"
        "s 1 close '\\03\\e8' answers 1\n",
        {CLIENT, CLOSE, NORMAL "bye"}, {SERVER, CLOSE, NORMAL}, ENDED);
    LOG("begun by the server, without a body", PLAIN,
        "s 1 close '' first\n"
        "c 1 close '' answers 1\n",
        {SERVER, CLOSE, ""}, {CLIENT, CLOSE, ""}, ENDED);
    LOG("a second Close of one side", PLAIN,
        "s 1 close '\\03\\e8' first\n"
        "s 2 close '\\03\\e9' !close-control-after\n",
        {SERVER, CLOSE, NORMAL}, {SERVER, CLOSE, "\x03\xe9"}, EOFS);
}

static void test_close_bodies(void) {
    FIRES(WSX_RULE_CLOSE_BODY_ONE_BYTE, PLAIN, {SERVER, CLOSE, "\x03"});
    SILENT(WSX_RULE_CLOSE_BODY_ONE_BYTE, PLAIN, {SERVER, CLOSE, ""});
    SILENT(WSX_RULE_CLOSE_BODY_ONE_BYTE, PLAIN, {SERVER, CLOSE, NORMAL});
    FIRES(WSX_RULE_CLOSE_REASON_UTF8, PLAIN, {SERVER, CLOSE, NORMAL "\xff"});
    FIRES(WSX_RULE_CLOSE_REASON_UTF8, PLAIN, {SERVER, CLOSE, NORMAL "\xe2\x82"});
    SILENT(WSX_RULE_CLOSE_REASON_UTF8, PLAIN, {SERVER, CLOSE, NORMAL "\xe2\x82\xac"});
    SILENT(WSX_RULE_CLOSE_REASON_UTF8, PLAIN, {SERVER, CLOSE, NORMAL});
}

static void close_with(struct talk *talk, bool client, unsigned code) {
    const char body[] = {(char)(code >> 8), (char)code};
    const struct step steps[] = {{client ? CLIENT : SERVER, CLOSE, body, 2, NULL}, {.act = END}};
    talk_play(talk, steps, PLAIN, 0);
}

/* RFC 6455 7.4 and the IANA registry, every code there is. */
static void test_every_code(void) {
    for (unsigned code = 0; code < 65536; code++)
        for (int client = 0; client < 2; client++) {
            struct talk talk;
            bool sendable = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                            (code >= 3000 && code <= 4999);
            bool wrong_role = client ? code >= 1011 && code <= 1014 : code == 1010;
            bool unregistered =
                code >= 3000 && code < 4000 && code != 3000 && code != 3003 && code != 3008;
            close_with(&talk, client, code);
            g_assert_cmpint(talk.heard[WSX_RULE_CLOSE_CODE_INVALID], ==, !sendable);
            g_assert_cmpint(talk.heard[WSX_RULE_CLOSE_CODE_WRONG_ROLE], ==, wrong_role);
            g_assert_cmpint(talk.heard[WSX_RULE_CLOSE_CODE_UNREGISTERED], ==, unregistered);
            talk_clear(&talk);
        }
}

static void test_close_rules(void) {
    FIRES(WSX_RULE_CLOSE_CODE_INVALID, PLAIN, {SERVER, CLOSE, "\x03\xed"});
    SILENT(WSX_RULE_CLOSE_CODE_INVALID, PLAIN, {SERVER, CLOSE, NORMAL});
    FIRES(WSX_RULE_CLOSE_CODE_UNREGISTERED, PLAIN, {SERVER, CLOSE, "\x0b\xb9"});
    SILENT(WSX_RULE_CLOSE_CODE_UNREGISTERED, PLAIN, {SERVER, CLOSE, "\x0b\xb8"});
    SILENT(WSX_RULE_CLOSE_CODE_UNREGISTERED, PLAIN, {SERVER, CLOSE, "\x0f\xa0"});
    FIRES(WSX_RULE_CLOSE_CODE_WRONG_ROLE, PLAIN, {CLIENT, CLOSE, "\x03\xf3"});
    SILENT(WSX_RULE_CLOSE_CODE_WRONG_ROLE, PLAIN, {SERVER, CLOSE, "\x03\xf3"});
    FIRES(WSX_RULE_CLOSE_ECHO_DIFFERS, PLAIN, {CLIENT, CLOSE, NORMAL}, {SERVER, CLOSE, "\x03\xe9"});
    SILENT(WSX_RULE_CLOSE_ECHO_DIFFERS, PLAIN, {CLIENT, CLOSE, NORMAL}, {SERVER, CLOSE, ""});
    SILENT(WSX_RULE_CLOSE_ECHO_DIFFERS, PLAIN, {CLIENT, CLOSE, ""}, {SERVER, CLOSE, NORMAL});
    FIRES(WSX_RULE_CLOSE_DATA_AFTER, PLAIN, {CLIENT, CLOSE, NORMAL}, {CLIENT, FIN_TEXT, "late"});
    SILENT(WSX_RULE_CLOSE_DATA_AFTER, PLAIN, {CLIENT, CLOSE, NORMAL}, {SERVER, FIN_TEXT, "fine"});
    FIRES(WSX_RULE_CLOSE_CONTROL_AFTER, PLAIN, {CLIENT, CLOSE, NORMAL}, {CLIENT, PING, ""});
    SILENT(WSX_RULE_CLOSE_CONTROL_AFTER, PLAIN, {CLIENT, CLOSE, NORMAL}, {SERVER, PING, ""});
}

static void test_close_ends(void) {
    FIRES(WSX_RULE_CLOSE_UNANSWERED, PLAIN, {CLIENT, CLOSE, NORMAL}, ENDED);
    SILENT(WSX_RULE_CLOSE_UNANSWERED, PLAIN, {CLIENT, CLOSE, NORMAL}, EOFS);
    SILENT(WSX_RULE_CLOSE_UNANSWERED, PLAIN, BYE, ENDED);
    FIRES(WSX_RULE_CLOSE_MISSING, PLAIN, {CLIENT, FIN_TEXT, "a"}, ENDED);
    SILENT(WSX_RULE_CLOSE_MISSING, PLAIN, {CLIENT, FIN_TEXT, "a"}, EOFS);
    SILENT(WSX_RULE_CLOSE_MISSING, PLAIN, {CLIENT, FIN_TEXT, "a"}, BYE, ENDED);
    /* behind lost bytes, or a length that can't be, a Close may have come */
    LOG("nothing is said of what was not seen", PLAIN,
        "c 1 close '\\03\\e8' first\n"
        "s note 0 !frame-length-msb\n",
        {CLIENT, CLOSE, NORMAL}, {SERVER_RAW, 0, "\x82\x7f\x80\0\0\0\0\0\0\0", 10}, ENDED);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/control/pings", test_pings);
    g_test_add_func("/control/pong-unsolicited", test_pong_unsolicited);
    g_test_add_func("/control/ping-ends", test_ping_ends);
    g_test_add_func("/control/many-pings", test_many_pings);
    g_test_add_func("/control/closes", test_closes);
    g_test_add_func("/control/close-bodies", test_close_bodies);
    g_test_add_func("/control/every-code", test_every_code);
    g_test_add_func("/control/close-rules", test_close_rules);
    g_test_add_func("/control/close-ends", test_close_ends);
    return g_test_run();
}
