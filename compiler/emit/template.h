/* Templates: fills {{name}} in a file of templates/ with text. There is no logic in a template.
 * A line that holds nothing but a placeholder whose text is empty is left out. */
#ifndef FOVEA_EMIT_TEMPLATE_H
#define FOVEA_EMIT_TEMPLATE_H

#include "base/text.h"

typedef struct {
    const char *name, *text;
} Placeholder;

/* Appends the template at path ("templates/model.h"). A placeholder that is not in the list is a bug. */
void template_fill(Text *out, const char *path, const Placeholder *placeholders, int count);

#endif
