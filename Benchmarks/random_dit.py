"""Writes a DiT with random weights, as large as a published one, to try the costs of it.

    Benchmarks/random_dit.py XL/2 /tmp/dit-xl-2.pt --vae /tmp/vae

The file has the names of facebookresearch/DiT: a `.pt` is what torch.save writes, a `.safetensors`
what the safetensors package writes. With --vae the folder gets an AutoencoderKL of diffusers with
the settings of stabilityai/sd-vae-ft-ema, for which the diffusers package is needed. Needs torch.
"""

import argparse
import math

import torch

# Depth, width and heads by name.
SIZES = {"S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16), "XL": (28, 1152, 16)}
GRID, CHANNELS, CLASSES, PATCH = 16, 4, 1000, 2

VAE_SETTINGS = {
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "sample_size": 256,
}


def position_table(width):
    """Sines and cosines of the column, then of the row: [1, GRID², width]."""
    frequencies = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(GRID, dtype=torch.float64)[:, None] * frequencies
    half = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = half.repeat(GRID, 1), half.repeat_interleave(GRID, dim=0)
    return torch.cat([columns, rows], dim=1).float()[None]


def weights(name, seed=0):
    """The tensors of a DiT by name. Nothing is zero, so that every weight counts."""
    size, patch = name.split("/")
    if int(patch) != PATCH:
        raise ValueError(f"there is no {name}: expected S/2, B/2, L/2 or XL/2")
    depth, width, _ = SIZES[size]
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, deviation=0.02):
        return torch.randn(*shape, generator=generator) * deviation

    state = {"pos_embed": position_table(width)}

    def layer(prefix, outputs, *inputs):
        deviation = 1 / math.sqrt(math.prod(inputs))
        state[f"{prefix}.weight"] = normal(outputs, *inputs, deviation=deviation)
        state[f"{prefix}.bias"] = normal(outputs)

    layer("x_embedder.proj", width, CHANNELS, PATCH, PATCH)
    layer("t_embedder.mlp.0", width, 256)
    layer("t_embedder.mlp.2", width, width)
    state["y_embedder.embedding_table.weight"] = normal(CLASSES + 1, width)
    for block in range(depth):
        layer(f"blocks.{block}.attn.qkv", 3 * width, width)
        layer(f"blocks.{block}.attn.proj", width, width)
        layer(f"blocks.{block}.mlp.fc1", 4 * width, width)
        layer(f"blocks.{block}.mlp.fc2", width, 4 * width)
        layer(f"blocks.{block}.adaLN_modulation.1", 6 * width, width)
    layer("final_layer.linear", PATCH * PATCH * 2 * CHANNELS, width)
    layer("final_layer.adaLN_modulation.1", 2 * width, width)
    return state


def save(state, path):
    if path.endswith(".safetensors"):
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save(state, path)


def save_autoencoder(folder, seed=0):
    from diffusers import AutoencoderKL

    torch.manual_seed(seed)
    AutoencoderKL(**VAE_SETTINGS).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=[f"{size}/{PATCH}" for size in SIZES])
    parser.add_argument("file", help="what to write: .pt or .safetensors")
    parser.add_argument("--vae", metavar="DIR", help="also write an autoencoder into this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    save(weights(options.model, options.seed), options.file)
    if options.vae:
        save_autoencoder(options.vae, options.seed)


if __name__ == "__main__":
    main()
