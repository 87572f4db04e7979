/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memeventctl sharing top: the host in five lines, then domains, those first that matter most.  The terminal is
 * screen.c's.
 */
#include "sharing.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "figure.h"
#include "screen.h"
#include "sharing-table.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

/* The sharer writes as often. */
#define TOP_SECONDS    1U
#define BAR_COLUMNS    30U
#define MIB_PAGES      256.0

enum order { BY_SAVED, BY_MERGED, BY_UNSHARED, BY_UNSETTLED, BY_NAME, BY_DOMID };

static const struct {
    char key;
    enum order order;
    const char *name;
} orders[] = {
    { 's', BY_SAVED, "saved" }, { 'm', BY_MERGED, "merged" }, { 'u', BY_UNSHARED, "unshared" },
    { 'c', BY_UNSETTLED, "unsettled" }, { 'n', BY_NAME, "name" }, { 'i', BY_DOMID, "id" },
};

static const struct figure columns[] = {
    { "ID",       NULL, "domid",    NULL, FORM_COUNT },
    { "NAME",     NULL, "name",     NULL, FORM_TEXT },
    { "GROUP",    NULL, "group",    NULL, FORM_TEXT },
    { "SAVED",    NULL, "saved",    NULL, FORM_PAGES },
    { "SHARING",  NULL, "sharing",  NULL, FORM_PAGES },
    { "MEMORY",   NULL, "pages",    NULL, FORM_PAGES },
    { "UNIQUE",   NULL, "unique",   NULL, FORM_PAGES },
    { "UNSETTLED", NULL, "unsettled", NULL, FORM_PAGES },
    { "MERGED",   NULL, "merged",   NULL, FORM_RATE },
    { "UNSHARED", NULL, "unshared", NULL, FORM_RATE },
    { "STATE",    NULL, "state",    NULL, FORM_TEXT },
};

struct row {
    struct figure_row figures;
    uint64_t weight;
    const char *name;
    uint64_t domid;
};

/* Of rates the difference counts, if there is one. */
static uint64_t weigh(const struct figure_row *row, enum order order)
{
    static const char *const paths[] = { "saved", "merged", "unshared", "unsettled" };
    uint64_t value, before;

    if ( order >= COUNT(paths) )
        return 0;
    value = status_number(row->object, paths[order]);
    if ( value == STATUS_UNKNOWN )
        return 0;
    before = 0;
    if ( row->before && (order == BY_MERGED || order == BY_UNSHARED) )
        before = status_number(row->before, paths[order]);
    return before <= value ? value - before : value;
}

static enum order sorted_by;

static int by_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int names;

    if ( x->weight != y->weight )
        return x->weight < y->weight ? 1 : -1;
    names = sorted_by == BY_NAME ? strcmp(x->name, y->name) : 0;
    return names ? names : (x->domid > y->domid) - (x->domid < y->domid);
}

static void print_bar(FILE *out, double share, double mark)
{
    putc('[', out);
    for ( unsigned int i = 0; i < BAR_COLUMNS; i++ )
    {
        bool is_mark = mark * BAR_COLUMNS >= i && mark * BAR_COLUMNS < i + 1 && mark > 0;

        putc((i + 0.5) / BAR_COLUMNS < share ? '#' : is_mark ? '|' : ' ', out);
    }
    putc(']', out);
}

static double number(const struct json_object *root, const char *path)
{
    uint64_t value = status_number(root, path);

    return value == STATUS_UNKNOWN ? 0 : value;
}

static double rate(const struct sharing_look *look, const char *path)
{
    double value = number(look->status->root, path);
    double before = look->before ? number(look->before, path) : value;

    return look->seconds > 0 && value >= before ? (value - before) / look->seconds : 0;
}

static void print_host(FILE *out, const struct sharing_look *look)
{
    const struct json_object *root = look->status->root;
    double total = number(root, "host.total"), cpu = number(root, "scan.cpu_permille") / 1000,
           limit = number(root, "scan.cpu_limit_percent") / 100, pages = number(root, "scan.pass_pages"),
           over = number(root, "host.overcommit_percent") / 100, stop = number(root, "host.overcommit_limit") / 100;
    char text[FIGURE_TEXT_BYTES];
    bool stopped = status_has_flag(root, "host.merging") && !status_flag(root, "host.merging");

    fprintf(out, "Saved   ");
    print_bar(out, total > 0 ? number(root, "host.saved") / total : 0, 0);
    fprintf(out, " %.1f MiB of %.0f MiB: %.1f MiB of guests on %.1f MiB\n", number(root, "host.saved") / MIB_PAGES,
            total / MIB_PAGES, number(root, "host.sharing") / MIB_PAGES, number(root, "host.shared") / MIB_PAGES);
    fprintf(out, "Need    ");
    print_bar(out, stop > 0 ? over / stop : 0, 0);
    fprintf(out, " overcommit %.0f %% of at most %.0f %%, %.0f MiB free%s\n", 100 * over, 100 * stop,
            number(root, "host.free") / MIB_PAGES, stopped ? "; MERGING HAS STOPPED" : "");
    fprintf(out, "CPU     ");
    print_bar(out, cpu, limit);
    fprintf(out, " %.1f %% of one, at most %.0f %%\n", 100 * cpu, 100 * limit);
    fprintf(out, "Pass    ");
    print_bar(out, pages > 0 ? number(root, "scan.pass_done") / pages : 0, 0);
    fprintf(out, " number %.0f", number(root, "scan.pass"));
    if ( status_number(root, "scan.next_pass_milliseconds") != STATUS_UNKNOWN )
    {
        static const struct figure next = { NULL, NULL, "scan.next_pass_milliseconds", NULL, FORM_MILLISECONDS };

        figure_format(text, &next, &(const struct figure_row){ .object = root });
        fprintf(out, ", the next in %s", text);
    }
    fprintf(out, "\nA second: %.0f looked at, %.0f hashed, %.0f merged, %.0f different, %.0f invalidates, %.0f lost\n",
            rate(look, "scan.scanned"), rate(look, "scan.hashed"), rate(look, "merge.merged"),
            rate(look, "merge.different"), rate(look, "invalidates.received"), rate(look, "invalidates.lost"));
}

static int print_domains(FILE *out, const struct sharing_look *look)
{
    const struct json_object *root = look->status->root;
    size_t count = status_count(root, "domains");
    struct row *rows = calloc(count + 1, sizeof(*rows));
    struct libscols_table *table = figure_table_open(out, true);
    int rc = rows && table ? figure_table_add_columns(table, columns, COUNT(columns)) : -ENOMEM;

    for ( size_t i = 0; i < count && !rc; i++ )
    {
        const struct json_object *domain = status_item(root, "domains", i);
        const char *name = status_text(domain, "name");
        struct row *row = &rows[i];

        row->figures = (struct figure_row){ .object = domain, .before = sharing_find_domain(look->before, domain),
                                            .seconds = look->seconds };
        row->weight = weigh(&row->figures, sorted_by);
        row->name = name ? name : "";
        row->domid = status_number(domain, "domid");
    }
    if ( !rc )
        qsort(rows, count, sizeof(*rows), by_order);
    for ( size_t i = 0; i < count && !rc; i++ )
        rc = figure_table_add_row(table, columns, COUNT(columns), &rows[i].figures);
    if ( table )
        rc = figure_table_close(table, rc);
    free(rows);
    return rc;
}

int sharing_print_screen(FILE *out, const struct sharing_look *look)
{
    sharing_print_heading(out, look->status);
    print_host(out, look);
    putc('\n', out);
    return print_domains(out, look);
}

/* All of one look, as text; NULL: no memory. */
static char *describe(const struct sharing_request *request, const struct sharing_look *look, const char *error)
{
    const char *name = "";
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc = 0;

    if ( !out )
        return NULL;
    for ( size_t i = 0; i < COUNT(orders); i++ )
        if ( orders[i].order == sorted_by )
            name = orders[i].name;
    if ( !look->status || !look->status->root )
        fprintf(out, "%s\n(nothing of one in %s)\n", error, request->look.directory);
    else
        rc = sharing_print_screen(out, look);
    fprintf(out, "\nBy %s; s saved, m merged, u unshared, c unsettled, n name, i id; q quit\n", name);
    if ( fclose(out) || rc )
    {
        free(text);
        return NULL;
    }
    return text;
}

/* A key that is another order's, or the end's. */
static bool take_key(int key, bool *end)
{
    *end = key == 'q' || key == 'Q';
    for ( size_t i = 0; i < COUNT(orders); i++ )
        if ( orders[i].key == key )
            sorted_by = orders[i].order;
    return *end;
}

static int show(struct screen *screen, const struct sharing_request *request, const struct status_list *list,
                const struct status_list *before, double seconds)
{
    const struct status *status = list->count ? list->items : NULL, *old = before->count ? before->items : NULL;
    const struct sharing_look look = {
        .status = status, .seconds = seconds,
        .before = status && old && old->pid == status->pid ? old->root : NULL,
    };
    char *text = describe(request, &look, status ? status->error : SHARING_NO_DAEMON);
    int rc = text ? screen_draw(screen, text) : -ENOMEM;

    free(text);
    return rc;
}

/* Until somebody says so.  Returns the signal that did, 0 for a key, or -errno. */
static int run(struct screen *screen, const struct sharing_request *request)
{
    double period = request->look.watch ? request->look.watch : TOP_SECONDS, last = 0, looked = look_now();
    struct status_list before = { 0 }, list = { 0 };
    int key = 0, rc = status_list_open(&list, request->look.directory, SHARING_DAEMON);
    bool end = false;

    while ( !rc && !end )
    {
        double now;

        rc = show(screen, request, &list, &before, looked - last);
        if ( rc )
            break;
        now = look_now();
        switch ( screen_wait(screen, now < looked + period ? (looked + period - now) * 1000 + 1 : 0, &key) )
        {
        case SCREEN_KEY:
            take_key(key, &end);
            key = 0;
            continue;
        case SCREEN_END:
            end = true;
            continue;
        case SCREEN_RESIZED:
            continue;
        case SCREEN_TIME:
            break;
        }
        status_list_close(&before);
        before = list;
        last = looked;
        looked = look_now();
        rc = status_list_open(&list, request->look.directory, SHARING_DAEMON);
    }
    status_list_close(&before);
    status_list_close(&list);
    return rc ? rc : key;
}

int sharing_top(const struct sharing_request *request)
{
    struct screen *screen;
    int rc;

    if ( request->look.json )
    {
        fputs("memeventctl: top is for people; 'memeventctl sharing stats --json --watch' says the same to programs\n",
              stderr);
        return EX_USAGE;
    }
    rc = screen_open(&screen);
    if ( rc == -ENOTTY )
    {
        fputs("memeventctl: top needs a terminal; 'memeventctl sharing stats --watch' does without\n", stderr);
        return EX_USAGE;
    }
    if ( !rc )
        rc = run(screen, request);
    screen_close(screen);
    if ( rc < 0 )
    {
        fprintf(stderr, "memeventctl: %s\n", strerror(-rc));
        return rc == -EACCES ? EX_NOPERM : EX_OSERR;
    }
    /* As every other program that a signal ends. */
    if ( rc > 0 && signal(rc, SIG_DFL) != SIG_ERR )
        raise(rc);
    return EX_OK;
}
