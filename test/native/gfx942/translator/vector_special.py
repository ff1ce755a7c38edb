"""C++ for vector instructions with a shape of their own: lane moves, division steps, wide multiply-adds, mixed formats."""

from .vector_sources import lane_control, list_modifier, low_defined, selected, sources_text


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


def conjunction(operands, instruction):
    """What is cleared is known, whatever it was: kernels clear what they loaded from beyond the written part."""
    destination, first, second = operands
    declarations, _ = sources_text("uu", selected([first, second], instruction), instruction)
    a, b = ("moved.defined" if lane_control(instruction) else first.defined("u")), second.defined("u")
    return (
        f"{declarations} const u64 ka = {a}, kb = {b}; "
        f"put(w, {destination.register}, a & b, to, (ka & kb) | (ka & maskOf(a == 0u)) | (kb & maskOf(b == 0u)));"
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
    "v_and_b32": conjunction,
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
