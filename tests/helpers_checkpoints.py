"""Random weights under the names and in the shapes of the public checkpoints."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np

# Stages of the U-Nets: convolutions and width in multiples of the first stage's.
UNET = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 4), (2, 2), (2, 1))
QAZ = (
    "down_block_1", "down_block_2", "down_block_3", "bottleneck",
    "up_block_1", "up_block_2", "up_block_3",
)  # fmt: skip
WASB = (
    "inc.double_conv", "down1.maxpool_conv.1.double_conv", "down2.maxpool_conv.1.triple_conv",
    "down3.maxpool_conv.1.triple_conv", "up1.conv.triple_conv", "up2.conv.double_conv",
    "up3.conv.double_conv",
)  # fmt: skip
ANINSOMNIACY = ("enc1", "enc2", "enc3", "enc4", "dec1", "dec2", "dec3")
MAREKSUBOCZ = (
    "vgg_conv1", "vgg_conv2", "vgg_conv3", "vgg_conv4", "unet_conv1", "unet_conv2", "unet_conv3",
)  # fmt: skip
ALENZENX = ((7, 1), (7, 2), (7, 4), (3, 8), (2, 4), (2, 2), (2, 1))


class Drawer:
    """Draws a checkpoint's weights one after the other."""

    def __init__(self, seed: int = 0) -> None:
        self.rng, self.state = np.random.default_rng(seed), {}

    def conv(self, stem, out, into, *kernel, bias=True):
        scale = np.sqrt(2 / (into * np.prod(kernel)))
        self.add(f"{stem}.weight", self.rng.normal(0, scale, (out, into, *kernel)))
        if bias:
            self.add(f"{stem}.bias", self.rng.normal(0, 0.1, out))

    def norm(self, stem, length, gain=0.7):
        """The gain keeps values from growing with depth, as training does."""
        self.add(f"{stem}.weight", self.rng.uniform(0.5, 1.5, length) * gain)
        self.add(f"{stem}.bias", self.rng.normal(0, 0.2, length))
        self.add(f"{stem}.running_mean", self.rng.normal(0, 0.2, length))
        self.add(f"{stem}.running_var", self.rng.uniform(0.3, 1.5, length))
        self.state[f"{stem}.num_batches_tracked"] = np.array(7)

    def unet(self, channels, width, names, *, bias, stages=UNET):
        """`names(stage, k)` gives the stems of convolution and normalisation."""
        into = channels
        for stage, (convs, factor) in enumerate(stages):
            out = factor * width
            if stage > 3:
                into += 8 * width // 2 ** (stage - 3)
            for k in range(convs):
                conv, norm = names(stage, k)
                self.conv(conv, out, into, 3, 3, bias=bias)
                self.norm(norm, out)
                into = out

    def transformer(self, stem, values, feed):
        self.conv(f"{stem}.self_attn.in_proj", 3 * values, values)
        for part in ("weight", "bias"):
            whole = self.state.pop(f"{stem}.self_attn.in_proj.{part}")
            self.state[f"{stem}.self_attn.in_proj_{part}"] = whole
        self.conv(f"{stem}.self_attn.out_proj", values, values)
        self.conv(f"{stem}.linear1", feed, values)
        self.conv(f"{stem}.linear2", values, feed)
        for number in (1, 2):
            self.add(f"{stem}.norm{number}.weight", self.rng.uniform(0.5, 1.5, values))
            self.add(f"{stem}.norm{number}.bias", self.rng.normal(0, 0.1, values))

    def add(self, name, values):
        self.state[name] = np.asarray(values, np.float32)


def draw_qaz(width=64, frames=8, channels=27):
    d = Drawer()
    d.unet(channels, width, lambda s, k: named(f"{QAZ[s]}.conv_{k + 1}"), bias=False)
    d.conv("predictor", frames, width, 1, 1)
    return d.state


def named(stem):
    return f"{stem}.conv", f"{stem}.bn"


def draw_inpaintnet(width=32):
    d = Drawer()
    stems = ("down_1", "down_2", "down_3", "buttleneck.conv_1", "buttleneck.conv_2")
    widths = (1, 2, 4, 8, 8)
    into = 3
    for stem, factor in zip(stems, widths, strict=True):
        d.conv(f"{stem}.conv", factor * width, into, 3)
        into = factor * width
    for stem, factor, skip in (("up_1", 4, 4), ("up_2", 2, 2), ("up_3", 1, 1)):
        d.conv(f"{stem}.conv", factor * width, into + skip * width, 3)
        into = factor * width
    d.conv("predictor", 2, width, 3)
    return d.state


def draw_wasb_tracknetv2(width=64):
    d = Drawer()
    d.unet(9, width, lambda s, k: (f"{WASB[s]}.{3 * k}", f"{WASB[s]}.{3 * k + 2}"), bias=True)
    d.conv("outc.conv", 3, width, 1, 1)
    return d.state


def draw_monotrack(width=32, halved=True):
    d = Drawer()
    for k, into in ((1, 9), (2, width)):
        d.conv(f"inc.conv{k}.0", width, into, 3, 3)
        d.norm(f"inc.conv{k}.1", width)

    def residual(stem, into, out, convs):
        d.conv(f"{stem}.conv0", out, into, 1, 1)
        for k in range(convs):
            d.conv(f"{stem}.convs.conv{k}", out, out if k else into, 3, 3)
            d.norm(f"{stem}.convs.bn{k}", out)

    for n, convs, into in ((1, 2, 1), (2, 3, 2), (3, 3, 4)):
        residual(f"down{n}.maxpool_conv.1", into * width, 2 * into * width, convs)
    for n, convs, into in ((1, 3, 8), (2, 2, 4), (3, 2, 2)):
        up = into * width // (2 if halved else 1)
        d.conv(f"up{n}.up", into * width, up, 2, 2, bias=False)
        d.state[f"up{n}.up.bias"] = d.rng.normal(0, 0.1, up).astype(np.float32)
        residual(f"up{n}.conv", up + into * width // 2, into * width // 2, convs)
    d.conv("outc.conv", 3, width, 1, 1)
    return d.state


def draw_wasb(stem=64, neck=32, width=16):
    d = Drawer()

    def block(conv, norm, out, into, kernel=3):
        d.conv(conv, out, into, kernel, kernel, bias=False)
        d.norm(norm, out, gain=0.4)  # of many sums

    block("conv1", "bn1", stem, 9)
    block("conv2", "bn2", stem, stem)
    block("layer1.0.conv1", "layer1.0.bn1", neck, stem, 1)
    block("layer1.0.conv2", "layer1.0.bn2", neck, neck)
    block("layer1.0.conv3", "layer1.0.bn3", 4 * neck, neck, 1)
    block("layer1.0.downsample.0", "layer1.0.downsample.1", 4 * neck, stem, 1)
    block("transition1.0.0", "transition1.0.1", width, 4 * neck)
    block("transition1.1.0.0", "transition1.1.0.1", 2 * width, 4 * neck)
    for stage in (2, 3, 4):
        if stage > 2:
            name = f"transition{stage - 1}.{stage - 1}.0"
            block(f"{name}.0", f"{name}.1", width * 2 ** (stage - 1), width * 2 ** (stage - 2))
        widths = [width * 2**i for i in range(stage)]
        for i, own in enumerate(widths):
            for name in (f"stage{stage}.0.branches.{i}.{b}" for b in (0, 1)):
                block(f"{name}.conv1", f"{name}.bn1", own, own)
                block(f"{name}.conv2", f"{name}.bn2", own, own)
            for j, other in enumerate(widths):
                name = f"stage{stage}.0.fuse_layers.{i}.{j}"
                if j > i:
                    block(f"{name}.0", f"{name}.1", own, other, 1)
                for k in range(i - j):
                    out = own if k == i - j - 1 else other
                    block(f"{name}.{k}.0", f"{name}.{k}.1", out, other)
    d.conv("final_layers.0", 3, width, 1, 1)
    return d.state


def draw_yastrebksv(width=64, classes=256):
    d = Drawer()
    for n, (out, into) in enumerate(v1_convs(9, width, 4 * width, classes), start=1):
        d.conv(f"conv{n}.block.0", out, into, 3, 3)
        d.norm(f"conv{n}.block.2", out)
    return d.state


def v1_convs(channels, width, decoder, classes):
    widths = [width * n for n in (1, 1, 2, 2, 4, 4, 4, 8, 8, 8)] + [decoder] * 3
    widths += [2 * width, 2 * width, width, width, classes]
    return list(zip(widths, [channels, *widths[:-1]], strict=True))


def draw_alenzenx(width=64):
    d = Drawer()
    into = 9
    for n, factor in ((1, 1), (2, 2), (3, 4)):
        out = factor * width
        shapes = ((into, 1), (out, 3), (into, 3), (out, 3), (into, 5), (out, 3), (3 * out, 3))
        for k, (channels, kernel) in enumerate(shapes, start=1):
            d.conv(f"down_block_{n}.conv_{k}.conv", out, channels, kernel, kernel)
            d.norm(f"down_block_{n}.conv_{k}.bn", out)
        into = out
    for stem, out, channels in (
        *(
            (f"bottleneck.conv_{k}", 8 * width, 4 * width if k == 1 else 8 * width)
            for k in (1, 2, 3)
        ),
        *((f"up_block_1.conv_{k}", 4 * width, 12 * width if k == 1 else 4 * width) for k in (1, 2)),
        *((f"up_block_2.conv_{k}", 2 * width, 6 * width if k == 1 else 2 * width) for k in (1, 2)),
        *((f"up_block_3.conv_{k}", width, 3 * width if k == 1 else width) for k in (1, 2)),
    ):
        d.conv(f"{stem}.conv", out, channels, 3, 3)
        d.norm(f"{stem}.bn", out)
    d.conv("predictor", 3, width, 1, 1)
    for stem, factor in (
        ("cbam1", 4), ("cbam2", 2), ("cbam3", 1), ("cbam0_2", 4), ("cbam1_2", 2), ("cbam2_2", 1),
    ):  # fmt: skip
        channels = factor * width
        d.conv(f"{stem}.channel_attention.shared_MLP.0", channels // 16, channels, 1, 1, bias=False)
        d.conv(f"{stem}.channel_attention.shared_MLP.2", channels, channels // 16, 1, 1, bias=False)
        d.conv(f"{stem}.spatial_attention.conv2d", 1, 2, 7, 7)
    return d.state


def draw_alenzenx_v2(width=64):
    d = Drawer()
    stages = ((2, 1), (2, 2), (2, 4), (3, 8), (2, 4), (2, 2), (2, 1))
    names = lambda s, k: named(f"{QAZ[s]}.conv_{k + 1}")  # noqa: E731
    d.unet(9, width, names, bias=True, stages=stages)
    d.conv("predictor", 3, width, 1, 1)
    return d.state


def draw_aninsomniacy(width=64, frames=3, channels=9):
    d = Drawer()
    stem = "backbone.{}.{}.{}"
    names = lambda s, k: tuple(stem.format(ANINSOMNIACY[s], k, i) for i in (0, 1))  # noqa: E731
    d.unet(channels, width, names, bias=False)
    d.conv("backbone.output", frames, width, 1, 1)
    return d.state


def draw_aninsomniacy_v1(width=64, classes=256):
    d = Drawer()
    stems = [
        f"{n}.{k}"
        for n, c in zip(ANINSOMNIACY, (2, 2, 3, 3, 3, 2, 3), strict=True)
        for k in range(c)
    ]
    for stem, (out, into) in zip(stems, v1_convs(9, width, 8 * width, classes), strict=True):
        d.conv(f"{stem}.0", out, into, 3, 3, bias=False)
        d.norm(f"{stem}.1", out)
    return d.state


def draw_mareksubocz(width=64, frames=3, channels=9):
    d = Drawer()
    stem = "{}.{}.{}"
    names = lambda s, k: tuple(stem.format(MAREKSUBOCZ[s], k, i) for i in (0, 2))  # noqa: E731
    d.unet(channels, width, names, bias=True)
    d.conv("last_conv", frames, width, 1, 1)
    return d.state


def write_hdf5(path: Path, version, *, width=8, picture=64, classes=16, group="") -> Path:
    """Write weights as the authors' Keras did, normalised over a picture's width.

    For `picture` None, over channels.
    """
    d = Drawer()
    if version == "v1":
        convs = v1_convs(9, width, 4 * width, classes)
    else:
        d.unet(9, width, lambda s, k: (f"c{s}.{k}", f"n{s}.{k}"), bias=True)
        convs = [a.shape[:2] for name, a in d.state.items() if a.ndim == 4]
    # How often the picture has been halved at each convolution.
    halved = [0] * 2 + [1] * 2 + [2] * 3 + [3] * 3 + [2] * 3 + [1] * 2 + [0] * 3
    d = Drawer(1)
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        names = []

        def add(layer, **arrays):
            names.append(layer)
            inner = root.create_group(layer)
            inner.attrs["weight_names"] = [f"{layer}/{n}:0".encode() for n in arrays]
            for name, values in arrays.items():
                inner[f"{layer}/{name}:0"] = values

        for n, (out, into) in enumerate(convs, start=1):
            d.conv("conv", out, into, 3, 3)
            d.norm("norm", out if picture is None else picture // 2 ** halved[n - 1])
            kernel = np.transpose(d.state["conv.weight"], (2, 3, 1, 0))
            if version == "v1" and n == 1:
                kernel = kernel / 255
            add(f"conv2d_{n}", kernel=kernel, bias=d.state["conv.bias"])
            add(f"activation_{n}")
            add(
                f"batch_normalization_{n}",
                gamma=d.state["norm.weight"],
                beta=d.state["norm.bias"],
                moving_mean=d.state["norm.running_mean"],
                moving_variance=d.state["norm.running_var"],
            )
        if version == "v2":
            d.conv("head", 3, width, 1, 1)
            kernel = np.transpose(d.state["head.weight"], (2, 3, 1, 0))
            add("conv2d_18", kernel=kernel, bias=d.state["head.bias"])
        root.attrs["layer_names"] = [name.encode() for name in names]
    return path


# --- TrackNetV4 and V5, and the rectifier that also sees visibility


def draw_asigatchov(width=64):
    d = Drawer()
    stem = "{}.{}"
    names = lambda s, k: tuple(stem.format(ANINSOMNIACY[s], 3 * k + i) for i in (0, 1))  # noqa: E731
    d.unet(9, width, names, bias=True)
    d.conv("output", 3, width, 1, 1)
    d.add("motion_prompt.a", [7.5])
    d.add("motion_prompt.b", [-0.8])
    return d.state


def draw_codelancera_v4(width=64):
    d = Drawer()
    draw_codelancera_body(d, width, 9)
    d.conv("head.conv", 3, width, 1, 1, bias=False)
    d.add("backbone.motion.a", 0.3)
    d.add("backbone.motion.b", 0.1)
    d.add("backbone.motion.gray_scale", [0.299, 0.587, 0.114])
    return d.state


def draw_codelancera_body(d, width, channels):
    first = [sum(convs for convs, _ in UNET[:stage]) for stage in range(len(UNET))]

    def names(stage, k):
        stem = f"{'backbone' if stage < 4 else 'neck'}.conv{first[stage] + k + 1}.conv"
        return f"{stem}.0", f"{stem}.2"

    d.unet(channels, width, names, bias=False)


def draw_aninsomniacy_v4(width=64, *, features=3, unused=False):
    d = Drawer()
    d.state |= draw_aninsomniacy(width)
    if not unused:
        del d.state["backbone.output.weight"], d.state["backbone.output.bias"]
    d.conv("fusion_output", 3, features * width, 1, 1)
    d.add("motion_prompt.log_slope", 2.5)
    d.add("motion_prompt.shift", 0.2)
    return d.state


def draw_codelancera_v5(width=64, values=256, patches=576):
    d = Drawer()
    d.add("mdd.a", 0.3)
    d.add("mdd.b", 0.2)
    for name, share in zip("RGB", (0.299, 0.587, 0.114), strict=True):
        d.add(f"mdd.{name}_WEIGHT", np.full((1, 1, 1, 1), share))
    draw_codelancera_body(d, width, 13)
    d.conv("head.draft_head", 3, width, 1, 1, bias=False)
    d.conv("head.embed_conv", values, 1, 16, 16)
    d.add("head.spatial_pos_embed", d.rng.normal(0, 1, (1, patches, values)))
    d.add("head.time_embed", d.rng.normal(0, 1, (1, 3, values)))
    for number in range(4):
        d.transformer(f"head.transformer_encoder.layers.{number}", values, 4 * values)
    d.conv("head.decoder_head.0", 256, values, 1, 1)
    return d.state


def draw_aninsomniacy_v5(width=64, values=64, later=True):
    d = Drawer()
    d.state |= draw_aninsomniacy(width, 3, 13)
    d.add("mdd.alpha", 0.3)
    d.add("mdd.beta", 0.2)
    d.conv("motion_gate.projection" if later else "motion_gate", 3, 7, 1, 1)
    d.conv("rstr.patch_embed", values, 256)
    for name in ("temporal", "spatial"):
        d.transformer(f"rstr.blocks.0.{name}", values, 2 * values)
    d.conv("rstr.patch_decode", 256, values)
    return d.state


def draw_aninsomniacy_rectifier(filters=64):
    d = Drawer()
    widths = (("enc1", 4, 1), ("enc2", 1, 2), ("enc3", 2, 4), ("dec2", 6, 2), ("dec1", 3, 1))
    for name, into, out in widths:
        into = into if name == "enc1" else into * filters
        d.conv(f"{name}.0", out * filters, into, 3)
        d.conv(f"{name}.2", out * filters, out * filters, 3)
    d.conv("out", 2, filters, 1)
    return d.state


def write_keras_v4(path: Path, fusion: str, *, width=8, picture=64) -> Path:
    """Write an archive as the authors of V4 did: layers that Keras does not know by itself."""
    d = Drawer()
    d.unet(9, width, lambda s, k: (f"c{s}.{k}", f"n{s}.{k}"), bias=True)
    convs = [a.shape[:2] for name, a in d.state.items() if a.ndim == 4]
    halved = [0] * 2 + [1] * 2 + [2] * 3 + [3] * 3 + [2] * 3 + [1] * 2 + [0] * 2
    weights = path.with_suffix(".weights.h5")
    d = Drawer(1)
    with h5py.File(weights, "w") as file:

        def add(name, *values):
            for number, value in enumerate(values):
                file[f"layers/{name}/vars/{number}"] = np.asarray(value, np.float32)

        for n, (out, into) in enumerate([*convs, (3, width)]):
            size = 3 if n < len(convs) else 1
            d.conv("conv", out, into, size, size)
            end = f"_{n}" if n else ""
            kernel = np.transpose(d.state["conv.weight"], (2, 3, 1, 0))
            add(f"conv2d{end}", kernel, d.state["conv.bias"])
            if n < len(convs):
                d.norm("norm", out if picture is None else picture // 2 ** halved[n])
                parts = ("weight", "bias", "running_mean", "running_var")
                add(f"batch_normalization{end}", *(d.state[f"norm.{part}"] for part in parts))
        add("motion_prompt_layer", 0.15, 0.05)
        file.create_group("layers/activation/vars")
    config = {"layers": [{"class_name": c} for c in ("MotionPromptLayer", f"FusionLayer{fusion}")]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.read_bytes())
    weights.unlink()
    return path
