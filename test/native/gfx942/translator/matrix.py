"""C++ for matrix core instructions."""

import re

from .code import Code, touched
from .disassembly import TranslationError
from .operands import parse_operand

ELEMENTS = {"bf16": "Element::bf16", "f16": "Element::f16", "f32": "Element::f32"}


def emit(instruction):
    """Code of one matrix instruction: D = A B + C, one wave, whatever exec says."""
    match = re.fullmatch(
        r"v_mfma_f32_(\d+)x(\d+)x(\d+)(?:_(\d+)b)?_?(bf16|f16|f32)(?:_1k)?(?:_e64)?", instruction.mnemonic
    )
    if not match or match[5] not in ELEMENTS:
        raise TranslationError("unsupported instruction")
    if instruction.modifiers:
        raise TranslationError(f"matrix instruction with {', '.join(instruction.modifiers)}")
    rows, columns, depth = (int(match[i]) for i in (1, 2, 3))
    blocks = int(match[4] or 1)
    result, a, b, c = (parse_operand(text) for text in instruction.operands)
    if result.count != rows * columns * blocks // 64:
        raise TranslationError(f"{rows}x{columns}x{depth}, {blocks} blocks: unexpected result of {result.count} registers")
    addend = f"{c.register}, 0u" if c.kind == "v" else f"-1, {c.bits('f'):#x}u"
    text = (
        f"static constexpr MatrixShape shape{{{rows}, {columns}, {depth}, {blocks}, {ELEMENTS[match[5]]}}}; "
        f"multiplyMatrices(w, shape, {result.register}, {a.register}, {b.register}, {addend});"
    )
    return Code(text, touched([result, a, b, c]))
