/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of a Xen host.  The comments name the functions of Xen 4.17 whose behaviour is followed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-host.h"
#include "random.h"

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/vm_event.h>

#define PAGE HYPERVISOR_PAGE_SIZE

static struct fake_host *fake_of(struct hypervisor *hv)
{
    return (struct fake_host *)hv;
}

static uint8_t *bytes_of(struct fake_host *h, uint64_t gfn)
{
    return h->memory + gfn * PAGE;
}

void fake_fill(void *page, uint64_t content)
{
    uint64_t random = content, words[PAGE / 8];
    /* Content 0 is a page of zeros. */
    unsigned int filled = content % 4 == 0 ? 0 : content % 4 == 1 ? PAGE / 8 : random_below(&random, PAGE / 8);

    for ( unsigned int i = 0; i < PAGE / 8; i++ )
        words[i] = i < filled ? random_next(&random) : content;
    memcpy(page, words, PAGE);
}

static void judge_bytes(struct fake_host *h, uint64_t gfn)
{
    uint8_t expected[PAGE];

    fake_fill(expected, h->frame[gfn].content);
    if ( memcmp(bytes_of(h, gfn), expected, PAGE) )
        fail_msg("the guest reads wrong bytes at frame %#llx", (unsigned long long)gfn);
}

static bool take_host_page(struct fake_host *h)
{
    if ( (h->memory_limit && h->pages >= h->memory_limit) ||
         (h->load_lacks_memory && !random_below(&h->random, h->load_lacks_memory)) )
        return false;
    h->pages++;
    return true;
}

static void free_page(struct fake_host *h, uint64_t gfn)
{
    /* scrub_one_page(): what is read from it afterwards is noticed. */
    memset(bytes_of(h, gfn), 0xc2, PAGE);
    h->frame[gfn].backed = false;
    h->pages--;
}

/* ---- the end of a process ---- */

static volatile sig_atomic_t inside, is_ending;
static unsigned int operations_left;

void fake_kill(void)
{
    if ( inside )
        is_ending = 1;
    else
        kill(getpid(), SIGKILL);
}

void fake_kill_after(unsigned int operations)
{
    operations_left = operations;
}

void fake_enter(void)
{
    inside++;
}

void fake_leave(void)
{
    inside--;
    if ( !inside && is_ending )
        kill(getpid(), SIGKILL);
}

/* One that the pager itself asked for has ended. */
static void leave_operation(void)
{
    if ( inside == 1 && operations_left && !--operations_left )
        is_ending = 1;
    fake_leave();
}

static void meanwhile(struct fake_host *h)
{
    if ( h->meanwhile )
        h->meanwhile(h);
}

/* ---- the ring ---- */

static void signal_channel(struct fake_host *h)
{
    if ( h->channel_masked )
    {
        h->channel_pending = true;
        return;
    }
    h->channel_masked = true;
    eventfd_write(h->ring.fd, 1);
}

/* vm_event_grab_slot(): a slot is free when the response that lay in it was taken. */
static bool has_slot(const struct fake_host *h)
{
    return h->req_prod - h->rsp_cons < FAKE_SLOTS;
}

/* vm_event_put_request() */
static void put_request(struct fake_host *h, vm_event_request_t *request)
{
    vm_event_sring_t *shared = h->ring.page;

    assert_true(has_slot(h));
    request->version = VM_EVENT_INTERFACE_VERSION;
    request->reason = VM_EVENT_REASON_MEM_PAGING;
    shared->ring[h->req_prod % FAKE_SLOTS].req = *request;
    __atomic_store_n(&shared->req_prod, ++h->req_prod, __ATOMIC_SEQ_CST);
    signal_channel(h);
}

/* p2m_mem_paging_populate().  vcpu FAKE_VCPUS: dom0.  False: there was no slot, and nothing happened. */
static bool populate(struct fake_host *h, uint64_t gfn, unsigned int vcpu)
{
    struct fake_frame *frame = &h->frame[gfn];
    enum fake_type before = frame->type;
    bool foreign = vcpu == FAKE_VCPUS;
    vm_event_request_t request = { .vcpu_id = foreign ? 0 : vcpu };

    if ( h->core )
    {
        if ( fake_channel_populate(h, gfn, vcpu) )
            signal_channel(h);
        return true;
    }
    if ( !h->attached || !has_slot(h) )
        return false;
    request.u.mem_paging.gfn = gfn;
    if ( before == FAKE_PAGING_OUT || before == FAKE_PAGED )
    {
        if ( before == FAKE_PAGING_OUT )
        {
            request.u.mem_paging.flags |= MEM_PAGING_EVICT_FAIL;
            h->touches++;
        }
        else
            h->faults++;
        frame->type = FAKE_PAGING_IN;
    }
    if ( foreign && before != FAKE_PAGING_OUT && before != FAKE_PAGED )
        return true;              /* it is on its way, and nobody is stopped for it */
    if ( foreign )
        request.flags |= VM_EVENT_FLAG_FOREIGN;
    else
    {
        request.flags |= VM_EVENT_FLAG_VCPU_PAUSED;
        h->vcpu[vcpu].paused++;
    }
    request.u.mem_paging.p2mt = before;
    put_request(h, &request);
    return true;
}

/* vm_event_resume() and p2m_mem_paging_resume(); stricter: Xen would pass over what is objected to here. */
static void resume_vm_event(struct fake_host *h)
{
    vm_event_sring_t *shared = h->ring.page;
    uint32_t rsp_prod = __atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE);

    assert_true(rsp_prod - h->rsp_cons <= h->req_prod - h->rsp_cons);
    for ( ; h->rsp_cons != rsp_prod; h->rsp_cons++ )
    {
        vm_event_response_t response = shared->ring[h->rsp_cons % FAKE_SLOTS].rsp;
        uint64_t gfn = response.u.mem_paging.gfn;

        assert_int_equal(response.version, VM_EVENT_INTERFACE_VERSION);
        assert_int_equal(response.reason, VM_EVENT_REASON_MEM_PAGING);
        assert_true(gfn < FAKE_FRAMES && response.vcpu_id < FAKE_VCPUS);
        if ( h->vcpu[response.vcpu_id].paused && !(response.u.mem_paging.flags & MEM_PAGING_DROP_PAGE) &&
             h->frame[gfn].type == FAKE_PAGING_IN && h->frame[gfn].backed )
            h->frame[gfn].type = FAKE_RAM;
        if ( response.flags & VM_EVENT_FLAG_VCPU_PAUSED )
        {
            assert_true(h->vcpu[response.vcpu_id].paused);
            /* Let go without its page it would fault again at once: not wrong, but nothing that a pager should do. */
            assert_true(h->frame[gfn].type != FAKE_PAGING_IN);
            h->vcpu[response.vcpu_id].paused--;
        }
    }
}

static void resume(struct fake_host *h)
{
    if ( !h->core )
        resume_vm_event(h);
    else if ( fake_channel_resume(h) )
        signal_channel(h);
}

static int attach(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                  const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    struct fake_host *h = fake_of(hv);

    (void)options;
    assert_int_equal(class, MEMEVENT_CLASS_PAGING);
    assert_int_equal(domid, FAKE_DOMID);
    if ( h->attached && !h->has_channels )
    {
        *why = "there is one already";
        return -EBUSY;
    }
    if ( h->has_channels )
        fake_channel_attach(h);
    else
        memset(h->ring.page, 0, PAGE);
    h->req_prod = h->rsp_cons = 0;
    h->channel_masked = h->channel_pending = false;
    h->attached = true;
    *out = &h->ring;
    return 0;
}

static int attach_ring(struct hypervisor *hv, enum memevent_class class, uint16_t domid,
                       const struct memevent_options *options, struct hypervisor_ring **out, const char **why)
{
    int rc;

    fake_enter();
    rc = attach(hv, class, domid, options, out, why);
    leave_operation();
    return rc;
}

static void detach_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_host *h = fake_of(hv);

    assert_ptr_equal(ring, &h->ring);
    h->attached = false;
}

static int arm_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    struct fake_host *h = fake_of(hv);
    eventfd_t value;

    if ( eventfd_read(ring->fd, &value) )
        return 0;
    h->channel_masked = false;
    if ( h->channel_pending )
    {
        h->channel_pending = false;
        signal_channel(h);
    }
    return 1;
}

static int notify_ring(struct hypervisor *hv, struct hypervisor_ring *ring)
{
    (void)ring;
    if ( fake_of(hv)->is_gone )
        return -ENXIO;
    fake_enter();
    resume(fake_of(hv));
    meanwhile(fake_of(hv));
    leave_operation();
    return 0;
}

/* ---- mem_paging.c ---- */

static int nominate(struct fake_host *h, struct fake_frame *frame)
{
    if ( frame->type != FAKE_RAM || frame->mappings ||
         (h->nominate_fails && !random_below(&h->random, h->nominate_fails)) )
        return -EBUSY;
    frame->type = FAKE_PAGING_OUT;
    return 0;
}

static int evict(struct fake_host *h, uint64_t gfn, void *data)
{
    struct fake_frame *frame = &h->frame[gfn];

    if ( h->core && frame->type != FAKE_PAGING_OUT )
        return -EAGAIN;
    if ( frame->type != FAKE_PAGING_OUT || frame->mappings ||
         (h->evict_fails && !random_below(&h->random, h->evict_fails)) )
        return -EBUSY;
    /* The bytes are copied when nobody can reach them any more; on a stock host they were before. */
    if ( h->core )
        memcpy(data, bytes_of(h, gfn), PAGE);
    free_page(h, gfn);
    frame->type = FAKE_PAGED;
    h->pages_paged++;
    return 0;
}

/* set_mem_type() of the device model's operations, as lib/hypervisor translates it. */
static int release(struct fake_host *h, uint64_t gfn)
{
    struct fake_frame *frame = &h->frame[gfn];

    if ( h->core )
    {
        if ( frame->type != FAKE_PAGING_OUT )
            return -ENOENT;
        frame->type = FAKE_RAM;
        return 0;
    }
    if ( frame->type == FAKE_NONE || frame->type == FAKE_RAM )
        return -ENOENT;
    populate(h, gfn, FAKE_VCPUS);
    return 0;
}

/* prepare() */
static int load(struct fake_host *h, uint64_t gfn, const void *data)
{
    struct fake_frame *frame = &h->frame[gfn];

    if ( h->core && !data )
    {
        /* What the contract makes of a load without data. */
        int status = release(h, gfn);

        return status != -ENOENT ? status : fake_channel_query(h, gfn) ? -ENOENT : -EINVAL;
    }
    if ( frame->type != FAKE_PAGING_IN && frame->type != FAKE_PAGED )
        return -ENOENT;
    if ( !frame->backed )
    {
        if ( !data )
            return -EINVAL;
        if ( !take_host_page(h) )
            return -ENOMEM;
        memcpy(bytes_of(h, gfn), data, PAGE);
        frame->backed = true;
        h->pages_paged--;
        h->loads++;
        judge_bytes(h, gfn);
    }
    frame->type = FAKE_RAM;
    return 0;
}

static bool is_call(uint32_t call)
{
    return call == PAGING_NOMINATE || call == PAGING_EVICT || call == PAGING_LOAD || call == PAGING_RELEASE ||
           call == PAGING_QUERY;
}

static int carry_out(struct hypervisor *hv, struct hypervisor_operation *ops, unsigned int count)
{
    struct fake_host *h = fake_of(hv);

    assert_true(count && count <= HYPERVISOR_BATCH_MAX);
    h->submits[ops[0].call >> 16 & 0xff]++;
    for ( unsigned int i = 0; i < count; i++ )
    {
        assert_true(is_call(ops[i].call) && ops[i].call == ops[0].call && ops[i].domid == FAKE_DOMID);
        assert_true(!ops[i].pad && !ops[i].pad2 && ops[i].gfn < FAKE_FRAMES);
        assert_int_equal((uintptr_t)ops[i].data % PAGE, 0);
        ops[i].status = 0;
    }
    if ( h->submit_fails && !random_below(&h->random, h->submit_fails) )
    {
        for ( unsigned int i = 0; i < count; i++ )
            ops[i].status = -EFAULT;
        return -EFAULT;
    }
    /* An eviction is a mapping of all, a copy, and then the evictions. */
    for ( unsigned int i = 0; i < count && ops[0].call == PAGING_EVICT && !h->core; i++ )
    {
        struct fake_frame *frame = &h->frame[ops[i].gfn];

        assert_non_null(ops[i].data);
        if ( h->is_gone || !frame->backed || frame->type == FAKE_NONE )
            ops[i].status = h->is_gone ? -ESRCH : -EBUSY;
        else
            memcpy(ops[i].data, bytes_of(h, ops[i].gfn), PAGE);
        meanwhile(h);
    }
    for ( unsigned int i = 0; i < count; i++ )
    {
        meanwhile(h);
        if ( ops[i].status )
            continue;
        if ( h->is_gone )
            ops[i].status = -ESRCH;
        else if ( !h->attached )
            ops[i].status = -ENODEV;
        else if ( ops[i].call == PAGING_NOMINATE )
            ops[i].status = nominate(h, &h->frame[ops[i].gfn]);
        else if ( ops[i].call == PAGING_EVICT )
            ops[i].status = evict(h, ops[i].gfn, ops[i].data);
        else if ( ops[i].call == PAGING_LOAD )
            ops[i].status = load(h, ops[i].gfn, ops[i].data);
        else if ( ops[i].call == PAGING_RELEASE )
            ops[i].status = release(h, ops[i].gfn);
        else
        {
            assert_non_null(h->core);
            ops[i].status = fake_channel_query(h, ops[i].gfn);
        }
    }
    meanwhile(h);
    return 0;
}

static int submit(struct hypervisor *hv, struct hypervisor_operation *ops, unsigned int count)
{
    int rc;

    fake_enter();
    rc = carry_out(hv, ops, count);
    leave_operation();
    return rc;
}

/* ---- the rest of the host ---- */

static int get_domain(struct hypervisor *hv, uint16_t domid, struct domain_info *out)
{
    struct fake_host *h = fake_of(hv);

    if ( h->is_gone || domid != FAKE_DOMID )
        return -ESRCH;
    *out = (struct domain_info){
        .domid = domid, .is_hvm = true, .has_hap = true, .is_dying = h->is_dying, .is_paused = h->pauses,
        .vcpus = FAKE_VCPUS, .pages = h->pages, .pages_paged = h->pages_paged, .pages_limit = FAKE_FRAMES,
    };
    memcpy(out->uuid, h->uuid, sizeof(out->uuid));
    return 0;
}

static int pause_domain(struct hypervisor *hv, uint16_t domid)
{
    struct fake_host *h = fake_of(hv);

    assert_int_equal(domid, FAKE_DOMID);
    if ( h->pause_fails )
        return -EPERM;
    fake_enter();
    meanwhile(h);
    h->pauses++;
    leave_operation();
    return 0;
}

static int unpause_domain(struct hypervisor *hv, uint16_t domid)
{
    assert_int_equal(domid, FAKE_DOMID);
    assert_true(fake_of(hv)->pauses);
    fake_enter();
    fake_of(hv)->pauses--;
    leave_operation();
    return 0;
}

static int get_frame_limit(struct hypervisor *hv, uint16_t domid, uint64_t *out)
{
    (void)hv;
    (void)domid;
    *out = FAKE_FRAMES;
    return 0;
}

static int query_frames(struct hypervisor *hv, uint16_t domid, uint64_t first, unsigned int count, uint8_t *states)
{
    struct fake_host *h = fake_of(hv);

    (void)domid;
    assert_true(count <= HYPERVISOR_QUERY_MAX);
    if ( h->is_gone )
        return -ESRCH;
    for ( unsigned int i = 0; i < count; i++ )
        states[i] = first + i < FAKE_FRAMES && h->frame[first + i].backed ? FRAME_RAM : FRAME_EMPTY;
    return 0;
}

static void *alloc_buffer(struct hypervisor *hv, unsigned int pages)
{
    void *buffer = aligned_alloc(PAGE, (size_t)pages * PAGE);

    assert_non_null(buffer);
    memset(buffer, 0, (size_t)pages * PAGE);
    fake_of(hv)->buffers++;
    return buffer;
}

static void free_buffer(struct hypervisor *hv, void *buffer, unsigned int pages)
{
    (void)pages;
    if ( buffer )
        fake_of(hv)->buffers--;
    free(buffer);
}

static int read_key(struct hypervisor *hv, const char *path, char *value, size_t size)
{
    (void)hv;
    if ( !strstr(path, "/name") && !strstr(path, "/state") )
        return -ENOENT;
    return snprintf(value, size, "%s", strstr(path, "/name") ? "a guest" : "running");
}

static int write_key(struct hypervisor *hv, const char *path, const char *value)
{
    snprintf(fake_of(hv)->last_key, sizeof(fake_of(hv)->last_key), "%s", path);
    snprintf(fake_of(hv)->last_value, sizeof(fake_of(hv)->last_value), "%s", value);
    return 0;
}

static int remove_key(struct hypervisor *hv, const char *path)
{
    (void)hv;
    (void)path;
    return 0;
}

static void get_counts(const struct hypervisor *hv, struct hypervisor_counts *out)
{
    (void)hv;
    *out = (struct hypervisor_counts){ 0 };
}

static const struct hypervisor_ops fake_host_ops = {
    .name            = "a model of a host",
    .get_domain      = get_domain,
    .pause_domain    = pause_domain,
    .unpause_domain  = unpause_domain,
    .get_frame_limit = get_frame_limit,
    .query_frames    = query_frames,
    .alloc_buffer    = alloc_buffer,
    .free_buffer     = free_buffer,
    .submit          = submit,
    .attach_ring     = attach_ring,
    .detach_ring     = detach_ring,
    .leave_ring      = detach_ring,
    .arm_ring        = arm_ring,
    .notify_ring     = notify_ring,
    .read_key        = read_key,
    .write_key       = write_key,
    .remove_key      = remove_key,
    .get_counts      = get_counts,
};

void *fake_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

struct fake_host *fake_host_open(uint64_t pages, uint64_t seed, bool has_channels)
{
    struct fake_host *h = fake_share(sizeof(*h));

    *h = (struct fake_host){
        .hv.ops = &fake_host_ops,
        .random = seed,
        .memory = fake_share((size_t)FAKE_FRAMES * PAGE),
        .ring = { .page = fake_share(PAGE), .size = PAGE, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) },
        .uuid = { 1, 2, 3 },
        .has_channels = has_channels,
    };
    h->stock_page = h->ring.page;
    assert_true(h->ring.fd >= 0);
    if ( has_channels )
        fake_channel_open(h);
    memset(h->memory, 0xc2, (size_t)FAKE_FRAMES * PAGE);
    for ( uint64_t gfn = 0; gfn < pages; gfn++ )
        assert_true(fake_populate(h, gfn));
    return h;
}

void fake_host_close(struct fake_host *h)
{
    assert_int_equal(h->buffers, 0);
    close(h->ring.fd);
    fake_channel_close(h);
    munmap(h->stock_page, PAGE);
    munmap(h->memory, (size_t)FAKE_FRAMES * PAGE);
    munmap(h, sizeof(*h));
}

/* ---- the guest, and dom0 ---- */

void fake_access(struct fake_host *h, unsigned int vcpu, uint64_t gfn, bool write)
{
    struct fake_vcpu *v = &h->vcpu[vcpu];

    assert_false(v->has_access);
    v->has_access = true;
    v->write = write;
    v->gfn = gfn;
    v->content = random_next(&h->random);
}

static bool do_access(struct fake_host *h, unsigned int vcpu)
{
    struct fake_vcpu *v = &h->vcpu[vcpu];
    struct fake_frame *frame = &h->frame[v->gfn];

    if ( frame->type != FAKE_RAM && frame->type != FAKE_NONE )
    {
        populate(h, v->gfn, vcpu);
        return false;
    }
    if ( frame->type == FAKE_RAM )
    {
        judge_bytes(h, v->gfn);
        h->reads++;
        if ( v->write )
        {
            frame->content = v->content;
            fake_fill(bytes_of(h, v->gfn), v->content);
            h->writes++;
        }
    }
    v->has_access = false;
    return true;
}

/* p2m_mem_paging_populate() sends its request whatever the frame has become, and crashes a domain without a ring. */
void fake_ask_late(struct fake_host *h, unsigned int vcpu, uint64_t gfn)
{
    assert_false(h->vcpu[vcpu].paused || h->pauses);
    assert_int_equal(h->frame[gfn].type, FAKE_RAM);
    fake_access(h, vcpu, gfn, false);
    assert_true(populate(h, gfn, vcpu));
}

bool fake_step(struct fake_host *h, unsigned int vcpu)
{
    struct fake_vcpu *v = &h->vcpu[vcpu];

    if ( v->paused || h->pauses || h->is_gone )
        return false;
    if ( !v->has_access )
        fake_access(h, vcpu, random_below(&h->random, FAKE_FRAMES), random_below(&h->random, 2));
    return do_access(h, vcpu);
}

bool fake_is_idle(struct fake_host *h)
{
    bool idle = true;

    for ( unsigned int vcpu = 0; vcpu < FAKE_VCPUS; vcpu++ )
        if ( h->vcpu[vcpu].has_access && (h->vcpu[vcpu].paused || h->pauses || !do_access(h, vcpu)) )
            idle = false;
    return idle;
}

unsigned int fake_waiting(const struct fake_host *h)
{
    unsigned int waiting = 0;

    for ( unsigned int vcpu = 0; vcpu < FAKE_VCPUS; vcpu++ )
        waiting += h->vcpu[vcpu].paused != 0;
    return waiting;
}

/* guest_remove_page() and p2m_mem_paging_drop_page() */
bool fake_drop(struct fake_host *h, uint64_t gfn, bool foreign)
{
    struct fake_frame *frame = &h->frame[gfn];
    vm_event_request_t request = { .flags = foreign ? VM_EVENT_FLAG_FOREIGN : 0 };
    bool paging = frame->type == FAKE_PAGED || frame->type == FAKE_PAGING_IN;

    if ( frame->type == FAKE_NONE || frame->mappings )
        return false;
    if ( h->core )
    {
        if ( paging && fake_channel_drop(h, gfn) )
            signal_channel(h);
        paging = false;
    }
    /* A vCPU sleeps until there is a slot; another domain does not, and the message is lost. */
    if ( paging && h->attached && !has_slot(h) )
    {
        if ( !foreign )
            return false;
        h->lost_drops++;
    }
    else if ( paging && h->attached )
    {
        request.u.mem_paging.gfn = gfn;
        request.u.mem_paging.flags = MEM_PAGING_DROP_PAGE;
        put_request(h, &request);
        h->drops++;
    }
    /* A nominated page goes without a word. */
    if ( frame->backed )
        free_page(h, gfn);
    else
        h->pages_paged--;
    frame->type = FAKE_NONE;
    frame->content = 0;
    return true;
}

bool fake_populate(struct fake_host *h, uint64_t gfn)
{
    struct fake_frame *frame = &h->frame[gfn];

    if ( frame->type != FAKE_NONE || !take_host_page(h) )
        return false;
    frame->type = FAKE_RAM;
    frame->backed = true;
    frame->content = random_next(&h->random);
    fake_fill(bytes_of(h, gfn), frame->content);
    return true;
}

bool fake_map(struct fake_host *h, uint64_t gfn)
{
    struct fake_frame *frame = &h->frame[gfn];

    if ( frame->type == FAKE_PAGED || frame->type == FAKE_PAGING_IN )
        populate(h, gfn, FAKE_VCPUS);
    if ( !frame->backed || frame->type == FAKE_PAGING_IN || frame->mappings == UINT8_MAX )
        return false;
    frame->mappings++;
    return true;
}

void fake_unmap(struct fake_host *h, uint64_t gfn)
{
    assert_true(h->frame[gfn].mappings);
    h->frame[gfn].mappings--;
}

void fake_verify(struct fake_host *h)
{
    for ( uint64_t gfn = 0; gfn < FAKE_FRAMES; gfn++ )
        if ( h->frame[gfn].backed )
            judge_bytes(h, gfn);
}

unsigned int fake_count(const struct fake_host *h, enum fake_type type)
{
    unsigned int count = 0;

    for ( uint64_t gfn = 0; gfn < FAKE_FRAMES; gfn++ )
        count += h->frame[gfn].type == type;
    return count;
}
