/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SHARING family: pages are nominated, compared and merged here; how a page is shared is mem_sharing.c's.  Also the OOM
 * channel's event, which is about a shared page that could not be copied.
 *
 * A handle is given out once.  So if both pages still have the handles at the merge that they had before the comparison, nobody
 * has written to either in between: a write would have taken the handle away.
 */
#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/memevent-private.h>
#include <asm/mem_sharing.h>
#include <asm/p2m.h>
#include <xsm/xsm.h>

/* ---- OOM ---- */

int cf_check memevent_oom_allowed(const struct domain *d)
{
    return is_hvm_domain(d) ? 0 : -ENODEV;
}

bool cf_check memevent_oom_busy(const struct domain *d)
{
    return false;
}

int memevent_oom(struct domain *d, gfn_t gfn)
{
    struct memevent_channel *channel = memevent_channel_of(d, XEN_MEMEVENT_CLASS_OOM);
    struct vcpu *v = current->domain == d ? current : NULL;
    struct xen_memevent_request *request;
    int why;

    if ( !channel )
        return -ENOENT;

    request = memevent_claim(d, channel, v, &why);
    if ( request )
    {
        request->kind = XEN_MEMEVENT_OOM_UNSHARE;
        request->gfn = gfn_x(gfn);
        memevent_put(d, channel, v, request);
    }
    else if ( why == -EBUSY )
        memevent_rescan(d, channel, XEN_MEMEVENT_OOM_RESCAN);

    return why == -ENOENT ? why : 0;
}

/* ---- Operations ---- */

/* A page on its way to be merged. */
struct candidate {
    struct domain *d;
    gfn_t gfn;
    bool was_shared;            /* before we came */
    shr_handle_t handle;
    struct page_info *page;     /* with a reference */
};

static bool is_shared(struct domain *d, gfn_t gfn)
{
    p2m_type_t type;

    get_gfn_query_unlocked(d, gfn_x(gfn), &type);

    return p2m_is_shared(type);
}

/* 0, or what kept it from being nominated. */
static int candidate_nominate(struct candidate *candidate, struct domain *d, gfn_t gfn)
{
    p2m_type_t type;
    int rc;

    candidate->d = d;
    candidate->gfn = gfn;
    candidate->page = NULL;
    candidate->was_shared = is_shared(d, gfn);

    rc = mem_sharing_nominate(d, gfn, &candidate->handle);
    /* Upstream's words for: somebody holds the page. */
    if ( rc == -E2BIG || rc == -EEXIST )
        rc = -EBUSY;
    if ( rc )
        return rc;

    candidate->page = get_page_from_gfn(d, gfn_x(gfn), &type, P2M_ALLOC);

    return candidate->page ? 0 : -EAGAIN;
}

/* Lets go of it; undoes the nomination if it was ours and came to nothing. */
static void candidate_release(struct candidate *candidate, bool undo)
{
    if ( candidate->page )
        put_page(candidate->page);
    if ( undo && !candidate->was_shared && candidate->handle )
        /* The only sharer gets its own page back: that takes no memory. */
        mem_sharing_unshare_page(candidate->d, gfn_x(candidate->gfn));
}

/* By words, as Xen's memcmp() goes octet by octet: most of what a merge takes would be that. */
static bool are_equal(const struct page_info *one, const struct page_info *other)
{
    const uint64_t *words = __map_domain_page(one);
    const uint64_t *others = __map_domain_page(other);
    const unsigned int count = PAGE_SIZE / sizeof(*words);
    unsigned int i;

    for ( i = 0; i < count; i += 4 )
        if ( (words[i] ^ others[i]) | (words[i + 1] ^ others[i + 1]) |
             (words[i + 2] ^ others[i + 2]) | (words[i + 3] ^ others[i + 3]) )
            break;

    unmap_domain_page(others);
    unmap_domain_page(words);

    return i == count;
}

static int compare_and_share(const struct candidate *source, const struct candidate *client,
                             uint32_t *outcome)
{
    int rc;

    *outcome = XEN_MEMEVENT_ALREADY;
    if ( source->page == client->page )
        return 0;

    *outcome = XEN_MEMEVENT_DIFFERENT;
    if ( !are_equal(source->page, client->page) )
        return -EILSEQ;

    rc = mem_sharing_share(source->d, source->gfn, source->handle, client->d, client->gfn, client->handle);
    /* Upstream's positive words for a handle that is not valid any more are negative numbers of their own. */
    *outcome = rc ? XEN_MEMEVENT_STALE : XEN_MEMEVENT_MERGED;

    return rc ? -EAGAIN : 0;
}

static int merge(struct domain *sd, struct domain *cd, struct xen_memevent_sharing_arguments *arguments)
{
    struct candidate source = {}, client = {};
    int rc;

    arguments->outcome = XEN_MEMEVENT_SOURCE;
    rc = candidate_nominate(&source, sd, _gfn(arguments->gfn));
    if ( rc )
        goto out;

    arguments->outcome = XEN_MEMEVENT_CLIENT;
    rc = candidate_nominate(&client, cd, _gfn(arguments->client_gfn));
    if ( rc )
        goto out;

    rc = compare_and_share(&source, &client, &arguments->outcome);
    if ( !rc )
        arguments->handle = source.handle;

 out:
    candidate_release(&client, rc);
    candidate_release(&source, rc);

    return rc;
}

static int merge_with_client(struct domain *d, struct xen_memevent_sharing_arguments *arguments)
{
    struct domain *client;
    int rc;

    rc = rcu_lock_remote_domain_by_id(arguments->client_domid, &client);
    if ( rc )
        return rc;

    rc = client->is_dying ? -ESRCH : 0;
    if ( !rc )
        rc = xsm_mem_sharing_op(XSM_DM_PRIV, d, client, XENMEM_sharing_op_share);
    if ( !rc && !gfn_valid(client, _gfn(arguments->client_gfn)) )
        rc = -EINVAL;
    if ( !rc )
        rc = mem_sharing_enable(client);
    if ( !rc )
        rc = merge(d, client, arguments);
    rcu_unlock_domain(client);

    return rc;
}

int memevent_sharing_operation(struct domain *d, struct xen_memevent_operation *operation)
{
    struct xen_memevent_sharing_arguments *arguments = &operation->u.sharing;
    uint32_t call = operation->call & ~XEN_MEMEVENT_ANNOTATION_MASK;
    gfn_t gfn = _gfn(arguments->gfn);
    shr_handle_t handle;
    int rc;

    if ( arguments->pad2 || arguments->pad3[0] || arguments->pad3[1] ||
         arguments->outcome || arguments->handle )
        return -EINVAL;
    if ( call != XEN_MEMEVENT_SHARING_MERGE && (arguments->client_gfn || arguments->client_domid) )
        return -EINVAL;
    if ( !gfn_valid(d, gfn) )
        return -EINVAL;

    rc = mem_sharing_enable(d);
    if ( rc )
        return rc;

    switch ( call )
    {
    case XEN_MEMEVENT_SHARING_NOMINATE:
        rc = mem_sharing_nominate(d, gfn, &handle);
        if ( rc == -E2BIG || rc == -EEXIST )
            rc = -EBUSY;
        if ( !rc )
            arguments->handle = handle;
        return rc;
    case XEN_MEMEVENT_SHARING_MERGE:
        return merge_with_client(d, arguments);
    case XEN_MEMEVENT_SHARING_UNSHARE:
        return is_shared(d, gfn) ? mem_sharing_unshare_page(d, gfn_x(gfn)) : -ENOENT;
    default:
        return -ENOSYS;
    }
}
