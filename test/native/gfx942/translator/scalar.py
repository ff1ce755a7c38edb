"""C++ for scalar ALU instructions, branches and waits."""

import re

from .code import Code, touched
from .disassembly import TranslationError
from .operands import parse_operand
from .scalar_table import BITWISE, READS_SCC, SAVE_EXEC, SCALAR

IGNORED = {"s_nop", "s_setprio", "s_icache_inv", "s_dcache_inv", "s_dcache_wb", "s_sethalt", "s_inst_prefetch"}
CONDITIONS = {
    "s_cbranch_scc0": "!conditionScc(w, {0})",
    "s_cbranch_scc1": "conditionScc(w, {0})",
    "s_cbranch_vccz": "!conditionVcc(w, {0})",
    "s_cbranch_vccnz": "conditionVcc(w, {0})",
    "s_cbranch_execz": "!exec(w)",
    "s_cbranch_execnz": "exec(w)",
}
HARDWARE_REGISTERS = {"HW_REG_XCC_ID": "xcc", "HW_REG_HW_ID": "place", "HW_REG_MODE": "mode"}
CPP = {"u": "u32", "i": "i32", "q": "u64", "l": "i64"}


def emit(instruction):
    """Code of one scalar instruction; raises TranslationError for one that is not known."""
    name = instruction.mnemonic
    if name in IGNORED:
        return Code(";")
    if name == "s_endpgm":
        return Code("return finish(w);", ends_block=True)
    if name == "s_barrier":
        text = f"return barrier(w, {instruction.index}, {{next}});"
        return Code(text, ends_block=True)
    if name == "s_sleep":
        return Code("return sleep(w, {next});", ends_block=True)
    if name == "s_waitcnt":
        return Code(wait(instruction), waits=True)
    if name == "s_branch":
        return Code("return {target};", ends_block=True, target=instruction.branch_target)
    if name in CONDITIONS:
        condition = CONDITIONS[name].format(instruction.index)
        touches = {512 + 106, 512 + 107} if "vcc" in name else set()
        return Code(f"if ({condition}) return {{target}};", touches, ends_block=True, target=instruction.branch_target)
    if name == "s_getreg_b32":
        return hardware_register(instruction)
    operands = [parse_operand(text) for text in instruction.operands]
    if name == "s_getpc_b64":
        text = f"putPair(w, {operands[0].register}, codeAddress(w, {instruction.address + instruction.size}), ~0ull);"
        return Code(text, touched(operands))
    match = re.fullmatch(r"s_(\w+)_saveexec_b64", name)
    if match and match[1] in SAVE_EXEC:
        return save_exec(SAVE_EXEC[match[1]], operands, instruction)
    if name not in SCALAR:
        raise TranslationError("unsupported instruction")
    return arithmetic(name, operands, instruction)


def wait(instruction):
    """Lowers the counters that the instruction names; 63 and 15 are the counters' ends, so no wait."""
    counts = dict(re.findall(r"(\w+)\((\d+)\)", instruction.text))
    if set(counts) - {"vmcnt", "lgkmcnt", "expcnt"}:
        raise TranslationError("unknown counter")
    return f"waitFor(w, {instruction.index}, {counts.get('vmcnt', 63)}, {counts.get('lgkmcnt', 15)});"


def hardware_register(instruction):
    match = re.fullmatch(r"s_getreg_b32 (\w+), hwreg\((\w+)(?:, (\d+), (\d+))?\)", instruction.text)
    if not match or match[2] not in HARDWARE_REGISTERS:
        raise TranslationError("unsupported hardware register")
    destination = parse_operand(match[1])
    offset, width = match[3] or "0", match[4] or "32"
    value = f"u32(field(hardwareOf(w).{HARDWARE_REGISTERS[match[2]]}, {offset}, {width}))"
    return Code(f"putScalar(w, {destination.register}, {value}, ~0u);", touched([destination]))


def save_exec(expression, operands, instruction):
    destination, source = operands
    expression = re.sub(r"\bx\b", "x0", expression)
    text = (
        f"const u64 x0 = exec(w), a = {source.scalar('q')}; const u64 known = {source.scalar_defined('q')}; "
        f"putPair(w, {destination.register}, x0, ~0ull); "
        f"const u64 r = {expression}; "
        f"w.scc = r != 0; w.sccDefined = true; "
        f"putExec(w, r, {known_bits(expression)}, {instruction.index});"
    )
    return Code(text, touched(operands), writes_exec=True)


def known_bits(expression):
    """Bits that are defined when only `a` has undefined ones: those where the old exec decides alone."""
    decided = {"a & x0": "~x0", "~a & x0": "~x0", "a | x0": "x0", "~a | x0": "x0", "a & ~x0": "x0", "a | ~x0": "~x0"}
    return f"known | {decided[expression]}" if expression in decided else "known"


def source_text(kind, operand, instruction):
    if kind in "kz":
        value = instruction.words[0] & 0xFFFF
        if kind == "k" and value & 0x8000:
            value |= 0xFFFF0000
        return f"{value:#x}u", "~0u"
    return operand.scalar(kind), operand.scalar_defined(kind)


def arithmetic(name, operands, instruction):
    result, kinds, body = SCALAR[name]
    sources = operands if result == "-" else operands[1:]
    parts, defined = [], []
    for letter, kind, source in zip("ab", kinds, sources):
        value, known = source_text(kind, source, instruction)
        parts.append(f"const {CPP.get(kind, 'u32')} {letter} = {value};")
        parts.append(f"const u64 k{letter} = wholly({known});" if not is_bitwise(name) else f"const u64 k{letter} = {known};")
        defined.append(f"k{letter}")
    destination = operands[0]
    if "old" in body:
        parts.append(f"const {CPP[result]} old = {destination.scalar(result)};")
        defined.append(f"wholly({destination.scalar_defined(result)})")
    if name in READS_SCC:
        defined.append("(w.sccDefined ? ~0ull : 0ull)")
    known = bitwise_known(name) if is_bitwise(name) else selection_known(name) or " & ".join(defined)
    if re.search(r"\bscc\b", body):
        parts.append("u32 scc = w.scc;")
    parts.append(f"const u64 known = {known};")
    if result != "-":
        parts.append(f"{CPP[result]} r;")
    parts.append(body)
    if "scc =" in body:
        width = "0xffffffff" if result == "u" else "~u64(0)"
        decided = f"resultDecided(r, known, {width})" if is_bitwise(name) else "known != 0"
        parts.append(f"w.scc = scc; w.sccDefined = {decided};")
    writes_exec = result != "-" and destination.register in (126, 127)
    if writes_exec:
        if result != "q":
            parts.append(f"putExecHalf(w, {destination.register}, r, u32(known), {instruction.index});")
        else:
            parts.append(f"putExec(w, r, known, {instruction.index});")
    elif result != "-":
        put, known_cast = ("putPair", "known") if result in "ql" else ("putScalar", "u32(known)")
        parts.append(f"{put}(w, {destination.register}, r, {known_cast});")
    return Code(" ".join(parts), touched(operands), writes_exec=writes_exec)


def is_bitwise(name):
    match = re.fullmatch(r"s_(\w+)_b(32|64)", name)
    return bool(match) and match[1] in (*BITWISE, "mov", "not") or name in ("s_mov_b32", "s_mov_b64")


def selection_known(name):
    """s_cselect: only the chosen source counts."""
    return "w.sccDefined ? (scc ? ka : kb) : 0ull" if name.startswith("s_cselect") else None


def bitwise_known(name):
    """Defined bits: both are, or one is and decides alone (0 for and, 1 for or)."""
    kind = re.fullmatch(r"s_(\w+)_b(32|64)", name)[1]
    if kind in ("mov", "not"):
        return "ka"
    both = "(ka & kb)"
    decided = {
        "and": "(ka & ~u64(a)) | (kb & ~u64(b))", "nand": "(ka & ~u64(a)) | (kb & ~u64(b))",
        "or": "(ka & a) | (kb & b)", "nor": "(ka & a) | (kb & b)",
        "andn2": "(ka & ~u64(a)) | (kb & b)", "orn2": "(ka & a) | (kb & ~u64(b))",
    }.get(kind)  # fmt: skip
    return f"{both} | {decided}" if decided else both
