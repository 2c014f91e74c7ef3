"""Vision transformers of several resolutions, of Hugging Face transformers: Swin, SwinV2, SegFormer, MobileViT.
Windows, shifted and not, reduced keys, and patches that are folded out of a map."""
from harness import Built, case, main
from huggingface import attention_case, image
from transformers import (MobileViTConfig, MobileViTForImageClassification, SegformerConfig,
                          SegformerForSemanticSegmentation, SwinConfig, SwinForImageClassification, Swinv2Config,
                          Swinv2ForImageClassification)

WINDOWS = dict(image_size=32, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4)


@case()
def swin() -> Built:
    return attention_case(SwinForImageClassification, SwinConfig(**WINDOWS), image(32, 32), ["logits"])


@case()
def swin_padded() -> Built:
    """The map is no multiple of the window, and is padded."""
    config = SwinConfig(**{**WINDOWS, "image_size": 40})
    return attention_case(SwinForImageClassification, config, image(40, 40), ["logits"])


@case()
def swin_of_another_size() -> Built:
    """The images are not of the size that the model was configured for."""
    return attention_case(SwinForImageClassification, SwinConfig(**WINDOWS), image(48, 40), ["logits"])


@case()
def swinv2() -> Built:
    return attention_case(Swinv2ForImageClassification, Swinv2Config(**WINDOWS), image(32, 32), ["logits"])


@case()
def segformer() -> Built:
    config = SegformerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 2, 3, 4],
                             decoder_hidden_size=16, num_labels=5)
    return attention_case(SegformerForSemanticSegmentation, config, image(64, 64), ["logits"])


@case()
def mobilevit() -> Built:
    config = MobileViTConfig(image_size=128, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 12, 16, 16, 24, 48],
                             num_attention_heads=4)
    return attention_case(MobileViTForImageClassification, config, image(128, 128), ["logits"])


@case()
def mobilevit_resized() -> Built:
    """The map is no multiple of the patches, and is resized to one and back."""
    config = MobileViTConfig(image_size=96, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 12, 16, 16, 24, 48],
                             num_attention_heads=4)
    return attention_case(MobileViTForImageClassification, config, image(96, 96), ["logits"])


if __name__ == "__main__":
    main()
