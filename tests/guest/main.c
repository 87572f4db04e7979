/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's life on vCPU 0: get a console, take the command line, carry the program out, say how
 * it went, and power off or crash so that the toolstack knows too.
 */
#include <stdint.h>

#include <xen/vcpu.h>

#include "clock.h"
#include "conformance.h"
#include "console.h"
#include "events-fuzz.h"
#include "events.h"
#include "hypercall.h"
#include "memory.h"
#include "program.h"
#include "trap.h"
#include "vcpu.h"
#include "work.h"

void guest_main(void);

extern uint64_t guest_entry_tsc;

static struct options options;
static struct limits limits;
static struct program typed;        /* what came from the console */

/* Why a program ended before its last command. */
enum outcome { WENT_ON, STOPPED, CORRUPT };

static _Noreturn void refuse(const char *why)
{
    console_print("error %s", why);
    console_print("done status=error");
    console_drain();
    guest_shutdown(SHUTDOWN_crash);
}

static enum outcome run_command(const struct command *command);

/* Commands from the console, a line each, until `stop`; a line that is wrong is only refused. */
static enum outcome run_typed(void)
{
    char line[PROGRAM_TEXT_MAX], why[PROGRAM_WHY_MAX];
    enum outcome outcome;
    unsigned int i;
    long length;
    int rc;

    for ( ; ; )
    {
        console_print("ready");
        length = console_read_line(line, sizeof(line), true);
        if ( length < 0 )
        {
            console_print("refused the line is too long");
            continue;
        }

        rc = program_parse(&typed, line, length, why);
        for ( i = 0; !rc && i < typed.count; i++ )
        {
            command_set_defaults(&typed.commands[i], &options);
            rc = command_check(&typed.commands[i], &limits, why);
        }
        if ( rc )
        {
            console_print("refused %s", why);
            continue;
        }

        for ( i = 0; i < typed.count; i++ )
        {
            if ( typed.commands[i].kind == COMMAND_STOP )
                return WENT_ON;     /* of the waiting; the command line's program goes on */
            if ( typed.commands[i].kind == COMMAND_WAIT )
                continue;           /* that is what we do */
            outcome = run_command(&typed.commands[i]);
            if ( outcome != WENT_ON )
                return outcome;
        }
    }
}

/* What the toolstack saves is this; what goes on is this domain, or one that was made from the image. */
static bool suspend(void)
{
    bool refusals = true;

    console_print("suspend");
    console_drain();
    guest_suspend();
    event_clear_by = NULL;
    if ( !hypercall_open() )
        guest_panic("no shared_info after suspend");
    console_open();
    vcpus_rebind();
    console_print("resumed");
    if ( options.events )
    {
        refusals = conformance_refusals();
        events_register();
    }

    return refusals;
}

static enum outcome run_command(const struct command *command)
{
    switch ( command->kind )
    {
    case COMMAND_IDLE:
        clock_sleep_until(clock_tsc() + clock_ticks(command->ms * 1000000));
        console_print("idle ms=%lu", command->ms);
        return WENT_ON;

    case COMMAND_REPORT:
        work_report();
        return WENT_ON;

    case COMMAND_SUSPEND:
        return suspend() ? WENT_ON : CORRUPT;

    case COMMAND_EVENTS:
        return conformance_run(command->count, limits.vcpus) ? WENT_ON : CORRUPT;

    case COMMAND_EVENT_FUZZ:
        return events_fuzz(command->count, options.pattern.seed) ? WENT_ON : CORRUPT;

    case COMMAND_FLIP:
        work_flip(command->count, command->bit);
        return WENT_ON;

    case COMMAND_WAIT:
        return run_typed();

    case COMMAND_STOP:
        return STOPPED;

    case COMMAND_VERIFY:
        if ( options.flip )
            work_flip(options.flip_page, options.flip_bit);
        options.flip = false;
        break;

    default:
        break;
    }

    return work_run(command, limits.vcpus) ? WENT_ON : CORRUPT;
}

/* Between two rounds of a loop, `stop` typed on the console ends it. */
static bool stop_was_typed(void)
{
    char line[PROGRAM_TEXT_MAX], why[PROGRAM_WHY_MAX];
    long length;

    while ( (length = console_read_line(line, sizeof(line), false)) )
    {
        if ( length > 0 && !program_parse(&typed, line, length, why) && typed.count == 1 &&
             typed.commands[0].kind == COMMAND_STOP )
            return true;
        console_print("refused only 'stop' is taken while a loop runs");
    }

    return false;
}

static enum outcome run_program(const struct program *program)
{
    uint64_t round;
    unsigned int i;

    for ( round = 1; ; round++ )
    {
        for ( i = 0; i < program->count; i++ )
        {
            enum outcome outcome = run_command(&program->commands[i]);

            if ( outcome != WENT_ON )
                return outcome;
        }

        if ( options.loops == round )
            return WENT_ON;
        console_print("loop round=%lu", round);
        if ( stop_was_typed() )
            return STOPPED;
    }
}

/* Time in which a physical CPU ran us, for what is ours of the time since the domain was made. */
static uint64_t running_ns(void)
{
    struct vcpu_runstate_info info;
    long rc = hypercall_vcpu(VCPUOP_get_runstate_info, 0, &info, sizeof(info));

    if ( rc )
        guest_panic("VCPUOP_get_runstate_info: %ld", rc);

    return info.time[RUNSTATE_running];
}

/* Everything that a command line can get wrong shows here, before any page is touched. */
static void take_options(void)
{
    char cmdline[PROGRAM_TEXT_MAX + 1], why[PROGRAM_WHY_MAX];
    struct memory_range free = memory_open(cmdline, sizeof(cmdline));
    unsigned int i;

    if ( options_parse(&options, cmdline, why) )
        refuse(why);

    if ( options.events && !events_reserve(options.events_abi, &free, limits.vcpus) )
        refuse("events= needs more memory than what is free");
    limits.channels = options.events ? events_channels() : 0;
    limits.pages = work_open(free, options.mem_mib, &options.pattern);
    if ( !limits.pages )
        refuse("mem= is more than what is free");

    for ( i = 0; i < options.program.count; i++ )
        if ( command_check(&options.program.commands[i], &limits, why) )
            refuse(why);
    if ( options.flip )
    {
        struct command flip = { .kind = COMMAND_FLIP, .count = options.flip_page };

        if ( command_check(&flip, &limits, why) )
            refuse(why);
    }
}

void guest_main(void)
{
    bool refusals = true;
    uint64_t ready;
    enum outcome outcome;

    trap_open();
    if ( !hypercall_open() )
        guest_panic("not on Xen, or no shared_info");
    clock_open();
    console_open();
    limits.vcpus = vcpus_open();
    take_options();

    ready = clock_tsc();
    console_print("boot vcpus=%u pages=%lu seed=%lu tsckhz=%lu createdms=%lu bootus=%lu cpuus=%lu",
                  limits.vcpus, limits.pages, options.pattern.seed, clock_khz(),
                  clock_ns(ready) / 1000000, clock_ns(ready - guest_entry_tsc) / 1000,
                  running_ns() / 1000);
    work_set_slow(options.slow_us);
    if ( options.events )
    {
        refusals = conformance_refusals();
        events_register();
    }

    outcome = refusals ? run_program(&options.program) : CORRUPT;
    work_report();
    console_print("done status=%s", outcome == CORRUPT ? "corrupt" : "ok");
    console_drain();
    guest_shutdown(outcome == CORRUPT ? SHUTDOWN_crash : SHUTDOWN_poweroff);
}
