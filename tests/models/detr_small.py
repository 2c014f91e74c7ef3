# A small DETR (Carion et al. 2020) as Hugging Face transformers defines it: a residual network, an encoder over its last
# map, and a decoder of learned queries.

import torch
from torch import Tensor, nn
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from inputs import images

RUN = True
KEEP_BATCH_NORM = False


class Detector(nn.Module):
    """Of each query the scores of the classes and the box, [N,queries,classes+1+4]."""

    def __init__(self) -> None:
        super().__init__()
        backbone = ResNetConfig(
            embedding_size=32,
            hidden_sizes=[32, 64, 128, 256],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage4"],
        )
        self.detr = DetrForObjectDetection(
            DetrConfig(
                backbone_config=backbone,
                use_timm_backbone=False,
                d_model=128,
                encoder_layers=3,
                decoder_layers=3,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                encoder_ffn_dim=512,
                decoder_ffn_dim=512,
                num_queries=25,
                num_labels=20,
            )
        )

    def forward(self, pixel_values: Tensor) -> Tensor:
        found = self.detr(pixel_values, return_dict=True)
        return torch.cat([found.logits, found.pred_boxes], dim=2)


def build() -> nn.Module:
    model = Detector()
    for module in model.modules():  # frozen norms have no parameters, which would be made random, but buffers
        if type(module).__name__ == "DetrFrozenBatchNorm2d":
            module.weight.uniform_(0.8, 1.2)
            module.bias.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.7, 1.4)
    return model


def inputs(count: int, side: int = 128) -> dict[str, Tensor]:
    return {"pixel_values": images(count, side)}
