#include "device.h"

// What kernels of several devices may do with each other's memory, and what they must not.

/// At the start of the input: the devices, and where this one and the others have their memory.
struct Box {
    u32 device, devices;
    u64 mailboxes[8], ordinary[8];
};
constexpr u32 rounds = 6;

DEV u64 tagged(u32 value, u32 tag) { return static_cast<u64>(tag) << 32 | value; }
DEV u64 poll(GLOBAL const u64 *from) { return __hip_atomic_load(from, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM); }
DEV void send(GLOBAL u64 *to, u64 word) { __hip_atomic_store(to, word, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM); }
DEV bool any(bool condition) { return __builtin_amdgcn_ballot_w64(condition) != 0; }
DEV GLOBAL u64 *mailboxes(GLOBAL const Box &box, u32 device) { return global<u64>(box.mailboxes[device]); }
DEV GLOBAL u64 *own(GLOBAL const Box &box) { return mailboxes(box, box.device); }

DEV u32 wait(GLOBAL const u64 *from, u32 tag) {
    u64 word = poll(from);
    while (any(static_cast<u32>(word >> 32) != tag)) {
        __builtin_amdgcn_s_sleep(1);
        word = poll(from);
    }
    return static_cast<u32>(word);
}

/// In each round every thread of every device tells all devices a value that depends on what it heard in the last.
DEV u32 exchange(GLOBAL const Box &box) {
    const u32 i = group() * 256 + thread(), row = 3 * 256;
    u32 value = i + box.device;
    for (u32 round = 1; round <= rounds; round++) {
        const u32 base = (round & 1) * box.devices * row; // two sets: a reader is at most one round behind
        for (u32 d = 0; d < box.devices; d++) {
            send(mailboxes(box, d) + base + box.device * row + i, tagged(value, round));
        }
        u32 sum = 0;
        for (u32 d = 0; d < box.devices; d++) {
            sum += (d + 1) * wait(own(box) + base + d * row + i, round);
        }
        value = sum * 3 + round;
    }
    return value;
}

/// Device 0 stores data, then a flag; device 1 takes the flag for a sign that the data are there.
DEV u32 flagAfterData(GLOBAL const Box &box, bool drains) {
    if (group() != 0) {
        return 0;
    }
    if (box.device == 0) {
        GLOBAL u64 *to = mailboxes(box, 1) + thread(); // loaded once: waiting for a load waits for earlier stores too
        send(to, thread());
        if (drains) {
            asm volatile("s_waitcnt vmcnt(0)" ::: "memory");
        }
        send(to + 256, tagged(0, 1));
        for (u32 i = 0; i < 200; i++) {
            __builtin_amdgcn_s_sleep(1);
        }
        return 0;
    }
    wait(own(box) + 256 + thread(), 1);
    return poll(own(box) + thread()) == thread() ? 0 : 1;
}

/// Device 0 counts in one word, which device 1 must never see go back.
DEV u32 counting(GLOBAL const Box &box) {
    constexpr u32 last = 40;
    if (group() != 0) {
        return 0;
    }
    if (box.device == 0) {
        GLOBAL u64 *to = mailboxes(box, 1) + thread();
        for (u32 i = 1; i <= last; i++) {
            send(to, i);
        }
        return 0;
    }
    u64 seen = 0;
    u32 wrong = 0;
    while (any(seen != last)) {
        __builtin_amdgcn_s_sleep(1);
        const u64 now = poll(own(box) + thread());
        wrong |= now < seen ? 1 : 0;
        seen = now;
    }
    return wrong;
}

/// Device 0 stores 16 bytes at once, of which device 1 may see the second half first.
DEV u32 halves(GLOBAL const Box &box) {
    if (group() != 0) {
        return 0;
    }
    if (box.device == 0) {
        const u32x4 both = {7, 1, 7, 1};
        asm volatile("global_store_dwordx4 %0, %1, off sc0 sc1" ::"v"(mailboxes(box, 1) + 2 * thread()), "v"(both) : "memory");
        for (u32 i = 0; i < 200; i++) {
            __builtin_amdgcn_s_sleep(1);
        }
        return 0;
    }
    u32 torn = 0;
    bool missing = true;
    while (any(missing)) {
        __builtin_amdgcn_s_sleep(1);
        const u64 second = poll(own(box) + 2 * thread() + 1);
        asm volatile("s_waitcnt vmcnt(0)" ::: "memory");
        const u64 first = poll(own(box) + 2 * thread()); // looked at later: what was stored with the second is there
        torn |= first == 0 && second != 0 ? 1 : 0;
        missing = first == 0 || second == 0;
    }
    return torn;
}

/// Device 0's first workgroup asks and ends; its second waits for the answer.
DEV u32 answerAfterTheEnd(GLOBAL const Box &box) {
    if (box.device != 0) {
        const u32 question = wait(own(box) + thread(), 1);
        if (group() == 0) {
            send(mailboxes(box, 0) + thread(), tagged(question + 1, 1));
        }
        return question;
    }
    if (group() == 0) {
        send(mailboxes(box, 1) + thread(), tagged(thread() + 5, 1));
        __builtin_amdgcn_endpgm(); // without a wait for it
    }
    return wait(own(box) + thread(), 1);
}

/// Device 1 reads, with the given scope, what device 0 has sent.
template <int Scope> DEV u32 readSent(GLOBAL const Box &box) {
    if (box.device == 0) {
        send(mailboxes(box, 1) + thread(), 1);
        return 0;
    }
    while (any(__hip_atomic_load(own(box) + thread(), __ATOMIC_RELAXED, Scope) == 0)) {
        __builtin_amdgcn_s_sleep(1);
    }
    return 1;
}

DEV u32 scalarLoad(u64 address) {
    const u32 low = __builtin_amdgcn_readfirstlane(static_cast<u32>(address));
    const u32 high = __builtin_amdgcn_readfirstlane(static_cast<u32>(address >> 32));
    u32 x;
    asm volatile("s_load_dword %0, %1, 0x0\n\ts_waitcnt lgkmcnt(0)" : "=s"(x) : "s"(static_cast<u64>(high) << 32 | low) : "memory");
    return x;
}

KERNEL void peers(const Arguments p) {
    const u32 i = group() * 256 + thread();
    GLOBAL const Box &box = *global<const Box>(p.input);
    const u32 next = (box.device + 1) % box.devices;
    u32 result = 0;
    switch (p.operation) {
    case 0: result = exchange(box); break;
    case 2: result = flagAfterData(box, true); break;
    case 3: result = flagAfterData(box, false); break;
    case 4: result = counting(box); break;
    case 5: result = halves(box); break;
    case 6: result = answerAfterTheEnd(box); break;
    case 10: result = readSent<__HIP_MEMORY_SCOPE_SYSTEM>(box); break;
    case 11: result = readSent<__HIP_MEMORY_SCOPE_AGENT>(box); break;
    case 12: result = readSent<__HIP_MEMORY_SCOPE_WORKGROUP>(box); break;
    case 13: __hip_atomic_store(mailboxes(box, next) + i, 1ull, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT); break;
    case 14: mailboxes(box, next)[i] = 1; break;
    case 15: send(global<u64>(box.ordinary[next]) + i, 1); break;
    case 16: result = static_cast<u32>(poll(mailboxes(box, next) + i)); break;
    case 17: __hip_atomic_fetch_add(mailboxes(box, next), 1ull, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_SYSTEM); break;
    case 18: result = scalarLoad(box.mailboxes[next]); break;
    case 19: send(mailboxes(box, next) + i, 1); break;
    case 20: send(mailboxes(box, next) + (1u << 20), 1); break; // past the mailboxes
    case 21: { // a value that device 0 never made, on which device 1 branches
               if (box.device == 0) {
                   send(mailboxes(box, 1) + thread(), tagged(pool()[thread()], 1));
               } else if (wait(own(box) + thread(), 1) == 3) {
                   global<u32>(p.output)[1] = 1;
               }
               break; }
    case 22: wait(own(box) + thread(), 1); break; // for what nobody sends
    default: break;
    }
    global<u32>(p.output)[i] = result;
}
