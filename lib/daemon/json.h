/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json: what status files are put together from, on json-c, and how one is written.  Which figures there are is each
 * daemon's own.
 */
#ifndef DAEMON_JSON_H
#define DAEMON_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* A figure that nobody knows. */
#define JSON_UNKNOWN UINT64_MAX

/*
 * Each adds a member to an object, or replaces it.  Names and texts are copied.  json_add_known() adds nothing if the
 * value is JSON_UNKNOWN, and json_add_text() nothing if there is no text (NULL).
 */
void json_add_number(struct json_object *object, const char *name, uint64_t value);
void json_add_known(struct json_object *object, const char *name, uint64_t value);
void json_add_text(struct json_object *object, const char *name, const char *text);
void json_add_flag(struct json_object *object, const char *name, bool value);

/* Writes it to PATH, indented, as whole_file_write() does.  0, -ENOMEM, or what that says; the object stays the caller's. */
int json_write(struct json_object *object, const char *path);

#endif /* DAEMON_JSON_H */
