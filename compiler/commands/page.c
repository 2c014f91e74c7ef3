/* Page: the built page, whose policy knows its own script alone, with a title and data put in.
 * Names from a model stand in text and in JSON, neither of which can end where they stand. */
#include "commands/page.h"

#include "base/assets.h"
#include "base/file.h"
#include "base/text.h"

#include <string.h>

static const char PAGE[] = "page.html";

bool page_is_built(void) { return *asset_text(PAGE) != '\0'; }

static const char *html_text(Arena *arena, const char *plain) {
    Text text = text_new(arena);
    for (const char *at = plain; *at != '\0'; at++) {
        if (*at == '&') text_add(&text, "&amp;");
        else if (*at == '<') text_add(&text, "&lt;");
        else if (*at == '>') text_add(&text, "&gt;");
        else text_add_bytes(&text, at, 1);
    }
    return text.data;
}

/* JSON in which no tag can begin: "<" only occurs inside its strings. */
static void add_json(Text *text, const char *json) {
    for (size_t length; *json != '\0'; json += length) {
        length = strcspn(json, "<");
        text_add_bytes(text, json, length);
        if (json[length] != '<') continue;
        text_add(text, "\\u003c");
        length++;
    }
}

static void add_part(Text *text, const PagePart *part) {
    text_printf(text, "<script type=\"%s\" id=\"%s\">", part->json != NULL ? "application/json" : "text/plain",
                part->id);
    if (part->json != NULL) add_json(text, part->json);
    else text_add_base64(text, part->bytes, part->size);
    text_add(text, "</script>\n");
}

/* Copies the built page up to a mark, and returns what is behind that. */
static const char *copy_to_mark(Text *page, const char *from, const char *mark) {
    const char *at = strstr(from, mark);
    if (at == NULL) fail(STATUS_BUG, "the built page has no %s", mark);
    text_add_bytes(page, from, (size_t)(at - from));
    return at + strlen(mark);
}

typedef struct {
    const char *path, *title;
    const PagePart *parts;
    int count;
    bool reads_beside;
} Job;

/* The marks stand before the page's script, so that nothing in that is taken for one. */
static void write(Arena *scratch, void *argument) {
    const Job *job = argument;
    Text page = text_new(scratch);
    const char *rest = copy_to_mark(&page, asset_text(PAGE), "@@SOURCES@@");
    text_add(&page, job->reads_beside ? "'self'" : "'none'");
    rest = copy_to_mark(&page, rest, "@@TITLE@@");
    text_add(&page, html_text(scratch, job->title));
    rest = copy_to_mark(&page, rest, "@@DATA@@");
    for (int i = 0; i < job->count; i++) add_part(&page, &job->parts[i]);
    text_add(&page, rest);
    file_write_atomic(job->path, page.data, page.length);
}

void page_write(const char *path, const char *title, const PagePart *parts, int count, bool reads_beside) {
    Job job = {path, title, parts, count, reads_beside};
    arena_scope(write, &job);
}
