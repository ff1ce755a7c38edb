#include "arithmetic.h"
#include "device.h"

KERNEL void arithmetic(const Arguments p) {
    const u32 i = group() * 256 + thread();
    if (i < p.count) {
        GLOBAL const u64 *in = global<const u64>(p.input) + 3 * i;
        global<u64>(p.output)[i] = evaluate(p.operation, in[0], in[1], in[2]);
    }
}
