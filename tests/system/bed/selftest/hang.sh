#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
echo "the last words"
sleep 10000
