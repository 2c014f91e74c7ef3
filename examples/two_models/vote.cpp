// Two networks look at one picture and vote, sharing a workspace: it is used during a run only.
// Each attention map they make on the way is counted by a probe.
#include "senet.h"
#include "vit.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace {
const char *const picture[8] = {
    "  .###. ", "  ##### ", "  .  ## ", "   .##. ", "  ##### ", "  .##.  ", "  ##    ", "  ##    ",
};

constexpr std::size_t workspace_bytes = std::max<std::size_t>(SENET_WORKSPACE, VIT_WORKSPACE);
alignas(std::max(SENET_ALIGNMENT, VIT_ALIGNMENT)) unsigned char workspace[workspace_bytes];

int best(const std::array<float, 10> &logits) {
    return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}
} // namespace

int main() {
    static_assert(SENET_IMAGE_SIZE == VIT_IMAGE_SIZE && SENET_LOGITS_SIZE == 10 && VIT_LOGITS_SIZE == 10, "");
    std::array<float, SENET_IMAGE_SIZE> image{};
    for (std::size_t i = 0; i < image.size(); i++) {
        const char dot = picture[i / 8][i % 8];
        image[i] = dot == '#' ? 1.0f : dot == '.' ? 0.5f : 0.0f;
    }
    std::array<float, 10> by_senet{}, by_vit{};
    int maps = 0;
    senet_context first{};
    first.workspace = workspace;
    first.on_probe_user = &maps;
    first.on_probe = [](void *user, const senet_probe *, const void *) { ++*static_cast<int *>(user); };
    vit_context second{};
    second.workspace = workspace;
    second.on_probe_user = &maps;
    second.on_probe = [](void *user, const vit_probe *, const void *) { ++*static_cast<int *>(user); };
    if (senet_run(&first, image.data(), by_senet.data()) != SENET_OK) return 1;
    if (vit_run(&second, image.data(), by_vit.data()) != VIT_OK) return 1;
    std::printf("senet: %d, vit: %d, attention maps: %d\n", best(by_senet), best(by_vit), maps);
    return 0;
}
