/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A status file that somebody else wrote, shown in every way that memeventctl has, now and as the look before: no
 * byte of it reaches the terminal as anything but text.
 */
#define FUZZ_TARGET "status"
#include "fuzz.h"

#include <locale.h>
#include <string.h>

#include <json-c/json.h>

#include <daemon/utf8.h>

#include "tools/memeventctl/paging-table.h"
#include "tools/memeventctl/sharing-table.h"

/* More than this is no other code, only more of it. */
#define INPUT_BYTES_MAX  16384U

/* All of what was printed is UTF-8 that moves no cursor but to the next line. */
static void check_text(const char *text, size_t length)
{
    for ( size_t i = 0; i < length; )
    {
        unsigned int point = 0;
        size_t n = utf8_decode(text + i, length - i, &point);

        REQUIRE(n && (point == '\n' || !utf8_is_control(point)));
        i += n;
    }
}

static void show_paging(FILE *out, const struct status *status)
{
    for ( size_t i = 0; i < status_count(status->root, "domains"); i++ )
    {
        const struct json_object *domain = status_item(status->root, "domains", i);
        const struct paging_row row = { .status = status, .domain = domain, .before = domain, .seconds = 2 };

        REQUIRE(!paging_print_overview(out, &row, 1));
        REQUIRE(!paging_print_details(out, &row));
    }
    REQUIRE(!paging_print_host(out, status));
}

static void show_sharing(FILE *out, const struct status *status, const struct json_object *before)
{
    const struct sharing_look look = { .status = status, .before = before, .seconds = 2 };
    size_t found;

    sharing_print_heading(out, status);
    REQUIRE(!sharing_print_stats(out, &look));
    REQUIRE(!sharing_print_groups(out, &look, NULL, &found));
    REQUIRE(!sharing_print_groups(out, &look, "web", &found));
    REQUIRE(!sharing_print_domains(out, &look, &found));
    REQUIRE(!sharing_print_domain(out, &look, "5", &found));
    REQUIRE(!sharing_print_screen(out, &look));
}

static void show_all(const struct status *status)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    REQUIRE(out);
    show_paging(out, status);
    show_sharing(out, status, NULL);
    show_sharing(out, status, status->root);
    REQUIRE(!status_print_json(out, status->root, true));
    REQUIRE(!status_print_json(out, status->root, false));
    fclose(out);
    check_text(text, length);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/run/xen-memevent/xensharing.json";
    struct status status = { .path = path, .pid = STATUS_UNKNOWN };

    if ( size > INPUT_BYTES_MAX )
        return 0;
    status_parse(&status, (const char *)data, size);
    REQUIRE(!status.root != !status.error);
    if ( status.root )
    {
        status.pid = status_number(status.root, "pid");
        status.alive = status_flag(status.root, "stopping");
        /* libsmartcols measures texts by the locale. */
        setlocale(LC_ALL, "C");
        show_all(&status);
        setlocale(LC_ALL, "C.UTF-8");
        show_all(&status);
    }
    else
        check_text(status.error, strlen(status.error));
    json_object_put(status.root);
    free(status.error);
    return 0;
}
