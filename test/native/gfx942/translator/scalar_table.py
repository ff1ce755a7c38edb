"""Scalar ALU instructions: mnemonic -> (result, sources, statements that set r and, where it changes, scc).

Kinds: u i (32 bits), q l (64 bits), - none. A constant of an s_*k_* instruction arrives sign- or zero-extended.
`exact` bitwise operations carry definedness bit by bit, the others all or nothing.
"""


def bitwise(expression):
    return {
        "b32": ("u", "uu", f"r = {expression}; scc = r != 0;"),
        "b64": ("q", "qq", f"r = {expression}; scc = r != 0;"),
    }


BITWISE = {"and": "a & b", "or": "a | b", "xor": "a ^ b", "andn2": "a & ~b", "orn2": "a | ~b", "nand": "~(a & b)",
           "nor": "~(a | b)", "xnor": "~(a ^ b)"}  # fmt: skip

SCALAR = {f"s_{name}_{size}": entry for name, e in BITWISE.items() for size, entry in bitwise(e).items()}

SCALAR |= {
    "s_mov_b32": ("u", "u", "r = a;"),
    "s_mov_b64": ("q", "q", "r = a;"),
    "s_movk_i32": ("u", "k", "r = a;"),
    "s_cmovk_i32": ("u", "k", "r = scc ? a : old;"),
    "s_cmov_b32": ("u", "u", "r = scc ? a : old;"),
    "s_cmov_b64": ("q", "q", "r = scc ? a : old;"),
    "s_not_b32": ("u", "u", "r = ~a; scc = r != 0;"),
    "s_not_b64": ("q", "q", "r = ~a; scc = r != 0;"),
    "s_brev_b32": ("u", "u", "r = __builtin_bitreverse32(a);"),
    "s_brev_b64": ("q", "q", "r = __builtin_bitreverse64(a);"),
    "s_bcnt0_i32_b32": ("u", "u", "r = 32 - __builtin_popcount(a); scc = r != 0;"),
    "s_bcnt1_i32_b32": ("u", "u", "r = __builtin_popcount(a); scc = r != 0;"),
    "s_bcnt1_i32_b64": ("u", "q", "r = __builtin_popcountll(a); scc = r != 0;"),
    "s_ff1_i32_b32": ("u", "u", "r = a ? __builtin_ctz(a) : ~0u;"),
    "s_ff1_i32_b64": ("u", "q", "r = a ? __builtin_ctzll(a) : ~0u;"),
    "s_flbit_i32_b32": ("u", "u", "r = a ? __builtin_clz(a) : ~0u;"),
    "s_flbit_i32_b64": ("u", "q", "r = a ? __builtin_clzll(a) : ~0u;"),
    "s_sext_i32_i8": ("u", "u", "r = u32(i32(i8(a)));"),
    "s_sext_i32_i16": ("u", "u", "r = u32(i32(i16(a)));"),
    "s_abs_i32": ("u", "i", "r = a < 0 ? 0u - u32(a) : u32(a); scc = r != 0;"),
    "s_bitset0_b32": ("u", "u", "r = old & ~(1u << (a & 31));"),
    "s_bitset1_b32": ("u", "u", "r = old | (1u << (a & 31));"),
    "s_lshl_b32": ("u", "uu", "r = a << (b & 31); scc = r != 0;"),
    "s_lshr_b32": ("u", "uu", "r = a >> (b & 31); scc = r != 0;"),
    "s_ashr_i32": ("u", "iu", "r = u32(a >> (b & 31)); scc = r != 0;"),
    "s_lshl_b64": ("q", "qu", "r = a << (b & 63); scc = r != 0;"),
    "s_lshr_b64": ("q", "qu", "r = a >> (b & 63); scc = r != 0;"),
    "s_ashr_i64": ("q", "lu", "r = u64(a >> (b & 63)); scc = r != 0;"),
    "s_bfe_u32": ("u", "uu", "r = u32(field(a, b & 31, b >> 16 & 127)); scc = r != 0;"),
    "s_bfe_i32": ("u", "uu", "r = u32(signedField(a, b & 31, b >> 16 & 127, 32)); scc = r != 0;"),
    "s_bfe_u64": ("q", "qu", "r = field(a, b & 63, b >> 16 & 127); scc = r != 0;"),
    "s_bfe_i64": ("q", "qu", "r = signedField(a, b & 63, b >> 16 & 127, 64); scc = r != 0;"),
    "s_bfm_b32": ("u", "uu", "r = ((1u << (a & 31)) - 1) << (b & 31);"),
    "s_bfm_b64": ("q", "uu", "r = ((1ull << (a & 63)) - 1) << (b & 63);"),
    "s_add_u32": ("u", "uu", "r = a + b; scc = r < a;"),
    "s_addc_u32": ("u", "uu", "u64 t = u64(a) + b + scc; r = u32(t); scc = u32(t >> 32);"),
    "s_sub_u32": ("u", "uu", "r = a - b; scc = a < b;"),
    "s_subb_u32": ("u", "uu", "u64 t = u64(b) + scc; r = a - u32(t); scc = a < t;"),
    "s_add_i32": ("u", "ii", "i32 t; scc = __builtin_add_overflow(a, b, &t); r = u32(t);"),
    "s_sub_i32": ("u", "ii", "i32 t; scc = __builtin_sub_overflow(a, b, &t); r = u32(t);"),
    "s_addk_i32": ("u", "k", "i32 t; scc = __builtin_add_overflow(i32(old), i32(a), &t); r = u32(t);"),
    "s_mulk_i32": ("u", "k", "r = old * a;"),
    "s_absdiff_i32": ("u", "ii", "r = a > b ? u32(a) - u32(b) : u32(b) - u32(a); scc = r != 0;"),
    "s_mul_i32": ("u", "uu", "r = a * b;"),
    "s_mul_hi_u32": ("u", "uu", "r = u32(u64(a) * b >> 32);"),
    "s_mul_hi_i32": ("u", "ii", "r = u32(u64(i64(a) * b) >> 32);"),
    "s_min_u32": ("u", "uu", "scc = a < b; r = a < b ? a : b;"),
    "s_max_u32": ("u", "uu", "scc = a > b; r = a > b ? a : b;"),
    "s_min_i32": ("u", "ii", "scc = a < b; r = u32(a < b ? a : b);"),
    "s_max_i32": ("u", "ii", "scc = a > b; r = u32(a > b ? a : b);"),
    "s_cselect_b32": ("u", "uu", "r = scc ? a : b;"),
    "s_cselect_b64": ("q", "qq", "r = scc ? a : b;"),
    "s_pack_ll_b32_b16": ("u", "uu", "r = (a & 0xffff) | b << 16;"),
    "s_pack_lh_b32_b16": ("u", "uu", "r = (a & 0xffff) | (b & 0xffff0000);"),
    "s_pack_hh_b32_b16": ("u", "uu", "r = a >> 16 | (b & 0xffff0000);"),
    "s_bitcmp0_b32": ("-", "uu", "scc = !(a >> (b & 31) & 1);"),
    "s_bitcmp1_b32": ("-", "uu", "scc = a >> (b & 31) & 1;"),
    "s_bitcmp0_b64": ("-", "qu", "scc = !(a >> (b & 63) & 1);"),
    "s_bitcmp1_b64": ("-", "qu", "scc = u32(a >> (b & 63) & 1);"),
}

SCALAR |= {
    f"s_lshl{n}_add_u32": ("u", "uu", f"u64 t = (u64(a) << {n}) + b; r = u32(t); scc = t >> 32 != 0;")
    for n in (1, 2, 3, 4)
}

for name, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "lg": "!="}.items():
    for kind in "ui":
        SCALAR[f"s_cmp_{name}_{kind}32"] = ("-", kind * 2, f"scc = a {sign} b;")
        SCALAR[f"s_cmpk_{name}_{kind}32"] = ("-", kind + ("k" if kind == "i" else "z"), f"scc = a {sign} {kind}32(b);")
    SCALAR[f"s_cmp_{name}_u64"] = ("-", "qq", f"scc = a {sign} b;")

# Saves exec, then exec = expression over the old exec and the source.
SAVE_EXEC = {"and": "a & x", "or": "a | x", "xor": "a ^ x", "andn2": "a & ~x", "orn2": "a | ~x", "andn1": "~a & x",
             "orn1": "~a | x"}  # fmt: skip

# s_cselect and s_cmov depend on scc, the carries too.
READS_SCC = {"s_addc_u32", "s_subb_u32", "s_cselect_b32", "s_cselect_b64", "s_cmov_b32", "s_cmov_b64", "s_cmovk_i32"}
