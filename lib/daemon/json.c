/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Members of objects, and status files.  Showing JSON on a terminal is memeventctl's.
 */
#include "json.h"

#include <errno.h>
#include <stddef.h>

#include <json-c/json.h>

#include "whole-file.h"

void json_add_number(struct json_object *object, const char *name, uint64_t value)
{
    json_object_object_add(object, name, json_object_new_uint64(value));
}

void json_add_known(struct json_object *object, const char *name, uint64_t value)
{
    if ( value != JSON_UNKNOWN )
        json_add_number(object, name, value);
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
    if ( text )
        json_object_object_add(object, name, json_object_new_string(text));
}

void json_add_flag(struct json_object *object, const char *name, bool value)
{
    json_object_object_add(object, name, json_object_new_boolean(value));
}

int json_write(struct json_object *object, const char *path)
{
    size_t length;
    const char *text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PRETTY, &length);

    return text ? whole_file_write(path, text, length) : -ENOMEM;
}
