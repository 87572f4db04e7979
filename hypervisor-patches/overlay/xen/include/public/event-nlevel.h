/* SPDX-License-Identifier: MIT */
/*
 * Event channels of N levels: the third ABI by which Xen shows a domain its events, beside two levels and FIFO.  The
 * domain chooses the depth and gives the pages; Xen maps them and allocates none.  This file has the octet tables
 * of all three, and includes nothing: who includes it has defined the types of <stdint.h>.
 *
 * Bits are numbered as on x86: bit n of an array is bit n % 8 of octet n / 8.  A word is the domain's unsigned long:
 * 64 bits, or 32 for a domain with a 32-bit shared_info; W is its number of bits, fixed when the domain registers.
 *
 * The idea of a third level under the selectors is that of the 3-level patches for Xen 4.3, which upstream left for
 * FIFO.
 */
#ifndef XEN_PUBLIC_EVENT_NLEVEL_H
#define XEN_PUBLIC_EVENT_NLEVEL_H

/*
 * Two levels: no registration, W * W channels
 * ===========================================
 *
 *   shared_info   0x0800  W * W / 8   evtchn_pending      (32 bits: at 0x0800 as well)
 *                 0x0a00  W * W / 8   evtchn_mask         (32 bits: at 0x0880)
 *   vcpu_info          0      1       evtchn_upcall_pending
 *                      1      1       evtchn_upcall_mask
 *                    W / 8  W / 8     evtchn_pending_sel  bit i: something in word i of evtchn_pending
 *
 * FIFO: EVTCHNOP_init_control for each vCPU, EVTCHNOP_expand_array for each 1024 channels; 131,072 channels
 * =========================================================================================================
 *
 *   control block  0      4       ready       bit q: queue q is not empty; 0 is the highest priority
 *   (72 octets     4      4       pad
 *   a vCPU)        8  16 * 4      head        first channel of each queue
 *   event word    31      1 bit   PENDING
 *   (4 octets     30      1 bit   MASKED
 *   a channel)    29      1 bit   LINKED      it is on a queue
 *                 28      1 bit   BUSY        Xen is changing the link; the domain waits before it clears MASKED
 *                 27     11 bits  pad
 *                  0     17 bits  LINK        the next channel of the queue, 0 for none
 *
 * N levels: EVTCHNOP_nlevel_init, then EVTCHNOP_nlevel_vcpu for each vCPU
 * =======================================================================
 *
 *   pages          channels / 8   pending     bit n: channel n is pending
 *   pages          channels / 8   mask        bit n: channel n is masked
 *   selectors of   level 1        bit i: something in word i of pending
 *   a vCPU         level 2        bit i: something in word i of level 1
 *                  ...            up to level depth - 2, each in whole words, one after the other without gaps
 *   vcpu_info      level depth-1  evtchn_pending_sel, where it is with two levels
 *
 *   channels = the smaller of W to the power of depth and pages * XEN_NLEVEL_CHANNELS_A_PAGE
 *   octets of level k = W / 8 * (channels / W^(k+1), rounded up)
 *
 * Three levels are 262,144 channels for 64 bits (8 pages, and 512 octets of selectors a vCPU) and 32,768 for 32 (1
 * page, 128 octets).
 *
 * Raising: Xen sets pending; was it clear, and the channel is not masked, Xen sets the bits of levels 1, 2, ...
 * depth - 1 of the vCPU that the channel is bound to, and then evtchn_upcall_pending; it stops at the first bit that
 * was set already, since who set that goes on.  All are locked instructions.
 *
 * Taking: the domain clears evtchn_upcall_pending, then exchanges the word of level depth - 1 for 0, for each bit in
 * it the word of the level below, and so on; from a word of pending it takes what is not masked.  A word is
 * exchanged before anything below it is read.  A selector's bit may be set with nothing below it, also one that
 * stands for channels that do not exist (VCPUOP_register_vcpu_info sets all of the last word): it is passed over.
 *
 * Unmasking: EVTCHNOP_unmask; or the domain clears the mask bit with a locked instruction, and if pending is set then,
 * does the raising itself for the vCPU that the channel is bound to.
 *
 * Order: none, as with two levels; EVTCHNOP_set_priority is -ENOSYS.
 *
 * Both calls act on the domain that makes them.  EVTCHNOP_reset, a soft reset and a restore bring the domain back to two
 * levels with all channels closed; the pages are the domain's to use then, and it can register anew, also with
 * another depth.
 */
#define XEN_NLEVEL_CHANNELS_A_PAGE  32768

/* One level would say nothing of whose vCPU is meant, and could hold fewer channels than there are before. */
#define XEN_NLEVEL_DEPTH_MIN        2
/* Enough for XEN_NLEVEL_PAGES_MAX with 32 bits. */
#define XEN_NLEVEL_DEPTH_MAX        4
/* 524,288 channels: so many cost the hypervisor 32 MiB, and every selector of a vCPU fits into a page. */
#define XEN_NLEVEL_PAGES_MAX        16

/* Commands of HYPERVISOR_event_channel_op; upstream's end at 14. */
#define EVTCHNOP_nlevel_init        64
#define EVTCHNOP_nlevel_vcpu        65

/*
 * EVTCHNOP_nlevel_init, 272 octets: changes the calling domain from two levels to N
 *
 *        0       4   depth         in   XEN_NLEVEL_DEPTH_MIN to depth_max
 *        4       4   pages         in   of pending, and as many of mask: 1 to pages_max
 *        8       4   depth_max     out  this hypervisor's limits, also on any error but -EFAULT
 *       12       4   pages_max     out
 *       16     128   pending_gfn   in   the first pages of them are used
 *      144     128   mask_gfn      in   likewise
 *
 * The domain has made pending all zeroes, and mask what it wants to be masked.  A channel keeps its number, its peer
 * and its vCPU.  Each that is bound is made pending, so that no event is lost that comes at the same time: an event
 * without a reason has to be expected.  Events for a vCPU without EVTCHNOP_nlevel_vcpu are kept pending, and
 * SCHEDOP_poll sees them.
 *
 * -EDOM: depth.  -E2BIG: more pages than pages_max, or than depth can number.  -EINVAL: no pages, or a gfn that is
 * no page of the domain's memory that it may write to.  -EEXIST: N levels already.  -EBUSY: FIFO; EVTCHNOP_reset
 * first.  -ENOMEM: the hypervisor's.
 */
struct xen_nlevel_init {
    uint32_t depth;
    uint32_t pages;
    uint32_t depth_max;
    uint32_t pages_max;
    uint64_t pending_gfn[XEN_NLEVEL_PAGES_MAX];
    uint64_t mask_gfn[XEN_NLEVEL_PAGES_MAX];
};

/*
 * EVTCHNOP_nlevel_vcpu, 16 octets: where a vCPU has its selectors
 *
 *        0       4   vcpu          in
 *        4       4   offset        in   octets into the page, a multiple of 8; the selectors end in the same page
 *        8       8   gfn           in
 *
 * The domain has made them all zeroes.  Xen sets every bit of them that stands for channels which were ever
 * allocated, and evtchn_upcall_pending: what was raised for the vCPU until then is found.
 *
 * -EOPNOTSUPP: not with N levels.  -ENOENT: no such vCPU.  -EEXIST: it has selectors.  -EINVAL: offset, or the gfn
 * as above, or the depth is 2, which has no selectors outside vcpu_info.  -ENOMEM: the hypervisor's.
 */
struct xen_nlevel_vcpu {
    uint32_t vcpu;
    uint32_t offset;
    uint64_t gfn;
};

/* For both sides: size(type, octets), place(type, field, offset). */
#define XEN_NLEVEL_LAYOUT(size, place) \
    size(struct xen_nlevel_init, 272) \
    place(struct xen_nlevel_init, depth, 0) \
    place(struct xen_nlevel_init, pages, 4) \
    place(struct xen_nlevel_init, depth_max, 8) \
    place(struct xen_nlevel_init, pages_max, 12) \
    place(struct xen_nlevel_init, pending_gfn, 16) \
    place(struct xen_nlevel_init, mask_gfn, 144) \
    size(struct xen_nlevel_vcpu, 16) \
    place(struct xen_nlevel_vcpu, vcpu, 0) \
    place(struct xen_nlevel_vcpu, offset, 4) \
    place(struct xen_nlevel_vcpu, gfn, 8)

#endif /* XEN_PUBLIC_EVENT_NLEVEL_H */
