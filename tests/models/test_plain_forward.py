"""Every choice computes what the method's text says, written out plainly: one image, all tokens, no shortcut."""

import itertools

import pytest
import torch
from torch.nn.functional import gelu


def attend(q, k, v, num_heads):
    """Attention by its formula; (N, C) and (T, C) give (N, C)."""
    q, k, v = (x.view(len(x), num_heads, -1).transpose(0, 1) for x in (q, k, v))  # (heads, ., C/heads)
    attention = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return (attention @ v).transpose(0, 1).flatten(1)


def self_attention(layer, tokens, num_heads):
    return layer.proj(attend(*layer.qkv(tokens).chunk(3, dim=-1), num_heads))


def block(layer, tokens, num_heads):
    tokens = tokens + self_attention(layer.attn, layer.norm1(tokens), num_heads)
    return tokens + layer.mlp(layer.norm2(tokens))


def cross_block(layer, tokens, context, num_heads):
    tokens = tokens + self_attention(layer.attn, layer.norm1(tokens), num_heads)
    k, v = layer.cross_attn.kv(context).chunk(2, dim=-1)
    q = layer.cross_attn.q(layer.norm2(tokens))
    tokens = tokens + layer.cross_attn.proj(attend(q, k, v, num_heads))
    return tokens + layer.mlp(layer.norm3(tokens))


class PlainForward:
    """The predictions of a model for one image, all of them, in raster order."""

    def __init__(self, model, image, regions, visible, visible_of_regions):
        self.model, self.config = model, model.config
        self.visible, self.visible_of_regions = visible, visible_of_regions
        self.num_patches = model.encoder.patch_embed.num_patches
        self.encoded = self.encode(image)
        self.queries = None
        self.logits = self.complete(regions.to(image.dtype) - 0.5)  # (R, L, P*P)
        self.pixels = self.reconstruct()  # (L, P*P*M)

    def encode(self, image):
        encoder = self.model.encoder
        patches = encoder.patch_embed.proj(image[None])[0].flatten(1).T + encoder.pos_embed[0, 1:]
        tokens = torch.cat([encoder.cls_token[0] + encoder.pos_embed[0, :1], patches[self.visible]])
        for layer in encoder.blocks:
            tokens = block(layer, tokens, self.config.encoder_shape.num_heads)
        return encoder.norm(tokens)

    def fill(self, decoder, fed):
        """Class token and all patches before the first block, (1 + L, C)."""
        tokens = decoder.mask_token[0].repeat(1 + self.num_patches, 1)
        if fed:
            embedded = decoder.embed(self.encoded)
            tokens[0], tokens[1 + self.visible] = embedded[0], embedded[1:]
        return tokens + decoder.pos_embed[0]

    def context(self):
        neck = self.model.region_branch.neck
        tokens = self.fill(neck, fed=self.config.feeding in ("pixel_to_region", "both"))
        for layer in neck.blocks:
            tokens = block(layer, tokens, self.config.region_decoder_num_heads)
        return neck.norm(tokens)

    def encode_regions(self, maps):
        """Visible tokens of maps (G, channels, H, W), (G, K, C)."""
        encoder = self.model.region_branch.encoder
        tokens = encoder.patch_embed(maps).flatten(2).transpose(1, 2) + encoder.pos_embed
        encoded = []
        for of_map in tokens[:, self.visible_of_regions]:
            for layer in encoder.blocks:
                of_map = block(layer, of_map, self.config.region_encoder_num_heads)
            encoded.append(of_map)
        return torch.stack(encoded)

    def complete(self, maps):
        context, num_heads = self.context(), self.config.region_decoder_num_heads
        decoder = self.model.region_branch.decoder
        if self.config.region_variant == "length":
            self.queries = decoder.query_proj(decoder.query_norm(self.encode_regions(maps[:, None]).mean(dim=1)))
            queries = self.queries
            for layer in decoder.blocks:
                queries = cross_block(layer, queries, context, num_heads)
            last = decoder.expansion
            queries = queries + self_attention(last.attn, last.norm1(queries), num_heads)
            tokens = last.norm2(queries[:, None] + last.context_proj(context)[None, 1:])  # (R, L, C)
            return decoder.prediction(gelu(last.mlp.fc2(gelu(last.mlp.fc1(tokens)))))
        of_one_map = self.config.region_variant == "channel"
        predicted = []
        for of_map in self.encode_regions(maps[None] if of_one_map else maps[:, None]):
            tokens = decoder.maps.mask_token[0].repeat(self.num_patches, 1)
            tokens[self.visible_of_regions] = of_map
            tokens = tokens + decoder.maps.pos_embed[0]
            for layer in decoder.maps.blocks:
                tokens = cross_block(layer, tokens, context, num_heads)
            predicted.append(decoder.prediction(decoder.maps.norm(tokens)))
        if of_one_map:  # the channel is the fastest, as in images
            return predicted[0].view(self.num_patches, -1, len(maps)).permute(2, 0, 1)
        return torch.stack(predicted)

    def reconstruct(self):
        decoder = self.model.pixel_decoder
        tokens = self.fill(decoder.sequence, fed=True)
        if self.config.feeding in ("region_to_pixel", "both"):
            tokens = torch.cat([tokens, decoder.query_proj(self.queries)])
        for layer in decoder.sequence.blocks:
            tokens = block(layer, tokens, self.config.decoder_num_heads)
        return decoder.prediction(decoder.sequence.norm(tokens))[1 : 1 + self.num_patches]


FEEDINGS = {
    "length": ["pixel_to_region", "region_to_pixel", "both", "none"],
    "batch": ["pixel_to_region", "none"],
    "channel": ["pixel_to_region", "none"],
}


@pytest.mark.parametrize("own_mask", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(("variant", "feeding"), [(v, f) for v, feedings in FEEDINGS.items() for f in feedings])
def test_predictions_are_those_of_the_formulas(make_case, variant, feeding, depth, own_mask):
    for neck_depth, ratio in itertools.product([1, 2], [None, 0.5]):
        case = make_case(
            region_variant=variant, feeding=feeding, region_decoder_depth=depth, neck_depth=neck_depth,
            region_mask_ratio=ratio, decoder_depth=2, region_decoder_num_heads=4,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(1)
        for parameter in case.model.parameters():  # norms and biases, too, shall matter
            if parameter.requires_grad:
                parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        ids = case.ids_shuffle.flip(0) if own_mask else case.ids_shuffle

        output = case.run(region_ids_shuffle=ids if own_mask else None)

        visible, visible_of_regions = case.ids_shuffle[:, :6], ids[:, : case.config.region_num_visible]
        for i in range(2):
            plain = PlainForward(case.model, case.images[i], case.regions[i], visible[i], visible_of_regions[i])
            torch.testing.assert_close(output.region_logits[i], plain.logits[:, output.region_ids[i]])
            torch.testing.assert_close(output.pixel_prediction[i], plain.pixels[output.pixel_ids[i]])
