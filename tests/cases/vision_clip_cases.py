"""CLIP of Hugging Face transformers: its vision side, its text side, which is causal and may be padded, and both.
Each pools by a token, that of the text where the end of the sentence is."""
import torch
from harness import Built, case, main
from huggingface import SDPA, SMALL_IMAGE, TINY, attention_case, image
from torch import Tensor
from transformers import (CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig,
                          CLIPVisionModelWithProjection)

WORDS = dict(**TINY, vocab_size=60, max_position_embeddings=12, bos_token_id=58, eos_token_id=59, pad_token_id=1)


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


def clip_text(implementation: str, inputs: dict[str, Tensor]) -> Built:
    config = CLIPTextConfig(**WORDS, projection_dim=16)
    return attention_case(CLIPTextModelWithProjection, config, inputs, ["text_embeds", "last_hidden_state"],
                          implementation)


def tokens() -> dict[str, Tensor]:
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
def clip_both_sides() -> Built:
    """Similarities of images and texts."""
    config = CLIPConfig(text_config=WORDS, vision_config=dict(**TINY, **SMALL_IMAGE), projection_dim=16)
    return attention_case(CLIPModel, config, tokens() | image(24, 24, batch=2), ["logits_per_image"])


if __name__ == "__main__":
    main()
