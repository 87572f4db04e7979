/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a user of a daemon's settings sees: which voice is the stronger, what
 * errors say, and that everything that is made from the table agrees with it.
 */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/options.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define ARGUMENTS_MAX  8

struct settings {
    bool verify;
    uint64_t memory;
    uint32_t interval;
    uint16_t domain;
    uint8_t small;
    char *spill;
    char *label;
    unsigned int mode;
    uint64_t secret;
};

enum { MODE_SLOW, MODE_FAST };
static const char *const modes[] = { "slow", "fast", NULL };

static const struct options_setting table[] = {
    { .name = "verify", .letter = 'v', .type = OPTIONS_FLAG,
      .where = OPTIONS_ANYWHERE, .value = "no",
      .help = "Check each page twice.",
      OPTIONS_PLACE(struct settings, verify) },
    { .name = "memory-limit", .letter = 'm', .argument = "SIZE",
      .type = OPTIONS_SIZE, .where = OPTIONS_ANYWHERE, .minimum = 1 << 20,
      .maximum = 64ull << 30, .value = "256M",
      .help = "Pages take this much. It's 5\\6 of \"all\".",
      OPTIONS_PLACE(struct settings, memory) },
    { .name = "interval", .argument = "MS", .type = OPTIONS_NUMBER,
      .where = OPTIONS_ANYWHERE, .minimum = 10, .maximum = 60000,
      .unit = "milliseconds", .value = "500", .help = "Time between looks.",
      OPTIONS_PLACE(struct settings, interval) },
    { .name = "domain", .letter = 'd', .argument = "DOMID",
      .type = OPTIONS_NUMBER, .where = OPTIONS_COMMAND_LINE,
      .maximum = 32751, .help = "Page this domain only.",
      OPTIONS_PLACE(struct settings, domain) },
    { .name = "small", .argument = "N", .type = OPTIONS_NUMBER,
      .where = OPTIONS_ANYWHERE, .value = "0", .help = "A small number.",
      OPTIONS_PLACE(struct settings, small) },
    { .name = "spill-file", .argument = "FILE", .type = OPTIONS_PATH,
      .where = OPTIONS_ANYWHERE, .value = "/var/lib/spill",
      .help = "Where pages go.", OPTIONS_PLACE(struct settings, spill) },
    { .name = "label", .argument = "TEXT", .type = OPTIONS_TEXT,
      .where = OPTIONS_ANYWHERE, .help = "A label for people.",
      OPTIONS_PLACE(struct settings, label) },
    { .name = "mode", .argument = "WORD", .type = OPTIONS_WORD,
      .where = OPTIONS_ANYWHERE, .words = modes, .value = "fast",
      .help = "How.", OPTIONS_PLACE(struct settings, mode) },
    { .name = "secret", .argument = "N", .type = OPTIONS_NUMBER,
      .where = OPTIONS_FILE, .value = "7", .help = "Only in the file.",
      OPTIONS_PLACE(struct settings, secret) },
};

static const struct options_program program = {
    .name = "test-pager", .summary = "Tests options.", .settings = table,
    .settings_count = COUNT(table),
};

struct run {
    struct settings settings;
    struct options *options;
    enum options_outcome outcome;
    char *answer;
};

static char file_name[] = "/tmp/test-options-XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(file_name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* words: NULL-terminated, without the program's name. */
static void run(struct run *run, const char *const *words)
{
    char *argv[ARGUMENTS_MAX + 2] = { (char *)"test-pager" };
    int argc = 1;
    size_t length;
    FILE *answers;

    while ( words[argc - 1] )
    {
        assert_true(argc <= ARGUMENTS_MAX);
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }

    memset(run, 0, sizeof(*run));
    run->settings.domain = UINT16_MAX;
    answers = open_memstream(&run->answer, &length);
    assert_non_null(answers);
    run->outcome = options_load(&run->options, &program, &run->settings, argc,
                                argv, answers);
    assert_int_equal(fclose(answers), 0);

    /* An error is said exactly when there is one. */
    assert_int_equal(run->outcome == OPTIONS_RUN ||
                     run->outcome == OPTIONS_ANSWERED,
                     !options_error(run->options)[0]);
}

#define RUN(r, ...) run(r, (const char *const []){ __VA_ARGS__, NULL })

static void end(struct run *run)
{
    options_close(run->options);
    free(run->answer);
    assert_null(run->settings.spill);
}

static void assert_says(const struct run *run, const char *piece)
{
    if ( !strstr(options_error(run->options), piece) )
        fail_msg("'%s' does not say '%s'", options_error(run->options), piece);
}

static void refuse(enum options_outcome outcome, const char *const *words,
                   const char *const *pieces)
{
    struct run r;

    run(&r, words);
    assert_int_equal(r.outcome, outcome);
    for ( ; *pieces; pieces++ )
        assert_says(&r, *pieces);
    end(&r);
}

#define WORDS(...) (const char *const []){ __VA_ARGS__, NULL }

static int make_file(void **state)
{
    int fd = mkstemp(file_name);

    (void)state;

    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;

    return unlink(file_name);
}

static void defaults_hold_where_nobody_speaks(void **state)
{
    struct run r;

    (void)state;
    write_file("");
    RUN(&r, "-c", file_name);
    assert_int_equal(r.outcome, OPTIONS_RUN);
    assert_false(r.settings.verify);
    assert_int_equal(r.settings.memory, 256 << 20);
    assert_int_equal(r.settings.interval, 500);
    assert_int_equal(r.settings.domain, UINT16_MAX);
    assert_string_equal(r.settings.spill, "/var/lib/spill");
    assert_null(r.settings.label);
    assert_int_equal(r.settings.mode, MODE_FAST);
    assert_int_equal(r.settings.secret, 7);
    assert_int_equal(options_origin(r.options,
                                    offsetof(struct settings, domain)),
                     OPTIONS_FROM_DEFAULT);
    end(&r);
}

static void command_line_goes_before_file_before_default(void **state)
{
    struct run r;

    (void)state;
    write_file("# a comment\n\n  interval =  20  \r\nspill-file=/b=c # d\n"
               "mode = slow\nverify = yes\nsecret = 9\nlabel = \xc3\xa4 b");
    RUN(&r, "--interval=30", "--config", file_name, "-d5", "--no-verify",
        "--memory-limit", "2G");
    assert_int_equal(r.outcome, OPTIONS_RUN);
    assert_int_equal(r.settings.interval, 30);
    assert_string_equal(r.settings.spill, "/b=c # d");
    assert_int_equal(r.settings.mode, MODE_SLOW);
    assert_false(r.settings.verify);
    assert_int_equal(r.settings.domain, 5);
    assert_int_equal(r.settings.secret, 9);
    assert_int_equal(r.settings.memory, 2ull << 30);
    assert_string_equal(r.settings.label, "\xc3\xa4 b");
    assert_string_equal(options_file(r.options), file_name);
    assert_int_equal(options_origin(r.options,
                                    offsetof(struct settings, interval)),
                     OPTIONS_FROM_COMMAND_LINE);
    assert_int_equal(options_origin(r.options,
                                    offsetof(struct settings, mode)),
                     OPTIONS_FROM_FILE);
    end(&r);
}

static void last_word_of_the_command_line_counts(void **state)
{
    struct run r;

    (void)state;
    write_file("");
    RUN(&r, "-c", file_name, "-v", "--spill-file=/a", "--spill-file=/b",
        "--no-verify");
    assert_int_equal(r.outcome, OPTIONS_RUN);
    assert_string_equal(r.settings.spill, "/b");
    assert_false(r.settings.verify);
    end(&r);
}

static void bad_file_values_are_errors_even_if_overridden(void **state)
{
    (void)state;
    write_file("interval = 5\n");
    refuse(OPTIONS_WRONG_FILE, WORDS("--interval=30", "-c", file_name),
           WORDS(file_name, ":1: interval: found '5'", "from 10 to 60000",
                 "milliseconds", "default, 500"));
}

static void command_line_errors_say_what_to_do(void **state)
{
    static const struct {
        const char *words[3];
        const char *pieces[3];
    } cases[] = {
        { { "--nonsense" }, { "--nonsense: there is no such option",
                              "test-pager --help" } },
        { { "--nonsense=4" }, { "--nonsense: there is no such option" } },
        { { "-x" }, { "-x: there is no such option" } },
        { { "-vx" }, { "-x: there is no such option" } },
        { { "-m", "1M", "-x" }, { "-x: there is no such option" } },
        { { "--mem=1M", "--int=3" }, { "--interval: found '3'" } },
        { { "--m=1" }, { "abbreviation of 2" } },
        { { "--verify=yes" }, { "--verify: found '=yes'", "no value" } },
        { { "--interval" }, { "--interval: found nothing",
                              "--interval=MS" } },
        { { "-vm" }, { "--memory-limit: found nothing" } },
        { { "--secret=1" }, { "--secret", "configuration file only" } },
        { { "word" }, { "the word 'word'", "options only" } },
        { { "--", "-v" }, { "the word '-v'" } },
        { { "--mode=medium" }, { "--mode: found 'medium'", "slow or fast",
                                 "default, fast" } },
        { { "--spill-file=here" }, { "a path from the root" } },
        { { "--label=" }, { "--label: found ''" } },
        { { "--label=a\nb" }, { "found 'a\\x0ab'" } },
        { { "--domain=32752" }, { "from 0 to 32751" } },
        { { "--domain=-1" }, { "found '-1'" } },
        { { "--domain=0x10" }, { "found '0x10'" } },
        { { "--small=256" }, { "from 0 to 255" } },
        { { "--memory-limit=1T" }, { "from 1M to 64G" } },
        { { "--memory-limit=1023K" }, { "found '1023K'" } },
        { { "--memory-limit=M" }, { "found 'M'" } },
        { { "--memory-limit=1MM" }, { "found '1MM'" } },
        /* Modulo 2^64 this is 13. */
        { { "--interval=18446744073709551629" }, { "found '1844674" } },
        { { "--memory-limit=18446744073709551617" }, { "found '1844674" } },
        { { "--memory-limit=18014398509481985K" }, { "found '1801439" } },
        { { "--generate=html" }, { "--generate: found 'html'", "mdoc" } },
    };
    size_t i;

    (void)state;
    for ( i = 0; i < COUNT(cases); i++ )
    {
        const char *words[4] = { cases[i].words[0], cases[i].words[1],
                                 cases[i].words[2] };
        const char *pieces[4] = { cases[i].pieces[0], cases[i].pieces[1],
                                  cases[i].pieces[2] };

        refuse(OPTIONS_WRONG_USAGE, words, pieces);
    }
}

static void limits_themselves_are_allowed(void **state)
{
    struct run r;

    (void)state;
    write_file("memory-limit = 67108864k\ninterval = 60000\nsmall = 255\n");
    RUN(&r, "-c", file_name, "-d", "32751");
    assert_int_equal(r.outcome, OPTIONS_RUN);
    assert_int_equal(r.settings.memory, 64ull << 30);
    assert_int_equal(r.settings.interval, 60000);
    assert_int_equal(r.settings.small, 255);
    assert_int_equal(r.settings.domain, 32751);
    end(&r);
}

static void missing_files(void **state)
{
    (void)state;
    refuse(OPTIONS_WRONG_FILE, WORDS("-c", "/nonexistent/pager.conf"),
           WORDS("/nonexistent/pager.conf: cannot be opened",
                 "No such file", "--config"));
    refuse(OPTIONS_WRONG_FILE, WORDS("-c", "/"), WORDS("a directory"));
    refuse(OPTIONS_WRONG_FILE, WORDS("-c", "/dev/null"),
           WORDS("a regular file"));

    {
        struct settings settings = { .spill = NULL };
        struct options *options;

        assert_int_equal(options_open(&options, &program, &settings), 0);
        assert_int_equal(options_read_file(options, "/nonexistent/p.conf",
                                           false), 0);
        assert_null(options_file(options));
        assert_string_equal(options_error(options), "");
        options_close(options);
    }
}

static void file_errors_name_line_and_key(void **state)
{
    static const struct {
        const char *text;
        size_t length;          /* 0: up to NUL */
        const char *pieces[3];
    } cases[] = {
        { "verify = yes\n\nnonsense = 1\n", 0,
          { "f:3: nonsense: there is no such key", "verify, memory-limit",
            "correct or remove" } },
        { "verify\n", 0, { "f:1: found 'verify'", "key = value" } },
        { "= yes\n", 0, { "f:1: found '= yes'" } },
        { "verify =\n", 0, { "f:1: verify: found ''", "yes or no" } },
        { "verify = true\n", 0, { "verify: found 'true'", "yes or no" } },
        { "Verify = yes\n", 0, { "Verify: there is no such key" } },
        { "domain = 1\n", 0, { "domain", "command line only" } },
        { "config = /x\n", 0, { "config: there is no such key" } },
        { "mode = slow\n#\nmode = fast\n", 0,
          { "f:3: mode: found a second time", "line 1 has it too" } },
        { "interval = 20 # ms\n", 0, { "found '20 # ms'" } },
        { "mode = sl\0ow\n", 13, { "f:1: found the control character U+0000",
                                   "column 10" } },
        { "# \xff\n", 0, { "f:1: found the byte 0xff at column 3", "UTF-8" } },
        { "# \xc0\xaf\n", 0, { "0xc0" } },
        { "label = \xed\xa0\x80\n", 0, { "0xed" } },
        { "label = \xe2\x80\xae" "abc\n", 0, { "U+202E" } },
        { "label = a\rb\n", 0, { "U+000D" } },
        { "\xef\xbb\xbfmode = slow\n", 0, { "U+FEFF at column 1" } },
    };
    struct settings settings = { .spill = NULL };
    struct options *options;
    size_t i, j;

    (void)state;
    assert_int_equal(options_open(&options, &program, &settings), 0);
    for ( i = 0; i < COUNT(cases); i++ )
    {
        size_t length = cases[i].length ? cases[i].length
                                        : strlen(cases[i].text);
        /* A copy of the exact size: reading on is seen by ASan. */
        char *text = malloc(length);

        assert_non_null(text);
        memcpy(text, cases[i].text, length);
        assert_int_equal(options_parse_text(options, "f", text, length),
                         -EINVAL);
        free(text);
        for ( j = 0; j < COUNT(cases[i].pieces) && cases[i].pieces[j]; j++ )
            if ( !strstr(options_error(options), cases[i].pieces[j]) )
                fail_msg("'%s' does not say '%s'", options_error(options),
                         cases[i].pieces[j]);
    }
    options_close(options);
}

static void sizes_of_lines_and_files_are_bounded(void **state)
{
    struct settings settings = { .spill = NULL };
    struct options *options;
    size_t length = OPTIONS_FILE_BYTES_MAX + 1;
    char *text = malloc(length);

    (void)state;
    assert_non_null(text);
    assert_int_equal(options_open(&options, &program, &settings), 0);

    memset(text, '\n', length);
    assert_int_equal(options_parse_text(options, "f", text, length - 1), 0);
    assert_int_equal(options_parse_text(options, "f", text, length), -EINVAL);
    assert_non_null(strstr(options_error(options), "more than 262144 bytes"));

    memset(text, '#', length);
    assert_int_equal(options_parse_text(options, "f", text,
                                        OPTIONS_LINE_BYTES_MAX), 0);
    assert_int_equal(options_parse_text(options, "f", text,
                                        OPTIONS_LINE_BYTES_MAX + 1), -EINVAL);
    assert_non_null(strstr(options_error(options), "a line of 4609 bytes"));

    memcpy(text, "label = ", 8);
    memset(text + 8, 'x', OPTIONS_VALUE_BYTES_MAX + 1);
    assert_int_equal(options_parse_text(options, "f", text,
                                        8 + OPTIONS_VALUE_BYTES_MAX), 0);
    assert_int_equal(strlen(settings.label), OPTIONS_VALUE_BYTES_MAX);
    assert_int_equal(options_parse_text(options, "f", text,
                                        9 + OPTIONS_VALUE_BYTES_MAX),
                     -EINVAL);
    assert_non_null(strstr(options_error(options), "..."));

    options_close(options);
    free(text);
}

static bool has_colon(const char *value, size_t length)
{
    return memchr(value, ':', length);
}

/* Lines come together, the command line's take the file's place, and the program's own check is asked. */
static void what_repeats_is_collected(void **state)
{
    static const struct options_setting groups[] = {
        { .name = "group", .letter = 'g', .argument = "A:B",
          .type = OPTIONS_TEXT, .where = OPTIONS_ANYWHERE, .repeats = true,
          .is_sound = has_colon, .allowed = "A:B, with a colon",
          .help = "A group.", OPTIONS_PLACE(struct settings, label) },
    };
    static const struct options_program collects = {
        .name = "collects", .summary = "Collects.", .settings = groups,
        .settings_count = COUNT(groups),
    };
    static const char text[] = "group = a: b\n# c\ngroup = d:e\n";
    char *arguments[] = { (char *)"collects", (char *)"-g", (char *)"x:1",
                          (char *)"-c", (char *)file_name, (char *)"-g",
                          (char *)"y:2", NULL };
    struct settings settings = { .spill = NULL };
    struct options *options;

    (void)state;
    assert_int_equal(options_open(&options, &collects, &settings), 0);
    assert_int_equal(options_parse_text(options, "f", text, strlen(text)), 0);
    assert_string_equal(settings.label, "a: b\nd:e");
    assert_int_equal(options_parse_text(options, "f", text, strlen(text)), 0);
    assert_string_equal(settings.label, "a: b\nd:e");
    assert_int_equal(options_parse_text(options, "f", "\ngroup = a\n", 11),
                     -EINVAL);
    assert_non_null(strstr(options_error(options), "f:2: group: found 'a', "
                           "allowed is A:B, with a colon"));
    options_close(options);
    assert_null(settings.label);

    write_file(text);
    assert_int_equal(options_load(&options, &collects, &settings, 7, arguments,
                                  stdout), OPTIONS_RUN);
    assert_string_equal(settings.label, "x:1\ny:2");
    options_close(options);
}

static void help_and_version(void **state)
{
    struct run r;

    (void)state;
    RUN(&r, "--version");
    assert_int_equal(r.outcome, OPTIONS_ANSWERED);
    assert_string_equal(r.answer, "test-pager " PACKAGE_VERSION "\n"
                        "GPL-2.0-only; there is no warranty.\n");
    end(&r);

    /* What comes after it is not judged, and no file is read. */
    RUN(&r, "--help", "--nonsense", "-c", "/nonexistent");
    assert_int_equal(r.outcome, OPTIONS_ANSWERED);
    assert_non_null(strstr(r.answer, "-m, --memory-limit=SIZE"));
    assert_non_null(strstr(r.answer, "--no-verify"));
    assert_non_null(strstr(r.answer, "Default: 256M."));
    assert_null(strstr(r.answer, "--secret"));
    assert_null(strstr(r.answer, "--generate"));
    end(&r);

    RUN(&r, "-?");
    assert_int_equal(r.outcome, OPTIONS_ANSWERED);
    end(&r);
}

static void example_file_parses_to_the_defaults(void **state)
{
    struct run made, read;
    char *text, *at;

    (void)state;
    RUN(&made, "--generate=conf");
    assert_int_equal(made.outcome, OPTIONS_ANSWERED);
    assert_null(strstr(made.answer, "domain ="));

    /* As it is, it says nothing. */
    write_file(made.answer);
    RUN(&read, "-c", file_name);
    assert_int_equal(read.outcome, OPTIONS_RUN);
    assert_int_equal(options_origin(read.options,
                                    offsetof(struct settings, mode)),
                     OPTIONS_FROM_DEFAULT);
    end(&read);

    /* With its settings switched on it says the defaults. */
    text = strdup(made.answer);
    assert_non_null(text);
    for ( at = text; (at = strstr(at, "\n#")); at++ )
        if ( at[2] >= 'a' && at[2] <= 'z' )
            at[1] = ' ';
    write_file(text);
    RUN(&read, "-c", file_name);
    assert_string_equal(options_error(read.options), "");
    assert_int_equal(options_origin(read.options,
                                    offsetof(struct settings, mode)),
                     OPTIONS_FROM_FILE);
    assert_int_equal(read.settings.memory, 256 << 20);
    assert_int_equal(read.settings.secret, 7);
    assert_int_equal(read.settings.mode, MODE_FAST);
    assert_string_equal(read.settings.label, "TEXT");
    end(&read);

    free(text);
    end(&made);
}

static void manual_and_completion_hold_every_option(void **state)
{
    struct run r;

    (void)state;
    RUN(&r, "--generate=mdoc");
    assert_int_equal(r.outcome, OPTIONS_ANSWERED);
    assert_non_null(strstr(r.answer, ".It Fl m Ar SIZE , Fl \\-memory-limit "
                           "Ns = Ns Ar SIZE\nPages take this much.\n"
                           "It's 5\\e6 of \"all\".\n"));
    assert_non_null(strstr(r.answer, ".It Cm secret Ns = Ns Ar N\n"));
    assert_non_null(strstr(r.answer, "Only on the command line.\n"));
    end(&r);

    RUN(&r, "--generate=bash");
    assert_int_equal(r.outcome, OPTIONS_ANSWERED);
    assert_non_null(strstr(r.answer, "complete -F _test_pager test-pager\n"));
    assert_non_null(strstr(r.answer, "compgen -W 'slow fast'"));
    assert_non_null(strstr(r.answer, "--memory-limit= "));
    assert_null(strstr(r.answer, "secret"));
    end(&r);
}

static void an_answer_that_cannot_be_written_is_an_error(void **state)
{
    char *argv[] = { (char *)"test-pager", (char *)"--help", NULL };
    struct settings settings = { .spill = NULL };
    struct options *options;
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if ( !full )
        skip();
    assert_int_equal(options_load(&options, &program, &settings, 2, argv,
                                  full), OPTIONS_FAILED);
    assert_non_null(strstr(options_error(options), "cannot be written"));
    options_close(options);
    fclose(full);
}

/* Each breaks one rule of an otherwise sound setting. */
static void faulty_tables_are_refused(void **state)
{
    static const struct options_setting sound = {
        .name = "interval", .letter = 'i', .argument = "MS",
        .type = OPTIONS_NUMBER, .where = OPTIONS_ANYWHERE, .minimum = 10,
        .maximum = 20, .value = "15", .help = "Help.",
        OPTIONS_PLACE(struct settings, interval),
    };
    struct options_setting faulty[17], pair[2] = { sound, sound };
    size_t count = 0, i;

    (void)state;
    for ( i = 0; i < COUNT(faulty); i++ )
        faulty[i] = sound;

    faulty[count++].name = "Interval";
    faulty[count++].name = "help";
    faulty[count++].name = "no-interval";
    faulty[count++].name = NULL;
    faulty[count++].letter = 'V';
    faulty[count++].letter = '-';
    faulty[count++].help = NULL;
    faulty[count++].where = 0;
    faulty[count++].argument = NULL;
    faulty[count++].argument = "MILLISECONDS";
    faulty[count++].words = modes;
    faulty[count++].bytes = 3;
    faulty[count++].minimum = 21;
    faulty[count++].maximum = 1ull << 32;
    faulty[count++].value = "9";
    faulty[count++].value = "x";
    faulty[count++].where = OPTIONS_FILE;
    assert_int_equal(count, COUNT(faulty));

    for ( i = 0; i <= count + 1; i++ )
    {
        struct options_program one = {
            .name = "p", .summary = "S.",
            .settings = i < count ? &faulty[i] : pair,
            .settings_count = i < count ? 1 : 2,
        };
        struct settings settings = { .spill = NULL };
        struct options *options;

        /* The same name, then another name and letter on the same field. */
        if ( i > count )
        {
            pair[1].name = "other";
            pair[1].letter = 'o';
        }

        if ( options_open(&options, &one, &settings) != -EINVAL ||
             !options_error(options)[0] )
            fail_msg("faulty table %zu was taken", i);
        options_close(options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nobody_speaks),
        cmocka_unit_test(command_line_goes_before_file_before_default),
        cmocka_unit_test(last_word_of_the_command_line_counts),
        cmocka_unit_test(bad_file_values_are_errors_even_if_overridden),
        cmocka_unit_test(command_line_errors_say_what_to_do),
        cmocka_unit_test(limits_themselves_are_allowed),
        cmocka_unit_test(missing_files),
        cmocka_unit_test(file_errors_name_line_and_key),
        cmocka_unit_test(sizes_of_lines_and_files_are_bounded),
        cmocka_unit_test(what_repeats_is_collected),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(example_file_parses_to_the_defaults),
        cmocka_unit_test(manual_and_completion_hold_every_option),
        cmocka_unit_test(an_answer_that_cannot_be_written_is_an_error),
        cmocka_unit_test(faulty_tables_are_refused),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
