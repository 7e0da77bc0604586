"""Where patches of a picture look."""

from collections.abc import Sequence

import numpy as np
import torch

from rmae.evaluation.looking.subject import Subject
from rmae.models.attention import attention_maps
from rmae.visual.visualisation_parts import Attention


def attend(
    subject: Subject, image: np.ndarray, points: Sequence[tuple[float, float]], *, layer: int
) -> list[Attention]:
    """Find out where the patches at some points of a picture look.

    Args:
        subject: The model.
        image: Shape (H, W, M), uint8 or uint16.
        points: x from the left and y from the top, as shares of the picture in [0, 1].
        layer: Block, from 0 on or, negative, from the end.

    Returns:
        One for each point.

    Raises:
        ValueError: There is no such block, or it has no maps to show; the sentence names the model.
    """
    rows, columns = subject.grid
    places = [(min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)) for x, y in points]
    ids_query = torch.tensor([[row * columns + column for row, column in places]])
    images = subject.normalise(subject.squeeze(image))
    try:
        attention = attention_maps(subject.encoder, images, layers=[layer], ids_query=ids_query)[0, 0]
    except ValueError as error:
        raise ValueError(f"{subject.name}: {error}") from error
    prefix = attention.shape[-1] - rows * columns
    has_class_token = subject.encoder.has_class_token
    found = []
    for number, place in enumerate(places):
        of_heads = attention[:, number]  # (heads, T + L)
        before = of_heads[:, :prefix].mean(dim=0).tolist()
        found.append(
            Attention(
                author=subject.author,
                query=place,
                heads=of_heads[:, prefix:].unflatten(-1, (rows, columns)).numpy(),
                class_share=before[0] if has_class_token else None,
                register_share=sum(before[1:] if has_class_token else before),
            )
        )
    return found
