"""Which onnxruntime execution providers this machine has, and how a session is opened on one of them."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from zsad.errors import ModelError, ProviderError, UsageError
from zsad.near import near_path
from zsad.outside import printable

CPU = "CPUExecutionProvider"

_SHORT = {"cpu": CPU, "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_REMEDY = {
    "CUDAExecutionProvider": "pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
    "TensorrtExecutionProvider": "pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
    "OpenVINOExecutionProvider": "pip install onnxruntime-ep-openvino, and register it before the model is loaded",
}
# Distributions that unpack into the same `onnxruntime` folder: two of them overwrite each other's files.
_SAME_FOLDER = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-rocm")
_REMOTE = "AzureExecutionProvider"  # calls a web service; listed by every build, never a device


def offered() -> list[str]:
    """Return the execution providers of this installation that run on this machine, CPU last.

    A provider that was added as a plugin counts only where it lists a device.
    """
    listed = {device.ep_name for device in _devices()}
    names = [name for name in ort.get_available_providers() if name not in (CPU, _REMOTE)]
    plugins = sorted(listed - set(names) - {CPU, _REMOTE})
    return [*names, *plugins, CPU]


def resolve(providers: str | Sequence[str] | None) -> list[str]:
    """Turn what a person asks for into provider names, best first, with the CPU as the last resort of a node.

    Args:
        providers: ``"cpu"``, ``"cuda"``, ``"tensorrt"``, a full provider name, a list of those, or None for CPU.

    Raises:
        ProviderError: one of them is not there; two builds of onnxruntime overwrite each other.
        UsageError: an empty list.
    """
    refuse_mixed_builds()
    wanted = ["cpu"] if providers is None else [providers] if isinstance(providers, str) else list(providers)
    if not wanted:
        raise UsageError("providers is an empty list: name one, such as 'cpu'")
    names = [_SHORT.get(name.lower(), name) for name in wanted]
    there = offered()
    for name in names:
        if name not in there:
            raise ProviderError(_missing(name, there))
    return list(dict.fromkeys([*names, CPU]))


def takes_gpu(name: str) -> bool:
    """Whether a provider, by its own name or its short one, runs on a GPU of NVIDIA.

    >>> [takes_gpu(name) for name in ("cuda", "TensorrtExecutionProvider", CPU, "OpenVINOExecutionProvider")]
    [True, True, False, False]
    """
    return _SHORT.get(name.lower(), name) in (_SHORT["cuda"], _SHORT["tensorrt"])


def refuse_mixed_builds() -> None:
    """Refuse to go on when two builds of onnxruntime share one folder.

    Raises:
        ProviderError: more than one is installed.
    """
    found = [name for name in _SAME_FOLDER if _installed(name)]
    if len(found) > 1:
        raise ProviderError(
            f"{' and '.join(found)} are installed together and overwrite each other's files; keep one: "
            f"pip uninstall -y {' '.join(found)} && pip install {found[-1]}"
        )


def default_threads() -> int:
    """Return how many processors this process may use: its affinity, and a container's quota if there is one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        allowed = min(allowed, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file on this system, or "max": no limit
        pass
    return allowed


def open_session(source: str | Path | bytes, providers: list[str], threads: int | None) -> Any:
    """Open an onnxruntime session that runs on exactly the stated providers, without its own fallback.

    Args:
        source: path of an ONNX file, or its bytes.
        providers: from :func:`resolve`.
        threads: processors that one operator uses; None for :func:`default_threads`.

    Raises:
        ModelError: the file is absent, empty, damaged, or not an ONNX model.
        ProviderError: a provider could not start.
        UsageError: ``threads`` below 1.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    where = name_of(source)
    model = source if isinstance(source, bytes) else _checked_path(Path(source))
    ort.disable_telemetry_events()  # on by default in builds of 2026, on Linux as well; what is inspected is nobody's
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised; onnxruntime would print it as well
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    # Waiting threads spin for this long only: as fast on an idle machine, and far better on a busy one.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    plugins = [name for name in providers if name not in ort.get_available_providers()]
    for name in plugins:
        options.add_provider_for_devices([device for device in _devices() if device.ep_name == name], {})
    chosen = {} if plugins else {"providers": providers}
    try:
        session = ort.InferenceSession(model, options, enable_fallback=0, **chosen)
    except Exception as error:  # onnxruntime has no common base class for its errors
        raise _why_not_opened(error, where, providers) from None
    for name in providers:
        if name not in session.get_providers():
            raise ProviderError(f"{name} is installed but could not start here; check its driver, or use the CPU")
    return session


def name_of(source: str | Path | bytes) -> str:
    """Return how errors name a model."""
    return "ONNX bytes" if isinstance(source, bytes) else printable(source)


def _checked_path(path: Path) -> str:
    if path.is_dir():
        raise ModelError(f"{path}: is a folder; give the .onnx file itself")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file{near_path(path) or '; write one with `zsad export`'}") from None
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}); check its permissions") from None
    if empty:
        raise ModelError(f"{path}: empty file; export or copy it again")
    return str(path)


def _why_not_opened(error: Exception, where: str, providers: list[str]) -> ModelError | ProviderError:
    detail = " ".join(str(error).split())[:300]
    if len(providers) > 1 and any(name in detail for name in providers if name != CPU):
        return ProviderError(f"{where}: {providers[0]} could not start ({detail}); use the CPU, or check its driver")
    if "external" in detail.lower():
        return ModelError(f"{where}: its weights file is missing or damaged; keep it beside the .onnx file ({detail})")
    return ModelError(f"{where}: not an ONNX model that onnxruntime can run ({detail}); write one with `zsad export`")


def _missing(name: str, there: list[str]) -> str:
    remedy = _REMEDY.get(name, "install an onnxruntime that has it")
    if name == "CUDAExecutionProvider" and _installed("onnxruntime-gpu"):
        remedy = "onnxruntime-gpu is installed but broken: pip install --force-reinstall onnxruntime-gpu"
    return f"{name} is not available here (there are: {', '.join(there)}); {remedy}"


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _devices() -> list[Any]:
    # Absent before onnxruntime 1.23.
    return list(ort.get_ep_devices()) if hasattr(ort, "get_ep_devices") else []
