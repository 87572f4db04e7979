#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
poweroff -f
sleep 10000
