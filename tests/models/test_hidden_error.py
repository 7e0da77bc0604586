import pytest
import torch

from rmae.models.completion import complete
from rmae.models.hidden_error import flat_guess, hidden_error

HIDDEN = torch.tensor([[True, False], [False, True]]).reshape(1, 4)


def test_the_error_counts_hidden_patches_alone():
    truth = torch.zeros(1, 3, 8, 8)
    guess = truth.clone()
    guess[..., :4, :4] = 0.3  # hidden
    guess[..., 4:, 4:] = -0.4  # hidden
    guess[..., :4, 4:] = 9.0  # visible
    expected = ((0.3**2 + 0.4**2) / 2) ** 0.5
    assert hidden_error(guess, truth, HIDDEN, patch_size=4).item() == pytest.approx(expected)


def test_each_image_has_an_error_of_its_own():
    truth = torch.rand(2, 1, 8, 8)
    guess = truth + torch.tensor([0.1, 0.5]).view(2, 1, 1, 1)
    errors = hidden_error(guess, truth, HIDDEN.expand(2, -1), patch_size=4)
    torch.testing.assert_close(errors, torch.tensor([0.1, 0.5]))


def test_the_flat_guess_is_the_mean_colour_of_what_is_visible():
    images = torch.zeros(1, 2, 8, 8)
    images[0, :, :4, 4:] = torch.tensor([1.0, 5.0]).view(2, 1, 1)  # visible
    images[0, :, 4:, :4] = torch.tensor([3.0, 7.0]).view(2, 1, 1)  # visible
    images[0, :, :4, :4] = 100.0
    flat = flat_guess(images, HIDDEN, patch_size=4, grid=(2, 2), normalize_pixels=False)
    for corner in (flat[0, :, :4, :4], flat[0, :, 4:, 4:]):
        assert (corner[0] == 2).all()
        assert (corner[1] == 6).all()
    assert torch.equal(flat[..., :4, 4:], images[..., :4, 4:])


def test_where_reconstructions_borrow_the_mean_the_flat_guess_does():
    images = torch.rand(1, 3, 8, 8)
    flat = flat_guess(images, HIDDEN, patch_size=4, grid=(2, 2), normalize_pixels=True)
    torch.testing.assert_close(flat[0, :, :4, :4], images[0, :, :4, :4].mean().expand(3, 4, 4))
    assert torch.equal(flat[..., 4:, :4], images[..., 4:, :4])


def test_it_is_what_a_model_reconstructs_that_predicts_nothing(make_model):
    """A prediction of zeros, brought back with mean and deviation of the true patches, is the flat guess."""
    model = make_model(task="mae")
    with torch.no_grad():
        model.pixel_decoder.prediction.weight.zero_()
        model.pixel_decoder.prediction.bias.zero_()
    images, ids_shuffle = torch.randn(2, 3, 32, 48), torch.rand(2, 24).argsort(dim=1)
    completion = complete(model, images, None, ids_shuffle, normalize_pixels=True)
    flat = flat_guess(images, completion.pixel_hidden, patch_size=8, grid=(4, 6), normalize_pixels=True)
    torch.testing.assert_close(completion.reconstruction, flat)
