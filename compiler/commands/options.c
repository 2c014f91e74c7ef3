/* Options: one pass over the arguments against the table.
 * Help is laid out from the same table. */
#include "commands/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Arena *arena;
    const Command *command;
    const Option *options;
    int count;
} Parser;

/* Points at the help, then gives up. */
static _Noreturn void usage_failed(const Parser *parser) {
    note("`fovea %s --help` lists what can be given", parser->command->name);
    unwind(STATUS_USAGE);
}

/* Levenshtein's distance between two words. */
static int edit_distance(Arena *arena, const char *a, const char *b) {
    int length = (int)strlen(b);
    int *row = arena_new_array(arena, int, (size_t)length + 1);
    for (int k = 0; k <= length; k++) row[k] = k;
    for (int i = 1; *a != '\0'; i++, a++) {
        int diagonal = row[0];
        row[0] = i;
        for (int k = 1; k <= length; k++) {
            int change = diagonal + (*a != b[k - 1]), above = row[k] + 1, left = row[k - 1] + 1;
            diagonal = row[k];
            row[k] = change < above ? change : above;
            if (left < row[k]) row[k] = left;
        }
    }
    return row[length];
}

const char *nearest_name(Arena *arena, const char *word, const char *const *names) {
    enum { LONGEST = 64 }; /* nobody mistypes more, and the distance costs the product of the lengths */
    const char *nearest = NULL;
    int least = INT_MAX, length = (int)strnlen(word, LONGEST);
    for (; length < LONGEST && *names != NULL; names++) {
        int distance = edit_distance(arena, word, *names);
        bool begins = length >= 2 && strncmp(*names, word, (size_t)length) == 0;
        if (begins) distance = 1;
        if (distance < least && (begins || distance <= (int)strlen(*names) / 3 + 1) && distance < length) {
            least = distance;
            nearest = *names;
        }
    }
    return nearest;
}

static const Option *find_option(const Parser *parser, const char *word, size_t length) {
    for (int i = 0; i < parser->count; i++) {
        const Option *option = &parser->options[i];
        if (option->kind != OPTION_ARGUMENT && strlen(option->name) == length &&
            memcmp(option->name, word, length) == 0)
            return option;
    }
    return NULL;
}

static const Option *find_letter(const Parser *parser, char letter) {
    for (int i = 0; i < parser->count; i++)
        if (parser->options[i].letter == letter && letter != '\0') return &parser->options[i];
    return NULL;
}

static _Noreturn void fail_unknown(const Parser *parser, const char *word) {
    Arena *arena = parser->arena;
    const char *name = word + strspn(word, "-");
    const char **names = arena_new_array(arena, const char *, (size_t)parser->count + 2);
    int known = 0;
    for (int i = 0; i < parser->count; i++)
        if (parser->options[i].kind != OPTION_ARGUMENT) names[known++] = parser->options[i].name;
    names[known] = "help";
    const char *meant = nearest_name(arena, arena_printf(arena, "%.*s", (int)strcspn(name, "="), name), names);
    if (meant == NULL) report(STATUS_USAGE, "unknown option %s", quoted(word));
    else report(STATUS_USAGE, "unknown option %s; did you mean --%s?", quoted(word), meant);
    usage_failed(parser);
}

static void set_number(const Parser *parser, const Option *option, const char *value) {
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (*value == '\0' || *end != '\0' || !isfinite(number)) {
        report(STATUS_USAGE, "--%s takes a number, not %s", option->name, quoted(value));
        usage_failed(parser);
    }
    *(double *)option->target = number;
}

static void set_count(const Parser *parser, const Option *option, const char *value) {
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < 1 || number > INT_MAX) {
        report(STATUS_USAGE, "--%s takes a whole number of at least 1, not %s", option->name, quoted(value));
        usage_failed(parser);
    }
    *(int *)option->target = (int)number;
}

static void set_value(const Parser *parser, const Option *option, const char *value) {
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)option->target = true; break;
    case OPTION_NUMBER: set_number(parser, option, value); break;
    case OPTION_COUNT: set_count(parser, option, value); break;
    case OPTION_LIST: list_add(parser->arena, (StringList *)option->target, value); break;
    case OPTION_ARGUMENT:
    case OPTION_TEXT: *(const char **)option->target = value; break;
    }
}

/* Takes the option that argv[at] is, and its value; returns where the next argument is. */
static int take_option(const Parser *parser, int argc, char **argv, int at) {
    const char *word = argv[at++], *value = NULL;
    const Option *option;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        option = find_option(parser, word + 2, length);
        if (word[2 + length] == '=') value = word + 2 + length + 1;
    } else {
        option = find_letter(parser, word[1]);
        if (word[2] != '\0') value = word + 2 + (word[2] == '=');
    }
    if (option == NULL) fail_unknown(parser, word);
    if (option->kind == OPTION_FLAG && value != NULL) {
        report(STATUS_USAGE, "--%s takes no value", option->name);
        usage_failed(parser);
    }
    if (option->kind != OPTION_FLAG && value == NULL) {
        if (at == argc || strncmp(argv[at], "--", 2) == 0) {
            report(STATUS_USAGE, "--%s needs a value: --%s %s", option->name, option->name, option->placeholder);
            usage_failed(parser);
        }
        value = argv[at++];
    }
    set_value(parser, option, value);
    return at;
}

/* The table's next positional argument from *position on. */
static const Option *next_argument(const Parser *parser, int *position) {
    while (*position < parser->count)
        if (parser->options[(*position)++].kind == OPTION_ARGUMENT) return &parser->options[*position - 1];
    return NULL;
}

static void take_argument(const Parser *parser, const char *word, int *position) {
    const Option *argument = next_argument(parser, position);
    if (argument == NULL) {
        report(STATUS_USAGE, "unexpected argument %s", quoted(word));
        usage_failed(parser);
    }
    set_value(parser, argument, word);
}

bool options_parse(Arena *arena, const Command *command, const Option *options, int count, int argc, char **argv) {
    const Parser parser = {arena, command, options, count};
    int position = 0;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        options_help(command, options, count, stdout);
        return false;
    }
    bool options_ended = false;
    for (int i = 0; i < argc;) {
        if (!options_ended && strcmp(argv[i], "--") == 0) options_ended = true, i++;
        else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') i = take_option(&parser, argc, argv, i);
        else take_argument(&parser, argv[i++], &position);
    }
    const Option *missing = next_argument(&parser, &position);
    if (missing != NULL) {
        report(STATUS_USAGE, "%s is missing", missing->name);
        usage_failed(&parser);
    }
    return true;
}

/* "  -o, --output DIR", and how wide that is. */
static int print_option(const Option *option, FILE *out) {
    if (option->kind == OPTION_ARGUMENT) return fprintf(out, "  %s", option->name);
    int width = option->letter != '\0' ? fprintf(out, "  -%c, --%s", option->letter, option->name)
                                       : fprintf(out, "      --%s", option->name);
    return option->placeholder == NULL ? width : width + fprintf(out, " %s", option->placeholder);
}

enum { COLUMN = 28, WIDTH = 100 };

/* A text from COLUMN on, in lines of WIDTH at most, broken at spaces; at is how far the first line is. */
static void print_text(const char *text, int at, FILE *out) {
    while (*text != '\0') {
        const int length = (int)strcspn(text, " \n");
        if (at > COLUMN && at + 1 + length > WIDTH) fprintf(out, "\n"), at = 0;
        at += at > COLUMN ? fprintf(out, " ") : fprintf(out, "%*s", COLUMN - at, "");
        at += fprintf(out, "%.*s", length, text);
        text += length;
        if (*text == '\n') fprintf(out, "\n"), at = 0;
        text += *text != '\0';
    }
    fprintf(out, "\n");
}

void options_help(const Command *command, const Option *options, int count, FILE *out) {
    fprintf(out, "usage: fovea %s", command->name);
    for (int i = 0; i < count; i++)
        if (options[i].kind == OPTION_ARGUMENT) fprintf(out, " %s", options[i].name);
    fprintf(out, " [OPTION]...\n%s\n\n", command->summary);
    for (int i = 0; i < count; i++) {
        int width = print_option(&options[i], out);
        if (width > COLUMN - 2) fprintf(out, "\n"), width = 0;
        print_text(options[i].help, width, out);
    }
    fprintf(out, "%*s%s\n", -COLUMN, "      --help", "show this");
    if (command->usage[0] != '\0') fprintf(out, "\n%s\n", command->usage);
}
