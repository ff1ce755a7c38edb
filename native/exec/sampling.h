#pragma once

#include <bit>
#include <cstdint>

namespace monokernel {

/// 64 mixed bits of (seed, position, token): SplitMix64's finaliser over a Weyl-stepped key (Steele, Lea, Flood 2014).
/// Counter-based, so any worker on any device draws the same noise for the same token.
constexpr uint64_t samplingHash(uint64_t seed, uint32_t position, uint32_t token) {
    uint64_t z =
        seed + 0x9e3779b97f4a7c15ull * ((static_cast<uint64_t>(position) << 32) | token) + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/// A uniform number in (0, 1) from the hash: 23 bits and a half step, exact in f32, never 0 or 1.
constexpr float samplingUniform(uint64_t hash) { return (static_cast<float>(hash >> 41) + 0.5f) * 0x1p-23f; }

} // namespace monokernel
