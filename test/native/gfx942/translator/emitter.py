"""Turns instructions into C++: one function a basic block, called through a table by the runtime."""

from dataclasses import dataclass

from . import matrix, memory, scalar, vector
from .code import Code
from .disassembly import TranslationError

MEMORY_PREFIXES = ("global_", "buffer_", "ds_", "s_load_", "s_memtime", "s_memrealtime")
FORBIDDEN_PREFIXES = ("flat_", "scratch_", "s_swappc", "s_call", "s_store", "s_buffer", "s_trap")


@dataclass(frozen=True)
class Block:
    first: int
    last: int  # one past


def translate(instruction):
    name = instruction.mnemonic
    if name.startswith(FORBIDDEN_PREFIXES):
        raise TranslationError("unsupported instruction")
    if name.startswith(MEMORY_PREFIXES):
        return memory.emit(instruction)
    if name.startswith("v_mfma"):
        return matrix.emit(instruction)
    if name.startswith("v_"):
        return vector.emit(instruction)
    return scalar.emit(instruction)


def long_branch(instructions, index):
    """A branch past the 16-bit range: s_getpc, s_add and s_addc of constants, s_setpc of the same register pair."""
    steps = instructions[max(index - 3, 0) : index]
    names = [step.mnemonic for step in steps]
    pair = instructions[index].operands[0]
    if names != ["s_getpc_b64", "s_add_u32", "s_addc_u32"] or steps[0].operands[0] != pair:
        raise TranslationError("jump to a computed address")
    low, top = (int(step.operands[2], 0) & 0xFFFFFFFF for step in steps[1:])
    target = steps[0].address + steps[0].size + (low | top << 32)
    return Code("return {target};", ends_block=True, target=target & 0xFFFFFFFFFFFFFFFF)


def translate_all(instructions):
    """Code of every instruction. Stops with one message that names each instruction it cannot translate."""
    codes, refused = [], {}
    for instruction in instructions:
        try:
            is_jump = instruction.mnemonic == "s_setpc_b64"
            codes.append(long_branch(instructions, instruction.index) if is_jump else translate(instruction))
        except (TranslationError, ValueError, KeyError) as error:
            refused.setdefault(instruction.mnemonic, f"{instruction.text}: {error}")
    if refused:
        raise TranslationError("cannot translate:\n  " + "\n  ".join(sorted(refused.values())))
    return codes


def split_blocks(instructions, codes):
    """Basic blocks, with a start at every vector memory access: there the scheduler may switch to another wave."""
    by_address = {instruction.address: instruction.index for instruction in instructions}
    starts = {0}
    for index, code in enumerate(codes):
        if code.starts_block:
            starts.add(index)
        if code.ends_block:
            starts.add(index + 1)
        if code.target >= 0:
            if code.target not in by_address:
                raise TranslationError(f"branch into the middle of an instruction: {instructions[index].text}")
            starts.add(by_address[code.target])
    ordered = sorted(start for start in starts if start < len(instructions))
    blocks = [Block(first, last) for first, last in zip(ordered, [*ordered[1:], len(instructions)])]
    return blocks, {block.first: number for number, block in enumerate(blocks)}, by_address


def pending_check(touches, first, last):
    """Fails when an instruction of [first, last) touches a register that a load in flight will write."""
    words = {}
    for register in touches:
        words[register // 64] = words.get(register // 64, 0) | 1 << register % 64
    if not words:
        return ""
    test = " | ".join(f"(w.pending[{word}] & {mask:#x}ull)" for word, mask in sorted(words.items()))
    return f"    if (__builtin_expect(({test}) != 0, 0)) missingWait(w, {first}, {last});\n"


def block_text(number, block, instructions, codes, number_at, by_address):
    """One block as a function that returns the number of the next."""
    lines = [f"u32 block{number}(Wave &w) {{\n    [[maybe_unused]] u64 x = exec(w);\n"
             f"    w.executed += {block.last - block.first};\n"]  # fmt: skip
    segment, touches, start = [], set(), block.first

    def close(end):
        nonlocal touches, segment, start
        lines.append(pending_check(touches, start, end))
        lines.extend(segment)
        segment, touches, start = [], set(), end

    for index in range(block.first, block.last):
        code, instruction = codes[index], instructions[index]
        if code.waits:
            close(index)
        touches |= code.touches
        text = code.text
        if code.ends_block:
            text = text.replace("{next}", str(number_at.get(index + 1, -1)))
        if code.target >= 0:
            text = text.replace("{target}", str(number_at[by_address[code.target]]))
        if text != ";":
            segment.append(f"    {{ {text} }} // {instruction.address:x} {instruction.text}\n")
        if code.writes_exec:
            segment.append("    x = exec(w);\n")
        if code.waits or code.issues_load:
            close(index + 1)
    close(block.last)
    if codes[block.last - 1].text.startswith("return"):
        pass
    elif block.last in number_at:
        lines.append(f"    return {number_at[block.last]};\n")
    else:
        raise TranslationError("the kernel runs past its last instruction")
    return "".join(lines) + "}\n"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def emit(instructions, descriptor, image_hash, name, parts):
    """C++ files of a kernel: `parts` with the blocks, then one with the tables and the entry `name`."""
    codes = translate_all(instructions)
    blocks, number_at, by_address = split_blocks(instructions, codes)
    texts = [block_text(number, block, instructions, codes, number_at, by_address)
             for number, block in enumerate(blocks)]  # fmt: skip
    share = -(-len(texts) // parts)
    head = '#include "runtime/instructions.h"\n\nnamespace gfx942::%s {\n' % name
    files = [head + "".join(texts[part * share : (part + 1) * share]) + "}\n" for part in range(parts)]
    files.append(tables(instructions, blocks, descriptor, image_hash, name))
    return files


def tables(instructions, blocks, descriptor, image_hash, name):
    declarations = "".join(f"u32 block{number}(Wave &);\n" for number in range(len(blocks)))
    entries = "".join(f"    block{number},\n" for number in range(len(blocks)))
    listing = "".join(f"    {{{i.address:#x}, {quoted(i.text)}, {quoted(i.region)}}},\n" for i in instructions)
    return f"""#include "runtime/translated_kernel.h"

namespace gfx942::{name} {{
{declarations}
static const BlockFunction blocks[] = {{
{entries}}};
static const InstructionText listing[] = {{
{listing}}};
extern const TranslatedKernel kernel;
const TranslatedKernel kernel{{
    .name = {quoted(descriptor.name)},
    .imageHash = {image_hash:#x}ull,
    .blocks = blocks,
    .instructions = listing,
    .vectorRegisters = {descriptor.vector_registers},
    .accumulationOffset = {descriptor.accumulation_offset},
    .staticLds = {descriptor.static_lds},
    .kernargBytes = {descriptor.kernarg},
    .kernargRegister = {descriptor.kernarg_register},
    .workgroupRegister = {descriptor.workgroup_register},
}};
}}
"""
