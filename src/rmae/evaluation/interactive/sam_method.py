"""Clicks for Segment Anything, through transformers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rmae.evaluation.interactive.method import Answer, Click
from rmae.regions.segment_anything import load_segment_anything


class SamMethod:
    """Asks Segment Anything for three masks and takes the one that it rates highest; it sees the clicks alone.

    Masks of earlier clicks are not put in again, as its own tools for annotators do.

    Args:
        checkpoint: Folder or hub id of a transformers model of type sam.
        device: Where it runs, as torch names it.

    Raises:
        ValueError: transformers is missing, the checkpoint is no such model, or the device cannot be used.
    """

    def __init__(self, checkpoint: str, *, device: str) -> None:
        model, self._processor = load_segment_anything(checkpoint, device=device)
        self._model = model.eval()
        self._embedding: Tensor | None = None
        self._picture_hw = self._seen_hw = (0, 0)

    @torch.inference_mode()
    def set_image(self, image: np.ndarray, name: str) -> None:
        """Encode a picture."""
        seen = self._processor(image, input_data_format="channels_last", return_tensors="pt")
        self._picture_hw = (image.shape[0], image.shape[1])
        height, width = seen["reshaped_input_sizes"][0].tolist()
        self._seen_hw = (int(height), int(width))
        device = self._model.device
        self._embedding = self._model.get_image_embeddings(seen["pixel_values"].to(device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # so that the time counts as the picture's, not the first click's

    @torch.inference_mode()
    def segment(self, clicks: Sequence[Click]) -> Answer:
        """Decode the clicks."""
        assert self._embedding is not None
        (height, width), (seen_height, seen_width) = self._picture_hw, self._seen_hw
        points = [[click.x * seen_width / width, click.y * seen_height / height] for click in clicks]
        device = self._model.device
        output = self._model(
            image_embeddings=self._embedding,
            input_points=torch.tensor([[points]], dtype=torch.float32, device=device),
            input_labels=torch.tensor([[[int(click.positive) for click in clicks]]], device=device),
            multimask_output=True,
        )
        rated = output.iou_scores[0, 0].float().cpu()
        best = int(rated.argmax())
        masks = self._processor.post_process_masks(
            output.pred_masks[:, :, best : best + 1].cpu(), [self._picture_hw], [self._seen_hw]
        )
        return Answer(masks[0][0, 0].numpy(), min(max(float(rated[best]), 0.0), 1.0))
