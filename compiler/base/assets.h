/* Assets: the files of templates/ and compiler/patterns/, embedded in the program at build time by tools/embed.c.
 * They are found by their path in the repository. */
#ifndef FOVEA_BASE_ASSETS_H
#define FOVEA_BASE_ASSETS_H

typedef struct {
    const char *path; /* "templates/model.h" */
    const char *text; /* terminated */
} Asset;

extern const Asset ASSETS[]; /* ended by a NULL path; sorted by path */

/* The text of an asset; a bug where there is none. */
const char *asset_text(const char *path);

#endif
