"""Convolutional nets with squeeze-and-excitation, of Hugging Face transformers: RegNet-Y and EfficientNet.
RegNet-X, which has none, is the near miss."""
from harness import Built, case, main
from huggingface import gate_case, image
from transformers import (EfficientNetConfig, EfficientNetForImageClassification, RegNetConfig,
                          RegNetForImageClassification)


def regnet(layer_type: str) -> Built:
    config = RegNetConfig(embedding_size=8, hidden_sizes=[16, 24, 32, 40], depths=[1, 2, 1, 1], groups_width=8,
                          layer_type=layer_type)
    return gate_case(RegNetForImageClassification, config, image(64, 64, batch=2), ["logits"],
                     lambda name: name.endswith("attention.3"))


@case()
def regnet_y() -> Built:
    return regnet("y")


@case()
def regnet_x() -> Built:
    return regnet("x")


@case()
def efficientnet() -> Built:
    config = EfficientNetConfig(image_size=64, width_coefficient=0.25, depth_coefficient=1.0, hidden_dim=320,
                                num_block_repeats=[1, 1, 2, 1, 1, 1, 1], num_labels=10)
    return gate_case(EfficientNetForImageClassification, config, image(64, 64, batch=2), ["logits"],
                     lambda name: name.endswith("squeeze_excite.act_expand"))


if __name__ == "__main__":
    main()
