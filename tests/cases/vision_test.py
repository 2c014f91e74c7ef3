"""Vision transformers with one resolution, of Hugging Face transformers: ViT, DeiT, BEiT, CLIP, YOLOS, DETR.
Every attention of theirs is found, self and cross, masked and not."""
from collections.abc import Sequence

import torch
from harness import Built, case, main
from huggingface import attention_case
from transformers import (BeitConfig, BeitForImageClassification, CLIPTextConfig, CLIPTextModelWithProjection,
                          CLIPVisionConfig, CLIPVisionModelWithProjection, DeiTConfig,
                          DeiTForImageClassificationWithTeacher, DetrConfig, DetrForObjectDetection, ResNetConfig,
                          ViTConfig, ViTForImageClassification, YolosConfig, YolosForObjectDetection)

TINY = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
SMALL_IMAGE = dict(image_size=24, patch_size=8)
SDPA = {"ts": (14, 17)}  # the exporter has no scaled_dot_product_attention below


def image(*size: int) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(1, 3, *size)}


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


def clip_vision(implementation: str) -> Built:
    config = CLIPVisionConfig(**TINY, **SMALL_IMAGE, projection_dim=16)
    return attention_case(CLIPVisionModelWithProjection, config, image(24, 24), ["image_embeds", "last_hidden_state"],
                          implementation)


@case()
def clip_vision_eager() -> Built:
    return clip_vision("eager")


@case(opsets=SDPA)
def clip_vision_sdpa() -> Built:
    return clip_vision("sdpa")


def clip_text(implementation: str, inputs: dict[str, torch.Tensor]) -> Built:
    config = CLIPTextConfig(**TINY, vocab_size=60, max_position_embeddings=12, projection_dim=16, bos_token_id=58,
                            eos_token_id=59, pad_token_id=1)
    return attention_case(CLIPTextModelWithProjection, config, inputs, ["text_embeds", "last_hidden_state"],
                          implementation)


def tokens() -> dict[str, torch.Tensor]:
    words = torch.randint(2, 58, (2, 9))
    words[:, 0], words[0, 8], words[1, 6:] = 58, 59, 59
    return {"input_ids": words}


@case()
def clip_text_eager() -> Built:
    return clip_text("eager", tokens())


@case(opsets=SDPA)
def clip_text_sdpa() -> Built:
    return clip_text("sdpa", tokens())


@case()
def clip_text_masked() -> Built:
    mask = torch.ones(2, 9, dtype=torch.int64)
    mask[1, 7:] = 0
    return clip_text("eager", tokens() | {"attention_mask": mask})


@case()
def yolos() -> Built:
    config = YolosConfig(**TINY, image_size=[24, 32], patch_size=8, num_detection_tokens=5)
    return attention_case(YolosForObjectDetection, config, image(24, 32), ["logits", "pred_boxes"])


def detr(implementation: str, mask: bool = False, gone: Sequence[int] = ()) -> Built:
    backbone = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], layer_type="basic",
                            out_features=["stage4"])
    config = DetrConfig(backbone_config=backbone, use_timm_backbone=False, d_model=32, encoder_layers=2,
                        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
                        decoder_ffn_dim=48, num_queries=6)
    inputs = image(64, 96)
    if mask:
        inputs["pixel_mask"] = torch.ones(1, 64, 96, dtype=torch.int64)
        inputs["pixel_mask"][:, :, 64:] = 0
    return attention_case(DetrForObjectDetection, config, inputs, ["logits", "pred_boxes"], implementation, gone)


# The first self-attention of the decoder is between learned queries alone. The dynamo exporter computes all of it.
FIRST_OF_DECODER = 2


@case(exporters=["ts"])
def detr_eager() -> Built:
    return detr("eager")


@case(exporters=["ts"], opsets=SDPA)
def detr_sdpa() -> Built:
    return detr("sdpa")


@case(exporters=["ts"])
def detr_masked() -> Built:
    return detr("eager", mask=True)


@case(exporters=["dynamo"])
def detr_eager_by_dynamo() -> Built:
    return detr("eager", gone=[FIRST_OF_DECODER])


@case(exporters=["dynamo"])
def detr_sdpa_masked_by_dynamo() -> Built:
    return detr("sdpa", mask=True, gone=[FIRST_OF_DECODER])


if __name__ == "__main__":
    main()
