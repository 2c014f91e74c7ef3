/* Templates: a copy with replacements.
 * A placeholder's text may have several lines; its last newline is dropped where the template has one. Two blank lines
 * in a row, which empty placeholders leave, become one. */
#include "emit/template.h"

#include "base/assets.h"

#include <string.h>

static const char *find(const Placeholder *placeholders, int count, const char *name, size_t length) {
    for (int i = 0; i < count; i++)
        if (strlen(placeholders[i].name) == length && memcmp(placeholders[i].name, name, length) == 0)
            return placeholders[i].text;
    fail(STATUS_BUG, "a template asks for {{%.*s}}", (int)length, name);
}

/* Makes one blank line of several, from position `from` on. */
static void squeeze_blank_lines(Text *text, size_t from) {
    size_t kept = from;
    for (size_t i = from; i < text->length; i++) {
        bool third = kept >= 2 && text->data[i] == '\n' && text->data[kept - 1] == '\n' && text->data[kept - 2] == '\n';
        if (!third) text->data[kept++] = text->data[i];
    }
    text->data[text->length = kept] = '\0';
}

void template_fill(Text *out, const char *path, const Placeholder *placeholders, int count) {
    const char *text = asset_text(path);
    size_t start = out->length;
    for (const char *open; (open = strstr(text, "{{")) != NULL;) {
        const char *close = strstr(open, "}}");
        if (close == NULL) fail(STATUS_BUG, "%s: a placeholder has no end", path);
        text_add_bytes(out, text, (size_t)(open - text));
        const char *value = find(placeholders, count, open + 2, (size_t)(close - open - 2));
        size_t length = strlen(value);
        bool starts_line = out->length == 0 || out->data[out->length - 1] == '\n';
        text = close + 2;
        if (*text == '\n' && length == 0 && starts_line) text++;
        if (*text == '\n' && length > 0 && value[length - 1] == '\n') length--;
        text_add_bytes(out, value, length);
    }
    text_add(out, text);
    squeeze_blank_lines(out, start);
}
