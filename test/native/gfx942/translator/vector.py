"""C++ for vector ALU instructions."""

import re
from dataclasses import replace

from .code import Code, touched
from .disassembly import TranslationError
from .operands import Operand, parse_operand
from .vector_sources import LANE_CONTROLS, list_modifier, low_defined, selected, sources_text
from .vector_special import SPECIAL
from .vector_table import (
    CARRIES, COMPARISONS, FLOAT_COMPARISONS, LANES, LOW_FROM_LOW, PACKED_FLOATS, PACKED_HALVES, SATURATING,
)  # fmt: skip

VCC = Operand("vcc", "s", 106, 2)
HANDLED = {"op_sel", "op_sel_hi", "neg_lo", "neg_hi", "clamp", "mul", "div", "bound_ctrl", "row_mask", "bank_mask",
           "quad_perm", "row_mirror", "row_half_mirror", "dst_sel", "dst_unused", "src0_sel", "src1_sel",
           *LANE_CONTROLS}  # fmt: skip


def base_name(mnemonic):
    """Mnemonic without its encoding; DPP and SDWA show in the modifiers."""
    return re.sub(r"_(e32|e64|dpp|sdwa)$", "", mnemonic)


def emit(instruction):
    """Code of one vector ALU instruction; raises TranslationError for one that is not known."""
    unknown = set(instruction.modifiers) - HANDLED
    if unknown:
        raise TranslationError(f"modifier {', '.join(sorted(unknown))}")
    name = base_name(instruction.mnemonic)
    operands = [parse_operand(text) for text in instruction.operands]
    make = SPECIAL.get(name)
    text = make(operands, instruction) if make else table(name, operands, instruction)
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
