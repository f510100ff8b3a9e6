"""`nvidia-smi` on the machine of a simulated job: its figures are made up, not its GPUs."""

from runcrate_emulator.infrastructure.shell_state import Hardware

_DRIVER, _CUDA = "570.00 (emulated)", "12.8"
_UTILISATION = 84  # percent, as in the job's metrics
_MEMORY_SHARE = 0.62
_TEMPERATURE_C = 61
_NOTHING_FOUND = 6  # nvidia-smi's own code
_NO_SUCH_OPTION = 2


def nvidia_smi(hardware: Hardware, arguments: list[str]) -> tuple[int, str]:
    """Exit code and output of `nvidia-smi`: plain, `-L`, or `--query-gpu=... --format=csv`."""
    if not hardware.gpu_count:
        return _NOTHING_FOUND, "No devices were found\n"
    if "-L" in arguments or "--list-gpus" in arguments:
        names = (f"GPU {index}: {_name(hardware)}\n" for index in range(hardware.gpu_count))
        return 0, "".join(names)
    for argument in arguments:
        if argument.startswith("--query-gpu="):
            return _queried(hardware, argument.partition("=")[2].split(","), arguments)
    return 0, _table(hardware)


def _name(hardware: Hardware) -> str:
    return f"NVIDIA {hardware.gpu_type} (emulated)"


def _used_mb(hardware: Hardware) -> int:
    return round(hardware.gpu_memory_mb * _MEMORY_SHARE)


def _queried(hardware: Hardware, fields: list[str], arguments: list[str]) -> tuple[int, str]:
    layout = next((a.partition("=")[2] for a in arguments if a.startswith("--format=")), "csv")
    options = layout.split(",")
    has_units = "nounits" not in options
    total, used = hardware.gpu_memory_mb, _used_mb(hardware)
    known: dict[str, tuple[str, str]] = {
        "name": (_name(hardware), ""),
        "gpu_name": (_name(hardware), ""),
        "count": (str(hardware.gpu_count), ""),
        "driver_version": (_DRIVER, ""),
        "memory.total": (str(total), "MiB"),
        "memory.used": (str(used), "MiB"),
        "memory.free": (str(total - used), "MiB"),
        "utilization.gpu": (str(_UTILISATION), "%"),
        "temperature.gpu": (str(_TEMPERATURE_C), ""),
    }
    names = [field.strip() for field in fields]
    lines = []
    if "noheader" not in options:
        units = (known[n][1] if has_units and n in known else "" for n in names)
        lines.append(", ".join(f"{n} [{u}]" if u else n for n, u in zip(names, units, strict=True)))
    for index in range(hardware.gpu_count):
        cells = {**known, "index": (str(index), "")}
        unknown = [name for name in names if name not in cells]
        if unknown:
            return _NO_SUCH_OPTION, f'Field "{unknown[0]}" is not a valid field to query.\n'
        shown = (cells[name] for name in names)
        lines.append(", ".join(f"{v} {u}" if u and has_units else v for v, u in shown))
    return 0, "\n".join(lines) + "\n"


def _table(hardware: Hardware) -> str:
    used = f"{_used_mb(hardware)}MiB / {hardware.gpu_memory_mb}MiB"
    width = 81
    rule = "+" + "-" * width + "+"
    rows = [
        f" NVIDIA-SMI {_DRIVER}    CUDA Version: {_CUDA}",
        " GPU  Name                                  Temp   Memory-Usage         GPU-Util",
    ]
    rows += [
        f" {index:>3}  {_name(hardware):<36}  {_TEMPERATURE_C:>3}C   {used:<20} {_UTILISATION:>3}%"
        for index in range(hardware.gpu_count)
    ]
    return "\n".join([rule, *(f"|{row:<{width}}|" for row in rows), rule]) + "\n"
