#pragma once

namespace monokernel::kernel {

/// The argument of native/kernel/page_homes.cpp. Everything it points to is 0 at the start of a launch.
struct PageHomesParameters {
    unsigned long long pages;   ///< the first page's address
    unsigned long long ticks;   ///< u32 [rounds][probes][pageCount]: quickest round trip; 0: none
    unsigned long long tickets; ///< u32 [dies] * 32: roles handed out
    unsigned long long abort;   ///< u64: not 0 once a workgroup has waited in vain or has no role
    unsigned long long clocks;  ///< u64 [4]: ticks and wall clock at the start and at the end of one workgroup
    unsigned pageCount;
    unsigned pageBytes; ///< from one page to the next
    unsigned dies;      ///< with a ticket counter of their own: 2 a probe, or 1 for the whole device
    unsigned probes;    ///< pairs of dies, or of workgroups
    unsigned pairs;     ///< pairs of workgroups that share a probe's pages
    unsigned rounds, trips, spinLimit;
};

constexpr unsigned pageHomesLineBytes = 128; ///< each probe has its own line in the page

} // namespace monokernel::kernel
