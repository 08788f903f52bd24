/*
 * parts.h - what connection.c, message.c and control.c share; nobody else's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_PARTS_H
#define WSX_CORE_PARTS_H

#include "connection.h"

static inline struct wsx_finding_sink wsx_sink_of(const struct wsx_connection *connection) {
    return (struct wsx_finding_sink){connection->events->finding, connection->context};
}

/* Reports one finding of the item under way; the arguments are wsx_report's. */
#define FINDING(connection, rule, packet, ...)                                                     \
    do {                                                                                           \
        struct wsx_finding_sink sink_ = wsx_sink_of(connection);                                   \
        wsx_report(&sink_, rule, packet, __VA_ARGS__);                                             \
    } while (0)
/* The same with a severity of its own. */
#define FINDING_AS(connection, rule, severity, packet, ...)                                        \
    do {                                                                                           \
        struct wsx_finding_sink sink_ = wsx_sink_of(connection);                                   \
        wsx_report_as(&sink_, rule, severity, packet, __VA_ARGS__);                                \
    } while (0)

static inline const char *wsx_side_name(enum wsx_direction direction) {
    return direction == WSX_CLIENT_TO_SERVER ? "client" : "server";
}

/* message.c: a frame with a data opcode; reports it as a fragment, a message or a stray. */
void wsx_message_frame(struct wsx_connection *connection, struct wsx_side *side,
                       struct wsx_frame_event *event);
/* message.c: the message under way ends without its last frame; nothing happens without one.
 * unfinished: its sender never sent that frame, it is not only unseen. */
void wsx_message_break(struct wsx_connection *connection, struct wsx_side *side, bool unfinished);
void wsx_message_clear(struct wsx_assembly *assembly);

/* control.c: a frame with a control opcode; judges and reports it. */
void wsx_control_frame(struct wsx_connection *connection, struct wsx_side *side,
                       struct wsx_frame_event *event);
/* control.c: what the end proves of Pings and Closes. */
void wsx_control_end(struct wsx_connection *connection);
void wsx_control_clear(struct wsx_side *side);

#endif
