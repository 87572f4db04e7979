/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading status files, and the end of all output.
 */
#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/json.h>
#include <daemon/utf8.h>

/* Longest name on a path of figures. */
#define NAME_BYTES  64U

/* TASK_COMM_LEN of the kernel: longer names of processes are cut. */
#define COMM_BYTES  16U

static struct json_object *find(const struct json_object *object, const char *path)
{
    struct json_object *found = (struct json_object *)object;

    while ( found )
    {
        size_t length = strcspn(path, ".");
        char name[NAME_BYTES];

        if ( length >= sizeof(name) || !json_object_is_type(found, json_type_object) )
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        if ( !json_object_object_get_ex(found, name, &found) )
            return NULL;
        if ( !path[length] )
            return found;
        path += length + 1;
    }
    return NULL;
}

uint64_t status_number(const struct json_object *object, const char *path)
{
    struct json_object *found = find(object, path);

    /* A number that is less than 0 is none of ours; as unsigned it would come back as 0. */
    if ( !json_object_is_type(found, json_type_int) || json_object_get_int64(found) < 0 )
        return STATUS_UNKNOWN;
    return json_object_get_uint64(found);
}

bool status_flag(const struct json_object *object, const char *path)
{
    struct json_object *found = find(object, path);

    return json_object_is_type(found, json_type_boolean) && json_object_get_boolean(found);
}

bool status_has_flag(const struct json_object *object, const char *path)
{
    return json_object_is_type(find(object, path), json_type_boolean);
}

struct json_object *status_object(const struct json_object *object, const char *path)
{
    struct json_object *found = find(object, path);

    return json_object_is_type(found, json_type_object) ? found : NULL;
}

const char *status_text(const struct json_object *object, const char *path)
{
    struct json_object *found = find(object, path);

    return json_object_is_type(found, json_type_string) ? json_object_get_string(found) : NULL;
}

size_t status_count(const struct json_object *object, const char *path)
{
    struct json_object *found = find(object, path);

    return json_object_is_type(found, json_type_array) ? json_object_array_length(found) : 0;
}

struct json_object *status_item(const struct json_object *object, const char *path, size_t i)
{
    return i < status_count(object, path) ? json_object_array_get_idx(find(object, path), i) : NULL;
}

/* The text of the file, or NULL and errno. */
static char *read_text(const char *path, size_t *length, struct stat *about)
{
    /* Not blocking: somebody may have put a pipe there. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), error;
    char *text = NULL;
    ssize_t n = 0;

    if ( fd < 0 )
        return NULL;
    error = fstat(fd, about) ? errno : !S_ISREG(about->st_mode) ? EINVAL :
            about->st_size > (off_t)STATUS_BYTES_MAX ? EFBIG : 0;
    if ( !error )
    {
        text = malloc(about->st_size + 1);
        error = text ? 0 : ENOMEM;
    }
    for ( *length = 0; !error && *length < (size_t)about->st_size; *length += n )
    {
        n = read(fd, text + *length, about->st_size - *length);
        if ( n <= 0 )
        {
            error = n < 0 ? errno : 0;
            break;
        }
    }
    close(fd);
    if ( !error )
        return text;
    free(text);
    errno = error;
    return NULL;
}

static char *complaint(const char *what)
{
    char *text;

    return asprintf(&text, "%s", what) < 0 ? NULL : text;
}

void status_parse(struct status *status, const char *text, size_t length)
{
    struct json_tokener *tokener = json_tokener_new_ex(STATUS_DEPTH_MAX);

    if ( !tokener )
    {
        status->error = complaint("no memory");
        return;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    status->root = json_tokener_parse_ex(tokener, text, length);
    if ( json_tokener_get_error(tokener) == json_tokener_continue )
        status->error = complaint("it ends in the middle");
    else if ( json_tokener_get_error(tokener) != json_tokener_success )
        status->error = complaint(json_tokener_error_desc(json_tokener_get_error(tokener)));
    else if ( memchr(text, 0, length) )       /* where json-c ends without a word */
        status->error = complaint("it holds bytes that are no text");
    else if ( !json_object_is_type(status->root, json_type_object) )
        status->error = complaint("it is not an object");
    json_tokener_free(tokener);
    if ( status->error )
    {
        json_object_put(status->root);
        status->root = NULL;
    }
}

/* The number may be another process's by now. */
static bool runs(uint64_t pid, const char *daemon)
{
    char path[64], comm[COMM_BYTES + 1] = "";
    FILE *file;

    if ( !pid || pid > INT32_MAX )
        return false;
    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
    file = fopen(path, "re");
    if ( !file )
        return false;
    if ( !fgets(comm, sizeof(comm), file) )
        comm[0] = '\0';
    fclose(file);
    comm[strcspn(comm, "\n")] = '\0';
    return !strncmp(comm, daemon, COMM_BYTES - 1);
}

static int read_status(struct status *status, const char *directory, const char *name, const char *daemon)
{
    struct stat about;
    struct timespec now;
    size_t length;
    char *text;

    *status = (struct status){ .pid = STATUS_UNKNOWN };
    if ( asprintf(&status->path, "%s/%s", directory, name) < 0 )
    {
        status->path = NULL;
        return -ENOMEM;
    }
    text = read_text(status->path, &length, &about);
    if ( !text )
    {
        status->error = complaint(errno == EINVAL ? "it is not a file" : strerror(errno));
        return status->error ? 0 : -ENOMEM;
    }
    status_parse(status, text, length);
    free(text);
    if ( !status->root )
        return status->error ? 0 : -ENOMEM;
    clock_gettime(CLOCK_REALTIME, &now);
    status->age = now.tv_sec > about.st_mtim.tv_sec ? now.tv_sec - about.st_mtim.tv_sec : 0;
    status->pid = status_number(status->root, "pid");
    status->alive = runs(status->pid, daemon);
    return 0;
}

/* DAEMON.json, or DAEMON-NUMBER.json; not what is being written, and no name that could not be printed. */
static bool is_status_name(const char *name, const char *daemon)
{
    size_t start = strlen(daemon), digits;

    if ( strncmp(name, daemon, start) )
        return false;
    name += start;
    if ( name[0] == '-' )
    {
        digits = strspn(name + 1, "0123456789");
        name += digits ? 1 + digits : 0;
    }
    return !strcmp(name, ".json");
}

static int by_path(const void *a, const void *b)
{
    const struct status *x = a, *y = b;
    size_t m = strlen(x->path), n = strlen(y->path);

    /* The shorter name is the host's, and of numbers the smaller one. */
    return m != n ? (m > n) - (m < n) : strcmp(x->path, y->path);
}

int status_list_open(struct status_list *list, const char *directory, const char *daemon)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    int rc = 0;

    *list = (struct status_list){ 0 };
    if ( !entries )
        return errno == ENOENT ? 0 : -errno;
    while ( !rc && (entry = readdir(entries)) )
    {
        struct status *more;

        if ( !is_status_name(entry->d_name, daemon) )
            continue;
        more = reallocarray(list->items, list->count + 1, sizeof(*more));
        if ( !more )
        {
            rc = -ENOMEM;
            break;
        }
        list->items = more;
        rc = read_status(&more[list->count++], directory, entry->d_name, daemon);
    }
    closedir(entries);
    if ( rc )
        status_list_close(list);
    else if ( list->count )
        qsort(list->items, list->count, sizeof(*list->items), by_path);
    return rc;
}

void status_list_close(struct status_list *list)
{
    for ( size_t i = 0; i < list->count; i++ )
    {
        json_object_put(list->items[i].root);
        free(list->items[i].error);
        free(list->items[i].path);
    }
    free(list->items);
    *list = (struct status_list){ 0 };
}

struct json_object *status_add_daemon(struct json_object *daemons, const struct status *status)
{
    struct json_object *daemon = json_object_new_object();

    json_object_array_add(daemons, daemon);
    json_add_text(daemon, "file", status->path);
    if ( !status->root )
    {
        json_add_text(daemon, "error", status->error);
        return NULL;
    }
    json_add_flag(daemon, "runs", status->alive);
    json_add_number(daemon, "age_seconds", status->age);
    return daemon;
}

/* A control character stands only in strings, where it can be escaped; none is beyond U+FFFF. */
int status_print_json(FILE *out, struct json_object *object, bool pretty)
{
    const char *text;
    size_t length;

    text = json_object_to_json_string_length(object, pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN,
                                             &length);
    if ( !text )
        return -ENOMEM;
    for ( size_t i = 0; i < length; )
    {
        unsigned int point;
        size_t n = text[i] == '\n' ? 1 : utf8_decode(text + i, length - i, &point);

        if ( !n )
            fputs("\\ufffd", out);
        else if ( text[i] != '\n' && utf8_is_control(point) )
            fprintf(out, "\\u%04x", point);
        else
            fwrite(text + i, 1, n, out);
        i += n ? n : 1;
    }
    putc('\n', out);
    return 0;
}

int status_end_output(int rc)
{
    if ( fflush(stdout) || ferror(stdout) )
    {
        fprintf(stderr, "memeventctl: writing the output: %m\n");
        return EX_IOERR;
    }
    if ( rc )
    {
        fprintf(stderr, "memeventctl: %s\n", strerror(-rc));
        return EX_OSERR;
    }
    return EX_OK;
}
