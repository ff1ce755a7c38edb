"""How the sources of a vector instruction read, with DPP, SDWA and op_sel."""

import re
from dataclasses import replace

from .disassembly import TranslationError

LANE_CONTROLS = {
    "row_shl": "Lanes::rowShiftLeft", "row_shr": "Lanes::rowShiftRight", "row_ror": "Lanes::rowRotate",
    "row_bcast": "Lanes::rowBroadcast", "row_newbcast": "Lanes::rowShare", "wave_shl": "Lanes::waveShiftLeft",
    "wave_shr": "Lanes::waveShiftRight", "wave_rol": "Lanes::waveRotateLeft", "wave_ror": "Lanes::waveRotate",
}  # fmt: skip


def list_modifier(instruction, name, default):
    text = instruction.modifiers.get(name)
    return [int(digit) for digit in re.findall(r"\d", text)] if text else default


def selected(operands, instruction):
    """Sources with their SDWA selects or op_sel halves."""
    sources = list(operands)
    for position, key in enumerate(("src0_sel", "src1_sel")):
        if key in instruction.modifiers:
            sources[position] = replace(sources[position], select=instruction.modifiers[key])
    halves = list_modifier(instruction, "op_sel", [])
    for position, half in enumerate(halves):
        if half and position >= len(sources):
            raise TranslationError("op_sel on the destination")
        if half:
            sources[position] = sources[position].high_half()
    return sources


def sources_text(kinds, sources, instruction):
    """Declarations of a, b, c and the mask of defined lanes; with DPP `a` comes from other lanes and `to` narrows."""
    declarations, defined, start = [], [], 0
    control = lane_control(instruction)
    if control:
        declarations.append(f"const Shuffle moved = shuffle(w, {sources[0].register}, {control}, x);")
        declarations.append("[[maybe_unused]] const u64 to = moved.written;")
        raw = {"u": "moved.value", "i": "integer(moved.value)", "f": "real(moved.value)"}[kinds[0]]
        raw = f"absolute({raw})" if sources[0].absolute else raw
        declarations.append(f"const auto a = {'-' if sources[0].negative else ''}{raw};")
        defined.append("moved.defined")
        start = 1
    else:
        declarations.append("[[maybe_unused]] const u64 to = x;")
    for letter, kind, source in list(zip("abc", kinds, sources))[start:]:
        declarations.append(f"const auto {letter} = {source.lanes(kind)};")
        defined.append(source.defined(kind))
    return " ".join(declarations), " & ".join(dict.fromkeys(defined)) or "~0ull"


def lane_control(instruction):
    modifiers = instruction.modifiers
    masks = f"{modifiers.get('row_mask', '0xf')}, {modifiers.get('bank_mask', '0xf')}, " + (
        "true" if "bound_ctrl" in modifiers else "false"
    )
    if "quad_perm" in modifiers:
        order = list_modifier(instruction, "quad_perm", [])
        return f"Lanes::quad, {sum(lane << (2 * i) for i, lane in enumerate(order))}, {masks}"
    if "row_mirror" in modifiers or "row_half_mirror" in modifiers:
        return f"Lanes::mirror, {15 if 'row_mirror' in modifiers else 7}, {masks}"
    for name, control in LANE_CONTROLS.items():
        if name in modifiers:
            return f"{control}, {int(modifiers[name], 0)}, {masks}"
    return None


def low_defined(kinds, sources):
    """Lanes whose sources' low dwords are defined."""
    return " & ".join(source.defined("u") for kind, source in zip(kinds, sources)) or "~0ull"
