"""DETR of Hugging Face transformers: a convolutional backbone, an encoder over its map, a decoder of learned queries
with self- and cross-attention; with a mask of padding and without."""
from collections.abc import Sequence

import torch
from harness import Built, case, main
from huggingface import SDPA, attention_case, image
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

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
    built = attention_case(DetrForObjectDetection, config, inputs, ["logits", "pred_boxes"], implementation, gone)
    with torch.no_grad():  # no layer norm comes before the first attention, which would see one place alone
        built.module.model.model.input_projection.weight.mul_(0.3)
    return built


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
