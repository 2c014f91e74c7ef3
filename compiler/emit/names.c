/* Names: identifiers, comments and strings from arbitrary bytes.
 * What is taken beforehand is listed here: keywords, the standard library, and macros that some compilers predefine. */
#include "emit/names.h"

#include "program/specialise.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

/* Of math.h; each also with the suffixes f and l. */
static const char MATH_FUNCTIONS[] =
    " acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma "
    "fmax"
    " fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint"
    " nextafter nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc ";

static const char MATH_MACROS[] =
    " NAN INFINITY HUGE_VAL HUGE_VALF isnan isinf isfinite isnormal signbit fpclassify isgreater isgreaterequal isless"
    " islessequal islessgreater isunordered ";

/* What else a name in generated code must not be. */
static const char TAKEN[] =
    /* keywords of C99 and C11 */
    " auto break case char const continue default do double else enum extern float for goto if inline int long register"
    " restrict return short signed sizeof static struct switch typedef union unsigned void volatile while"
    " alignas alignof asm atomic bool complex generic imaginary noreturn nullptr static_assert thread_local typeof"
    /* of C++ */
    " and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl concept consteval"
    " constexpr constinit const_cast decltype delete dynamic_cast explicit export false friend mutable namespace new"
    " noexcept not not_eq operator or or_eq private protected public reflexpr reinterpret_cast requires static_cast"
    " template this throw true try typeid typename using virtual wchar_t xor xor_eq final override import module"
    /* types and macros of the headers that generated code includes, and what they may drag in */
    " int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t int_fast8_t int_fast16_t int_fast32_t"
    " int_fast64_t uint_fast8_t uint_fast16_t uint_fast32_t uint_fast64_t int_least8_t int_least16_t int_least32_t"
    " int_least64_t uint_least8_t uint_least16_t uint_least32_t uint_least64_t intptr_t uintptr_t intmax_t uintmax_t"
    " size_t ptrdiff_t max_align_t ssize_t float_t double_t div_t ldiv_t lldiv_t time_t clock_t off_t va_list wint_t"
    " offsetof errno assert stdin stdout stderr"
    " main abort abs labs llabs atexit atof atoi atol atoll bsearch calloc clock close div environ exit fclose feof "
    "ferror"
    " fflush fgetc fgetpos fgets fopen fork fprintf fputc fputs fread free freopen fscanf fseek fsetpos ftell fwrite "
    "getc"
    " getchar getenv gets index ldiv link lldiv localeconv localtime longjmp malloc mblen memccpy memchr memcmp memcpy"
    " memmem memmove mempcpy memset mktime open perror pipe printf putc putchar puts qsort raise rand random read "
    "realloc"
    " remove rename rewind rindex scanf select setbuf setjmp setlocale setvbuf signal sleep snprintf sprintf srand "
    "sscanf"
    " stat strcat strchr strcmp strcoll strcpy strcspn strdup strerror strlen strncat strncmp strncpy strpbrk strrchr"
    " strspn strstr strtod strtof strtok strtol strtoll strtoul strtoull strxfrm system time tmpfile tmpnam toupper"
    " tolower unlink ungetc vfprintf vprintf vsnprintf vsprintf wait write isalnum isalpha iscntrl isdigit isgraph "
    "islower"
    " isprint ispunct isspace isupper isxdigit"
    /* older mathematics that math.h or the compiler knows outside strict modes */
    " gamma gamma_r lgamma_r signgam significand drem finite scalb j0 j1 jn y0 y1 yn exp10 pow10 sincos"
    /* macros that compilers and systems predefine in lower case */
    " linux unix i386 mips sparc sun vax arm hpux near far huge pascal cdecl interface small min max minor major "
    "signbit"
    " uuid_t byte ";

static bool is_in(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *p = list; length > 0 && (p = strstr(p, word)) != NULL; p++)
        if (p > list && p[-1] == ' ' && p[length] == ' ') return true;
    return false;
}

bool is_of_math(const char *identifier) {
    char stem[32];
    size_t length = strlen(identifier);
    if (is_in(MATH_FUNCTIONS, identifier) || is_in(MATH_MACROS, identifier)) return true;
    if (length < 2 || length >= sizeof stem || strchr("fl", identifier[length - 1]) == NULL) return false;
    memcpy(stem, identifier, length - 1);
    stem[length - 1] = '\0';
    return is_in(MATH_FUNCTIONS, stem);
}

bool is_of_string(const char *identifier) { return is_in(" memcpy memset memmove ", identifier); }

Names names_new(Arena *arena) { return (Names){arena, map_new(arena), map_new(arena)}; }

void names_reserve(Names *names, const char *identifier) { map_set(&names->taken, identifier, names); }

bool names_has(const Names *names, const char *identifier) {
    return map_get(&names->taken, identifier) != NULL || is_in(TAKEN, identifier) || is_of_math(identifier);
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

void each_identifier(const char *code, void (*visit)(const char *identifier, void *argument), void *argument) {
    enum { LONGEST = 127 };
    char identifier[LONGEST + 1];
    for (const char *p = code; *p != '\0';) {
        const char *end = skip_opaque(p);
        if (end == p && is_word(*p)) {
            while (is_word(*end)) end++;
            size_t length = (size_t)(end - p);
            if (!isdigit((unsigned char)*p) && length <= LONGEST) {
                memcpy(identifier, p, length);
                identifier[length] = '\0';
                visit(identifier, argument);
            }
        }
        p = end == p ? p + 1 : end;
    }
}

static void reserve_visit(const char *identifier, void *names) { names_reserve(names, identifier); }

void names_reserve_all_in(Names *names, const char *code) { each_identifier(code, reserve_visit, names); }

/* Runs of what is no letter or digit become one underscore; none are left at the ends. */
static char *cleaned(Arena *arena, const char *wish) {
    size_t length = strlen(wish), used = 0;
    char *clean = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        char c = wish[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter) clean[used++] = c;
        else if (used > 0 && clean[used - 1] != '_') clean[used++] = '_';
    }
    while (used > 0 && clean[used - 1] == '_') used--;
    clean[used] = '\0';
    return clean;
}

/* The end of the path component that begins at p. */
static const char *component_end(const char *p) { return p + strcspn(p, "/"); }

static bool begins_alike(const char *a, const char *b, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i])) return false;
    return true;
}

/* A path without the components that the next one repeats: exporters write "/blocks/blocks.0/act/Relu" for what the
 * model's source calls blocks.0.act, and "/se/sigmoid/Sigmoid". */
static char *without_repetition(Arena *arena, const char *path) {
    Text out = text_new(arena);
    for (const char *p = path; *p != '\0';) {
        const char *end = component_end(p), *next = end + (*end == '/');
        size_t length = (size_t)(end - p);
        bool repeated = length > 0 && strlen(next) >= length && begins_alike(p, next, length) &&
                        !isalnum((unsigned char)next[length]);
        if (!repeated) text_add_bytes(&out, p, (size_t)(next - p));
        p = next;
    }
    return out.data;
}

/* The last words of a long name: the first ones are the outer modules, which many names share. */
static const char *shortened(const char *clean) {
    enum { LONGEST = 40 };
    size_t length = strlen(clean);
    if (length <= LONGEST) return clean;
    const char *tail = clean + length - LONGEST, *word = strchr(tail, '_');
    return word != NULL && word[1] != '\0' ? word + 1 : tail;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

const char *names_take(Names *names, const char *wish) {
    Arena *arena = names->arena;
    char *clean = cleaned(arena, without_repetition(arena, wish));
    if (ends_with(clean, "_output_0")) clean[strlen(clean) - strlen("_output_0")] = '\0'; /* torch's first outputs */
    const char *stem = shortened(clean);
    for (char *c = clean; *c != '\0'; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    if (*stem == '\0') stem = "value";
    if (isdigit((unsigned char)*stem)) stem = arena_printf(arena, "v%s", stem);
    int *number = map_get(&names->numbers, stem);
    if (number == NULL) map_set(&names->numbers, stem, number = arena_new_object(arena, int));
    const char *name;
    do {
        name = ++*number == 1 ? stem : arena_printf(arena, "%s_%d", stem, *number);
    } while (names_has(names, name));
    names_reserve(names, name);
    return name;
}

const char *upper_case(Arena *arena, const char *text) {
    char *upper = arena_copy(arena, text);
    for (char *c = upper; *c != '\0'; c++) *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    return upper;
}

const char *model_name(Arena *arena, const char *wish) {
    static const char HEADERS[] =
        " alloca assert complex ctype errno features fenv float inttypes iso646 limits locale malloc math memory npz "
        "pthread"
        " sched setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings"
        " tgmath threads time uchar unistd wchar wctype ";
    const char *clean = shortened(cleaned(arena, wish));
    if (*clean == '\0') return "model";
    if (isdigit((unsigned char)*clean)) return arena_printf(arena, "model_%s", clean);
    char *lower = arena_copy(arena, clean);
    for (char *c = lower; *c != '\0'; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return is_in(HEADERS, lower) ? arena_printf(arena, "%s_model", clean) : clean;
}

/* Whether c, after `before`, may stand in a comment as it is. */
static bool is_plain_in_comment(char before, char c, char after) {
    if (c < ' ' || c > '~' || c == '\\') return false;
    if (c == '*' && (before == '/' || after == '\0')) return false;
    if (c == '/' && before == '*') return false;
    return !(c == '?' && before == '?');
}

const char *comment_text(Arena *arena, const char *text) {
    enum { LONGEST = 100, KEPT = 48 };
    Text out = text_new(arena);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (length > LONGEST && i == KEPT) {
            text_add(&out, "...");
            i = length - KEPT;
        }
        char before = out.length > 0 ? out.data[out.length - 1] : '\0';
        if (is_plain_in_comment(before, text[i], text[i + 1])) text_add_bytes(&out, &text[i], 1);
        else text_printf(&out, "%%%02x", (unsigned char)text[i]);
    }
    return out.data;
}

const char *string_literal(Arena *arena, const char *text) {
    enum { LONGEST = 1000 };
    Text out = text_new(arena);
    text_add(&out, "\"");
    for (size_t i = 0; text[i] != '\0' && i < LONGEST; i++) {
        char c = text[i];
        bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '?';
        if (plain) text_add_bytes(&out, &c, 1);
        else text_printf(&out, "\\%03o", (unsigned char)c);
    }
    text_add(&out, "\"");
    return out.data;
}

static void look_for(const char *identifier, void *argument) {
    const char **wanted = argument; /* [0] is looked for; [1] is set where it is found */
    if (strcmp(identifier, wanted[0]) == 0) wanted[1] = wanted[0];
}

bool mentions_identifier(const char *code, const char *identifier) {
    const char *wanted[2] = {identifier, NULL};
    each_identifier(code, look_for, wanted);
    return wanted[1] != NULL;
}
