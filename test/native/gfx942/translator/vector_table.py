"""Per-lane instructions: mnemonic -> (result, sources, C++ expression over 64 lanes).

Kinds: u i f of 32 bits, q l d of 64, h a float from 16 bits (result h: 16 bits, upper half zero), m a scalar lane mask
(one bit a lane). Sources are a, b, c; `old` is the destination before. Names follow AMD's CDNA3 instruction set
reference; functions are runtime/lanes.h's and runtime/arithmetic.h's.
"""

SHIFTS = {
    "v_lshlrev_b32": ("u", "uu", "b << (a & 31)"),
    "v_lshrrev_b32": ("u", "uu", "b >> (a & 31)"),
    "v_ashrrev_i32": ("i", "ui", "b >> integer(a & 31)"),
    "v_lshlrev_b64": ("q", "uq", "b << widen(a & 63)"),
    "v_lshrrev_b64": ("q", "uq", "b >> widen(a & 63)"),
    "v_ashrrev_i64": ("l", "ul", "b >> integer64(widen(a & 63))"),
    "v_lshl_add_u32": ("u", "uuu", "(a << (b & 31)) + c"),
    "v_lshl_add_u64": ("q", "quq", "(a << widen(b & 7)) + c"),
    "v_add_lshl_u32": ("u", "uuu", "(a + b) << (c & 31)"),
    "v_lshl_or_b32": ("u", "uuu", "(a << (b & 31)) | c"),
    "v_alignbit_b32": ("u", "uuu", "narrow(wide(b, a) >> widen(c & 31))"),
    "v_alignbyte_b32": ("u", "uuu", "narrow(wide(b, a) >> widen((c & 3) * 8))"),
    "v_lshlrev_b16": ("u", "uu", "(b << (a & 15)) & 0xffff"),
    "v_lshrrev_b16": ("u", "uu", "(b & 0xffff) >> (a & 15)"),
    "v_ashrrev_i16": ("u", "uu", "bits(integer(b << 16) >> integer((a & 15) + 16)) & 0xffff"),
}

BITS = {
    "v_mov_b32": ("u", "u", "a"),
    "v_mov_b64": ("q", "q", "a"),
    "v_accvgpr_read_b32": ("u", "u", "a"),
    "v_accvgpr_write_b32": ("u", "u", "a"),
    "v_accvgpr_mov_b32": ("u", "u", "a"),
    "v_not_b32": ("u", "u", "~a"),
    "v_or_b32": ("u", "uu", "a | b"),
    "v_xor_b32": ("u", "uu", "a ^ b"),
    "v_xnor_b32": ("u", "uu", "~(a ^ b)"),
    "v_and_or_b32": ("u", "uuu", "(a & b) | c"),
    "v_or3_b32": ("u", "uuu", "a | b | c"),
    "v_xad_u32": ("u", "uuu", "(a ^ b) + c"),
    "v_bfi_b32": ("u", "uuu", "(a & b) | (~a & c)"),
    "v_bfe_u32": ("u", "uuu", "(a >> (b & 31)) & ((1u << (c & 31)) - 1u)"),
    "v_bfe_i32": ("u", "uuu", "signedField(a, b & 31, c & 31)"),
    "v_bfm_b32": ("u", "uu", "((1u << (a & 31)) - 1u) << (b & 31)"),
    "v_perm_b32": ("u", "uuu", "permute(a, b, c)"),
    "v_bfrev_b32": ("u", "u", "__builtin_elementwise_bitreverse(a)"),
    "v_bcnt_u32_b32": ("u", "uu", "bitCount(a) + b"),
    "v_ffbh_u32": ("u", "u", "leadingZeros(a)"),
    "v_ffbh_i32": ("u", "u", "leadingSigns(a)"),
    "v_ffbl_b32": ("u", "u", "trailingZeros(a)"),
    "v_mbcnt_lo_u32_b32": ("u", "uu", "countBelow(a, false) + b"),
    "v_mbcnt_hi_u32_b32": ("u", "uu", "countBelow(a, true) + b"),
}

INTEGERS = {
    "v_add_u32": ("u", "uu", "a + b"),
    "v_sub_u32": ("u", "uu", "a - b"),
    "v_subrev_u32": ("u", "uu", "b - a"),
    "v_add_i32": ("u", "uu", "a + b"),
    "v_sub_i32": ("u", "uu", "a - b"),
    "v_add3_u32": ("u", "uuu", "a + b + c"),
    "v_mul_lo_u32": ("u", "uu", "a * b"),
    "v_mul_hi_u32": ("u", "uu", "high(widen(a) * widen(b))"),
    "v_mul_hi_i32": ("u", "ii", "high(bits64(widen(a) * widen(b)))"),
    "v_mul_u32_u24": ("u", "uu", "(a & 0xffffff) * (b & 0xffffff)"),
    "v_mul_hi_u32_u24": ("u", "uu", "high(widen(a & 0xffffff) * widen(b & 0xffffff))"),
    "v_mul_i32_i24": ("u", "uu", "signedField(a, 0, 24) * signedField(b, 0, 24)"),
    "v_mad_u32_u24": ("u", "uuu", "(a & 0xffffff) * (b & 0xffffff) + c"),
    "v_mad_i32_i24": ("u", "uuu", "signedField(a, 0, 24) * signedField(b, 0, 24) + c"),
    "v_max_u32": ("u", "uu", "__builtin_elementwise_max(a, b)"),
    "v_min_u32": ("u", "uu", "__builtin_elementwise_min(a, b)"),
    "v_max_i32": ("i", "ii", "__builtin_elementwise_max(a, b)"),
    "v_min_i32": ("i", "ii", "__builtin_elementwise_min(a, b)"),
    "v_max3_u32": ("u", "uuu", "__builtin_elementwise_max(__builtin_elementwise_max(a, b), c)"),
    "v_min3_u32": ("u", "uuu", "__builtin_elementwise_min(__builtin_elementwise_min(a, b), c)"),
    "v_max3_i32": ("i", "iii", "__builtin_elementwise_max(__builtin_elementwise_max(a, b), c)"),
    "v_min3_i32": ("i", "iii", "__builtin_elementwise_min(__builtin_elementwise_min(a, b), c)"),
    "v_med3_u32": ("u", "uuu", "median(a, b, c)"),
    "v_med3_i32": ("i", "iii", "median(a, b, c)"),
    "v_sad_u32": ("u", "uuu", "__builtin_elementwise_max(a, b) - __builtin_elementwise_min(a, b) + c"),
    "v_add_u16": ("u", "uu", "(a + b) & 0xffff"),
    "v_sub_u16": ("u", "uu", "(a - b) & 0xffff"),
    "v_subrev_u16": ("u", "uu", "(b - a) & 0xffff"),
    "v_mul_lo_u16": ("u", "uu", "(a * b) & 0xffff"),
    "v_mad_u16": ("u", "uuu", "(a * b + c) & 0xffff"),
    "v_mad_legacy_u16": ("u", "uuu", "(a * b + c) & 0xffff"),
    "v_mad_u32_u16": ("u", "uuu", "(a & 0xffff) * (b & 0xffff) + c"),
    "v_max_u16": ("u", "uu", "__builtin_elementwise_max(a & 0xffff, b & 0xffff)"),
    "v_min_u16": ("u", "uu", "__builtin_elementwise_min(a & 0xffff, b & 0xffff)"),
    "v_max_i16": ("u", "uu", "bits(__builtin_elementwise_max(signedHalf(a), signedHalf(b))) & 0xffff"),
    "v_min_i16": ("u", "uu", "bits(__builtin_elementwise_min(signedHalf(a), signedHalf(b))) & 0xffff"),
    "v_dot4_i32_i8": ("u", "uuu", "dotBytes(a, b, c)"),
    "v_dot4c_i32_i8": ("u", "uu", "dotBytes(a, b, old)"),
}

FLOATS = {
    "v_add_f32": ("f", "ff", "a + b"),
    "v_sub_f32": ("f", "ff", "a - b"),
    "v_subrev_f32": ("f", "ff", "b - a"),
    "v_mul_f32": ("f", "ff", "a * b"),
    "v_mul_legacy_f32": ("f", "ff", "legacyProduct(a, b)"),
    "v_fma_f32": ("f", "fff", "fma(a, b, c)"),
    "v_fmac_f32": ("f", "ff", "fma(a, b, real(old))"),
    "v_fmaak_f32": ("f", "fff", "fma(a, b, c)"),
    "v_fmamk_f32": ("f", "fff", "fma(a, b, c)"),
    "v_max_f32": ("f", "ff", "__builtin_elementwise_max(a, b)"),
    "v_min_f32": ("f", "ff", "__builtin_elementwise_min(a, b)"),
    "v_max3_f32": ("f", "fff", "__builtin_elementwise_max(__builtin_elementwise_max(a, b), c)"),
    "v_min3_f32": ("f", "fff", "__builtin_elementwise_min(__builtin_elementwise_min(a, b), c)"),
    "v_med3_f32": ("f", "fff", "median(a, b, c)"),
    "v_floor_f32": ("f", "f", "__builtin_elementwise_floor(a)"),
    "v_ceil_f32": ("f", "f", "__builtin_elementwise_ceil(a)"),
    "v_trunc_f32": ("f", "f", "__builtin_elementwise_trunc(a)"),
    "v_rndne_f32": ("f", "f", "__builtin_elementwise_roundeven(a)"),
    "v_fract_f32": ("f", "f", "perLane(fraction, a)"),
    "v_rcp_f32": ("f", "f", "1.0f / a"),
    "v_rcp_iflag_f32": ("f", "f", "1.0f / a"),
    "v_rsq_f32": ("f", "f", "1.0f / __builtin_elementwise_sqrt(a)"),
    "v_sqrt_f32": ("f", "f", "__builtin_elementwise_sqrt(a)"),
    "v_exp_f32": ("f", "f", "perLane(exponential2, a)"),
    "v_log_f32": ("f", "f", "perLane(logarithm2, a)"),
    "v_sin_f32": ("f", "f", "perLane(sineOfTurns, a)"),
    "v_cos_f32": ("f", "f", "perLane(cosineOfTurns, a)"),
    "v_ldexp_f32": ("f", "fu", "perLane(scaleByPower, a, real(b))"),
    "v_frexp_mant_f32": ("f", "f", "perLane(mantissaOf, a)"),
    "v_frexp_exp_i32_f32": ("f", "f", "perLane(exponentOf, a)"),
    "v_div_fixup_f32": ("f", "fff", "perLane(divisionFixup, a, b, c)"),
    "v_add_f64": ("d", "dd", "a + b"),
    "v_mul_f64": ("d", "dd", "a * b"),
    "v_fma_f64": ("d", "ddd", "__builtin_elementwise_fma(a, b, c)"),
    "v_fmac_f64": ("d", "dd", "__builtin_elementwise_fma(a, b, real64(old))"),
    "v_max_f64": ("d", "dd", "__builtin_elementwise_max(a, b)"),
    "v_min_f64": ("d", "dd", "__builtin_elementwise_min(a, b)"),
    "v_floor_f64": ("d", "d", "__builtin_elementwise_floor(a)"),
    "v_trunc_f64": ("d", "d", "__builtin_elementwise_trunc(a)"),
    "v_rndne_f64": ("d", "d", "__builtin_elementwise_roundeven(a)"),
    "v_ldexp_f64": ("d", "du", "scaleByPower64(a, b)"),
}

CONVERSIONS = {
    "v_cvt_f32_u32": ("f", "u", "__builtin_convertvector(a, F)"),
    "v_cvt_f32_i32": ("f", "i", "__builtin_convertvector(a, F)"),
    "v_cvt_u32_f32": ("f", "f", "perLane(toUnsigned, a)"),
    "v_cvt_i32_f32": ("f", "f", "perLane(toSigned, a)"),
    "v_cvt_flr_i32_f32": ("f", "f", "perLane(toSigned, __builtin_elementwise_floor(a))"),
    "v_cvt_f32_ubyte0": ("f", "u", "__builtin_convertvector(a & 255, F)"),
    "v_cvt_f32_ubyte1": ("f", "u", "__builtin_convertvector((a >> 8) & 255, F)"),
    "v_cvt_f32_ubyte2": ("f", "u", "__builtin_convertvector((a >> 16) & 255, F)"),
    "v_cvt_f32_ubyte3": ("f", "u", "__builtin_convertvector(a >> 24, F)"),
    "v_cvt_f16_f32": ("h", "f", "a"),
    "v_cvt_f32_f16": ("f", "h", "a"),
    "v_cvt_pkrtz_f16_f32": ("u", "ff", "packTowardsZero(a, b)"),
    "v_cvt_f64_f32": ("d", "f", "__builtin_convertvector(a, D)"),
    "v_cvt_f32_f64": ("f", "d", "__builtin_convertvector(a, F)"),
    "v_cvt_f64_u32": ("d", "u", "__builtin_convertvector(a, D)"),
    "v_cvt_f64_i32": ("d", "i", "__builtin_convertvector(a, D)"),
    "v_cvt_u32_f64": ("u", "d", "saturateUnsigned(a)"),
    "v_cvt_i32_f64": ("u", "d", "saturateSigned(a)"),
}

# On halves results are rounded once from f32, which holds a sum or product of halves exactly enough for one rounding;
# the fused ones keep the product exact in f32 and may differ from the hardware by double rounding.
HALVES = {
    "v_add_f16": ("h", "hh", "a + b"),
    "v_sub_f16": ("h", "hh", "a - b"),
    "v_mul_f16": ("h", "hh", "a * b"),
    "v_fma_f16": ("h", "hhh", "fma(a, b, c)"),
    "v_max_f16": ("h", "hh", "__builtin_elementwise_max(a, b)"),
    "v_min_f16": ("h", "hh", "__builtin_elementwise_min(a, b)"),
}

LANES = {**SHIFTS, **BITS, **INTEGERS, **FLOATS, **CONVERSIONS, **HALVES}

# 64-bit results whose low dword needs only the sources' low dwords.
LOW_FROM_LOW = {"v_mov_b64", "v_lshlrev_b64", "v_lshl_add_u64"}

# Integer instructions whose clamp saturates.
SATURATING = {
    "v_add_u32": ("u", "uu", "__builtin_elementwise_add_sat(a, b)"),
    "v_sub_u32": ("u", "uu", "__builtin_elementwise_sub_sat(a, b)"),
    "v_add_i32": ("i", "ii", "__builtin_elementwise_add_sat(a, b)"),
    "v_sub_i32": ("i", "ii", "__builtin_elementwise_sub_sat(a, b)"),
}

# Two results a lane from the low and the high part of each source, chosen by op_sel and op_sel_hi.
PACKED_FLOATS = {
    "v_pk_fma_f32": ("fff", "fma(a, b, c)"),
    "v_pk_mul_f32": ("ff", "a * b"),
    "v_pk_add_f32": ("ff", "a + b"),
    "v_pk_mov_b32": ("uu", ""),
}
PACKED_HALVES = {
    "v_pk_fma_f16": ("hhh", "fma(a, b, c)"),
    "v_pk_mul_f16": ("hh", "a * b"),
    "v_pk_add_f16": ("hh", "a + b"),
    "v_pk_max_f16": ("hh", "__builtin_elementwise_max(a, b)"),
    "v_pk_min_f16": ("hh", "__builtin_elementwise_min(a, b)"),
    "v_pk_add_u16": ("uu", "a + b"),
    "v_pk_sub_i16": ("uu", "a - b"),
    "v_pk_mul_lo_u16": ("uu", "a * b"),
    "v_pk_lshlrev_b16": ("uu", "b << (a & 15)"),
    "v_pk_lshrrev_b16": ("uu", "(b & 0xffff) >> (a & 15)"),
}

# Carry in and out: (sum of three, carry out); the third source is the carry in, one bit a lane.
CARRIES = {
    "v_add_co_u32": "widen(a) + widen(b)",
    "v_addc_co_u32": "widen(a) + widen(b) + bitLanes(carry)",
    "v_sub_co_u32": "widen(a) - widen(b)",
    "v_subb_co_u32": "widen(a) - widen(b) - bitLanes(carry)",
    "v_subrev_co_u32": "widen(b) - widen(a)",
    "v_subbrev_co_u32": "widen(b) - widen(a) - bitLanes(carry)",
}

COMPARISONS = {"lt": "a < b", "le": "a <= b", "gt": "a > b", "ge": "a >= b", "eq": "a == b", "ne": "a != b"}
FLOAT_COMPARISONS = {
    **{name: expression for name, expression in COMPARISONS.items() if name != "ne"},
    "neq": "a != b",
    "lg": "(a < b) | (a > b)",
    "o": "(a == a) & (b == b)",
    "u": "(a != a) | (b != b)",
    "nlt": "~(a < b)",
    "nle": "~(a <= b)",
    "ngt": "~(a > b)",
    "nge": "~(a >= b)",
    "nlg": "~((a < b) | (a > b))",
}
