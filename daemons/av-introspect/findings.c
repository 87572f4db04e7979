/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See findings.h. A line is written by one write(), so that who follows the file sees whole ones.
 */
#include "findings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemon/log.h>
#include <daemon/utf8.h>

#include "policy.h"

/* Hooks that run at a time: a guest that is full of findings must not fill dom0 with processes. */
#define HOOKS_MAX 8U

struct findings {
    char path[PATH_MAX];          /* "" : none */
    char hook[PATH_MAX];
    uint64_t limit, size, count;
    int fd;
    bool has_failed;              /* and it was said */
    bool is_stuck;                /* it cannot be set aside, and that was said */
    pid_t hooks[HOOKS_MAX];       /* 0: free */
};

static int open_file(struct findings *f)
{
    struct stat status;

    f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if ( f->fd < 0 || fstat(f->fd, &status) )
        return -errno;
    f->size = status.st_size;
    return 0;
}

int findings_open(struct findings **out, const char *path, uint64_t limit, const char *hook)
{
    struct findings *f = calloc(1, sizeof(*f));
    char directory[PATH_MAX];
    char *slash;

    *out = f;
    if ( !f )
        return -ENOMEM;
    f->fd = -1;
    f->limit = limit;
    if ( hook && snprintf(f->hook, sizeof(f->hook), "%s", hook) >= (int)sizeof(f->hook) )
        return -ENAMETOOLONG;
    if ( !path )
        return 0;
    if ( snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path) - 2 )
        return -ENAMETOOLONG;
    snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if ( slash && slash != directory )
    {
        *slash = '\0';
        (void)mkdir(directory, 0700);
    }
    return open_file(f);
}

void findings_close(struct findings *f)
{
    if ( !f )
        return;
    if ( f->fd >= 0 )
        close(f->fd);
    free(f);
}

/* ---- an object ---- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
    char escaped[4 * SCAN_TEXT_BYTES + 4];

    if ( !text[0] )
        return;
    utf8_escape(escaped, sizeof(escaped), text, strlen(text));
    json_object_object_add(object, key, json_object_new_string(escaped));
}

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
    char text[20];

    snprintf(text, sizeof(text), "0x%" PRIx64, value);
    json_object_object_add(object, key, json_object_new_string(text));
}

static void add_actions(struct json_object *object, unsigned int actions)
{
    struct json_object *array = json_object_new_array();

    for ( unsigned int i = 0; policy_action_name(i); i++ )
        if ( actions & (1U << i) )
            json_object_array_add(array, json_object_new_string(policy_action_name(i)));
    json_object_object_add(object, "actions", array);
}

/* A word for programs. */
static const char *event_name(enum scan_kind kind)
{
    static const char *const names[] = {
        [SCAN_PAGE] = "page", [SCAN_REGISTER] = "register", [SCAN_MSR] = "msr", [SCAN_INTERRUPT] = "interrupt",
        [SCAN_REQUEST] = "request", [SCAN_OVERFLOW] = "overflow", [SCAN_TICK] = "tick",
    };

    return names[kind];
}

static struct json_object *describe(const struct finding *f)
{
    struct json_object *object = json_object_new_object();
    char digest[2 * SCAN_DIGEST_BYTES + 1] = "", when[32];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
    for ( unsigned int i = 0; f->digest && i < SCAN_DIGEST_BYTES; i++ )
        snprintf(digest + 2 * i, 3, "%02x", f->digest[i]);
    add_text(object, "time", when);
    json_object_object_add(object, "domid", json_object_new_int(f->domid));
    add_text(object, "domain", f->name);
    add_text(object, "uuid", f->uuid);
    add_text(object, "verdict", policy_verdict_name(f->verdict));
    add_text(object, "plugin", f->result->plugin);
    add_text(object, "rule", f->result->rule);
    add_text(object, "text", f->result->text);
    add_actions(object, f->actions);
    json_object_object_add(object, "has_run", json_object_new_boolean(f->has_run));
    json_object_object_add(object, "cached", json_object_new_boolean(f->from_cache));
    add_text(object, "event", event_name(f->kind));
    if ( f->kind == SCAN_PAGE )
        add_hex(object, "gfn", f->gfn);
    if ( f->kind == SCAN_REGISTER || f->kind == SCAN_MSR )
    {
        add_hex(object, "register", f->values[0]);
        add_hex(object, "new", f->values[1]);
        add_hex(object, "old", f->values[2]);
    }
    if ( f->has_gla )
        add_hex(object, "gla", f->gla);
    if ( f->kind < SCAN_OVERFLOW )
    {
        json_object_object_add(object, "vcpu", json_object_new_int64(f->vcpu));
        add_hex(object, "rip", f->rip);
        add_hex(object, "cr3", f->cr3);
    }
    if ( f->result->has_process )
    {
        json_object_object_add(object, "pid", json_object_new_int64(f->result->pid));
        add_text(object, "comm", f->result->comm);
        add_text(object, "path", f->result->path);
    }
    add_text(object, "sha256", digest);
    if ( f->left_out )
        json_object_object_add(object, "left_out", json_object_new_uint64(f->left_out));
    return object;
}

/* ---- the file ---- */

static void set_aside(struct findings *f)
{
    char aside[PATH_MAX + 2];

    snprintf(aside, sizeof(aside), "%s.1", f->path);
    if ( rename(f->path, aside) )
    {
        /* Rather too many than none. */
        if ( !f->is_stuck )
            log_message(LOG_ERR, LOG_HOST("findings-failed"), "%s cannot be set aside as %s: %s; it grows beyond its limit",
                        f->path, aside, strerror(errno));
        f->is_stuck = true;
        return;
    }
    f->is_stuck = false;
    close(f->fd);
    (void)open_file(f);
}

static void append(struct findings *f, const char *line, size_t length)
{
    ssize_t written;

    if ( f->fd < 0 )
        return;
    if ( f->size && f->size + length > f->limit )
        set_aside(f);
    written = f->fd < 0 ? -1 : write(f->fd, line, length);
    f->size += written > 0 ? written : 0;
    if ( written != (ssize_t)length && !f->has_failed )
        log_message(LOG_ERR, LOG_HOST("findings-failed"), "%s cannot be written: %s; findings are in the journal only", f->path,
                    written < 0 ? strerror(errno) : "no room");
    f->has_failed = written != (ssize_t)length;
}

/* ---- the hook ---- */

static int spawn(struct findings *f, pid_t *pid, int input)
{
    char *const argv[] = { f->hook, NULL };
    char *const environment[] = { (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawn(pid, f->hook, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

static void run_hook(struct findings *f, const char *line, size_t length)
{
    unsigned int slot = 0;
    int input, rc = -EAGAIN;

    findings_tick(f);
    while ( slot < HOOKS_MAX && f->hooks[slot] )
        slot++;
    if ( !f->hook[0] )
        rc = -ENOENT;
    else if ( slot < HOOKS_MAX && (input = memfd_create("finding", MFD_CLOEXEC)) >= 0 )
    {
        rc = write(input, line, length) == (ssize_t)length && !lseek(input, 0, SEEK_SET) ? 0 : -EIO;
        if ( !rc )
            rc = spawn(f, &f->hooks[slot], input);
        if ( rc )
            f->hooks[slot] = 0;
        close(input);
    }
    if ( rc )
        log_message(LOG_ERR, LOG_HOST("hook-failed"), "the policy asks for the hook, and it was not run: %s",
                    rc == -ENOENT && !f->hook[0] ? "the setting 'hook' names none" :
                    rc == -EAGAIN ? "too many of them run already" : strerror(-rc));
}

void findings_tick(struct findings *f)
{
    for ( unsigned int i = 0; i < HOOKS_MAX; i++ )
    {
        int status;

        if ( !f->hooks[i] || waitpid(f->hooks[i], &status, WNOHANG) == 0 )
            continue;
        f->hooks[i] = 0;
    }
}

/* ---- all of it ---- */

/* What it is about, for people. */
static void name_of(const struct finding *f, char *out, size_t size)
{
    switch ( f->kind )
    {
    case SCAN_PAGE:
        if ( f->has_gla )
            snprintf(out, size, "page %#" PRIx64 " at %#" PRIx64, f->gfn, f->gla);
        else
            snprintf(out, size, "page %#" PRIx64, f->gfn);
        break;
    case SCAN_REGISTER:
        snprintf(out, size, "a write of %#" PRIx64 " to CR%" PRIu64 ", which was %#" PRIx64 ",", f->values[1], f->values[0],
                 f->values[2]);
        break;
    case SCAN_MSR:
        snprintf(out, size, "a write of %#" PRIx64 " to MSR %#" PRIx64 ", which was %#" PRIx64 ",", f->values[1], f->values[0],
                 f->values[2]);
        break;
    case SCAN_INTERRUPT:
        snprintf(out, size, "a breakpoint at %#" PRIx64, f->rip);
        break;
    case SCAN_REQUEST:
        snprintf(out, size, "a request of the guest's at %#" PRIx64, f->rip);
        break;
    default:
        snprintf(out, size, "what plugins found by themselves");
        break;
    }
}

static const char *outcome_of(const struct finding *f)
{
    bool is_page = f->kind == SCAN_PAGE;

    if ( f->kind >= SCAN_OVERFLOW )
        return f->actions & POLICY_KILL ? "; the domain is stopped for good" : f->actions & POLICY_PAUSE ? "; the domain is paused" : "";
    if ( f->has_run )
        return is_page ? "; it may have been executed before this was known" : "; it had happened before this was known";
    if ( f->actions & POLICY_KILL )
        return "; the domain is stopped for good";
    if ( f->actions & POLICY_PAUSE )
        return is_page ? "; the domain is paused before it executes it" : "; the domain is paused before it happens";
    if ( f->actions & POLICY_DENY && f->kind != SCAN_REQUEST )
        return is_page ? "; it was not executed" : "; it was refused";
    return is_page ? "; it is let be executed" : "; it is let happen";
}

static void say(const struct finding *f)
{
    char process[SCAN_COMM_BYTES + SCAN_PATH_BYTES + 40] = "", what[120];
    const struct scan_result *r = f->result;

    name_of(f, what, sizeof(what));
    if ( r->has_process )
        snprintf(process, sizeof(process), ", process %" PRIu32 " (%s%s%s)", r->pid, r->comm, r->path[0] ? ", " : "", r->path);
    log_message(f->verdict == SCAN_MALICIOUS ? LOG_WARNING : LOG_NOTICE,
                LOG_DOMAIN(f->domid, f->name, policy_verdict_name(f->verdict)),
                "%s: %s%s is %s%s%s%s%s%s%s%s", f->name, what, process, policy_verdict_name(f->verdict),
                r->plugin[0] ? ": " : "", r->plugin, r->rule[0] ? ", " : "", r->rule, r->text[0] ? ": " : "", r->text,
                outcome_of(f));
}

void findings_add(struct findings *findings, const struct finding *finding)
{
    struct json_object *object = describe(finding);
    const char *text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
    char *line = NULL;
    int length = text ? asprintf(&line, "%s\n", text) : -1;

    findings->count++;
    say(finding);
    if ( length > 0 )
    {
        append(findings, line, length);
        if ( finding->actions & POLICY_HOOK )
            run_hook(findings, line, length);
        free(line);
    }
    json_object_put(object);
}

uint64_t findings_count(const struct findings *findings)
{
    return findings->count;
}
