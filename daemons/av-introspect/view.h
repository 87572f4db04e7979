/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * view: reads of a guest's memory by physical and by virtual address, through page tables that the guest may have made to
 * do harm. Each walk has as many steps as there are levels, each list of mappings a limit of tables, so that loops and
 * tables that hold themselves end.
 *
 * A frame that was read is kept until view_begin(): two looks at it in one call see the same.
 */
#ifndef AV_VIEW_H
#define AV_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/*
 * Frames that are kept during one call. A walk needs five and a window of the largest size 33 more; who reads
 * beyond all of it reads frames anew.
 */
#define VIEW_FRAMES        256u

/* Tables that one list of mappings looks at: those of 64 GiB in 4 KiB pages. A table that is met again counts again. */
#define VIEW_TABLES_MAX    32768u

enum view_paging {
    VIEW_LEVELS_4,              /* long mode; what is assumed if nobody knows */
    VIEW_LEVELS_5,
    VIEW_PAE,
    VIEW_LEVELS_2,              /* 32 bit, with 4 MiB pages */
    VIEW_NO_PAGING,             /* virtual is physical */
};

struct view;

/* memory is copied, what it points to is not. 0 or -ENOMEM. */
int  view_open(struct view **out, const struct memory *memory);
void view_close(struct view *view);

/* Forgets frames; reads after `deadline` (CLOCK_MONOTONIC, ns; UINT64_MAX: none) give -ETIME. Paging is reset to LEVELS_4. */
void view_begin(struct view *view, uint64_t deadline);

/* What does much the same each time. */
enum view_call {
    VIEW_TICK,                  /* all that is read is likely to be read again */
    VIEW_PAGE,                  /* page tables are, of the same address space */
    VIEW_CALLS
};

/*
 * After view_begin(): reads together what the last such call read frame by frame, if that had the same cr3 (which a tick has
 * not: 0). Memory that expects nothing gives each frame by itself, and then nothing is gained.
 */
void view_repeat(struct view *view, enum view_call call, uint64_t cr3);

/* Of the registers, which are the guest's word: cr0, cr4, efer. */
enum view_paging view_paging_of(uint64_t cr0, uint64_t cr4, uint64_t efer);
void view_set_paging(struct view *view, enum view_paging paging);

/* What the next read of this frame gives, so that it is not asked for: the copy that the event came with. */
void view_put(struct view *view, uint64_t gfn, const void *page);

/* All of it or an error: 0, -ENXIO, -EFAULT (virtual: not mapped), -ETIME. On an error *done is how much was read; the rest
 * of the buffer is zeroed. done may be NULL. */
int view_read_physical(struct view *view, uint64_t address, void *buffer, uint64_t length, uint64_t *done);
int view_read_virtual(struct view *view, uint64_t cr3, uint64_t address, void *buffer, uint64_t length, uint64_t *done);

/* out->size is set. 0, -EFAULT, -ENXIO (a table lies where no memory is), -ETIME. */
int view_translate(struct view *view, uint64_t cr3, uint64_t address, struct av_mapping *out);

/* Frames that were read from memory, not from what was kept, since view_open(). */
uint64_t view_reads(const struct view *view);

/*
 * All mappings of an address space in ascending order; stops when `each` returns other than 0, and returns that.
 * 0; -E2BIG after VIEW_TABLES_MAX tables; -ENXIO: the first table is not there.
 */
int view_list(struct view *view, uint64_t cr3, int (*each)(void *arg, const struct av_mapping *mapping), void *arg);

/* CLOCK_MONOTONIC. */
uint64_t view_now(void);

#endif /* AV_VIEW_H */
