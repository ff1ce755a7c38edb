"""C++ for vector ALU instructions."""

import re
from dataclasses import replace

from .code import Code, touched
from .disassembly import TranslationError
from .operands import Operand, parse_operand
from .vector_table import (
    CARRIES, COMPARISONS, FLOAT_COMPARISONS, LANES, LOW_FROM_LOW, PACKED_FLOATS, PACKED_HALVES, SATURATING,
)  # fmt: skip

LANE_CONTROLS = {
    "row_shl": "Lanes::rowShiftLeft", "row_shr": "Lanes::rowShiftRight", "row_ror": "Lanes::rowRotate",
    "row_bcast": "Lanes::rowBroadcast", "row_newbcast": "Lanes::rowShare", "wave_shl": "Lanes::waveShiftLeft",
    "wave_shr": "Lanes::waveShiftRight", "wave_rol": "Lanes::waveRotateLeft", "wave_ror": "Lanes::waveRotate",
}  # fmt: skip
VCC = Operand("vcc", "s", 106, 2)
HANDLED = {"op_sel", "op_sel_hi", "neg_lo", "neg_hi", "clamp", "mul", "div", "bound_ctrl", "row_mask", "bank_mask",
           "quad_perm", "row_mirror", "row_half_mirror", "dst_sel", "dst_unused", "src0_sel", "src1_sel",
           *LANE_CONTROLS}  # fmt: skip


def base_name(mnemonic):
    """Mnemonic without its encoding; DPP and SDWA show in the modifiers."""
    return re.sub(r"_(e32|e64|dpp|sdwa)$", "", mnemonic)


def list_modifier(instruction, name, default):
    text = instruction.modifiers.get(name)
    return [int(digit) for digit in re.findall(r"\d", text)] if text else default


def emit(instruction):
    """Code of one vector ALU instruction; raises TranslationError for one that is not known."""
    unknown = set(instruction.modifiers) - HANDLED
    if unknown:
        raise TranslationError(f"modifier {', '.join(sorted(unknown))}")
    name = base_name(instruction.mnemonic)
    operands = [parse_operand(text) for text in instruction.operands]
    text = special(name, operands, instruction) or table(name, operands, instruction)
    code = Code(text, touched(operands))
    if name.startswith("v_div_fmas"):
        code.touches |= touched([VCC])
    code.writes_exec = name.startswith("v_cmpx") or (operands[0].kind == "s" and operands[0].register == 126)
    return code


def table(name, operands, instruction):
    if name in SATURATING and "clamp" in instruction.modifiers:
        return lanes(name, SATURATING[name], operands, instruction, saturates=True)
    if name in LANES:
        return lanes(name, LANES[name], operands, instruction)
    if name in CARRIES:
        return carry(CARRIES[name], operands, instruction)
    if name in PACKED_FLOATS:
        return packed_floats(name, operands, instruction)
    if name in PACKED_HALVES:
        return packed_halves(PACKED_HALVES[name], operands, instruction)
    match = re.fullmatch(r"v_cmp(x?)_(\w+)_([uif])(16|32|64)", name)
    if match:
        return comparison(match, operands, instruction)
    raise TranslationError("unsupported instruction")


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


def result_text(kind, expression, instruction, saturates):
    """The bits of a result of `kind`, with output modifiers."""
    if "mul" in instruction.modifiers:
        expression = f"({expression}) * {instruction.modifiers['mul']}.0f"
    if "div" in instruction.modifiers:
        expression = f"({expression}) / {instruction.modifiers['div']}.0f"
    if "clamp" in instruction.modifiers and not saturates:
        if kind not in "fh":
            raise TranslationError("clamp on an integer result")
        expression = f"clampToOne({expression})"
    return {"u": expression, "q": expression, "i": f"bits({expression})", "f": f"bits({expression})",
            "l": f"bits64({expression})", "d": f"bits64({expression})", "h": f"packHalf({expression})"}[kind]  # fmt: skip


def lanes(name, entry, operands, instruction, saturates=False):
    kind, kinds, expression = entry
    destination, sources = operands[0], selected(operands[1:], instruction)
    declarations, defined = sources_text(kinds, sources, instruction)
    register = destination.register
    old = ""
    if re.search(r"\bold\b", expression):
        old = f"const auto old = {replace(destination, negative=False).lanes('q' if kind == 'd' else 'u')};"
        defined += f" & {destination.defined('q' if kind == 'd' else 'u')}"
    value = result_text(kind, expression, instruction, saturates)
    partial = instruction.modifiers.get("dst_sel", "DWORD")
    if partial != "DWORD":
        value = insert(partial, value, destination, instruction)
    if name in LOW_FROM_LOW:
        return f"{declarations} putWide(w, {register}, {value}, to, {low_defined(kinds, sources)}, {defined});"
    put = "putWide" if kind in "qld" else "put"
    return f"{declarations} {old} {put}(w, {register}, {value}, to, {defined});"


def low_defined(kinds, sources):
    """Lanes whose sources' low dwords are defined."""
    return " & ".join(source.defined("u") for kind, source in zip(kinds, sources)) or "~0ull"


def insert(select, value, destination, instruction):
    """SDWA destination: a byte or half of the register; the rest is zero, sign or kept."""
    rest = instruction.modifiers.get("dst_unused", "UNUSED_PAD")
    if rest == "UNUSED_SEXT":
        raise TranslationError("SDWA with UNUSED_SEXT")
    kept = f"v(w, {destination.register})" if rest == "UNUSED_PRESERVE" else "splat(0u)"
    width = 8 if select.startswith("BYTE") else 16
    shift = {"0": 0, "1": width, "2": 16, "3": 24}[select[-1]]
    return f"insertField({kept}, {value}, {shift}, {width})"


def carry(expression, operands, instruction):
    destination, out, *sources = operands
    declarations, defined = sources_text("uu", selected(sources[:2], instruction), instruction)
    if len(sources) == 3:
        declarations += f" const u64 carry = {sources[2].lanes('m')};"
        defined += f" & {sources[2].defined('m')}"
    return (
        f"{declarations} const u64 known = {defined}; const Q sum = {expression}; "
        f"put(w, {destination.register}, narrow(sum), to, known); "
        f"putMask(w, {out.register}, maskOf(high(sum) != 0), known, x);"
    )


def comparison(match, operands, instruction):
    also_exec, relation, kind, width = match.groups()
    relations = FLOAT_COMPARISONS if kind == "f" else COMPARISONS
    if relation not in relations:
        raise TranslationError("unsupported comparison")
    kind = {"u16": "u", "i16": "i", "f16": "h", "u64": "q", "i64": "l", "f64": "d"}.get(kind + width, kind)
    sources = selected(operands[1:], instruction)
    if width == "16" and kind in "ui":
        sources = [replace(source, select=source.select or "WORD_0", extend=kind == "i") for source in sources]
    declarations, defined = sources_text(kind * 2, sources, instruction)
    result = f"maskOf({relations[relation]})"
    text = f"{declarations} const u64 known = {defined}; putMask(w, {operands[0].register}, {result}, known, x);"
    if also_exec:
        text += " copyToExec(w, %d);" % operands[0].register
    return text


def packed_floats(name, operands, instruction):
    kinds, expression = PACKED_FLOATS[name]
    sources = operands[1:]
    low = list_modifier(instruction, "op_sel", [0] * len(sources))
    high = list_modifier(instruction, "op_sel_hi", [1] * len(sources))
    if name == "v_pk_mov_b32":
        # The low result comes from the first source, the high one from the second; op_sel picks their dword.
        first, second = sources[0].lanes("u", low[0]), sources[1].lanes("u", low[1])
        known = f"{sources[0].defined('u', low[0])}, {sources[1].defined('u', low[1])}"
        return f"putTwo(w, {operands[0].register}, {first}, {second}, x, {known});"
    parts, known = [], []
    for words, signs in ((low, "neg_lo"), (high, "neg_hi")):
        negate = list_modifier(instruction, signs, [0] * len(sources))
        values, defined = [], []
        for source, word, minus in zip(sources, words, negate):
            if source.kind == "c" and word:
                raise TranslationError("high half of a constant in a packed operation")
            values.append(("-" if minus else "") + source.lanes("f", word))
            defined.append(source.defined("u", word))
        call = re.sub(r"\b[abc]\b", lambda m, v=values: f"({v['abc'.index(m[0])]})", expression)
        parts.append(f"bits({call})")
        known.append(" & ".join(defined))
    return f"putTwo(w, {operands[0].register}, {', '.join(parts)}, x, {', '.join(known)});"


def packed_halves(entry, operands, instruction):
    kinds, expression = entry
    sources = operands[1:]
    low = list_modifier(instruction, "op_sel", [0] * len(sources))
    high = list_modifier(instruction, "op_sel_hi", [1] * len(sources))
    results = []
    for words, signs in ((low, "neg_lo"), (high, "neg_hi")):
        negate = list_modifier(instruction, signs, [0] * len(sources))
        values = []
        for source, kind, word, minus in zip(sources, kinds, words, negate):
            if source.kind == "c" and word:
                raise TranslationError("high half of a constant in a packed operation")
            picked = source.high_half() if word else source
            values.append(("-" if minus else "") + picked.lanes(kind))
        call = re.sub(r"\b[abc]\b", lambda m, v=values: f"({v['abc'.index(m[0])]})", expression)
        results.append(f"packHalf({call})" if kinds[0] == "h" else f"(({call}) & 0xffff)")
    defined = " & ".join(source.defined("u") for source in sources)
    return f"put(w, {operands[0].register}, {results[0]} | ({results[1]} << 16), x, {defined});"


def special(name, operands, instruction):
    """Instructions with a shape of their own; None for the others."""
    maker = SPECIAL.get(name)
    return maker(operands, instruction) if maker else None


def nothing(operands, instruction):
    return ";"


def conditional_mask(operands, instruction):
    destination, first, second, mask = operands
    kind = "f" if any(source.negative or source.absolute for source in (first, second)) else "u"
    declarations, _ = sources_text(kind * 2, selected([first, second], instruction), instruction)
    a, b = ("moved.defined" if lane_control(instruction) else first.defined("u")), second.defined("u")
    return (
        f"{declarations} const u64 pick = {mask.lanes('m')}; "
        f"put(w, {destination.register}, chooseLanes(pick, bits(b), bits(a)), to, "
        f"{mask.defined('m')} & ((pick & {b}) | (~pick & {a})));"
    )


def read_lane(operands, instruction):
    destination, source, lane = operands
    return f"readLane(w, {destination.register}, {source.register}, {lane.scalar('u')}, {lane.scalar_defined('u')});"


def read_first_lane(operands, instruction):
    return f"readLane(w, {operands[0].register}, {operands[1].register}, x ? u32(__builtin_ctzll(x)) : 0u, ~0u);"


def write_lane(operands, instruction):
    destination, source, lane = operands
    return (
        f"writeLane(w, {destination.register}, {source.scalar('u')}, {source.scalar_defined('u')}, "
        f"{lane.scalar('u')}, {lane.scalar_defined('u')});"
    )


def multiply_add_wide(signed):
    def make(operands, instruction):
        destination, out, a, b, c = operands
        kinds = "iil" if signed else "uuq"
        declarations, defined = sources_text(kinds, [a, b, c], instruction)
        # Carry out of the 64-bit sum.
        product = "bits64(widen(a) * widen(b))" if signed else "widen(a) * widen(b)"
        addend = "bits64(c)" if signed else "c"
        return (
            f"{declarations} const u64 known = {defined}; const Q product = {product}; const Q sum = product + {addend}; "
            f"putWide(w, {destination.register}, sum, to, {low_defined(kinds, [a, b, c])}, known); "
            f"putMask(w, {out.register}, maskOf(sum < product), known, x);"
        )

    return make


def division_scale(kind):
    def make(operands, instruction):
        destination, out, *sources = operands
        declarations, defined = sources_text(kind * 3, sources, instruction)
        put, cast = ("put", "bits") if kind == "f" else ("putWide", "bits64")
        return (
            f"{declarations} const u64 known = {defined}; u64 scaled = 0; "
            f"const auto value = divisionScale(a, b, c, scaled); "
            f"{put}(w, {destination.register}, {cast}(value), to, known); "
            f"putMask(w, {out.register}, scaled, known, x);"
        )

    return make


def division_fma(kind):
    def make(operands, instruction):
        declarations, defined = sources_text(kind * 3, operands[1:], instruction)
        put, cast = ("put", "bits") if kind == "f" else ("putWide", "bits64")
        return (
            f"{declarations} {put}(w, {operands[0].register}, {cast}(divisionFma(a, b, c, pairAt(w, 106))), to, "
            f"{defined} & definedPair(w, 106));"
        )

    return make


def per_lane_f64(function, count):
    def make(operands, instruction):
        declarations, defined = sources_text("d" * count, operands[1:], instruction)
        arguments = ", ".join("abc"[:count])
        return f"{declarations} putWide(w, {operands[0].register}, bits64({function}({arguments})), to, {defined});"

    return make


def classify(operands, instruction):
    declarations, defined = sources_text("fu", operands[1:], instruction)
    return (
        f"{declarations} putMask(w, {operands[0].register}, "
        f"maskOf(bits(perLane(classOf, a, real(b))) != 0), {defined}, x);"
    )


def dot_halves(accumulates):
    def make(operands, instruction):
        sources = [*operands[1:], operands[0]] if accumulates else operands[1:]
        declarations, defined = sources_text("uuf", sources, instruction)
        return f"{declarations} put(w, {operands[0].register}, bits(dotHalves(a, b, c)), to, {defined});"

    return make


def mixed_fma(operands, instruction):
    sources = operands[1:]
    wide = list_modifier(instruction, "op_sel_hi", [0] * 3)
    high = list_modifier(instruction, "op_sel", [0] * 3)
    values = []
    for source, is_half, upper in zip(sources, wide, high):
        picked = source.high_half() if is_half and upper else source
        values.append(picked.lanes("h" if is_half else "f"))
    defined = " & ".join(source.defined("u") for source in sources)
    return f"put(w, {operands[0].register}, bits(fma({', '.join(values)})), x, {defined});"


def swap(operands, instruction):
    first, second = operands[0].register, operands[1].register
    return (
        f"const U a = v(w, {first}), b = v(w, {second}); const u64 da = w.defined[{first}], db = w.defined[{second}]; "
        f"put(w, {first}, b, x, db); put(w, {second}, a, x, da);"
    )


SPECIAL = {
    "v_nop": nothing,
    "v_cndmask_b32": conditional_mask,
    "v_readlane_b32": read_lane,
    "v_readfirstlane_b32": read_first_lane,
    "v_writelane_b32": write_lane,
    "v_mad_u64_u32": multiply_add_wide(False),
    "v_mad_i64_i32": multiply_add_wide(True),
    "v_div_scale_f32": division_scale("f"),
    "v_div_scale_f64": division_scale("d"),
    "v_div_fmas_f32": division_fma("f"),
    "v_div_fmas_f64": division_fma("d"),
    "v_div_fixup_f64": per_lane_f64("divisionFixup64", 3),
    "v_rcp_f64": per_lane_f64("reciprocal64", 1),
    "v_rsq_f64": per_lane_f64("reciprocalRoot64", 1),
    "v_sqrt_f64": per_lane_f64("__builtin_elementwise_sqrt", 1),
    "v_cmp_class_f32": classify,
    "v_dot2c_f32_f16": dot_halves(True),
    "v_dot2_f32_f16": dot_halves(False),
    "v_fma_mix_f32": mixed_fma,
    "v_swap_b32": swap,
}
