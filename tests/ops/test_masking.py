import torch

from rmae.ops.grid import num_visible_patches
from rmae.ops.masking import hidden_patches, insert_mask_tokens


def test_the_number_of_visible_patches_is_truncated():
    assert num_visible_patches(196, 0.75) == 49
    assert num_visible_patches(196, 0.9) == 19  # 19.6
    assert num_visible_patches(10, 0.95) == 0


def test_mask_tokens_stand_at_the_hidden_places():
    visible = torch.tensor([[[10.0], [20.0]]])
    ids_shuffle = torch.tensor([[3, 1, 0, 2]])

    tokens = insert_mask_tokens(visible, torch.full((1, 1, 1), -1.0), ids_shuffle)

    assert tokens.squeeze().tolist() == [-1, 20, -1, 10]


def test_mask_tokens_are_inserted_into_every_map_of_an_image():
    visible = torch.tensor([[[[10.0], [20.0]], [[30.0], [40.0]]]])
    tokens = insert_mask_tokens(visible, torch.full((1, 1, 1), -1.0), torch.tensor([[3, 1, 0, 2]]))
    assert tokens.squeeze(-1).tolist() == [[[-1, 20, -1, 10], [-1, 40, -1, 30]]]


def test_hidden_patches_are_all_but_the_head_of_the_permutation():
    hidden = hidden_patches(torch.tensor([[3, 1, 0, 2], [0, 1, 2, 3]]), 1)
    assert hidden.tolist() == [[True, True, True, False], [False, True, True, True]]
