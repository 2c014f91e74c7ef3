/* Assets: finding one of them by its path.
 * The table itself is generated. */
#include "base/assets.h"

#include "base/diag.h"

#include <string.h>

const char *asset_text(const char *path) {
    for (const Asset *asset = ASSETS; asset->path != NULL; asset++)
        if (strcmp(asset->path, path) == 0) return asset->text;
    fail(STATUS_BUG, "no asset %s in this build", path);
}
