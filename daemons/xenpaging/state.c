/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fd store and the state directory.  Both have the same four things: index, pool, stage, and a spill file if
 * there is one.  The index is handed over last and taken away first: without it there is nothing to go on with.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/readiness.h>

#include "settings-kept.h"

/* In the fd store these names have INHERITED_PREFIX before them, in the directory they are file names. */
enum part { PART_POOL, PART_SPILL, PART_STAGE, PART_INDEX, PARTS };
static const char *const part_name[PARTS] = { "pool", "spill", "stage", INHERITED_INDEX };

static struct store_options options_of(const struct settings *s)
{
    return (struct store_options){
        .ram_bytes = s->memory_limit,
        .spill_directory = s->spill_limit ? s->spill_directory : NULL,
        .spill_bytes = s->spill_limit,
    };
}

/* Says what becomes of what an earlier pager left, if it cannot be gone on with.  False: that is not to be decided now. */
static bool is_hopeless(int error)
{
    const char *why = error == -EPROTONOSUPPORT ? "another version of xenpaging made it" : "it is damaged";

    if ( error == -ENODATA )
        return true;              /* it never held a page */
    if ( error != -EBADMSG && error != -EPROTONOSUPPORT )
        return false;
    log_message(LOG_CRIT, LOG_HOST("state-damaged"),
                "what an earlier pager left cannot be used: %s. The domains that had pages out wait for them for ever: "
                "'xl destroy' and start them anew; the others are paged as before", why);
    return true;
}

static void say_damage(struct store *store)
{
    struct store_statistics statistics;

    store_get_statistics(store, &statistics);
    if ( statistics.damaged )
        log_message(LOG_CRIT, LOG_HOST("state-damaged"),
                    "%" PRIu64 " parts of what an earlier pager left are damaged: those pages are lost, and a domain that "
                    "needs one of them is paused then; the other %" PRIu64 " pages are sound so far",
                    statistics.damaged, statistics.now.pages);
}

static int open_stage(struct store_stage **stage, int fd)
{
    int rc = store_stage_open(stage, fd);

    if ( rc != -EBADMSG || fd < 0 )
        return rc;
    log_message(LOG_CRIT, LOG_HOST("state-damaged"),
                "where pages lie while they are paged out is damaged: what was on its way when the earlier pager died is "
                "lost, and a domain that needs it is paused then");
    if ( ftruncate(fd, 0) )
        fd = -1;                  /* sealed: a new one */
    return store_stage_open(stage, fd);
}

/* ---- the fd store ---- */

static int hand_over(enum part part, int fd)
{
    char name[32];

    if ( fd < 0 )
        return 1;
    snprintf(name, sizeof(name), INHERITED_PREFIX "%s", part_name[part]);
    return readiness_store_fd(name, fd);
}

static void take_away(enum part part)
{
    char name[32];

    snprintf(name, sizeof(name), INHERITED_PREFIX "%s", part_name[part]);
    readiness_forget_fd(name);
}

static void take_all_away(void)
{
    for ( int part = PARTS; part-- > 0; )
        take_away(part);
    settings_forget();
}

static int hand_all_over(struct state *state, struct store *store, struct store_stage *stage)
{
    struct store_state files;
    int fds[PARTS], rc = 1;

    store_get_state(store, &files);
    fds[PART_POOL] = files.pool;
    fds[PART_SPILL] = files.file;
    fds[PART_STAGE] = store_stage_fd(stage);
    fds[PART_INDEX] = files.index;
    for ( unsigned int part = 0; rc > 0 && part < PARTS; part++ )
        rc = hand_over(part, fds[part]);
    state->is_kept = rc > 0;
    if ( rc < 0 )
        log_message(LOG_ERR, LOG_HOST("state-not-kept"),
                    "the service manager does not take the pager's state (%s): if the pager is killed, pages that are out "
                    "are lost; see FileDescriptorStoreMax= in systemctl cat xenpaging", strerror(-rc));
    return 0;
}

static int open_manager(struct state *state, const struct settings *settings, const struct inherited *left,
                        struct store **store, struct store_stage **stage, const char **what)
{
    const struct store_options options = options_of(settings);
    int part_fd[PARTS], rc = -ENODATA;

    *what = "what an earlier pager left with the service manager";
    for ( unsigned int part = 0; part < PARTS; part++ )
        part_fd[part] = inherited_fd(left, part_name[part]);
    if ( part_fd[PART_INDEX] >= 0 )
    {
        const struct store_state files = { part_fd[PART_INDEX], part_fd[PART_POOL], part_fd[PART_SPILL] };

        rc = store_adopt(store, &options, &files);
        if ( !rc )
        {
            rc = open_stage(stage, part_fd[PART_STAGE]);
            state->is_resumed = state->is_kept = true;
            say_damage(*store);
        }
        else if ( !is_hopeless(rc) )
            return rc;
    }
    if ( rc )
    {
        *what = settings->spill_directory;
        take_all_away();
        rc = store_open(store, &options);
        if ( !rc )
            rc = open_stage(stage, -1);
        if ( !rc )
            rc = hand_all_over(state, *store, *stage);
    }
    return rc;
}

/* ---- the directory ---- */

static bool is_ours_alone(const struct stat *sb)
{
    return sb->st_uid == geteuid() && !(sb->st_mode & 077);
}

/* In a directory that is ours alone nobody else puts files; this is for who made one of its name before. */
static int open_file(int directory, const char *name, int *out)
{
    struct stat sb;

    *out = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if ( *out < 0 || fstat(*out, &sb) )
        return -errno;
    return S_ISREG(sb.st_mode) && sb.st_nlink == 1 && is_ours_alone(&sb) ? 0 : -EPERM;
}

static int open_directory(const char *path, bool is_tmpfs, int *out)
{
    struct statfs fs;
    struct stat sb;

    if ( mkdir(path, 0700) && errno != EEXIST )
        return -errno;
    *out = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if ( *out < 0 || fstat(*out, &sb) || fstatfs(*out, &fs) )
        return -errno;
    if ( !is_tmpfs )
        return 0;
    if ( !is_ours_alone(&sb) )
        return -EPERM;
    return fs.f_type == TMPFS_MAGIC ? 0 : -EMEDIUMTYPE;
}

/*
 * In which directory the spill file is: in that where an earlier pager made it, whatever the settings say now.  A link in
 * the state directory keeps its name.  False: there is none, and is to be none.
 */
static bool find_spill(struct state *state, const struct settings *settings)
{
    ssize_t n = readlinkat(state->directory, part_name[PART_SPILL], state->spill_path, sizeof(state->spill_path) - 1);

    if ( n > 0 )
    {
        state->spill_path[n] = '\0';
        return true;
    }
    if ( !settings->spill_limit )
        return false;
    snprintf(state->spill_path, sizeof(state->spill_path), "%s", settings->spill_directory);
    /* If it cannot be kept, a later pager finds the file if its settings are the same. */
    (void)!symlinkat(state->spill_path, state->directory, part_name[PART_SPILL]);
    return true;
}

static int empty_all(const int *fds)
{
    for ( int part = PARTS; part-- > 0; )
        if ( fds[part] >= 0 && ftruncate(fds[part], 0) )
            return -errno;
    return 0;
}

static int adopt_or_create(struct state *state, const struct settings *settings, int *fds, struct store **store,
                           struct store_stage **stage)
{
    const struct store_options options = options_of(settings);
    struct store_state files = { fds[PART_INDEX], fds[PART_POOL], fds[PART_SPILL] };
    int rc = store_adopt(store, &options, &files);

    /* That which was left may have had no spill file; the empty one is then not its. */
    if ( rc == -EBADMSG && files.file >= 0 )
    {
        struct stat sb;

        if ( !fstat(files.file, &sb) && !sb.st_size )
        {
            files.file = -1;
            rc = store_adopt(store, &options, &files);
        }
    }
    if ( !rc )
    {
        state->is_resumed = true;
        say_damage(*store);
        return open_stage(stage, fds[PART_STAGE]);
    }
    if ( !is_hopeless(rc) )
        return rc;
    rc = empty_all(fds);
    files.file = fds[PART_SPILL];
    if ( !rc )
        rc = open_stage(stage, fds[PART_STAGE]);
    if ( !rc )
        rc = store_create(store, &options, &files);
    return rc;
}

static int open_in_directory(struct state *state, const struct settings *settings, const char *path,
                             struct store **store, struct store_stage **stage, const char **what)
{
    int fds[PARTS] = { -1, -1, -1, -1 }, rc;

    *what = path;
    rc = open_directory(path, true, &state->directory);
    if ( !rc )
        rc = open_file(state->directory, part_name[PART_INDEX], &fds[PART_INDEX]);
    if ( !rc && flock(fds[PART_INDEX], LOCK_EX | LOCK_NB) )
        rc = -errno;
    state->index = fds[PART_INDEX];
    if ( !rc )
        rc = open_file(state->directory, part_name[PART_POOL], &fds[PART_POOL]);
    if ( !rc )
        rc = open_file(state->directory, part_name[PART_STAGE], &fds[PART_STAGE]);
    if ( !rc && find_spill(state, settings) )
    {
        *what = state->spill_path;
        rc = open_directory(state->spill_path, false, &state->spill_directory);
        if ( !rc )
            rc = open_file(state->spill_directory, state->spill_name, &fds[PART_SPILL]);
    }
    if ( !rc )
        rc = adopt_or_create(state, settings, fds, store, stage);
    state->is_kept = !rc;
    for ( unsigned int part = 0; part < PART_INDEX; part++ )
        if ( fds[part] >= 0 )
            close(fds[part]);
    return rc;
}

int state_open(struct state *state, const struct settings *settings, const struct inherited *left, const char *directory,
               struct store **store, struct store_stage **stage, const char **what)
{
    *state = (struct state){ .directory = -1, .spill_directory = -1, .index = -1 };
    snprintf(state->spill_name, sizeof(state->spill_name), "xenpaging-%u.spill", settings->domid);
    if ( directory && !inherited_holds_pages(left) )
        return open_in_directory(state, settings, directory, store, stage, what);
    if ( directory )
        log_message(LOG_NOTICE, LOG_HOST("state-elsewhere"),
                    "an earlier pager left pages with the service manager: they are gone on with there, and %s is used from the "
                    "next start after a stop", directory);
    return open_manager(state, settings, left, store, stage, what);
}

void state_remove(struct state *state)
{
    if ( !state->is_kept )
        return;
    if ( state->directory < 0 )
        take_all_away();
    else
    {
        for ( int part = PARTS; part-- > 0; )
            unlinkat(state->directory, part_name[part], 0);
        if ( state->spill_directory >= 0 )
            unlinkat(state->spill_directory, state->spill_name, 0);
    }
    state->is_kept = false;
}

void state_close(struct state *state)
{
    if ( state->index >= 0 )
        close(state->index);
    if ( state->spill_directory >= 0 )
        close(state->spill_directory);
    if ( state->directory >= 0 )
        close(state->directory);
    state->index = state->spill_directory = state->directory = -1;
}
