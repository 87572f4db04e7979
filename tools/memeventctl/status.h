/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status files that daemons write once a second: found, read, and asked for single figures.
 * Nothing in a file is trusted to be there or to have the right type.  How figures are shown is for others.
 */
#ifndef MEMEVENTCTL_STATUS_H
#define MEMEVENTCTL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* A figure that the file does not have, or not as a number that is at least 0. */
#define STATUS_UNKNOWN    UINT64_MAX

/* Some 2 KiB a domain, and Xen has at most 32752 domains. */
#define STATUS_BYTES_MAX  (128U << 20)

/* Objects in objects: a daemon's file has four levels. */
#define STATUS_DEPTH_MAX  16

/* A daemon that has work to do writes each second; after this it is said not to answer. */
#define STATUS_OLD_SECONDS 10U

struct status {
    char *path;
    struct json_object *root;     /* NULL: it could not be read, and error says why */
    char *error;
    uint64_t pid;                 /* STATUS_UNKNOWN if the file does not say */
    bool alive;                   /* that process runs, and is the daemon */
    uint64_t age;                 /* of the file, seconds */
};

struct status_list {
    struct status *items;
    size_t count;
};

/*
 * Reads DIRECTORY/DAEMON.json and DIRECTORY/DAEMON-NUMBER.json, in this order; a directory that does not exist has
 * none. A file that cannot be read is an item with an error.  0, -ENOMEM, or what opendir() says.
 */
int  status_list_open(struct status_list *list, const char *directory, const char *daemon);
void status_list_close(struct status_list *list);

/*
 * What --json says of each daemon: appends an object with the file and what became of it to an array.  Returns that
 * object, which is the array's, for its "status"; NULL if the file could not be read.
 */
struct json_object *status_add_daemon(struct json_object *daemons, const struct status *status);

/*
 * Prints JSON and a newline, indented if `pretty`.  What would move a terminal's cursor is written as \uNNNN, which
 * is the same text to a program; what is no UTF-8 becomes U+FFFD.  0, or -ENOMEM.
 */
int  status_print_json(FILE *out, struct json_object *object, bool pretty);

/*
 * Behind everything that went to standard output; rc: what became of it, 0 or -errno.  EX_OK, or EX_IOERR or EX_OSERR
 * with a word on standard error.
 */
int  status_end_output(int rc);

/* Of bytes in memory: sets root, or error (NULL if there was no memory for it). */
void status_parse(struct status *status, const char *text, size_t length);

/* path: names with dots between them, "store.lz4".  Any object, also NULL, can be asked. */
uint64_t status_number(const struct json_object *object, const char *path);
/* False as well if there is none; the other says whether there is one. */
bool status_flag(const struct json_object *object, const char *path);
bool status_has_flag(const struct json_object *object, const char *path);
/* The object that stands there, or NULL. */
struct json_object *status_object(const struct json_object *object, const char *path);
/* NULL if there is no such text; valid as long as the object. */
const char *status_text(const struct json_object *object, const char *path);
/* The array's i-th object, or NULL behind the end; what is no object in it comes as an empty one would. */
struct json_object *status_item(const struct json_object *object, const char *path, size_t i);
size_t status_count(const struct json_object *object, const char *path);

#endif
