/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pager's figures as metrics, for those who set `metrics` or `metrics-socket`.  man/xen-memevent-metrics.7 lists the families, and a
 * test compares the two.  The status file, which has more, is status.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <daemon/log.h>
#include <daemon/metrics.h>
#include <daemon/metrics-socket.h>

#include "paged.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define PAGE_BYTES    4096.0

enum {
    MEMORY_SHORT, STORE_FULL, STORE_PAGES, STORE_MEMORY, STORE_MEMORY_LIMIT, STORE_INDEX, FILE_BYTES, FILE_LIMIT,
    FILE_READS, FILE_WRITES, READ_ERRORS, WRITE_ERRORS, CHECKSUM_ERRORS, OOM_EVENTS, OOM_WAITING,
    TARGET, RESIDENT, OUT, WORKING_SET, NOMINATED, FAILED, FAULTS, IN, PAGED_OUT, DROPPED, PREFETCHED, SECOND_CHANCES,
    NO_MEMORY, SERVICE_P50, SERVICE_P99, SERVICE_LONGEST, EVENTS, ANSWERS_REFUSED,
};

static const struct metrics_family families[] = {
    [MEMORY_SHORT] = { "xenpaging_host_memory_short", METRICS_GAUGE,
                       "1: guests wait for pages, and the host has no free memory for them" },
    [STORE_FULL] = { "xenpaging_store_full", METRICS_GAUGE, "1: there is no room for more pages" },
    [STORE_PAGES] = { "xenpaging_store_pages", METRICS_GAUGE, "Pages that are out, by where they are kept" },
    [STORE_MEMORY] = { "xenpaging_store_memory_bytes", METRICS_GAUGE, "Memory of dom0 that the store takes" },
    [STORE_MEMORY_LIMIT] = { "xenpaging_store_memory_limit_bytes", METRICS_GAUGE, "How much it may take" },
    [STORE_INDEX] = { "xenpaging_store_index_bytes", METRICS_GAUGE, "Memory of dom0 for finding pages" },
    [FILE_BYTES] = { "xenpaging_store_file_bytes", METRICS_GAUGE, "Disk space that the store takes" },
    [FILE_LIMIT] = { "xenpaging_store_file_limit_bytes", METRICS_GAUGE, "How much of it may be taken" },
    [FILE_READS] = { "xenpaging_store_file_reads_total", METRICS_COUNTER, "Pages read from the file" },
    [FILE_WRITES] = { "xenpaging_store_file_writes_total", METRICS_COUNTER, "Pages written to the file" },
    [READ_ERRORS] = { "xenpaging_store_read_errors_total", METRICS_COUNTER, "Failed reads of the file" },
    [WRITE_ERRORS] = { "xenpaging_store_write_errors_total", METRICS_COUNTER, "Failed writes of the file" },
    [CHECKSUM_ERRORS] = { "xenpaging_store_checksum_errors_total", METRICS_COUNTER,
                          "Times that bytes of a page were found wrong; they are never given to a guest" },
    [OOM_EVENTS] = { "xenpaging_oom_events_total", METRICS_COUNTER,
                     "Times that a guest lacked memory to copy a page that it shares" },
    [OOM_WAITING] = { "xenpaging_oom_waiting", METRICS_GAUGE, "Guests that wait for such memory" },

    [TARGET] = { "xenpaging_domain_target_bytes", METRICS_GAUGE, "Memory that the domain may have" },
    [RESIDENT] = { "xenpaging_domain_resident_bytes", METRICS_GAUGE, "Memory that the domain has" },
    [OUT] = { "xenpaging_domain_out_bytes", METRICS_GAUGE, "Memory of the domain that is paged out" },
    [WORKING_SET] = { "xenpaging_domain_working_set_bytes", METRICS_GAUGE,
                      "Memory of the domain that was used lately, an estimate" },
    [NOMINATED] = { "xenpaging_domain_nominated_pages", METRICS_GAUGE, "Pages of the domain offered for eviction" },
    [FAILED] = { "xenpaging_domain_failed", METRICS_GAUGE, "1: a page cannot be given back; the domain is paused" },
    [FAULTS] = { "xenpaging_domain_faults_total", METRICS_COUNTER, "Pages that somebody waited for" },
    [IN] = { "xenpaging_domain_paged_in_total", METRICS_COUNTER, "Pages brought in, for whatever reason" },
    [PAGED_OUT] = { "xenpaging_domain_paged_out_total", METRICS_COUNTER, "Pages evicted" },
    [DROPPED] = { "xenpaging_domain_dropped_total", METRICS_COUNTER,
                  "Pages that the guest gave up while they were out" },
    [PREFETCHED] = { "xenpaging_domain_prefetched_total", METRICS_COUNTER, "Pages fetched ahead" },
    [SECOND_CHANCES] = { "xenpaging_domain_second_chances_total", METRICS_COUNTER,
                         "Pages that were offered for eviction and then used" },
    [NO_MEMORY] = { "xenpaging_domain_no_memory_total", METRICS_COUNTER,
                    "Page-ins that were repeated because the host had no free page" },
    [SERVICE_P50] = { "xenpaging_domain_fault_median_seconds", METRICS_GAUGE,
                      "Half of all faults were answered within this time" },
    [SERVICE_P99] = { "xenpaging_domain_fault_99th_seconds", METRICS_GAUGE,
                      "99 of 100 faults were answered within this time" },
    [SERVICE_LONGEST] = { "xenpaging_domain_fault_longest_seconds", METRICS_GAUGE,
                          "All faults were answered within this time" },
    [EVENTS] = { "xenpaging_domain_events_total", METRICS_COUNTER, "Events taken from the hypervisor" },
    [ANSWERS_REFUSED] = { "xenpaging_domain_answers_refused_total", METRICS_COUNTER,
                          "Answers that named no event that waits" },
};

static int open_families(struct pager *p)
{
    struct timespec now;
    int rc = metrics_open(&p->metrics, p->status_name);

    for ( size_t i = 0; i < COUNT(families) && rc >= 0; i++ )
        rc = metrics_declare(p->metrics, &families[i]);
    if ( rc < 0 )
    {
        metrics_close(p->metrics);
        p->metrics = NULL;
        return rc;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    p->metrics_started = now.tv_sec;
    return 0;
}

static void fill_store(struct pager *p)
{
    struct metrics *m = p->metrics;
    struct oom_statistics oom;
    struct store_statistics s;

    store_get_statistics(p->store, &s);
    oom_get_statistics(p, &oom);
    metrics_add(m, MEMORY_SHORT, p->memory_short, NULL);
    metrics_add(m, STORE_FULL, p->store_full, NULL);
    metrics_add(m, STORE_PAGES, s.now.same_filled, "kind", "same_filled", NULL);
    metrics_add(m, STORE_PAGES, s.now.lz4, "kind", "lz4", NULL);
    metrics_add(m, STORE_PAGES, s.now.raw, "kind", "uncompressed", NULL);
    metrics_add(m, STORE_PAGES, s.now.in_file, "kind", "file", NULL);
    metrics_add(m, STORE_MEMORY, s.ram_allocated, NULL);
    metrics_add(m, STORE_MEMORY_LIMIT, s.ram_limit, NULL);
    metrics_add(m, STORE_INDEX, s.index_bytes, NULL);
    metrics_add(m, FILE_BYTES, s.file_allocated, NULL);
    metrics_add(m, FILE_LIMIT, s.file_limit, NULL);
    metrics_add(m, FILE_READS, s.reads, NULL);
    metrics_add(m, FILE_WRITES, s.writes, NULL);
    metrics_add(m, READ_ERRORS, s.read_errors, NULL);
    metrics_add(m, WRITE_ERRORS, s.write_errors, NULL);
    metrics_add(m, CHECKSUM_ERRORS, s.checksum_errors, NULL);
    metrics_add(m, OOM_EVENTS, oom.events, NULL);
    metrics_add(m, OOM_WAITING, oom.waiting, NULL);
}

static void fill_domain(struct metrics *m, const struct paged *d)
{
    struct memevent_statistics channel;
    struct choose_statistics choice;
    struct store_counts counts;
    char domid[12];

    choose_get_statistics(d->choose, d->pager->now, &choice);
    memevent_get_statistics(d->channel, &channel);
    store_domain_get_counts(d->store, &counts);
    snprintf(domid, sizeof(domid), "%u", d->domid);

    const struct {
        int family;
        double value;
    } samples[] = {
        { RESIDENT, d->info.pages * PAGE_BYTES },
        { OUT, counts.pages * PAGE_BYTES },
        { NOMINATED, pages_count(d->pages, PAGE_NOMINATED) },
        { FAILED, d->failed },
        { FAULTS, d->statistics.faults },
        { IN, d->statistics.paged_in },
        { PAGED_OUT, d->statistics.paged_out },
        { DROPPED, d->statistics.dropped },
        { PREFETCHED, d->statistics.prefetched },
        { SECOND_CHANCES, choice.touched },
        { NO_MEMORY, d->statistics.no_memory },
        { EVENTS, channel.received },
        { ANSWERS_REFUSED, channel.refused },
        /* What there is none of yet comes last. */
        { TARGET, d->target * PAGE_BYTES },
        { WORKING_SET, choice.working_set_pages * PAGE_BYTES },
        { SERVICE_P50, latency_quantile(&d->service, 500) / 1e9 },
        { SERVICE_P99, latency_quantile(&d->service, 990) / 1e9 },
        { SERVICE_LONGEST, d->service.longest / 1e9 },
    };

    for ( size_t i = 0; i < COUNT(samples); i++ )
    {
        bool missing = samples[i].family == TARGET ? d->target == TARGET_NONE :
                       samples[i].family == WORKING_SET ? !choice.samples :
                       samples[i].family >= SERVICE_P50 && samples[i].family <= SERVICE_LONGEST && !d->service.count;

        if ( !missing )
            metrics_add(m, samples[i].family, samples[i].value, "domid", domid, "domain", d->name, NULL);
    }
}

void pager_metrics_write(struct pager *p)
{
    struct hypervisor_counts counts;
    const char *what = "the metrics";
    int rc = 0;

    if ( !p->settings->metrics && !p->settings->metrics_socket )
        return;
    if ( !p->metrics )
        rc = open_families(p);
    if ( !rc )
    {
        p->hv->ops->get_counts(p->hv, &counts);
        metrics_begin(p->metrics);
        fill_store(p);
        for ( const struct paged *d = p->first; d; d = d->next )
            fill_domain(p->metrics, d);
        metrics_add_daemon(p->metrics, &(const struct metrics_daemon){
            .started = p->metrics_started, .hypercalls = counts.hypercalls, .operations = counts.operations,
            .system_calls = counts.system_calls,
        });
        rc = metrics_publish(p->metrics, p->settings->metrics, p->settings->metrics_socket, &p->metrics_socket, p->loop,
                             &what);
    }
    if ( rc && rc != p->metrics_error )
        log_message(LOG_WARNING, LOG_HOST("metrics-failed"), "%s cannot be written: %s; it is tried again", what,
                    strerror(-rc));
    p->metrics_error = rc;
}

void pager_metrics_close(struct pager *p, bool remove)
{
    if ( p->metrics && p->settings->metrics && remove )
        unlink(p->settings->metrics);
    metrics_socket_close(p->metrics_socket);
    p->metrics_socket = NULL;
    metrics_close(p->metrics);
    p->metrics = NULL;
}
