/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subcommands of memeventctl.  Each reads its own arguments (argv[0] is its full name, "memeventctl paging") and
 * returns an exit status of sysexits.h.
 */
#ifndef MEMEVENTCTL_COMMAND_H
#define MEMEVENTCTL_COMMAND_H

int paging_command(int argc, char **argv);
int sharing_command(int argc, char **argv);
int av_command(int argc, char **argv);

#endif
