#!/usr/bin/env python3
"""isa_check.py CODE_OBJECT: facts that the gfx942 monokernel must show in its machine code. Prints each, then a table of
its resources; exit code 1 when one does not hold. Regions are the KERNEL_MARK labels of the source."""

import re
import sys

from translator.disassembly import TranslationError, descriptor, disassemble, resources

STREAM = "global_load_dwordx4"
IN_FLIGHT = 8  # 16-byte loads a lane that saturate memory
TILE_FIRST = 220  # accumulation registers from here on hold the tile in flight and where the next one lies
LOOK_UP = "global_load_dwordx3"  # of the pages that a tile lies in


def counts_of(instruction):
    """The counters that an s_waitcnt names."""
    return {name: int(value) for name, value in re.findall(r"(\w+)\((\d+)\)", instruction.text)}


def writes_exec(instruction):
    first = instruction.operands[0] if instruction.operands else ""
    return "saveexec" in instruction.mnemonic or instruction.mnemonic.startswith("v_cmpx") or first.startswith("exec")


def region(instructions, label):
    return [i for i in instructions if re.fullmatch(rf"mk_{label}_\d+", i.region)]


def dispatcher(instructions):
    """What runs from the dispatcher's label until a path comes to a phase's label or does its first work: a vector
    instruction that is no move, an access to memory other than the parameters, a barrier. While nothing writes exec it
    has lanes: the compiler makes unconditional branches of that."""
    at = {instruction.address: instruction.index for instruction in instructions}
    todo = [i.index for i in region(instructions, "dispatch")[:1]]
    seen = {i.index for label in ("stage", "attention", "prefill") for i in region(instructions, label)[:1]}
    phases = set(seen)
    while todo:
        index = todo.pop()
        if index in seen or index >= len(instructions):
            continue
        instruction = instructions[index]
        name = instruction.mnemonic
        works = name.startswith("v_") and not name.startswith(("v_mov", "v_readfirstlane", "v_accvgpr"))
        if works or name.startswith(("global_", "buffer_", "ds_", "s_barrier", "s_endpgm", "s_setpc")):
            continue
        seen.add(index)
        if name.startswith(("s_cbranch", "s_branch")) and name != "s_cbranch_execz":
            todo.append(at[instruction.branch_target])
        if name not in ("s_branch", "s_cbranch_execnz"):
            todo.append(index + 1)
    return [instructions[index] for index in sorted(seen - phases)]


def most_in_flight(instructions):
    """Most streaming loads that are under way at once: a wait for vmcnt(n) leaves the n latest."""
    best = under_way = 0
    for instruction in instructions:
        if instruction.mnemonic == STREAM and "nt" in instruction.modifiers:
            under_way += 1
        elif instruction.mnemonic == "s_waitcnt" and "vmcnt" in counts_of(instruction):
            under_way = min(under_way, counts_of(instruction)["vmcnt"])
        best = max(best, under_way)
    return best


def tile_registers(operand):
    """Whether an operand names a register of the tile in flight or of its pages (KERNEL_TILE and lookUp in
    device_gfx942.h)."""
    match = re.fullmatch(r"a\[?(\d+)(?::(\d+))?\]?", operand)
    return bool(match) and int(match[2] or match[1]) >= TILE_FIRST


def tile_checks(instructions):
    """(holds, fact) of the tile in flight: only its loads write its registers, and each is read after a wait for it."""
    users = [i for i in instructions if any(tile_registers(operand) for operand in i.operands)]
    streams = lambda i: i.mnemonic == LOOK_UP or i.mnemonic == STREAM and "nt" in i.modifiers
    loads = [i for i in users if streams(i) and tile_registers(i.operands[0])]
    reads = [i for i in users if i.mnemonic == "v_accvgpr_read_b32" and tile_registers(i.operands[1])]
    yield len(users) == len(loads) + len(reads), f"the tile in flight: {len(loads)} loads, {len(reads)} reads, no more"
    unsettled = []
    for read in reads:
        for before in reversed(instructions[: read.index]):
            # Behind a piece are those of the tile after it and a look-up; behind a look-up is a tile.
            if before.mnemonic == "s_waitcnt" and counts_of(before).get("vmcnt", IN_FLIGHT + 1) <= IN_FLIGHT:
                break
            if before in loads or before.mnemonic.startswith("s_cbranch"):
                unsettled.append(read)
                break
    yield bool(reads) and not unsettled, f"the tile in flight: {len(unsettled)} reads without a wait of their own"


def loop_of(instructions, label):
    """A region up to its last branch back into it: what the compiler placed behind the loop is not of it."""
    body = [i for i in instructions if i.region == label]
    first = body[0].address
    back = [n for n, i in enumerate(body) if i.branch_target is not None and first <= i.branch_target <= i.address]
    return body[: back[-1] + 1] if back else body


def loop_checks(instructions):
    """(holds, fact) of each weight loop of a decode step."""
    labels = sorted({i.region for i in region(instructions, "weights_begin")})
    yield bool(labels), f"weight loops: {len(labels)}"
    for label in labels:
        body = loop_of(instructions, label)
        wide = [i for i in body if i.mnemonic.startswith(("global_load_dwordx4", "buffer_load_dwordx4"))]
        yield bool(wide) and all("nt" in i.modifiers for i in wide), f"{label}: {len(wide)} 16-byte loads, all nt"
        run = most_in_flight(body)
        yield run >= IN_FLIGHT, f"{label}: {run} of them in flight at once"
        yield not any(writes_exec(i) for i in body), f"{label}: exec is never written"
        products = [i for i in body if i.mnemonic.startswith("v_mfma")]
        yield bool(products), f"{label}: {len(products)} products on the matrix cores"


def checks(instructions, notes):
    """(holds, fact) of everything that is asked."""
    number = lambda key: int(notes.get(key, -1))
    mnemonics = {i.mnemonic for i in instructions}
    has = lambda *prefixes: sorted(m for m in mnemonics if m.startswith(prefixes))
    yield notes["target"].endswith("gfx942"), f"target {notes['target']}"
    yield number("wavefront_size") == 64, "64 lanes a wave"
    yield number("vgpr_spill_count") == 0, f"vector register spills: {number('vgpr_spill_count')}"
    yield number("sgpr_spill_count") == 0, f"scalar register spills, into vector lanes: {number('sgpr_spill_count')}"
    scratch = number("private_segment_fixed_size")
    yield scratch == 0 and notes.get("uses_dynamic_stack") == "false", f"scratch: {scratch} bytes"
    yield not has("scratch_", "buffer_store", "s_scratch"), "no scratch accesses"
    yield not has("flat_"), "no flat accesses"
    yield not has("s_swappc", "s_call"), "no calls"
    yield not has("s_trap", "s_sendmsg"), "no traps, no messages"
    yield from loop_checks(instructions)
    yield from tile_checks(instructions)
    prefill = [loop_of(instructions, label) for label in sorted({i.region for i in region(instructions, "prefill_begin")})]
    matrix = [sum(i.mnemonic.startswith("v_mfma") for i in body) for body in prefill]
    yield bool(matrix) and all(matrix), f"prefill loops: {len(matrix)}, with {matrix} products on the matrix cores"
    dispatch = dispatcher(instructions)
    uniform = not any(writes_exec(i) for i in dispatch)
    yield bool(dispatch) and uniform, f"dispatcher is uniform: its {len(dispatch)} instructions leave exec alone"


def table(instructions, kernel, notes):
    """Markdown rows for docs/performance.md."""
    rows = {
        "vector registers (of them accumulation)": f"{notes['vgpr_count']} ({notes.get('agpr_count', 0)})",
        "scalar registers": notes["sgpr_count"],
        "spills, vector and scalar": f"{notes['vgpr_spill_count']}, {notes['sgpr_spill_count']}",
        "scratch, bytes": notes["private_segment_fixed_size"],
        "static LDS, bytes": str(kernel.static_lds),
        "parameters, bytes": str(kernel.kernarg),
        "instructions": str(len(instructions)),
        "code, bytes": str(instructions[-1].address + instructions[-1].size - instructions[0].address),
    }
    return "\n".join(["| gfx942 | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def main(code_object):
    instructions, notes = disassemble(code_object), resources(code_object)
    failed = 0
    for holds, fact in checks(instructions, notes):
        print(f"{'ok  ' if holds else 'FAIL'} {fact}")
        failed += not holds
    print(table(instructions, descriptor(code_object), notes))
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1]))
    except TranslationError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
