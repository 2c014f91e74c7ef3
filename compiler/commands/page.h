/* Page: one HTML file with a model in it. templates/page/ is what it does; here it gets its data. */
#ifndef FOVEA_COMMANDS_PAGE_H
#define FOVEA_COMMANDS_PAGE_H

#include "base/arena.h"

/* Data that the page finds by its id. */
typedef struct {
    const char *id;
    const char *json;  /* as it is, or NULL: */
    const void *bytes; /* in base64 */
    size_t size;
} PagePart;

/* Whether this fovea was built with the page: that takes Node.js and npm. */
bool page_is_built(void);

/* Writes a page, whole or not at all. The title and what is in JSON may hold anything. reads_beside: it may read files
 * that lie beside it. */
void page_write(const char *path, const char *title, const PagePart *parts, int count, bool reads_beside);

#endif
