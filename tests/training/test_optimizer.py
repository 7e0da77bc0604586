from rmae import build_model
from rmae.training.optimizer import build_optimizer


def test_only_norms_and_biases_are_spared_from_decay(config):
    model = build_model(config.model)

    decayed, spared = build_optimizer(model, config.optimizer).param_groups

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert decayed["weight_decay"] == 0.05
    assert spared["weight_decay"] == 0
    spared_names = {names[id(parameter)] for parameter in spared["params"]}
    decayed_names = {names[id(parameter)] for parameter in decayed["params"]}
    assert all(name.endswith("bias") or "norm" in name for name in spared_names)
    assert not any(name.endswith("bias") or "norm" in name for name in decayed_names)
    tokens = {"encoder.cls_token", "pixel_decoder.sequence.mask_token", "region_branch.neck.mask_token"}
    assert tokens <= decayed_names
    assert spared_names | decayed_names == set(names.values()) - {"encoder.pos_embed"}


def test_betas_are_the_methods(config):
    optimizer = build_optimizer(build_model(config.model), config.optimizer)
    assert optimizer.defaults["betas"] == (0.9, 0.95)
    assert optimizer.defaults["fused"]
