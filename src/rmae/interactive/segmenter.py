"""Interactive segmentation: a picture is looked at once, and every mark on it is answered with a mask at once."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from skimage.measure import label
from torch import Tensor
from torch.nn import functional

from rmae.data.crops import Crop, crop_image, sample_positions
from rmae.interactive.prompts import OBJECT, KnownRegion, Prompt, known_region
from rmae.models.encoder import encode_visible
from rmae.models.interchange.settings import IMAGENET_MEAN, IMAGENET_STD
from rmae.models.length_decoder import LengthDecoder
from rmae.models.masked_autoencoder import MaskedAutoencoder
from rmae.models.region_branch import RegionBranch
from rmae.models.resizing import resize
from rmae.models.sequence_decoder import BlindSequenceDecoder
from rmae.ops.normalisation import Normalise
from rmae.ops.patches import unpatchify

_SPECK = 0.1  # pieces that are a smaller share of a mask are dropped
_SPACING = 4  # of the least likely patches, every fourth is taken for background, as much as in training is visible


class ImageEmbedding(NamedTuple):
    """What a model knows of a picture: all that answers need of it."""

    size_hw: tuple[int, int]
    """Height H and width W of the picture in pixels."""
    contexts: Tensor
    """The neck's tokens for each of V views, class token first, shape (V, 1 + L, C)."""


class ObjectMask(NamedTuple):
    """What a model takes for the object that is marked."""

    mask: np.ndarray
    """Shape (H, W) bool, at the picture's own size: where the probability is at least 0.5.
    Pieces of less than a tenth of that are left out, unless a mark of the object lies in them."""
    probability: np.ndarray
    """Shape (H, W) float32 in [0, 1]."""
    confidence: float
    """IoU in [0, 1] that the mask may expect with an object drawn from the probabilities."""


class Segmenter:
    """Outlines objects that a person marks, with the region branch of a model.

    Marks become visible patches of a region map (`prompts.py`), all others are hidden, and the model completes the map.
    Encoder and neck look at a picture once, and all of it; a mark costs two passes of the region encoder and decoder.

    - The neck sees the encoder's tokens in several *views*, each with as many patches as it saw in training, spread
      evenly, and every patch in one of them; the answers are averaged. A neck that was trained on a quarter of the
      patches and is shown all of them at once tells far less.
    - In training most of what is visible of a region is background, but a person marks the object first. So the model
      is asked twice: patches that it takes least for the object after the first time are background the second time.

    The figures behind both stand in `docs/interactive.md`.

    Args:
        model: With a region branch that sees pixels; it is put into evaluation mode, or copied for another `img_size`.
        img_size: Side, or height and width, in pixels at which the model sees pictures, divisible by its patch size;
            None = as it was trained. Pictures are squeezed to it whole: in training, crops of any shape between 3:4
            and 4:3 are, too.
        num_views: In how many views the neck sees a picture, from 1 to the number of patches; None = as many as give it
            what it saw in training, 4 where three quarters were hidden.
        assume_background: Ask twice, as above; otherwise what is marked is all that is known.

    Raises:
        ValueError: The model has no region branch, or one that sees no pixels, or it is not known what its pictures
            are normalised by, its weights are not float32, or a number is out of range.

    Source:
        R-MAE (arXiv 2306.05411) shows such masks as pictures; views and background are ours.

    Example:
        >>> import numpy as np
        >>> from rmae import ModelConfig, Segmenter, build_model
        >>> segmenter = Segmenter(build_model(ModelConfig(size="micro", img_size=64)))
        >>> segmenter.set_image(np.zeros((48, 80, 3), np.uint8))
        >>> segmenter.predict(points_xy=[(40, 20)], positive=[True]).mask.shape
        (48, 80)
    """

    def __init__(
        self,
        model: MaskedAutoencoder,
        *,
        img_size: int | tuple[int, int] | None = None,
        num_views: int | None = None,
        assume_background: bool = True,
    ) -> None:
        self._branch = _branch_that_sees(model)
        if img_size is not None:
            model = resize(model, img_size=img_size).to(next(model.parameters()).device)  # it comes on the CPU
            self._branch = _branch_that_sees(model)
        self.model = model.eval()
        self.grid = model.config.grid
        """Rows and columns of patches."""
        self.patch_size = model.config.patch_size
        """Side of a patch in the model's pixels."""
        self.image_hw = model.config.image_hw
        """Height h and width w at which the model sees pictures, in pixels."""
        self.normalise = _normalise_for(model)
        """From a picture at the model's size, (M, h, w), to what the encoder takes; on the CPU."""
        num_patches = math.prod(self.grid)
        if num_views is None:
            num_views = max(1, round(num_patches / model.config.num_visible))
        if not 1 <= num_views <= num_patches:
            raise ValueError(f"num_views is {num_views}; it must be at least 1 and at most the {num_patches} patches")
        self._views = _spread_views(self.grid, num_views)
        self._assume_background = assume_background
        self._embedding: ImageEmbedding | None = None

    @torch.inference_mode()
    def embed(self, image: np.ndarray) -> ImageEmbedding:
        """Look at a picture: encoder and neck run once.

        Args:
            image: Shape (H, W, M), uint8 or uint16, with the model's M channels.

        Returns:
            What `segment` needs of it; of the same size for every picture.

        Raises:
            ValueError: The picture is of another form.
        """
        channels = self.model.config.channels
        if image.ndim != 3 or image.shape[2] != channels or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"the picture has shape {image.shape} and type {image.dtype}; this model needs height, width and "
                f"{channels} channel(s), uint8 or uint16"
            )
        height, width = image.shape[:2]
        if height == 0 or width == 0:
            raise ValueError(f"the picture has {width} x {height} pixels; give one that is not empty")
        squeezed = crop_image(image, Crop(0, 0, height, width, False), self.image_hw)  # (M, h, w)
        images = self.normalise(torch.from_numpy(squeezed)).unsqueeze(0).to(next(self.model.parameters()).device)
        everything = torch.arange(self.grid[0] * self.grid[1], device=images.device).unsqueeze(0)
        encoded = encode_visible(self.model.encoder, images, everything)
        ids_shuffle = self._views.to(images.device)
        num_visible = -(-ids_shuffle.shape[1] // len(ids_shuffle))
        return ImageEmbedding((height, width), self._branch.contexts(encoded, ids_shuffle, num_visible))

    def segment(self, embedding: ImageEmbedding, prompt: Prompt) -> ObjectMask:
        """Outline the object that is marked; several threads may ask at once.

        Args:
            embedding: Of `embed`.
            prompt: The marks.

        Returns:
            The mask, at the picture's own size.

        Raises:
            ValueError: A mark lies beside the picture, or the embedding is that of a segmenter of another size.
        """
        prompt.check_fits(embedding.size_hw)
        known = known_region(prompt, embedding.size_hw, model_hw=self.image_hw, patch_size=self.patch_size)
        settled = torch.from_numpy(self.predict_region(embedding, known))
        probability = functional.interpolate(settled[None, None], size=embedding.size_hw, mode="bilinear")[0, 0].numpy()
        mask = _without_specks(probability >= 0.5, prompt)
        return ObjectMask(mask, probability, _expected_iou(probability, mask))

    def predict_region(self, embedding: ImageEmbedding, known: KnownRegion) -> np.ndarray:
        """Answer marks at the size at which the model sees pictures: all that the model does for a mark.

        Args:
            embedding: Of `embed`.
            known: What the marks make known.

        Returns:
            Probability in [0, 1] that a pixel is of the object, shape (h, w) float32; 1 or 0 at the marks themselves.
        """
        probability, patches = self._complete(embedding, known.visible, known.region), known.visible
        if self._assume_background:
            patches = known.visible | self._least_likely(probability, known)
            probability = self._complete(embedding, patches, known.region)
        # What is predicted for a visible patch means something only where a place knows nothing of the map.
        knows_map = not isinstance(self._branch.decoder, LengthDecoder)
        weight = self._enlarge(patches).astype(np.float32) if knows_map else known.certainty
        return weight * known.region + (1 - weight) * probability

    def set_image(self, image: np.ndarray) -> None:
        """Look at a picture and remember it for `predict`; argument and errors are those of `embed`."""
        self._embedding = self.embed(image)

    def predict(
        self,
        *,
        points_xy: Sequence[tuple[float, float]] = (),
        positive: Sequence[bool] = (),
        box_xyxy: tuple[float, float, float, float] | None = None,
        scribbles: np.ndarray | None = None,
    ) -> ObjectMask:
        """Outline an object in the picture of `set_image`.

        Args:
            points_xy: Points that were clicked, in pixels of the picture, from its upper left corner.
            positive: One a point: True = on the object, False = beside it.
            box_xyxy: Left, top, right and bottom of a box around the object.
            scribbles: Shape (H, W) int8: 1 = object, -1 = background, 0 = not marked.

        Returns:
            The mask, at the picture's own size.

        Raises:
            ValueError: There is no picture yet, nothing marks the object, or a mark is malformed or beside the picture.
        """
        if self._embedding is None:
            raise ValueError("there is no picture yet; call set_image first")
        prompt = Prompt(points_xy=tuple(points_xy), positive=tuple(positive), box_xyxy=box_xyxy, scribbles=scribbles)
        return self.segment(self._embedding, prompt)

    def complete(self, embedding: ImageEmbedding, region: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Complete a region map that is known in part.

        Args:
            embedding: Of `embed`.
            region: Shape (h, w) bool, at the model's size; only visible patches are looked at.
            visible: Patches in which it is known, at least one, shape (L,) bool in raster order.

        Returns:
            Probability in [0, 1] that a pixel is of the region, what is known pasted; shape (h, w) float32.

        Raises:
            ValueError: No patch is visible.
        """
        if not visible.any():
            raise ValueError("no patch of the region is visible; make at least one known")
        patches = visible.reshape(self.grid)
        return np.where(self._enlarge(patches), region, self._complete(embedding, patches, region)).astype(np.float32)

    def to_model_size(self, mask: np.ndarray) -> np.ndarray:
        """Bring a mask (H, W) bool to the size at which the model sees pictures, (h, w): nearest at pixel centres."""
        rows, columns = sample_positions(Crop(0, 0, mask.shape[0], mask.shape[1], False), self.image_hw)
        return mask[rows[:, None], columns]

    @torch.inference_mode()
    def _complete(self, embedding: ImageEmbedding, visible: np.ndarray, region: np.ndarray) -> np.ndarray:
        """Probability of every pixel, (h, w) float32, from patches (rows, columns) of a region (h, w) bool."""
        num_places = embedding.contexts.shape[1] - 1
        if num_places != math.prod(self.grid):
            raise ValueError(
                f"the embedding is of {num_places} patches, but this segmenter sees {math.prod(self.grid)}; embed the "
                "picture with the same segmenter"
            )
        device = embedding.contexts.device
        ids_shuffle = torch.from_numpy(np.argsort(~visible.ravel(), kind="stable")).unsqueeze(0)
        num_regions = self._branch.encoder.channels  # 1, or R in the channel variant, where all channels get the region
        regions = torch.from_numpy(region)[None, None].expand(-1, num_regions, -1, -1)
        logits = self._branch.complete(
            regions.to(device), embedding.contexts, ids_shuffle.to(device), int(visible.sum())
        )  # (V, R, L, P*P)
        probability = logits.float().sigmoid().mean(dim=(0, 1))  # (L, P*P)
        return unpatchify(probability, self.patch_size, self.grid)[0].cpu().numpy()

    def _least_likely(self, probability: np.ndarray, known: KnownRegion) -> np.ndarray:
        """Patches to take for background, (rows, columns) bool: some of the half that is least likely the object."""
        rows, columns = self.grid
        likely = probability.reshape(rows, self.patch_size, columns, self.patch_size).mean(axis=(1, 3))
        least = (likely <= np.median(likely)) & (likely < 0.5)
        return least & ~known.visible & (_part_of_patches(self.grid, _SPACING) == 0)

    def _enlarge(self, patches: np.ndarray) -> np.ndarray:
        """From patches (rows, columns) to pixels (h, w)."""
        return patches.repeat(self.patch_size, axis=0).repeat(self.patch_size, axis=1)


def _part_of_patches(grid: tuple[int, int], num_parts: int) -> np.ndarray:
    """Share patches out evenly to parts: which one each belongs to, shape (rows, columns) int64."""
    rows, columns = np.indices(grid)
    return (columns + max(1, round(math.sqrt(num_parts))) * rows) % num_parts


def _spread_views(grid: tuple[int, int], num_views: int) -> Tensor:
    """Orders of the L patches, one a view, (V, L): the first L / V of each, rounded up, together are all of them."""
    order = torch.argsort(torch.from_numpy(_part_of_patches(grid, num_views)).flatten(), stable=True)
    return torch.stack([order.roll(-(view * len(order) // num_views)) for view in range(num_views)])


def _branch_that_sees(model: MaskedAutoencoder) -> RegionBranch:
    branch, dtype = model.region_branch, next(model.parameters()).dtype
    if dtype != torch.float32:
        raise ValueError(f"the weights of this model are {dtype}; turn them into float32 with model.float()")
    if branch is None:
        raise ValueError(
            "this model has no region branch, so it cannot complete regions; take one that was trained as rmae or rae"
        )
    if isinstance(branch.neck, BlindSequenceDecoder):
        raise ValueError(
            f"the region branch of this model sees no pixels (feeding {model.config.feeding}), so it cannot tell "
            "objects from their surroundings; take one that was trained with pixel_to_region or both"
        )
    return branch


def _normalise_for(model: MaskedAutoencoder) -> Normalise:
    mean, std = model.pixel_mean, model.pixel_std
    if mean is None or std is None:
        if model.config.channels != len(IMAGENET_MEAN):
            raise ValueError(
                f"it is not known what this model's {model.config.channels} channel(s) are normalised by; set its "
                "pixel_mean and pixel_std"
            )
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    return Normalise(mean, std)


def _without_specks(mask: np.ndarray, prompt: Prompt) -> np.ndarray:
    """A mask (H, W) without small pieces that no mark of the object lies in; pixels of a piece touch by their sides."""
    pieces = np.asarray(label(mask, connectivity=1))
    if pieces.max() < 2:
        return mask
    kept = np.bincount(pieces.ravel()) >= _SPECK * np.count_nonzero(mask)
    for (x, y), positive in zip(prompt.points_xy, prompt.positive, strict=True):
        kept[pieces[int(y), int(x)]] |= positive
    if prompt.scribbles is not None:
        kept[pieces[prompt.scribbles == OBJECT]] = True
    kept[0] = False
    return kept[pieces]


def _expected_iou(probability: np.ndarray, mask: np.ndarray) -> float:
    """IoU of a mask with an object whose pixels are drawn independently: mean of the overlap over mean of the union."""
    inside = float(probability[mask].sum(dtype=np.float64))
    union = np.count_nonzero(mask) + float(probability[~mask].sum(dtype=np.float64))
    return inside / union if union > 0 else 0.0
