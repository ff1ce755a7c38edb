"""C++ for instructions that touch memory: global, buffer, LDS and scalar loads. The work is the runtime's; here the
addresses are formed and each access is described by a constant."""

import re

from .code import Code, touched
from .disassembly import TranslationError
from .operands import parse_operand

LOADS = {
    "ubyte": "Form::unsignedByte", "sbyte": "Form::signedByte", "ushort": "Form::unsignedHalf",
    "sshort": "Form::signedHalf", "short_d16": "Form::lowHalf", "short_d16_hi": "Form::highHalf",
    "ubyte_d16": "Form::unsignedByteLow", "ubyte_d16_hi": "Form::unsignedByteHigh",
    "sbyte_d16": "Form::signedByteLow", "sbyte_d16_hi": "Form::signedByteHigh",
}  # fmt: skip
STORES = {"byte": "Form::unsignedByte", "byte_d16_hi": "Form::unsignedByteHigh", "short": "Form::unsignedHalf",
          "short_d16_hi": "Form::highHalf"}  # fmt: skip
LDS_LOADS = {
    "u8": "Form::unsignedByte", "i8": "Form::signedByte", "u16": "Form::unsignedHalf", "i16": "Form::signedHalf",
    "u16_d16": "Form::lowHalf", "u16_d16_hi": "Form::highHalf", "u8_d16": "Form::unsignedByteLow",
    "u8_d16_hi": "Form::unsignedByteHigh", "i8_d16": "Form::signedByteLow", "i8_d16_hi": "Form::signedByteHigh",
}  # fmt: skip
LDS_STORES = {"b8": "Form::unsignedByte", "b16": "Form::unsignedHalf", "b8_d16_hi": "Form::unsignedByteHigh",
              "b16_d16_hi": "Form::highHalf"}  # fmt: skip
ATOMICS = {
    "add": "add", "sub": "subtract", "swap": "exchange", "cmpswap": "compareExchange", "smin": "minimumSigned",
    "umin": "minimum", "smax": "maximumSigned", "umax": "maximum", "and": "conjunction", "or": "disjunction",
    "xor": "exclusive", "add_f32": "addFloat", "inc": "increment", "dec": "decrement",
}  # fmt: skip
LDS_ATOMICS = {
    "add_u": "add", "sub_u": "subtract", "min_i": "minimumSigned", "max_i": "maximumSigned", "min_u": "minimum",
    "max_u": "maximum", "and_b": "conjunction", "or_b": "disjunction", "xor_b": "exclusive", "add_f": "addFloat",
    "wrxchg": "exchange", "cmpst": "compareExchange", "inc_u": "increment", "dec_u": "decrement",
}  # fmt: skip


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def emit(instruction):
    """Code of one memory instruction; raises TranslationError for one that is not known."""
    name = instruction.mnemonic
    if name in ("buffer_wbl2", "buffer_inv"):
        function = "writeBack" if name == "buffer_wbl2" else "invalidate"
        scope = "true" if "sc1" in instruction.modifiers else "false"
        return Code(f"{function}(w, {instruction.index}, {scope});")
    if name.startswith("global_"):
        return global_access(name[7:], instruction)
    if name.startswith("buffer_"):
        return buffer_access(name[7:], instruction)
    if name.startswith("ds_"):
        return lds_access(name[3:], instruction)
    if name.startswith("s_load_dword"):
        return scalar_load(name, instruction)
    if name in ("s_memtime", "s_memrealtime"):
        destination = parse_operand(instruction.operands[0])
        clock = "shaderClock" if name == "s_memtime" else "realClock"
        return Code(f"readClock(w, {instruction.index}, {destination.register}, {clock}(w));", touched([destination]),
                    issues_load=True)
    raise TranslationError("unsupported instruction")


def access(instruction, register, dwords, form="Form::dwords", operation="Operation::none", returns=False):
    modifiers = instruction.modifiers
    bits = ", ".join("true" if bit in modifiers else "false" for bit in ("sc0", "sc1", "nt"))
    return (
        f"static constexpr Access access{{{instruction.index}, {register}, {dwords}, {form}, {operation}, "
        f"{'true' if returns else 'false'}, {bits}}};"
    )


def dword_count(suffix):
    match = re.fullmatch(r"dword(?:x(\d))?", suffix)
    return int(match[1] or 1) if match else None


def global_access(name, instruction):
    operands = [parse_operand(text) for text in instruction.operands]
    kind, _, suffix = name.partition("_")
    offset = signed(instruction.words[0] & 0x1FFF, 13)
    if kind == "load":
        shape = described(suffix, LOADS)
        data, address, base = operands
    elif kind == "store":
        shape = described(suffix, STORES)
        address, data, base = operands
    elif kind == "atomic":
        return global_atomic(suffix, operands, offset, instruction)
    else:
        raise TranslationError("unsupported instruction")
    dwords, form = shape
    call = "globalLoad" if kind == "load" else "globalStore"
    text = (
        f"{access(instruction, data.register, dwords, form)} "
        f"{addresses(address, base, offset)} {call}(w, access, at, known, x);"
    )
    # A load may follow another into the same registers: they return in order, which the runtime checks.
    used = [address, base] if kind == "load" and form == "Form::dwords" else operands
    return Code(text, touched(used), starts_block=True, issues_load=True)


def described(suffix, forms):
    dwords = dword_count(suffix)
    if dwords:
        return dwords, "Form::dwords"
    if suffix not in forms:
        raise TranslationError("unsupported instruction")
    return 1, forms[suffix]


def addresses(address, base, offset):
    if base.kind == "o":
        return (
            f"const Addresses at = addresses({address.lanes('q')} + splat64({offset & 0xFFFFFFFFFFFFFFFF:#x}ull)); "
            f"const u64 known = {address.defined('q')};"
        )
    return (
        f"const Addresses at = addresses(splat64(pairAt(w, {base.register}) + {offset & 0xFFFFFFFFFFFFFFFF:#x}ull) + "
        f"widen({address.lanes('u')})); const u64 known = {address.defined('u')} & {base.defined('q')};"
    )


def global_atomic(suffix, operands, offset, instruction):
    wide = suffix.endswith("_x2")
    operation = suffix[:-3] if wide else suffix
    if operation not in ATOMICS:
        raise TranslationError("unsupported instruction")
    returns = "sc0" in instruction.modifiers
    destination, address, data, base = operands if returns else [operands[1], *operands]
    text = (
        f"{access(instruction, destination.register, 2 if wide else 1, operation=f'Operation::{ATOMICS[operation]}', returns=returns)} "
        f"{addresses(address, base, offset)} globalAtomic(w, access, at, {data.register}, known, x);"
    )
    return Code(text, touched(operands), starts_block=True, issues_load=True)


def buffer_access(name, instruction):
    kind, _, suffix = name.partition("_")
    if kind not in ("load", "store") or "idxen" in instruction.modifiers or "lds" in instruction.modifiers:
        raise TranslationError("unsupported instruction")
    dwords, form = described(suffix, LOADS if kind == "load" else STORES)
    operands = [parse_operand(text) for text in instruction.operands]
    data, index, resource, base = operands
    offset = instruction.words[0] & 0xFFF
    lanes, known = ("splat(0u)", "~0ull")
    if "offen" in instruction.modifiers:
        lanes, known = index.lanes("u"), index.defined("u")
    call = "bufferLoad" if kind == "load" else "bufferStore"
    text = (
        f"{access(instruction, data.register, dwords, form)} "
        f"const Offsets at = offsets({lanes} + splat({offset}u)); "
        f"{call}(w, access, at, {resource.register}, {base.scalar('u')}, {known} & allLanes({base.scalar_defined('u')}), x);"
    )
    used = operands[1:] if kind == "load" and form == "Form::dwords" else operands
    return Code(text, touched(used), starts_block=True, issues_load=True)


def lds_access(name, instruction):
    operands = [parse_operand(text) for text in instruction.operands]
    offset = instruction.words[0] & 0xFFFF
    if name in ("bpermute_b32", "permute_b32"):
        destination, address, data = operands
        call = "pullLanes" if name[0] == "b" else "pushLanes"
        text = (
            f"const Offsets at = offsets({address.lanes('u')} + splat({offset}u)); "
            f"{call}(w, {instruction.index}, {destination.register}, at, {address.defined('u')}, {data.register}, x);"
        )
    elif name == "swizzle_b32":
        destination, data = operands
        text = f"swizzleLanes(w, {instruction.index}, {destination.register}, {data.register}, {offset:#x}, x);"
    else:
        text = lds_memory(name, operands, offset, instruction)
    used = operands[1:] if re.match(r"read2?(st64)?_b", name) else operands
    return Code(text, touched(used), starts_block=True, issues_load=True)


def lds_memory(name, operands, offset, instruction):
    match = re.fullmatch(r"(read|write)(2?)(st64)?_(\w+)", name)
    if not match:
        return lds_atomic(name, operands, offset, instruction)
    kind, pair, strided, suffix = match.groups()
    wide = re.fullmatch(r"b(32|64|96|128)", suffix)
    forms = LDS_LOADS if kind == "read" else LDS_STORES
    if not wide and suffix not in forms:
        raise TranslationError("unsupported instruction")
    dwords, form = (int(wide[1]) // 32, "Form::dwords") if wide else (1, forms[suffix])
    address = operands[1] if kind == "read" else operands[0]
    data = [operands[0].register] if kind == "read" else [operand.register for operand in operands[1:]]
    at = f"const Offsets at = offsets({address.lanes('u')}); const u64 known = {address.defined('u')};"
    shape = access(instruction, data[0], dwords, form)
    call = "ldsRead" if kind == "read" else "ldsWrite"
    if not pair:
        return f"{shape} {at} {call}(w, access, at, {offset}u, known, x);"
    step = 4 * dwords * (64 if strided else 1)
    first, second = (offset & 0xFF) * step, (offset >> 8) * step
    both = f"{first}u, {second}u" if kind == "read" else f"{first}u, {second}u, {data[1]}"
    return f"{shape} {at} {call}Pair(w, access, at, {both}, known, x);"


def lds_atomic(name, operands, offset, instruction):
    match = re.fullmatch(r"(add|sub|min|max|and|or|xor|wrxchg|cmpst|inc|dec)(_rtn)?_([uifb])(32|64)", name)
    key = match and (match[1] if match[1] in ("wrxchg", "cmpst") else f"{match[1]}_{match[3]}")
    if not match or key not in LDS_ATOMICS:
        raise TranslationError("unsupported instruction")
    returns = bool(match[2])
    destination, address, data = operands[:3] if returns else (operands[1], *operands[:2])
    extra = operands[-1].register if match[1] == "cmpst" else 0
    shape = access(instruction, destination.register, int(match[4]) // 32,
                   operation=f"Operation::{LDS_ATOMICS[key]}", returns=returns)  # fmt: skip
    return (
        f"{shape} const Offsets at = offsets({address.lanes('u')}); "
        f"ldsAtomic(w, access, at, {offset}u, {data.register}, {extra}, {address.defined('u')}, x);"
    )


def scalar_load(name, instruction):
    dwords = int(name[13:] or 1)
    destination, base, offset = (parse_operand(text) for text in instruction.operands)
    added = instruction.modifiers.get("offset", "0")
    value, known = offset.scalar("u"), f"allLanes({offset.scalar_defined('u')})"
    if offset.kind == "c":
        value, known = f"u64(i64({signed(instruction.words[1] & 0x1FFFFF, 21)}))", "~0ull"
    text = (
        f"scalarLoad(w, {instruction.index}, {destination.register}, {dwords}, "
        f"pairAt(w, {base.register}) + {value} + {int(added, 0)}, "
        f"{known} & {base.defined('q')});"
    )
    return Code(text, touched([destination, base, offset]), issues_load=True)
