"""Writes how diffusers names the tensors of DiT and of the autoencoders.

    pip install torch==2.13.0 diffusers==0.30.3 huggingface_hub==0.25.2 safetensors
    python diffusers_layouts.py ..

- diffusers_dit.safetensors: a tiny DiTTransformer2DModel with random weights and its output at
  t = 0, where its embedding of time is the one of facebookresearch/DiT (at others it is not: the
  frequencies are spaced by 1/127 instead of 1/128).
- diffusers_layouts.json: names and shapes of AutoencoderTiny, and to which name of AutoencoderKL
  the converter of diffusers brings each name of CompVis/latent-diffusion.
"""

import json
import sys

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
from safetensors.torch import save_file

SEED = 1602
SIZES = dict(
    num_attention_heads=2,
    attention_head_dim=8,
    in_channels=4,
    out_channels=8,
    num_layers=3,
    sample_size=8,
    patch_size=2,
    num_embeds_ada_norm=5,
)
LEVELS = [8, 16, 16, 16]


def dit(path):
    torch.manual_seed(SEED)
    model = DiTTransformer2DModel(**SIZES).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.2)
        # The embedders are one module in the original, copied into every block.
        first = model.transformer_blocks[0].norm1.emb.state_dict()
        for block in model.transformer_blocks[1:]:
            block.norm1.emb.load_state_dict(first)
        x = torch.randn(3, 4, 8, 8)
        y = torch.tensor([0, 3, 5])
        out = model(x, timestep=torch.zeros(3, dtype=torch.int64), class_labels=y).sample
    tensors = {f"model.{name}": value.clone() for name, value in model.state_dict().items()}
    tensors |= {"input.x": x, "input.y": y, "expected.out": out}
    config = {
        "input_size": SIZES["sample_size"],
        "num_heads": SIZES["num_attention_heads"],
        "depth": SIZES["num_layers"],
        "hidden_size": SIZES["num_attention_heads"] * SIZES["attention_head_dim"],
        "num_classes": SIZES["num_embeds_ada_norm"],
    }
    metadata = {
        "description": "Tiny DiTTransformer2DModel of diffusers at t = 0.",
        "source": "huggingface/diffusers 0.30.3 DiTTransformer2DModel.forward",
        "seed": str(SEED),
        "torch": torch.__version__,
        "config": json.dumps(config),
        "tolerance": "max|a-b| <= 2e-4 * max|b|",
    }
    save_file(tensors, path, metadata)


def latent_diffusion_names():
    """Names of Encoder and Decoder in ldm/modules/diffusionmodules/model.py, with sizes."""
    names = {}

    def layer(name, *shape):
        names[f"{name}.weight"] = shape
        names[f"{name}.bias"] = shape[:1]

    def block(name, inputs, outputs):
        layer(f"{name}.norm1", inputs)
        layer(f"{name}.conv1", outputs, inputs, 3, 3)
        layer(f"{name}.norm2", outputs)
        layer(f"{name}.conv2", outputs, outputs, 3, 3)
        if inputs != outputs:
            layer(f"{name}.nin_shortcut", outputs, inputs, 1, 1)

    def middle(name, width):
        block(f"{name}.block_1", width, width)
        layer(f"{name}.attn_1.norm", width)
        for part in ["q", "k", "v", "proj_out"]:
            layer(f"{name}.attn_1.{part}", width, width, 1, 1)
        block(f"{name}.block_2", width, width)

    width = LEVELS[0]
    layer("encoder.conv_in", width, 3, 3, 3)
    for level, outputs in enumerate(LEVELS):
        for number in range(2):
            block(f"encoder.down.{level}.block.{number}", width, outputs)
            width = outputs
        if level < len(LEVELS) - 1:
            layer(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    middle("encoder.mid", width)
    layer("encoder.norm_out", width)
    layer("encoder.conv_out", 8, width, 3, 3)
    layer("decoder.conv_in", width, 4, 3, 3)
    middle("decoder.mid", width)
    for level in reversed(range(len(LEVELS))):
        for number in range(3):
            block(f"decoder.up.{level}.block.{number}", width, LEVELS[level])
            width = LEVELS[level]
        if level > 0:
            layer(f"decoder.up.{level}.upsample.conv", width, width, 3, 3)
    layer("decoder.norm_out", width)
    layer("decoder.conv_out", 3, width, 3, 3)
    layer("quant_conv", 8, 8, 1, 1)
    layer("post_quant_conv", 4, 4, 1, 1)
    return names


def autoencoders():
    names = latent_diffusion_names()
    # Each tensor carries its number, so that it is known again behind the converter.
    numbered = {name: torch.full(shape, float(i)) for i, (name, shape) in enumerate(names.items())}
    kinds = len(LEVELS)
    model = AutoencoderKL(
        block_out_channels=LEVELS,
        down_block_types=["DownEncoderBlock2D"] * kinds,
        up_block_types=["UpDecoderBlock2D"] * kinds,
        layers_per_block=2,
        norm_num_groups=4,
        latent_channels=4,
    )
    converted = convert_ldm_vae_checkpoint(dict(numbered), dict(model.config))
    model.load_state_dict(converted)
    back = {int(tensor.flatten()[0]): name for name, tensor in converted.items()}
    rows = [
        {
            "ldm": name,
            "ldmShape": list(shape),
            "diffusers": back[i],
            "diffusersShape": list(converted[back[i]].shape),
        }
        for i, (name, shape) in enumerate(names.items())
    ]
    tiny = {name: list(tensor.shape) for name, tensor in AutoencoderTiny().state_dict().items()}
    return {"autoencoderKL": rows, "autoencoderTiny": tiny}


if __name__ == "__main__":
    folder = sys.argv[1]
    dit(f"{folder}/diffusers_dit.safetensors")
    with open(f"{folder}/diffusers_layouts.json", "w") as file:
        json.dump(autoencoders(), file, separators=(",", ":"))
        file.write("\n")
