# A tagger of words as before attention (Huang et al. 2015, without the CRF): embeddings, two layers of LSTM in both
# directions, and a linear layer.

from torch import Tensor, nn

from inputs import words

RUN = True
KEEP_BATCH_NORM = False
VOCABULARY = 1000


class Tagger(nn.Module):
    """[N,L] words to [N,L,17] scores."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 100)
        self.lstm = nn.LSTM(100, 128, num_layers=2, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(256, 17)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.tags(self.lstm(self.embedding(input_ids))[0])


def build() -> nn.Module:
    return Tagger()


def inputs(count: int, length: int = 24) -> dict[str, Tensor]:
    return {"input_ids": words(count, length, VOCABULARY)}
