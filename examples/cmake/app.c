/* Runs a network on one picture: a seven, drawn by hand on an 8x8 grid.
 * The model is the one named in CMakeLists.txt. */
#include "senet.h"

#include <stdalign.h>
#include <stdio.h>

static const char *const picture[8] = {
    "  .###. ", "  ##### ", "  .  ## ", "   .##. ", "  ##### ", "  .##.  ", "  ##    ", "  ##    ",
};

int main(void) {
    static alignas(SENET_ALIGNMENT) unsigned char workspace[SENET_WORKSPACE];
    const senet_context context = {.workspace = workspace};
    float image[SENET_IMAGE_SIZE], logits[SENET_LOGITS_SIZE];
    for (int i = 0; i < SENET_IMAGE_SIZE; i++) {
        const char dot = picture[i / 8][i % 8];
        image[i] = dot == '#' ? 1.0f : dot == '.' ? 0.5f : 0.0f;
    }
    if (senet_run(&context, image, logits) != SENET_OK) return 1;
    int best = 0;
    for (int i = 1; i < SENET_LOGITS_SIZE; i++)
        if (logits[i] > logits[best]) best = i;
    printf("it is a %d\n", best);
    return 0;
}
