/* The pass `fuse_blocks`: each block whose pattern names a fuser is handed to it. What is declined stays as it is, and
 * is probed all the same. */
#include "fused/fuser.h"
#include "passes/fuse.h"

#include <string.h>

/* Whether a block rounds to integers on its way: its fused operator would not. */
static bool is_quantised(const Block *block) {
    for (int i = 0; i < block->nodes.count; i++)
        if (strcmp(block->nodes.items[i]->op_type, "QuantizeLinear") == 0) return true;
    return false;
}

void pass_fuse_blocks(Graph *graph, const PassOptions *options) {
    if (!fuse_allows(options, "blocks")) return;
    for (int i = 0; i < graph->blocks.count; i++) {
        Block *block = graph->blocks.items[i];
        const char *name = block->pattern->fuse;
        const Fuser *fuser = name == NULL ? NULL : fuser_find(name);
        if (name != NULL && fuser == NULL)
            fail(STATUS_USAGE, "%s: the block %s is to be fused by %s, which there is not", block->pattern->file,
                 block->pattern->family, quoted(name));
        if (fuser != NULL && !is_quantised(block)) fuser->fuse(graph, block);
    }
}
