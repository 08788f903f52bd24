/*
 * transport.h - registration of the entry points, and what upgrade.c and the taps need of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_TRANSPORT_H
#define WSX_EPAN_TRANSPORT_H

#include "compat.h"

/* Preference websocket.enhanced. */
extern wsx_bool wsx_enhanced;
/* The tap "websocket": a struct wsx_packet, once a packet. */
extern int wsx_tap;

void wsx_transport_register(void);
void wsx_transport_handoff(void);

/* upgrade.c, first pass: looks for the head of a request or an answer in a packet of HTTP/1. Does
 * nothing when the packet's connection needs none. */
void wsx_upgrade_scan(packet_info *pinfo);

#endif
