/* Prints the operator table for schema_test.py: a line a row, its fields between tabs, and before it the types that
 * each word of it means. */
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

static const char *text(const char *field) { return field == NULL ? "" : field; }

static void print_words(const char *field) {
    static const char separators[] = " ;:|?*!@";
    while (*field != '\0') {
        field += strspn(field, separators);
        int length = (int)strcspn(field, separators);
        char word[64];
        snprintf(word, sizeof word, "%.*s", length, field);
        TypeSet set = length > 0 ? type_set_parse(word) : 0;
        if (set != 0) printf("word\t%s\t", word);
        for (int type = 0; type < TYPE_COUNT; type++)
            if (set & TYPE_BIT(type)) printf("%s ", type_info((Type)type)->name);
        if (set != 0) printf("\n");
        field += length;
    }
}

static void print_row(const Op *op, void *unused) {
    (void)unused;
    print_words(text(op->inputs));
    print_words(text(op->outputs));
    print_words(text(op->types));
    printf("op\t%s\t%s\t", text(op->domain), op->name);
    for (int i = 0; op->versions[i] != 0; i++) printf("%d ", op->versions[i]);
    printf("\t%s\t%s\t%s\t%s\n", text(op->inputs), text(op->outputs), text(op->types), text(op->attributes));
}

int main(void) {
    op_each(print_row, NULL);
    return 0;
}
