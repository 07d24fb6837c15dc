"""Result files about good parts at hand -> Markdown; ``readme.py`` puts them where they belong."""

from __future__ import annotations

from typing import Any

_FIGURES = ("image_auroc", "pixel_auroc", "pixel_aupro")


def solar_cells_markdown(data: dict[str, Any]) -> str:
    """Return what the README's walk through the solar cells found, and how long it took."""
    good, bad, machine = data["judged"]["good"], data["judged"]["bad"], data["machine"]
    seconds = {step["command"].split()[1]: step["seconds"] for step in data["steps"]}
    return (
        f"Of {good['cells']} other good cells {good['rejected']} were rejected, of {bad['cells']} that experts are "
        f"sure of {bad['rejected']} were found. On {machine['processor']}, {machine['cores']} cores, fitting took "
        f"{seconds['fit']:.0f} s, calibrating {seconds['calibrate']:.0f} s, judging {seconds['detect']:.0f} s.\n"
    )


def good_parts_markdown(data: dict[str, Any]) -> str:
    """Return a table of sets and modes: image AUROC, pixel AUROC and AUPRO, with the range of seeds."""
    modes = [mode for mode in _MODES if any(mode in modes for modes in data["sets"].values())]
    lines = [
        f"{_about(data)} {data['model']} at {data['image_size']} px, layers {', '.join(map(str, data['layers']))} (a "
        f"memory is of the last two), turned views {data['rotations']}, foreground {data['foreground']}, "
        f"{data['seeds']} draws of good images; all: every one of a training split, or half of the normal images, at "
        f"most {data['most']}. In brackets: lowest and highest of the draws. Mutual scores compare the images of a set "
        "with each other. The file says of which commit each figure is.\n"
    ]
    for figure, title in zip(_FIGURES, ("Image AUROC", "Pixel AUROC", "AUPRO"), strict=True):
        lines += [f"| {title} | " + " | ".join(modes) + " |", "| --- |" + " ---: |" * len(modes)]
        rows = [(label.split("/")[0], found) for label, found in data["sets"].items()]
        rows += [(label, _complete(data[key])) for label, key in _MEANS]
        for label, found in rows:
            cells = [_cell(found.get(mode, {}), figure) for mode in modes]
            if any(cell != "-" for cell in cells):
                name = label.replace("_", "\\_")
                lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines) + _fused_markdown(_complete(data["mean of all"]))


def _fused_markdown(means: dict[str, Any]) -> str:
    """Say how the fused score compares with the better of the two in it; nothing before all is measured."""
    modes = [means.get(mode, {}) for mode in ("zero-shot", "4", "4 fused")]
    told = []
    for figure, title in zip(_FIGURES, ("image AUROC", "pixel AUROC", "AUPRO"), strict=True):
        values = [found.get(figure) for found in modes]
        if None in values:
            return ""
        alone, memory, fused = values
        gain = round(fused - max(alone, memory), 1) + 0.0  # no minus before a zero
        told.append(f"{title} {gain:+.1f}")
    return (
        f"\nFused beside the better of zero-shot and memory, 4 good images, means of all: {', '.join(told)} points.\n"
    )


_MEANS = (("mean of the first four", "mean of the four"), ("mean of all", "mean of all"))


def _complete(means: dict[str, Any]) -> dict[str, Any]:
    """Leave out the means of modes in which some sets are not measured: they'd be of other sets."""
    most = max(found["classes"] for found in means.values() if isinstance(found, dict))
    return {mode: found for mode, found in means.items() if isinstance(found, dict) and found["classes"] == most}


def elpv_markdown(data: dict[str, Any]) -> str:
    """Return the figures on solar cells: by type, and with calibrated thresholds."""
    lines = [
        f"{_about(data)} {data['model']} at {data['image_size']} px, layers {', '.join(map(str, data['layers']))}; "
        "flawless cells against certainly defective ones.\n",
        "| good cells of the type, learned | type | draws | image AUROC | lowest to highest |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    for row in data["by_type"]:
        values = [100 * value for value in row["auroc"]]
        mean, low, high = sum(values) / len(values), min(values), max(values)
        lines.append(f"| {row['learned']} | {row['kind']} | {len(values)} | {mean:.1f} | {low:.1f} to {high:.1f} |")
    if not data["runs"]:  # stopped before; the next run goes on
        return "\n".join(lines) + "\n"
    lines += [
        "\n| draw | learned | calibrated on | good cells rejected | certain defects found |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['seed']} | {row['learned']} | {row['calibrated_on']} | {100 * row['rejected_good']:.1f} % of "
        f"{row['good']} | {100 * row['caught']:.1f} % of {row['defective']} |"
        for row in data["runs"]
    ]
    return "\n".join(lines) + "\n"


def memory_speed_markdown(data: dict[str, Any]) -> str:
    """Return speed and memory of a memory of good parts."""
    scoring, core = data["scoring"], data["coreset"]
    shapes, sizes = scoring["shapes"], {size: row for size, row in scoring.items() if size.isdigit()}
    alone = min(row["backbone_seconds"] for row in sizes.values())
    timed = data | {"commit": data.get("commits", {}).get("scoring", data["commit"])}  # the parts are measured apart
    lines = [
        f"{_about(timed)} {data['model']}, {shapes['L']} layers of {shapes['N']} patches of {shapes['D']} numbers; the "
        f"backbone alone takes {alone:.3f} s; in turns, medians.\n",
        "| vectors in each layer, drawn | whole image | times the backbone | search | of the matmul rate "
        "| scikit-learn | torch |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {int(size):,} | {row['whole_seconds']:.3f} s | {row['times_the_backbone']:.2f} | "
        f"{row['search_seconds']:.3f} s | {row['of_the_matmul_rate']:.2f} | {row['scikit_learn_seconds']:.2f} s | "
        f"{row['torch_seconds']:.3f} s |"
        for size, row in sizes.items()
    ]
    lines.append(
        f"\nCoresets of {core['kept']:,} of {core['patches']:,} vectors drawn in 300 bunches, in {core['layers']} "
        f"layers: {core['seconds']:.0f} s, covering radius {core['covering_radius']:.3f}. A bundle of "
        f"{data['bundle']['images']} images takes {data['bundle']['mb']:.1f} MB. {_lanes(data)}"
        "Peak memory of the bundled model: "
        + "; ".join(
            f"{what} {row['images']:,} images {row['peak_mb']:.0f} MB"
            for what, rows in (
                ("fitting", data["fitting"]),
                ("mutual scores of", data.get("mutual", {}).get("bundled_model", [])),
            )
            for row in rows
        )
        + ".\n"
    )
    return "\n".join(lines)


def _lanes(data: dict[str, Any]) -> str:
    found = data.get("lanes")
    if found is None:
        return ""
    return (
        f"The bundled model with a memory judges {found['held_images_a_second']:.1f} images a second in lanes, and "
        f"{found['left_alone_images_a_second']:.1f} where matrix products may use all processors. "
    )


def int8_markdown(data: dict[str, Any]) -> str:
    """Return what the export recipes cost and save."""
    verdict = data["int8"]
    worst = max(verdict["falls_in_points"].items(), key=lambda item: item[1])
    lines = [
        f"{_about(data)} {data['model']} at {data['image_size']} px.\n",
        "| recipe | MB | ms an image | in eight | drawn: image AUROC | pixel AUROC |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in data["recipes"].items():
        drawn = row["drawn"]
        lines.append(
            f"| {name} | {row.get('mb', '-')} | {row['ms_alone']:.1f} | {row['ms_in_eight']:.1f} | "
            f"{100 * drawn['image_auroc']:.1f} | {100 * drawn['pixel_auroc']:.1f} |"
        )
    lines.append(
        f"\nINT8 is {verdict['times_faster']:.1f} times as fast as float32 here, and costs at most {worst[1]:.1f} "
        f"points ({worst[0].replace('_', ' ')}): {'' if verdict['worth_it_here'] else 'not '}worth it on this "
        "machine.\n"
    )
    return "\n".join(lines)


_MODES = ("zero-shot", "1", "2", "4", "4 fused", "all", "all fused", "mutual")


def _cell(found: dict[str, Any], figure: str) -> str:
    value = found.get(figure)
    if value is None:
        return "-"
    span = found.get("ranges", {}).get(figure)
    return f"{value:.1f}" + (f" ({span[0]:.1f} to {span[1]:.1f})" if span and span[0] != span[1] else "")


def _about(data: dict[str, Any]) -> str:
    machine = data["machine"]
    return f"{machine['processor']}, {machine['cores']} cores; commit {(data['commit'] or 'unknown')[:12]}."
