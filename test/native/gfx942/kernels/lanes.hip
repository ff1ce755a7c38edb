#include "device.h"

// Movement between lanes. The operation number picks one; lanes_test.cpp says what each must give.

template <int control, int rows = 0xf, int banks = 0xf, bool bound = true> DEV u32 moved(u32 old, u32 x) {
    return static_cast<u32>(__builtin_amdgcn_update_dpp(static_cast<int>(old), static_cast<int>(x), control, rows, banks, bound));
}

DEV u32 move(u32 operation, u32 x, u32 old) {
    switch (operation) {
    case 0: return moved<0xb1>(old, x);               // quad_perm 1,0,3,2
    case 1: return moved<0x1b>(old, x);               // quad_perm 3,2,1,0
    case 2: return moved<0x103>(old, x);              // row_shl:3, bound
    case 3: return moved<0x115, 0xf, 0xf, false>(old, x); // row_shr:5, out of range keeps
    case 4: return moved<0x124>(old, x);              // row_ror:4
    case 5: return moved<0x140>(old, x);              // row_mirror
    case 6: return moved<0x141>(old, x);              // row_half_mirror
    case 7: return moved<0x142, 0xa, 0xf, false>(old, x); // row_bcast:15
    case 8: return moved<0x143, 0xc, 0xf, false>(old, x); // row_bcast:31
    case 9: return moved<0x128, 0x5, 0x9, false>(old, x); // row_ror:8, half of the rows and banks
    case 10: return static_cast<u32>(__builtin_amdgcn_ds_bpermute(static_cast<int>((x * 7 & 63) << 2), static_cast<int>(x + 1000)));
    case 11: return static_cast<u32>(__builtin_amdgcn_ds_permute(static_cast<int>((lane() * 5 & 63) << 2), static_cast<int>(x)));
    case 12: return static_cast<u32>(__builtin_amdgcn_ds_swizzle(static_cast<int>(x), 0x401f)); // xor 16
    case 13: return static_cast<u32>(__builtin_amdgcn_ds_swizzle(static_cast<int>(x), 0x80b1)); // quads 1,0,3,2
    case 14: return static_cast<u32>(__builtin_amdgcn_readlane(static_cast<int>(x), 37));
    case 15: return static_cast<u32>(__builtin_amdgcn_readfirstlane(static_cast<int>(x)));
    case 16: { const u64 votes = __builtin_amdgcn_ballot_w64((x & 4) != 0); return static_cast<u32>(votes) ^ static_cast<u32>(votes >> 32); }
    case 17: return lane();
    case 18: asm("v_writelane_b32 %0, %1, 20" : "+v"(x) : "s"(7)); return x;
    case 19: { float sum = static_cast<float>(x); // the usual wave sum
               sum += __builtin_bit_cast(float, moved<0xb1>(0, __builtin_bit_cast(u32, sum)));
               sum += __builtin_bit_cast(float, moved<0x4e>(0, __builtin_bit_cast(u32, sum)));
               sum += __builtin_bit_cast(float, moved<0x124>(0, __builtin_bit_cast(u32, sum)));
               sum += __builtin_bit_cast(float, moved<0x128>(0, __builtin_bit_cast(u32, sum)));
               float all = 0;
               for (int row = 0; row < 64; row += 16) {
                   all += __builtin_bit_cast(float, __builtin_amdgcn_readlane(__builtin_bit_cast(int, sum), row));
               }
               return __builtin_bit_cast(u32, all); }
    case 20: { u32 steps = 0; // lanes leave a divergent loop one by one
               for (u32 i = x; i < 40; i += 3) { steps++; }
               return steps; }
    case 21: { u32 result = old; // a shuffle with some lanes off
               if (lane() & 1) { result = moved<0x111, 0xf, 0xf, false>(old, x); }
               return result; }
    default: return __builtin_amdgcn_s_getreg((3 << 11) | 20);
    }
}

KERNEL void lanes(const Arguments p) {
    const u32 i = group() * 256 + thread();
    global<u32>(p.output)[i] = move(p.operation, global<const u32>(p.input)[i], i + 5000);
}
