"""What this installation could load: backbones with published weights, and devices; nothing is downloaded."""

from __future__ import annotations


def known_models() -> list[tuple[str, str]]:
    """Return every plain ViT that open_clip and timm have weights for.

    Returns:
        What ``--model`` takes, and the repository on the Hugging Face hub, or ``""`` where weights lie elsewhere.
    """
    import open_clip
    import timm

    found = []
    for name, tag in open_clip.list_pretrained():
        config = open_clip.get_model_config(name) or {}
        vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
        if not name.startswith("ViT-") or "timm_model_name" in vision or "hf_model_name" in text:
            continue
        weights = open_clip.pretrained.get_pretrained_cfg(name, tag)
        found.append((f"{name}/{tag}", str(weights.get("hf_hub") or "").rstrip("/")))
    found += [(f"timm:{name}", f"timm/{name}") for name in timm.list_pretrained("vit_*")]
    return found


def torch_devices() -> list[str]:
    """Return what torch can run on, one phrase each."""
    import torch

    devices = [f"cpu, {torch.get_num_threads()} threads"]
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        devices.append(f"cuda:{i}, {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    return devices
