/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker's bench.
 */
#include "broker-bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <daemons/av-introspect/broker.h>
#include <hypervisor/emulated/emulated.h>

#include "marker-scanner.h"

struct broker_bench t;

/* The program's own, in the place of the library's. */
int memevent_open_host(const char *spec, struct hypervisor **out)
{
    (void)spec;
    *out = t.hv;
    return 0;
}

void memevent_close_host(struct hypervisor *host)
{
    (void)host;
}

void pause_ms(unsigned int ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static void *run_broker(void *arg)
{
    (void)arg;
    t.status = broker_run(&t.settings, &t.scanner);
    return NULL;
}

static int64_t look_up(uint16_t domid, const char *part, const char *name, const char *expected)
{
    struct json_object *root, *domains, *one, *value;
    char path[96];
    int64_t result = -1;

    snprintf(path, sizeof(path), "%s/av-introspect.json", t.directory);
    root = json_object_from_file(path);
    if ( !root || !json_object_object_get_ex(root, "domains", &domains) )
    {
        json_object_put(root);
        return -1;
    }
    for ( size_t i = 0; i < json_object_array_length(domains); i++ )
    {
        one = json_object_array_get_idx(domains, i);
        if ( json_object_object_get_ex(one, "domid", &value) && json_object_get_int(value) == domid &&
             json_object_object_get_ex(one, part, &one) && json_object_object_get_ex(one, name, &value) )
            result = expected ? !strcmp(json_object_get_string(value), expected) : json_object_get_int64(value);
    }
    json_object_put(root);
    return result;
}

int64_t status_of(uint16_t domid, const char *part, const char *name)
{
    return look_up(domid, part, name, NULL);
}

bool status_says(uint16_t domid, const char *part, const char *name, const char *expected)
{
    return look_up(domid, part, name, expected) == 1;
}

void start(void)
{
    t.runs = true;
    assert_int_equal(pthread_create(&t.thread, NULL, run_broker, NULL), 0);
    wait_for(status_of(DOMID, "pages", "sweep_permille") == 1000);
}

void stop(void)
{
    if ( !t.runs )
        return;
    kill(getpid(), SIGTERM);
    pthread_join(t.thread, NULL);
    t.runs = false;
    assert_int_equal(t.status, 0);
}

int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    strcpy(t.directory, "/tmp/test-broker-XXXXXX");
    assert_non_null(mkdtemp(t.directory));
    snprintf(t.findings, sizeof(t.findings), "%s/findings", t.directory);
    t.settings = (struct settings){
        .foreground = true, .protect = (char *)"guarded*", .deadline = DEADLINE_LONG, .flips = 65535, .cache = 64,
        .findings = t.findings, .findings_limit = 1 << 20, .run_directory = t.directory,
    };
    assert_int_equal(emulated_open(4 * FRAMES, &t.hv), 0);
    assert_int_equal(emulated_create_domain(t.hv, DOMID, VCPUS, FRAMES), 0);
    assert_int_equal(t.hv->ops->write_key(t.hv, "/local/domain/1/name", "guarded"), 0);
    assert_int_equal(marker_scanner_open(&t.scanner), 0);
    return 0;
}

int teardown(void **state)
{
    char command[128];

    (void)state;
    stop();
    t.scanner.close(t.scanner.opaque);
    t.hv->ops->close(t.hv);
    snprintf(command, sizeof(command), "rm -r %s", t.directory);
    return system(command);
}

void put(uint16_t domid, uint32_t vcpu, uint64_t gfn, const char *code)
{
    char octets[128] = "";

    strcpy(octets, code);
    assert_int_equal(emulated_access(t.hv, domid, vcpu, gfn, 0, octets, sizeof(octets), true), 0);
}

int execute(uint16_t domid, uint32_t vcpu, uint64_t gfn, char got[128])
{
    return emulated_fetch(t.hv, domid, vcpu, gfn, 0, got, 128);
}

void runs(uint16_t domid, uint64_t gfn, const char *code)
{
    char got[128];

    assert_int_equal(execute(domid, 0, gfn, got), 0);
    assert_string_equal(got, code);
}

void is_denied(uint16_t domid, uint64_t gfn)
{
    char got[128];

    assert_int_equal(execute(domid, 0, gfn, got), -EPERM);
}
