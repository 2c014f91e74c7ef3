"""Vision transformers of one resolution, of Hugging Face transformers: ViT, DeiT, BEiT, YOLOS.
Tokens before and behind those of the patches, tables of positions, relative biases, shared and not."""
from harness import Built, case, main
from huggingface import SDPA, SMALL_IMAGE, TINY, attention_case, image
from transformers import (BeitConfig, BeitForImageClassification, DeiTConfig, DeiTForImageClassificationWithTeacher,
                          ViTConfig, ViTForImageClassification, YolosConfig, YolosForObjectDetection)

def vit(implementation: str) -> Built:
    return attention_case(ViTForImageClassification, ViTConfig(**TINY, **SMALL_IMAGE), image(24, 24), ["logits"],
                          implementation)


@case()
def vit_eager() -> Built:
    return vit("eager")


@case(opsets=SDPA)
def vit_sdpa() -> Built:
    return vit("sdpa")


@case()
def deit() -> Built:
    return attention_case(DeiTForImageClassificationWithTeacher, DeiTConfig(**TINY, **SMALL_IMAGE), image(24, 24),
                          ["logits"])


@case()
def beit() -> Built:
    config = BeitConfig(**TINY, **SMALL_IMAGE, use_relative_position_bias=True)
    return attention_case(BeitForImageClassification, config, image(24, 24), ["logits"])


@case(opsets=SDPA)
def beit_shared_bias_sdpa() -> Built:
    config = BeitConfig(**TINY, **SMALL_IMAGE, use_shared_relative_position_bias=True,
                        use_absolute_position_embeddings=True)
    return attention_case(BeitForImageClassification, config, image(24, 24), ["logits"], "sdpa")


@case()
def yolos() -> Built:
    config = YolosConfig(**TINY, image_size=[24, 32], patch_size=8, num_detection_tokens=5)
    return attention_case(YolosForObjectDetection, config, image(24, 32), ["logits", "pred_boxes"])


if __name__ == "__main__":
    main()
