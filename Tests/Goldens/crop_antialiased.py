"""Writes crop_antialiased.safetensors: RandomResizedCrop's crops with antialias=True.

    python Tests/Goldens/crop_antialiased.py     (needs torch, torchvision, safetensors)
"""

from pathlib import Path

import torch

# Wheels of torchvision for another build of torch lack their compiled operators, which are not
# needed here.
for name in ["nms", "qnms", "roi_align", "ps_roi_align", "roi_pool"]:
    torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")

import torchvision
from safetensors.torch import save_file
from torchvision.transforms.v2.functional import resized_crop

# top, left, height, width: larger and smaller than the result, and the whole image.
BOXES = [(3, 5, 30, 22), (0, 0, 40, 36), (10, 1, 9, 31), (2, 2, 16, 16)]
SIZE = (16, 16)

torch.manual_seed(7)
images = torch.rand(len(BOXES), 3, 40, 36)
crops = [
    resized_crop(image, *box, list(SIZE), antialias=True) for image, box in zip(images, BOXES)
]
save_file(
    {
        "input.images": images,
        "input.boxes": torch.tensor(BOXES),
        "expected.crops": torch.stack(crops),
    },
    Path(__file__).with_suffix(".safetensors"),
    {
        "source": "torchvision.transforms.v2.functional.resized_crop",
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "seed": "7",
        "tolerance": "1e-6 absolute",
    },
)
