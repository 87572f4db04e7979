/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a kernel's constants, with a description of its types (BTF) in them: offsets are within their limit,
 * and reading ends.
 */
#include <errno.h>
#include <string.h>

#define FUZZ_TARGET "types"
#include "fuzz.h"

#include "linux-guest/types.h"

#define COUNT 6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct types_wanted wanted[COUNT] = {
        { "task_struct", "tasks" }, { "task_struct", "pid_links" }, { "mm_struct", "pgd" }, { "mm_struct", "exe_file" },
        { "dentry", "d_name" }, { "xa_node", "slots" },
    };
    uint32_t offsets[COUNT];
    size_t found = SIZE_MAX;
    int rc = types_read(data, size, wanted, offsets, COUNT, &found);

    REQUIRE(rc == 0 || rc == -ENOENT);
    REQUIRE(rc ? found == SIZE_MAX : found < size);
    for ( unsigned int i = 0; i < COUNT; i++ )
        REQUIRE(offsets[i] == UINT32_MAX || (!rc && offsets[i] <= TYPES_OFFSET_MAX));
    return 0;
}
