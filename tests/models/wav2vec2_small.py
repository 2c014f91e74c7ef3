# wav2vec 2.0 (Baevski et al. 2020) as Hugging Face transformers defines it, with few channels and layers: convolutions of
# a wave, of which the first is normalised by groups, positions by a convolution in groups, and a transformer.

from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification

from inputs import waves

RUN = True
KEEP_BATCH_NORM = False


def build() -> nn.Module:
    return Wav2Vec2ForSequenceClassification(
        Wav2Vec2Config(
            conv_dim=(64,) * 7,
            hidden_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=192,
            num_conv_pos_embeddings=32,
            num_conv_pos_embedding_groups=6,
            classifier_proj_size=64,
            num_labels=12,
        )
    )


def inputs(count: int, length: int = 8000) -> dict[str, Tensor]:
    return {"input_values": waves(count, length)}
