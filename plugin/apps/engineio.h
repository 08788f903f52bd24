/*
 * engineio.h - what the two layers of Socket.IO share: Engine.IO's packets (engineio.c) carry
 * Socket.IO's (socketio.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_APPS_ENGINEIO_H
#define WSX_APPS_ENGINEIO_H

#include "apps/apps.h"

struct wsx_sio_event;

/* Of a connection. First pass. */
struct wsx_eio_state {
    unsigned version; /* EIO of the URI: 2, 3, 4; 0: not known (yet) */
    /* Whether it carries Socket.IO, where the URI does not say so: told by the first message */
    bool settled, alone;
    uint32_t settled_in; /* the packet of that message */
    /* an event whose attachments are not all there, each direction */
    struct wsx_sio_event *open[2];
};

/* A Socket.IO packet: tvb from `at` on, behind Engine.IO's type. top: the packet's tree. Reports
 * it. */
void wsx_socketio_text(struct wsx_app *app, tvbuff_t *tvb, int at, packet_info *pinfo,
                       proto_tree *top);
/* An attachment. */
void wsx_socketio_binary(struct wsx_app *app, tvbuff_t *tvb, int at, packet_info *pinfo,
                         proto_tree *top);
/* Looks like a packet of Socket.IO, from the text alone. */
bool wsx_socketio_looks(const char *text, size_t length);
void wsx_socketio_register(void);

#endif
